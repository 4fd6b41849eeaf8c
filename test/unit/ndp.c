/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/ndp services/name link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* ndp.c - golden solicitations and advertisements, and when they come */
#include "services/services.h"

#include "conf.h"
#include "test/unit/neighbour.h"
#include "test/unit/served.h"
#include "timer.h"

#define GUEST		"2001:db8::10"
#define GUEST_LL	"fe80::10"
#define OUR_LL		"fe80::1"

static void start(void)
{
	mem_start(NULL, NULL);
	link_set_guest_mac(&raw_smac);
	conf_writable.no_ndp = conf_writable.no_ra = false;
	conf_writable.no_dhcpv6 = false;
	conf_writable.mtu = 1400;
	conf_writable.advertise_dns = conf_writable.advertise_search = true;
	conf_writable.search_cnt = 2;
	strcpy(conf_writable.search[0], "lab.example");
	strcpy(conf_writable.search[1], "b.");
	conf_writable.our_mac = MAC_OURS_DEFAULT;
	conf_writable.our_ll = raw_addr(OUR_LL);
	conf_writable.net[FAM6] = (struct conf_net) {
		.enabled = true,
		.guest = raw_addr(GUEST),
		.gw = raw_addr(OUR_LL),
		.our_tap = raw_addr(OUR_LL),
		.prefix_len = 64,
		.dns = { raw_addr("2001:db8::53"), raw_addr("2001:db8::54") },
		.dns_cnt = 2,
	};
	env.seen[FAM6] = raw_addr(GUEST);
	env.seen_ll = raw_addr(GUEST_LL);
}

/* NS without options, hop limit 255. */
static void make(uint8_t type, const char *src, const char *target)
{
	struct addr t = raw_addr(target);
	uint8_t body[20] = { 0 };

	addr_put(&t, body + 4);
	raw_icmp(&r, FAM6, src, "ff02::1:ff00:1", type, body, sizeof(body));
	r.b[21] = 255;
}

static void add_option(uint8_t kind, uint8_t units, size_t bytes)
{
	raw_add(&r, (uint8_t []) { kind, units }, 2);
	raw_zero(&r, bytes - 2);
	put_be16(r.b + 18, (uint16_t)(r.len - 54));
}

static void receive(void)
{
	ask(ndp_from_guest);
}

static bool silent(void)
{
	start();
	return ask_in_vain(ndp_from_guest, DROP_NDP);
}

/* But for the checksum, which is right instead */
static bool sent_only(const uint8_t *golden, size_t len)
{
	uint8_t *sent = mem.sent[0].b;

	if (!EQ(mem.cnt, 1) || !EQ(mem.sent[0].len, len) ||
	    !EQ(raw_l4_sum(sent), 0))
		return false;
	put_be16(sent + 56, 0);
	return MEMEQ(sent, golden, len);
}

TEST(golden_advertisement)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x88, 0x00, 0x00, 0x00, 0xe0, 0x00, 0x00, 0x00,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x99,
		0x02, 0x01, 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55,
	};

	start();
	make(135, GUEST, "2001:db8::99");
	receive();
	OK(sent_only(golden, sizeof(golden)));
}

TEST(a_neighbour_of_the_host_is_shown_with_its_own_hardware_address)
{
	start();
	known = raw_addr("2001:db8::99");
	make(135, GUEST, "2001:db8::99");
	receive();
	EQ(mem.cnt, 1);
	MEMEQ(mem.sent[0].b + 6, conf.our_mac.b, 6);	/* the frame is ours */
	MEMEQ(mem.sent[0].b + 80, station.b, 6);

	known = raw_addr(OUR_LL);
	start();
	ndp_solicit();
	MEMEQ(mem.sent[0].b + 80, station.b, 6);
	known = (struct addr) { 0 };
}

TEST(options_of_a_solicitation_do_not_matter_if_they_are_well_formed)
{
	start();
	make(135, GUEST_LL, OUR_LL);
	add_option(1, 1, 8);
	add_option(14, 2, 16);
	receive();
	EQ(mem.cnt, 1);

	make(135, GUEST_LL, OUR_LL);
	add_option(1, 0, 8);
	OK(silent());
	make(135, GUEST_LL, OUR_LL);
	add_option(1, 2, 8);
	OK(silent());
	make(135, GUEST_LL, OUR_LL);
	add_option(1, 1, 7);
	OK(silent());
}

