/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp.c - conversations in datagrams: begin, pass on, forget
 *
 * UDP knows no connections; we need them to know whose answer is whose, and
 * where an error belongs. A flow begins with a datagram nobody expected, from
 * the guest or at a listener, if fwd.c says so, and ends by silence.
 *
 *	from the guest	    flow by its addresses on the link     -> socket
 *	at a socket	    flow by that socket's port and peer   -> guest, or
 *	at a listener	    as above, or else a new one           -> socket
 *
 * Filtering, RFC 4787 5: a socket made for a client takes datagrams from those
 * the client has sent to, address and port, and drops all others; ports opened
 * by option take everybody's. One exception: having sent to a group, or to all
 * of a network, a client may be answered by anybody, while that flow lasts.
 *
 * What the guest sends to a group, or to all, is heard by the host's programs as
 * well, as if one of them had sent it (IP_MULTICAST_LOOP stays on); and so by
 * us, where the port is forwarded or the client's own. The guest does not get
 * back what it has sent: on its link, that would be a second host of its name.
 * Groups are not joined; a forwarded port gets what comes for those that a
 * program of the host has joined.
 *
 * Timeouts, RFC 4787 4.3, are those of the host's connection tracking: a short
 * one until there was more than a question and an answer, then a long one. To a
 * resolver, question and answer are all there is.
 *
 * Whoever can send here can make flows, with a source address made up for each.
 * So they get half of the table, never more: then, as where there is no socket
 * left, of some that are looked at the one that would end first ends now. What
 * nobody answered gives way to conversations, and neither keeps out what is new.
 *
 * Which socket: udp_sock.c; out of it: udp_send.c; into memory: udp_recv.c; to
 * the guest: udp_tap.c; errors: udp_error.c.
 */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "conf.h"
#include "fwd.h"
#include "icmp.h"
#include "link/link.h"
#include "listen.h"
#include "log.h"
#include "neigh.h"
#include "resolver.h"
#include "sock.h"
#include "timer.h"
#include "udp_flow.h"
#include "util.h"

SYSCALLS(setsockopt);

#define ANSWERED_MS	10000	/* a resolver's flow, once it answered */
#define IP_DF		0x40	/* in the seventh byte of an IPv4 header */
#define MTU_ETHERNET	1500u
#define LOOKS_MAX	64u	/* flows looked at, for one to give way */
#define CANDIDATES	8u	/* of them those that could */

static unsigned host_mtu[FAM_COUNT];	/* of the interface towards outside */

/* --- start --- */

static unsigned mtu_of(const char *ifname)
{
	const struct sock_req req = { .kind = SOCK_KIND_UDP_FLOW };
	struct ifreq ifr = { 0 };
	int fd = sock_open_here(&req), rc;

	if (fd < 0)
		return MTU_ETHERNET;
	memcpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name));
	rc = ioctl(fd, SIOCGIFMTU, &ifr);
	close_keep_errno(&fd);
	return rc || ifr.ifr_mtu <= 0 ? MTU_ETHERNET : (unsigned)ifr.ifr_mtu;
}

void udp_init(void)
{
	udp_sock_init();
	udp_pace_init();
	for (unsigned fam = 0; fam < FAM_COUNT; fam++) {
		const struct conf_net *net = &conf.net[fam];

		host_mtu[fam] = mtu_of(net->outbound_if[0] ? net->outbound_if :
							     net->ifname);
	}
}

/* --- life of a flow --- */

static bool is_group(const struct addr *a)
{
	return addr_is_multicast(a) || addr_is_broadcast(a);
}

/* A client that asks many will be answered by many. */
static void open_to_all(struct udp_flow *u)
{
	if (u->group || u->sock == UDP_NONE)
		return;
	u->group = true;
	udp_sock_at(u->sock)->groups++;
}

static bool is_resolver(const struct udp_flow *u)
{
	uint16_t port = u->flow.side[SIDE_TGT].their_port;

	return port == 53 || port == 853;
}

