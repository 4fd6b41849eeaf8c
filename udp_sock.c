/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_sock.c - which socket is whose: one per client's address and port
 *
 * A client is a guest's address and port, or that of a peer whose datagrams are
 * spliced. All it sends leaves from one unconnected socket, whatever the
 * destination: mapping is endpoint-independent (RFC 4787, REQ-1). Flows come
 * and go, the socket lives as long as one of them. 20,000 destinations are one
 * descriptor.
 *
 * The port is the client's own if we may have it (REQ-3 of RFC 4787 asks no
 * more than that it be tried), else any: low ones need a privilege, others are
 * held by programs of the host. That is why these sockets, unlike listeners,
 * do not share ports: a datagram goes to one socket only, and two would take
 * each other's.
 *
 * A guest's port that is forwarded to it has a socket on the host already, the
 * listener: then that is used, and both directions show the same port. One that
 * opens later, as those of automatic rules do, may share the port, and takes
 * over when it is needed.
 *
 * Destinations on loopback are reached from loopback: where sockets are bound
 * to an address or interface by option, they have sockets of their own.
 *
 * Should two flows of one client lead to the same destination, as when a server
 * has two names in the guest, answers could not be told apart: the second gets
 * another socket.
 *
 * Owns the table, its descriptors and their registration with the loop.
 */
#include "udp_flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "conf.h"
#include "epoll_ctl.h"
#include "fwd.h"
#include "listen.h"
#include "log.h"
#include "sock.h"
#include "util.h"

SYSCALLS(bind, close, epoll_ctl, getsockname, setsockopt, socket);

#define SOCKS_MAX	16384u
#define BUCKETS		SOCKS_MAX
#define TWINS_MAX	8	/* names one server may have */

static struct udp_sock table[SOCKS_MAX];
static uint32_t bucket[BUCKETS];	/* number plus one; 0: empty */
static uint32_t used_end, free_first = UDP_NONE;

void udp_sock_init(void)
{
	used_end = 0;
	free_first = UDP_NONE;
	memset(bucket, 0, sizeof(bucket));
}

struct udp_sock *udp_sock_at(uint32_t idx)
{
	return &table[idx];
}

struct udp_sock *udp_sock_of_event(struct ev ev)
{
	if (ev.slot >= used_end || !table[ev.slot].flows ||
	    table[ev.slot].gen != ev.gen)
		return NULL;
	return &table[ev.slot];
}

/* --- the table --- */

static uint32_t *bucket_of(const struct side *client)
{
	return &bucket[flow_hash(IPPROTO_UDP, client) % BUCKETS];
}

static struct udp_sock *find(const struct side *client, uint8_t pif,
			     unsigned nth)
{
	for (uint32_t i = *bucket_of(client); i; i = table[i - 1].next) {
		struct udp_sock *s = &table[i - 1];

		if (s->pif == pif && s->nth == nth &&
		    s->client.their_port == client->their_port &&
		    s->client.pif == client->pif &&
		    addr_eq(&s->client.theirs, &client->theirs) &&
		    addr_eq(&s->client.ours, &client->ours))
			return s;
	}
	return NULL;
}

static struct udp_sock *slot_take(void)
{
	struct udp_sock *s = NULL;

	if (free_first != UDP_NONE) {
		s = &table[free_first];
		free_first = s->next;
	} else if (used_end < SOCKS_MAX) {
		s = &table[used_end++];
	}
	return s;
}

bool udp_sock_left(void)
{
	return free_first != UDP_NONE || used_end < SOCKS_MAX;
}

static void slot_release(struct udp_sock *s)
{
	s->flows = 0;
	s->next = free_first;
	free_first = (uint32_t)(s - table);
}

static void link_in(struct udp_sock *s)
{
	uint32_t *b = bucket_of(&s->client);

	s->next = *b;
	*b = (uint32_t)(s - table) + 1;
}

static void link_out(struct udp_sock *s)
{
	uint32_t *at = bucket_of(&s->client);

	while (*at != (uint32_t)(s - table) + 1)
		at = &table[*at - 1].next;
	*at = s->next;
}

/* --- descriptors --- */

