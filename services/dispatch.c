/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dispatch.c - a packet from the guest: who answers?
 *
 * One table, from what the packet is to who takes it, or to the reason why
 * nobody does. The first row that fits decides. Packets next to each other that
 * belong to one conversation are handed on together, so that a row's handler
 * can do in one system call what came in one batch. Order is kept: only
 * neighbours are grouped, nothing overtakes.
 *
 * Here, and before any handler, the source address is learned: it is where
 * inbound connections will go. Never answers by itself, never looks behind the
 * headers frame.c has judged.
 */
#include "services/services.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "icmp.h"
#include "log.h"
#include "tcp.h"
#include "udp.h"
#include "util.h"

#define PORT_DHCP	67
#define PORT_DHCPV6	547
#define KEY_MAX		65535
#define ND_FIRST	ND_ROUTER_SOLICIT
#define ND_LAST		ND_REDIRECT

struct row {
	uint16_t ethertype;
	uint8_t proto;
	uint16_t first, last;		/* destination port, or ICMP type */
	void (*handler)(const struct packet *p, unsigned n);
	const bool *off;		/* switched off by this option, */
	enum drop_reason why_off;	/* then dropped for this reason; */
	enum drop_reason why_none;	/* and for this one if no handler */
};

static const struct row rows[] = {
	{ ETH_P_ARP_, 0, 0, KEY_MAX,
	  .handler = arp_from_guest },
	{ ETH_P_IP_, IPPROTO_TCP, 0, KEY_MAX,
	  .handler = tcp_from_guest,
	  .off = &conf.no_tcp, .why_off = DROP_TCP_OFF },
	{ ETH_P_IPV6_, IPPROTO_TCP, 0, KEY_MAX,
	  .handler = tcp_from_guest,
	  .off = &conf.no_tcp, .why_off = DROP_TCP_OFF },
	{ ETH_P_IPV6_, IPPROTO_ICMPV6, ND_FIRST, ND_LAST,
	  .handler = ndp_from_guest,
	  .off = &conf.no_ndp, .why_off = DROP_NDP },
	{ ETH_P_IP_, IPPROTO_UDP, PORT_DHCP, PORT_DHCP,
	  .handler = dhcp_from_guest,
	  .off = &conf.no_dhcp, .why_off = DROP_SERVICE },
	{ ETH_P_IPV6_, IPPROTO_UDP, PORT_DHCPV6, PORT_DHCPV6,
	  .handler = dhcpv6_from_guest,
	  .off = &conf.no_dhcpv6, .why_off = DROP_SERVICE },
	{ ETH_P_IP_, IPPROTO_UDP, 0, KEY_MAX,
	  .handler = udp_from_guest,
	  .off = &conf.no_udp, .why_off = DROP_UDP_OFF },
	{ ETH_P_IPV6_, IPPROTO_UDP, 0, KEY_MAX,
	  .handler = udp_from_guest,
	  .off = &conf.no_udp, .why_off = DROP_UDP_OFF },
	{ ETH_P_IP_, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHO,
	  .handler = ping_from_guest,
	  .off = &conf.no_icmp, .why_off = DROP_ICMP },
	{ ETH_P_IPV6_, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REQUEST,
	  .handler = ping_from_guest,
	  .off = &conf.no_icmp, .why_off = DROP_ICMP },
	{ ETH_P_IP_, IPPROTO_ICMP, 0, KEY_MAX,
	  .why_none = DROP_ICMP },
	{ ETH_P_IPV6_, IPPROTO_ICMPV6, 0, KEY_MAX,
	  .why_none = DROP_ICMP },
};

static const struct row *find_row(const struct packet *p)
{
	bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
	uint16_t key = icmp ? p->l4.p[0] : p->dport;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		if (r->ethertype == p->ethertype && r->proto == p->proto &&
		    r->first <= key && key <= r->last)
			return r;
	}
	return NULL;
}

/* One handler call takes one conversation. Of UDP, datagrams with other marks
 * belong to other calls, as these are set on the socket once. */
static bool same_conversation(const struct packet *a, const struct packet *b)
{
	if (a->ethertype != b->ethertype || a->proto != b->proto ||
	    a->fragment != b->fragment)
		return false;
	if (a->sport != b->sport || a->dport != b->dport ||
	    !addr_eq(&a->src, &b->src) || !addr_eq(&a->dst, &b->dst))
		return false;
	return a->proto != IPPROTO_UDP ||
	       (a->ttl == b->ttl && a->tos == b->tos);
}

static void drop_group(enum drop_reason why, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		drop(why);
}

/* ARP is its family's, but has no addresses in struct packet. */
static enum fam packet_fam(const struct packet *p)
{
	return p->ethertype == ETH_P_IPV6_ ? FAM6 : FAM4;
}

static void learn(const struct packet *p)
{
	if (p->ethertype != ETH_P_ARP_ && addr_is_unicast(&p->src))
		fwd_guest_seen(&p->src);
}

/* What fragments make up is a packet as others are, never a fragment. */
static void put_together(const struct packet *p, unsigned n)
{
	struct packet whole;

	for (unsigned i = 0; i < n; i++) {
		if (reassembly_add(&p[i], &whole))
			dispatch(&whole, 1);
	}
}

static void hand_on(const struct row *row, const struct packet *p, unsigned n)
{
	if (!conf.net[packet_fam(p)].enabled) {
		drop_group(DROP_FAMILY_OFF, n);
		return;
	}
	if (p->fragment) {
		put_together(p, n);
		return;
	}
	learn(p);
	if (!row)
		drop_group(DROP_IP_PROTOCOL, n);
	else if (row->off && *row->off)
		drop_group(row->why_off, n);
	else if (!row->handler)
		drop_group(row->why_none, n);
	else
		row->handler(p, n);
}

void dispatch(struct packet *p, unsigned n)
{
	while (n) {
		const struct row *row = find_row(p);
		unsigned same = 1;

		while (same < n && same_conversation(p, &p[same]) &&
		       find_row(&p[same]) == row)
			same++;
		hand_on(row, p, same);
		p += same;
		n -= same;
	}
}

/* The namespace's interface is up at the start only if we brought it up. */
void services_guest_up(void)
{
	ndp_advertise_start();
	if (conf.mode == MODE_PASTA && !conf.config_net)
		return;
	arp_solicit();
	ndp_solicit();
}