static uint64_t timeout_ms(const struct udp_flow *u)
{
	if (!u->sent[SIDE_TGT] ||
	    (u->sent[SIDE_INI] <= 1 && u->sent[SIDE_TGT] <= 1)) {
		if (u->sent[SIDE_TGT] && is_resolver(u))
			return ANSWERED_MS;
		return conf.udp_timeout_s * UINT64_C(1000);
	}
	return conf.udp_timeout_stream_s * UINT64_C(1000);
}

/* All flows, by number: the one that was looked at last is the last. */
static struct {
	uint32_t first, last;
} queue = { FLOW_NONE, FLOW_NONE };

static struct udp_flow *udp_at(uint32_t idx)
{
	return udp_flow(flow_at(idx));
}

static void queue_append(struct udp_flow *u)
{
	uint32_t idx = flow_idx(&u->flow);

	u->before = queue.last;
	u->behind = FLOW_NONE;
	if (queue.last != FLOW_NONE)
		udp_at(queue.last)->behind = idx;
	else
		queue.first = idx;
	queue.last = idx;
}

static void queue_remove(struct udp_flow *u)
{
	if (u->before != FLOW_NONE)
		udp_at(u->before)->behind = u->behind;
	else
		queue.first = u->behind;
	if (u->behind != FLOW_NONE)
		udp_at(u->behind)->before = u->before;
	else
		queue.last = u->before;
}

static void udp_end(struct udp_flow *u)
{
	flow_debug(&u->flow, "closing, %u and %u datagrams",
		   u->sent[SIDE_INI], u->sent[SIDE_TGT]);
	if (u->sock != UDP_NONE) {
		if (u->group)
			udp_sock_at(u->sock)->groups--;
		udp_sock_put(u->sock);
	}
	queue_remove(u);
	flow_free(&u->flow);
}

/* Traffic only notes the time; the deadline is looked at when it comes. */
void udp_expire(struct flow *f)
{
	struct udp_flow *u = udp_flow(f);
	uint64_t due = u->last_ms + timeout_ms(u);

	if (clock_ms() < due)
		timer_set(flow_idx(f), due);
	else
		udp_end(u);
}

/* Whether its end leaves a socket to others. */
static bool has_own_sock(const struct udp_flow *u)
{
	return u->sock != UDP_NONE && udp_sock_at(u->sock)->flows == 1;
}

/* Of the first in the queue. Those that stay go to its end, so that each is
 * looked at as often as others. */
static struct udp_flow *next_to_end(bool of_own_sock)
{
	struct udp_flow *first = NULL;
	uint64_t first_due = TIMER_NEVER;

	for (unsigned looks = 0, seen = 0;
	     queue.first != FLOW_NONE && looks < LOOKS_MAX &&
	     seen < CANDIDATES; looks++) {
		struct udp_flow *u = udp_at(queue.first);
		uint64_t due = u->last_ms + timeout_ms(u);

		queue_remove(u);
		queue_append(u);
		if (of_own_sock && !has_own_sock(u))
			continue;
		seen++;
		if (due < first_due) {
			first_due = due;
			first = u;
		}
	}
	return first;
}

static void give_way(bool for_sock)
{
	struct udp_flow *u = next_to_end(for_sock);

	if (!u)
		return;		/* what is new will be refused, and counted */
	warn_limit("Too many conversations in datagrams: an old one ends");
	udp_end(u);
}

/* The tag of the socket at @side, which may be a listener's. */
static struct ev event_of(const struct udp_flow *u, unsigned side)
{
	struct ev ev = { .kind = EV_UDP_LISTEN, .slot = u->listener };

	if (side == SIDE_TGT)
		ev = udp_sock_event(udp_sock_at(u->sock));
	return ev;
}