TEST(every_address_is_ours_but_the_guests_own)
{
	start();
	make(135, GUEST, "2606:4700::1");
	receive();
	make(135, GUEST, OUR_LL);
	receive();
	EQ(mem.cnt, 2);
	make(135, "2001:db8::55", GUEST);
	OK(silent());
	make(135, "2001:db8::55", GUEST_LL);
	OK(silent());
	start();
	env.seen[FAM6] = raw_addr("2001:db8::44");
	make(135, GUEST, "2001:db8::44");
	receive();
	EQ(mem.cnt, 0);
}

TEST(duplicate_address_detection_succeeds)
{
	make(135, "::", GUEST);
	OK(silent());
	make(135, "::", "2001:db8::77");
	OK(silent());
}

TEST(duplicate_address_detection_finds_our_address)
{
	static const uint8_t mac[] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct addr all = raw_addr("ff02::1");

	start();
	make(135, "::", OUR_LL);
	receive();
	EQ(mem.cnt, 1);
	MEMEQ(mem.sent[0].b, mac, 6);
	MEMEQ(mem.sent[0].b + 38, all.b, 16);
	EQ(mem.sent[0].b[58], 0xa0);	/* not solicited */
}

TEST(addresses_nobody_can_have_are_not_answered)
{
	static const char *const target[] = { "::", "::1", "ff02::1" };

	for (int i = 0; i < 3; i++) {
		make(135, GUEST, target[i]);
		OK(silent());
	}
	make(135, GUEST, OUR_LL);
	memcpy(r.b + 62, (uint8_t [16]) { [10] = 0xff, 0xff, 192, 0, 2, 1 },
	       16);
	OK(silent());
}

TEST(solicitations_from_beyond_the_link_are_dropped)
{
	make(135, GUEST, OUR_LL);
	r.b[21] = 254;
	OK(silent());
}

TEST(malformed_solicitations_are_dropped)
{
	make(135, GUEST, OUR_LL);
	r.b[55] = 1;			/* code */
	OK(silent());
	for (unsigned len = 8; len < 24; len++) {
		make(135, GUEST, OUR_LL);
		put_be16(r.b + 18, (uint16_t)len);
		OK(silent());
	}
}

TEST(advertisements_and_redirects_of_the_guest_are_not_heard)
{
	static const uint8_t types[] = { 134, 136, 137 };

	for (int i = 0; i < 3; i++) {
		make(types[i], GUEST, OUR_LL);
		OK(silent());
	}
}

TEST(who_has_no_address_has_no_hardware_address_to_tell)
{
	make(135, "::", OUR_LL);
	add_option(1, 1, 8);
	OK(silent());
	make(135, "::", OUR_LL);
	add_option(14, 1, 8);
	start();
	receive();
	EQ(mem.cnt, 1);
}

TEST(golden_announcement)
{
	static const uint8_t golden[] = {
		0x33, 0x33, 0x00, 0x00, 0x00, 0x01,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x88, 0x00, 0x00, 0x00, 0xa0, 0x00, 0x00, 0x00,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x77,
		0x02, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55,
	};
	static const struct mac mac = {
		{ 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 }
	};
	struct addr neighbour = raw_addr("2001:db8::77");

	start();
	ndp_announce(&neighbour, &mac);
	OK(sent_only(golden, sizeof(golden)));
}

TEST(golden_solicitation_for_a_guest_that_runs_already)
{
	static const uint8_t golden[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x87, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x01, 0x01, 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55,
	};

	start();
	link_set_guest_mac(&MAC_BROADCAST);
	ndp_solicit();
	OK(sent_only(golden, sizeof(golden)));
}

TEST(without_ipv6_or_discovery_nobody_is_asked)
{
	start();
	conf_writable.net[FAM6].enabled = false;
	ndp_solicit();
	start();
	conf_writable.no_ndp = true;
	ndp_solicit();
	start();
	conf_writable.net[FAM6].guest = (struct addr) { 0 };
	ndp_solicit();
	EQ(mem.cnt, 0);
}

