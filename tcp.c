/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp.c - life of a TCP connection between the link and a host socket
 *
 * The guest's TCP talks to us, and the host kernel's TCP talks to the peer: we
 * are the two ends that meet in between. Data for the guest stays in the host
 * socket until the guest has acknowledged it (tcp_out.c); data from the guest
 * goes to the socket at once, or waits in the backlog (tcp_in.c); all timeouts
 * are in tcp_timer.c. Here is what begins, changes and ends a connection.
 *
 *   guest's SYN:  CONNECTING -> SYN_ACKED ---.
 *                                             +--> ESTABLISHED --> CLOSED
 *   host's peer:  ACCEPTED ------------------'
 *
 * Closing is not a state: the two directions end independently, and the flags
 * GUEST_FIN, HOST_SHUT and HOST_EOF say how far each has come. RFC 9293 3.6.
 *
 * Sockets enter epoll once, edge-triggered. Events only set flags and queue the
 * connection; tcp_work() does, once per turn, whatever the flags allow.
 */
#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "fwd.h"
#include "icmp.h"
#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "resolver.h"
#include "sock.h"
#include "tcp_conn.h"
#include "timer.h"
#include "util.h"

SYSCALLS(bind, close, connect, epoll_ctl, setsockopt, shutdown, socket);

#define MSS_DEFAULT	536	/* RFC 9293 3.7.1 */
#define MSS_MIN		48
#define MTU_ETHERNET	1500
#define SCALE_MAX	14	/* RFC 7323 2.3 */
#define SCALE_OURS	7	/* windows up to BACKLOG_MAX */
#define NAMES_MAX	64u	/* tried, for a peer the guest would mistake */
#define PORT_FIRST	1024u	/* without a meaning of its own */
#define ISN_TICK_SHIFT	5	/* the clock of RFC 6528 ticks every 32 ns */

static const char *const state_names[] = {
#define X(name, text) #name,
	TCP_STATES(X)
#undef X
};

static struct counter ends[] = {
#define X(name, text) { #name, text, 0 },
	TCP_WHYS(X)
#undef X
};

/* Which state may follow which */
static const uint8_t edges[TCP_ST_COUNT] = {
	[TCP_ST_CLOSED] = 1 << TCP_ST_CONNECTING | 1 << TCP_ST_ACCEPTED,
	[TCP_ST_CONNECTING] = 1 << TCP_ST_SYN_ACKED | 1 << TCP_ST_CLOSED,
	[TCP_ST_SYN_ACKED] = 1 << TCP_ST_ESTABLISHED | 1 << TCP_ST_CLOSED,
	[TCP_ST_ACCEPTED] = 1 << TCP_ST_ESTABLISHED | 1 << TCP_ST_CLOSED,
	[TCP_ST_ESTABLISHED] = 1 << TCP_ST_CLOSED,
};

void tcp_transition(struct tcp_conn *c, enum tcp_state to)
{
	if (!(edges[c->state] & 1 << to))
		flow_err(&c->flow, "unexpected change from %s to %s",
			 state_names[c->state], state_names[to]);

	flow_debug(&c->flow, "%s -> %s", state_names[c->state],
		   state_names[to]);
	c->state = to;
}

static struct tcp_conn *tcp_conn(struct flow *f)
{
	return (struct tcp_conn *)f;
}

/* --- ending ------------------------------------------------------------- */

bool tcp_end_counter(unsigned i, struct counter *out)
{
	if (i >= ARRAY_SIZE(ends))
		return false;
	*out = ends[i];
	return true;
}

static void tcp_end(struct tcp_conn *c, enum tcp_why why)
{
	ends[why].count++;
	tcp_transition(c, TCP_ST_CLOSED);
	backlog_clear(&c->to_host.backlog);
	flow_free(&c->flow);
}

void tcp_abort(struct tcp_conn *c, enum tcp_why why)
{
	flow_debug(&c->flow, "%s: reset", ends[why].text);

	if (why != TCP_WHY_GUEST_RESET)
		tcp_out_rst(c);
	sock_reset(&c->fd);
	tcp_end(c, why);
}

/* The peer was told that we have it. A server that refuses the rest of a long
 * request answers, closes and resets: the guest is to see that answer. */
