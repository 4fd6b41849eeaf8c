/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - the kernel's view of links, addresses and routes
 *
 * Three questions and one order. On the host: which interface is this family's
 * template, and what are its address and gateway? Who are its neighbours, now
 * and from now on? In the namespace: configure loopback and our interface, with
 * addresses and routes copied from the template or as given.
 *
 * What the kernel says is read by pure functions over cursors (netlink.h) and
 * written back from what they understood, never attribute by attribute: new
 * attributes of new kernels cannot surprise us.
 *
 * Requests go out in batches, many messages to one sendmsg(). Only the last
 * one asks for an acknowledgement: the kernel works through them in order, and
 * reports errors without being asked. Dumps are read to their end, however
 * many datagrams that takes; there is no limit to the number of routes.
 *
 * Nothing waits for duplicate address detection: addresses are added with
 * IFA_F_NODAD. That goes for the link-local one too, so the kernel is kept
 * from making it while the link comes up; it would be tentative for a second.
 *
 * rtnetlink(7), RFC 3549; RFC 4862 5.4 for what is skipped.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "buf.h"
#include "setup/netlink.h"
#include "util.h"

SYSCALLS(recvfrom, sendto);	/* neighbours */

#define LO_IFINDEX	1u

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

struct attr {
	uint16_t type;
	struct rd val;
};

static bool next_attr(struct rd *r, struct attr *a)
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

/* An attribute of exactly this size; *r fails otherwise. */
static void attr_get(struct rd *r, const struct attr *a, void *out, size_t len)
{
	struct rd val = a->val;

	rd_bytes(&val, out, len);
	r->bad |= !rd_ok(&val) || val.len;
}

static struct addr attr_addr(struct rd *r, const struct attr *a, enum fam fam)
{
	uint8_t raw[16] = { 0 };

	attr_get(r, a, raw, addr_bits(fam) / 8);
	return addr_get(fam, raw);
}

