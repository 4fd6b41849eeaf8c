/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_out.c - segments to the guest: data of the host socket, ACKs, resets
 *
 * The kernel's receive queue is our retransmission queue. Data is read with
 * MSG_PEEK straight into frames the link owns, and leaves the socket only when
 * the guest has acknowledged it, in bulk, by a read that copies nothing
 * (MSG_TRUNC). SO_PEEK_OFF keeps the kernel's reading position at
 * to_guest.next once that is not the head of the queue; where it is missing,
 * bytes already sent are read into a waste buffer first. Sending again is moving
 * next back.
 *
 * Where the link cuts super-frames, one frame carries up to 64 KiB of segments
 * of the guest's MSS; where not, each frame is a segment.
 *
 * The window we offer is what we can place: room in the backlog, and as long as
 * the host socket is known to be full, not much more than it takes. Its right
 * edge never moves back (RFC 9293 3.8.6).
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "link/link.h"
#include "neigh.h"
#include "tcp.h"
#include "tcp_conn.h"
#include "timer.h"
#include "util.h"

SYSCALLS(recvmsg, recvfrom, setsockopt, getsockopt);

#define FRAMES_MAX	64u
#define READ_MAX	(256u << 10)	/* bytes of one recvmsg() */
#define TURN_MAX	(1u << 20)	/* of one connection in one turn */
#define WINDOW_MAX	(1u << 24)	/* of the guest's that we use */

/* Acknowledged bytes leave the socket when there are this many ... */
#define DISCARD_MIN	4096u
#define DISCARD_MAX	(256u << 10)
/* ... or after so many acknowledgements: small segments cost the kernel far
 * more memory than their bytes. */
#define DISCARD_ACKS	16

/* Offered beyond what a full host socket takes: the kernel makes its buffer
 * larger only when it is asked for more than it has. */
#define ROOM_SLACK	(128u << 10)

#define WASTE_LEN	(256u << 10)
#define WASTE_IOV	(WINDOW_MAX / WASTE_LEN + 1)

static struct frame frames[FRAMES_MAX];
static struct iovec out_iov[WASTE_IOV + FRAMES_MAX * FRAME_IOV];
static uint8_t waste[WASTE_LEN];

/* --- the window we offer ------------------------------------------------ */

void tcp_out_measure_room(struct tcp_conn *c)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t sl = sizeof(mem);
	uint32_t buf, used;

	c->to_host.room = 0;
	if (getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, mem, &sl))
		return;

	buf = mem[SK_MEMINFO_SNDBUF];
	used = mem[SK_MEMINFO_WMEM_QUEUED];
	if (used < buf)
		c->to_host.room = buf - used;
	if (c->to_host.room > BACKLOG_MAX / 2)
		c->flags &= ~(uint32_t)TCP_ROOM_KNOWN;
}

/* Bytes beyond to_host.next we could promise now. */
static uint32_t tcp_out_placeable(struct tcp_conn *c)
{
	struct tcp_to_host *h = &c->to_host;
	uint32_t room = backlog_room(&h->backlog), limit;

	if (!tcp_has(c, TCP_ROOM_KNOWN))
		return room;
	if (tcp_has(c, TCP_WRITABLE) && h->room < ROOM_SLACK)
		tcp_out_measure_room(c);

	limit = h->room + ROOM_SLACK;
	limit = limit > h->backlog.bytes ? limit - h->backlog.bytes : 0;
	return MIN(room, limit);
}

/* The field of a segment about to leave, unscaled for a SYN. */
static uint16_t tcp_out_window(struct tcp_conn *c, unsigned scale)
{
	struct tcp_to_host *h = &c->to_host;
	uint32_t edge = h->next + tcp_out_placeable(c), field;

	if (seq_lt(edge, h->edge))
		edge = h->edge;
	/* Rounding up would add to the promise with every ACK. Down, the guest
	 * may see the edge move back by less than a unit (RFC 7323 2.4), but
	 * what was promised is still accepted. */
	field = MIN((edge - h->next) >> scale, (uint32_t)UINT16_MAX);
	edge = h->next + (field << scale);
	if (seq_lt(h->edge, edge))
		h->edge = edge;
	return (uint16_t)field;
}

