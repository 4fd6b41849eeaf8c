/* SPDX-License-Identifier: GPL-2.0-or-later */
/* csum.c - Internet checksum: sums of 16-bit words, RFC 1071, RFC 1624
 *
 * Owns nothing, keeps nothing. A partial sum is a number: the sum of 16-bit
 * words in network order, taken as host integers, not yet folded. Length and
 * protocol of a pseudo-header are therefore simply added.
 *
 * Inside one piece, words are added as the machine loads them, 32 bytes at a
 * time, and only the total is brought into network order: the ones' complement
 * sum does not care about byte order until the end (RFC 1071 2, B). The loop is
 * written with vector types, which every compiler lowers to what the target
 * has; on x86-64 it exists twice, and the choice is one predictable branch on
 * what the processor said. No ifunc: musl has none.
 */
#include "wire/csum.h"

#include <string.h>

#include "util.h"

#define LANES_BYTES	32
/* Below this the wider registers do not pay for themselves. */
#define WIDE_MIN	128

typedef uint64_t lanes __attribute__((vector_size(LANES_BYTES)));

/* Each 64-bit lane collects 32-bit halves: 2^32 of them fit. */
static inline __attribute__((always_inline))
uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	const lanes low = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	lanes a = { 0 }, b = { 0 };

	for (; blocks; blocks--, p += LANES_BYTES) {
		lanes v;

		memcpy(&v, p, sizeof(v));
		a += v & low;
		b += v >> 32;
	}
	a += b;
	return a[0] + a[1] + a[2] + a[3];
}

static uint64_t sum_narrow(const uint8_t *p, size_t blocks)
{
	return sum_blocks(p, blocks);
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	return sum_blocks(p, blocks);
}

static bool have_wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static uint64_t sum_wide(const uint8_t *p, size_t blocks)
{
	return sum_narrow(p, blocks);
}

static bool have_wide(void)
{
	return false;
}
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static uint16_t to_network(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}
#else
static uint16_t to_network(uint16_t v)
{
	return v;
}
#endif

static uint16_t swap(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static uint16_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Less than a block, zero-padded to whole words. */
static uint64_t sum_tail(const uint8_t *p, size_t len)
{
	uint8_t pad[LANES_BYTES] = { 0 };
	uint64_t sum = 0;

	memcpy(pad, p, len);
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v;

		memcpy(&v, pad + i, sizeof(v));
		sum += v;
	}
	return sum;
}

/* The words of one piece, folded, in network order. */
static uint16_t sum_piece(const uint8_t *p, size_t len)
{
	size_t blocks = len / LANES_BYTES;
	size_t bulk = blocks * LANES_BYTES;
	uint64_t sum;

	if (len >= WIDE_MIN && have_wide())
		sum = sum_wide(p, blocks);
	else
		sum = sum_narrow(p, blocks);
	if (len > bulk)
		sum += sum_tail(p + bulk, len - bulk);
	return to_network(fold64(sum));
}

/* Ones' complement addition of 32 bits: never loses a carry. */
static uint32_t add(uint32_t sum, uint32_t v)
{
	sum += v;
	return sum + (sum < v);
}

uint32_t csum_add(uint32_t sum, const void *p, size_t len)
{
	return add(sum, sum_piece(p, len));
}

uint32_t csum_iov(uint32_t sum, const struct iovec *iov, unsigned cnt,
		  size_t skip, size_t len)
{
	bool odd = false;

	for (unsigned i = 0; i < cnt && len; i++) {
		size_t n = iov[i].iov_len;
		uint16_t part;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = MIN(n - skip, len);
		part = sum_piece((const uint8_t *)iov[i].iov_base + skip, n);
		/* Bytes that start in the middle of a word sit in the other
		 * half of it. */
		sum = add(sum, odd ? swap(part) : part);
		odd ^= n & 1;
		len -= n;
		skip = 0;
	}
	return sum;
}

uint32_t csum_pseudo(const struct addr *src, const struct addr *dst,
		     uint8_t proto, uint32_t l4_len)
{
	size_t n = addr_bits(addr_fam(src)) / 8;
	uint8_t raw[16];
	uint32_t sum;

	addr_put(src, raw);
	sum = csum_add(0, raw, n);
	addr_put(dst, raw);
	sum = csum_add(sum, raw, n);
	sum = add(sum, proto);
	return add(sum, (l4_len & 0xffff) + (l4_len >> 16));
}

uint16_t csum_fold(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
