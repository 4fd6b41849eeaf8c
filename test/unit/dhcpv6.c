/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/dhcpv6 services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* dhcpv6.c - what clients say, and what they hear */
#include "services/services.h"

#include <time.h>

#include "test/unit/lease.h"

#define GUEST		"2001:db8::10"
#define OTHER		"2001:db8::11"
#define GUEST_LL	"fe80::10"
#define OUR_LL		"fe80::1"
#define SERVERS		"ff02::1:2"
#define MSG		62	/* Ethernet, IPv6, UDP: where the message is */

enum { SOLICIT = 1, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE,
       DECLINE, RECONFIGURE, INFORMATION_REQUEST };

static bool named;		/* the server */

static void start(void)
{
	const struct conf_net net = {
		.enabled = true,
		.guest = raw_addr(GUEST),
		.prefix_len = 64,
	};

	lease_start(&(struct conf) { .our_ll = raw_addr(OUR_LL) }, FAM6, &net);
	/* Its name has the time in it, which goes on meanwhile. */
	if (!named)
		dhcpv6_init();
	named = true;
}

/* --- the client --- */

static const uint8_t client_id[] = { 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 1, 2 };
static uint8_t server_id[14];	/* as learned */

static void add(uint16_t code, const void *value, size_t len)
{
	raw_be16(&r, code);
	raw_be16(&r, (unsigned)len);
	raw_add(&r, value, len);
}

/* Without options. */
static void make_bare(uint8_t type)
{
	raw_ip(&r, FAM6, GUEST_LL, SERVERS, IPPROTO_UDP, 8);
	raw_be16(&r, 546);
	raw_be16(&r, 547);
	raw_be32(&r, 0);
	raw_add(&r, (uint8_t []) { type, 0xaa, 0xbb, 0xcc }, 4);
}

static void make(uint8_t type)
{
	make_bare(type);
	add(1, client_id, sizeof(client_id));
}

static void add_server(void)
{
	add(2, server_id, sizeof(server_id));
}

/* An IA with one address, or none. */
static void add_ia(uint16_t code, uint8_t iaid, const char *address)
{
	size_t fixed = code == 4 ? 4 : 12, len = fixed;
	uint8_t ia[64] = { 0, 0, 0, iaid };

	if (address) {
		struct addr a = raw_addr(address);

		put_be16(ia + fixed, 5);
		put_be16(ia + fixed + 2, 24);
		addr_put(&a, ia + fixed + 4);
		len += 28;
	}
	add(code, ia, len);
}

static void set_lengths(void)
{
	put_be16(r.b + 18, (uint16_t)(r.len - 54));
	put_be16(r.b + 58, (uint16_t)(r.len - 54));
}

static void receive(void)
{
	set_lengths();
	ask(dhcpv6_from_guest);
}

static bool silent(void)
{
	set_lengths();
	return ask_in_vain(dhcpv6_from_guest, DROP_SERVICE);
}

/* --- the answer --- */

/* The option's code, or NULL; values are four bytes further. */
static const uint8_t *option(uint16_t code)
{
	const uint8_t *p = reply() + MSG + 4, *end = reply() + mem.sent[0].len;

	for (; p < end; p += 4 + get_be16(p + 2))
		if (get_be16(p) == code)
			return p;
	return NULL;
}

static bool option_is(uint16_t code, const void *value, size_t len)
{
	const uint8_t *p = option(code);

	return p && get_be16(p + 2) == len && !memcmp(p + 4, value, len);
}

static bool options_are(const uint8_t *codes, size_t n)
{
	const uint8_t *p = reply() + MSG + 4;

	for (size_t i = 0; i < n; i++, p += 4 + get_be16(p + 2))
		if (!OK(get_be16(p) == codes[i]))
			return false;
	return p == reply() + mem.sent[0].len;
}

#define CODES(...) (uint8_t []) { __VA_ARGS__ }, \
		   sizeof((uint8_t []) { __VA_ARGS__ })

static bool answered(uint8_t type)
{
	return mem.cnt == 1 && reply()[MSG] == type &&
	       !memcmp(reply() + MSG + 1, "\xaa\xbb\xcc", 3) &&
	       option(2) && get_be16(reply() + 56) == 546;
}

/* IA_NA with the address, all times infinite. */
static bool gives(uint8_t iaid)
{
	uint8_t ia[40] = { 0, 0, 0, iaid, 255, 255, 255, 255,
			   255, 255, 255, 255, 0, 5, 0, 24 };
	struct addr guest = raw_addr(GUEST);

	addr_put(&guest, ia + 16);
	memset(ia + 32, 255, 8);
	return option_is(3, ia, sizeof(ia));
}