bool tcp_out_window_worth(struct tcp_conn *c)
{
	struct tcp_to_host *h = &c->to_host;
	uint32_t left = h->edge - h->next, now;

	/* RFC 9293 3.8.6.2.2: no silly windows. What is left suffices for as
	 * much as is acknowledged at once anyway. */
	if (left >= TCP_ACK_NOW_BYTES || tcp_has(c, TCP_GUEST_FIN))
		return false;
	now = MIN(tcp_out_placeable(c), (uint32_t)UINT16_MAX << c->our_scale);
	return now >= 2 * left && now - left >= tcp_mss_ours(c);
}

/* The guest, or a neighbour, may have got another address since. */
static const struct frame_tmpl *tcp_out_tmpl(struct tcp_conn *c)
{
	struct mac guest = link_guest_mac(), peer;

	frame_tmpl_dmac(&c->tmpl, &guest);
	if (c->neigh_gen != neigh_generation()) {
		c->neigh_gen = neigh_generation();
		peer = neigh_mac(&c->flow.side[c->tap_side].ours);
		frame_tmpl_smac(&c->tmpl, &peer);
	}
	return &c->tmpl;
}

/* --- segments without data ---------------------------------------------- */

static void tcp_out_acked_now(struct tcp_conn *c)
{
	c->to_host.acked = c->to_host.next;
	tcp_timer_ack_sent(c);
}

static bool tcp_out_bare(struct tcp_conn *c, uint32_t seq, uint8_t flags)
{
	struct tcp_fields t = { .seq = seq, .flags = flags };
	struct frame f;

	if (!link_reserve_one(&f, c->tmpl.hdr_len, 0))
		return false;

	if (flags & TCP_FLAG_ACK) {
		t.ack = c->to_host.next;
		t.window = tcp_out_window(c, c->our_scale);
		tcp_out_acked_now(c);
	}
	frame_put_tcp(&f, tcp_out_tmpl(c), &t, 0);
	link_commit(&f, 1);
	return true;
}

void tcp_out_ack(struct tcp_conn *c)
{
	if (tcp_out_bare(c, c->to_guest.next, TCP_FLAG_ACK))
		return;
	c->flags |= TCP_ACK_NOW;
	flow_wait_link(&c->flow);
}

void tcp_out_ack_if_owed(struct tcp_conn *c)
{
	if (tcp_has(c, TCP_ACK_NOW))
		tcp_out_ack(c);
}

void tcp_out_keepalive(struct tcp_conn *c)
{
	tcp_out_bare(c, c->to_guest.next - 1, TCP_FLAG_ACK);
}

void tcp_out_rst(struct tcp_conn *c)
{
	/* Before the guest has said a number there is nothing to acknowledge;
	 * afterwards a guest in SYN-SENT ignores a RST without ACK */
	uint8_t ack = c->state == TCP_ST_ACCEPTED ? 0 : TCP_FLAG_ACK;

	tcp_out_bare(c, c->to_guest.next, TCP_FLAG_RST | ack);
}

static unsigned tcp_out_syn_options(const struct tcp_conn *c, uint8_t *opts)
{
	struct wr w = wr_init(opts, 8);

	wr_u8(&w, 2);			/* MSS */
	wr_u8(&w, 4);
	wr_be16(&w, tcp_mss_ours(c));
	if (tcp_has(c, TCP_NO_SCALE))
		return 4;
	wr_u8(&w, 1);			/* no operation */
	wr_u8(&w, 3);			/* window scale */
	wr_u8(&w, 3);
	wr_u8(&w, c->our_scale);
	return 8;
}

void tcp_out_syn(struct tcp_conn *c)
{
	bool ack = c->state == TCP_ST_SYN_ACKED;
	uint32_t isn = c->to_guest.acked;
	uint8_t opts[8];
	struct tcp_fields t = {
		.seq = isn,
		.flags = ack ? TCP_FLAG_SYN | TCP_FLAG_ACK : TCP_FLAG_SYN,
		.opts = opts,
		.opts_len = (uint8_t)tcp_out_syn_options(c, opts),
	};
	struct frame f;

	c->to_guest.next = c->to_guest.high = isn + 1;
	/* Lost on a full link is lost on a wire: the timer sends it again */
	if (!link_reserve_one(&f, (size_t)c->tmpl.hdr_len + t.opts_len, 0))
		return;

	t.ack = ack ? c->to_host.next : 0;
	t.window = tcp_out_window(c, 0);
	if (ack)
		tcp_out_acked_now(c);
	frame_put_tcp(&f, tcp_out_tmpl(c), &t, 0);
	link_commit(&f, 1);
}

