/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll_ctl.h - the event loop: descriptors in, tagged events out
 *
 * A descriptor enters once, with a tag that says what it is; interest never
 * changes afterwards for flow sockets (edge-triggered, all events). A flow's
 * tag carries the slot's generation, so an event for a slot that was reused
 * meanwhile is recognised and ignored.
 */
#ifndef EPOLL_CTL_H
#define EPOLL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* One line per kind of event: the enum, the statistics column, the log word. */
#define EVENT_KINDS(X)					\
	X(LINK,		"link")				\
	X(LINK_LISTEN,	"listening link socket")	\
	X(TCP,		"connected TCP")		\
	X(SPLICE,	"spliced TCP")			\
	X(TCP_LISTEN,	"listening TCP")		\
	X(UDP_LISTEN,	"listening UDP")		\
	X(UDP,		"UDP flow")			\
	X(PING,		"ping")				\
	X(NEIGH,	"host neighbour change")	\
	X(AGENT,	"namespace agent")		\
	X(NETNS,	"namespace watch")		\
	X(CHILD,	"spawned command")		\
	X(SIGNAL,	"signal")			\
	X(RESOLVER,	"resolv.conf change")		\
	X(CONTROL,	"control socket")

enum ev_kind {
#define X(name, text) EV_##name,
	EVENT_KINDS(X)
#undef X
	EV_COUNT
};

struct ev {
	uint8_t kind;		/* enum ev_kind */
	uint8_t side;		/* flows with two sockets: which */
	uint16_t gen;		/* flows: generation of the slot */
	uint32_t slot;		/* flow slot, listener, or the owner's own */
};

#define EV_FLOW_MASK	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)

typedef void (*ev_handler)(struct ev ev, uint32_t events);

int loop_init(void);				/* 0, or -errno */
int loop_add(int fd, uint32_t events, struct ev ev);	/* 0, or -errno */
int loop_mod(int fd, uint32_t events, struct ev ev);
void loop_del(int fd);				/* close() does it too */

struct loop_hooks {
	ev_handler handler[EV_COUNT];
	void (*expire)(uint32_t timer_id);
	/* See loop_tick_in(). */
	void (*tick)(void);
	/* After each batch of events; true when there is more to do at once. */
	bool (*turn)(void);
};

/* Until loop_stop(); returns its argument. One turn: wait, read the clock,
 * handle the batch, run timers, hooks->turn(). */
int loop_run(const struct loop_hooks *hooks);
/* One turn, waiting @max_wait_ms at most (-1: as the timers say). For tests. */
void loop_once(const struct loop_hooks *hooks, int max_wait_ms);
void loop_stop(int status);
/* Call hooks->tick(), once, in @us microseconds (less than a millisecond) or
 * somewhat later, unless that is sooner due: for what cannot wait for a timer.
 */
void loop_tick_in(unsigned us);
uint64_t loop_events(enum ev_kind kind);	/* how many so far */

#endif
