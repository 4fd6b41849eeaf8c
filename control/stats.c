/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - what a running process has done so far, in numbers
 *
 * With --stats, on standard error: a line of counters since the start, a
 * staircase above each twenty of them that names the columns,
 *
 *	      link
 *	      |      connected TCP
 *	      |      |      ...
 *	    123     45      6
 *
 * and under it, for what has changed since, why packets were dropped and
 * connections ended:
 *
 *	  drops: NO_FLOW 12, NDP 3
 *	  TCP: FINISHED 4, GUEST_RESET 1
 *
 * No more than one such report in the time given. The timer is armed by
 * events, so that the last of them are told, and an idle process sleeps.
 *
 * At debug level the same, and the flows that were still open, are told once
 * more at exit.
 *
 * Owns nothing that is counted: everyone counts for himself.
 */
#include "control/stats.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "epoll_ctl.h"
#include "flow.h"
#include "listen.h"
#include "log.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "timer.h"
#include "util.h"

#define LINES_PER_HEADER	20
#define OPEN_FLOWS_MAX		100	/* named at exit */

/* One column each: the kinds of events, then what else there is. */
static uint64_t dropped(unsigned arg)
{
	uint64_t sum = 0;

	(void)arg;
	for (unsigned i = 0; i < DROP_COUNT; i++)
		sum += drop_count(i);
	return sum;
}

static uint64_t timers(unsigned arg)
{
	(void)arg;
	return timer_fired();
}

static uint64_t flows(unsigned arg)
{
	uint64_t sum = 0;

	(void)arg;
	for (unsigned i = 0; i < FLOW_TYPE_COUNT; i++)
		sum += flow_count(i);
	return sum;
}

static uint64_t listeners(unsigned arg)
{
	(void)arg;
	return listen_count();
}

static uint64_t events(unsigned kind)
{
	return loop_events(kind);
}

static const struct {
	const char *name;
	uint64_t (*value)(unsigned arg);
	unsigned arg;
} columns[] = {
#define X(name, text) { text, events, EV_##name },
	EVENT_KINDS(X)
#undef X
	{ "timer",			timers,		0 },
	{ "dropped packet",		dropped,	0 },
	{ "flow open now",		flows,		0 },
	{ "listener open now",		listeners,	0 },
};

/* Lists of reasons, and what was told of them. */
#define REASONS_MAX	64

static struct {
	const char *heading;
	bool (*get)(unsigned i, struct counter *out);
	uint64_t told[REASONS_MAX];
} reasons[] = {
	{ "drops",		drop_counter,		{ 0 } },
	{ "TCP",		tcp_end_counter,	{ 0 } },
	{ "spliced TCP",	tcp_splice_end_counter,	{ 0 } },
};

_Static_assert(DROP_COUNT <= REASONS_MAX, "room to remember");

static uint64_t every_ms;	/* 0: not asked for */
static uint64_t next_ms;	/* no report before */
static uint64_t told_events;
static unsigned lines;		/* reports so far */

/* --- text --- */

/* What a pipe takes at once, see log_stderr_raw(). */
struct text {
	char s[PIPE_BUF];
	size_t len;
};

static void PRINTF(2, 3) add(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->s) - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += MIN((size_t)n, room - 1);
}

static void add_header(struct text *t)
{
	for (unsigned row = 0; row < ARRAY_SIZE(columns); row++) {
		add(t, " ");
		for (unsigned i = 0; i < row; i++)
			add(t, "%7s", "|");
		add(t, "%6s%s\n", "", columns[row].name);
	}
}

static void add_line(struct text *t)
{
	add(t, " ");
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
		add(t, " %6llu", (unsigned long long)
		    columns[i].value(columns[i].arg));
	add(t, "\n");
}

static void add_changes(struct text *t, unsigned list)
{
	bool any = false;
	struct counter c;

	for (unsigned i = 0; reasons[list].get(i, &c); i++) {
		uint64_t *told = &reasons[list].told[i];

		if (c.count == *told)
			continue;
		if (any)
			add(t, ", ");
		else
			add(t, "  %s: ", reasons[list].heading);
		add(t, "%s %llu", c.name, (unsigned long long)c.count);
		*told = c.count;
		any = true;
	}
	if (any)
		add(t, "\n");
}

static void say(struct text *t)
{
	log_stderr_raw(t->s, t->len);
	t->len = 0;
}

/* --- when --- */

static uint64_t events_total(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < EV_COUNT; i++)
		sum += loop_events(i);
	return sum;
}

void stats_expire(void)
{
	struct text t = { .len = 0 };

	next_ms = clock_ms() + every_ms;
	told_events = events_total();
	if (!(lines++ % LINES_PER_HEADER)) {
		add_header(&t);
		say(&t);
	}
	add_line(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
		add_changes(&t, i);
	say(&t);
}

void stats_start(unsigned every_s)
{
	every_ms = every_s * UINT64_C(1000);
	next_ms = clock_ms();
	told_events = events_total();
	lines = 0;
}

void stats_turn(void)
{
	if (every_ms && !timer_armed(TIMER_STATS) &&
	    events_total() != told_events)
		timer_set(TIMER_STATS, next_ms);
}

/* --- at exit --- */

static unsigned open_flows;

static void tell_open(struct flow *f)
{
	if (open_flows++ < OPEN_FLOWS_MAX)
		flow_debug(f, "open at exit");
}

void stats_exit(void)
{
	struct counter c;

	if (every_ms && events_total() != told_events)
		stats_expire();
	if (!log_on(LOG_LVL_DEBUG))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++) {
		uint64_t n = columns[i].value(columns[i].arg);

		if (n)
			debug("Count: %s: %llu", columns[i].name,
			      (unsigned long long)n);
	}
	for (unsigned list = 0; list < ARRAY_SIZE(reasons); list++)
		for (unsigned i = 0; reasons[list].get(i, &c); i++)
			if (c.count)
				debug("Count: %s: %s, %s: %llu",
				      reasons[list].heading, c.name, c.text,
				      (unsigned long long)c.count);
	for (unsigned type = 1; type < FLOW_TYPE_COUNT; type++)
		flow_each(type, tell_open);
}
