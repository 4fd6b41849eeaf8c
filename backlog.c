/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backlog.c - one slab for everything host sockets have not taken yet
 *
 * What we acknowledged to the guest must reach the host's peer, and sendmsg()
 * may take less than we have. The rest waits here until the socket is writable.
 * The window offered to a guest is made of this room (tcp_out.c), so the slab
 * is what a promise is worth.
 *
 * Owns the slab. Allocates nothing: chunks are pages of BSS that exist once
 * they have been touched, and go back to the kernel when a burst has passed.
 */
#include "backlog.h"

#include <string.h>
#include <sys/mman.h>

#include "timer.h"
#include "util.h"

SYSCALLS(madvise);

/* A share of what is free is promised to each connection: many may wait at
 * once, and each can still place what it was promised before. */
#define ROOM_SHARE	8
#define ROOM_MIN	65536u
/* Chunks worth giving back to the kernel once none has been used for a while:
 * a connection that fills and empties its backlog all the time would pay for
 * fresh pages every time. */
#define TRIM_ABOVE	64u
#define TRIM_AFTER_MS	2000

static uint8_t slab[BACKLOG_CHUNKS][BACKLOG_CHUNK]
	__attribute__((aligned(4096)));

static struct chunk {
	uint32_t next;		/* number plus one */
	uint16_t start, end;	/* bytes in use */
} chunks[BACKLOG_CHUNKS];

static uint32_t free_list;	/* number plus one */
static uint32_t untouched;	/* chunks from here on were never used */
static uint32_t in_use;

_Static_assert(BACKLOG_CHUNK <= UINT16_MAX, "offsets fit their type");

static bool slab_used_lately;

void backlog_expire(uint32_t timer_id)
{
	(void)timer_id;

	if (in_use || slab_used_lately) {
		slab_used_lately = false;
		timer_set(TIMER_BACKLOG, clock_ms() + TRIM_AFTER_MS);
		return;
	}
	if (!madvise(slab, (size_t)untouched * BACKLOG_CHUNK, MADV_DONTNEED))
		free_list = untouched = 0;
}

static void slab_touched(void)
{
	slab_used_lately = true;
	if (untouched > TRIM_ABOVE)
		timer_set_earlier(TIMER_BACKLOG, clock_ms() + TRIM_AFTER_MS);
}

static uint32_t chunk_get(void)
{
	uint32_t n = free_list;

	if (n)
		free_list = chunks[n - 1].next;
	else if (untouched < BACKLOG_CHUNKS)
		n = ++untouched;
	else
		return 0;

	chunks[n - 1] = (struct chunk) { 0 };
	in_use++;
	slab_touched();
	return n;
}

static void chunk_put(uint32_t n)
{
	chunks[n - 1].next = free_list;
	free_list = n;
	in_use--;
}

uint32_t backlog_room(const struct backlog *b)
{
	uint64_t unused = (uint64_t)(BACKLOG_CHUNKS - in_use) * BACKLOG_CHUNK;
	uint64_t share = MIN(MAX(unused / ROOM_SHARE, ROOM_MIN), unused);

	return (uint32_t)MIN(share, BACKLOG_MAX - b->bytes);
}

/* The tail chunk, if it has room, or a new one. */
static struct chunk *backlog_tail(struct backlog *b)
{
	uint32_t n;

	if (b->tail && chunks[b->tail - 1].end < BACKLOG_CHUNK)
		return &chunks[b->tail - 1];

	n = chunk_get();
	if (!n)
		return NULL;
	if (b->tail)
		chunks[b->tail - 1].next = n;
	else
		b->head = n;
	b->tail = n;
	return &chunks[n - 1];
}

static size_t backlog_put(struct backlog *b, const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct chunk *c = backlog_tail(b);
		size_t n;

		if (!c)
			break;
		n = MIN(len - done, (size_t)BACKLOG_CHUNK - c->end);
		memcpy(slab[c - chunks] + c->end, p + done, n);
		c->end = (uint16_t)(c->end + n);
		done += n;
	}
	b->bytes += (uint32_t)done;
	return done;
}

size_t backlog_add(struct backlog *b, const struct iovec *iov, unsigned cnt,
		   size_t skip, size_t len)
{
	size_t done = 0;

	/* A guest that keeps to its window never asks for more */
	len = MIN(len, (size_t)BACKLOG_MAX - b->bytes);

	for (unsigned i = 0; i < cnt && done < len; i++) {
		size_t here, put;

		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		here = MIN(iov[i].iov_len - skip, len - done);
		put = backlog_put(b, (uint8_t *)iov[i].iov_base + skip, here);
		done += put;
		if (put < here)
			break;
		skip = 0;
	}
	return done;
}

unsigned backlog_iov(const struct backlog *b, struct iovec *iov, unsigned max)
{
	unsigned cnt = 0;

	for (uint32_t n = b->head; n && cnt < max; n = chunks[n - 1].next) {
		const struct chunk *c = &chunks[n - 1];

		iov[cnt].iov_base = slab[n - 1] + c->start;
		iov[cnt++].iov_len = (size_t)c->end - c->start;
	}
	return cnt;
}

void backlog_consume(struct backlog *b, size_t n)
{
	b->bytes -= (uint32_t)n;

	while (n) {
		struct chunk *c = &chunks[b->head - 1];
		size_t here = MIN(n, (size_t)c->end - c->start);
		uint32_t next = c->next;

		c->start = (uint16_t)(c->start + here);
		n -= here;
		if (c->start < c->end)
			return;
		chunk_put(b->head);
		b->head = next;
		if (!next)
			b->tail = 0;
	}
}

void backlog_clear(struct backlog *b)
{
	backlog_consume(b, b->bytes);
}
