/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.h - cursors over bytes we do not trust, and views of scattered bytes
 *
 * A cursor that is asked for more than it has fails and stays failed: reads
 * return zero, writes go nowhere. Code reads a whole structure, then asks
 * rd_ok() or wr_ok() once.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct rd {
	const uint8_t *p;
	size_t len;		/* bytes left */
	bool bad;
};

static inline struct rd rd_init(const void *p, size_t len)
{
	return (struct rd) { p, len, false };
}
static inline bool rd_ok(const struct rd *r) { return !r->bad; }
/* Something left, and no failure so far. */
static inline bool rd_more(const struct rd *r) { return !r->bad && r->len; }

uint8_t rd_u8(struct rd *r);
uint16_t rd_be16(struct rd *r);
uint32_t rd_be32(struct rd *r);
uint64_t rd_be64(struct rd *r);
void rd_skip(struct rd *r, size_t n);
void rd_bytes(struct rd *r, void *out, size_t n);
/* The next @n bytes where they are, or NULL when there are fewer. */
const uint8_t *rd_ptr(struct rd *r, size_t n);
/* A cursor over the next @n bytes, which leave @r; failed if there are fewer,
 * and then @r is failed too. */
struct rd rd_sub(struct rd *r, size_t n);

struct wr {
	uint8_t *p;		/* where the next byte goes */
	size_t left;
	bool bad;
};

static inline struct wr wr_init(void *p, size_t len)
{
	return (struct wr) { p, len, false };
}
static inline bool wr_ok(const struct wr *w) { return !w->bad; }

void wr_u8(struct wr *w, uint8_t v);
void wr_be16(struct wr *w, uint16_t v);
void wr_be32(struct wr *w, uint32_t v);
void wr_be64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, const void *p, size_t n);
void wr_zero(struct wr *w, size_t n);
/* Room for @n bytes to be filled by the caller, or NULL. */
uint8_t *wr_reserve(struct wr *w, size_t n);

/* Unaligned big-endian access, for memory whose size is already known. */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* A slice of somebody else's iovec array: @len bytes starting @skip bytes into
 * iov[0]. Owns nothing; valid as long as what it points to. */
struct view {
	const struct iovec *iov;
	size_t skip;
	size_t len;
};

void view_trim_front(struct view *v, size_t n);		/* n <= len */
static inline void view_truncate(struct view *v, size_t n)
{
	if (n < v->len)
		v->len = n;
}
/* Append the view's pieces to @iov, which has room for @max; returns how many
 * were written, or 0 if they do not fit (or the view is empty). */
unsigned view_iov(const struct view *v, struct iovec *iov, unsigned max);
/* Copy @n bytes starting at @off out; false when the view is shorter. */
bool view_copy(const struct view *v, size_t off, void *out, size_t n);
/* A cursor over the first min(len, @max) bytes: in place when they are in one
 * piece, otherwise copied to @scratch. */
struct rd view_linear(const struct view *v, void *scratch, size_t max);

size_t iov_len(const struct iovec *iov, unsigned cnt);
/* Drop the first @n bytes: returns the index of the first iovec still in use,
 * adjusting it in place. */
unsigned iov_advance(struct iovec *iov, unsigned cnt, size_t n);

#endif
