/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.h - a world for the daemon, all of it made up: guest, kernel, network
 *
 * sim.c makes schedules and judges them; world.c is time, chance and what is
 * common; kernel.c the system calls; peer.c programs beyond the host's sockets;
 * wire.c the link, and what is checked of each frame; guest.c the guest's TCP.
 * README says what the model is and what is checked.
 *
 * A connection has two ends. End 0 opened it or, over the link, is the guest;
 * stream n flows from end n to the other one.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "addr.h"
#include "link/link.h"
#include "util.h"

#define CONNS		8u
#define MS		UINT64_C(1000000)	/* of time, which is in ns */
#define US		UINT64_C(1000)
#define SECOND		(1000 * MS)
#define NEVER		UINT64_MAX
#define GUEST_PORT	40000u	/* + number: connections of the guest */
#define PEER_PORT	50000u	/* + number: those of the host's peers */
#define SERVER_PORT	80u	/* + number: where the guest connects to */
#define RULE_PORT	7000u	/* forwarded to */
#define SERVICE_PORT	8080u	/* in the guest */
#define TALKS		6u
#define TALK_PORT	45000u	/* + number: who asks, in datagrams */
#define ANSWER_PORT	100u	/* + number: where the guest asks */
#define FD_FIRST	1000	/* descriptors of the simulated kernel */

/* --- world.c --- */

/* Chances are in one of 1000. */
struct faults {
	unsigned loss, dup, reorder;	/* of frames, each way */
	unsigned eintr, shorts, nobufs;	/* of calls */
	unsigned no_fd, no_epoll, abort_accept;
	unsigned no_pipe, small_pipe;
	unsigned spurious;		/* events of epoll */
	unsigned overtake;		/* the world goes on during a call */
	unsigned stall;			/* the link refuses frames for a while */
	unsigned stingy;		/* or grants fewer than asked for */
	unsigned odd;			/* of calls that hardly ever fail */
};

struct world {
	uint64_t seed, now, slow_until, end_by;
	bool verbose, over, dead;
	struct faults faults;
	uint64_t latency;		/* of the link, one way */
	uint64_t progress;		/* bytes, frames, ends: things done */
	uint64_t idle_since_progress;	/* progress when turns began to idle */
	unsigned idle_turns;
	unsigned conns;
	bool pasta, stream;
	/* Instead of faults by chance: the one that is due at this point. */
	bool one_fault;
	uint64_t fault_points, fault_at;
	unsigned fault_kind;		/* of it, where there are several */
	bool fault_concerns_all;
};
extern struct world world;

/* What went across, for a look at whether a fault really happens. */
#define COUNTERS(X)							\
	X(turns) X(calls) X(frames_in) X(frames_out) X(lost) X(dups)	\
	X(reordered) X(refused) X(eintr) X(shorts) X(nobufs) X(bytes)	\
	X(conns) X(resets) X(well) X(datagrams) X(splices) X(probes)

struct counters {
#define X(name) uint64_t name;
	COUNTERS(X)
#undef X
};
extern struct counters *counters;

_Noreturn void fail(const char *fmt, ...) PRINTF(1, 2);
void trace_line(const char *fmt, ...) PRINTF(1, 2);
#define T(...)								\
	do {								\
		if (world.verbose)					\
			trace_line(__VA_ARGS__);			\
	} while (0)

void random_seed(uint64_t seed);
uint32_t rnd(uint32_t below);			/* 0 to below - 1 */
uint32_t rnd_between(uint32_t from, uint32_t to);	/* both included */
bool chance(unsigned per_mille);
bool fault(unsigned per_mille);	/* as chance(); never when faults are over */
#define PICK(array)	((array)[rnd(ARRAY_SIZE(array))])

typedef void (*happening)(unsigned a, unsigned b);
void at(uint64_t when, happening fn, unsigned a, unsigned b);
uint64_t next_happening(void);			/* or NEVER */
void let_happen(void);				/* all that is due */

/* Content is a function of stream and position. */
#define PATTERN_MAX	65536u			/* bytes in one piece */
const uint8_t *pattern(uint32_t stream, uint64_t pos);

/* --- connections --- */

enum conn_kind { GUEST_OPENS, HOST_OPENS, SPLICE_IN, SPLICE_OUT };

/* Why a reset may be seen. */
#define CAUSES(X)							\
	X(GUEST_RESET) X(GUEST_DIED) X(HOST_RESET) X(REFUSED) X(NO_CALL)

enum cause {
#define X(name) CAUSE_BIT_##name,
	CAUSES(X)
#undef X
};
enum {
#define X(name) CAUSE_##name = 1 << CAUSE_BIT_##name,
	CAUSES(X)
#undef X
};

struct stream {
	uint32_t id;		/* of its pattern */
	uint64_t total;		/* the program means to send */
	uint64_t sent;		/* it has given to its TCP */
	uint64_t got;		/* the other program has */
	bool fin_sent, fin_got;
};

/* A program at one end, and how it goes about it. */
struct program {
	uint32_t write_chunk, read_chunk;
	uint64_t write_gap, read_gap;
	uint64_t pause_at, pause;	/* stops reading there, for so long */
	bool fin_after_eof;		/* closes when the other end has */
	uint64_t fin_delay;
	uint64_t reset_at;		/* NEVER, or when it kills it */
	bool writing, reading;		/* a turn of it is due */
	bool started, gone;		/* gone: closed, reset */
};

