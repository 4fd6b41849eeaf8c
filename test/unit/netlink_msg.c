/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_msg.c - messages that are right, cut short, or lie */
/* links: setup/netlink_msg addr buf util */
#include "setup/netlink.h"

#include <string.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "test/unit/test.h"
#include "util.h"

static struct rd bytes(const void *p, size_t len)
{
	return rd_init(p, len);
}

TEST(messages_that_lie_about_their_length_are_refused)
{
	struct nlmsghdr h[2] = { { .nlmsg_len = 15 } };
	struct rd d = bytes(h, sizeof(h));
	struct nl_msg m;

	OK(!nl_next(&d, &m));
	OK(!rd_ok(&d));
	h[0].nlmsg_len = sizeof(h) + 1;
	d = bytes(h, sizeof(h));
	OK(!nl_next(&d, &m));
	OK(!rd_ok(&d));
	d = bytes(h, 15);
	OK(!nl_next(&d, &m));
	OK(!rd_ok(&d));
	h[0].nlmsg_len = h[1].nlmsg_len = sizeof(h[0]);
	d = bytes(h, sizeof(h));
	OK(nl_next(&d, &m) && nl_next(&d, &m));
	OK(!nl_next(&d, &m));
	OK(rd_ok(&d));
}

struct route_bytes {
	struct rtmsg rtm;
	struct nlattr oif;
	uint32_t ifindex;
	struct nlattr gw;
	uint8_t addr[4];
};

static struct route_bytes route(void)
{
	return (struct route_bytes) {
		.rtm = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN,
			 .rtm_type = RTN_UNICAST },
		.oif = { 8, RTA_OIF }, .ifindex = 5,
		.gw = { 8, RTA_GATEWAY }, .addr = { 192, 0, 2, 1 },
	};
}

TEST(routes_cut_anywhere_are_refused_or_shorter)
{
	struct route_bytes b = route();
	struct nl_route r;

	OK(nl_read_route(bytes(&b, sizeof(b)), 0, &r));
	OK(r.ours && r.fam == FAM4 && r.hop.ifindex == 5);
	for (size_t len = 0; len < sizeof(b); len++) {
		bool whole = len == sizeof(b.rtm) ||
			     len == offsetof(struct route_bytes, gw);

		EQ(nl_read_route(bytes(&b, len), 0, &r), whole);
	}
}

TEST(attributes_of_impossible_sizes_are_refused)
{
	struct route_bytes b = route();
	struct nl_route r;

	for (unsigned len = 0; len < 12; len++) {
		b.gw.nla_len = (uint16_t)len;
		EQ(nl_read_route(bytes(&b, sizeof(b)), 0, &r), len == 8);
	}
	b = route();
	b.rtm.rtm_dst_len = 33;
	OK(!nl_read_route(bytes(&b, sizeof(b)), 0, &r));
	b = route();
	b.rtm.rtm_family = AF_UNIX;
	OK(!nl_read_route(bytes(&b, sizeof(b)), 0, &r));
	b = route();
	b.gw.nla_type = RTA_MULTIPATH;
	OK(!nl_read_route(bytes(&b, sizeof(b)), 0, &r));
}

TEST(a_copy_that_does_not_fit_is_refused)
{
	struct route_bytes b = route();
	uint8_t out[256];

	for (size_t room = 0; room < sizeof(out); room++) {
		struct wr w = wr_init(out, room);
		size_t need = 16 + sizeof(b);

		EQ(nl_copy_route(bytes(&b, sizeof(b)), 5, 7, &w),
		   room >= need);
	}
	struct wr w = wr_init(out, sizeof(out));

	OK(!nl_copy_route(bytes(&b, sizeof(b)), 6, 7, &w));
}

struct neigh_bytes {
	struct ndmsg ndm;
	struct nlattr dst;
	uint8_t addr[4];
	struct nlattr lladdr;
	uint8_t mac[8];		/* with two of padding */
};

static struct neigh_bytes neigh(void)
{
	return (struct neigh_bytes) {
		.ndm = { .ndm_family = AF_INET, .ndm_ifindex = 5,
			 .ndm_state = NUD_REACHABLE },
		.dst = { 8, NDA_DST }, .addr = { 192, 0, 2, 1 },
		.lladdr = { 10, NDA_LLADDR }, .mac = { 2, 0, 0, 0, 0, 1 },
	};
}

TEST(neighbours_are_stations_with_a_valid_address)
{
	static const struct {
		uint16_t state;
		bool usable;
	} states[] = {
		{ NUD_INCOMPLETE, false }, { NUD_REACHABLE, true },
		{ NUD_STALE, true }, { NUD_DELAY, true }, { NUD_PROBE, true },
		{ NUD_FAILED, false }, { NUD_NOARP, true },
		{ NUD_PERMANENT, true }, { NUD_NONE, false },
	};
	struct neigh_bytes b = neigh();
	struct nl_neigh n;

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		b.ndm.ndm_state = states[i].state;
		OK(nl_read_neigh(bytes(&b, sizeof(b)), &n));
		EQ(n.usable, states[i].usable);
		EQ(n.ifindex, 5);
	}
	b = neigh();
	memset(b.mac, 0, sizeof(b.mac));
	OK(nl_read_neigh(bytes(&b, sizeof(b)), &n) && !n.usable);
	b.mac[0] = 1;
	OK(nl_read_neigh(bytes(&b, sizeof(b)), &n) && !n.usable);
	b = neigh();
	b.lladdr.nla_len = 12;		/* not Ethernet */
	OK(nl_read_neigh(bytes(&b, sizeof(b)), &n) && !n.usable);
	b = neigh();
	b.addr[0] = 224;
	OK(nl_read_neigh(bytes(&b, sizeof(b)), &n) && !n.usable);
	b = neigh();
	b.dst.nla_len = 7;
	OK(!nl_read_neigh(bytes(&b, sizeof(b)), &n));
	b = neigh();
	b.ndm.ndm_family = AF_UNIX;
	OK(!nl_read_neigh(bytes(&b, sizeof(b)), &n));
	for (size_t len = 0; len < sizeof(b.ndm); len++)
		OK(!nl_read_neigh(bytes(&b, len), &n));
}
