/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock.c - sockets: open, set, bind, connect; on the host or in the namespace
 *
 * One table says which option is set on which kind of socket, and why; one
 * function opens them all, in the network namespace of its caller. The agent
 * in the guest's namespace runs that same function there; here one only says
 * where the socket is wanted.
 *
 * Options of a listener are set once and passed on by Linux to what it accepts
 * (test/kernel/inherit.c): an accepted connection costs accept4() alone.
 *
 * Never decides what to connect to, and never keeps a descriptor: whoever asked
 * for a socket owns it.
 */
#include "sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "util.h"

#define LISTEN_BACKLOG	128
#define UDP_BUF		(4 << 20)

/* Younger than some C libraries; values are the kernel's for all time. */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND	78
#endif

SYSCALLS(socket, setsockopt, getsockopt, bind, listen, connect, getsockname,
	 close);
SYSCALLS(agent: socket, setsockopt, bind, listen, close);

enum {			/* bits for the table */
	K_LISTEN = 1 << SOCK_KIND_TCP_LISTEN,
	K_TCP = K_LISTEN | 1 << SOCK_KIND_TCP_CONNECT |
		1 << SOCK_KIND_TCP_SPLICE,
	K_UDP_LISTEN = 1 << SOCK_KIND_UDP_LISTEN,
	K_UDP = K_UDP_LISTEN | 1 << SOCK_KIND_UDP_FLOW,
	K_PING = 1 << SOCK_KIND_PING,
};

/* On sockets of which family. A dual socket is IPv6, and carries IPv4 too. */
enum { F_4 = 1, F_6 = 2, F_DUAL = 4, F_ANY = 7 };

enum { R_OPTIONAL, R_REQUIRED };

/* Always, or only if the request says so. */
enum { WHEN_ALWAYS, WHEN_FREEBIND, WHEN_SHARE };

static const struct sock_opt {
	int level, name, value;
	unsigned kinds;
	uint8_t fams;
	uint8_t required;
	uint8_t when;
	const char *why;
} opts[] = {
	{ IPPROTO_TCP, TCP_NODELAY, 1, K_TCP, F_ANY, R_OPTIONAL, WHEN_ALWAYS,
	  "the sender's stack already chose when to send" },
	{ SOL_SOCKET, SO_OOBINLINE, 1, K_TCP, F_ANY, R_OPTIONAL, WHEN_ALWAYS,
	  "an urgent byte is part of the stream, and is counted by peeking" },
	{ SOL_SOCKET, SO_REUSEADDR, 1, K_LISTEN, F_ANY, R_REQUIRED, WHEN_ALWAYS,
	  "restart among old connections" },
	{ SOL_SOCKET, SO_REUSEADDR, 1, K_UDP_LISTEN, F_ANY, R_REQUIRED,
	  WHEN_SHARE, "a flow of ours is there, and lets the listener in" },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 1, K_LISTEN | K_UDP, F_6, R_REQUIRED,
	  WHEN_ALWAYS, "IPv4 has a socket of its own" },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 0, K_LISTEN | K_UDP, F_DUAL, R_REQUIRED,
	  WHEN_ALWAYS, "the system's default may be the other one" },
	{ IPPROTO_IP, IP_RECVERR, 1, K_UDP | K_PING, F_4 | F_DUAL, R_REQUIRED,
	  WHEN_ALWAYS, "errors are passed on to the guest, with their origin" },
	{ IPPROTO_IPV6, IPV6_RECVERR, 1, K_UDP | K_PING, F_6 | F_DUAL,
	  R_REQUIRED, WHEN_ALWAYS, "as above" },
	{ IPPROTO_IP, IP_PKTINFO, 1, K_UDP_LISTEN, F_4 | F_DUAL, R_REQUIRED,
	  WHEN_ALWAYS, "replies leave from the address that was asked" },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, K_UDP_LISTEN, F_6 | F_DUAL,
	  R_REQUIRED, WHEN_ALWAYS, "as above" },
	{ IPPROTO_IP, IP_RECVTOS, 1, K_UDP, F_4 | F_DUAL, R_OPTIONAL,
	  WHEN_ALWAYS, "the guest sees congestion marks, and priorities" },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 1, K_UDP, F_6 | F_DUAL, R_OPTIONAL,
	  WHEN_ALWAYS, "as above" },
	{ IPPROTO_IP, IP_MULTICAST_ALL, 1, K_UDP_LISTEN, F_DUAL, R_OPTIONAL,
	  WHEN_ALWAYS, "groups the host has joined: others hear them anyway" },
	{ IPPROTO_IP, IP_TTL, SOCK_UDP_TTL, K_UDP, F_4 | F_DUAL, R_OPTIONAL,
	  WHEN_ALWAYS, "what most guests send with, whatever the host does" },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCK_UDP_TTL, K_UDP, F_6 | F_DUAL,
	  R_OPTIONAL, WHEN_ALWAYS, "as above" },
	{ IPPROTO_UDP, UDP_GRO, 1, K_UDP, F_ANY, R_OPTIONAL, WHEN_ALWAYS,
	  "a train of datagrams is received as one" },
	{ SOL_SOCKET, SO_RCVBUF, UDP_BUF, K_UDP, F_ANY, R_OPTIONAL, WHEN_ALWAYS,
	  "nobody else slows down a burst; the kernel has its own limit" },
	{ SOL_SOCKET, SO_SNDBUF, UDP_BUF, K_UDP, F_ANY, R_OPTIONAL, WHEN_ALWAYS,
	  "as above" },
	{ IPPROTO_IP, IP_FREEBIND, 1, K_LISTEN | K_UDP, F_4, R_REQUIRED,
	  WHEN_FREEBIND, "the address may appear later" },
	{ IPPROTO_IPV6, IPV6_FREEBIND, 1, K_LISTEN | K_UDP, F_6 | F_DUAL,
	  R_REQUIRED, WHEN_FREEBIND, "as above" },
};

