/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/dhcp services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* dhcp.c - what clients say, and what they hear */
#include "services/services.h"

#include "test/unit/lease.h"

#define GUEST	"192.0.2.10"
#define GATEWAY	"192.0.2.1"
#define MSG	42		/* Ethernet, IPv4, UDP: where the message is */
#define OPTS	(MSG + 240)

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

static void start(void)
{
	const struct conf_net net = {
		.enabled = true,
		.guest = raw_addr(GUEST),
		.prefix_len = 24,
		.gw = raw_addr(GATEWAY),
		.our_tap = raw_addr(GATEWAY),
	};

	lease_start(&(struct conf) { .mtu = 1500 }, FAM4, &net);
}

/* --- the client --- */

static void put_ip(uint8_t *p, const char *s)
{
	struct addr a = raw_addr(s);

	addr_put(&a, p);
}

/* A message of the client up to and with the cookie; options are added. */
static void make(void)
{
	static const uint8_t head[] = {
		1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44, 0, 7, 0, 0,
	};
	uint8_t msg[240] = { 0 };

	memcpy(msg, head, sizeof(head));
	memcpy(msg + 28, raw_smac.b, 6);
	put_be32(msg + 236, 0x63825363);
	raw_ip(&r, FAM4, "0.0.0.0", "255.255.255.255", IPPROTO_UDP, 8);
	raw_be16(&r, 68);
	raw_be16(&r, 67);
	raw_be32(&r, 0);
	raw_add(&r, msg, sizeof(msg));
}

static void add(uint8_t code, const void *value, size_t len)
{
	raw_add(&r, (uint8_t []) { code, (uint8_t)len }, 2);
	raw_add(&r, value, len);
}

static void add_ip(uint8_t code, const char *s)
{
	uint8_t ip[4];

	put_ip(ip, s);
	add(code, ip, 4);
}

static void add_type(uint8_t type)
{
	add(53, &type, 1);
}

static void make_type(uint8_t type)
{
	make();
	add_type(type);
}

static void set_ciaddr(const char *s)
{
	put_ip(r.b + MSG + 12, s);
}

static void set_lengths(void)
{
	put_be16(r.b + 16, (uint16_t)(r.len - 14));
	put_be16(r.b + 38, (uint16_t)(r.len - 34));
}

/* Without another word, not even an end. */
static void receive_as_is(void)
{
	set_lengths();
	ask(dhcp_from_guest);
}

static void receive(void)
{
	raw_add(&r, "\xff", 1);
	receive_as_is();
}

static bool silent_as_is(void)
{
	set_lengths();
	return ask_in_vain(dhcp_from_guest, DROP_SERVICE);
}

static bool silent(void)
{
	raw_add(&r, "\xff", 1);
	return silent_as_is();
}

/* --- the answer --- */

/* The option's code, or NULL; values are two bytes further. */
static const uint8_t *option(uint8_t code)
{
	const uint8_t *p = reply() + OPTS, *end = reply() + mem.sent[0].len;

	for (; p < end && *p != 255; p += 2 + p[1])
		if (*p == code)
			return p;
	return NULL;
}

static bool option_is(uint8_t code, const void *value, size_t len)
{
	const uint8_t *p = option(code);

	return p && p[1] == len && !memcmp(p + 2, value, len);
}

static bool option_is_ip(uint8_t code, const char *s)
{
	uint8_t ip[4];

	put_ip(ip, s);
	return option_is(code, ip, 4);
}

/* The codes in order, up to the end. */
static bool options_are(const uint8_t *codes, size_t n)
{
	const uint8_t *p = reply() + OPTS;

	for (size_t i = 0; i < n; i++, p += 2 + p[1])
		if (!OK(*p == codes[i]))
			return false;
	return *p == 255;
}

static bool answered(uint8_t type)
{
	return mem.cnt == 1 && option_is(53, &type, 1) &&
	       option_is_ip(54, GATEWAY);
}

static bool says_ip(size_t off, const char *s)
{
	uint8_t ip[4];

	put_ip(ip, s);
	return !memcmp(reply() + off, ip, 4);
}

