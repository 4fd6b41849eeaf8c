/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timer.c - the loop's clock, and one wheel of deadlines
 *
 * The wheel is hierarchical (Varghese and Lauck, "Hashed and Hierarchical
 * Timing Wheels"): a deadline is a number written in base 64, one digit per
 * level, milliseconds at level 0. A timer hangs at the level of the highest
 * digit in which its deadline differs from the wheel's own time:
 *
 *	time at		12:07:31	(three digits shown)
 *	deadline	12:07:40	-> level 0, slot 40
 *	deadline	12:09:05	-> level 1, slot  9
 *	deadline	13:00:00	-> level 2, slot 13
 *
 * So digits above a timer's level equal the wheel's, the digit at its level is
 * greater, slots in use are always ahead of time, and never wrap around. When
 * the time enters a slot of a higher level, its timers move down. Eleven
 * levels hold any 64-bit deadline: there is no "too far away".
 *
 * One bit per slot says that it is in use, so that sleeping and advancing look
 * at a few words, not at every tick that went by. Timers that are due wait in
 * one of two lists: one is being fired, the other collects what callbacks arm
 * in the past, for the next run.
 *
 * Owns: time as the program sees it, and all timers. Never: a system call
 * other than reading the clock, memory beyond the static table, which is
 * touched only where timers are in use. A wheel's time never goes back.
 */
#include "timer.h"

#include <assert.h>
#include <limits.h>
#include <time.h>

#include "util.h"

SYSCALLS(clock_gettime);	/* where the vDSO does not do it */

#define DIGIT_BITS	6u
#define SLOTS		64u	/* per level: bits of a bitmap */
#define LEVELS		11u	/* digits of a 64-bit number */
#define LIST_DUE	(LEVELS * SLOTS)	/* and the one after it */
#define LISTS		(LIST_DUE + 2)

/* Numbers of timers and lists are stored plus one: zero is none, so that the
 * table need not be initialised. */
struct node {
	uint64_t deadline_ms;
	uint32_t next, prev;	/* ring: the first one's prev is the last */
	uint32_t list;		/* the list it is on; 0: not armed */
};

/* Timers of a slot that are asked for their deadline before going to sleep. */
#define LOOK_AT_MOST	16

static struct node nodes[TIMER_COUNT];
static uint32_t first[LISTS];
static uint64_t used[LEVELS];	/* bit n: first[level * SLOTS + n] is set */
static uint64_t wheel_ms;	/* everything up to here has been fired */
static uint64_t fired;
static unsigned collecting;	/* which list of the due is not being fired */

static uint64_t now_ns;
static bool frozen;

void clock_update(void)
{
	struct timespec ts;

	if (frozen || clock_gettime(CLOCK_BOOTTIME, &ts))
		return;
	now_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_ms(void)
{
	return now_ns / 1000000u;
}

uint64_t clock_ns(void)
{
	return now_ns;
}

void clock_set(uint64_t ns)
{
	now_ns = ns;
	frozen = true;
}

static struct node *node_at(uint32_t id)
{
	assert(id < TIMER_COUNT);
	return &nodes[id];
}

static void list_append(uint32_t list, uint32_t id)
{
	struct node *n = node_at(id);
	uint32_t me = id + 1, head = first[list];

	n->list = list + 1;
	if (list < LIST_DUE)
		used[list / SLOTS] |= 1ull << list % SLOTS;
	if (!head) {
		n->next = n->prev = first[list] = me;
		return;
	}
	n->next = head;
	n->prev = nodes[head - 1].prev;
	nodes[n->prev - 1].next = me;
	nodes[head - 1].prev = me;
}

static void list_remove(uint32_t id)
{
	struct node *n = node_at(id);
	uint32_t me = id + 1, list = n->list - 1;

	nodes[n->prev - 1].next = n->next;
	nodes[n->next - 1].prev = n->prev;
	if (first[list] == me)
		first[list] = n->next == me ? 0 : n->next;
	if (!first[list] && list < LIST_DUE)
		used[list / SLOTS] &= ~(1ull << list % SLOTS);
	n->list = 0;
}

static unsigned digit(uint64_t t, unsigned level)
{
	return (unsigned)(t >> level * DIGIT_BITS) % SLOTS;
}

/* All digits above @level. The highest level has none. */
static uint64_t above(uint64_t t, unsigned level)
{
	return level + 1 < LEVELS ? t >> (level + 1) * DIGIT_BITS : 0;
}

static void wheel_insert(uint32_t id)
{
	uint64_t deadline_ms = nodes[id].deadline_ms;
	uint64_t differ = deadline_ms ^ wheel_ms;
	unsigned level;

	if (deadline_ms <= wheel_ms) {
		list_append(LIST_DUE + collecting, id);
		return;
	}
	level = (63u - (unsigned)__builtin_clzll(differ)) / DIGIT_BITS;
	list_append(level * SLOTS + digit(deadline_ms, level), id);
}

void timer_set(uint32_t id, uint64_t deadline_ms)
{
	timer_cancel(id);
	if (deadline_ms == TIMER_NEVER)
		return;
	nodes[id].deadline_ms = deadline_ms;
	wheel_insert(id);
}

void timer_set_earlier(uint32_t id, uint64_t deadline_ms)
{
	if (!timer_armed(id) || nodes[id].deadline_ms > deadline_ms)
		timer_set(id, deadline_ms);
}

void timer_cancel(uint32_t id)
{
	if (timer_armed(id))
		list_remove(id);
}

bool timer_armed(uint32_t id)
{
	return node_at(id)->list;
}

uint64_t timer_fired(void)
{
	return fired;
}

/* The earliest deadline on a list; or, where it is long, @at_least: waking up
 * early now and then costs less than looking through it each time. */
static uint64_t list_earliest(uint32_t list, uint64_t at_least)
{
	uint32_t at = first[list];
	uint64_t earliest = TIMER_NEVER;

	for (unsigned n = 0; n < LOOK_AT_MOST; n++) {
		earliest = MIN(earliest, nodes[at - 1].deadline_ms);
		at = nodes[at - 1].next;
		if (!at || at == first[list])
			return earliest;
	}
	return at_least;
}

int timer_timeout(void)
{
	uint64_t now_ms = clock_ms(), next_ms;
	unsigned level = 0, shift, slot;

	if (first[LIST_DUE] || first[LIST_DUE + 1])
		return 0;
	while (level < LEVELS && !used[level])
		level++;
	if (level == LEVELS)
		return -1;

	/* The lowest level in use has the earliest timers, as all of it comes
	 * before the next digit of the level above. */
	shift = level * DIGIT_BITS;
	slot = (unsigned)__builtin_ctzll(used[level]);
	next_ms = ((above(wheel_ms, level) * SLOTS) << shift) |
		  (uint64_t)slot << shift;
	if (level)
		next_ms = list_earliest(level * SLOTS + slot, next_ms);
	if (next_ms <= now_ms)
		return 0;
	return (int)MIN(next_ms - now_ms, (uint64_t)INT_MAX);
}

/* Slots of @level that time passes or enters on its way from @from to @to. */
static uint64_t slots_passed(unsigned level, uint64_t from, uint64_t to)
{
	if (above(from, level) != above(to, level))
		return UINT64_MAX;
	return UINT64_MAX >> (SLOTS - 1 - digit(to, level));
}

/* Every timer in a slot that was passed moves once: to the list of the due, or
 * down to where it belongs from now on. */
static void wheel_advance(uint64_t to_ms)
{
	uint64_t from_ms = wheel_ms;

	if (to_ms <= from_ms)
		return;
	wheel_ms = to_ms;
	for (unsigned level = 0; level < LEVELS; level++) {
		uint64_t hit = used[level] &
			       slots_passed(level, from_ms, to_ms);

		for (; hit; hit &= hit - 1) {
			uint32_t slot = level * SLOTS +
					(unsigned)__builtin_ctzll(hit);

			while (first[slot]) {
				uint32_t id = first[slot] - 1;

				list_remove(id);
				wheel_insert(id);
			}
		}
		if (above(from_ms, level) == above(to_ms, level))
			break;
	}
}

void timer_run(void (*expire)(uint32_t id))
{
	uint32_t firing = LIST_DUE + collecting;

	wheel_advance(clock_ms());
	collecting = !collecting;
	while (first[firing]) {
		uint32_t id = first[firing] - 1;

		list_remove(id);
		fired++;
		expire(id);
	}
}
