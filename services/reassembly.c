/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reassembly.c - fragments from the guest become the datagrams they were
 *
 * A datagram larger than the guest's MTU arrives in fragments, of which only
 * the first says what it is. They are collected here and handed back as the
 * frame that would have arrived without an MTU, so that everything behind knows
 * whole packets only.
 *
 *	slot       one datagram: its first headers, which ranges are there
 *	blocks     its bytes, in pieces of 1 KiB from one pool
 *	whole      the one frame being handed back, valid until the next one
 *
 * Memory is fixed. The guest is the only one who can use it up, and then its
 * oldest datagram gives way. Of an honest guest all fragments come at once: the
 * link loses none and there is no path to delay them. So two seconds suffice,
 * far less than the minute of the RFCs, within which the identifications of
 * IPv4 would come around several times (RFC 4963).
 *
 * Ranges may be repeated, not overlap otherwise: the datagram is then lost, and
 * so is what comes of it later, until its time is over (RFC 5722). Never looks
 * behind the IP headers: frame_parse() judges what has been put together.
 *
 * RFC 791 3.2; RFC 815; RFC 1122 3.3.2; RFC 8200 4.5; RFC 5722; RFC 6946.
 */
#include "services/services.h"

#include <assert.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "icmp.h"
#include "log.h"
#include "timer.h"
#include "util.h"
#include "wire/csum.h"

#define SLOTS		64
#define LIFE_MS		2000u
#define RANGES_MAX	128	/* 64 KiB at an MTU of 576 */
#define HDR_MAX		320	/* Ethernet, IP, options or extensions */
#define BLOCK		1024u
#define BLOCK_COUNT	1024u	/* 1 MiB */
#define DATAGRAM_MAX	65535u
#define BLOCKS_MAX	(DATAGRAM_MAX / BLOCK + 1)
#define UNIT		8	/* of offsets */

#define IP6_HLEN	40
#define FRAG6_HLEN	8

struct range {			/* bytes [from, to) are there */
	uint16_t from, to;
};

struct slot {
	struct addr src, dst;
	uint32_t id;
	uint8_t proto;		/* IPv4 only: RFC 8200 leaves it out */
	bool used;
	bool bad;		/* overlapping: kept to swallow the rest */
	uint64_t due_ms;

	uint16_t total;		/* 0: last fragment not seen yet */
	uint16_t have;		/* bytes */
	uint16_t hdr_len;	/* 0: first fragment not seen yet */
	unsigned cnt;
	struct range range[RANGES_MAX];		/* ascending */
	uint16_t block[BLOCKS_MAX];		/* index + 1 */
	uint8_t hdr[HDR_MAX];	/* Ethernet and IP, as of the first */
};

static struct slot slots[SLOTS];
static uint8_t pool[BLOCK_COUNT][BLOCK];
static uint16_t free_next[BLOCK_COUNT + 1];	/* index + 1; [0]: head */
static uint16_t fresh;		/* blocks from here on were never used */

/* --- blocks --- */

static uint16_t block_get(void)
{
	uint16_t b = free_next[0];

	if (b)
		free_next[0] = free_next[b];
	else if (fresh < BLOCK_COUNT)
		b = ++fresh;
	return b;
}

static void block_put(uint16_t b)
{
	free_next[b] = free_next[0];
	free_next[0] = b;
}

static void blocks_release(struct slot *s)
{
	for (unsigned i = 0; i < BLOCKS_MAX; i++) {
		if (s->block[i])
			block_put(s->block[i]);
		s->block[i] = 0;
	}
}

static void slot_release(struct slot *s)
{
	blocks_release(s);
	s->used = false;
}

static struct slot *oldest_but(const struct slot *except)
{
	struct slot *old = NULL;

	/* @except may be none. It does not follow that a slot is. */
	/* cppcheck-suppress nullPointerArithmeticRedundantCheck */
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		/* cppcheck-suppress nullPointerRedundantCheck */
		if (s->used && s != except && (!old || s->due_ms < old->due_ms))
			old = s;
	}
	return old;
}

static void give_way(struct slot *s)
{
	assert(s);
	drop(DROP_IP_FRAGMENT);
	slot_release(s);
}

/* All memory is enough for more than one datagram, so this ends. */
static void blocks_reserve(struct slot *s, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++) {
		while (!s->block[i] && !(s->block[i] = block_get()))
			give_way(oldest_but(s));
	}
}

/* Bytes [@from, @to) of a datagram, in as many pieces as there are blocks.
 * Returns the first, and its length in *n. */
static uint8_t *stored(const struct slot *s, size_t from, size_t to, size_t *n)
{
	assert(s->block[from / BLOCK]);
	*n = MIN(to - from, BLOCK - from % BLOCK);
	return pool[s->block[from / BLOCK] - 1] + from % BLOCK;
}