void tcp_host_reset(struct tcp_conn *c)
{
	int rc = 0;

	c->flags |= TCP_HOST_GONE | TCP_READABLE;
	if (c->state == TCP_ST_ESTABLISHED) {
		do {
			rc = tcp_out_data(c);
		} while (rc > 0);
	}
	if (!rc)
		tcp_abort(c, TCP_WHY_HOST_RESET);
}

bool tcp_close_if_done(struct tcp_conn *c)
{
	if (!tcp_has(c, TCP_HOST_SHUT) || !tcp_fin_acked(c))
		return false;

	/* Unread bytes would turn our close into a reset */
	if (!tcp_out_discard(c))
		return true;

	/* The guest may still wait for the ACK of its FIN */
	if (c->flags & (TCP_ACK_NOW | TCP_ACK_SOON))
		tcp_out_ack(c);
	close(c->fd);
	tcp_end(c, TCP_WHY_FINISHED);
	return true;
}

/* No connection: the guest hears it by ICMP where that says more than a reset
 * would (RFC 1122 4.2.3.9), as of a host that cannot be reached. */
static void tcp_connect_failed(struct tcp_conn *c, int err)
{
	flow_debug(&c->flow, "connect: %s", strerror(err));
	resolver_failed(&c->flow.side[!c->tap_side]);

	if (!icmp_unreachable_to_guest(&c->flow.side[c->tap_side], IPPROTO_TCP,
				       c->to_host.next - 1, err)) {
		tcp_abort(c, TCP_WHY_CONNECT);
		return;
	}
	close_keep_errno(&c->fd);
	tcp_end(c, TCP_WHY_CONNECT);
}

/* --- beginning ---------------------------------------------------------- */

/* What we tell the guest a segment may carry: what its MTU leaves. */
uint16_t tcp_mss_ours(const struct tcp_conn *c)
{
	unsigned mtu = conf.mtu ? conf.mtu : MTU_ETHERNET;

	return (uint16_t)(mtu - (c->tmpl.hdr_len - ETH_HLEN_));
}

/* What a segment may carry to this guest: its MSS option, our own MTU. */
static uint16_t tcp_mss(const struct tcp_conn *c, uint16_t option)
{
	unsigned mss = MIN(option ? option : MSS_DEFAULT, tcp_mss_ours(c));

	return (uint16_t)MAX(mss, MSS_MIN);
}

/* RFC 6528 3: a clock, and a keyed hash of who talks to whom. */
static uint32_t tcp_isn(const struct tcp_conn *c)
{
	uint64_t h = flow_hash(IPPROTO_TCP, &c->flow.side[c->tap_side]);

	return (uint32_t)(h ^ h >> 32) +
	       (uint32_t)(clock_ns() >> ISN_TICK_SHIFT);
}

static struct tcp_conn *tcp_new(const struct side side[2], uint8_t tap_side)
{
	struct flow *f = flow_alloc(FLOW_TCP);
	const struct side *tap = &side[tap_side];
	struct mac guest = link_guest_mac(), mac = neigh_mac(&tap->ours);
	struct tcp_conn *c = tcp_conn(f);
	uint32_t isn, label;

	if (!f)
		return NULL;

	memcpy(f->side, side, sizeof(f->side));
	c->fd = -1;
	c->tap_side = tap_side;
	c->neigh_gen = neigh_generation();
	label = (uint32_t)flow_hash(IPPROTO_TCP, tap) & 0xfffff;
	frame_tmpl_init(&c->tmpl, IPPROTO_TCP, &tap->ours, tap->our_port,
			&tap->theirs, tap->their_port, &mac, &guest, label);
	isn = tcp_isn(c);
	c->to_guest = (struct tcp_to_guest) {
		.next = isn, .acked = isn, .high = isn, .base = isn + 1,
	};
	c->mss = tcp_mss(c, 0);
	c->our_scale = SCALE_OURS;
	tcp_timer_init(c);
	return c;
}

/* From here on events arrive for it. A connection that has seen connect() or
 * accept(): earlier, the kernel would report a hang-up at once. */
static bool tcp_watch(struct tcp_conn *c)
{
	struct ev ev = flow_ev(&c->flow, EV_TCP, !c->tap_side);

	return !loop_add(c->fd, EV_FLOW_MASK, ev);
}

