/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_in.c - segments from the guest: handshakes, data, ACKs, resets
 *
 * Segments come in runs of one connection. What is in order joins a list of
 * pieces that still lie in the link's memory, and one sendmsg() gives them to
 * the host socket; what the socket does not take goes to the backlog. Accepted
 * is accepted: no byte below to_host.next is ever dropped, and a gap is filled
 * from the same batch or answered by a duplicate ACK (RFC 5681 3.2).
 *
 * A segment is judged by RFC 9293 3.10.7.4: outside the window it is answered,
 * not obeyed; a reset must hit the next expected byte (RFC 5961 3.2), and a SYN
 * is challenged (RFC 5961 4.2).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "sock.h"
#include "tcp.h"
#include "tcp_conn.h"
#include "util.h"

SYSCALLS(sendmsg, setsockopt);

#define RUN_MAX		64u	/* packets looked at together */
#define RUN_IOV		256u
#define DUP_ACKS	3	/* RFC 5681 3.2 */
#define DRAIN_IOV	64u
#define RETRIES_KEPT	6	/* a guest that answers probes is not dead */

/* In-order payload of a run, not yet given to the host socket. */
struct run {
	struct iovec iov[RUN_IOV];
	unsigned cnt;
	uint32_t len;
	bool fin;		/* the guest's FIN follows */
	unsigned gaps;		/* segments that came too early */
};

/* --- to the host socket ------------------------------------------------- */

/* The socket is full until epoll says otherwise. */
static void tcp_in_blocked(struct tcp_conn *c)
{
	c->flags &= ~(uint32_t)TCP_WRITABLE;
	c->flags |= TCP_ROOM_KNOWN;
	c->to_host.room = 0;
}

/* Bytes the socket took; -1: the connection is aborted. */
static ssize_t tcp_in_send(struct tcp_conn *c, struct iovec *iov, unsigned cnt,
			   size_t len)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = cnt };
	ssize_t n;

	do {
		n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);

	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
		flow_debug(&c->flow, "send: %s", strerror(errno));
		tcp_host_reset(c);
		return -1;
	}
	n = MAX(n, 0);
	c->to_host.room -= MIN((uint32_t)n, c->to_host.room);
	if ((size_t)n < len)
		tcp_in_blocked(c);
	return n;
}

bool tcp_in_drain(struct tcp_conn *c)
{
	struct backlog *b = &c->to_host.backlog;

	while (b->bytes && tcp_has(c, TCP_WRITABLE)) {
		struct iovec iov[DRAIN_IOV];
		unsigned cnt = backlog_iov(b, iov, DRAIN_IOV);
		ssize_t n = tcp_in_send(c, iov, cnt, iov_len(iov, cnt));

		if (n < 0)
			return false;
		backlog_consume(b, (size_t)n);
	}
	return true;
}

/* Three duplicate ACKs make the guest send again at once what we could not
 * keep; one would only make it wait for its timer. */
static void tcp_in_ask_again(struct tcp_conn *c)
{
	for (unsigned i = 0; i < DUP_ACKS; i++)
		tcp_out_ack(c);
}

/* Give the run to the socket, or to the backlog behind what waits there. False:
 * the connection is gone. */
static bool tcp_in_flush(struct tcp_conn *c, struct run *r)
{
	struct tcp_to_host *h = &c->to_host;
	size_t len = r->len, taken = 0;
	ssize_t n;

	if (len && !h->backlog.bytes && tcp_has(c, TCP_WRITABLE)) {
		n = tcp_in_send(c, r->iov, r->cnt, len);
		if (n < 0)
			return false;
		taken = (size_t)n;
	}
	if (taken < len)
		taken += backlog_add(&h->backlog, r->iov, r->cnt, taken,
				     len - taken);

	h->next += (uint32_t)taken;
	if (taken)
		tcp_timer_data_received(c);
	if (taken < len) {
		drop(DROP_SLAB);
		tcp_in_ask_again(c);
	} else if (r->fin) {
		h->next++;
		if (seq_lt(h->edge, h->next))
			h->edge = h->next;
		c->flags |= TCP_GUEST_FIN;
		/* Often the peer's own FIN follows, and carries the ACK */
		tcp_timer_data_received(c);
	}
	r->cnt = 0;
	r->len = 0;
	r->fin = false;
	flow_ready(&c->flow);
	return true;
}

/* --- acknowledgements --------------------------------------------------- */