static void store(struct slot *s, size_t from, const struct view *v)
{
	size_t to = from + v->len, n;

	blocks_reserve(s, (unsigned)(from / BLOCK),
		       (unsigned)((to - 1) / BLOCK));
	for (size_t at = from; at < to; at += n) {
		uint8_t *p = stored(s, at, to, &n);

		view_copy(v, at - from, p, n);
	}
}

static void load(const struct slot *s, size_t to, uint8_t *out)
{
	size_t n;

	for (size_t at = 0; at < to; at += n) {
		const uint8_t *p = stored(s, at, to, &n);

		memcpy(out + at, p, n);
	}
}

/* --- slots --- */

static uint8_t key_proto(const struct packet *p)
{
	return p->ethertype == ETH_P_IP_ ? p->l3.p[9] : 0;
}

static struct slot *slot_find(const struct packet *p)
{
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->used && s->id == p->frag_id &&
		    s->proto == key_proto(p) && addr_eq(&s->src, &p->src) &&
		    addr_eq(&s->dst, &p->dst))
			return s;
	}
	return NULL;
}

static struct slot *slot_unused(void)
{
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (!s->used)
			return s;
	}
	return NULL;
}

static struct slot *slot_new(const struct packet *p)
{
	struct slot *s = slot_unused();

	if (!s) {
		s = oldest_but(NULL);
		give_way(s);
	}
	*s = (struct slot) {
		.src = p->src, .dst = p->dst, .id = p->frag_id,
		.proto = key_proto(p), .used = true,
		.due_ms = clock_ms() + LIFE_MS,
	};
	timer_set_earlier(TIMER_REASSEMBLY, s->due_ms);
	return s;
}

/* --- ranges --- */

enum fit { FIT_NEW, FIT_REPEATED, FIT_OVERLAP, FIT_FULL };

/* Where @r belongs among the ranges there are: *at, if it is new. */
static enum fit range_fit(const struct slot *s, const struct range *r,
			  unsigned *at)
{
	unsigned i = s->cnt;

	/* Fragments come in order, mostly: look from the end. */
	while (i && s->range[i - 1].from >= r->to)
		i--;
	*at = i;
	if (i && s->range[i - 1].from == r->from && s->range[i - 1].to == r->to)
		return FIT_REPEATED;
	if (i && s->range[i - 1].to > r->from)
		return FIT_OVERLAP;
	return s->cnt == RANGES_MAX ? FIT_FULL : FIT_NEW;
}

static void range_insert(struct slot *s, const struct range *r, unsigned at)
{
	memmove(&s->range[at + 1], &s->range[at],
		(s->cnt - at) * sizeof(s->range[0]));
	s->range[at] = *r;
	s->cnt++;
	s->have = (uint16_t)(s->have + (r->to - r->from));
}

/* The end of the datagram is where its last fragment ends, nowhere else. */
static bool end_agrees(const struct slot *s, const struct packet *p,
		       const struct range *r)
{
	if (p->more_fragments)
		return !s->total || r->to <= s->total;
	if (s->total)
		return r->to == s->total;
	return !s->cnt || s->range[s->cnt - 1].to <= r->to;
}

/* What may be put together: a length that offsets can express, and a datagram
 * that length fields can. */
static bool fragment_valid(const struct packet *p)
{
	size_t len = p->payload.len;

	if (!len || (p->more_fragments && len % UNIT))
		return false;
	return ETH_HLEN_ + p->l3.len <= HDR_MAX &&
	       p->frag_off + len + (p->ethertype == ETH_P_IP_ ?
				    p->l3.len : p->l3.len - IP6_HLEN -
				    FRAG6_HLEN) <= DATAGRAM_MAX;
}

/* --- headers --- */

/* A packet without fragments: as the first was, but for these fields. */
static size_t header4(uint8_t *ip, size_t hlen)
{
	put_be16(ip + 6, get_be16(ip + 6) & 0x4000);
	return hlen;
}

/* The fragment header, last of them all, leaves the chain: the one in front of
 * it names what follows. All lengths were found to be true by frame_parse(). */
static size_t header6(uint8_t *ip, size_t hlen)
{
	size_t end = hlen - FRAG6_HLEN, next_at = 6;

	for (size_t at = IP6_HLEN; at < end; ) {
		uint8_t kind = ip[next_at];

		next_at = at;
		at += kind == IPPROTO_FRAGMENT ? FRAG6_HLEN :
						 (ip[at + 1] + 1u) * 8u;
	}
	ip[next_at] = ip[end];
	return end;
}