static void tcp_connected(struct tcp_conn *c)
{
	resolver_answered(&c->flow.side[!c->tap_side]);
	tcp_transition(c, TCP_ST_SYN_ACKED);
	tcp_out_syn(c);
	tcp_timer_syn_sent(c);
}

static void tcp_connect(struct tcp_conn *c)
{
	const struct side *host = &c->flow.side[!c->tap_side];
	enum fam fam = addr_fam(&host->theirs);
	int rc;

	c->fd = sock_tcp(PIF_HOST, SOCK_KIND_TCP_CONNECT, fam);
	if (c->fd < 0) {
		/* The guest will try again, and we may have better luck */
		flow_warn(&c->flow, "no socket: %s", strerror(-c->fd));
		drop(DROP_SOCKET);
		tcp_end(c, TCP_WHY_SOCKET);
		return;
	}
	rc = sock_bind_outbound(c->fd, &host->ours, &host->theirs);
	if (rc)		/* worth a warning, not the connection */
		flow_warn(&c->flow, "cannot bind as asked for: %s",
			  strerror(-rc));

	rc = sock_connect(c->fd, &host->theirs, host->their_port,
			  conf.net[fam].ifindex);
	if (rc && rc != -EINPROGRESS) {
		tcp_connect_failed(c, -rc);
		return;
	}
	if (!tcp_watch(c)) {
		flow_err(&c->flow, "cannot watch socket: %s", strerror(errno));
		tcp_abort(c, TCP_WHY_SOCKET);
		return;
	}
	resolver_asked(host);
	if (!rc)
		tcp_connected(c);
}

/* Options of the guest's SYN or SYN-ACK. */
void tcp_take_options(struct tcp_conn *c, const struct tcp_seg *seg)
{
	c->mss = tcp_mss(c, seg->mss);
	if (seg->wscale < 0) {
		c->flags |= TCP_NO_SCALE;
		c->our_scale = 0;
	} else {
		c->guest_scale = (uint8_t)MIN(seg->wscale, SCALE_MAX);
	}
	/* RFC 7323 2.2: the window of a SYN is never scaled */
	c->to_guest.window = seg->window;
	c->to_host.next = c->to_host.acked = seg->seq + 1;
	c->to_host.edge = c->to_host.next;
}

static void tcp_from_guest_syn(const struct packet *p, const struct tcp_seg *seg)
{
	struct side side[2] = { {
		.ours = p->dst, .our_port = p->dport,
		.theirs = p->src, .their_port = p->sport, .pif = PIF_TAP,
	} };
	struct tcp_conn *c;

	switch (fwd_from_tap(fwd_env(), IPPROTO_TCP, &side[0], &side[1])) {
	case FWD_OK:
		break;
	case FWD_REFUSED:
		drop(DROP_REFUSED);
		return;
	case FWD_BAD_ADDRESS:
		drop(DROP_ADDRESS);
		return;
	}

	c = tcp_new(side, SIDE_INI);
	if (!c)
		return;

	tcp_take_options(c, seg);
	tcp_transition(c, TCP_ST_CONNECTING);
	flow_hash_insert(&c->flow, SIDE_INI);
	tcp_connect(c);
}

/* The guest knows a peer by the name we give it, and two connections may have
 * come to the same: from one port of a peer to two of ours that lead to one of
 * the guest's, or from addresses that the guest cannot be shown. The later one
 * gets another port, as behind any NAT. */
static bool tcp_name_is_new(struct side *tap)
{
	for (unsigned tries = 0; tries < NAMES_MAX; tries++) {
		if (!flow_find(IPPROTO_TCP, tap, NULL))
			return true;
		tap->our_port = (uint16_t)MAX((tap->our_port + 1u) & UINT16_MAX,
					      PORT_FIRST);
	}
	return drop(DROP_REFUSED);
}

void tcp_from_host(int fd, const struct side given[2])
{
	struct side side[2] = { given[0], given[1] };
	struct tcp_conn *c = tcp_name_is_new(&side[SIDE_TGT]) ?
			     tcp_new(side, SIDE_TGT) : NULL;

	if (!c) {
		sock_reset(&fd);
		return;
	}
	c->fd = fd;
	tcp_transition(c, TCP_ST_ACCEPTED);
	flow_hash_insert(&c->flow, SIDE_TGT);
	if (!tcp_watch(c)) {
		flow_err(&c->flow, "cannot watch socket: %s", strerror(errno));
		sock_reset(&c->fd);
		tcp_end(c, TCP_WHY_SOCKET);
		return;
	}
	tcp_out_syn(c);
	tcp_timer_syn_sent(c);
}