static int open_bound(uint8_t pif, const struct addr *ours, uint16_t port)
{
	enum fam fam = addr_fam(ours);
	struct sock_req req = {
		.kind = SOCK_KIND_UDP_FLOW,
		.fam = (uint8_t)fam,
		.bind = true,
		.freebind = conf.freebind,
		.addr = *ours,
		.port = port,
	};

	if (pif == PIF_HOST) {
		req.scope = conf.net[fam].ifindex;
		if (!addr_is_loopback(ours))
			memcpy(req.ifname, conf.net[fam].outbound_if,
			       sizeof(req.ifname));
	}
	return sock_open(pif, &req);
}

struct ev udp_sock_event(const struct udp_sock *s)
{
	if (s->listener != UDP_NONE)
		return (struct ev) {
			.kind = EV_UDP_LISTEN, .slot = s->listener,
		};
	return (struct ev) {
		.kind = EV_UDP, .gen = s->gen, .slot = (uint32_t)(s - table),
	};
}

static bool watch(struct udp_sock *s)
{
	int rc = s->fd < 0 ? s->fd :
			     loop_add(s->fd, EPOLLIN, udp_sock_event(s));

	if (!rc) {
		listen_hold(s->pif, IPPROTO_UDP, s->our_port);
		return true;
	}
	if (s->fd >= 0)
		close_keep_errno(&s->fd);
	s->fd = -1;
	warn_limit("No socket for the datagrams of port %u: %s",
		   s->client.their_port, strerror(-rc));
	return drop(DROP_SOCKET);
}

static void unwatch(struct udp_sock *s)
{
	if (s->fd < 0)
		return;
	listen_unhold(s->pif, IPPROTO_UDP, s->our_port);
	loop_del(s->fd);
	close_keep_errno(&s->fd);
}

/* The port of the host that @r forwards to the client's; 0: it does not. */
static uint16_t forwarded(const struct udp_sock *s, const struct fwd_rule *r)
{
	const struct side *c = &s->client;
	enum fam fam = addr_fam(&c->ours);

	if (r->proto != IPPROTO_UDP || !addr_is_unspec(&r->target) ||
	    !addr_is_unspec(&r->listen) || r->ifname[0] ||
	    (!(r->flags & RULE_DUAL) && addr_fam(&r->listen) != fam))
		return 0;
	if (c->their_port < r->to || c->their_port - r->to > r->last - r->first)
		return 0;
	return (uint16_t)(r->first + (c->their_port - r->to));
}

/* Whether the client is who inbound datagrams go to, from where they come. */
static bool may_borrow(const struct udp_sock *s)
{
	const struct side *c = &s->client;
	const struct fwd_env *env = fwd_env();

	return c->pif == PIF_TAP && s->pif == PIF_HOST && !s->nth &&
	       addr_is_unspec(&c->ours) &&
	       !conf.net[addr_fam(&c->ours)].outbound_if[0] &&
	       (addr_eq(&c->theirs, &env->seen[addr_fam(&c->theirs)]) ||
		addr_eq(&c->theirs, &env->seen_ll));
}

/* *possible: there may be a listener later. */
static uint32_t find_listener(const struct udp_sock *s, uint16_t *port,
			      bool *possible)
{
	const struct fwd_table *t = listen_rules(PIF_HOST);

	*possible = false;
	if (!may_borrow(s))
		return UDP_NONE;
	for (unsigned i = 0; i < t->cnt; i++) {
		uint32_t slot;

		*port = forwarded(s, &t->rule[i]);
		if (!*port)
			continue;
		*possible = true;
		slot = listen_slot(PIF_HOST, i, *port);
		if (slot != LISTEN_NONE)
			return slot;
	}
	return UDP_NONE;
}

static int open_any(struct udp_sock *s)
{
	struct addr a;
	int fd = open_bound(s->pif, &s->client.ours, 0);

	if (fd >= 0 && !sock_local(fd, &a, &s->our_port))
		close_keep_errno(&fd);
	return fd;
}

/* Binding without SO_REUSEADDR keeps others' ports theirs; setting it
 * afterwards lets a listener of ours have the same one. */
