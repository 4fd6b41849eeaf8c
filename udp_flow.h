/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_flow.h - flows and sockets of datagrams; private to udp*.c
 *
 * A flow is a conversation: two addresses and ports here, two there. A socket
 * is where a client's datagrams leave from: one for all its conversations, so
 * that whoever it talks to sees it at one address and port (RFC 4787 4.1).
 *
 *	client 10.0.2.15:5000 -- flow --.                 .-- 192.0.2.1:53
 *	                      -- flow ---+-- one socket --+-- 192.0.2.2:53
 *	                      -- flow --'      :5000      '-- 198.51.100.9:123
 *
 * The side that started a flow from a listener has no socket of its own: its
 * answers leave through the listener.
 */
#ifndef UDP_FLOW_H
#define UDP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "flow.h"
#include "wire/frame.h"

#define UDP_BATCH	64u	/* datagrams of one system call */
#define UDP_SEGS_MAX	64u	/* of a train: what every kernel takes */
#define UDP_LEN_MAX	65507u	/* payload: 65535 - 20 - 8 */
#define UDP_NONE	UINT32_MAX
#define UDP_FLOWS_MAX	(FLOW_MAX / 2)	/* the others are for connections */

struct udp_flow {
	struct flow flow;
	struct frame_tmpl tmpl;		/* towards the guest, if it is one */
	uint64_t last_ms;		/* latest datagram */
	uint32_t neigh_gen;		/* what tmpl knows of neighbours */
	uint32_t sock;			/* of SIDE_TGT, or UDP_NONE */
	uint32_t listener;		/* of SIDE_INI, or UDP_NONE */
	uint32_t before, behind;	/* udp.c: in the queue, or FLOW_NONE */
	uint16_t gso_limit[2];		/* by side: see struct udp_dest */
	uint8_t sent[2];		/* datagrams from there; 255: or more */
	uint8_t tap_side;		/* or SIDE_NONE: spliced */
	bool group;			/* anybody may answer */
	bool to_all;			/* begun by a broadcast: see udp_got */
};
enum { SIDE_NONE = 2 };

_Static_assert(sizeof(struct udp_flow) <= FLOW_SLOT, "fits a slot");

static inline struct udp_flow *udp_flow(struct flow *f)
{
	return (struct udp_flow *)f;
}

/* --- udp_sock.c: sockets by client --- */

/* What to do about datagrams larger than the path takes, RFC 1191, 8201. */
enum udp_df {
	UDP_DF_UNSET,
	UDP_DF_PATH,		/* never cut: the sender wants to be told */
	UDP_DF_NOT,		/* let the host cut as it must */
};

struct udp_sock {
	struct side client;	/* key: whose (theirs, pif), bound where (ours) */
	int fd;			/* or -1, and then */
	uint32_t listener;	/* it is that one's, or UDP_NONE */
	uint16_t our_port;	/* that it is bound to */
	uint16_t gen;
	uint32_t flows;		/* how many use it; 0: free */
	uint32_t groups;	/* of these, open to answers from anybody */
	uint32_t next;		/* of the same bucket, or free */
	uint8_t pif;		/* where it is */
	uint8_t nth;		/* of several with the same key */
	uint8_t df;		/* enum udp_df: of @fd */
};

void udp_sock_init(void);
/* The socket for @side[SIDE_INI]'s endpoint in side[SIDE_TGT]'s place, with one
 * more flow; completes our address and port in side[SIDE_TGT]. Number, or
 * UDP_NONE: counted. */
uint32_t udp_sock_get(struct side side[2]);
void udp_sock_put(uint32_t idx);
bool udp_sock_left(void);		/* the table is not full */
struct udp_sock *udp_sock_at(uint32_t idx);
struct udp_sock *udp_sock_of_event(struct ev ev);	/* NULL: stale */
/* Of the socket it sends by: its own, or a listener. */
struct ev udp_sock_event(const struct udp_sock *s);
int udp_sock_fd(struct udp_sock *s);			/* -1: none any more */
/* A datagram came that is none of its flows': if there is a listener for its
 * port by now, leave those to that. */
void udp_sock_yield(struct udp_sock *s);
/* @known: what @fd is set to, kept where the descriptor is. */
void udp_sock_df(int fd, uint8_t *known, enum fam fam, enum udp_df df);

/* --- udp_send.c: datagrams out of a socket --- */

struct udp_dest {
	int fd;
	const struct side *side;	/* theirs: to whom; ours: see @as_ours */
	bool as_ours;			/* name our address as the source */
	uint8_t ttl, tos;		/* TTL 0: SOCK_UDP_TTL */
	/* No trains of datagrams this large or larger: the path, or the device
	 * on it, has refused. Lowered here. */
	uint16_t *gso_limit;
};
/* Between start and finish, any number of datagrams or trains (@unit: size of
 * each datagram but the last; 0: one) whose bytes stay where they are. */
void udp_send_start(const struct udp_dest *d);
void udp_send_add(const struct view *v, size_t unit);
/* 0, or -errno of the last that was not sent; those are counted. */
int udp_send_finish(void);

/* --- udp_recv.c: datagrams into memory --- */

struct udp_got {
	struct iovec data;	/* eight bytes in front are to write on, too:
				 * for a UDP header */
	struct addr peer;
	struct addr ours;	/* where it was sent; of listeners only */
	uint16_t peer_port;
	uint16_t unit;		/* of a train, else 0 */
	uint8_t tos;
	bool to_all;		/* @ours is no address to answer from */
};
/* What there is, up to UDP_BATCH, in memory valid until the next call. */
unsigned udp_recv(int fd, const struct udp_got **got);
/* The last call took all it could hold: there may be more. */
bool udp_recv_full(void);

/* --- udp_pace.c: which sockets are looked at by the clock --- */

void udp_pace_init(void);
/* Datagrams received from the socket of @ev, or sent by it. */
void udp_pace_in(int fd, struct ev ev, const struct udp_got *got, unsigned n);
void udp_pace_out(struct ev ev, unsigned n);

/* --- udp_tap.c: datagrams to the guest --- */

void udp_tap_tmpl(struct frame_tmpl *t, const struct side *tap);
void udp_tap_send(struct frame_tmpl *t, const struct udp_got *got, unsigned n);

/* --- udp_error.c: errors of sockets --- */

/* Read the error queue, tell the guest. @ours: our address and port there,
 * pif. @sending: the guest's flow whose datagram has just been refused, or
 * NULL. */
void udp_errors(int fd, const struct side *ours, struct udp_flow *sending);

#endif
