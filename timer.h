/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timer.h - the loop's clock, and one wheel of deadlines
 *
 * Timers are numbered, not allocated: flow slot n owns timer n, and the few
 * that exist once per process follow (enum timer_id). A deadline is absolute,
 * in milliseconds of CLOCK_BOOTTIME. An armed timer costs nothing until due.
 */
#ifndef TIMER_H
#define TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_FLOWS	131072u		/* as FLOW_MAX in flow.h */

enum timer_id {
	TIMER_SCAN = TIMER_FLOWS,	/* automatic ports */
	TIMER_LISTEN_RETRY,		/* ports that could not be bound */
	TIMER_NETNS_WATCH,
	TIMER_RA,			/* unsolicited router advertisements */
	TIMER_EXPIRE,			/* datagram flows */
	TIMER_RESOLVER,			/* one that does not answer */
	TIMER_REASSEMBLY,
	TIMER_STATS,
	TIMER_PCAP,			/* frames that wait for the file */
	TIMER_CONTROL,			/* a client that blocks others */
	TIMER_BACKLOG,			/* memory to give back */
	TIMER_COUNT
};

#define TIMER_NEVER	UINT64_MAX

void clock_update(void);	/* once per turn of the loop */
uint64_t clock_ms(void);	/* as of the last update */
uint64_t clock_ns(void);
/* Tests: from now on time stands still at @ns, until set again. */
void clock_set(uint64_t ns);

/* (Re)arm. A deadline in the past fires in the next timer_run(). */
void timer_set(uint32_t id, uint64_t deadline_ms);
/* Arm, but only if not armed, or armed later than @deadline_ms. For owners who
 * compare with their own deadlines on expiry. */
void timer_set_earlier(uint32_t id, uint64_t deadline_ms);
void timer_cancel(uint32_t id);
bool timer_armed(uint32_t id);
uint64_t timer_fired(void);		/* how many so far */

/* Milliseconds to sleep, rounded up: -1 for ever. Never later than the next
 * deadline; earlier only where many are due about the same time. */
int timer_timeout(void);
/* Calls @expire once for each timer due; it may arm and cancel any. */
void timer_run(void (*expire)(uint32_t id));

#endif