/* --- router advertisements --- */

#define RA_HDR	70	/* Ethernet, IPv6, RA: where options begin */

static void make_rs(const char *src)
{
	raw_icmp(&r, FAM6, src, "ff02::2", 133, "\0\0\0", 4);
	r.b[21] = 255;
}

static const uint8_t *ra_option(uint8_t kind)
{
	const uint8_t *p = mem.sent[0].b + RA_HDR;

	while (p < mem.sent[0].b + mem.sent[0].len && p[1]) {
		if (*p == kind)
			return p;
		p += p[1] * 8;
	}
	return NULL;
}

/* Solicited, with what has been set since start(). */
static void solicit(void)
{
	make_rs(GUEST_LL);
	receive();
	EQ(mem.cnt, 1);
}

TEST(golden_router_advertisement)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x80, 0x3a, 0xff,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xfe, 0x80, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x86, 0x00, 0x00, 0x00,
		0xff, 0xc0, 0xff, 0xff,		/* hops, M and O, lifetime */
		0, 0, 0, 0, 0, 0, 0, 0,
		/* prefix, on link and for addresses, for ever */
		3, 4, 64, 0xc0, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* hardware address, MTU */
		1, 1, 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55,
		5, 1, 0, 0, 0, 0, 0x05, 0x78,
		/* resolvers */
		25, 5, 0, 0, 0xff, 0xff, 0xff, 0xff,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x53,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x54,
		/* search list */
		31, 3, 0, 0, 0xff, 0xff, 0xff, 0xff,
		3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0,
		1, 'b', 0,
	};

	start();
	solicit();
	OK(sent_only(golden, sizeof(golden)));
}

TEST(who_has_no_address_is_told_as_one_of_all)
{
	struct addr all = raw_addr("ff02::1");

	start();
	make_rs("::");
	receive();
	EQ(mem.cnt, 1);
	MEMEQ(mem.sent[0].b, raw_smac.b, 6);
	MEMEQ(mem.sent[0].b + 38, all.b, 16);
}

TEST(router_solicitations_may_have_options_but_not_any)
{
	start();
	make_rs(GUEST_LL);
	add_option(1, 1, 8);
	receive();
	EQ(mem.cnt, 1);
	make_rs("::");
	add_option(1, 1, 8);
	OK(silent());
	make_rs(GUEST_LL);
	add_option(1, 0, 8);
	OK(silent());
}

TEST(malformed_router_solicitations_are_dropped)
{
	make_rs(GUEST_LL);
	r.b[21] = 64;
	OK(silent());
	make_rs(GUEST_LL);
	r.b[55] = 1;
	OK(silent());
}

TEST(the_flags_say_whether_there_is_dhcpv6)
{
	start();
	conf_writable.no_dhcpv6 = true;
	solicit();
	EQ(mem.sent[0].b[59], 0);
}

TEST(the_guest_hears_of_no_router_if_it_must_not)
{
	start();
	conf_writable.no_ra = true;
	make_rs(GUEST_LL);
	OK(ask_in_vain(ndp_from_guest, DROP_NDP));
}

TEST(host_bits_of_the_prefix_are_zero_and_local_ones_are_no_prefix)
{
	static const uint8_t prefix[16] = { 0x20, 0x01, 0x0d, 0xb8, 1, 2, 3 };

	start();
	conf_writable.net[FAM6].guest =
		raw_addr("2001:db8:102:300:ffff:ffff:ffff:ffff");
	solicit();
	MEMEQ(ra_option(3) + 16, prefix, 16);

	start();
	conf_writable.net[FAM6].guest = raw_addr("fe80::77");
	solicit();
	OK(!ra_option(3));
	start();
	conf_writable.net[FAM6].guest = (struct addr) { 0 };
	solicit();
	OK(!ra_option(3));
	OK(ra_option(1));
}

TEST(what_is_not_configured_is_not_advertised)
{
	start();
	conf_writable.mtu = 0;
	conf_writable.advertise_search = false;
	solicit();
	OK(!ra_option(5));
	OK(ra_option(25));
	OK(!ra_option(31));

	start();
	conf_writable.advertise_dns = false;
	solicit();
	OK(!ra_option(25));
	OK(!ra_option(31));

	start();
	conf_writable.net[FAM6].dns_cnt = 0;
	solicit();
	OK(!ra_option(25));
	OK(!ra_option(31));

	start();
	conf_writable.search_cnt = 0;
	solicit();
	OK(ra_option(25));
	OK(!ra_option(31));
}

