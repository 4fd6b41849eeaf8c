/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/arp link/link link/pcap wire/frame wire/frame_str
 *	  wire/csum addr buf conf epoll_ctl log timer util */
/* arp.c - golden questions and answers */
#include "services/services.h"

#include "conf.h"
#include "test/unit/neighbour.h"
#include "test/unit/served.h"

#define GUEST	"192.0.2.10"
#define GATEWAY	"192.0.2.1"

static void start(void)
{
	mem_start(NULL, NULL);
	conf_writable.our_mac = MAC_OURS_DEFAULT;
	conf_writable.net[FAM4] = (struct conf_net) {
		.enabled = true,
		.guest = raw_addr(GUEST),
		.gw = raw_addr(GATEWAY),
		.our_tap = raw_addr(GATEWAY),
	};
	env.seen[FAM4] = raw_addr(GUEST);
}

static void make(uint16_t op, const char *sender, const char *target)
{
	struct addr s = raw_addr(sender), t = raw_addr(target);
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4 };

	raw_eth(&r, ETH_P_ARP_);
	raw_add(&r, fixed, 6);
	raw_be16(&r, op);
	raw_add(&r, raw_smac.b, 6);
	addr_put(&s, r.b + r.len);
	r.len += 4;
	raw_zero(&r, 6);
	addr_put(&t, r.b + r.len);
	r.len += 4;
	raw_zero(&r, 18);		/* to 60, as hardware does */
}

static void receive(void)
{
	ask(arp_from_guest);
}

static bool silent(void)
{
	start();
	return ask_in_vain(arp_from_guest, DROP_ARP);
}

TEST(golden_answer)
{
	static const uint8_t golden[60] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x08, 0x06,
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 192, 0, 2, 1,
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 192, 0, 2, 10,
	};

	start();
	make(1, GUEST, GATEWAY);
	receive();
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, 60);
	MEMEQ(mem.sent[0].b, golden, 60);
}

TEST(every_address_is_ours_on_the_network_or_off_it)
{
	static const char *const target[] = {
		"192.0.2.77", "203.0.113.5", "8.8.8.8", "169.254.7.7",
	};

	for (int i = 0; i < 4; i++) {
		struct addr a = raw_addr(target[i]);
		uint8_t raw[4];

		start();
		make(1, GUEST, target[i]);
		receive();
		EQ(mem.cnt, 1);
		addr_put(&a, raw);
		MEMEQ(mem.sent[0].b + 28, raw, 4);
	}
}

TEST(a_neighbour_of_the_host_is_shown_with_its_own_hardware_address)
{
	start();
	known = raw_addr("192.0.2.77");
	make(1, GUEST, "192.0.2.77");
	receive();
	EQ(mem.cnt, 1);
	MEMEQ(mem.sent[0].b + 6, conf.our_mac.b, 6);	/* the frame is ours */
	MEMEQ(mem.sent[0].b + 22, station.b, 6);

	known = raw_addr(GATEWAY);
	start();
	arp_solicit();
	MEMEQ(mem.sent[0].b + 22, station.b, 6);
	known = (struct addr) { 0 };
}

TEST(the_guests_own_addresses_are_not)
{
	make(1, "192.0.2.55", GUEST);
	OK(silent());
	env.seen[FAM4] = raw_addr("192.0.2.44");
	make(1, "192.0.2.55", "192.0.2.44");
	start();
	env.seen[FAM4] = raw_addr("192.0.2.44");
	receive();
	EQ(mem.cnt, 0);
}

TEST(probes_hear_nothing_unless_they_want_our_address)
{
	make(1, "0.0.0.0", GUEST);
	OK(silent());
	make(1, "0.0.0.0", "192.0.2.77");
	OK(silent());
	start();
	make(1, "0.0.0.0", GATEWAY);
	receive();
	EQ(mem.cnt, 1);
}

TEST(announcements_and_replies_are_not_answered)
{
	make(1, "192.0.2.77", "192.0.2.77");
	OK(silent());
	make(2, GUEST, GATEWAY);
	OK(silent());
}

TEST(addresses_nobody_can_have_are_not_answered)
{
	static const char *const target[] = {
		"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
	};

	for (int i = 0; i < 4; i++) {
		make(1, GUEST, target[i]);
		OK(silent());
	}
}

TEST(other_hardware_other_protocols_and_crumbs_are_dropped)
{
	static const struct { size_t off; uint8_t v; } wrong[] = {
		{ 15, 6 }, { 16, 0x86 }, { 18, 8 }, { 19, 16 }, { 20, 1 },
	};

	for (int i = 0; i < 5; i++) {
		make(1, GUEST, GATEWAY);
		r.b[wrong[i].off] = wrong[i].v;
		OK(silent());
	}
	for (size_t len = 14; len < 42; len++) {
		make(1, GUEST, GATEWAY);
		r.len = len;
		OK(silent());
	}
}

TEST(golden_question_for_a_guest_that_runs_already)
{
	static const uint8_t golden[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x08, 0x06,
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 192, 0, 2, 1,
		0, 0, 0, 0, 0, 0, 192, 0, 2, 10,
	};

	start();
	arp_solicit();
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, 60);
	MEMEQ(mem.sent[0].b, golden, 60);
}

TEST(without_ipv4_nobody_is_asked)
{
	start();
	conf_writable.net[FAM4].enabled = false;
	arp_solicit();
	EQ(mem.cnt, 0);
	start();
	conf_writable.net[FAM4].guest = (struct addr) { 0 };
	arp_solicit();
	EQ(mem.cnt, 0);
}

TEST(golden_announcement)
{
	static const uint8_t golden[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x08, 0x06,
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
		0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 192, 0, 2, 77,
		0, 0, 0, 0, 0, 0, 192, 0, 2, 77,
	};
	static const struct mac mac = {
		{ 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 }
	};
	struct addr neighbour = raw_addr("192.0.2.77");

	start();
	arp_announce(&neighbour, &mac);
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, 60);
	MEMEQ(mem.sent[0].b, golden, 60);
}
