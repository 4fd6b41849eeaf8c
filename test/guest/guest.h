/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - the runner of packet diaries, piece by piece
 *
 * guest.c runs each diary in a process of its own, wires the daemon's modules
 * and owns time; segment.c is the guest's end of the wire, script.c reads the
 * diary, expect.c and robot.c are parts of that, host.c is the peer on the
 * host, datagram.c all of UDP and echo. README describes the language.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "buf.h"
#include "util.h"

#define CONNS		24
#define GUEST_PORT	40000	/* of connection 0, when the guest starts it */
#define SERVICE_PORT	8080	/* the guest's end of the forwarded port */
#define REAL_MS		2000	/* patience with the kernel, by the wall clock */
#define SOON_MS		40	/* by the diary's clock */
#define URG		0x20

struct bytes {
	uint8_t *p;
	size_t len, cap;
};

/* One segment, either way, as the diary speaks of it. Sequence numbers are
 * relative to the initial one of their direction. */
struct seg {
	uint64_t at_ms;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t win, urg;
	int mss, ws;		/* -1: option absent */
	bool other_opts;	/* an option that is neither, nor NOP, nor END */
	uint32_t len;
	uint8_t *data;
	/* To the daemon only. */
	bool sack_ok, timestamps;
	int doff;		/* 32-bit words; -1: what is right */
	uint8_t raw_opts[40];
	unsigned raw_opts_len;
	struct seg *next;	/* in the inbox */
};

struct conn {
	bool used, inbound;
	struct addr here, there;	/* of the guest's socket */
	uint16_t here_port, there_port;
	uint32_t isn, peer_isn;
	bool peer_isn_known;

	/* The guest: what it said. */
	uint32_t snd_nxt, snd_max;	/* next by default; first never used */
	uint32_t rcv_nxt;		/* of what the diary has seen */
	uint32_t max_ack;
	uint16_t win;
	int ws;				/* offered, -1: not */
	unsigned mss;
	uint32_t right;			/* highest edge offered */
	bool win_known, host_fin;

	/* The daemon: what it said. */
	uint32_t peer_ack, peer_right, peer_max;
	bool peer_win_known;
	int peer_ws;
	unsigned peer_mss;
	uint64_t probed_ms;
	uint32_t label;			/* of IPv6 */

	struct seg *inbox, **tail;

	/* The host's end. */
	int fd, listen_fd, prev_fd;
	struct bytes sent, guest_sent;	/* both streams from their first byte */
	size_t pending;			/* of sent: not yet taken by the kernel */
	size_t received;
	bool sink;			/* reads whatever comes */
};

/* guest.c */
struct world {
	const char *script;
	unsigned line;
	const char *text;		/* of the line */
	enum fam fam;
	bool started, no_peek_off, verbose;
	bool link_listen, unreachable, private_netns;
	unsigned split;			/* bytes per write; 0: whole */
	bool stalled;
	int link_fd, daemon_fd;		/* guest's end, daemon's end */
	int unix_listen_fd;
	struct conn conn[CONNS];
	unsigned cur;
	uint64_t turns, frames, host_moves;
	unsigned fds_at_start;
	uint16_t forward_port;
	int icmp_type, icmp_code;	/* of the last error that came, or -1 */
};
extern struct world world;

_Noreturn void fail(const char *fmt, ...) PRINTF(1, 2);
_Noreturn void skip(const char *why);
void note(const char *fmt, ...) PRINTF(1, 2);	/* in the log of packets */
void world_start(void);			/* once, after the last "config" */
void world_private_netns(void);
unsigned world_fds(void);		/* the daemon's */
uint64_t now_ms(void);
uint64_t real_ms(void);
void pump(int wait_ms);			/* one turn of the daemon */
void settle(void);			/* until nothing happens any more */
/* Set the clock forward from deadline to deadline, until @target, or @stop
 * says so; true if it did. */
bool advance(uint64_t target, bool (*stop)(void));
/* Wall-clock patience without moving the diary's clock. */
bool wait_real(bool (*stop)(void));

/* segment.c */
void wire_open(void);			/* the link has just come up */
void wire_queue(struct conn *c, struct seg *s);
/* Of another protocol than TCP, from @c's address to that of its peer; the
 * checksum goes to @sum_at. */
void wire_queue_packet(const struct conn *c, uint8_t proto, uint8_t *l4,
		       size_t len, size_t sum_at);
void wire_fill(struct conn *c, struct seg *s, const char *text);
void wire_write(void);			/* what was queued, in one write */
void wire_drain(void);
void wire_reset_conn(struct conn *c);	/* as if the tuple was never used */
struct seg *wire_pop(struct conn *c);
void seg_free(struct seg *s);
const char *seg_str(const struct seg *s, char *buf, size_t len);
uint32_t seg_space(const struct seg *s);	/* SYN and FIN count */
bool seg_pure_ack(const struct seg *s);
uint8_t pattern_guest(size_t off);
uint8_t pattern_host(size_t off);
void bytes_grow(struct bytes *b, size_t len, uint8_t (*fill)(size_t));

/* host.c */
void host_command(char **tok);
void host_turn(void);			/* moves what waits to be moved */
unsigned host_fds(void);

/* script.c: words of a line are consumed from the front */
void script_run(const char *path);
const char *tok_next(char ***tok);
bool tok_take(char ***tok, const char *word);	/* if it is the next */
void tok_end(char **tok);			/* nothing must be left */
bool tok_is_number(const char *tok);
uint8_t tok_flags(const char *tok);
void tok_range(const char *tok, uint32_t *from, uint32_t *to);
long number(const char *tok);
size_t unquote(const char *tok, uint8_t *out, size_t size);

/* expect.c: what follows "<"; the segment has to come between the two */
void expect_line(uint64_t from_ms, uint64_t to_ms, char **tok);
bool expect_have_frame(void);
_Noreturn void expect_not(const char *how, const struct seg *s);

/* datagram.c: what follows "udp", "echo" */
void udp_command(char **tok);
void echo_command(char **tok);
void datagram_in(uint8_t proto, const struct addr *src, const struct addr *dst,
		 struct rd l4);
unsigned datagram_fds(void);

/* robot.c: what follows "guest" */
void robot_command(char **tok);

static inline struct conn *conn_cur(void)
{
	return &world.conn[world.cur];
}

#endif
