/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_setup.c - orders to the kernel: loopback, and our interface
 *
 * Configures what conf asks for, with addresses and routes copied from
 * the template on the host, or as given. Runs in the agent, once.
 *
 * Requests go out in batches, many messages to one sendmsg(). Only the last
 * one asks for an acknowledgement: the kernel works through them in order, and
 * reports errors without being asked.
 *
 * Nothing waits for duplicate address detection: addresses are added with
 * IFA_F_NODAD. That goes for the link-local one too, so the kernel is kept
 * from making it while the link comes up; it would be tentative for a second.
 *
 * rtnetlink(7); RFC 4862 5.4 for what is skipped.
 */
#include "setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "buf.h"
#include "setup/netlink.h"
#include "util.h"

#define BATCH_MAX	64u
/* Frames of the guest that wait for us; the default of 1000 is full after 10 ms
 * of 100,000 datagrams a second, and we may be off the processor for longer. */
#define TAP_QUEUE_LEN	4096u
#define ROUTE_MAX	4096u	/* a request; enough for a hundred hops */

/* --- batches --- */

static struct batch {
	uint8_t buf[49152];
	struct wr w;
	unsigned cnt;
	uint8_t *start[BATCH_MAX];
	const char *what[BATCH_MAX];	/* "cannot ..." */
	int err[BATCH_MAX];		/* 0, or -errno */
} batch;

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
	batch.start[batch.cnt] = nl_put_start(&batch.w, type, flags);
	return &batch.w;
}

static void batch_end(void)
{
	uint8_t *start = batch.start[batch.cnt];

	/* The caller made sure that there is room. */
	if (nl_put_end(&batch.w, start))
		memcpy(start + offsetof(struct nlmsghdr, nlmsg_seq),
		       &batch.cnt, sizeof(uint32_t));
	batch.cnt++;
}

static bool batch_full(void)
{
	return batch.cnt == BATCH_MAX || batch.w.left < ROUTE_MAX;
}

/* Until the last one is acknowledged; errors are left in batch.err[]. */
static int batch_collect(int fd, nl_take_fn take, void *ctx)
{
	for (;;) {
		struct nl_msg m;
		struct rd d;
		int rc = netlink_receive(fd, &d);

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
			batch.err[m.seq] = nl_status(&m);
			if (m.seq == batch.cnt - 1)
				return 0;
		}
		if (!rd_ok(&d))
			return -EPROTO;
	}
}

/* All that was collected leaves. 0, or -errno of talking itself. */
static int batch_run(int fd, nl_take_fn take, void *ctx)
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

	rc = netlink_send(fd, batch.buf, (size_t)(batch.w.p - batch.buf));
	return rc ? rc : batch_collect(fd, take, ctx);
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
	nl_put_addr(w, IFA_LOCAL, &a->addr);
	nl_put_addr(w, IFA_ADDRESS, &a->peer);
	if (!addr_is_unspec(&a->broadcast))
		nl_put_addr(w, IFA_BROADCAST, &a->broadcast);
	batch_end();
}

static bool take_mac(void *ctx, const struct nl_msg *m)
{
	struct mac *mac = ctx;
	struct rd body = m->body;
	struct ifinfomsg ifi;
	struct nl_attr a;

	if (m->type != RTM_NEWLINK)
		return true;
	rd_bytes(&body, &ifi, sizeof(ifi));
	while (nl_next_attr(&body, &a))
		if (a.type == IFLA_ADDRESS)
			nl_attr_get(&body, &a, mac, sizeof(*mac));
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
		{ sizeof(spec), (uint16_t)addr_af(FAM6) },
		{ sizeof(spec.mode) + 1, IFLA_INET6_ADDR_GEN_MODE }, mode, {0},
	};

	put_link(ifindex, 0, 0, NULL);
	nl_put_attr(&batch.w, IFLA_AF_SPEC, &spec, sizeof(spec));
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

/* What the interface needs before it is up, and without --config-net too. Not
 * to have the long queue is no reason to fail. */
static void put_tap(const struct conf *c, unsigned tap)
{
	const struct mac zero = MAC_ZERO;

	put_link(tap, 0, 0, NULL);
	nl_put_u32(&batch.w, IFLA_TXQLEN, TAP_QUEUE_LEN);
	batch_end();
	if (memcmp(&c->guest_mac, &zero, sizeof(zero))) {
		put_link(tap, 0, 0, "set the MAC address (--ns-mac-addr; "
				    "it has to be unicast)");
		nl_put_attr(&batch.w, IFLA_ADDRESS, &c->guest_mac,
			    sizeof(c->guest_mac));
		batch_end();
	}
	if (!c->config_net)
		return;
	if (c->mtu) {
		put_link(tap, 0, 0, "set the interface's MTU (--mtu)");
		nl_put_u32(&batch.w, IFLA_MTU, c->mtu);
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
		rc = netlink_dump_addrs(s->host_fd, s->fam, n->ifindex,
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
	rc = netlink_dump_routes(s->host_fd, s->fam, collect_route, s);
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
	nl_put_u32(w, RTA_OIF, s->tap);
	if (has_gw)
		nl_put_addr(w, RTA_GATEWAY, &n->gw);
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