void tcp_established(struct tcp_conn *c)
{
	tcp_transition(c, TCP_ST_ESTABLISHED);
	tcp_timer_established(c);
	flow_ready(&c->flow);
}

/* --- packets, events, turns --------------------------------------------- */

/* A segment of no connection: it may begin one. */
static void tcp_no_flow(const struct packet *p)
{
	struct tcp_seg seg;

	frame_tcp_seg(p, &seg);
	if (seg.flags & TCP_FLAG_RST) {
		drop(DROP_NO_FLOW);
		return;
	}
	if ((seg.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_FIN)) ==
	    TCP_FLAG_SYN) {
		tcp_from_guest_syn(p, &seg);
		return;
	}
	drop(DROP_NO_FLOW);
	if (addr_is_unicast(&p->src) && addr_is_unicast(&p->dst))
		tcp_out_rst_reply(p, &seg);
}

void tcp_from_guest(const struct packet *p, unsigned n)
{
	const struct side key = {
		.ours = p->dst, .our_port = p->dport,
		.theirs = p->src, .their_port = p->sport, .pif = PIF_TAP,
	};

	/* One batch may end one connection and begin the next of that name */
	for (unsigned i = 0; i < n;) {
		struct flow *f = flow_find(IPPROTO_TCP, &key, NULL);

		if (f)
			i += tcp_in(tcp_conn(f), p + i, n - i);
		else
			tcp_no_flow(&p[i++]);
	}
}

void tcp_event(struct flow *f, unsigned side, uint32_t events)
{
	struct tcp_conn *c = tcp_conn(f);

	(void)side;
	if (events & EPOLLERR) {
		int e = sock_error(c->fd);

		e = e < 0 ? -e : e;
		if (c->state == TCP_ST_CONNECTING) {
			tcp_connect_failed(c, e);
			return;
		}
		flow_debug(f, "host socket: %s", strerror(e));
		tcp_host_reset(c);
		return;
	}

	if (events & EPOLLHUP && c->state != TCP_ST_ESTABLISHED) {
		tcp_abort(c, TCP_WHY_HOST_RESET);
		return;
	}

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		c->flags |= TCP_READABLE;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		c->flags |= TCP_PEER_FIN;
	if (events & EPOLLPRI)
		c->flags |= TCP_URGENT | TCP_READABLE;
	if (events & EPOLLOUT)
		c->flags |= TCP_WRITABLE;
	tcp_timer_host_activity(c);
	flow_ready(f);
}

bool tcp_shut_host(struct tcp_conn *c)
{
	if (!tcp_has(c, TCP_GUEST_FIN) || tcp_has(c, TCP_HOST_SHUT) ||
	    c->to_host.backlog.bytes)
		return true;

	if (shutdown(c->fd, SHUT_WR)) {
		flow_debug(&c->flow, "shutdown: %s", strerror(errno));
		tcp_abort(c, TCP_WHY_SOCKET);
		return false;
	}
	c->flags |= TCP_HOST_SHUT;
	return true;
}

static bool tcp_work_established(struct tcp_conn *c)
{
	int more;

	if (c->to_host.backlog.bytes && tcp_has(c, TCP_WRITABLE) &&
	    !tcp_in_drain(c))
		return false;
	if (!tcp_shut_host(c))
		return false;

	more = tcp_out_data(c);
	if (more < 0)
		return false;

	if (tcp_out_window_worth(c))
		c->flags |= TCP_ACK_NOW;
	tcp_out_ack_if_owed(c);

	return !tcp_close_if_done(c) && more;
}

bool tcp_work(struct flow *f)
{
	struct tcp_conn *c = tcp_conn(f);

	switch ((enum tcp_state)c->state) {
	case TCP_ST_CONNECTING:
		if (tcp_has(c, TCP_WRITABLE))
			tcp_connected(c);
		return false;
	case TCP_ST_ESTABLISHED:
		return tcp_work_established(c);
	case TCP_ST_CLOSED:
	case TCP_ST_SYN_ACKED:
	case TCP_ST_ACCEPTED:
	case TCP_ST_COUNT:
		return false;
	}
	return false;
}