static bool refuses(uint8_t iaid)
{
	static const char text[] = "Prefix not appropriate for link.";
	uint8_t ia[50] = { 0, 0, 0, iaid, [13] = 13, [15] = 34, [17] = 4 };

	memcpy(ia + 18, text, 32);
	return option_is(3, ia, sizeof(ia));
}

static void learn_server(void)
{
	start();
	make(SOLICIT);
	receive();
	if (OK(answered(ADVERTISE)))
		memcpy(server_id, option(2) + 4, sizeof(server_id));
	start();
}

/* --- messages --- */

TEST(golden_advertisement)
{
	static const uint8_t head[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x5d, 0x11, 0xff,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
		0x02, 0x23, 0x02, 0x22, 0x00, 0x5d,
	};
	static const uint8_t golden[] = {
		ADVERTISE, 0xaa, 0xbb, 0xcc,
		0, 2, 0, 14, 0, 1, 0, 1, 0, 0, 0, 0,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55,
		0, 3, 0, 40, 0, 0, 0, 7,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0, 5, 0, 24,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0, 1, 0, 10, 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 1, 2,
		0, 7, 0, 1, 255,
	};
	uint32_t before = (uint32_t)(time(NULL) - 946684800), started;

	named = false;
	start();
	make(SOLICIT);
	add_ia(3, 7, NULL);
	receive();
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, MSG + sizeof(golden));
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	MEMEQ(reply(), head, sizeof(head));
	started = get_be32(reply() + MSG + 12);
	OK(started >= before && started < before + 10);
	put_be32(mem.sent[0].b + MSG + 12, 0);
	MEMEQ(reply() + MSG, golden, sizeof(golden));
	OK(addr_is_unspec(&seen));
}

TEST(who_asks_for_the_address_gets_it)
{
	static const uint8_t types[] = { REQUEST, RENEW, REBIND };
	struct addr guest = raw_addr(GUEST);

	learn_server();
	for (size_t i = 0; i < sizeof(types); i++) {
		start();
		make(types[i]);
		if (types[i] != REBIND)
			add_server();
		add_ia(3, 9, GUEST);
		receive();
		OK(answered(REPLY));
		OK(gives(9));
		OK(options_are(CODES(2, 3, 1)));
		OK(addr_eq(&seen, &guest));
	}
}

TEST(who_has_another_address_is_told_that_it_is_not_for_this_link)
{
	static const uint8_t types[] = { REQUEST, RENEW, REBIND };

	learn_server();
	conf_writable.advertise_dns = true;
	for (size_t i = 0; i < sizeof(types); i++) {
		for (uint16_t code = 3; code <= 4; code++) {
			start();
			make(types[i]);
			if (types[i] != REBIND)
				add_server();
			add_ia(code, 1, OTHER);
			add_ia(3, 2, GUEST);
			receive();
			OK(answered(REPLY));
			OK(refuses(2));
			OK(options_are(CODES(2, 3, 1)));
			OK(addr_is_unspec(&seen));
		}
	}
	start();
	make(REQUEST);
	add_server();
	add_ia(4, 1, OTHER);		/* nothing to say it in */
	receive();
	OK(options_are(CODES(2, 1, 13)));
}

TEST(a_wish_is_no_claim)
{
	start();
	make(SOLICIT);
	add_ia(3, 1, OTHER);
	receive();
	OK(answered(ADVERTISE));
	OK(gives(1));
}

TEST(rapid_commit_skips_a_round)
{
	struct addr guest = raw_addr(GUEST);

	start();
	make(SOLICIT);
	add(14, "", 0);
	add_ia(3, 1, NULL);
	receive();
	OK(answered(REPLY));
	OK(gives(1));
	OK(options_are(CODES(2, 3, 1, 14)));
	OK(addr_eq(&seen, &guest));
}

TEST(a_client_that_moved_hears_whether_its_address_still_fits)
{
	static const struct {
		const char *address;
		const char *status;
		size_t len;
	} cases[] = {
		{ GUEST, "\0\0", 2 },
		{ OTHER, "\0\4Prefix not appropriate for link.", 34 },
	};

	for (int i = 0; i < 2; i++) {
		start();
		make(CONFIRM);
		add_ia(3, 1, cases[i].address);
		receive();
		OK(answered(REPLY));
		OK(options_are(CODES(2, 1, 13)));
		OK(option_is(13, cases[i].status, cases[i].len));
	}
	start();
	make(CONFIRM);			/* RFC 8415 18.3.3 */
	add_ia(3, 1, NULL);
	OK(silent());
}

TEST(who_gives_the_address_back_is_heard)
{
	static const uint8_t types[] = { RELEASE, DECLINE };

	learn_server();
	for (size_t i = 0; i < sizeof(types); i++) {
		start();
		make(types[i]);
		add_server();
		add_ia(3, 1, GUEST);
		receive();
		OK(answered(REPLY));
		OK(options_are(CODES(2, 1, 13)));
		OK(option_is(13, "\0\0", 2));
	}
}