static bool yiaddr_is(const char *s) { return says_ip(MSG + 16, s); }
static bool sent_to(const char *s) { return says_ip(30, s); }

#define CODES(...) (uint8_t []) { __VA_ARGS__ }, \
		   sizeof((uint8_t []) { __VA_ARGS__ })

/* --- messages --- */

TEST(golden_offer)
{
	static const uint8_t head[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x08, 0x00,
		0x45, 0x00, 0x01, 0x48, 0x00, 0x00, 0x40, 0x00,
		0xff, 0x11, 0xf6, 0x98, 192, 0, 2, 1, 192, 0, 2, 10,
		0, 67, 0, 68, 0x01, 0x34, 0, 0,
		2, 1, 6, 0, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0,
		0, 0, 0, 0, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0,
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
	};
	static const uint8_t opts[] = {
		0x63, 0x82, 0x53, 0x63,
		1, 4, 255, 255, 255, 0,
		3, 4, 192, 0, 2, 1,
		26, 2, 0x05, 0xdc,
		51, 4, 0xff, 0xff, 0xff, 0xff,
		53, 1, OFFER,
		54, 4, 192, 0, 2, 1,
		255,
	};

	start();
	make_type(DISCOVER);
	receive();
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, MSG + 300);
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	put_be16(mem.sent[0].b + 40, 0);
	MEMEQ(reply(), head, sizeof(head));
	for (size_t i = sizeof(head); i < OPTS - 4; i++)
		EQ(reply()[i], 0);
	MEMEQ(reply() + OPTS - 4, opts, sizeof(opts));
	for (size_t i = OPTS - 4 + sizeof(opts); i < MSG + 300; i++)
		EQ(reply()[i], 0);
	OK(addr_is_unspec(&seen));
}

TEST(who_takes_the_offer_gets_the_address)
{
	struct addr guest = raw_addr(GUEST);

	start();
	make_type(REQUEST);
	add_ip(54, GATEWAY);
	add_ip(50, GUEST);
	receive();
	OK(answered(ACK));
	OK(yiaddr_is(GUEST));
	OK(sent_to(GUEST));
	OK(addr_eq(&seen, &guest));
}

TEST(who_had_the_address_before_gets_it_again)
{
	start();
	make_type(REQUEST);		/* INIT-REBOOT */
	add_ip(50, GUEST);
	receive();
	OK(answered(ACK));

	start();
	make_type(REQUEST);		/* RENEWING, REBINDING */
	set_ciaddr(GUEST);
	receive();
	OK(answered(ACK));
	OK(yiaddr_is(GUEST));
	MEMEQ(reply() + MSG + 12, reply() + MSG + 16, 4);

	start();
	make_type(REQUEST);		/* a client of few words */
	receive();
	OK(answered(ACK));
}

TEST(who_claims_another_address_is_told_no)
{
	static const char *const other[] = { "192.0.2.11", "10.0.0.1" };

	for (int i = 0; i < 4; i++) {
		start();
		make_type(REQUEST);
		if (i < 2)
			add_ip(50, other[i % 2]);
		else
			set_ciaddr(other[i % 2]);
		receive();
		OK(answered(NAK));
		OK(yiaddr_is("0.0.0.0"));
		OK(says_ip(MSG + 12, "0.0.0.0"));
		OK(sent_to("255.255.255.255"));
		MEMEQ(reply(), raw_smac.b, 6);
		OK(options_are(CODES(53, 54)));
		OK(addr_is_unspec(&seen));
	}
}

TEST(who_takes_another_servers_offer_is_left_alone)
{
	start();
	make_type(REQUEST);
	add_ip(54, "192.0.2.2");
	add_ip(50, GUEST);
	OK(silent());
}

TEST(rapid_commit_skips_a_round)
{
	struct addr guest = raw_addr(GUEST);

	start();
	make_type(DISCOVER);
	add(80, "", 0);
	receive();
	OK(answered(ACK));
	OK(option_is(80, "", 0));
	OK(option_is(51, "\xff\xff\xff\xff", 4));
	OK(addr_eq(&seen, &guest));

	start();
	make_type(REQUEST);
	add(80, "", 0);
	receive();
	OK(answered(ACK));
	OK(!option(80));
}

