/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - time, chance, and what happens when
 *
 * Everything that will happen waits in one heap, by time and then in the order
 * in which it was decided; everything that is decided by chance comes from one
 * generator. So a seed is a history.
 */
#include "test/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"

#define HAPPENINGS	16384u
#define PATTERN_PERIOD	65521u	/* prime: no power of two away looks alike */

struct world world;
struct conn conns[CONNS];

/* --- telling --- */

void trace_line(const char *fmt, ...)
{
	va_list ap;

	printf("%12.6f  ", (double)world.now / 1e9);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* The daemon complains, rightly, of what it is made to suffer: a part of the
 * trace. */
void __wrap_log_msg(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void __wrap_log_msg(enum log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	T("    %s", text);
}

void fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("seed %llu, at %.6f s: %s\n", (unsigned long long)world.seed,
	       (double)world.now / 1e9, text);
	fflush(stdout);
	_exit(1);
}

/* --- chance --- */

static uint64_t random_state;

static uint64_t random_next(void)	/* splitmix64, public domain */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void random_seed(uint64_t seed)
{
	random_state = seed * 0x2545f4914f6cdd1d + 1;
	random_next();
}

uint32_t rnd(uint32_t below)
{
	return (uint32_t)((random_next() >> 32) * below >> 32);
}

uint32_t rnd_between(uint32_t from, uint32_t to)
{
	return from + rnd(to - from + 1);
}

bool chance(unsigned per_mille)
{
	return per_mille && rnd(1000) < per_mille;
}

/* In a schedule with one fault, that is one of those asked for here, by number:
 * whatever the chances are. What else it will be has another course then. */
bool fault(unsigned per_mille)
{
	if (!world.one_fault)
		return world.now < world.slow_until && chance(per_mille);
	if (world.now >= world.slow_until ||
	    ++world.fault_points != world.fault_at)
		return false;
	T("here is the fault");
	random_state += world.fault_kind;
	return true;
}

/* --- content --- */

static uint8_t table[PATTERN_PERIOD + PATTERN_MAX];

static void __attribute__((constructor)) pattern_make(void)
{
	uint64_t x = 88172645463325252ull;

	for (size_t i = 0; i < sizeof(table); i++) {
		if (i >= PATTERN_PERIOD) {
			table[i] = table[i - PATTERN_PERIOD];
			continue;
		}
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (uint8_t)(x >> 24);
	}
}

const uint8_t *pattern(uint32_t stream, uint64_t pos)
{
	return table + (stream * 7919ull + pos) % PATTERN_PERIOD;
}

/* --- what happens when --- */

static struct entry {
	uint64_t when;
	uint64_t order;
	happening fn;
	unsigned a, b;
} heap[HAPPENINGS];
static unsigned heap_len;

static bool before(const struct entry *a, const struct entry *b)
{
	return a->when < b->when || (a->when == b->when && a->order < b->order);
}

void at(uint64_t when, happening fn, unsigned a, unsigned b)
{
	static uint64_t order;
	struct entry e = { MAX(when, world.now), order++, fn, a, b };
	unsigned i = heap_len++;

	if (heap_len > HAPPENINGS)
		fail("the simulation has too much to do");
	for (; i && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = e;
}

static struct entry heap_pop(void)
{
	struct entry first = heap[0], last = heap[--heap_len];
	unsigned i = 0;

	for (;;) {
		unsigned kid = 2 * i + 1;

		if (kid + 1 < heap_len && before(&heap[kid + 1], &heap[kid]))
			kid++;
		if (kid >= heap_len || !before(&heap[kid], &last))
			break;
		heap[i] = heap[kid];
		i = kid;
	}
	heap[i] = last;
	return first;
}

uint64_t next_happening(void)
{
	return heap_len ? heap[0].when : NEVER;
}

void let_happen(void)
{
	while (heap_len && heap[0].when <= world.now) {
		struct entry e = heap_pop();

		e.fn(e.a, e.b);
	}
}