/* How an attempt to connect ends. */
struct outcome {
	int error;
	uint64_t after;			/* 0: connect() says so itself */
};

struct gtcp;

struct conn {
	enum conn_kind kind;
	enum fam fam;
	unsigned cause;
	bool closed_well;		/* by the daemon: both FINs have passed */
	struct addr guest, peer;
	uint16_t guest_port, peer_port;
	uint64_t start;
	struct stream stream[2];
	struct program program[2];
	struct outcome outcome;
	int fd[2];			/* the daemon's sockets, or -1 */
	uint32_t sndbuf[2], rcvbuf[2];
	/* What the daemon's frames have said. */
	bool irs_known, edge_known;
	uint32_t irs;
	int daemon_ws;
	uint16_t daemon_mss;
	uint64_t max_ack, max_edge;
	/* Frames lost in a row, without progress in that direction. */
	unsigned lost_run[2];
};
extern struct conn conns[CONNS];

static inline bool conn_is_tap(const struct conn *c)
{
	return c->kind == GUEST_OPENS || c->kind == HOST_OPENS;
}
static inline unsigned conn_idx(const struct conn *c)
{
	return (unsigned)(c - conns);
}

/* --- kernel.c --- */

struct datagram;
void kernel_start(void);
int kernel_link_fd(void);
void kernel_link_readable(bool yes);
void kernel_link_writable(bool yes);
void kernel_call_in(struct conn *c);	/* a peer connects to a listener */
uint64_t kernel_taken(const struct conn *c, unsigned end);
bool kernel_idle(void);			/* nothing is left behind */
void kernel_check_end(void);
/* The peer's half of a socket. */
uint64_t kernel_peer_readable(int fd, bool *eof);
void kernel_peer_read(int fd, uint64_t n);
uint64_t kernel_peer_room(int fd);
void kernel_peer_wrote(int fd, uint64_t n);
void kernel_peer_fin(int fd);
void kernel_peer_reset(int fd);

/* Datagrams of programs: lost where nobody takes them. */
void kernel_datagram_to_listener(const struct datagram *d, bool ns);
void kernel_datagram_to_socket(const struct datagram *d, int fd);

/* --- peer.c --- */

void peer_start(struct conn *c, unsigned end);
void peer_may_read(struct conn *c, unsigned end);
void peer_may_write(struct conn *c, unsigned end);
void peer_was_reset(struct conn *c, unsigned end);
/* Common to all programs. */
uint64_t program_read(struct conn *c, unsigned end, uint64_t avail);
uint64_t program_write(struct conn *c, unsigned end, uint64_t room);
uint64_t program_read_gap(struct conn *c, unsigned end);
bool program_done_writing(const struct conn *c, unsigned end);

/* --- wire.c --- */

/* A segment, by numbers relative to its direction's first. */
struct wseg {
	uint8_t conn, flags;
	uint16_t win, mss;
	int8_t ws;
	uint32_t len;
	uint64_t seq, ack;
	uint32_t raw_ack;	/* of resets to what never was */
	uint16_t gso;		/* of the guest: cut into pieces of that size */
	uint16_t datagram;	/* none of all that, but this one, plus one */
};

void wire_start(const struct link_caps *caps, const struct link_hooks *hooks);
void wire_from_guest(const struct wseg *s);
/* Where the link is a socket: its other end. */
ssize_t wire_stream_write(const struct iovec *iov, size_t cnt);
ssize_t wire_stream_read(uint8_t *out, size_t len);
void wire_datagram_from_guest(const struct datagram *d);
const char *wseg_str(const struct wseg *s, char buf[160]);

/* --- guest.c --- */

void guest_start(struct conn *c);
void guest_input(const struct wseg *s);
uint64_t guest_received(const struct conn *c);	/* in order, by its TCP */
uint64_t guest_edge(const struct conn *c);	/* offered to the daemon */
uint64_t guest_sent_max(const struct conn *c);	/* one above the last number */
bool guest_scales(const struct conn *c);	/* both ends do */
bool guest_shrinks(const struct conn *c);
bool guest_over(const struct conn *c);
uint32_t guest_isn(const struct conn *c);
bool guest_window_closed(const struct conn *c);
void guest_unreachable(struct conn *c);

/* --- datagram.c --- */

struct datagram {
	uint8_t talk, dir;
	uint16_t nr;
	uint32_t len;
	enum fam fam;
	struct addr from, to;
	uint16_t from_port, to_port;
};

void datagram_start(void);
void datagram_check_end(void);
void datagram_fill(const struct datagram *d, uint8_t *out);
void datagram_to_guest(const struct addr *src, uint16_t sport, uint16_t dport,
		       const uint8_t *p, size_t len);
void datagram_to_peer(int fd, const struct addr *dst, uint16_t dport,
		      const uint8_t *p, size_t len);
unsigned datagram_keep(const struct datagram *d);	/* while it travels */
const struct datagram *datagram_at(unsigned slot);

/* --- slab.c --- */

unsigned slab_in_use(void);
void slab_limit(unsigned chunks);

#endif