TEST(names_which_are_none_are_left_out_of_the_search_list)
{
	static const uint8_t golden[] = {
		31, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 'b', 0, 0, 0, 0, 0, 0,
	};

	start();
	strcpy(conf_writable.search[0], "lab..example");
	solicit();
	MEMEQ(ra_option(31), golden, sizeof(golden));
	start();
	strcpy(conf_writable.search[0], ".");
	conf_writable.search_cnt = 1;
	solicit();
	OK(!ra_option(31));
}

TEST(a_long_search_list_is_cut_between_names_so_that_any_link_carries_it)
{
	start();
	conf_writable.search_cnt = CONF_SEARCH_MAX;
	for (int i = 0; i < CONF_SEARCH_MAX; i++) {
		char *name = conf_writable.search[i];

		memset(name, 'a' + i, CONF_NAME_MAX);
		name[CONF_NAME_MAX] = '\0';
		for (int at = 63; at < CONF_NAME_MAX; at += 64)
			name[at] = '.';
	}
	solicit();
	OK(mem.sent[0].len <= 14 + 1280);
	EQ(ra_option(31)[1], (8 + 4 * 255 + 7) / 8);
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	EQ(mem.sent[0].len, 14 + 40 +
	   get_be16(mem.sent[0].b + 18));
}

/* --- nobody asked --- */

static uint64_t now_ms = 1000000;
static unsigned fired;

static void expire(uint32_t id)
{
	EQ(id, TIMER_RA);
	fired++;
	ndp_expire();
}

/* How long until the timer fires, to the millisecond. */
static uint64_t until_fired(void)
{
	uint64_t start_ms = now_ms;

	for (fired = 0; !fired && now_ms - start_ms < 1000000;) {
		int ms = timer_timeout();

		if (!OK(ms >= 0))
			break;
		now_ms += ms ? (unsigned)ms : 1;
		clock_set(now_ms * 1000000);
		timer_run(expire);
	}
	return now_ms - start_ms;
}

static void start_clock(void)
{
	clock_set(now_ms * 1000000);
	timer_run(expire);
	start();
	ndp_advertise_start();
}

TEST(advertisements_come_soon_thrice_then_every_200_to_600_s_for_a_day)
{
	struct addr all = raw_addr("ff02::1");
	uint64_t least = UINT64_MAX, most = 0, sum = 0;

	start_clock();
	EQ(mem.cnt, 0);			/* not at once: it may ask itself */
	for (int i = 0; i < 3; i++)
		EQ(until_fired(), 16000);
	EQ(mem.cnt, 3);
	MEMEQ(mem.sent[0].b + 38, all.b, 16);
	MEMEQ(mem.sent[0].b, ((uint8_t []) { 0x33, 0x33, 0, 0, 0, 1 }), 6);

	while (sum < 24 * 3600 * 1000) {
		uint64_t ms = until_fired();

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
		sum += ms;
		if (!OK(ms >= 200000 && ms <= 600000))
			break;
	}
	OK(least < 300000 && most > 500000);
	timer_cancel(TIMER_RA);
}

TEST(a_new_guest_starts_anew)
{
	start_clock();
	for (int i = 0; i < 4; i++)
		until_fired();
	ndp_advertise_start();
	EQ(until_fired(), 16000);
	timer_cancel(TIMER_RA);
}

TEST(without_a_guest_advertisements_end)
{
	start_clock();
	link_set_up(false);
	until_fired();
	EQ(mem.cnt, 0);
	OK(!timer_armed(TIMER_RA));
}

TEST(without_ipv6_or_a_router_nothing_is_scheduled)
{
	start();
	conf_writable.no_ra = true;
	ndp_advertise_start();
	OK(!timer_armed(TIMER_RA));
	start();
	conf_writable.net[FAM6].enabled = false;
	ndp_advertise_start();
	OK(!timer_armed(TIMER_RA));
}