static bool sock_start(struct udp_sock *s)
{
	uint16_t port = 0;
	bool possible;
	int one = 1;

	s->listener = find_listener(s, &port, &possible);
	if (s->listener != UDP_NONE) {
		s->our_port = port;
		return true;
	}
	s->our_port = s->client.their_port;
	s->fd = open_bound(s->pif, &s->client.ours, s->our_port);
	if (s->fd == -EACCES || s->fd == -EADDRINUSE || s->fd == -EPERM)
		s->fd = open_any(s);
	else if (s->fd >= 0 && possible)
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return watch(s);
}

int udp_sock_fd(struct udp_sock *s)
{
	const struct listener *l;

	if (s->listener == UDP_NONE)
		return s->fd;
	l = listen_get(s->listener);
	if (l)
		return l->fd;
	/* It was closed. Flows know the port, so it has to be that one. */
	s->listener = UDP_NONE;
	s->df = UDP_DF_UNSET;
	s->fd = open_bound(s->pif, &s->client.ours, s->our_port);
	watch(s);
	return s->fd;
}

void udp_sock_yield(struct udp_sock *s)
{
	uint16_t port = 0;
	bool possible;
	uint32_t slot = find_listener(s, &port, &possible);

	if (slot == UDP_NONE || port != s->our_port)
		return;
	unwatch(s);
	s->listener = slot;
}

static struct udp_sock *sock_new(const struct side *client, uint8_t pif,
				 unsigned nth)
{
	struct udp_sock *s = slot_take();

	if (!s) {
		warn_limit("All %u datagram sockets are in use", SOCKS_MAX);
		drop(DROP_TABLE_FULL);
		return NULL;
	}
	*s = (struct udp_sock) {
		.client = *client, .fd = -1, .gen = (uint16_t)(s->gen + 1),
		.pif = pif, .nth = (uint8_t)nth,
	};
	if (!sock_start(s)) {
		slot_release(s);
		return NULL;
	}
	link_in(s);
	return s;
}

/* --- for flows --- */

/* Where to bind, which with the client is the key. */
static struct side key_of(const struct side side[2])
{
	const struct side *tgt = &side[SIDE_TGT];
	enum fam fam = addr_fam(&tgt->theirs);
	const struct conf_net *net = &conf.net[fam];
	struct side key = {
		.theirs = side[SIDE_INI].theirs,
		.their_port = side[SIDE_INI].their_port,
		.pif = side[SIDE_INI].pif,
		.ours = tgt->ours,
	};

	if (tgt->pif == PIF_HOST && addr_is_loopback(&tgt->theirs) &&
	    !addr_is_loopback(&key.ours) &&
	    (!addr_is_unspec(&net->outbound) || net->outbound_if[0]))
		key.ours = addr_loopback(fam);
	return key;
}

uint32_t udp_sock_get(struct side side[2])
{
	struct side key = key_of(side), *tgt = &side[SIDE_TGT];

	tgt->ours = key.ours;
	for (unsigned nth = 0; nth < TWINS_MAX; nth++) {
		struct udp_sock *s = find(&key, tgt->pif, nth);

		if (!s)
			s = sock_new(&key, tgt->pif, nth);
		if (!s)
			return UDP_NONE;
		tgt->our_port = s->our_port;
		if (s->flows && flow_find(IPPROTO_UDP, tgt, NULL))
			continue;
		s->flows++;
		return (uint32_t)(s - table);
	}
	drop(DROP_SOCKET);
	return UDP_NONE;
}

void udp_sock_put(uint32_t idx)
{
	struct udp_sock *s = &table[idx];

	if (--s->flows)
		return;
	link_out(s);
	unwatch(s);
	slot_release(s);
}

void udp_sock_df(int fd, uint8_t *known, enum fam fam, enum udp_df df)
{
	static const struct {
		int level, name;
	} opt[FAM_COUNT] = {
		[FAM4] = { IPPROTO_IP, IP_MTU_DISCOVER },
		[FAM6] = { IPPROTO_IPV6, IPV6_MTU_DISCOVER },
	};
	static const int value[] = {
		[UDP_DF_UNSET] = IP_PMTUDISC_WANT,
		[UDP_DF_PATH] = IP_PMTUDISC_DO,
		[UDP_DF_NOT] = IP_PMTUDISC_DONT,
	};

	if (*known == df)
		return;
	*known = (uint8_t)df;
	setsockopt(fd, opt[fam].level, opt[fam].name, &value[df],
		   sizeof(value[df]));
}