static void advertise_all(void)
{
	struct conf_net *net = &conf_writable.net[FAM6];

	conf_writable.advertise_dns = conf_writable.advertise_search = true;
	net->dns[0] = raw_addr("2001:db8::53");
	net->dns[1] = raw_addr("2001:db8::54");
	net->dns_cnt = 2;
	strcpy(conf_writable.search[0], "a.lab.");
	strcpy(conf_writable.search[1], "no..name");
	strcpy(conf_writable.search[2], "b.lab");
	conf_writable.search_cnt = 3;
	strcpy(conf_writable.fqdn, "guest.lab");
}

TEST(temporary_addresses_and_prefixes_there_are_none)
{
	static const uint8_t types[] = { SOLICIT, REQUEST, RENEW, REBIND };
	static const uint8_t no_ta[] = "\0\0\0\5\0\x0d\0\x19\0\2"
				       "No temporary addresses.";
	static const uint8_t no_pd[] = "\0\0\0\6\0\0\0\0\0\0\0\0"
				       "\0\x0d\0\x0e\0\6No prefixes.";

	for (size_t i = 0; i < sizeof(types); i++) {
		bool solicit = types[i] == SOLICIT;

		learn_server();
		make(types[i]);
		if (types[i] == REQUEST || types[i] == RENEW)
			add_server();
		add_ia(4, 5, NULL);
		add_ia(25, 6, NULL);
		add_ia(3, 7, NULL);
		receive();
		OK(answered(solicit ? ADVERTISE : REPLY));
		OK(gives(7));
		OK(option_is(4, no_ta, sizeof(no_ta) - 1));
		OK(option_is(25, no_pd, sizeof(no_pd) - 1));
	}

	start();
	make(SOLICIT);			/* nothing else */
	add_ia(25, 6, NULL);
	receive();
	OK(answered(ADVERTISE));
	OK(options_are(CODES(2, 25, 1, 7)));
	OK(option_is(25, no_pd, sizeof(no_pd) - 1));

	learn_server();
	make(CONFIRM);			/* says nothing about them */
	add_ia(3, 7, GUEST);
	add_ia(25, 6, NULL);
	receive();
	OK(answered(REPLY));
	OK(options_are(CODES(2, 1, 13)));
}

TEST(who_wants_information_gets_no_address)
{
	learn_server();
	advertise_all();
	make(INFORMATION_REQUEST);
	receive();
	OK(answered(REPLY));
	OK(options_are(CODES(2, 1, 23, 24, 39)));
	OK(addr_is_unspec(&seen));

	start();
	advertise_all();
	make_bare(INFORMATION_REQUEST);	/* 18.2.6: need not say who it is */
	add_server();
	receive();
	OK(answered(REPLY));
	OK(options_are(CODES(2, 23, 24, 39)));

	start();
	make(INFORMATION_REQUEST);	/* 16.12 */
	add_ia(3, 1, NULL);
	OK(silent());
}

TEST(messages_without_what_they_must_have_are_dropped)
{
	static const struct { uint8_t type; bool server; } must[] = {
		{ SOLICIT, false }, { REQUEST, true }, { CONFIRM, false },
		{ RENEW, true }, { REBIND, false }, { RELEASE, true },
		{ DECLINE, true },
	};

	learn_server();
	for (size_t i = 0; i < sizeof(must) / sizeof(*must); i++) {
		make_bare(must[i].type);	/* client unknown */
		if (must[i].server)
			add_server();
		add_ia(3, 1, GUEST);
		OK(silent());
		make(must[i].type);		/* server not, or too much */
		if (!must[i].server)
			add_server();
		add_ia(3, 1, GUEST);
		OK(silent());
	}
}

TEST(what_is_for_another_server_is_not_for_us)
{
	static const uint8_t types[] = { REQUEST, RENEW, RELEASE, DECLINE,
					 INFORMATION_REQUEST };

	learn_server();
	for (size_t i = 0; i < sizeof(types); i++) {
		make(types[i]);
		server_id[8] ^= 1;
		add_server();
		server_id[8] ^= 1;
		OK(silent());
		make(types[i]);
		add(2, server_id, sizeof(server_id) - 1);
		OK(silent());
	}
}

TEST(clients_have_names_of_up_to_128_bytes_and_a_type)
{
	static uint8_t id[131];

	start();
	make_bare(SOLICIT);
	add(1, id, 130);
	receive();
	OK(answered(ADVERTISE));
	OK(option_is(1, id, 130));
	start();
	make_bare(SOLICIT);
	add(1, id, 131);
	OK(silent());
	make_bare(SOLICIT);
	add(1, id, 0);
	OK(silent());
}

