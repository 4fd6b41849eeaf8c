/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.c - cursors and views: where lengths are checked, once for everybody
 *
 * A read cursor answers zero, and a write cursor swallows, from the first time
 * it is asked for more than there is. Nothing here reads or writes a byte
 * outside of what it was given, whatever the order of calls.
 *
 * A view is a window on an iovec array. Its length, not the array's, says
 * where it ends, so that iov may point behind the last element once len is 0:
 *
 *	iov ->  [ skip |######]  [##########]  [####|   ]
 *	               '------------ len -----------'
 *
 * Owns nothing; allocates nothing. Empty iovecs are allowed everywhere.
 */
#include "buf.h"

#include <assert.h>
#include <string.h>

#include "util.h"

/* The one bounds check of all readers. */
static const uint8_t *rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->len) {
		r->bad = true;
		r->len = 0;
		return NULL;
	}
	if (n)			/* p may be NULL where there is nothing */
		r->p += n;
	r->len -= n;
	return p;
}

uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_take(r, 1);

	return p ? *p : 0;
}

uint16_t rd_be16(struct rd *r)
{
	const uint8_t *p = rd_take(r, 2);

	return p ? get_be16(p) : 0;
}

uint32_t rd_be32(struct rd *r)
{
	const uint8_t *p = rd_take(r, 4);

	return p ? get_be32(p) : 0;
}

uint64_t rd_be64(struct rd *r)
{
	const uint8_t *p = rd_take(r, 8);

	return p ? (uint64_t)get_be32(p) << 32 | get_be32(p + 4) : 0;
}

void rd_skip(struct rd *r, size_t n)
{
	rd_take(r, n);
}

void rd_bytes(struct rd *r, void *out, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	if (!n)
		return;		/* out may be NULL then */
	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

const uint8_t *rd_ptr(struct rd *r, size_t n)
{
	return rd_take(r, n);
}

struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	return (struct rd) { p, r->bad ? 0 : n, r->bad };
}

uint8_t *wr_reserve(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || n > w->left) {
		w->bad = true;
		w->left = 0;
		return NULL;
	}
	if (n)
		w->p += n;
	w->left -= n;
	return p;
}

void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_reserve(w, 1);

	if (p)
		*p = v;
}

void wr_be16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_reserve(w, 2);

	if (p)
		put_be16(p, v);
}

void wr_be32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_reserve(w, 4);

	if (p)
		put_be32(p, v);
}

void wr_be64(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_reserve(w, 8);

	if (!p)
		return;
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

void wr_bytes(struct wr *w, const void *p, size_t n)
{
	uint8_t *to = wr_reserve(w, n);

	if (to && n)
		memcpy(to, p, n);
}

void wr_zero(struct wr *w, size_t n)
{
	uint8_t *to = wr_reserve(w, n);

	if (to && n)
		memset(to, 0, n);
}

/* With bytes left, have skip point at the first of them. */
static void view_settle(struct view *v)
{
	while (v->len && v->skip >= v->iov->iov_len) {
		v->skip -= v->iov->iov_len;
		v->iov++;
	}
}

/* Take the first piece off a view that is not empty. */
static struct iovec view_pop(struct view *v)
{
	struct iovec piece;

	view_settle(v);
	piece.iov_base = (uint8_t *)v->iov->iov_base + v->skip;
	piece.iov_len = MIN(v->iov->iov_len - v->skip, v->len);
	v->skip += piece.iov_len;
	v->len -= piece.iov_len;
	return piece;
}

void view_trim_front(struct view *v, size_t n)
{
	assert(n <= v->len);
	v->skip += n;
	v->len -= n;
	view_settle(v);
}

unsigned view_iov(const struct view *v, struct iovec *iov, unsigned max)
{
	struct view rest = *v;
	unsigned n = 0;

	while (rest.len) {
		if (n == max)
			return 0;
		iov[n++] = view_pop(&rest);
	}
	return n;
}

bool view_copy(const struct view *v, size_t off, void *out, size_t n)
{
	struct view rest = *v;
	uint8_t *to = out;

	if (off > v->len || n > v->len - off)
		return false;
	view_trim_front(&rest, off);
	view_truncate(&rest, n);
	while (rest.len) {
		struct iovec piece = view_pop(&rest);

		memcpy(to, piece.iov_base, piece.iov_len);
		to += piece.iov_len;
	}
	return true;
}

struct rd view_linear(const struct view *v, void *scratch, size_t max)
{
	struct view head = *v;
	struct iovec piece;
	size_t n;

	view_truncate(&head, max);
	n = head.len;
	if (!n)
		return rd_init(scratch, 0);
	piece = view_pop(&head);
	if (piece.iov_len == n)
		return rd_init(piece.iov_base, n);
	view_copy(v, 0, scratch, n);
	return rd_init(scratch, n);
}

size_t iov_len(const struct iovec *iov, unsigned cnt)
{
	size_t sum = 0;

	for (unsigned i = 0; i < cnt; i++)
		sum += iov[i].iov_len;
	return sum;
}

unsigned iov_advance(struct iovec *iov, unsigned cnt, size_t n)
{
	unsigned i = 0;

	while (i < cnt && n >= iov[i].iov_len)
		n -= iov[i++].iov_len;
	if (i < cnt) {
		iov[i].iov_base = (uint8_t *)iov[i].iov_base + n;
		iov[i].iov_len -= n;
	}
	return i;
}