static void tcp_in_window(struct tcp_conn *c, const struct tcp_seg *seg)
{
	struct tcp_to_guest *g = &c->to_guest;
	uint32_t unit = 1u << c->guest_scale;

	g->window = (uint32_t)seg->window << c->guest_scale;

	if (g->window + unit < tcp_in_flight(c)) {
		/* RFC 9293 3.8.6 advises against it; memory pressure does it.
		 * What was in flight is likely gone. */
		c->flags |= TCP_SHRUNK;
		if (!g->window)
			c->retries = MIN(c->retries, RETRIES_KEPT);
	} else if (tcp_has(c, TCP_SHRUNK)) {
		tcp_out_rewind(c);
	} else if (!g->window) {
		c->retries = MIN(c->retries, RETRIES_KEPT);
	}
	flow_ready(&c->flow);
}

/* A repeated acknowledgement: RFC 5681 2. The answer to a window probe is not
 * one. */
static bool tcp_in_is_duplicate(const struct tcp_conn *c,
				const struct tcp_seg *seg)
{
	return !seg->len && !(seg->flags & TCP_FLAG_FIN) && seg->window &&
	       tcp_in_flight(c) &&
	       (uint32_t)seg->window << c->guest_scale == c->to_guest.window;
}

static bool tcp_in_duplicate(struct tcp_conn *c)
{
	if (tcp_has(c, TCP_RECOVERY) || ++c->dup_acks < DUP_ACKS)
		return true;
	c->dup_acks = 0;
	c->flags |= TCP_RECOVERY;
	c->recover = c->to_guest.next;
	return tcp_out_resend_hole(c);
}

/* Acknowledgement and window of a segment. False: the connection is gone. */
static bool tcp_in_ack(struct tcp_conn *c, const struct tcp_seg *seg)
{
	struct tcp_to_guest *g = &c->to_guest;

	if (seq_lt(g->high, seg->ack)) {
		c->flags |= TCP_ACK_NOW;	/* of what we never sent */
		return true;
	}
	if (seq_lt(seg->ack, g->acked))
		return true;			/* old news */

	if (seg->ack == g->acked) {
		if (tcp_in_is_duplicate(c, seg))
			return tcp_in_duplicate(c);
		tcp_in_window(c, seg);
		return true;
	}

	c->dup_acks = 0;
	if (!tcp_out_acked(c, seg->ack))
		return false;
	tcp_in_window(c, seg);
	if (!tcp_has(c, TCP_RECOVERY))
		return true;
	if (!seq_lt(g->acked, c->recover)) {
		c->flags &= ~(uint32_t)TCP_RECOVERY;
		return true;
	}
	return tcp_out_resend_hole(c);		/* the next hole */
}

/* The guest asks whether we are still there: RFC 9293 3.8.4. Have the host's
 * kernel ask its peer, too. */
static void tcp_in_keepalive(struct tcp_conn *c)
{
	int one = 1;

	c->flags |= TCP_ACK_NOW;
	if (tcp_has(c, TCP_KEEPALIVE))
		return;
	c->flags |= TCP_KEEPALIVE;
	if (setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)))
		flow_debug(&c->flow, "SO_KEEPALIVE: %s", strerror(errno));
}

/* --- one segment of an established connection --------------------------- */

enum verdict {
	SEG_DONE,	/* nothing more to do with it */
	SEG_EARLY,	/* in the window, but something is missing before it */
	SEG_GONE,	/* the connection is no more */
	SEG_NEXT,	/* nor is it, and this segment is not its own */
};

static enum verdict tcp_in_reset(struct tcp_conn *c, struct run *r,
				 const struct tcp_seg *seg)
{
	if (!tcp_in_flush(c, r))
		return SEG_GONE;
	if (seg->seq == c->to_host.next) {
		tcp_abort(c, TCP_WHY_GUEST_RESET);
		return SEG_GONE;
	}
	drop(DROP_TCP_RST);
	if (seq_lt(c->to_host.next, seg->seq) &&
	    seq_lt(seg->seq, c->to_host.edge))
		tcp_out_ack(c);		/* challenge: RFC 5961 3.2 */
	return SEG_DONE;
}

/* A SYN means nothing to this connection (RFC 5961 4.2), or begins the next of
 * the same name, if this one has just ended. */
static enum verdict tcp_in_syn(struct tcp_conn *c, struct run *r)
{
	if (!tcp_in_flush(c, r) || !tcp_shut_host(c))
		return SEG_GONE;
	if (tcp_close_if_done(c))
		return SEG_NEXT;
	tcp_out_ack(c);
	return SEG_DONE;
}

