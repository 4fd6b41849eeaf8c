/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backlog.h - bytes the guest was told we have, and the host socket did not
 * take yet
 *
 * Chunks of one static slab, touched only when used. A backlog is a queue of
 * chunks named by number, so that a connection holds no pointers. Zeroed is
 * empty.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define BACKLOG_CHUNK	16384u
#define BACKLOG_CHUNKS	4096u
#define BACKLOG_MAX	(4u << 20)	/* bytes, of one connection */

struct backlog {
	uint32_t head, tail;	/* chunk number plus one; 0: none */
	uint32_t bytes;
};

/* Append @len bytes of @iov, @skip bytes in. Returns how many there was room
 * for: fewer only when the slab, or this queue's share, is used up. */
size_t backlog_add(struct backlog *b, const struct iovec *iov, unsigned cnt,
		   size_t skip, size_t len);
/* The oldest bytes, in place. Returns the number of pieces. */
unsigned backlog_iov(const struct backlog *b, struct iovec *iov, unsigned max);
void backlog_consume(struct backlog *b, size_t n);	/* n <= bytes */
void backlog_clear(struct backlog *b);
/* How many more bytes this queue can be sure to hold. Others' promises may
 * eat into it only when the slab is nearly used up. */
uint32_t backlog_room(const struct backlog *b);
void backlog_expire(uint32_t timer_id);	/* TIMER_BACKLOG: memory goes back */

#endif
