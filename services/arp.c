/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arp.c - whoever the guest looks for on the link, it is us
 *
 * Every IPv4 address the guest asks for is answered, on its network or not: all
 * of them are reached through us, whatever hardware address they are shown
 * with (neigh.c). Not answered are
 * its own addresses, announcements (RFC 5227 3), and probes (RFC 5227 2.1.1),
 * by which it makes sure that an address is free: all are, except ours.
 *
 * Keeps nothing: the link learns hardware addresses, the IP layer the others.
 *
 * RFC 826; RFC 5227 2.1.1, 3.
 */
#include "services/services.h"

#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "util.h"

#define ARP_LEN		28
#define HTYPE_ETHERNET	1
#define HLEN_ETHERNET	6
#define PLEN_IPV4	4
#define OP_REQUEST	1
#define OP_REPLY	2

struct arp {
	uint16_t op;
	struct mac sender_mac, target_mac;
	struct addr sender, target;
};

static struct addr read_addr(struct rd *r)
{
	uint8_t raw[PLEN_IPV4];

	rd_bytes(r, raw, sizeof(raw));
	return addr_get(FAM4, raw);
}

static bool arp_parse(struct arp *a, struct rd r)
{
	uint16_t htype = rd_be16(&r), ptype = rd_be16(&r);
	uint8_t hlen = rd_u8(&r), plen = rd_u8(&r);

	a->op = rd_be16(&r);
	rd_bytes(&r, a->sender_mac.b, HLEN_ETHERNET);
	a->sender = read_addr(&r);
	rd_bytes(&r, a->target_mac.b, HLEN_ETHERNET);
	a->target = read_addr(&r);
	return rd_ok(&r) && htype == HTYPE_ETHERNET && ptype == ETH_P_IP_ &&
	       hlen == HLEN_ETHERNET && plen == PLEN_IPV4;
}

static void arp_send(const struct mac *dst, const struct arp *a)
{
	struct frame f;
	struct wr w;

	if (!link_reserve_one(&f, ETH_HLEN_, ARP_LEN))
		return;
	w = wr_init(f.pay[0].iov_base, ARP_LEN);
	wr_be16(&w, HTYPE_ETHERNET);
	wr_be16(&w, ETH_P_IP_);
	wr_u8(&w, HLEN_ETHERNET);
	wr_u8(&w, PLEN_IPV4);
	wr_be16(&w, a->op);
	wr_bytes(&w, a->sender_mac.b, HLEN_ETHERNET);
	addr_put(&a->sender, wr_reserve(&w, PLEN_IPV4));
	wr_bytes(&w, a->target_mac.b, HLEN_ETHERNET);
	addr_put(&a->target, wr_reserve(&w, PLEN_IPV4));
	frame_put_eth(&f, dst, &conf.our_mac, ETH_P_ARP_);
	link_commit(&f, 1);
}

static bool is_guests(const struct addr *a)
{
	return addr_eq(a, &conf.net[FAM4].guest) ||
	       addr_eq(a, &fwd_env()->seen[FAM4]);
}

static bool is_ours(const struct addr *a)
{
	return addr_eq(a, &conf.net[FAM4].our_tap) ||
	       addr_eq(a, &conf.net[FAM4].gw);
}

static bool arp_wants_answer(const struct arp *a)
{
	if (a->op != OP_REQUEST || addr_eq(&a->sender, &a->target))
		return false;
	if (!addr_is_unicast(&a->target) || addr_is_loopback(&a->target) ||
	    is_guests(&a->target))
		return false;
	return !addr_is_unspec(&a->sender) || is_ours(&a->target);
}

static void arp_answer(const struct packet *p)
{
	struct arp ask, reply;

	if (!arp_parse(&ask, p->l4) || !arp_wants_answer(&ask)) {
		drop(DROP_ARP);
		return;
	}
	reply = (struct arp) {
		.op = OP_REPLY,
		.sender_mac = neigh_mac(&ask.target), .sender = ask.target,
		.target_mac = ask.sender_mac, .target = ask.sender,
	};
	arp_send(&p->smac, &reply);
}

void arp_from_guest(const struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		arp_answer(&p[i]);
}

void arp_announce(const struct addr *a, const struct mac *mac)
{
	const struct arp news = {
		.op = OP_REQUEST,
		.sender_mac = *mac, .sender = *a,
		.target = *a,
	};

	arp_send(&MAC_BROADCAST, &news);
}

/* After a restart, a guest that runs already is silent until spoken to. */
void arp_solicit(void)
{
	const struct conf_net *net = &conf.net[FAM4];
	const struct arp ask = {
		.op = OP_REQUEST,
		.sender_mac = neigh_mac(&net->our_tap),
		.sender = net->our_tap,
		.target = net->guest,
	};

	if (net->enabled && !addr_is_unspec(&net->guest))
		arp_send(&MAC_BROADCAST, &ask);
}
