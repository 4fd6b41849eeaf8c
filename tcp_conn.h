/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_conn.h - one TCP connection over the link; private to tcp*.c
 *
 * A connection is two halves with the same words. In sequence space:
 *
 *   to_guest:    base      acked          next         acked + window
 *        --------|---------|--------------|------------|-------->
 *      discarded   in the   in the socket,  may be sent
 *      from the    socket,  sent, not
 *      socket      known    acknowledged
 *                  arrived
 *
 *   to_host:     acked          next              edge
 *        --------|--------------|-----------------|-------->
 *      guest was   accepted by    promised: we can
 *      told        us: in the     place it
 *                  socket or in
 *                  the backlog
 */
#ifndef TCP_CONN_H
#define TCP_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog.h"
#include "flow.h"
#include "wire/frame.h"

#define TCP_STATES(X)						\
	X(CLOSED,	"gone, or not yet there")		\
	X(CONNECTING,	"guest's SYN seen, connect() pending")	\
	X(SYN_ACKED,	"connected, SYN-ACK sent to the guest")	\
	X(ACCEPTED,	"accepted from the host, SYN sent to the guest") \
	X(ESTABLISHED,	"both handshakes done")

enum tcp_state {
#define X(name, text) TCP_ST_##name,
	TCP_STATES(X)
#undef X
	TCP_ST_COUNT
};

/* What has happened, each on its own. READABLE and WRITABLE are what epoll
 * said last, until the socket says otherwise: "maybe". */
#define TCP_FLAGS(X)							\
	X(READABLE,	"host socket may have data or end of file")	\
	X(WRITABLE,	"host socket may take data")			\
	X(PEER_FIN,	"the host's peer sent FIN, data may precede it") \
	X(URGENT,	"urgent data has come: a read may stop before it") \
	X(HOST_EOF,	"eof_seq is known: the end of the data to the guest") \
	X(GUEST_FIN,	"the guest's FIN was accepted")			\
	X(HOST_SHUT,	"and passed on, after all data")		\
	X(ACK_NOW,	"the guest is owed an ACK at once")		\
	X(ACK_SOON,	"the guest is owed an ACK, some data may carry it") \
	X(NO_SCALE,	"no window scaling: one side did not offer it")	\
	X(SYN_RETRIED,	"a SYN or SYN-ACK was sent more than once")	\
	X(SHRUNK,	"guest withdrew window under data in flight")	\
	X(RECOVERY,	"resending holes up to recover")		\
	X(PROBING,	"next segment ignores the window: a probe")	\
	X(PEEK_OFF,	"SO_PEEK_OFF is set: reads start at to_guest.next") \
	X(PEEK_LOST,	"but not where it has to be: before the next read") \
	X(KEEPALIVE,	"SO_KEEPALIVE is set, as the guest does it")	\
	X(ROOM_KNOWN,	"the host socket was full: room limits the window") \
	X(HOST_GONE,	"the host's peer has reset: there is no end of file")

enum tcp_flag_bit {
#define X(name, text) TCP_BIT_##name,
	TCP_FLAGS(X)
#undef X
	TCP_BIT_COUNT
};

enum tcp_flag {
#define X(name, text) TCP_##name = 1 << TCP_BIT_##name,
	TCP_FLAGS(X)
#undef X
};

/* Why a connection ended; all but the first cut it short. */
#define TCP_WHYS(X)							\
	X(FINISHED,	"both sides have finished")			\
	X(GUEST_RESET,	"reset by the guest")				\
	X(HOST_RESET,	"reset by the host's peer")			\
	X(CONNECT,	"the host could not connect")			\
	X(TIMEOUT,	"the guest does not answer")			\
	X(INACTIVE,	"no activity for two hours")			\
	X(SOCKET,	"an operation on the host socket failed")	\
	X(PROTOCOL,	"a segment that has no place in the handshake")

enum tcp_why {
#define X(name, text) TCP_WHY_##name,
	TCP_WHYS(X)
#undef X
	TCP_WHY_COUNT
};

/* So much unacknowledged data of the guest gets an ACK of its own at once */
#define TCP_ACK_NOW_BYTES	32768u

struct tcp_to_guest {
	uint32_t next;		/* first byte we have not sent */
	uint32_t acked;		/* first byte not known to have arrived */
	uint32_t high;		/* next, before anything was sent again */
	uint32_t base;		/* first byte still in the host socket */
	uint32_t eof_seq;	/* with HOST_EOF: where the FIN goes */
	uint32_t window;	/* bytes allowed beyond acked */
};

struct tcp_to_host {
	uint32_t next;		/* first byte not accepted yet */
	uint32_t acked;		/* last acknowledgement sent */
	uint32_t edge;		/* right edge promised; never moves back */
	struct backlog backlog;	/* accepted, not yet in the socket */
	uint32_t room;		/* with ROOM_KNOWN: estimate of what the
				 * socket takes at once */
};