static void note_sent(struct udp_flow *u, unsigned from, unsigned n)
{
	bool first = !u->sent[from];

	u->sent[from] = (uint8_t)MIN(u->sent[from] + n, 255u);
	u->last_ms = clock_ms();
	if (u->tap_side != !from)
		udp_pace_out(event_of(u, !from), n);
	/* The only time that the deadline may come nearer. */
	if (first && from == SIDE_TGT)
		timer_set(flow_idx(&u->flow), u->last_ms + timeout_ms(u));
}

/* Of two flows whose guest-side names are equal, the guest's datagrams belong
 * to the one that spoke last. */
static void hash_tap_side(struct udp_flow *u)
{
	unsigned old_side;
	struct flow *old = flow_find(IPPROTO_UDP,
				     &u->flow.side[u->tap_side], &old_side);

	if (old)
		flow_hash_remove(old, old_side);
	flow_hash_insert(&u->flow, u->tap_side);
}

static void tmpl_refresh(struct udp_flow *u)
{
	u->neigh_gen = neigh_generation();
	udp_tap_tmpl(&u->tmpl, &u->flow.side[u->tap_side]);
}

static struct flow *slot_for_flow(void)
{
	if (flow_count(FLOW_UDP) >= UDP_FLOWS_MAX)
		give_way(false);
	return flow_alloc(FLOW_UDP);
}

static struct udp_flow *udp_new(const struct side side[2], uint32_t sock,
				uint32_t listener)
{
	struct flow *f = slot_for_flow();
	struct udp_flow *u = udp_flow(f);

	if (!f) {
		warn_limit("Flow table full: datagrams dropped");
		return NULL;
	}
	memcpy(f->side, side, sizeof(f->side));
	u->sock = sock;
	u->listener = listener;
	u->gso_limit[0] = u->gso_limit[1] = UINT16_MAX;
	u->last_ms = clock_ms();
	u->tap_side = SIDE_NONE;
	for (uint8_t i = 0; i < 2; i++) {
		if (side[i].pif == PIF_TAP)
			u->tap_side = i;
		else
			flow_hash_insert(f, i);
	}
	if (u->tap_side != SIDE_NONE) {
		tmpl_refresh(u);
		hash_tap_side(u);
	}
	queue_append(u);
	timer_set(flow_idx(f), u->last_ms + timeout_ms(u));
	flow_debug(f, "new");
	return u;
}

static bool verdict_ok(enum fwd_verdict v)
{
	switch (v) {
	case FWD_OK:
		return true;
	case FWD_REFUSED:
		return drop(DROP_REFUSED);
	case FWD_BAD_ADDRESS:
		return drop(DROP_ADDRESS);
	}
	return false;
}

/* --- passing on --- */

static int socket_of(const struct udp_flow *u, unsigned side)
{
	const struct listener *l;

	if (side == SIDE_TGT)
		return udp_sock_fd(udp_sock_at(u->sock));
	l = listen_get(u->listener);
	return l ? l->fd : -1;
}

static bool send_start(struct udp_flow *u, unsigned to, uint8_t ttl,
		       uint8_t tos)
{
	struct udp_dest d = {
		.fd = socket_of(u, to),
		.side = &u->flow.side[to],
		.as_ours = to == SIDE_INI && !u->to_all,
		.ttl = ttl,
		.tos = tos,
		.gso_limit = &u->gso_limit[to],
	};

	if (d.fd < 0)
		return drop(DROP_SOCKET);
	udp_send_start(&d);
	return true;
}

static int send_got(struct udp_flow *u, unsigned to, const struct udp_got *g,
		    unsigned n)
{
	if (!send_start(u, to, 0, g->tos))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct view v = { &g[i].data, 0, g[i].data.iov_len };

		udp_send_add(&v, g[i].unit);
	}
	return udp_send_finish();
}

static int send_packets(struct udp_flow *u, unsigned to,
			const struct packet *p, unsigned n)
{
	if (!send_start(u, to, p->ttl, p->tos))
		return 0;
	for (unsigned i = 0; i < n; i++)
		udp_send_add(&p[i].payload,
			     p[i].gso == GSO_UDP ? p[i].gso_size : 0);
	return udp_send_finish();
}