TEST(who_has_an_address_of_its_own_hears_the_rest)
{
	start();
	make_type(INFORM);
	set_ciaddr("192.0.2.99");
	add(55, CODES(1, 51, 58, 59));
	receive();
	OK(answered(ACK));
	OK(yiaddr_is("0.0.0.0"));
	OK(sent_to("192.0.2.99"));
	OK(options_are(CODES(53, 1, 3, 26, 54)));
	OK(addr_is_unspec(&seen));

	start();
	make_type(INFORM);
	OK(silent());
}

TEST(bootp_is_served_with_or_without_a_cookie)
{
	start();
	make();
	receive();
	OK(answered(ACK));
	OK(yiaddr_is(GUEST));
	EQ(mem.sent[0].len, MSG + 300);

	start();
	make();
	put_be32(r.b + OPTS - 4, 0);
	raw_zero(&r, 60);
	receive();
	OK(answered(ACK));

	start();
	make();
	r.len = OPTS - 4;		/* nothing behind the fixed part */
	receive_as_is();
	OK(answered(ACK));
}

TEST(what_needs_no_answer_gets_none)
{
	static const uint8_t heard[] = { DECLINE, RELEASE };
	static const uint8_t unknown[] = { 0, OFFER, ACK, NAK, 9, 255 };

	for (size_t i = 0; i < sizeof(heard); i++) {
		uint64_t before = drop_count(DROP_SERVICE);

		start();
		make_type(heard[i]);
		receive();
		EQ(mem.cnt, 0);
		EQ(drop_count(DROP_SERVICE), before);
	}
	for (size_t i = 0; i < sizeof(unknown); i++) {
		start();
		make_type(unknown[i]);
		OK(silent());
	}
}

TEST(who_cannot_be_told_alone_is_told_as_everyone)
{
	start();
	make_type(DISCOVER);
	put_be16(r.b + MSG + 10, 0x8000);
	receive();
	OK(answered(OFFER));
	OK(sent_to("255.255.255.255"));
	MEMEQ(reply(), raw_smac.b, 6);	/* still, it is the only one */
	EQ(get_be16(reply() + MSG + 10), 0x8000);
}

TEST(what_identifies_the_client_comes_back)
{
	start();
	make_type(DISCOVER);
	add(61, "\1client", 7);
	r.b[MSG + 1] = 6;		/* IEEE 802 */
	r.b[MSG + 2] = 16;
	memset(r.b + MSG + 28, 0x5a, 16);
	put_ip(r.b + MSG + 24, "192.0.2.3");
	receive();
	OK(answered(OFFER));
	OK(option_is(61, "\1client", 7));
	MEMEQ(reply() + MSG + 1, r.b + MSG + 1, 2);
	MEMEQ(reply() + MSG + 24, r.b + MSG + 24, 20);

	start();
	make_type(REQUEST);
	add(61, "\1client", 7);
	add_ip(50, "192.0.2.11");
	receive();
	OK(options_are(CODES(53, 54, 61)));
}

TEST(a_client_without_hardware_address_is_served)
{
	static const uint8_t zero[16];

	start();
	make_type(DISCOVER);
	memset(r.b + MSG + 28, 0, 16);
	receive();
	OK(answered(OFFER));
	MEMEQ(reply() + MSG + 28, zero, 16);
}

/* --- malformed --- */

TEST(messages_of_servers_and_crumbs_are_dropped)
{
	start();
	make_type(DISCOVER);
	r.b[MSG] = 2;
	OK(silent());
	make_type(DISCOVER);
	r.b[MSG + 2] = 17;
	OK(silent());
	for (size_t len = MSG; len < OPTS - 4; len += 5) {
		make();
		r.len = len;
		OK(silent_as_is());
	}
}

