/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_msg.c - rtnetlink messages: what they say, and how to say it
 *
 * Pure: bytes in, bytes out; no socket. What the kernel says is read over
 * cursors, and written back from what was understood, never attribute by
 * attribute: new attributes of new kernels cannot surprise us. Whatever claims
 * a length it does not have makes the cursor fail.
 *
 * Of a route with several next hops, the one that counts is decided here: by
 * the interface asked for, alive, of the highest weight, the first of these;
 * interface and gateway are of the same hop.
 *
 * rtnetlink(7), RFC 3549.
 */
#include "setup/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "buf.h"
#include "util.h"

/* --- reading --- */

static size_t pad4(size_t len)
{
	return -len & 3;
}

/* Behind something of @len bytes, in a sequence aligned to four. The last one
 * may come without padding. */
static void skip_pad(struct rd *r, size_t len)
{
	rd_skip(r, MIN(pad4(len), r->len));
}

bool nl_next(struct rd *d, struct nl_msg *m)
{
	struct nlmsghdr h;

	if (!rd_more(d))
		return false;
	rd_bytes(d, &h, sizeof(h));
	m->type = h.nlmsg_type;
	m->flags = h.nlmsg_flags;
	m->seq = h.nlmsg_seq;
	m->body = rd_sub(d, h.nlmsg_len < sizeof(h) ? SIZE_MAX :
			    h.nlmsg_len - sizeof(h));
	skip_pad(d, h.nlmsg_len);
	return rd_ok(d);
}

int nl_status(const struct nl_msg *m)
{
	struct rd body = m->body;
	int32_t status = 0;

	rd_bytes(&body, &status, sizeof(status));
	return rd_ok(&body) && status <= 0 ? status : -EPROTO;
}

bool nl_next_attr(struct rd *r, struct nl_attr *a)
{
	struct nlattr h;

	if (!rd_more(r))
		return false;
	rd_bytes(r, &h, sizeof(h));
	a->type = h.nla_type & NLA_TYPE_MASK;
	a->val = rd_sub(r, h.nla_len < sizeof(h) ? SIZE_MAX :
			   h.nla_len - sizeof(h));
	skip_pad(r, h.nla_len);
	return rd_ok(r);
}

void nl_attr_get(struct rd *r, const struct nl_attr *a, void *out, size_t len)
{
	struct rd val = a->val;

	rd_bytes(&val, out, len);
	r->bad |= !rd_ok(&val) || val.len;
}

static struct addr attr_addr(struct rd *r, const struct nl_attr *a,
			     enum fam fam)
{
	uint8_t raw[16] = { 0 };

	nl_attr_get(r, a, raw, addr_bits(fam) / 8);
	return addr_get(fam, raw);
}

static bool fam_from_af(uint8_t af, enum fam *fam)
{
	*fam = af == addr_af(FAM4) ? FAM4 : FAM6;
	return af == addr_af(*fam);
}

/* The better of the two: first come, unless lighter. Hops which lead nowhere
 * at the moment do not count, nor those of other interfaces. */
