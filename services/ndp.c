/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ndp.c - neighbour discovery: arp.c for IPv6, and the router on the link
 *
 * Every address the guest solicits is answered, as all are reached through us,
 * whatever hardware address they are shown with (neigh.c); its own are not.
 * Neither are the solicitations by which it makes sure that an address is free
 * (RFC 4862 5.4, source "::"), save for our own address: that one is taken.
 *
 * Who solicits a router hears at once, alone, without the random delay of RFC
 * 4861 6.2.6 and its pause between answers to everyone: these are for links
 * with many hosts and routers, here is one of each. Nobody asked, all nodes
 * hear every 200 to 600 s, sooner when the guest has just come (6.2.4). Other
 * than the defaults of 6.2.1, so that a guest which sleeps loses nothing, the
 * prefix, resolvers and search list are valid for ever, and the router is for
 * as long as the field can say (RFC 8319 4).
 *
 * What routers and hosts tell each other in the other messages is for us to say
 * here, never to hear: advertisements and redirects of the guest are dropped.
 *
 * RFC 4861 4, 6.1.1, 6.2, 7.1.1, 7.2.4, 7.2.6; RFC 4862 5.4, 5.5.3; RFC 8106 5.
 */
#include "services/services.h"

#include <netinet/icmp6.h>
#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "siphash.h"
#include "timer.h"
#include "util.h"

#define ND_HOP_LIMIT	255	/* proves that the sender is on the link */
#define ND_LEN		24	/* NS and NA without options */
#define OPT_UNIT	8
#define OPT_MAC_LEN	8

enum option {
	OPT_SOURCE_MAC = 1,
	OPT_TARGET_MAC = 2,
	OPT_PREFIX = 3,
	OPT_MTU = 5,
	OPT_RDNSS = 25,
	OPT_DNSSL = 31,
};

#define NA_ROUTER	0x80000000u
#define NA_SOLICITED	0x40000000u
#define NA_OVERRIDE	0x20000000u

#define RA_MAX		(1280 - 40)	/* on any link, RFC 8200 5 */
#define RA_MANAGED	0x80u		/* addresses from DHCPv6 */
#define RA_OTHER	0x40u		/* other things from DHCPv6 */
#define RA_LIFETIME_S	UINT16_MAX
#define PREFIX_ON_LINK	0x80u
#define PREFIX_AUTO	0x40u
#define FOR_EVER	UINT32_MAX

#define RA_EVERY_MIN_MS	200000u
#define RA_EVERY_MAX_MS	600000u
#define RA_FIRST_MS	16000u	/* between the first ones, */
#define RA_FIRST_CNT	3	/* that many: RFC 4861 10 */

struct nd {			/* an NS or NA to be sent */
	uint8_t type;
	uint32_t flags;
	struct addr target;
	uint8_t mac_option;
	struct mac mac;
};

static const struct addr all_nodes = {
	.b = { 0xff, 0x02, [15] = 1 },
};

static unsigned unasked;	/* advertisements since the guest came */

/* RFC 2464 7 */
static struct mac multicast_mac(const struct addr *a)
{
	return (struct mac) {
		{ 0x33, 0x33, a->b[12], a->b[13], a->b[14], a->b[15] }
	};
}

static void put_mac(struct wr *w, enum option kind, const struct mac *mac)
{
	wr_u8(w, (uint8_t)kind);
	wr_u8(w, OPT_MAC_LEN / OPT_UNIT);
	wr_bytes(w, mac->b, sizeof(mac->b));
}

static void nd_send(const struct addr *dst, const struct mac *dmac,
		    const struct nd *nd)
{
	struct frame_tmpl t;
	struct frame f;
	struct wr w;

	frame_tmpl_init(&t, IPPROTO_ICMPV6, &conf.our_ll, 0, dst, 0,
			&conf.our_mac, dmac, 0);
	if (!link_reserve_one(&f, t.hdr_len, ND_LEN + OPT_MAC_LEN))
		return;
	w = wr_init(f.pay[0].iov_base, ND_LEN + OPT_MAC_LEN);
	wr_u8(&w, nd->type);
	wr_zero(&w, 3);			/* code, checksum */
	wr_be32(&w, nd->flags);
	wr_bytes(&w, nd->target.b, sizeof(nd->target.b));
	put_mac(&w, nd->mac_option, &nd->mac);
	frame_put_icmp(&f, &t);
	link_commit(&f, 1);
}

/* --- solicitations --- */

/* RFC 4861 6.1.1, 7.1.1: each option has a length, and it is not zero. Whether
 * there was one that tells the sender's hardware address. */
static bool options_valid(struct rd opts, bool *has_mac)
{
	*has_mac = false;
	while (rd_more(&opts)) {
		uint8_t kind = rd_u8(&opts);
		size_t len = rd_u8(&opts) * (size_t)OPT_UNIT;

		rd_skip(&opts, len < OPT_UNIT ? SIZE_MAX : len - 2);
		if (kind == OPT_SOURCE_MAC)
			*has_mac = true;
	}
	return rd_ok(&opts);
}