/* Sending to all of a network has to be asked for: each time, because which
 * address that is only the kernel knows, and this is how it tells. Refused all
 * the same, it is one that is forbidden, and nobody has been asked. */
static int send_to_all(struct udp_flow *u, unsigned to, const struct packet *p,
		       unsigned n)
{
	int fd = socket_of(u, to), on = 1, off = 0, rc;

	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)))
		return -errno;
	rc = send_packets(u, to, p, n);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &off, sizeof(off));
	if (rc != -EACCES)
		open_to_all(u);
	return rc;
}

static void to_guest(struct udp_flow *u, const struct udp_got *g, unsigned n)
{
	if (u->neigh_gen != neigh_generation())
		tmpl_refresh(u);
	udp_tap_send(&u->tmpl, g, n);
}

/* Datagrams of one flow and TOS, received at side @from. */
static void pass_on(struct udp_flow *u, unsigned from, const struct udp_got *g,
		    unsigned n)
{
	note_sent(u, from, n);
	if (from == SIDE_TGT)
		resolver_answered(&u->flow.side[SIDE_TGT]);
	if (u->tap_side == !from)
		to_guest(u, g, n);
	else
		send_got(u, !from, g, n);
}

/* --- from the guest --- */

/* Whether the guest wants to be told, instead of its datagram being cut. One
 * that does not even fit the host's interface is no probe of the path: the
 * guest's large MTU is our doing, so cutting it is ours too. */
static enum udp_df df_of(const struct packet *p)
{
	enum fam fam = addr_fam(&p->dst);
	size_t len = p->l3.len + p->l4.len +
		     (p->gso == GSO_UDP ? p->gso_size : p->payload.len);
	bool df = !p->reassembled && (fam == FAM6 || p->l3.p[6] & IP_DF);

	return df && len <= host_mtu[fam] ? UDP_DF_PATH : UDP_DF_NOT;
}

/* Listeners are shared, so it is they who know what they are set to. */
static void set_df(struct udp_flow *u, unsigned to, enum udp_df df)
{
	struct udp_sock *s = to == SIDE_TGT ? udp_sock_at(u->sock) : NULL;
	enum fam fam = addr_fam(&u->flow.side[to].theirs);
	int fd = socket_of(u, to);	/* may be another one from now on */
	uint32_t slot = s ? s->listener : u->listener;

	if (fd < 0)
		return;
	if (slot != UDP_NONE)
		udp_sock_df(fd, &listen_get(slot)->df[fam], fam, df);
	else if (s)
		udp_sock_df(fd, &s->df, fam, df);
}

static uint32_t sock_get(struct side side[2])
{
	if (!udp_sock_left())
		give_way(true);
	return udp_sock_get(side);
}

static struct udp_flow *start_from_guest(const struct side *ini)
{
	struct side side[2] = { *ini };
	struct udp_flow *u;
	uint32_t sock;

	if (!verdict_ok(fwd_from_tap(fwd_env(), IPPROTO_UDP, &side[SIDE_INI],
				     &side[SIDE_TGT])))
		return NULL;
	sock = sock_get(side);
	if (sock == UDP_NONE)
		return NULL;
	u = udp_new(side, sock, UDP_NONE);
	if (!u) {
		udp_sock_put(sock);
		return NULL;
	}
	if (is_group(&side[SIDE_TGT].theirs))
		open_to_all(u);
	return u;
}

/* The host knows no way to there, or forbids it: nobody else will say so. */
static void tell_not_sent(const struct packet *p, int rc)
{
	struct icmp_error e;

	if (icmp_error_of_errno(addr_fam(&p->dst), -rc, &e))
		icmp_error_about(p, &e);
}

/* @n of them that are alike in what has to be set on the socket. */
static void guest_run(struct udp_flow *u, const struct packet *p, unsigned n,
		      enum udp_df df)
{
	unsigned to = !u->tap_side;
	const struct side *host = &u->flow.side[to];
	int rc;