static void hop_consider(struct nl_hop *best, const struct nl_hop *hop,
			 unsigned flags, unsigned ifindex)
{
	if (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return;
	if (ifindex ? hop->ifindex != ifindex : hop->ifindex <= LO_IFINDEX)
		return;
	if (!best->ifindex || hop->weight > best->weight)
		*best = *hop;
}

static void read_hops(struct rd *r, struct rd hops, unsigned ifindex,
		      struct nl_route *out)
{
	while (rd_more(&hops)) {
		struct rtnexthop h;
		struct nl_hop hop = { 0 };
		struct nl_attr a;
		struct rd attrs;

		rd_bytes(&hops, &h, sizeof(h));
		attrs = rd_sub(&hops, h.rtnh_len < sizeof(h) ? SIZE_MAX :
				      h.rtnh_len - sizeof(h));
		skip_pad(&hops, h.rtnh_len);
		hop.ifindex = (unsigned)h.rtnh_ifindex;
		hop.weight = h.rtnh_hops + 1u;
		while (nl_next_attr(&attrs, &a))
			if (a.type == RTA_GATEWAY)
				hop.gw = attr_addr(&attrs, &a, out->fam);
		hops.bad |= !rd_ok(&attrs);
		if (rd_ok(&hops))
			hop_consider(&out->hop, &hop, h.rtnh_flags, ifindex);
	}
	r->bad |= !rd_ok(&hops);
}

bool nl_read_route(struct rd body, unsigned ifindex, struct nl_route *out)
{
	struct nl_hop hop = { .weight = 1 };
	uint32_t table, oif;
	struct rtmsg rtm;
	struct nl_attr a;

	*out = (struct nl_route) { 0 };
	rd_bytes(&body, &rtm, sizeof(rtm));
	if (!rd_ok(&body) || !fam_from_af(rtm.rtm_family, &out->fam) ||
	    rtm.rtm_dst_len > addr_bits(out->fam))
		return false;
	out->dst = addr_any(out->fam);
	out->dst_len = rtm.rtm_dst_len;
	table = rtm.rtm_table;

	while (nl_next_attr(&body, &a)) {
		if (a.type == RTA_DST) {
			out->dst = attr_addr(&body, &a, out->fam);
		} else if (a.type == RTA_GATEWAY) {
			hop.gw = attr_addr(&body, &a, out->fam);
		} else if (a.type == RTA_OIF) {
			nl_attr_get(&body, &a, &oif, sizeof(oif));
			hop.ifindex = rd_ok(&body) ? oif : 0;
		} else if (a.type == RTA_TABLE) {
			nl_attr_get(&body, &a, &table, sizeof(table));
		} else if (a.type == RTA_MULTIPATH) {
			read_hops(&body, a.val, ifindex, out);
		}
	}
	hop_consider(&out->hop, &hop, rtm.rtm_flags, ifindex);
	out->ours = rtm.rtm_type == RTN_UNICAST && table == RT_TABLE_MAIN &&
		    !(rtm.rtm_flags & RTM_F_CLONED);
	return rd_ok(&body);
}

bool nl_read_addr(struct rd body, struct nl_addr *out)
{
	const uint32_t unusable = IFA_F_DEPRECATED | IFA_F_DADFAILED;
	struct ifaddrmsg ifa;
	bool has_local = false;
	uint32_t flags;
	struct nl_attr a;

	*out = (struct nl_addr) { 0 };
	rd_bytes(&body, &ifa, sizeof(ifa));
	if (!rd_ok(&body) || !fam_from_af(ifa.ifa_family, &out->fam) ||
	    ifa.ifa_prefixlen > addr_bits(out->fam))
		return false;
	out->ifindex = ifa.ifa_index;
	out->prefix_len = ifa.ifa_prefixlen;
	out->scope = ifa.ifa_scope;
	flags = ifa.ifa_flags;

	while (nl_next_attr(&body, &a)) {
		if (a.type == IFA_LOCAL) {
			out->addr = attr_addr(&body, &a, out->fam);
			has_local = true;
		} else if (a.type == IFA_ADDRESS) {
			out->peer = attr_addr(&body, &a, out->fam);
		} else if (a.type == IFA_BROADCAST && out->fam == FAM4) {
			out->broadcast = attr_addr(&body, &a, out->fam);
		} else if (a.type == IFA_FLAGS) {
			nl_attr_get(&body, &a, &flags, sizeof(flags));
		}
	}
	/* IFA_ADDRESS is the other end where there is a local one. */
	if (!has_local)
		out->addr = out->peer;
	if (addr_is_unspec(&out->peer))
		out->peer = out->addr;
	out->usable = !(flags & unusable) && !addr_is_unspec(&out->addr);
	return rd_ok(&body);
}

static bool is_station(const struct mac *m)
{
	static const struct mac zero;

	return !(m->b[0] & 1) && memcmp(m, &zero, sizeof(zero));
}

bool nl_read_neigh(struct rd body, struct nl_neigh *out)
{
	const unsigned valid = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE |
			       NUD_PROBE | NUD_STALE | NUD_DELAY;
	struct ndmsg ndm;
	struct nl_attr a;

	*out = (struct nl_neigh) { 0 };
	rd_bytes(&body, &ndm, sizeof(ndm));
	if (!rd_ok(&body) || !fam_from_af(ndm.ndm_family, &out->fam))
		return false;
	out->ifindex = (unsigned)ndm.ndm_ifindex;

	while (nl_next_attr(&body, &a)) {
		if (a.type == NDA_DST)
			out->addr = attr_addr(&body, &a, out->fam);
		/* Other kinds of link have longer ones. */
		else if (a.type == NDA_LLADDR &&
			 a.val.len == sizeof(out->mac))
			nl_attr_get(&body, &a, &out->mac, sizeof(out->mac));
	}
	out->usable = ndm.ndm_state & valid && !(ndm.ndm_flags & NTF_PROXY) &&
		      is_station(&out->mac) && addr_is_unicast(&out->addr);
	return rd_ok(&body);
}

/* --- writing --- */

void nl_put_attr(struct wr *w, uint16_t type, const void *val, size_t len)
{
	struct nlattr h = {
		.nla_len = (uint16_t)(sizeof(h) + len), .nla_type = type,
	};

	wr_bytes(w, &h, sizeof(h));
	wr_bytes(w, val, len);
	wr_zero(w, pad4(len));
}

void nl_put_u32(struct wr *w, uint16_t type, uint32_t v)
{
	nl_put_attr(w, type, &v, sizeof(v));
}

void nl_put_addr(struct wr *w, uint16_t type, const struct addr *a)
{
	uint8_t raw[16];

	addr_put(a, raw);
	nl_put_attr(w, type, raw, addr_bits(addr_fam(a)) / 8);
}

uint8_t *nl_put_start(struct wr *w, uint16_t type, uint16_t flags)
{
	struct nlmsghdr h = {
		.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags,
	};
	uint8_t *start = w->p;

	wr_bytes(w, &h, sizeof(h));
	return start;
}

bool nl_put_end(struct wr *w, uint8_t *start)
{
	uint32_t len = (uint32_t)(w->p - start);

	if (!wr_ok(w))
		return false;
	memcpy(start, &len, sizeof(len));
	return true;
}

/* Attributes which mean in the namespace what they mean on the host. */
static bool keep_attr(uint16_t type)
{
	static const uint16_t kept[] = {
		RTA_DST, RTA_GATEWAY, RTA_VIA, RTA_PRIORITY, RTA_METRICS,
		RTA_PREF,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == type)
			return true;
	return false;
}

static void copy_attr(struct wr *w, const struct nl_attr *a)
{
	nl_put_attr(w, a->type, a->val.p, a->val.len);
}

/* Hops by interface @from, as hops by @to. How many. */
static unsigned copy_hops(struct rd hops, unsigned from, unsigned to,
			  struct wr *w)
{
	unsigned cnt = 0;

	while (rd_more(&hops)) {
		struct rtnexthop h;
		uint8_t *start = w->p;
		struct nl_attr a;
		struct rd attrs;
		uint16_t len;

		rd_bytes(&hops, &h, sizeof(h));
		attrs = rd_sub(&hops, h.rtnh_len < sizeof(h) ? SIZE_MAX :
				      h.rtnh_len - sizeof(h));
		skip_pad(&hops, h.rtnh_len);
		if (!rd_ok(&hops) || (unsigned)h.rtnh_ifindex != from)
			continue;
		h.rtnh_ifindex = (int)to;
		h.rtnh_flags &= RTNH_F_ONLINK;
		wr_bytes(w, &h, sizeof(h));
		while (nl_next_attr(&attrs, &a))
			if (a.type == RTA_GATEWAY || a.type == RTA_VIA)
				copy_attr(w, &a);
		len = (uint16_t)(w->p - start);
		if (wr_ok(w))
			memcpy(start, &len, sizeof(len));
		cnt++;
	}
	return cnt;
}

/* RTA_MULTIPATH, as far as it concerns @from. */
static bool copy_multipath(const struct nl_attr *src, unsigned from,
			   unsigned to, struct wr *w)
{
	struct nlattr h = { .nla_type = RTA_MULTIPATH };
	uint8_t *start = w->p;

	wr_bytes(w, &h, sizeof(h));
	if (!copy_hops(src->val, from, to, w) || !wr_ok(w))
		return false;
	h.nla_len = (uint16_t)(w->p - start);
	memcpy(start, &h, sizeof(h));
	return true;
}

bool nl_copy_route(struct rd body, unsigned from, unsigned to, struct wr *w)
{
	uint8_t *start = nl_put_start(w, RTM_NEWROUTE, NLM_F_CREATE);
	bool leads_out = false;
	struct rtmsg rtm;
	uint32_t oif = 0;
	struct nl_attr a;

	rd_bytes(&body, &rtm, sizeof(rtm));
	rtm.rtm_flags &= RTNH_F_ONLINK;
	rtm.rtm_table = RT_TABLE_MAIN;
	wr_bytes(w, &rtm, sizeof(rtm));
	while (nl_next_attr(&body, &a)) {
		if (keep_attr(a.type)) {
			copy_attr(w, &a);
		} else if (a.type == RTA_OIF) {
			nl_attr_get(&body, &a, &oif, sizeof(oif));
		} else if (a.type == RTA_MULTIPATH) {
			if (!copy_multipath(&a, from, to, w))
				return false;
			leads_out = true;
		}
	}
	if (oif == from && !leads_out) {
		nl_put_u32(w, RTA_OIF, to);
		leads_out = true;
	}
	return rd_ok(&body) && leads_out && nl_put_end(w, start);
}