static const struct sock_type {
	int type, proto[FAM_COUNT];
} types[] = {
	[SOCK_KIND_TCP_CONNECT] = { SOCK_STREAM, { IPPROTO_TCP, IPPROTO_TCP } },
	[SOCK_KIND_TCP_SPLICE] = { SOCK_STREAM, { IPPROTO_TCP, IPPROTO_TCP } },
	[SOCK_KIND_TCP_LISTEN] = { SOCK_STREAM, { IPPROTO_TCP, IPPROTO_TCP } },
	[SOCK_KIND_UDP_LISTEN] = { SOCK_DGRAM, { IPPROTO_UDP, IPPROTO_UDP } },
	[SOCK_KIND_UDP_FLOW] = { SOCK_DGRAM, { IPPROTO_UDP, IPPROTO_UDP } },
	[SOCK_KIND_PING] = { SOCK_DGRAM, { IPPROTO_ICMP, IPPROTO_ICMPV6 } },
};
_Static_assert(ARRAY_SIZE(types) == SOCK_KIND_COUNT, "one row a kind");

static uint8_t fam_bit(const struct sock_req *req)
{
	if (req->dual)
		return F_DUAL;
	return req->fam == FAM4 ? F_4 : F_6;
}

static bool applies(const struct sock_opt *o, const struct sock_req *req)
{
	const bool when[] = {
		[WHEN_ALWAYS] = true,
		[WHEN_FREEBIND] = req->freebind,
		[WHEN_SHARE] = req->share,
	};

	return o->kinds & 1u << req->kind && o->fams & fam_bit(req) &&
	       when[o->when];
}

static int set_options(int fd, const struct sock_req *req)
{
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++) {
		const struct sock_opt *o = &opts[i];

		if (!applies(o, req))
			continue;
		if (setsockopt(fd, o->level, o->name, &o->value,
			       sizeof(o->value)) &&
		    o->required == R_REQUIRED)
			return -errno;
	}
	if (req->ifname[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, req->ifname,
		       (socklen_t)strnlen(req->ifname, IFNAMSIZ - 1)))
		return -errno;
	return 0;
}

static int bind_to(int fd, const struct sock_req *req)
{
	union sockaddr_any sa;
	socklen_t len;

	if (req->fam == FAM6)
		len = addr_to_sockaddr6(&sa, &req->addr, req->port, req->scope);
	else
		len = addr_to_sockaddr(&sa, &req->addr, req->port, req->scope);
	return bind(fd, &sa.sa, len) ? -errno : 0;
}