/* What both kinds must fulfil; @r is at the options. Who has no address yet
 * has nothing to be found at. */
static bool solicitation_valid(const struct packet *p, struct rd r)
{
	uint8_t code = p->l4.p[1];
	bool has_mac;

	return rd_ok(&r) && !code && p->ttl == ND_HOP_LIMIT &&
	       options_valid(r, &has_mac) &&
	       !(has_mac && addr_is_unspec(&p->src));
}

static bool is_guests(const struct addr *a)
{
	const struct fwd_env *env = fwd_env();

	return addr_eq(a, &conf.net[FAM6].guest) ||
	       addr_eq(a, &env->seen[FAM6]) || addr_eq(a, &env->seen_ll);
}

static bool is_ours(const struct addr *a)
{
	const struct conf_net *net = &conf.net[FAM6];

	return addr_eq(a, &conf.our_ll) || addr_eq(a, &net->our_tap) ||
	       addr_eq(a, &net->gw);
}

static bool ns_parse(const struct packet *p, struct addr *target)
{
	uint8_t scratch[256], raw[16];
	struct rd r = view_linear(&p->payload, scratch, sizeof(scratch));

	rd_bytes(&r, raw, sizeof(raw));
	*target = addr_get(FAM6, raw);
	return solicitation_valid(p, r);
}

static bool ns_wants_answer(const struct packet *p, const struct addr *target)
{
	if (addr_fam(target) != FAM6 || !addr_is_unicast(target) ||
	    addr_is_loopback(target) || is_guests(target))
		return false;
	return !addr_is_unspec(&p->src) || is_ours(target);
}

static void ns_answer(const struct packet *p)
{
	struct nd na = {
		.type = ND_NEIGHBOR_ADVERT,
		.flags = NA_ROUTER | NA_OVERRIDE,
		.mac_option = OPT_TARGET_MAC,
	};
	const struct mac everyone = multicast_mac(&all_nodes);

	if (!ns_parse(p, &na.target) || !ns_wants_answer(p, &na.target)) {
		drop(DROP_NDP);
		return;
	}
	na.mac = neigh_mac(&na.target);
	/* 7.2.4: who has no address yet is told as one of all. */
	if (addr_is_unspec(&p->src)) {
		nd_send(&all_nodes, &everyone, &na);
		return;
	}
	na.flags |= NA_SOLICITED;
	nd_send(&p->src, &p->smac, &na);
}

void ndp_announce(const struct addr *a, const struct mac *mac)
{
	const struct mac everyone = multicast_mac(&all_nodes);
	const struct nd na = {
		.type = ND_NEIGHBOR_ADVERT,
		.flags = NA_ROUTER | NA_OVERRIDE,
		.target = *a,
		.mac_option = OPT_TARGET_MAC,
		.mac = *mac,
	};

	nd_send(&all_nodes, &everyone, &na);
}

/* As arp_solicit(). The link knows no hardware address yet, and then sends to
 * all of them what is for one. */
void ndp_solicit(void)
{
	const struct conf_net *net = &conf.net[FAM6];
	const struct mac guest = link_guest_mac();
	const struct nd ns = {
		.type = ND_NEIGHBOR_SOLICIT,
		.target = net->guest,
		.mac_option = OPT_SOURCE_MAC,
		.mac = neigh_mac(&conf.our_ll),
	};

	if (net->enabled && !conf.no_ndp && !addr_is_unspec(&net->guest))
		nd_send(&net->guest, &guest, &ns);
}

/* --- router advertisements --- */

/* The length comes when the option is complete, and what it has too much of a
 * unit is filled up. */
static uint8_t *option_begin(struct wr *w, enum option kind)
{
	uint8_t *start = w->p;

	wr_u8(w, (uint8_t)kind);
	wr_u8(w, 0);
	return start;
}

static void option_end(struct wr *w, uint8_t *start)
{
	size_t len = (size_t)(w->p - start), over = len % OPT_UNIT;

	if (over)
		wr_zero(w, OPT_UNIT - over);
	if (wr_ok(w))
		start[1] = (uint8_t)((size_t)(w->p - start) / OPT_UNIT);
}

/* RFC 4861 4.6.2: not for the link-local prefix, which needs no router. */
static void ra_prefix(struct wr *w)
{
	const struct conf_net *net = &conf.net[FAM6];
	const struct addr prefix = addr_mask(&net->guest, net->prefix_len);
	uint8_t *start;

	if (addr_is_unspec(&net->guest) || addr_is_linklocal(&net->guest))
		return;
	start = option_begin(w, OPT_PREFIX);
	wr_u8(w, net->prefix_len);
	wr_u8(w, PREFIX_ON_LINK | PREFIX_AUTO);
	wr_be32(w, FOR_EVER);		/* valid */
	wr_be32(w, FOR_EVER);		/* preferred */
	wr_zero(w, 4);
	wr_bytes(w, prefix.b, sizeof(prefix.b));
	option_end(w, start);
}

static void ra_mac(struct wr *w)
{
	const struct mac mac = neigh_mac(&conf.our_ll);

	put_mac(w, OPT_SOURCE_MAC, &mac);
}