void tcp_out_rst_reply(const struct packet *p, const struct tcp_seg *seg)
{
	struct mac guest = link_guest_mac(), mac = neigh_mac(&p->dst);
	struct tcp_fields t = { .flags = TCP_FLAG_RST };
	struct frame_tmpl tmpl;
	struct frame f;

	if (seg->flags & TCP_FLAG_ACK) {
		t.seq = seg->ack;
	} else {
		t.flags |= TCP_FLAG_ACK;
		t.ack = seg->seq + seg->len + !!(seg->flags & TCP_FLAG_SYN) +
			!!(seg->flags & TCP_FLAG_FIN);
	}
	frame_tmpl_init(&tmpl, IPPROTO_TCP, &p->dst, p->dport, &p->src,
			p->sport, &mac, &guest, p->flow_label);
	if (!link_reserve_one(&f, tmpl.hdr_len, 0))
		return;
	frame_put_tcp(&f, &tmpl, &t, 0);
	link_commit(&f, 1);
}

/* --- where we are in the host socket's queue ---------------------------- */

static void tcp_out_peek_at(struct tcp_conn *c, uint32_t seq)
{
	int off = (int)(seq - c->to_guest.base);

	if (!tcp_has(c, TCP_PEEK_OFF))
		return;
	c->flags &= ~(uint32_t)TCP_PEEK_LOST;
	if (!setsockopt(c->fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)))
		return;
	flow_debug(&c->flow, "cannot set peek offset: %s", strerror(errno));
	c->flags |= TCP_PEEK_LOST;
}

/* Before a read at to_guest.next. Short connections get by without an offset:
 * towards their end, what was acknowledged has to leave anyway, and then that
 * is the head of the queue. False: aborted. */
static bool tcp_out_peek_prepare(struct tcp_conn *c)
{
	struct tcp_to_guest *g = &c->to_guest;
	bool known = !tcp_has(c, TCP_PEEK_LOST);

	if (known && (tcp_has(c, TCP_PEEK_OFF) ||
		      !conf.has_peek_off[tcp_fam(c)] || g->next == g->base))
		return true;
	if (known && g->acked == g->next && tcp_has(c, TCP_PEER_FIN))
		return tcp_out_discard(c);
	c->flags |= TCP_PEEK_OFF;
	tcp_out_peek_at(c, g->next);
	if (!tcp_has(c, TCP_PEEK_LOST))
		return true;
	tcp_abort(c, TCP_WHY_SOCKET);	/* rather than other bytes */
	return false;
}

/* First byte that is not data of the host any more. */
static uint32_t tcp_out_data_end(const struct tcp_conn *c, uint32_t seq)
{
	if (tcp_has(c, TCP_HOST_EOF) && seq_lt(c->to_guest.eof_seq, seq))
		return c->to_guest.eof_seq;
	return seq;
}

void tcp_out_rewind(struct tcp_conn *c)
{
	struct tcp_to_guest *g = &c->to_guest;

	c->flags &= ~(uint32_t)(TCP_SHRUNK | TCP_RECOVERY);
	if (g->next == g->acked)
		return;
	g->next = g->acked;
	c->flags |= TCP_READABLE;
	tcp_out_peek_at(c, tcp_out_data_end(c, g->next));
}

