/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c - questions to the kernel about links, addresses, routes
 *
 * On the host: which interface is this family's template, and what are its
 * address and gateway? Who are its neighbours, now and from now on? What the
 * answers mean is for netlink_msg.c; orders, in the namespace, are for
 * netlink_setup.c, which copies what is asked here.
 *
 * Dumps are read to their end, however many datagrams that takes; there is no
 * limit to the number of routes. Where the kernel can filter, it is asked to,
 * and what it lets through is filtered again: old ones ignore the request.
 *
 * rtnetlink(7), RFC 3549.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "buf.h"
#include "setup/netlink.h"
#include "util.h"

SYSCALLS(recvfrom, sendto);	/* neighbours */

/* --- talking --- */

/* By one thread, and but for neighbours during set-up only. Kernels fill at
 * most 32 KiB of a dump into one datagram. */
static uint8_t reply[65536];

/* A dump, as it is asked for. */
static struct {
	uint8_t buf[64];
	struct wr w;
} question;

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

int netlink_send(int fd, const uint8_t *p, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n = sendto(fd, p, len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

/* One datagram, from the kernel and nobody else. */
int netlink_receive(int fd, struct rd *d)
{
	struct sockaddr_nl from = { 0 };
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

/* Every message of the answer, until @take has enough: then the socket still
 * holds the rest, and is good for closing only. */
static int dump(int fd, nl_take_fn take, void *ctx)
{
	struct nlmsghdr h;
	int rc;

	nl_put_end(&question.w, question.buf);
	memcpy(&h, question.buf, sizeof(h));
	rc = netlink_send(fd, question.buf, h.nlmsg_len);
	while (!rc) {
		struct nl_msg m;
		struct rd d;

		rc = netlink_receive(fd, &d);
		while (!rc && nl_next(&d, &m)) {
			if (m.type == NLMSG_DONE)
				return nl_status(&m);
			if (m.type == NLMSG_ERROR)
				rc = nl_status(&m);
			else if (!take(ctx, &m))
				return 0;
		}
		if (!rc && !rd_ok(&d))
			rc = -EPROTO;
	}
	return rc;
}

/* The request for a dump: the same header for the kernel to filter by. */
static void dump_request(uint16_t type, const void *header, size_t len)
{
	question.w = wr_init(question.buf, sizeof(question.buf));
	nl_put_start(&question.w, type, NLM_F_DUMP);
	wr_bytes(&question.w, header, len);
}

int netlink_dump_routes(int fd, enum fam fam, nl_take_fn take, void *ctx)
{
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)addr_af(fam), .rtm_table = RT_TABLE_MAIN,
		.rtm_type = RTN_UNICAST,
	};
	int rc;

	dump_request(RTM_GETROUTE, &rtm, sizeof(rtm));
	rc = dump(fd, take, ctx);
	/* Before the first route there is no table either. */
	return rc == -ENOENT ? 0 : rc;
}

int netlink_dump_addrs(int fd, enum fam fam, unsigned ifindex, nl_take_fn take,
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
	int rc = netlink_receive(fd, &d);

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
	int rc = netlink_dump_routes(fd, fam, template_route, &t);

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
	int rc = netlink_dump_addrs(fd, fam, n->ifindex, template_addr, &t);

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