/* Payload and FIN, as far as they are new and inside the window. */
static enum verdict tcp_in_payload(struct tcp_conn *c, struct run *r,
				   const struct packet *p,
				   const struct tcp_seg *seg)
{
	uint32_t next = c->to_host.next + r->len;
	bool fin = seg->flags & TCP_FLAG_FIN;
	struct view v = p->payload;
	uint32_t old = next - seg->seq, space = c->to_host.edge - next;
	unsigned cnt;

	if (!v.len && !fin) {
		/* An old number asks for the current one: a guest probes a
		 * closed window, or a silent peer, like this */
		if (seq_lt(seg->seq, next))
			c->flags |= TCP_ACK_NOW;
		return SEG_DONE;
	}
	if (tcp_has(c, TCP_GUEST_FIN) || r->fin) {
		c->flags |= TCP_ACK_NOW;	/* our ACK of the FIN was lost */
		return SEG_DONE;
	}
	if (seq_lt(next, seg->seq)) {
		if (seq_lt(seg->seq, c->to_host.edge))
			return SEG_EARLY;
		c->flags |= TCP_ACK_NOW;
		drop(DROP_TCP_WINDOW);
		return SEG_DONE;
	}
	if (old > v.len || (old == v.len && !fin)) {
		c->flags |= TCP_ACK_NOW;	/* our ACK was lost */
		return SEG_DONE;
	}

	view_trim_front(&v, old);
	if (v.len > space) {
		view_truncate(&v, space);
		c->flags |= TCP_ACK_NOW;
		drop(DROP_TCP_WINDOW);
		fin = false;
	}
	if (v.len) {
		cnt = view_iov(&v, r->iov + r->cnt, RUN_IOV - r->cnt);
		if (!cnt) {
			if (!tcp_in_flush(c, r))
				return SEG_GONE;
			if (c->to_host.next != next)
				return SEG_EARLY;	/* not all was taken */
			cnt = view_iov(&v, r->iov, RUN_IOV);
		}
		r->cnt += cnt;
		r->len += (uint32_t)v.len;
	}
	r->fin = fin;
	return SEG_DONE;
}

static enum verdict tcp_in_segment(struct tcp_conn *c, struct run *r,
				   const struct packet *p)
{
	struct tcp_seg seg;

	frame_tcp_seg(p, &seg);
	if (seg.flags & TCP_FLAG_RST)
		return tcp_in_reset(c, r, &seg);
	if (seg.flags & TCP_FLAG_SYN)
		return tcp_in_syn(c, r);
	if (!(seg.flags & TCP_FLAG_ACK)) {
		drop(DROP_TCP_HEADER);
		return SEG_DONE;
	}
	if (seg.seq == c->to_host.next + r->len - 1 && seg.len <= 1 &&
	    !(seg.flags & TCP_FLAG_FIN)) {
		tcp_in_keepalive(c);
		/* Not a duplicate ACK, though it looks like one */
		if (seg.ack == c->to_guest.acked)
			tcp_in_window(c, &seg);
		else if (!tcp_in_ack(c, &seg))
			return SEG_GONE;
		return SEG_DONE;
	}
	if (!tcp_in_ack(c, &seg))
		return SEG_GONE;
	return tcp_in_payload(c, r, p, &seg);
}

/* Segments that came before what precedes them: RFC 9293 3.10.7.4 keeps them;
 * we do for the length of a batch. */
static enum verdict tcp_in_early(struct tcp_conn *c, struct run *r,
				 const struct packet *p, uint64_t early)
{
	bool found = true;

	while (found && early) {
		found = false;
		for (unsigned i = 0; i < RUN_MAX; i++) {
			struct tcp_seg seg;
			enum verdict v;

			if (!(early >> i & 1))
				continue;
			frame_tcp_seg(&p[i], &seg);
			v = tcp_in_payload(c, r, &p[i], &seg);
			if (v == SEG_GONE)
				return v;
			if (v == SEG_EARLY)
				continue;
			early &= ~((uint64_t)1 << i);
			found = true;
		}
	}
	r->gaps = (unsigned)__builtin_popcountll(early);
	return SEG_DONE;
}