bool tcp_out_discard(struct tcp_conn *c)
{
	struct tcp_to_guest *g = &c->to_guest;
	uint32_t end = tcp_out_data_end(c, g->acked);

	c->lazy_acks = 0;
	c->discard_due_ms = TIMER_NEVER;
	while (g->base != end) {
		ssize_t n = recv(c->fd, NULL, end - g->base,
				 MSG_TRUNC | MSG_DONTWAIT);

		if (n > 0) {
			g->base += (uint32_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		flow_warn(&c->flow, "cannot discard what the guest has: %s",
			  n ? strerror(errno) : "end of file");
		tcp_abort(c, TCP_WHY_SOCKET);
		return false;
	}
	return true;
}

bool tcp_out_acked(struct tcp_conn *c, uint32_t ack)
{
	struct tcp_to_guest *g = &c->to_guest;
	uint32_t left;

	g->acked = ack;
	if (seq_lt(g->next, ack)) {
		/* Sent before we went back: it did arrive */
		g->next = ack;
		tcp_out_peek_at(c, tcp_out_data_end(c, ack));
	}
	tcp_timer_progress(c);

	left = tcp_out_data_end(c, ack) - g->base;
	if (tcp_has(c, TCP_URGENT)) {
		c->flags |= TCP_READABLE;
		return tcp_out_discard(c);
	}
	if (left >= CLAMP(c->bulk / 2, DISCARD_MIN, DISCARD_MAX) ||
	    ++c->lazy_acks >= DISCARD_ACKS)
		return tcp_out_discard(c);
	if (left)
		tcp_timer_discard_left(c);
	return true;
}

/* --- data --------------------------------------------------------------- */

static uint32_t tcp_out_room(const struct tcp_conn *c)
{
	uint32_t window = MIN(c->to_guest.window, WINDOW_MAX);
	uint32_t flight = tcp_in_flight(c);

	if (!window && !flight && tcp_has(c, TCP_PROBING))
		return 1;
	return window > flight ? window - flight : 0;
}

/* Payload of one frame. */
static size_t tcp_out_frame_room(const struct tcp_conn *c)
{
	const struct link_caps *caps = link_caps();
	size_t max = ETH_FRAME_MAX - c->tmpl.hdr_len;
	bool tso = tcp_fam(c) == FAM4 ? caps->tso4 : caps->tso6;

	max = MIN(max, (size_t)caps->max_payload);
	if (!tso || max < c->mss)
		return c->mss;
	return max - max % c->mss;
}

/* Point the read at the payload room of @n frames, @total bytes in all, behind
 * what the kernel has to skip for us. */
static unsigned tcp_out_iov(unsigned n, size_t skip, size_t total)
{
	unsigned cnt = 0;

	while (skip) {
		size_t len = MIN(skip, (size_t)WASTE_LEN);

		out_iov[cnt++] = (struct iovec) { waste, len };
		skip -= len;
	}
	for (unsigned i = 0; i < n && total; i++) {
		for (unsigned j = 0; j < frames[i].pay_cnt && total; j++) {
			struct iovec v = frames[i].pay[j];

			v.iov_len = MIN(v.iov_len, total);
			total -= v.iov_len;
			out_iov[cnt++] = v;
		}
	}
	return cnt;
}

/* Put headers on @len bytes that were read into frames of @room bytes. */
static void tcp_out_commit(struct tcp_conn *c, size_t len, size_t room,
			   bool fin)
{
	struct tcp_fields t = {
		.seq = c->to_guest.next,
		.ack = c->to_host.next,
		.window = tcp_out_window(c, c->our_scale),
		.flags = TCP_FLAG_ACK,
	};
	const struct frame_tmpl *tmpl = tcp_out_tmpl(c);
	unsigned n = 0;

	do {
		struct frame *f = &frames[n++];

		f->pay_len = MIN(len, room);
		len -= f->pay_len;
		if (!len)	/* delivered at once, RFC 9293 3.9.1.2 */
			t.flags |= (uint8_t)(f->pay_len ? TCP_FLAG_PSH : 0) |
				   (fin ? TCP_FLAG_FIN : 0);
		frame_put_tcp(f, tmpl, &t,
			      f->pay_len > c->mss ? c->mss : 0);
		t.seq += (uint32_t)f->pay_len;
	} while (len);

	link_commit(frames, n);
	tcp_out_acked_now(c);
	c->to_guest.next = t.seq + fin;
	if (seq_lt(c->to_guest.high, c->to_guest.next))
		c->to_guest.high = c->to_guest.next;
	tcp_timer_data_sent(c);
}

/* Bytes of the host socket at to_guest.next, into reserved frames. */
static ssize_t tcp_out_read(struct tcp_conn *c, unsigned n, size_t total)
{
	size_t skip = tcp_has(c, TCP_PEEK_OFF) ? 0 :
		      c->to_guest.next - c->to_guest.base;
	struct msghdr msg = {
		.msg_iov = out_iov,
		.msg_iovlen = tcp_out_iov(n, skip, total),
	};
	ssize_t len;

	do {
		len = recvmsg(c->fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);

	if (len < 0)
		return -errno;
	if (!len)
		c->flags |= TCP_PEER_FIN;
	return len > (ssize_t)skip ? len - (ssize_t)skip : 0;
}

/* The socket gave @len bytes, fewer than it was asked for: nothing more until it
 * says so, or ever. The kernel sets RDHUP behind the last byte, so nothing can
 * follow. But a read ends before an urgent byte, and peeking without an offset
 * comes no further until what precedes that has been discarded. */
static void tcp_out_exhausted(struct tcp_conn *c, size_t len)
{
	struct tcp_to_guest *g = &c->to_guest;

	if (tcp_has(c, TCP_URGENT) && len)
		return;
	c->flags &= ~(uint32_t)TCP_READABLE;
	if (tcp_has(c, TCP_URGENT) && !tcp_has(c, TCP_PEEK_OFF) &&
	    g->next != g->base)
		return;
	if (!tcp_has(c, TCP_PEER_FIN) || tcp_has(c, TCP_HOST_EOF) ||
	    tcp_has(c, TCP_HOST_GONE))
		return;
	c->flags |= TCP_HOST_EOF;
	g->eof_seq = g->next + (uint32_t)len;
}

/* One read, and its frames. 1: there may be more, data or FIN; 0: not now; -1:
 * aborted. */
static int tcp_out_burst(struct tcp_conn *c, uint32_t window)
{
	size_t room = tcp_out_frame_room(c), total;
	size_t want = MIN((window + room - 1) / room, FRAMES_MAX);
	unsigned n;
	ssize_t len;
	bool fin;

	if (!tcp_out_peek_prepare(c))
		return -1;
	want = MIN(want, MAX(READ_MAX / room, 1));
	n = link_reserve(frames, (unsigned)want, c->tmpl.hdr_len, room);
	if (!n) {
		flow_wait_link(&c->flow);
		return 0;
	}
	total = MIN(n * room, (size_t)window);

	len = tcp_out_read(c, n, total);
	if (len < 0 && len != -EAGAIN) {
		link_commit(frames, 0);
		flow_debug(&c->flow, "read: %s", strerror((int)-len));
		tcp_abort(c, TCP_WHY_HOST_RESET);
		return -1;
	}
	if (len < (ssize_t)total)
		tcp_out_exhausted(c, len > 0 ? (size_t)len : 0);
	if (len <= 0) {
		link_commit(frames, 0);
		return tcp_has(c, TCP_HOST_EOF);
	}

	c->flags &= ~(uint32_t)TCP_PROBING;
	c->bulk = MAX((uint32_t)len, c->bulk - c->bulk / 8);
	fin = tcp_has(c, TCP_HOST_EOF) && window > (size_t)len &&
	      c->to_guest.next + (uint32_t)len == c->to_guest.eof_seq;
	tcp_out_commit(c, (size_t)len, room, fin);
	return tcp_has(c, TCP_READABLE) || tcp_has(c, TCP_HOST_EOF);
}

/* FIN on its own, behind everything else. */
static void tcp_out_fin(struct tcp_conn *c)
{
	if (!link_reserve_one(&frames[0], c->tmpl.hdr_len, 0)) {
		flow_wait_link(&c->flow);
		return;
	}
	tcp_out_commit(c, 0, 1, true);
}

int tcp_out_data(struct tcp_conn *c)
{
	const uint32_t start = c->to_guest.next;

	while (c->to_guest.next - start < TURN_MAX) {
		uint32_t room = tcp_out_room(c);
		int rc;

		if (tcp_has(c, TCP_HOST_EOF) &&
		    !seq_lt(c->to_guest.next, c->to_guest.eof_seq)) {
			if (c->to_guest.next == c->to_guest.eof_seq)
				tcp_out_fin(c);
			return 0;
		}
		if (!tcp_has(c, TCP_READABLE))
			return 0;
		if (!room) {
			tcp_timer_window_closed(c);
			return 0;
		}

		rc = tcp_out_burst(c, room);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* RFC 6582: next stays where it is. */
bool tcp_out_resend_hole(struct tcp_conn *c)
{
	struct tcp_to_guest *g = &c->to_guest;
	uint32_t next = g->next, end = tcp_out_data_end(c, next);
	uint32_t len = MIN(end - g->acked, (uint32_t)c->mss);
	uint32_t flags = c->flags;

	if (!len) {
		tcp_out_rewind(c);	/* the FIN is all that is missing */
		flow_ready(&c->flow);
		return true;
	}
	g->next = g->acked;
	tcp_out_peek_at(c, g->next);
	if (tcp_out_burst(c, len) < 0)
		return false;
	g->next = next;
	/* As before, but for what the read has changed for good */
	c->flags = (flags & ~(uint32_t)(TCP_ACK_NOW | TCP_ACK_SOON)) |
		   (c->flags & TCP_PEEK_OFF);
	tcp_out_peek_at(c, end);	/* settles whether it is lost, too */
	return true;
}
