/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: backlog util log timer */
/* backlog.c - nothing put in is lost, reordered or leaked */
#include "backlog.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

static uint8_t pattern(uint64_t pos)
{
	return (uint8_t)(pos * 2654435761u >> 13);
}

static size_t put(struct backlog *b, uint64_t pos, size_t len)
{
	static uint8_t data[200000];
	struct iovec iov[3] = {
		{ data, len / 3 },
		{ data + len / 3, 0 },
		{ data + len / 3, len - len / 3 },
	};

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(pos + i);
	return backlog_add(b, iov, 3, 0, len);
}

/* Compare and consume @len of the oldest bytes, the first being @pos. */
static bool take(struct backlog *b, uint64_t pos, size_t len)
{
	size_t left = len;

	while (left) {
		struct iovec iov[4];
		unsigned cnt = backlog_iov(b, iov, 4);
		size_t here = 0;

		for (unsigned i = 0; i < cnt && here < left; i++) {
			const uint8_t *p = iov[i].iov_base;

			for (size_t j = 0; j < iov[i].iov_len && here < left;
			     j++, here++)
				if (p[j] != pattern(pos++))
					return false;
		}
		if (!here)
			return false;
		backlog_consume(b, here);
		left -= here;
	}
	return true;
}

TEST(bytes_leave_in_the_order_they_came_through_random_pieces)
{
	struct backlog b = { 0 };
	uint64_t in = 0, out = 0;

	srand(1);
	for (int i = 0; i < 2000; i++) {
		size_t n = (size_t)rand() % 150000;

		in += put(&b, in, n);
		n = (size_t)rand() % 160000;
		n = MIN(n, (size_t)b.bytes);
		if (!OK(take(&b, out, n)))
			return;
		out += n;
		EQ(b.bytes, in - out);
	}
	OK(take(&b, out, b.bytes));
	EQ(b.head, 0);
	EQ(b.tail, 0);
}

TEST(bytes_before_skip_are_left_out)
{
	struct backlog b = { 0 };
	struct iovec iov[2] = { { "abc", 3 }, { "defgh", 5 } }, out[1];

	EQ(backlog_add(&b, iov, 2, 4, 3), 3);
	EQ(backlog_iov(&b, out, 1), 1);
	EQ(out[0].iov_len, 3);
	MEMEQ(out[0].iov_base, "efg", 3);
	backlog_clear(&b);
}

TEST(one_connection_holds_no_more_than_its_share)
{
	struct backlog b = { 0 };
	size_t n, total = 0;

	while ((n = put(&b, total, 100000)))
		total += n;
	EQ(total, BACKLOG_MAX);
	EQ(backlog_room(&b), 0);
	OK(take(&b, 0, total));
}

TEST(what_is_promised_can_be_placed_while_others_fill_the_slab)
{
	static struct backlog b[64];
	uint32_t room[64];

	for (int i = 0; i < 64; i++) {
		room[i] = backlog_room(&b[i]);
		EQ(put(&b[i], 0, MIN(room[i], 150000u)),
		   MIN(room[i], 150000u));
	}
	for (int i = 0; i < 64; i++)
		backlog_clear(&b[i]);
}

TEST(a_full_slab_takes_what_fits_and_recovers_entirely)
{
	static struct backlog b[64];
	size_t total = 0;

	for (int i = 0; i < 64; i++) {
		size_t n;

		while ((n = put(&b[i], 0, 128 * 1024)))
			total += n;
	}
	EQ(total, (size_t)BACKLOG_CHUNKS * BACKLOG_CHUNK);
	EQ(backlog_room(&b[63]), 0);
	for (int i = 0; i < 64; i++)
		backlog_clear(&b[i]);
	EQ(backlog_room(&b[0]), BACKLOG_MAX);
	EQ(put(&b[0], 7, 1000), 1000);
	OK(take(&b[0], 7, 1000));
}

static void expire(uint32_t id)
{
	EQ(id, TIMER_BACKLOG);
	backlog_expire(id);
}

TEST(memory_goes_back_when_a_burst_is_over_and_not_before)
{
	struct backlog b = { 0 };
	struct iovec iov[1];
	unsigned char here = 0;

	clock_set(1000000000);
	put(&b, 0, 200000);
	while (b.bytes < BACKLOG_MAX / 2)
		put(&b, b.bytes, 100000);
	clock_set(5000000000);
	timer_run(expire);
	backlog_iov(&b, iov, 1);
	EQ(mincore(iov[0].iov_base, 4096, &here), 0);
	EQ(here & 1, 1);

	backlog_clear(&b);
	EQ(timer_timeout() > 0, 1);
	for (uint64_t s = 6; s <= 12; s++) {
		clock_set(s * 1000000000);
		timer_run(expire);
	}
	EQ(timer_timeout(), -1);
	EQ(mincore(iov[0].iov_base, 4096, &here), 0);
	EQ(here & 1, 0);
	put(&b, 3, 5000);
	OK(take(&b, 3, 5000));
}
