/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.c (test) - cursors that fail once and for all, views across pieces */
/* links: buf */
#include "buf.h"

#include <stdlib.h>

#include "test.h"
#include "util.h"

static const uint8_t digits[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
				  14, 15 };

TEST(reads_are_big_endian_and_move_on)
{
	struct rd r = rd_init(digits, sizeof(digits));

	EQ(rd_u8(&r), 1);
	EQ(rd_be16(&r), 0x0203);
	EQ(rd_be32(&r), 0x04050607);
	EQ(rd_be64(&r), 0x08090a0b0c0d0e0fLL);
	OK(rd_ok(&r));
	OK(!rd_more(&r));
	EQ(r.len, 0);
}

TEST(reading_the_last_byte_is_fine_and_the_next_is_not)
{
	struct rd r = rd_init(digits, 1);

	OK(rd_more(&r));
	EQ(rd_u8(&r), 1);
	OK(rd_ok(&r));
	EQ(rd_u8(&r), 0);
	OK(!rd_ok(&r));
}

TEST(a_failed_reader_stays_failed_and_gives_zero)
{
	struct rd r = rd_init(digits, 3);
	uint8_t out[4] = { 9, 9, 9, 9 };
	struct rd sub;

	EQ(rd_be32(&r), 0);	/* one byte short: takes nothing */
	OK(!rd_ok(&r));
	EQ(rd_u8(&r), 0);	/* there would be one */
	EQ(rd_be16(&r), 0);
	EQ(rd_be64(&r), 0);
	rd_skip(&r, 0);
	OK(!rd_ok(&r));
	OK(!rd_more(&r));
	OK(!rd_ptr(&r, 1));
	rd_bytes(&r, out, sizeof(out));
	MEMEQ(out, "\0\0\0\0", 4);
	sub = rd_sub(&r, 0);
	OK(!rd_ok(&sub));
}

TEST(every_reader_fails_when_one_byte_is_missing)
{
	uint8_t out[8];

	for (unsigned kind = 0; kind < 7; kind++) {
		static const size_t need[] = { 1, 2, 4, 8, 5, 8, 6 };

		for (unsigned missing = 0; missing < 2; missing++) {
			struct rd r = rd_init(digits, need[kind] - missing);

			switch (kind) {
			case 0: rd_u8(&r); break;
			case 1: rd_be16(&r); break;
			case 2: rd_be32(&r); break;
			case 3: rd_be64(&r); break;
			case 4: rd_skip(&r, 5); break;
			case 5: rd_bytes(&r, out, 8); break;
			case 6: rd_ptr(&r, 6); break;
			}
			EQ(rd_ok(&r), !missing);
		}
	}
}

TEST(a_length_beyond_everything_does_not_wrap)
{
	struct rd r = rd_init(digits, sizeof(digits));
	struct rd sub = rd_sub(&r, SIZE_MAX);
	uint8_t room[4];
	struct wr w = wr_init(room, sizeof(room));

	OK(!rd_ok(&sub));
	OK(!rd_ok(&r));
	OK(!wr_reserve(&w, SIZE_MAX));
	OK(!wr_ok(&w));
}

TEST(a_part_of_a_cursor_ends_where_it_was_told)
{
	struct rd r = rd_init(digits, 5), sub = rd_sub(&r, 2);

	EQ(rd_be16(&sub), 0x0102);
	EQ(rd_u8(&sub), 0);
	OK(!rd_ok(&sub));
	OK(rd_ok(&r));		/* the part's failure is its own */
	EQ(rd_u8(&r), 3);

	sub = rd_sub(&r, 3);	/* there are two */
	OK(!rd_ok(&sub));
	OK(!rd_more(&sub));
	OK(!rd_ok(&r));
}

TEST(nothing_can_be_read_from_nothing)
{
	struct rd r = rd_init(NULL, 0), sub;

	OK(rd_ok(&r));
	OK(!rd_more(&r));
	rd_skip(&r, 0);
	rd_bytes(&r, NULL, 0);
	sub = rd_sub(&r, 0);
	OK(rd_ok(&sub));
	OK(rd_ok(&r));
	EQ(rd_u8(&r), 0);
	OK(!rd_ok(&r));
}

TEST(writes_are_big_endian_and_fill_exactly)
{
	uint8_t out[19] = { [18] = 0xee };
	struct wr w = wr_init(out, 18);
	uint8_t *p;

	wr_u8(&w, 1);
	wr_be16(&w, 0x0203);
	wr_be32(&w, 0x04050607);
	wr_be64(&w, 0x08090a0b0c0d0e0fULL);
	wr_zero(&w, 1);
	wr_bytes(&w, "z", 1);
	p = wr_reserve(&w, 1);
	OK(p == out + 17);
	EQ(w.left, 0);
	OK(wr_ok(&w));
	MEMEQ(out, digits, 15);
	EQ(out[15], 0);
	EQ(out[16], 'z');

	wr_u8(&w, 0xdd);
	OK(!wr_ok(&w));
	EQ(out[18], 0xee);
}

