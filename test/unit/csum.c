/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: wire/csum addr buf util */
/* csum.c - against the definition of RFC 1071, byte by byte */
#include "wire/csum.h"

#include <stdint.h>

#include "test/unit/test.h"
#include "util.h"

static uint8_t data[70000];

static void fill(unsigned seed)
{
	for (size_t i = 0; i < sizeof(data); i++) {
		seed = seed * 1103515245 + 12345;
		data[i] = (uint8_t)(seed >> 16);
	}
}

/* "The 16-bit ones' complement of the ones' complement sum." */
static uint16_t naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

TEST(the_example_of_rfc_1071_gives_ddf2)
{
	static const uint8_t example[] = {
		0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7,
	};

	EQ(csum_fold(csum_add(0, example, sizeof(example))),
	   (uint16_t)~0xddf2);
}

TEST(every_short_length_at_every_alignment_matches_the_definition)
{
	fill(1);
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len <= 400; len++) {
			uint32_t sum = csum_add(0, data + at, len);

			if (!EQ(csum_fold(sum), naive(data + at, len)))
				return;
		}
	}
}

TEST(long_ones_match_the_definition)
{
	static const size_t len[] = { 1459, 1460, 4095, 65495, 65535, 69999 };

	fill(2);
	for (size_t i = 0; i < ARRAY_SIZE(len); i++)
		EQ(csum_fold(csum_add(0, data + 1, len[i])),
		   naive(data + 1, len[i]));
}

TEST(all_ones_and_all_zeroes_are_the_two_zeroes)
{
	memset(data, 0xff, sizeof(data));
	EQ(csum_fold(csum_add(0, data, 65536)), 0);
	memset(data, 0, sizeof(data));
	EQ(csum_fold(csum_add(0, data, 65536)), 0xffff);
}

TEST(pieces_of_even_length_add_up)
{
	uint32_t sum;

	fill(3);
	sum = csum_add(0, data, 130);
	sum = csum_add(sum, data + 130, 2);
	sum = csum_add(sum, data + 132, 1001);
	EQ(csum_fold(sum), naive(data, 1133));
}

TEST(a_sum_near_the_top_keeps_its_carries)
{
	uint32_t sum = UINT32_MAX - 3;

	memset(data, 0xff, 64);
	for (int i = 0; i < 100; i++)
		sum = csum_add(sum, data, 64);
	EQ(csum_fold(sum), csum_fold(UINT32_MAX - 3));
}

TEST(scattered_bytes_sum_like_contiguous_ones)
{
	static const size_t cut[][3] = {
		{ 1, 1, 1 }, { 3, 0, 5 }, { 100, 7, 1000 }, { 7, 7, 7 },
		{ 0, 0, 1 }, { 65, 1, 2 },
	};

	fill(4);
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		size_t a = cut[i][0], b = cut[i][1], c = cut[i][2];
		struct iovec iov[] = {
			{ data, a }, { data + a, b }, { data + a + b, c },
		};

		for (size_t skip = 0; skip <= a + b; skip++) {
			size_t len = a + b + c - skip;

			EQ(csum_fold(csum_iov(0, iov, 3, skip, len)),
			   naive(data + skip, len));
		}
	}
}

TEST(the_length_ends_a_scattered_sum_inside_a_piece)
{
	struct iovec iov[] = { { data, 3 }, { data + 3, 500 } };

	fill(5);
	EQ(csum_fold(csum_iov(0, iov, 2, 2, 11)), naive(data + 2, 11));
}

TEST(pseudo_headers_sum_like_their_bytes)
{
	/* 192.0.2.1 > 198.51.100.7, TCP, 0x1234 bytes */
	static const uint8_t p4[] = {
		192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34,
	};
	/* 2001:db8::1 > fe80::2, UDP, 0x12345 bytes */
	static const uint8_t p6[40] = {
		0x20, 0x01, 0x0d, 0xb8, [15] = 1,
		[16] = 0xfe, [17] = 0x80, [31] = 2,
		[33] = 1, [34] = 0x23, [35] = 0x45, [39] = 17,
	};
	struct addr src, dst;

	addr_parse(&src, "192.0.2.1");
	addr_parse(&dst, "198.51.100.7");
	EQ(csum_fold(csum_pseudo(&src, &dst, 6, 0x1234)),
	   naive(p4, sizeof(p4)));
	addr_parse(&src, "2001:db8::1");
	addr_parse(&dst, "fe80::2");
	EQ(csum_fold(csum_pseudo(&src, &dst, 17, 0x12345)),
	   naive(p6, sizeof(p6)));
}
