/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/name buf */
/* name.c - names as bytes */
#include "services/services.h"

#include "test/unit/test.h"

static uint8_t out[2048];

static size_t used(const struct wr *w)
{
	return sizeof(out) - w->left;
}

static size_t put(const char *name)
{
	struct wr w = wr_init(out, sizeof(out));

	return name_put(&w, name) ? used(&w) : 0;
}

#define IS(len, bytes)						\
	do {							\
		EQ(len, sizeof(bytes));				\
		MEMEQ(out, bytes, sizeof(bytes));		\
	} while (0)

TEST(labels_go_behind_their_lengths)
{
	IS(put("a"), ((uint8_t []) { 1, 'a', 0 }));
	IS(put("lab.example"), ((uint8_t []) {
		3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0 }));
}

TEST(a_dot_at_the_end_is_the_same_name)
{
	IS(put("ab.c."), ((uint8_t []) { 2, 'a', 'b', 1, 'c', 0 }));
}

TEST(what_is_no_name_is_refused_and_leaves_nothing)
{
	static const char *const bad[] = {
		"", ".", ".a", "a..b", "a..",
		/* a label of 64 bytes */
		"0123456789012345678901234567890123456789012345678901234567890123",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct wr w = wr_init(out, sizeof(out));

		OK(!name_put(&w, bad[i]));
		OK(!name_put_compressed(&w, out, bad[i]));
		EQ(used(&w), 0);
		OK(wr_ok(&w));
	}
}

TEST(names_are_as_long_as_dns_allows_and_no_longer)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	for (int i = 63; i < 253; i += 64)
		name[i] = '.';
	name[253] = '\0';
	EQ(put(name), 255);
	name[253] = 'x';
	name[254] = '\0';
	EQ(put(name), 0);
}

TEST(what_does_not_fit_fails_the_writer)
{
	struct wr w = wr_init(out, 4);

	name_put(&w, "abc");
	OK(!wr_ok(&w));
}

TEST(tails_that_occurred_are_pointed_to)
{
	struct wr w = wr_init(out, sizeof(out));

	wr_be16(&w, 0xffff);		/* not part of the option */
	OK(name_put_compressed(&w, out + 2, "a.bc.d"));
	OK(name_put_compressed(&w, out + 2, "bc.d"));
	OK(name_put_compressed(&w, out + 2, "e.bc.d"));
	OK(name_put_compressed(&w, out + 2, "f.e.bc.d"));
	OK(name_put_compressed(&w, out + 2, "c.d"));
	OK(name_put_compressed(&w, out + 2, "xbc.d"));
	IS(used(&w), ((uint8_t []) {
		0xff, 0xff,
		/*  0 */ 1, 'a', 2, 'b', 'c', 1, 'd', 0,
		/*  8 */ 0xc0, 2,
		/* 10 */ 1, 'e', 0xc0, 2,
		/* 14 */ 1, 'f', 0xc0, 10,
		/* 18 */ 1, 'c', 0xc0, 5,
		/* 22 */ 3, 'x', 'b', 'c', 0xc0, 5 }));
}

TEST(a_writer_that_failed_is_left_alone)
{
	struct wr w = wr_init(out, 10);

	OK(name_put_compressed(&w, out, "ab.cd"));
	OK(name_put_compressed(&w, out, "efghij.cd"));
	OK(!wr_ok(&w));
	OK(!name_put_compressed(&w, out, "k.cd"));
}