struct tcp_conn {
	struct flow flow;
	int fd;
	uint32_t flags;
	uint8_t state;		/* enum tcp_state; tcp_transition() only */
	uint8_t tap_side;	/* which side of the flow is the guest's */
	uint8_t guest_scale, our_scale;
	uint8_t retries;
	uint8_t dup_acks;
	uint8_t lazy_acks;	/* acknowledgements since the last discard */
	uint16_t mss;		/* payload of one segment to the guest */
	uint32_t recover;	/* with RECOVERY: where it ends */
	uint32_t bulk;		/* most bytes read at once, lately */
	struct tcp_to_guest to_guest;
	struct tcp_to_host to_host;
	/* deadlines, or TIMER_NEVER */
	uint64_t ack_due_ms, discard_due_ms, resend_due_ms, idle_due_ms;
	uint64_t active_ms;	/* last sign of life from either side */
	uint64_t guest_ms;	/* from the guest */
	uint32_t neigh_gen;	/* what tmpl knows of neighbours */
	struct frame_tmpl tmpl;
};

_Static_assert(sizeof(struct tcp_conn) <= FLOW_SLOT, "fits a slot");

static inline bool tcp_has(const struct tcp_conn *c, uint32_t flags)
{
	return (c->flags & flags) == flags;
}

static inline enum fam tcp_fam(const struct tcp_conn *c)
{
	return c->tmpl.fam;
}

static inline bool tcp_fin_acked(const struct tcp_conn *c)
{
	return tcp_has(c, TCP_HOST_EOF) &&
	       c->to_guest.acked == c->to_guest.eof_seq + 1;
}

static inline uint32_t tcp_in_flight(const struct tcp_conn *c)
{
	return c->to_guest.next - c->to_guest.acked;
}

/* tcp.c */
void tcp_transition(struct tcp_conn *c, enum tcp_state to);
/* RST to both sides, and gone. The one caller that owns the flow at the time
 * must not touch it afterwards. */
void tcp_abort(struct tcp_conn *c, enum tcp_why why);
/* The host's peer has reset: what it sent before goes to the guest, as far as
 * the window reaches, then a reset. The connection is gone. */
void tcp_host_reset(struct tcp_conn *c);
/* Everything that ends a connection well has happened: close and free. */
bool tcp_close_if_done(struct tcp_conn *c);
/* Both handshakes are done. */
void tcp_established(struct tcp_conn *c);
/* What the SYN or SYN-ACK of the guest says. */
void tcp_take_options(struct tcp_conn *c, const struct tcp_seg *seg);

/* The guest's FIN goes to the host behind everything the guest sent. False:
 * aborted. */
bool tcp_shut_host(struct tcp_conn *c);

/* tcp_in.c: @n packets of this connection; how many were consumed, at least
 * one unless the connection is gone afterwards. */
unsigned tcp_in(struct tcp_conn *c, const struct packet *p, unsigned n);
/* The host socket may take more: false when the connection was aborted. */
bool tcp_in_drain(struct tcp_conn *c);

/* tcp_out.c */
void tcp_out_syn(struct tcp_conn *c);		/* SYN, or SYN-ACK, by state */
/* What the host socket has, as the guest's window allows. Returns 1 when there
 * is more to do at once, 0 when not, -1 when the connection was aborted. */
int tcp_out_data(struct tcp_conn *c);
void tcp_out_ack(struct tcp_conn *c);
void tcp_out_ack_if_owed(struct tcp_conn *c);
void tcp_out_keepalive(struct tcp_conn *c);
void tcp_out_rst(struct tcp_conn *c);
/* Answer a segment that belongs to no connection: RFC 9293 3.10.7.1. */
void tcp_out_rst_reply(const struct packet *p, const struct tcp_seg *seg);
void tcp_out_rewind(struct tcp_conn *c);	/* send again from acked */
/* One segment, at acked: false when aborted. */
bool tcp_out_resend_hole(struct tcp_conn *c);
/* The guest has acknowledged up to @ack: false when aborted. */
bool tcp_out_acked(struct tcp_conn *c, uint32_t ack);
/* Remove from the socket what the guest has: false when aborted. */
bool tcp_out_discard(struct tcp_conn *c);
/* The window has opened far enough to be worth an ACK of its own. */
bool tcp_out_window_worth(struct tcp_conn *c);
/* Ask the host socket how much it would take at once. */
void tcp_out_measure_room(struct tcp_conn *c);
uint16_t tcp_mss_ours(const struct tcp_conn *c);

/* tcp_timer.c: what happened; it decides what that arms */
void tcp_timer_init(struct tcp_conn *c);
void tcp_timer_syn_sent(struct tcp_conn *c);
void tcp_timer_established(struct tcp_conn *c);
void tcp_timer_data_sent(struct tcp_conn *c);
void tcp_timer_progress(struct tcp_conn *c);	/* acked has moved */
void tcp_timer_window_closed(struct tcp_conn *c);
void tcp_timer_discard_left(struct tcp_conn *c);
void tcp_timer_data_received(struct tcp_conn *c);
void tcp_timer_ack_sent(struct tcp_conn *c);
void tcp_timer_host_activity(struct tcp_conn *c);
void tcp_timer_guest_activity(struct tcp_conn *c);

#endif
