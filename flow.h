/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.h - the table of conversations: allocate, find, wake, free
 *
 * A flow has two sides: side 0 started it, side 1 is where it went. Each side
 * names our address and port there, and the endpoint's. The table knows no
 * protocol: what a flow does when woken is its type's row in flow_ops.
 * Slots hold no pointers and never move; idle ones cost nothing.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "conf.h"
#include "epoll_ctl.h"
#include "log.h"
#include "siphash.h"

#define FLOW_MAX	131072u
#define FLOW_SLOT	320u	/* bytes; every protocol's struct fits */
#define FLOW_NONE	UINT32_MAX

#define FLOW_TYPES(X)					\
	X(FREE,		"free")				\
	X(TCP,		"TCP connection")		\
	X(SPLICE,	"TCP connection (spliced)")	\
	X(UDP,		"UDP flow")			\
	X(PING4,	"ICMP ping sequence")		\
	X(PING6,	"ICMPv6 ping sequence")

enum flow_type {
#define X(name, text) FLOW_##name,
	FLOW_TYPES(X)
#undef X
	FLOW_TYPE_COUNT
};

enum { SIDE_INI, SIDE_TGT };	/* which side of a flow */

struct side {
	struct addr ours, theirs;	/* our end, the endpoint's */
	uint16_t our_port, their_port;
	uint8_t pif;			/* enum pif */
};

struct flow {			/* first member of every protocol's struct */
	struct side side[2];
	uint8_t type;		/* enum flow_type */
	uint8_t hashed;		/* bit per side */
	uint8_t queued;		/* flow.c: on which lists */
	uint16_t gen;		/* counts uses of the slot */
	uint32_t next, prev;	/* flow.c: ready list, or free list */
};

/* What a type of flow does. All may be NULL. */
struct flow_ops {
	/* Do what is ready, up to a fair share; return true for more at once.
	 * Called once per turn after flow_ready(). May free the flow. */
	bool (*work)(struct flow *f);
	void (*expire)(struct flow *f);	/* its timer (number: the slot) is due */
	void (*event)(struct flow *f, unsigned side, uint32_t events);
};

/* 0, or -errno: the kernel has no random numbers. */
int flow_init(const struct flow_ops rows[FLOW_TYPE_COUNT]);

/* A zeroed slot, not in the hash, of generation unlike the last; NULL: table
 * full (counted). flow_free() takes it out of hash, lists and wheel; sockets
 * are the owner's to close before. A freed slot is never reused within the
 * same turn of the loop. */
struct flow *flow_alloc(enum flow_type type);
void flow_free(struct flow *f);

uint32_t flow_idx(const struct flow *f);
struct flow *flow_at(uint32_t idx);		/* NULL: free or out of range */
unsigned flow_count(enum flow_type type);

/* Side @side can be found by its addresses from now on. */
void flow_hash_insert(struct flow *f, unsigned side);
void flow_hash_remove(struct flow *f, unsigned side);
/* Exact match of (pif, protocol, ours, theirs, ports); *side when not NULL. */
struct flow *flow_find(uint8_t proto, const struct side *want, unsigned *side);
/* The 64-bit keyed hash of a side: also the secret of RFC 6528. */
uint64_t flow_hash(uint8_t proto, const struct side *s);

/* Tag for loop_add(), and back: dispatches to ops->event, ignoring events for
 * slots that have been freed or reused. Handler of EV_TCP, EV_SPLICE, EV_UDP,
 * EV_PING. */
struct ev flow_ev(const struct flow *f, enum ev_kind kind, unsigned side);
void flow_handle(struct ev ev, uint32_t events);

/* Have ops->work called at the end of this turn (or the next, from work). */
void flow_ready(struct flow *f);
/* The link had no room: have it called when there is some again. */
void flow_wait_link(struct flow *f);
void flow_link_writable(void);			/* hook for the link */
/* End of turn: run the ready list once; true when something is left. */
bool flow_run_ready(void);
void flow_expire(uint32_t timer_id);		/* wheel hook, ids < FLOW_MAX */

/* Walk: for each flow in use of that type (bounded by the highest slot used).
 */
void flow_each(enum flow_type type, void (*fn)(struct flow *f));

/* "Flow 12 (TCP connection): text". Unless it is for tracing, where each
 * packet has them, a second line names both sides. */
void flow_log(const struct flow *f, enum log_level level, const char *fmt, ...)
	PRINTF(3, 4);
#define FLOW_LOG(f, level, ...)						\
	do {								\
		if (log_on(level))					\
			flow_log(f, level, __VA_ARGS__);		\
	} while (0)
#define FLOW_LOG_LIMIT(f, level, ...)					\
	do {								\
		static struct log_limit limit_;				\
		if (log_on(level) && log_allow(&limit_, level))		\
			flow_log(f, level, __VA_ARGS__);		\
	} while (0)
#define flow_debug(f, ...)	FLOW_LOG(f, LOG_LVL_DEBUG, __VA_ARGS__)
#define flow_trace(f, ...)	FLOW_LOG(f, LOG_LVL_TRACE, __VA_ARGS__)
#define flow_warn(f, ...)	FLOW_LOG_LIMIT(f, LOG_LVL_WARN, __VA_ARGS__)
#define flow_err(f, ...)	FLOW_LOG_LIMIT(f, LOG_LVL_ERR, __VA_ARGS__)

#endif