int sock_open_here(const struct sock_req *req)
{
	const struct sock_type *t;
	int fd, rc;

	/* The agent's requests come from another process */
	if (req->kind >= SOCK_KIND_COUNT || req->fam >= FAM_COUNT ||
	    (req->dual && req->fam != FAM6))
		return -EINVAL;

	t = &types[req->kind];
	fd = socket(addr_af(req->fam), t->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    t->proto[req->fam]);
	if (fd < 0)
		return -errno;

	rc = set_options(fd, req);
	if (!rc && req->bind)
		rc = bind_to(fd, req);
	if (!rc && req->kind == SOCK_KIND_TCP_LISTEN &&
	    listen(fd, LISTEN_BACKLOG))
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

int sock_open(uint8_t pif, const struct sock_req *req)
{
	return pif == PIF_SPLICE ? agent_open(req) : sock_open_here(req);
}

int sock_tcp(uint8_t pif, enum sock_kind kind, enum fam fam)
{
	struct sock_req req = { .kind = (uint8_t)kind, .fam = (uint8_t)fam };

	if (pif == PIF_SPLICE)
		return agent_pool_get(kind, fam);
	return sock_open_here(&req);
}

int sock_connect(int fd, const struct addr *a, uint16_t port, unsigned scope)
{
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, a, port, scope);

	return connect(fd, &sa.sa, len) ? -errno : 0;
}

int sock_bind_outbound(int fd, const struct addr *ours,
		       const struct addr *theirs)
{
	const struct conf_net *net = &conf.net[addr_fam(theirs)];
	const char *ifname = net->outbound_if;
	union sockaddr_any sa;
	int one = 1, rc = 0;
	socklen_t len;

	if (!addr_is_unspec(ours)) {
		/* One port may serve many destinations: let the kernel choose
		 * when it knows ours */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
				 sizeof(one));
		len = addr_to_sockaddr(&sa, ours, 0, net->ifindex);
		if (bind(fd, &sa.sa, len))
			rc = -errno;
	}
	if (ifname[0] && !addr_is_loopback(theirs) &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname,
		       (socklen_t)strnlen(ifname, IFNAMSIZ)))
		rc = -errno;
	return rc;
}

/* Should the option fail, the peer sees an orderly end instead: nothing more
 * can be done about it, and nobody is better off knowing. */
void sock_reset(int *fd)
{
	const struct linger rst = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close_keep_errno(fd);
}

int sock_error(int fd)
{
	int e;
	socklen_t len = sizeof(e);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len))
		return -errno;
	return e;
}

bool sock_local(int fd, struct addr *a, uint16_t *port)
{
	union sockaddr_any sa;
	socklen_t len = sizeof(sa);

	return !getsockname(fd, &sa.sa, &len) &&
	       addr_from_sockaddr(a, port, &sa);
}

/* To one of its own addresses the kernel sends from that same one. Binding to it
 * would not tell: that can be allowed for any (net.ipv4.ip_nonlocal_bind). */
bool sock_host_has(const struct addr *a, unsigned scope)
{
	int fd = socket(addr_af(addr_fam(a)),
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	struct addr ours;
	uint16_t port;
	bool has;

	has = fd >= 0 && !sock_connect(fd, a, 9, scope) &&
	      sock_local(fd, &ours, &port) && addr_eq(&ours, a);
	if (fd >= 0)
		close(fd);
	return has;
}

/* --- what the kernel can do --- */

static bool probe_tcp(enum fam fam, int level, int name, const void *value,
		      socklen_t len)
{
	int fd = socket(addr_af(fam), SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = !setsockopt(fd, level, name, value, len);
	close(fd);
	return ok;
}

bool sock_probe_peek_off(enum fam fam)
{
	const int zero = 0;

	return probe_tcp(fam, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero));
}

bool sock_probe_bind_device(void)
{
	return probe_tcp(FAM4, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) ||
	       probe_tcp(FAM6, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
}

int sock_probe_family(enum fam fam)
{
	int fd = socket(addr_af(fam), SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}