static bool fam_from_af(uint8_t af, enum fam *fam)
{
	*fam = af == AF_INET ? FAM4 : FAM6;
	return af == AF_INET || af == AF_INET6;
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
		struct attr a;
		struct rd attrs;

		rd_bytes(&hops, &h, sizeof(h));
		attrs = rd_sub(&hops, h.rtnh_len < sizeof(h) ? SIZE_MAX :
				      h.rtnh_len - sizeof(h));
		skip_pad(&hops, h.rtnh_len);
		hop.ifindex = (unsigned)h.rtnh_ifindex;
		hop.weight = h.rtnh_hops + 1u;
		while (next_attr(&attrs, &a))
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
	struct attr a;

	*out = (struct nl_route) { 0 };
	rd_bytes(&body, &rtm, sizeof(rtm));
	if (!rd_ok(&body) || !fam_from_af(rtm.rtm_family, &out->fam) ||
	    rtm.rtm_dst_len > addr_bits(out->fam))
		return false;
	out->dst = addr_any(out->fam);
	out->dst_len = rtm.rtm_dst_len;
	table = rtm.rtm_table;

	while (next_attr(&body, &a)) {
		if (a.type == RTA_DST) {
			out->dst = attr_addr(&body, &a, out->fam);
		} else if (a.type == RTA_GATEWAY) {
			hop.gw = attr_addr(&body, &a, out->fam);
		} else if (a.type == RTA_OIF) {
			attr_get(&body, &a, &oif, sizeof(oif));
			hop.ifindex = rd_ok(&body) ? oif : 0;
		} else if (a.type == RTA_TABLE) {
			attr_get(&body, &a, &table, sizeof(table));
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
	struct attr a;

	*out = (struct nl_addr) { 0 };
	rd_bytes(&body, &ifa, sizeof(ifa));
	if (!rd_ok(&body) || !fam_from_af(ifa.ifa_family, &out->fam) ||
	    ifa.ifa_prefixlen > addr_bits(out->fam))
		return false;
	out->ifindex = ifa.ifa_index;
	out->prefix_len = ifa.ifa_prefixlen;
	out->scope = ifa.ifa_scope;
	flags = ifa.ifa_flags;

	while (next_attr(&body, &a)) {
		if (a.type == IFA_LOCAL) {
			out->addr = attr_addr(&body, &a, out->fam);
			has_local = true;
		} else if (a.type == IFA_ADDRESS) {
			out->peer = attr_addr(&body, &a, out->fam);
		} else if (a.type == IFA_BROADCAST && out->fam == FAM4) {
			out->broadcast = attr_addr(&body, &a, out->fam);
		} else if (a.type == IFA_FLAGS) {
			attr_get(&body, &a, &flags, sizeof(flags));
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
	struct attr a;

	*out = (struct nl_neigh) { 0 };
	rd_bytes(&body, &ndm, sizeof(ndm));
	if (!rd_ok(&body) || !fam_from_af(ndm.ndm_family, &out->fam))
		return false;
	out->ifindex = (unsigned)ndm.ndm_ifindex;

	while (next_attr(&body, &a)) {
		if (a.type == NDA_DST)
			out->addr = attr_addr(&body, &a, out->fam);
		/* Other kinds of link have longer ones. */
		else if (a.type == NDA_LLADDR &&
			 a.val.len == sizeof(out->mac))
			attr_get(&body, &a, &out->mac, sizeof(out->mac));
	}
	out->usable = ndm.ndm_state & valid && !(ndm.ndm_flags & NTF_PROXY) &&
		      is_station(&out->mac) && addr_is_unicast(&out->addr);
	return rd_ok(&body);
}

/* --- writing --- */

static void put_attr(struct wr *w, uint16_t type, const void *val, size_t len)
{
	struct nlattr h = {
		.nla_len = (uint16_t)(sizeof(h) + len), .nla_type = type,
	};

	wr_bytes(w, &h, sizeof(h));
	wr_bytes(w, val, len);
	wr_zero(w, pad4(len));
}

static void put_u32(struct wr *w, uint16_t type, uint32_t v)
{
	put_attr(w, type, &v, sizeof(v));
}

static void put_addr(struct wr *w, uint16_t type, const struct addr *a)
{
	uint8_t raw[16];

	addr_put(a, raw);
	put_attr(w, type, raw, addr_bits(addr_fam(a)) / 8);
}

/* A message starts here; its length is known when it ends. */
static uint8_t *put_start(struct wr *w, uint16_t type, uint16_t flags)
{
	struct nlmsghdr h = {
		.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags,
	};
	uint8_t *start = w->p;

	wr_bytes(w, &h, sizeof(h));
	return start;
}

static bool put_end(struct wr *w, uint8_t *start)
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

static void copy_attr(struct wr *w, const struct attr *a)
{
	put_attr(w, a->type, a->val.p, a->val.len);
}

/* Hops by interface @from, as hops by @to. How many. */
static unsigned copy_hops(struct rd hops, unsigned from, unsigned to,
			  struct wr *w)
{
	unsigned cnt = 0;

	while (rd_more(&hops)) {
		struct rtnexthop h;
		uint8_t *start = w->p;
		struct attr a;
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
		while (next_attr(&attrs, &a))
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
static bool copy_multipath(const struct attr *src, unsigned from, unsigned to,
			   struct wr *w)
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
	uint8_t *start = put_start(w, RTM_NEWROUTE, NLM_F_CREATE);
	bool leads_out = false;
	struct rtmsg rtm;
	uint32_t oif = 0;
	struct attr a;

	rd_bytes(&body, &rtm, sizeof(rtm));
	rtm.rtm_flags &= RTNH_F_ONLINK;
	rtm.rtm_table = RT_TABLE_MAIN;
	wr_bytes(w, &rtm, sizeof(rtm));
	while (next_attr(&body, &a)) {
		if (keep_attr(a.type)) {
			copy_attr(w, &a);
		} else if (a.type == RTA_OIF) {
			attr_get(&body, &a, &oif, sizeof(oif));
		} else if (a.type == RTA_MULTIPATH) {
			if (!copy_multipath(&a, from, to, w))
				return false;
			leads_out = true;
		}
	}
	if (oif == from && !leads_out) {
		put_u32(w, RTA_OIF, to);
		leads_out = true;
	}
	return rd_ok(&body) && leads_out && put_end(w, start);
}

/* --- talking --- */

/* By one thread, and but for neighbours during set-up only. Kernels fill at
 * most 32 KiB of a dump into one datagram. */
static uint8_t reply[65536];

#define BATCH_MAX	64u
#define ROUTE_MAX	4096u	/* a request; enough for a hundred hops */

static struct batch {
	uint8_t buf[49152];
	struct wr w;
	unsigned cnt;
	uint8_t *start[BATCH_MAX];
	const char *what[BATCH_MAX];	/* "cannot ..." */
	int err[BATCH_MAX];		/* 0, or -errno */
} batch;

typedef bool (*take_fn)(void *ctx, const struct nl_msg *m);

int netlink_open(void)
{
	static const struct {
		int option;
		const char *why;
	} on[] = {
		{ NETLINK_GET_STRICT_CHK, "dumps are filtered by the kernel" },
		{ NETLINK_CAP_ACK, "errors do not repeat the request" },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (fd < 0)
		return -errno;
	/* Old kernels lack them, and then filtering is ours anyway. */
	for (unsigned i = 0; i < ARRAY_SIZE(on); i++)
		setsockopt(fd, SOL_NETLINK, on[i].option, &one, sizeof(one));
	return fd;
}

static int send_all(int fd, const uint8_t *p, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n = sendto(fd, p, len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

/* One datagram, from the kernel and nobody else. */
static int receive(int fd, struct rd *d)
{
	struct sockaddr_nl from;
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(from);
		n = recvfrom(fd, reply, sizeof(reply), MSG_TRUNC,
			     (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid));
	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(reply))
		return -EMSGSIZE;
	*d = rd_init(reply, (size_t)n);
	return 0;
}

/* The status in NLMSG_ERROR and NLMSG_DONE. */
static int msg_status(const struct nl_msg *m)
{
	struct rd body = m->body;
	int32_t status = 0;

	rd_bytes(&body, &status, sizeof(status));
	return rd_ok(&body) && status <= 0 ? status : -EPROTO;
}

/* Every message of the answer, until @take has enough: then the socket still
 * holds the rest, and is good for closing only. */
static int dump(int fd, take_fn take, void *ctx)
{
	struct nlmsghdr h;
	int rc;

	put_end(&batch.w, batch.buf);
	if (!wr_ok(&batch.w))
		return -ENOSPC;
	memcpy(&h, batch.buf, sizeof(h));
	rc = send_all(fd, batch.buf, h.nlmsg_len);
	while (!rc) {
		struct nl_msg m;
		struct rd d;

		rc = receive(fd, &d);
		while (!rc && nl_next(&d, &m)) {
			if (m.type == NLMSG_DONE)
				return msg_status(&m);
			if (m.type == NLMSG_ERROR)
				rc = msg_status(&m);
			else if (!take(ctx, &m))
				return 0;
		}
		if (!rc && !rd_ok(&d))
			rc = -EPROTO;
	}
	return rc;
}

static void batch_reset(void)
{
	batch.w = wr_init(batch.buf, sizeof(batch.buf));
	batch.cnt = 0;
}

/* To be followed by the body and batch_end(). */
static struct wr *batch_start(uint16_t type, uint16_t flags, const char *what)
{
	batch.what[batch.cnt] = what;
	batch.err[batch.cnt] = 0;
	batch.start[batch.cnt] = put_start(&batch.w, type, flags);
	return &batch.w;
}

static void batch_end(void)
{
	uint8_t *start = batch.start[batch.cnt];

	/* The caller made sure that there is room. */
	if (put_end(&batch.w, start))
		memcpy(start + offsetof(struct nlmsghdr, nlmsg_seq),
		       &batch.cnt, sizeof(uint32_t));
	batch.cnt++;
}

static bool batch_full(void)
{
	return batch.cnt == BATCH_MAX || batch.w.left < ROUTE_MAX;
}

/* Until the last one is acknowledged; errors are left in batch.err[]. */
static int batch_collect(int fd, take_fn take, void *ctx)
{
	for (;;) {
		struct nl_msg m;
		struct rd d;
		int rc = receive(fd, &d);

		if (rc)
			return rc;
		while (nl_next(&d, &m)) {
			if (m.type != NLMSG_ERROR) {
				if (take)
					take(ctx, &m);
				continue;
			}
			if (m.seq >= batch.cnt)
				return -EPROTO;
			batch.err[m.seq] = msg_status(&m);
			if (m.seq == batch.cnt - 1)
				return 0;
		}
		if (!rd_ok(&d))
			return -EPROTO;
	}
}

/* All that was collected leaves. 0, or -errno of talking itself. */
static int batch_run(int fd, take_fn take, void *ctx)
{
	uint16_t flags = 0;
	uint8_t *at;
	int rc;

	if (!batch.cnt)
		return 0;
	if (!wr_ok(&batch.w))
		return -ENOSPC;
	at = batch.start[batch.cnt - 1] + offsetof(struct nlmsghdr,
						   nlmsg_flags);
	memcpy(&flags, at, sizeof(flags));
	flags |= NLM_F_ACK;
	memcpy(at, &flags, sizeof(flags));

	rc = send_all(fd, batch.buf, (size_t)(batch.w.p - batch.buf));
	return rc ? rc : batch_collect(fd, take, ctx);
}

/* The request for a dump: the same header for the kernel to filter by. */
static void dump_request(uint16_t type, const void *header, size_t len)
{
	batch_reset();
	put_start(&batch.w, type, NLM_F_DUMP);
	wr_bytes(&batch.w, header, len);
}

static int dump_routes(int fd, enum fam fam, take_fn take, void *ctx)
{
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)addr_af(fam), .rtm_table = RT_TABLE_MAIN,
		.rtm_type = RTN_UNICAST,
	};

	dump_request(RTM_GETROUTE, &rtm, sizeof(rtm));
	return dump(fd, take, ctx);
}

static int dump_addrs(int fd, enum fam fam, unsigned ifindex, take_fn take,
		      void *ctx)
{
	struct ifaddrmsg ifa = {
		.ifa_family = (uint8_t)addr_af(fam), .ifa_index = ifindex,
	};

	dump_request(RTM_GETADDR, &ifa, sizeof(ifa));
	return dump(fd, take, ctx);
}

/* --- neighbours --- */

static bool take_neigh(void *ctx, const struct nl_msg *m)
{
	const nl_neigh_fn *take = ctx;
	struct nl_neigh n;

	if ((m->type == RTM_NEWNEIGH || m->type == RTM_DELNEIGH) &&
	    nl_read_neigh(m->body, &n))
		(*take)(&n, m->type == RTM_DELNEIGH || !n.usable);
	return true;
}

int netlink_dump_neighs(int fd, nl_neigh_fn take)
{
	const struct ndmsg all = { 0 };

	dump_request(RTM_GETNEIGH, &all, sizeof(all));
	return dump(fd, take_neigh, &take);
}

int netlink_watch_neighs(int fd)
{
	const struct sockaddr_nl group = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_NEIGH,
	};

	if (bind(fd, (const struct sockaddr *)&group, sizeof(group)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return 0;
}

int netlink_next_neighs(int fd, nl_neigh_fn take)
{
	struct nl_msg m;
	struct rd d;
	int rc = receive(fd, &d);

	while (!rc && nl_next(&d, &m))
		take_neigh(&take, &m);
	return rc;
}

/* --- the template --- */

struct template {
	enum fam fam;
	unsigned want;		/* this interface only; 0: any */
	struct nl_hop by_default, by_other;
};

static bool template_route(void *ctx, const struct nl_msg *m)
{
	struct template *t = ctx;
	struct nl_route r;

	if (m->type != RTM_NEWROUTE || !nl_read_route(m->body, t->want, &r) ||
	    r.fam != t->fam || !r.ours || !r.hop.ifindex)
		return true;
	if (r.dst_len) {
		if (!t->by_other.ifindex && !addr_is_linklocal(&r.dst))
			t->by_other = r.hop;
		return true;
	}
	/* The first default route decides; another one by the same interface
	 * may yet know a gateway. */
	if (!t->by_default.ifindex)
		t->by_default = r.hop;
	else if (r.hop.ifindex == t->by_default.ifindex)
		t->by_default.gw = r.hop.gw;
	return addr_is_unspec(&t->by_default.gw);
}

struct template_addrs {
	enum fam fam;
	unsigned ifindex;
	struct nl_addr best, best_ll;	/* longest prefix, the first of these */
};

static bool template_addr(void *ctx, const struct nl_msg *m)
{
	struct template_addrs *t = ctx;
	struct nl_addr a, *best;

	if (m->type != RTM_NEWADDR || !nl_read_addr(m->body, &a) ||
	    a.fam != t->fam || a.ifindex != t->ifindex || !a.usable)
		return true;
	best = a.fam == FAM6 && a.scope >= RT_SCOPE_LINK ? &t->best_ll :
							   &t->best;
	if (!best->usable || a.prefix_len > best->prefix_len)
		*best = a;
	return true;
}

static int template_find(struct host *h, enum fam fam, unsigned want, int fd)
{
	struct template t = { .fam = fam, .want = want };
	struct host_net *n = &h->net[fam];
	int rc = dump_routes(fd, fam, template_route, &t);

	if (rc)
		return rc;
	n->ifindex = want ? want :
		     t.by_default.ifindex ? t.by_default.ifindex :
					    t.by_other.ifindex;
	n->gw = t.by_default.gw;
	return 0;
}

static int template_addresses(struct host *h, enum fam fam, int fd)
{
	struct host_net *n = &h->net[fam];
	struct template_addrs t = { .fam = fam, .ifindex = n->ifindex };
	int rc = dump_addrs(fd, fam, n->ifindex, template_addr, &t);

	if (rc)
		return rc;
	n->addr = t.best.addr;
	n->prefix_len = t.best.prefix_len;
	if (fam == FAM6)
		h->ll = t.best_ll.addr;
	return if_indextoname(n->ifindex, n->ifname) ? 0 : -errno;
}

bool netlink_template(struct host *h, enum fam fam, unsigned want_ifindex,
		      char err[ERR_MAX])
{
	int route_fd = netlink_open(), addr_fd = netlink_open();
	int rc = MIN(route_fd, addr_fd);

	/* Two, as the first dump may be left unread. */
	if (rc >= 0)
		rc = template_find(h, fam, want_ifindex, route_fd);
	if (!rc && h->net[fam].ifindex)
		rc = template_addresses(h, fam, addr_fd);
	close_keep_errno(&route_fd);
	close_keep_errno(&addr_fd);
	if (rc < 0)
		snprintf(err, ERR_MAX, "Cannot ask the kernel for %s routes "
			 "and addresses: %s", fam_name(fam), strerror(-rc));
	return rc >= 0;
}

/* --- the namespace --- */

#define COPIED_MAX	64u

struct setup {
	struct conf *c;
	int host_fd, ns_fd;
	unsigned tap;
	struct mac mac;		/* of the tap */
	char *err;		/* ERR_MAX */

	/* Of one family, while it is worked on. */
	enum fam fam;
	struct nl_addr copied[COPIED_MAX];
	unsigned copied_cnt;
	uint8_t *routes;	/* messages to be sent, one after the other */
	size_t routes_len, routes_cap;
	int rc;
};

static void put_link(unsigned ifindex, unsigned flags, unsigned change,
		     const char *what)
{
	struct ifinfomsg ifi = {
		.ifi_index = (int)ifindex, .ifi_flags = flags,
		.ifi_change = change,
	};

	wr_bytes(batch_start(RTM_NEWLINK, 0, what), &ifi, sizeof(ifi));
}

static void put_address(const struct setup *s, const struct nl_addr *a,
			uint16_t flags)
{
	struct ifaddrmsg ifa = {
		.ifa_family = (uint8_t)addr_af(a->fam),
		.ifa_prefixlen = a->prefix_len, .ifa_flags = IFA_F_NODAD,
		.ifa_scope = a->scope, .ifa_index = s->tap,
	};
	struct wr *w = batch_start(RTM_NEWADDR, flags,
				   "set an address in the namespace");

	wr_bytes(w, &ifa, sizeof(ifa));
	put_addr(w, IFA_LOCAL, &a->addr);
	put_addr(w, IFA_ADDRESS, &a->peer);
	if (!addr_is_unspec(&a->broadcast))
		put_addr(w, IFA_BROADCAST, &a->broadcast);
	batch_end();
}

static bool take_mac(void *ctx, const struct nl_msg *m)
{
	struct mac *mac = ctx;
	struct rd body = m->body;
	struct ifinfomsg ifi;
	struct attr a;

	if (m->type != RTM_NEWLINK)
		return true;
	rd_bytes(&body, &ifi, sizeof(ifi));
	while (next_attr(&body, &a))
		if (a.type == IFLA_ADDRESS)
			attr_get(&body, &a, mac, sizeof(*mac));
	return true;
}

/* Whether link-local addresses are the kernel's business. A request without a
 * name: fails where there is no IPv6, which we will find out. */
static void put_gen_mode(unsigned ifindex, uint8_t mode)
{
	const struct {
		struct nlattr family, mode;
		uint8_t value, pad[3];
	} spec = {
		{ sizeof(spec), AF_INET6 },
		{ sizeof(spec.mode) + 1, IFLA_INET6_ADDR_GEN_MODE }, mode, {0},
	};

	put_link(ifindex, 0, 0, NULL);
	put_attr(&batch.w, IFLA_AF_SPEC, &spec, sizeof(spec));
	batch_end();
}

/* The first failure of a batch, in words. */
static bool batch_ok(const struct setup *s, int rc)
{
	unsigned i = 0;

	while (!rc && i < batch.cnt && (!batch.err[i] || !batch.what[i]))
		i++;
	if (!rc && i == batch.cnt)
		return true;
	snprintf(s->err, ERR_MAX, "Cannot %s: %s",
		 rc ? "talk to the kernel" : batch.what[i],
		 strerror(rc ? -rc : -batch.err[i]));
	return false;
}

/* What the interface needs before it is up, and without --config-net too. */
static void put_tap(const struct conf *c, unsigned tap)
{
	const struct mac zero = MAC_ZERO;

	if (memcmp(&c->guest_mac, &zero, sizeof(zero))) {
		put_link(tap, 0, 0, "set the MAC address (--ns-mac-addr; "
				    "it has to be unicast)");
		put_attr(&batch.w, IFLA_ADDRESS, &c->guest_mac,
			 sizeof(c->guest_mac));
		batch_end();
	}
	if (!c->config_net)
		return;
	if (c->mtu) {
		put_link(tap, 0, 0, "set the interface's MTU (--mtu)");
		put_u32(&batch.w, IFLA_MTU, c->mtu);
		batch_end();
	}
	if (c->net[FAM6].enabled)
		put_gen_mode(tap, IN6_ADDR_GEN_MODE_NONE);
	put_link(tap, IFF_UP, IFF_UP, "bring up the namespace's interface");
	batch_end();
}

/* Loopback, and the interface as far as it has no family. */
static bool setup_links(struct setup *s)
{
	struct ifinfomsg ifi = { .ifi_index = (int)s->tap };

	batch_reset();
	put_link(LO_IFINDEX, IFF_UP, IFF_UP,
		 "bring up loopback in the namespace");
	batch_end();
	if (s->tap) {
		put_tap(s->c, s->tap);
		wr_bytes(batch_start(RTM_GETLINK, 0,
				     "read the interface's MAC address"),
			 &ifi, sizeof(ifi));
		batch_end();
	}
	return batch_ok(s, batch_run(s->ns_fd, take_mac, &s->mac));
}

/* An error that says the namespace has no such family. */
static bool lacks_family(enum fam fam, int rc)
{
	return rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT ||
	       (fam == FAM6 && rc == -EACCES);	/* disable_ipv6 */
}

/* --- addresses --- */

static bool collect_address(void *ctx, const struct nl_msg *m)
{
	struct setup *s = ctx;
	struct nl_addr a;

	if (m->type != RTM_NEWADDR || !nl_read_addr(m->body, &a) ||
	    a.fam != s->fam || a.ifindex != s->c->net[s->fam].ifindex ||
	    !a.usable || a.scope >= RT_SCOPE_LINK ||
	    s->copied_cnt == COPIED_MAX)
		return true;
	s->copied[s->copied_cnt++] = a;
	return true;
}

static int setup_addresses(struct setup *s)
{
	const struct conf_net *n = &s->c->net[s->fam];
	int rc = 0;

	s->copied_cnt = 0;
	if (n->copy_addrs)
		rc = dump_addrs(s->host_fd, s->fam, n->ifindex,
				collect_address, s);
	else if (!addr_is_unspec(&n->guest))
		s->copied[s->copied_cnt++] = (struct nl_addr) {
			.fam = s->fam, .addr = n->guest, .peer = n->guest,
			.prefix_len = n->prefix_len,
			.scope = RT_SCOPE_UNIVERSE,
		};
	if (rc)
		return rc;

	batch_reset();
	for (unsigned i = 0; i < s->copied_cnt && !batch_full(); i++)
		put_address(s, &s->copied[i], NLM_F_CREATE | NLM_F_REPLACE);
	rc = batch_run(s->ns_fd, NULL, NULL);
	for (unsigned i = 0; !rc && i < batch.cnt; i++)
		rc = batch.err[i] == -EEXIST ? 0 : batch.err[i];
	return rc;
}

/* What the kernel would have made of the MAC address, RFC 4291 appendix A; the
 * next time the link comes up it is its turn again. */
static int setup_link_local(const struct setup *s)
{
	const uint8_t *m = s->mac.b;
	struct nl_addr a = {
		.fam = FAM6, .prefix_len = 64, .scope = RT_SCOPE_LINK,
		.addr.b = { 0xfe, 0x80, [8] = m[0] ^ 2, m[1], m[2], 0xff, 0xfe,
			    m[3], m[4], m[5] },
	};
	int rc;

	a.peer = a.addr;
	batch_reset();
	put_address(s, &a, NLM_F_CREATE | NLM_F_REPLACE);
	put_gen_mode(s->tap, IN6_ADDR_GEN_MODE_EUI64);
	rc = batch_run(s->ns_fd, NULL, NULL);
	return rc ? rc : batch.err[0];
}

/* --- routes --- */

static bool routes_grow(struct setup *s)
{
	size_t cap = s->routes_cap ? s->routes_cap * 2 : 65536;
	uint8_t *p = realloc(s->routes, cap);

	if (!p)
		return false;
	s->routes = p;
	s->routes_cap = cap;
	return true;
}

/* The kernel adds this one itself, with the address. */
static bool is_connected(const struct setup *s, const struct nl_route *r)
{
	if (!addr_is_unspec(&r->hop.gw))
		return false;
	if (r->fam == FAM6 && r->dst_len && addr_is_linklocal(&r->dst))
		return true;
	for (unsigned i = 0; i < s->copied_cnt; i++)
		if (s->copied[i].prefix_len == r->dst_len &&
		    addr_in_prefix(&s->copied[i].peer, &r->dst, r->dst_len))
			return true;
	return false;
}

static bool collect_route(void *ctx, const struct nl_msg *m)
{
	struct setup *s = ctx;
	unsigned from = s->c->net[s->fam].ifindex;
	struct nl_route r;
	struct wr w;

	if (m->type != RTM_NEWROUTE || !nl_read_route(m->body, from, &r) ||
	    r.fam != s->fam || !r.ours || !r.hop.ifindex ||
	    is_connected(s, &r))
		return true;
	if (s->routes_cap - s->routes_len < ROUTE_MAX && !routes_grow(s)) {
		s->rc = -ENOMEM;
		return true;
	}
	w = wr_init(s->routes + s->routes_len, ROUTE_MAX);
	if (nl_copy_route(m->body, from, s->tap, &w))
		s->routes_len = (size_t)(w.p - s->routes);
	return true;
}

/* What the batch could not add yet goes back to the list. The kernel wants a
 * gateway to be reachable by a route that is there already. */
static int routes_again(struct setup *s, size_t *kept)
{
	for (unsigned i = 0; i < batch.cnt; i++) {
		uint32_t len;
		int rc = batch.err[i];

		if (!rc || rc == -EEXIST)
			continue;
		if (lacks_family(s->fam, rc))
			return rc;
		memcpy(&len, batch.start[i], sizeof(len));
		memcpy(s->routes + *kept, batch.start[i], len);
		*kept += len;
	}
	return 0;
}

/* All of the list once, in its order; it keeps those that failed. */
static int routes_pass(struct setup *s, unsigned flags)
{
	size_t at = 0, kept = 0;
	int rc = 0;

	while (!rc && at < s->routes_len) {
		batch_reset();
		while (at < s->routes_len && !batch_full()) {
			struct nlmsghdr h;
			struct rtmsg rtm;
			const uint8_t *p = s->routes + at;
			struct wr *w;

			memcpy(&h, p, sizeof(h));
			memcpy(&rtm, p + sizeof(h), sizeof(rtm));
			rtm.rtm_flags |= flags;
			w = batch_start(h.nlmsg_type, NLM_F_CREATE, NULL);
			wr_bytes(w, &rtm, sizeof(rtm));
			wr_bytes(w, p + sizeof(h) + sizeof(rtm),
				 h.nlmsg_len - sizeof(h) - sizeof(rtm));
			batch_end();
			at += h.nlmsg_len;
		}
		rc = batch_run(s->ns_fd, NULL, NULL);
		if (!rc)
			rc = routes_again(s, &kept);
	}
	s->routes_len = kept;
	return rc;
}

/* As often as it helps: each pass adds what the one before made reachable.
 * What is left then has a gateway no route leads to; with the guest's address
 * chosen by the user this is to be expected, and everything is on our link. */
static int routes_insert(struct setup *s)
{
	size_t before;
	int rc;

	do {
		before = s->routes_len;
		rc = routes_pass(s, 0);
	} while (!rc && s->routes_len && s->routes_len < before);
	if (!rc && s->routes_len)
		rc = routes_pass(s, RTNH_F_ONLINK);
	if (!rc && s->routes_len)
		warn("Some %s routes of %s cannot be had in the namespace",
		     fam_name(s->fam), s->c->net[s->fam].ifname);
	return rc;
}

static int setup_copied_routes(struct setup *s)
{
	int rc;

	s->routes_len = 0;
	rc = dump_routes(s->host_fd, s->fam, collect_route, s);
	if (!rc)
		rc = s->rc;
	return rc ? rc : routes_insert(s);
}

static int setup_default_route(struct setup *s)
{
	const struct conf_net *n = &s->c->net[s->fam];
	bool has_gw = !addr_is_unspec(&n->gw);
	bool on_link = addr_in_prefix(&n->gw, &n->guest, n->prefix_len) ||
		       (s->fam == FAM6 && addr_is_linklocal(&n->gw));
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)addr_af(s->fam),
		.rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
		.rtm_scope = has_gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = has_gw && !on_link ? RTNH_F_ONLINK : 0,
	};
	struct wr *w;
	int rc;

	batch_reset();
	w = batch_start(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, NULL);
	wr_bytes(w, &rtm, sizeof(rtm));
	put_u32(w, RTA_OIF, s->tap);
	if (has_gw)
		put_addr(w, RTA_GATEWAY, &n->gw);
	batch_end();
	rc = batch_run(s->ns_fd, NULL, NULL);
	return rc ? rc : batch.err[0];
}

/* --- all of it --- */

static int setup_family(struct setup *s, const char **what)
{
	int rc = 0;

	*what = "addresses";
	if (s->fam == FAM6)
		rc = setup_link_local(s);
	if (!rc)
		rc = setup_addresses(s);
	if (rc)
		return rc;
	*what = "routes";
	return s->c->net[s->fam].copy_routes ? setup_copied_routes(s) :
					       setup_default_route(s);
}

static bool setup_families(struct setup *s)
{
	for (s->fam = FAM4; s->fam < FAM_COUNT; s->fam++) {
		struct conf_net *n = &s->c->net[s->fam];
		const char *what;
		int rc;

		if (!n->enabled)
			continue;
		rc = setup_family(s, &what);
		if (lacks_family(s->fam, rc)) {
			warn("The namespace has no %s: doing without",
			     fam_name(s->fam));
			n->enabled = false;
		} else if (rc) {
			snprintf(s->err, ERR_MAX, "Couldn't set %s %s in the "
				 "namespace: %s", fam_name(s->fam), what,
				 strerror(-rc));
			return false;
		}
	}
	return true;
}

bool netlink_configure(struct conf *c, int host_fd, int ns_fd,
		       unsigned tap_ifindex, struct mac *tap_mac,
		       char err[ERR_MAX])
{
	struct setup s = {
		.c = c, .host_fd = host_fd, .ns_fd = ns_fd,
		.tap = tap_ifindex, .err = err,
	};
	bool ok = setup_links(&s);

	*tap_mac = s.mac;
	if (ok && s.tap && c->config_net)
		ok = setup_families(&s);
	free(s.routes);
	return ok;
}