	set_df(u, to, df);
	rc = u->group && !addr_is_multicast(&host->theirs) ?
	     -EACCES : send_packets(u, to, p, n);
	if (rc == -EACCES)
		rc = send_to_all(u, to, p, n);
	if (rc == -EMSGSIZE)
		udp_errors(socket_of(u, to), host, u);
	else if (rc)
		tell_not_sent(p, rc);
	if (rc && rc != -EAGAIN && rc != -EMSGSIZE)
		resolver_failed(host);
	else
		resolver_asked(host);
}

void udp_from_guest(const struct packet *p, unsigned n)
{
	const struct side ini = {
		.ours = p->dst, .our_port = p->dport,
		.theirs = p->src, .their_port = p->sport, .pif = PIF_TAP,
	};
	struct flow *f = flow_find(IPPROTO_UDP, &ini, NULL);
	struct udp_flow *u = f ? udp_flow(f) : NULL;

	/* The same query again, from the same port: to another resolver. */
	if (u && resolver_moved(f->side)) {
		udp_end(u);
		u = NULL;
	}
	if (!u)
		u = start_from_guest(&ini);
	if (!u) {
		while (--n)
			drop(DROP_NO_FLOW);
		return;
	}
	note_sent(u, u->tap_side, n);
	while (n) {
		enum udp_df df = df_of(p);
		unsigned same = 1;

		while (same < n && df_of(&p[same]) == df)
			same++;
		guest_run(u, p, same, df);
		p += same;
		n -= same;
	}
}

/* --- from sockets --- */

/* How many from the first on are from the same peer, and of one TOS. */
static unsigned same_peer(const struct udp_got *g, unsigned n)
{
	unsigned i = 1;

	while (i < n && g[i].peer_port == g->peer_port &&
	       g[i].tos == g->tos && addr_eq(&g[i].peer, &g->peer) &&
	       addr_eq(&g[i].ours, &g->ours))
		i++;
	return i;
}

static void drop_run(enum drop_reason why, unsigned n)
{
	while (n--)
		drop(why);
}

static bool is_of_host(const struct udp_got *g)
{
	return sock_host_has(&g->peer, conf.net[addr_fam(&g->peer)].ifindex);
}

/* From somebody the client has not named, in answer to a group. */
static void answer_to_all(const struct udp_sock *s, const struct udp_got *g,
			  unsigned n)
{
	enum fam fam = addr_fam(&g->peer);
	struct side tap = {
		.theirs = s->client.theirs, .their_port = s->client.their_port,
		.our_port = g->peer_port, .pif = PIF_TAP,
	};
	struct frame_tmpl tmpl;

	if (g->peer_port == s->our_port && is_of_host(g)) {
		drop_run(DROP_OWN, n);
		return;
	}
	if (!fwd_host_to_guest(fwd_env(), &g->peer, &tap.ours))
		tap.ours = fam == FAM4 ? conf.net[fam].our_tap : conf.our_ll;
	if (addr_is_unspec(&tap.ours)) {
		drop_run(DROP_ADDRESS, n);
		return;
	}
	udp_tap_tmpl(&tmpl, &tap);
	udp_tap_send(&tmpl, g, n);
}

static void sock_run(struct udp_sock *s, const struct udp_got *g, unsigned n)
{
	struct side key = {
		.ours = s->client.ours, .our_port = s->our_port,
		.theirs = g->peer, .their_port = g->peer_port, .pif = s->pif,
	};
	unsigned side;
	struct flow *f = flow_find(IPPROTO_UDP, &key, &side);

	if (f) {
		pass_on(udp_flow(f), side, g, n);
		return;
	}
	udp_sock_yield(s);	/* the next one may be for a listener */
	if (s->groups && s->client.pif == PIF_TAP)
		answer_to_all(s, g, n);
	else
		drop_run(DROP_NO_FLOW, n);
}