TEST(options_that_run_over_the_end_or_lack_bytes_spoil_the_message)
{
	static const struct { uint8_t b[6], len; } bad[] = {
		{ { 55 }, 1 },
		{ { 55, 3, 1, 2 }, 4 },
		{ { 50, 3, 192, 0, 2 }, 5 },
		{ { 54, 0 }, 2 },
		{ { 57, 1, 2 }, 3 },
		{ { 53, 0 }, 2 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		start();
		make_type(DISCOVER);
		raw_add(&r, bad[i].b, bad[i].len);
		OK(silent_as_is());
	}
}

TEST(padding_has_no_length_and_behind_the_end_nothing_matters)
{
	start();
	make();
	raw_zero(&r, 3);
	add_type(DISCOVER);
	raw_zero(&r, 1);
	raw_add(&r, "\xff\xff\xff\x35", 4);
	receive_as_is();
	OK(answered(OFFER));

	start();
	make_type(DISCOVER);		/* no end */
	receive_as_is();
	OK(answered(OFFER));
}

/* --- options --- */

static void offer(void)
{
	make_type(DISCOVER);
	receive();
	OK(answered(OFFER));
}

TEST(everything_configured_is_told_in_ascending_order)
{
	struct conf_net *net = &conf_writable.net[FAM4];

	start();
	conf_writable.advertise_dns = conf_writable.advertise_search = true;
	net->dns[0] = raw_addr("192.0.2.53");
	net->dns[1] = raw_addr("192.0.2.54");
	net->dns_cnt = 2;
	strcpy(conf_writable.hostname, "guest");
	strcpy(conf_writable.fqdn, "guest.lab");
	strcpy(conf_writable.search[0], "a.lab.");
	strcpy(conf_writable.search[1], "no..name");
	strcpy(conf_writable.search[2], "b.lab");
	conf_writable.search_cnt = 3;
	offer();
	OK(options_are(CODES(1, 3, 6, 12, 26, 51, 53, 54, 81, 119)));
	OK(option_is(6, "\xc0\0\2\x35\xc0\0\2\x36", 8));
	OK(option_is(12, "guest", 5));
	OK(option_is(81, "\4\xff\xff\5guest\3lab", 14));
	OK(option_is(119, "\1a\3lab\0\1b\xc0\2", 11));
}

TEST(who_wants_its_name_in_dns_is_told_that_nobody_does_that)
{
	for (unsigned flags = 0; flags < 16; flags++) {
		uint8_t value[] = { (uint8_t)flags, 0, 0, 1, 'x' };

		start();
		strcpy(conf_writable.fqdn, "guest.lab");
		make_type(REQUEST);
		add(81, value, sizeof(value));
		receive();
		OK(option_is(81, flags & 1 ? "\6\xff\xff\5guest\3lab" :
				 "\4\xff\xff\5guest\3lab", 14));
	}
}

TEST(what_is_not_configured_is_not_told)
{
	struct conf_net *net = &conf_writable.net[FAM4];

	start();
	conf_writable.mtu = 0;
	net->dns[0] = raw_addr("192.0.2.53");
	net->dns_cnt = 1;
	strcpy(conf_writable.search[0], "lab");
	conf_writable.search_cnt = 1;
	offer();
	OK(options_are(CODES(1, 3, 51, 53, 54)));
}

TEST(the_mask_is_the_prefix)
{
	start();
	conf_writable.net[FAM4].prefix_len = 30;
	conf_writable.net[FAM4].guest = raw_addr("192.0.2.2");
	offer();
	OK(option_is_ip(1, "255.255.255.252"));
	start();
	conf_writable.net[FAM4].prefix_len = 0;
	offer();
	OK(option_is_ip(1, "0.0.0.0"));
}

TEST(a_router_off_the_network_is_made_a_neighbour_first)
{
	static const uint8_t routes[] = {
		32, 192, 0, 2, 1, 0, 0, 0, 0, 0, 192, 0, 2, 1,
	};

	start();
	conf_writable.net[FAM4].guest = raw_addr("198.51.100.7");
	offer();
	OK(option_is(121, routes, sizeof(routes)));
	start();
	conf_writable.net[FAM4].prefix_len = 32;
	offer();
	OK(option_is(121, routes, sizeof(routes)));
}

TEST(the_order_is_the_clients)
{
	start();
	make_type(DISCOVER);
	add(55, CODES(54, 1, 3, 53));
	receive();
	OK(options_are(CODES(54, 1, 3, 53, 26, 51)));

	start();
	make_type(DISCOVER);
	add(55, CODES(26, 3, 200));
	receive();
	OK(options_are(CODES(53, 26, 3, 1, 51, 54)));
}

TEST(odd_wishes_change_nothing)
{
	uint8_t all[255];

	start();
	make_type(DISCOVER);
	add(55, CODES(3, 3, 0, 255, 3));
	receive();
	OK(options_are(CODES(53, 3, 1, 26, 51, 54)));

	start();
	make_type(DISCOVER);
	add(55, "", 0);
	receive();
	OK(options_are(CODES(1, 3, 26, 51, 53, 54)));

	start();
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	make_type(DISCOVER);
	add(55, all, sizeof(all));
	receive();
	OK(options_are(CODES(59, 58, 54, 53, 51, 26, 3, 1)));
}

TEST(times_of_renewal_are_for_who_asks)
{
	start();
	make_type(DISCOVER);
	add(55, CODES(58, 59));
	receive();
	OK(option_is(58, "\xff\xff\xff\xff", 4));
	OK(option_is(59, "\xff\xff\xff\xff", 4));
	start();
	offer();
	OK(!option(58));
}

/* A name of @len bytes, as labels of up to 63. */
static void long_name(char *name, size_t len, char c)
{
	memset(name, c, len);
	name[len] = '\0';
	for (size_t at = 63; at < len; at += 64)
		name[at] = '.';
}

static void much_to_tell(void)
{
	conf_writable.advertise_search = true;
	long_name(conf_writable.hostname, 60, 'h');
	long_name(conf_writable.fqdn, 251, 'f');
	conf_writable.search_cnt = 3;
	for (int i = 0; i < 3; i++)
		long_name(conf_writable.search[i], 200, (char)('a' + i));
}

TEST(what_does_not_fit_into_576_bytes_is_left_out_but_nothing_vital)
{
	start();
	much_to_tell();
	long_name(conf_writable.hostname, 30, 'h');
	make_type(DISCOVER);
	add(55, CODES(81, 119, 12));
	receive();
	OK(mem.sent[0].len <= 14 + 576);
	OK(answered(OFFER));
	OK(option(1) && option(3) && option(51) && option(54));
	OK(!option(119));
	OK(!option(12));	/* 44 left, 24 of them for what is vital */
	EQ(raw_l4_sum(mem.sent[0].b), 0);
}

TEST(the_last_byte_of_576_is_used)
{
	size_t most = 0;

	for (size_t len = 150; len < 251; len++) {
		start();
		long_name(conf_writable.fqdn, len, 'f');
		long_name(conf_writable.hostname, 30, 'h');
		offer();
		OK(option(12));
		if (option(81))
			most = mem.sent[0].len;
	}
	EQ(most, 14 + 576);
}

TEST(long_values_go_on_in_another_option)
{
	const uint8_t *p;

	start();
	long_name(conf_writable.fqdn, 252, 'f');	/* 3 + 254 bytes */
	offer();
	p = option(81);
	if (!OK(p))
		return;
	EQ(p[1], 255);
	EQ(p[257], 81);
	EQ(p[258], 2);
	EQ(p[260], 0);
}

TEST(who_takes_larger_messages_gets_them)
{
	static const struct { uint16_t max, mtu; size_t most; } sizes[] = {
		{ 1500, 65520, 1500 }, { 9000, 65520, 1500 },
		{ 1500, 0, 1500 }, { 1500, 800, 800 }, { 700, 1500, 700 },
		{ 300, 1500, 576 }, { 0, 1500, 576 }, { 576, 68, 576 },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint8_t max[2];

		start();
		much_to_tell();
		conf_writable.mtu = sizes[i].mtu;
		put_be16(max, sizes[i].max);
		make_type(DISCOVER);
		add(57, max, 2);
		receive();
		OK(mem.sent[0].len <= 14 + sizes[i].most);
		EQ(!!option(119), sizes[i].most == 1500);
	}
}

TEST(a_link_that_is_full_loses_the_answer_only)
{
	start();
	mem.full = true;
	make_type(DISCOVER);
	receive();
	EQ(mem.cnt, 0);
	mem.full = false;
	receive_as_is();
	OK(answered(OFFER));
}