TEST(a_failed_writer_writes_nothing_more)
{
	uint8_t out[4] = { 0xee, 0xee, 0xee, 0xee };
	struct wr w = wr_init(out, 3);

	wr_be32(&w, 0x01020304);
	OK(!wr_ok(&w));
	wr_u8(&w, 1);		/* would fit */
	wr_be16(&w, 1);
	wr_be64(&w, 1);
	wr_zero(&w, 1);
	wr_bytes(&w, "x", 1);
	OK(!wr_reserve(&w, 0));
	OK(!wr_ok(&w));
	MEMEQ(out, "\xee\xee\xee\xee", 4);
}

TEST(unaligned_access_is_big_endian)
{
	uint8_t m[7] = { 0 };

	put_be32(m + 1, 0xfedcba98);
	EQ(get_be32(m + 1), 0xfedcba98);
	put_be16(m + 5, 0xfffe);
	EQ(get_be16(m + 5), 0xfffe);
	MEMEQ(m, "\0\xfe\xdc\xba\x98\xff\xfe", 7);
}

/* "abcdefghij" in pieces, with empty ones at both ends and inside. */
static char text[] = "abcdefghij";
static const struct iovec pieces[] = {
	{ NULL, 0 }, { text, 3 }, { text + 3, 1 }, { NULL, 0 }, { NULL, 0 },
	{ text + 4, 6 }, { NULL, 0 },
};

TEST(views_give_the_same_bytes_wherever_they_are_cut)
{
	for (size_t skip = 0; skip <= 10; skip++) {
		for (size_t len = 0; len <= 10 - skip; len++) {
			struct view v = { pieces, 0, 10 };
			char out[10], linear[10];
			struct iovec iov[4];
			struct rd r;
			unsigned n;

			view_trim_front(&v, skip);
			view_truncate(&v, len);
			EQ(v.len, len);
			OK(view_copy(&v, 0, out, len));
			MEMEQ(out, text + skip, len);
			OK(!view_copy(&v, 0, out, len + 1));
			OK(!view_copy(&v, len + 1, out, 0));

			n = view_iov(&v, iov, 4);
			EQ(iov_len(iov, n), len);
			EQ(n == 0, len == 0);

			r = view_linear(&v, linear, sizeof(linear));
			EQ(r.len, len);
			MEMEQ(r.p, text + skip, len);
		}
	}
}

TEST(views_copy_from_an_offset)
{
	struct view v = { pieces, 0, 10 };
	char out[4];

	view_trim_front(&v, 2);
	OK(view_copy(&v, 1, out, 3));
	MEMEQ(out, "def", 3);
	OK(view_copy(&v, 8, out, 0));
	OK(!view_copy(&v, 8, out, 1));
	OK(!view_copy(&v, SIZE_MAX, out, 2));
	OK(!view_copy(&v, 2, out, SIZE_MAX));
}

TEST(a_view_may_start_inside_a_piece)
{
	struct view v = { pieces + 1, 2, 3 };
	struct iovec iov[3];

	EQ(view_iov(&v, iov, 3), 3);
	MEMEQ(iov[0].iov_base, "c", 1);
	MEMEQ(iov[1].iov_base, "d", 1);
	EQ(iov[2].iov_len, 1);
	MEMEQ(iov[2].iov_base, "e", 1);
}

TEST(too_many_pieces_are_refused_as_a_whole)
{
	struct view v = { pieces, 0, 10 }, none = { pieces, 0, 0 };
	struct iovec iov[3];

	EQ(view_iov(&v, iov, 2), 0);
	EQ(view_iov(&v, iov, 3), 3);
	EQ(view_iov(&none, iov, 3), 0);
}

TEST(linear_views_are_in_place_when_they_can_be)
{
	struct view v = { pieces, 0, 10 };
	char scratch[10];
	struct rd r;

	r = view_linear(&v, scratch, 3);
	OK(r.p == (uint8_t *)text);
	EQ(r.len, 3);
	r = view_linear(&v, scratch, 4);
	OK(r.p == (uint8_t *)scratch);
	EQ(r.len, 4);
	MEMEQ(scratch, "abcd", 4);
	view_trim_front(&v, 4);
	r = view_linear(&v, scratch, sizeof(scratch));
	OK(r.p == (uint8_t *)text + 4);
	EQ(r.len, 6);
}

TEST(an_empty_view_looks_at_no_piece)
{
	struct iovec *one = malloc(sizeof(*one));
	struct view v = { one, 0, 4 };
	char out[4];
	struct rd r;

	*one = (struct iovec) { text, 4 };
	view_trim_front(&v, 4);		/* now iov may point behind the array */
	EQ(v.len, 0);
	OK(view_copy(&v, 0, out, 0));
	EQ(view_iov(&v, one, 1), 0);
	r = view_linear(&v, out, sizeof(out));
	OK(rd_ok(&r));
	OK(!rd_more(&r));
	free(one);
}

TEST(advancing_an_array_drops_whole_and_partial_pieces)
{
	for (size_t n = 0; n <= 11; n++) {
		struct iovec iov[ARRAY_SIZE(pieces)];
		unsigned i;

		memcpy(iov, pieces, sizeof(iov));
		i = iov_advance(iov, ARRAY_SIZE(iov), n);
		if (n >= 10) {
			EQ(i, ARRAY_SIZE(iov));
			continue;
		}
		EQ(iov_len(iov + i, (unsigned)ARRAY_SIZE(iov) - i), 10 - n);
		MEMEQ(iov[i].iov_base, text + n, 1);
	}
}