void udp_handle(struct ev ev, uint32_t events)
{
	struct udp_sock *s = udp_sock_of_event(ev);
	const struct udp_got *g;
	unsigned n, same;

	if (!s || s->fd < 0)
		return;
	if (events & EPOLLERR) {
		const struct side key = {
			.ours = s->client.ours, .our_port = s->our_port,
			.pif = s->pif,
		};

		udp_errors(s->fd, &key, NULL);
	}
	if (!(events & EPOLLIN))
		return;
	n = udp_recv(s->fd, &g);
	udp_pace_in(s->fd, ev, g, n);
	for (; n; g += same, n -= same) {
		same = same_peer(g, n);
		sock_run(s, g, same);
	}
}

/* --- from listeners --- */

static struct udp_flow *start_from_listener(const struct listener *l,
					    uint32_t slot,
					    const struct side *ini, bool to_all)
{
	bool inbound = l->pif == PIF_HOST;
	const struct fwd_table *t = listen_rules(l->pif);
	struct side side[2] = { *ini };
	uint32_t sock = UDP_NONE;
	struct udp_flow *u;

	if (!verdict_ok((inbound ? fwd_from_host : fwd_from_splice)(
				fwd_env(), IPPROTO_UDP, &t->rule[l->rule],
				&side[SIDE_INI], &side[SIDE_TGT])))
		return NULL;
	if (side[SIDE_TGT].pif != PIF_TAP) {
		sock = sock_get(side);
		if (sock == UDP_NONE)
			return NULL;
	}
	u = udp_new(side, sock, slot);
	if (u)
		u->to_all = to_all;
	else if (sock != UDP_NONE)
		udp_sock_put(sock);
	return u;
}

/* Whether the guest has sent that to many, by a socket on the host. */
static bool came_back(const struct listener *l, const struct udp_got *g)
{
	struct side key = {
		.ours = g->peer, .our_port = g->peer_port,
		.theirs = g->ours, .their_port = l->port, .pif = l->pif,
	};
	struct flow *f = flow_find(IPPROTO_UDP, &key, NULL);

	if (!f) {	/* not bound to an address */
		key.ours = addr_any(addr_fam(&g->peer));
		f = flow_find(IPPROTO_UDP, &key, NULL);
	}
	return f && udp_flow(f)->group && is_of_host(g);
}

static void listener_run(const struct listener *l, uint32_t slot,
			 const struct udp_got *g, unsigned n)
{
	struct side key = {
		.ours = g->ours, .our_port = l->port,
		.theirs = g->peer, .their_port = g->peer_port, .pif = l->pif,
	};
	unsigned side = SIDE_INI;
	struct flow *f = flow_find(IPPROTO_UDP, &key, &side);
	struct udp_flow *u;

	if (!f) {	/* a client's that sends from here: udp_sock.c */
		key.ours = addr_any(addr_fam(&g->peer));
		f = flow_find(IPPROTO_UDP, &key, &side);
		key.ours = g->ours;
	}
	if (!f && came_back(l, g)) {
		drop_run(DROP_OWN, n);
		return;
	}
	u = f ? udp_flow(f) : start_from_listener(l, slot, &key, g->to_all);
	if (u)
		pass_on(u, side, g, n);
	else
		drop_run(DROP_NO_FLOW, n - 1);
}

void udp_listen_handle(struct ev ev, uint32_t events)
{
	const struct listener *l = listen_get(ev.slot);
	const struct udp_got *g;
	unsigned n, same;

	if (!l)
		return;
	if (events & EPOLLERR) {
		const struct side key = {
			.our_port = l->port, .pif = l->pif,
		};

		udp_errors(l->fd, &key, NULL);
	}
	if (!(events & EPOLLIN))
		return;
	n = udp_recv(l->fd, &g);
	udp_pace_in(l->fd, ev, g, n);
	for (; n; g += same, n -= same) {
		same = same_peer(g, n);
		listener_run(l, ev.slot, g, same);
	}
}