static void take_header(struct slot *s, const struct packet *p)
{
	static const uint8_t dmac[6];
	struct wr w = wr_init(s->hdr, HDR_MAX);
	uint8_t *ip = s->hdr + ETH_HLEN_;
	size_t hlen;

	wr_bytes(&w, dmac, sizeof(dmac));
	wr_bytes(&w, p->smac.b, sizeof(p->smac.b));
	wr_be16(&w, p->ethertype);
	wr_bytes(&w, p->l3.p, p->l3.len);
	hlen = p->ethertype == ETH_P_IP_ ? header4(ip, p->l3.len) :
					   header6(ip, p->l3.len);
	s->hdr_len = (uint16_t)(ETH_HLEN_ + hlen);
}

/* @len: bytes behind the IP headers. False: no length field could say that. */
static bool put_length(struct slot *s, size_t len)
{
	uint8_t *ip = s->hdr + ETH_HLEN_;
	size_t hlen = s->hdr_len - (size_t)ETH_HLEN_, value = hlen + len;

	if (addr_fam(&s->src) == FAM6)
		value -= IP6_HLEN;
	if (value > DATAGRAM_MAX)
		return false;
	if (addr_fam(&s->src) == FAM6) {
		put_be16(ip + 4, (uint16_t)value);
		return true;
	}
	put_be16(ip + 2, (uint16_t)value);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_fold(csum_add(0, ip, hlen)));
	return true;
}

/* --- from the guest --- */

static void spoil(struct slot *s)
{
	drop(DROP_IP_FRAGMENT);
	blocks_release(s);
	s->bad = true;
}

/* Atomic fragments inside of what was one: frame_parse() might see a fragment
 * again, and only a whole packet may come out of here. */
static bool whole_frame(struct slot *s, struct packet *whole)
{
	static uint8_t bytes[HDR_MAX + DATAGRAM_MAX];
	static struct iovec iov;
	bool ok = put_length(s, s->total);

	if (ok) {
		memcpy(bytes, s->hdr, s->hdr_len);
		load(s, s->total, bytes + s->hdr_len);
		iov = (struct iovec) { bytes, s->hdr_len + (size_t)s->total };
	}
	slot_release(s);
	if (!ok)
		return drop(DROP_IP_FRAGMENT);
	if (!frame_parse(whole, &iov, 1, NULL))
		return false;
	if (whole->fragment)
		return drop(DROP_IP_FRAGMENT);
	whole->reassembled = true;
	return true;
}

bool reassembly_add(const struct packet *p, struct packet *whole)
{
	struct range r = {
		p->frag_off, (uint16_t)(p->frag_off + p->payload.len),
	};
	struct slot *s;
	unsigned at;

	if (!fragment_valid(p))
		return drop(DROP_IP_FRAGMENT);
	s = slot_find(p);
	if (!s)
		s = slot_new(p);
	if (s->bad)
		return drop(DROP_IP_FRAGMENT);

	switch (range_fit(s, &r, &at)) {
	case FIT_REPEATED:
		return drop(DROP_IP_FRAGMENT);
	case FIT_OVERLAP:
	case FIT_FULL:
		spoil(s);
		return false;
	case FIT_NEW:
		break;
	}
	if (!end_agrees(s, p, &r)) {
		spoil(s);
		return false;
	}
	store(s, r.from, &p->payload);
	range_insert(s, &r, at);
	if (!r.from)
		take_header(s, p);
	if (!p->more_fragments)
		s->total = r.to;
	if (!s->total || s->have != s->total)
		return false;
	return whole_frame(s, whole);
}

/* --- time --- */

/* RFC 1122 3.3.2, RFC 8200 4.5: told only who would know what it is about. The
 * packet quoted is the first fragment, which is what there is of it. */
static void expired(struct slot *s)
{
	static const struct icmp_error errors[FAM_COUNT] = {
		[FAM4] = { ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0 },
		[FAM6] = { ICMP6_TIME_EXCEEDED,
			   ICMP6_TIME_EXCEED_REASSEMBLY, 0 },
	};
	static uint8_t first[DATAGRAM_MAX];
	struct iovec iov = { first, s->range[0].to };
	struct packet p = {
		.src = s->src, .dst = s->dst,
		.l3 = rd_init(s->hdr + ETH_HLEN_,
			      (size_t)s->hdr_len - ETH_HLEN_),
		.l4 = rd_init(first, 0),
		.payload = { &iov, 0, s->range[0].to },
	};

	if (!s->hdr_len || s->bad || !put_length(s, s->range[0].to))
		return;
	load(s, s->range[0].to, first);
	icmp_error_about(&p, &errors[addr_fam(&s->src)]);
}

void reassembly_expire(uint32_t timer_id)
{
	uint64_t next = TIMER_NEVER;

	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (!s->used)
			continue;
		if (s->due_ms > clock_ms()) {
			next = MIN(next, s->due_ms);
			continue;
		}
		expired(s);
		if (!s->bad)
			drop(DROP_IP_FRAGMENT);
		slot_release(s);
	}
	if (next != TIMER_NEVER)
		timer_set(timer_id, next);
}