static void ra_mtu(struct wr *w)
{
	uint8_t *start;

	if (!conf.mtu)
		return;
	start = option_begin(w, OPT_MTU);
	wr_zero(w, 2);
	wr_be32(w, conf.mtu);
	option_end(w, start);
}

static bool tells_resolvers(void)
{
	return conf.advertise_dns && conf.net[FAM6].dns_cnt;
}

static void ra_rdnss(struct wr *w)
{
	const struct conf_net *net = &conf.net[FAM6];
	uint8_t *start;

	if (!tells_resolvers())
		return;
	start = option_begin(w, OPT_RDNSS);
	wr_zero(w, 2);
	wr_be32(w, FOR_EVER);
	for (unsigned i = 0; i < net->dns_cnt; i++)
		wr_bytes(w, net->dns[i].b, sizeof(net->dns[i].b));
	option_end(w, start);
}

/* As many names as there is room for. Without resolvers to be asked in IPv6,
 * the search list is for DHCP to tell. */
static void ra_dnssl(struct wr *w)
{
	struct wr saved = *w;
	unsigned names = 0;
	uint8_t *start;

	if (!tells_resolvers() || !conf.advertise_search)
		return;
	start = option_begin(w, OPT_DNSSL);
	wr_zero(w, 2);
	wr_be32(w, FOR_EVER);
	for (unsigned i = 0; i < conf.search_cnt; i++) {
		struct wr before = *w;

		if (name_put(w, conf.search[i]) && wr_ok(w) &&
		    w->left >= OPT_UNIT)
			names++;
		else
			*w = before;
	}
	if (names)
		option_end(w, start);
	else
		*w = saved;
}

static void (*const ra_options[])(struct wr *w) = {
	ra_prefix, ra_mac, ra_mtu, ra_rdnss, ra_dnssl,
};

static void ra_fill(struct wr *w)
{
	wr_u8(w, ND_ROUTER_ADVERT);
	wr_zero(w, 3);			/* code, checksum */
	wr_u8(w, ND_HOP_LIMIT);		/* for the guest to use */
	wr_u8(w, conf.no_dhcpv6 ? 0 : RA_MANAGED | RA_OTHER);
	wr_be16(w, RA_LIFETIME_S);
	wr_be32(w, 0);			/* reachable: the guest's own idea */
	wr_be32(w, 0);			/* retransmission: the same */
	for (size_t i = 0; i < ARRAY_SIZE(ra_options); i++)
		ra_options[i](w);
}

static void ra_send(const struct addr *dst, const struct mac *dmac)
{
	struct frame_tmpl t;
	struct frame f;
	struct wr w;

	frame_tmpl_init(&t, IPPROTO_ICMPV6, &conf.our_ll, 0, dst, 0,
			&conf.our_mac, dmac, 0);
	if (!link_reserve_one(&f, t.hdr_len, RA_MAX))
		return;
	w = wr_init(f.pay[0].iov_base, RA_MAX);
	ra_fill(&w);
	f.pay_len = RA_MAX - w.left;
	frame_put_icmp(&f, &t);
	link_commit(&f, 1);
}

/* 6.2.6: to the one who asks, or, if it has no address, to all: but there is
 * nobody else, and the frame is for it alone either way. */
static void rs_answer(const struct packet *p)
{
	uint8_t scratch[256];
	struct rd r = view_linear(&p->payload, scratch, sizeof(scratch));

	if (conf.no_ra || !solicitation_valid(p, r)) {
		drop(DROP_NDP);
		return;
	}
	ra_send(addr_is_unspec(&p->src) ? &all_nodes : &p->src, &p->smac);
}

/* RFC 4861 6.2.4 wants intervals that no two routers share, not secrets. */
static uint32_t ra_interval_ms(void)
{
	static const struct siphash_key key;
	uint64_t seed[2] = { clock_ns() };

	if (unasked < RA_FIRST_CNT)
		return RA_FIRST_MS;
	memcpy(&seed[1], conf.our_mac.b, sizeof(conf.our_mac.b));
	return RA_EVERY_MIN_MS + (uint32_t)(siphash(&key, seed, 2) %
		(RA_EVERY_MAX_MS - RA_EVERY_MIN_MS + 1));
}

static void ra_schedule(void)
{
	timer_set(TIMER_RA, clock_ms() + ra_interval_ms());
}

void ndp_advertise_start(void)
{
	if (conf.no_ra || !conf.net[FAM6].enabled)
		return;
	unasked = 0;
	ra_schedule();
}

void ndp_expire(void)
{
	const struct mac everyone = multicast_mac(&all_nodes);

	/* The next guest starts anew. */
	if (!link_is_up())
		return;
	ra_send(&all_nodes, &everyone);
	unasked++;
	ra_schedule();
}

/* --- in --- */

void ndp_from_guest(const struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t type = p[i].l4.p[0];

		if (type == ND_NEIGHBOR_SOLICIT)
			ns_answer(&p[i]);
		else if (type == ND_ROUTER_SOLICIT)
			rs_answer(&p[i]);
		else
			drop(DROP_NDP);
	}
}