TEST(messages_of_servers_relays_and_the_future_are_dropped)
{
	static const uint8_t types[] = {
		0, ADVERTISE, REPLY, RECONFIGURE, 12, 13, 200, 255,
	};

	start();
	for (size_t i = 0; i < sizeof(types); i++) {
		make(types[i]);
		OK(silent());
	}
}

TEST(what_is_sent_to_one_server_alone_is_dropped)
{
	struct addr us = raw_addr(OUR_LL), nobody = raw_addr("::");

	start();
	make(SOLICIT);
	addr_put(&us, r.b + 38);
	OK(silent());
	make(SOLICIT);
	addr_put(&nobody, r.b + 22);
	OK(silent());
}

TEST(the_answer_goes_where_the_question_came_from)
{
	struct addr global = raw_addr("2001:db8::77");

	start();
	make(SOLICIT);
	addr_put(&global, r.b + 22);
	put_be16(r.b + 54, 1234);	/* not to this port */
	receive();
	OK(answered(ADVERTISE));
	MEMEQ(reply() + 38, global.b, 16);
}

TEST(options_that_run_over_the_end_or_lack_bytes_spoil_the_message)
{
	static const struct { uint8_t b[24], len; } bad[] = {
		{ { 0 }, 1 },
		{ { 0, 6, 0 }, 3 },
		{ { 0, 6, 0, 2, 0 }, 5 },
		{ { 0, 3, 0, 11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, 15 },
		{ { 0, 3, 0, 3, 0, 0, 0 }, 7 },
		{ { 0, 4, 0, 3, 0, 0, 0 }, 7 },
		{ { 0, 4, 0, 9, 0, 0, 0, 1, 0, 5, 0, 2, 0 }, 13 },
		{ { 0, 4, 0, 10, 0, 0, 0, 1, 0, 5, 0, 2, 1, 1 }, 14 },
		{ { 0, 39, 0, 0 }, 4 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		start();
		make(SOLICIT);
		raw_add(&r, bad[i].b, bad[i].len);
		OK(silent());
	}
	for (size_t len = 0; len < 4; len++) {
		make_bare(SOLICIT);
		r.len = MSG + len;
		OK(silent());
	}
}

/* --- options --- */

TEST(everything_configured_is_told)
{
	static const uint8_t dns[] = {
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x53,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x54,
	};

	start();
	advertise_all();
	make(SOLICIT);
	add_ia(3, 1, NULL);
	receive();
	OK(options_are(CODES(2, 3, 1, 23, 24, 39, 7)));
	OK(option_is(23, dns, sizeof(dns)));
	OK(option_is(24, "\1a\3lab\0\1b\3lab", 14));
	OK(option_is(39, "\0\5guest\3lab", 12));
}

TEST(what_is_not_configured_is_not_told)
{
	start();
	advertise_all();
	conf_writable.advertise_dns = conf_writable.advertise_search = false;
	*conf_writable.fqdn = '\0';
	make(SOLICIT);
	receive();
	OK(options_are(CODES(2, 1, 7)));

	start();
	conf_writable.advertise_dns = conf_writable.advertise_search = true;
	make(SOLICIT);
	receive();
	OK(options_are(CODES(2, 1, 7)));
}

TEST(who_wants_its_name_in_dns_is_told_that_nobody_does_that)
{
	start();
	advertise_all();
	make(SOLICIT);
	add(39, "\1\1x", 3);
	receive();
	OK(option_is(39, "\2\5guest\3lab", 12));
}

/* A name of @len bytes, as labels of up to 63. */
static void long_name(char *name, size_t len, char c)
{
	memset(name, c, len);
	name[len] = '\0';
	for (size_t at = 63; at < len; at += 64)
		name[at] = '.';
}

TEST(any_link_carries_the_most_there_is_to_tell)
{
	static uint8_t id[130];

	learn_server();
	advertise_all();
	conf_writable.net[FAM6].dns_cnt = CONF_DNS_MAX;
	conf_writable.search_cnt = CONF_SEARCH_MAX;
	for (int i = 0; i < CONF_SEARCH_MAX; i++)
		long_name(conf_writable.search[i], CONF_NAME_MAX, 's');
	long_name(conf_writable.fqdn, CONF_NAME_MAX, 'f');
	make_bare(SOLICIT);
	add(1, id, sizeof(id));
	add_ia(3, 1, NULL);
	receive();
	OK(mem.sent[0].len <= 14 + 1280);
	OK(options_are(CODES(2, 3, 1, 23, 24, 39, 7)));
	EQ(get_be16(option(24) + 2) % 255, 0);
	EQ(get_be16(option(39) + 2), 256);
	EQ(raw_l4_sum(mem.sent[0].b), 0);
}

TEST(a_link_that_is_full_loses_the_answer_only)
{
	start();
	mem.full = true;
	make(SOLICIT);
	receive();
	EQ(mem.cnt, 0);
	mem.full = false;
	receive();
	OK(answered(ADVERTISE));
}