static unsigned tcp_in_established(struct tcp_conn *c, const struct packet *p,
				   unsigned n)
{
	struct run r;
	uint64_t early = 0;

	r.cnt = r.gaps = 0;
	r.len = 0;
	r.fin = false;
	n = MIN(n, RUN_MAX);

	for (unsigned i = 0; i < n; i++) {
		switch (tcp_in_segment(c, &r, &p[i])) {
		case SEG_DONE:
			break;
		case SEG_EARLY:
			early |= (uint64_t)1 << i;
			break;
		case SEG_GONE:
			return i + 1;
		case SEG_NEXT:
			return i;
		}
	}
	if (early && tcp_in_early(c, &r, p, early) == SEG_GONE)
		return n;
	if (!tcp_in_flush(c, &r))
		return n;
	/* One duplicate for each, as a receiver that keeps them would */
	while (r.gaps--) {
		drop(DROP_TCP_WINDOW);
		tcp_out_ack(c);
	}
	return n;
}

/* --- handshakes --------------------------------------------------------- */

static bool tcp_in_is_syn(const struct tcp_seg *seg)
{
	return (seg->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_FIN)) ==
	       TCP_FLAG_SYN;
}

/* A segment that has no place in a handshake ends it. */
static unsigned tcp_in_misplaced(struct tcp_conn *c)
{
	tcp_abort(c, TCP_WHY_PROTOCOL);
	return 1;
}

static unsigned tcp_in_connecting(struct tcp_conn *c, const struct tcp_seg *seg)
{
	if (seg->flags & TCP_FLAG_RST) {
		if (seg->seq == c->to_host.next)
			tcp_abort(c, TCP_WHY_GUEST_RESET);
		else
			drop(DROP_TCP_RST);
		return 1;
	}
	if (tcp_in_is_syn(seg))
		return 1;		/* patience: connect() is pending */
	return tcp_in_misplaced(c);
}

static unsigned tcp_in_syn_acked(struct tcp_conn *c, const struct packet *p,
				 unsigned n, const struct tcp_seg *seg)
{
	if (seg->flags & TCP_FLAG_RST)
		return tcp_in_connecting(c, seg);
	if (tcp_in_is_syn(seg)) {
		tcp_out_syn(c);		/* our SYN-ACK was lost */
		return 1;
	}
	if (seg->flags & TCP_FLAG_SYN || !(seg->flags & TCP_FLAG_ACK))
		return tcp_in_misplaced(c);
	if (seg->ack != c->to_guest.next) {
		drop(DROP_TCP_WINDOW);
		tcp_out_rst_reply(p, seg);	/* RFC 9293 3.10.7.4 */
		return 1;
	}
	c->to_guest.acked = seg->ack;
	c->to_guest.window = (uint32_t)seg->window << c->guest_scale;
	tcp_established(c);
	return tcp_in_established(c, p, n);
}

static unsigned tcp_in_accepted(struct tcp_conn *c, const struct tcp_seg *seg)
{
	bool acks_us = seg->flags & TCP_FLAG_ACK &&
		       seg->ack == c->to_guest.next;

	if (seg->flags & TCP_FLAG_RST) {
		if (acks_us)
			tcp_abort(c, TCP_WHY_GUEST_RESET);
		else
			drop(DROP_TCP_RST);
		return 1;
	}
	if (!(seg->flags & TCP_FLAG_SYN) || !acks_us)
		return tcp_in_misplaced(c);

	tcp_take_options(c, seg);
	/* What our SYN's window promised */
	c->to_host.edge = c->to_host.next + UINT16_MAX;
	c->to_guest.acked = seg->ack;
	tcp_established(c);
	/* Servers that speak first wait for this, and it comes before data */
	tcp_out_ack(c);
	return 1;
}

unsigned tcp_in(struct tcp_conn *c, const struct packet *p, unsigned n)
{
	struct tcp_seg seg;

	tcp_timer_guest_activity(c);

	switch ((enum tcp_state)c->state) {
	case TCP_ST_ESTABLISHED:
		return tcp_in_established(c, p, n);
	case TCP_ST_CONNECTING:
		frame_tcp_seg(p, &seg);
		return tcp_in_connecting(c, &seg);
	case TCP_ST_SYN_ACKED:
		frame_tcp_seg(p, &seg);
		return tcp_in_syn_acked(c, p, n, &seg);
	case TCP_ST_ACCEPTED:
		frame_tcp_seg(p, &seg);
		return tcp_in_accepted(c, &seg);
	case TCP_ST_CLOSED:
	case TCP_ST_COUNT:
		break;
	}
	return n;
}
