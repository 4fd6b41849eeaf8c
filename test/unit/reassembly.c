/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/reassembly wire/frame wire/csum addr buf conf log timer
 *	  util */
/* reassembly.c - datagrams cut by hand, whole or not at all */
#include "services/services.h"

#include "icmp.h"
#include "log.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)
#define UNIT_MAX 1448

static struct {
	unsigned cnt;
	struct icmp_error e;
	uint8_t l3[64], first[64];
	size_t l3_len, len;
} complaint;

void icmp_error_about(const struct packet *p, const struct icmp_error *e)
{
	complaint.cnt++;
	complaint.e = *e;
	complaint.l3_len = p->l3.len;
	complaint.len = p->payload.len;
	memcpy(complaint.l3, p->l3.p, MIN(p->l3.len, sizeof(complaint.l3)));
	view_copy(&p->payload, 0, complaint.first,
		  MIN(p->payload.len, sizeof(complaint.first)));
}

static uint64_t now_ms = 1000;
static struct packet whole;
static uint8_t datagram[65536];	/* from the L4 header on */

static void later(uint64_t ms)
{
	now_ms += ms;
	clock_set(now_ms * 1000000);
	timer_run(reassembly_expire);
}

/* What an earlier test has left is gone. */
static void start(void)
{
	later(10000);
	complaint.cnt = 0;
}

/* A UDP datagram of @len bytes of payload, ports 1000 and 2000. */
static size_t make(size_t len)
{
	put_be16(datagram, 1000);
	put_be16(datagram + 2, 2000);
	put_be16(datagram + 4, (uint16_t)(len + 8));
	put_be16(datagram + 6, 0);
	for (size_t i = 0; i < len; i++)
		datagram[8 + i] = (uint8_t)(i * 13 + i / 251);
	return len + 8;
}

struct cut {
	uint32_t id;
	size_t off, len;
	bool more;
	uint8_t proto;		/* 0: UDP */
	const char *src;	/* NULL: raw_src() */
	const void *data;	/* NULL: of datagram */
};

static struct raw r;

static void frame4(const struct cut *c, const char *src, uint8_t proto)
{
	raw_ip(&r, FAM4, src, raw_dst(FAM4), proto, c->len);
	put_be16(r.b + 18, (uint16_t)c->id);
	put_be16(r.b + 20, (uint16_t)(c->off / 8 | (c->more ? 0x2000 : 0)));
}

static void frame6(const struct cut *c, const char *src, uint8_t proto)
{
	raw_ip(&r, FAM6, src, raw_dst(FAM6), IPPROTO_FRAGMENT, 8 + c->len);
	raw_be16(&r, (unsigned)proto << 8);
	raw_be16(&r, (unsigned)(c->off | c->more));
	raw_be32(&r, c->id);
}

static bool give_raw(void)
{
	struct iovec iov = { r.b, r.len };
	struct packet p;

	return frame_parse(&p, &iov, 1, NULL) && OK(p.fragment) &&
	       reassembly_add(&p, &whole);
}

static bool give(enum fam fam, struct cut c)
{
	const char *src = c.src ? c.src : raw_src(fam);
	uint8_t proto = c.proto ? c.proto : IPPROTO_UDP;

	if (fam == FAM4)
		frame4(&c, src, proto);
	else
		frame6(&c, src, proto);
	raw_add(&r, c.data ? (const uint8_t *)c.data : datagram + c.off, c.len);
	return give_raw();
}

/* Whole is what make() had made. */
static void check_whole(enum fam fam, size_t len)
{
	static uint8_t got[65536];
	struct addr src = raw_addr(raw_src(fam)), dst = raw_addr(raw_dst(fam));

	OK(!whole.fragment);
	EQ(whole.proto, IPPROTO_UDP);
	EQ(whole.sport, 1000);
	EQ(whole.dport, 2000);
	EQ(whole.ttl, 64);
	OK(addr_eq(&whole.src, &src) && addr_eq(&whole.dst, &dst));
	OK(!memcmp(&whole.smac, &raw_smac, 6));
	EQ(whole.payload.len, len);
	OK(view_copy(&whole.payload, 0, got, len));
	MEMEQ(got, datagram + 8, len);
	if (fam == FAM4)
		EQ(raw_sum(0, whole.l3.p, whole.l3.len), 0);
}

static bool dropped_one(enum fam fam, struct cut c)
{
	uint64_t before = drop_count(DROP_IP_FRAGMENT);

	return !give(fam, c) && drop_count(DROP_IP_FRAGMENT) == before + 1;
}

/* Cut @len bytes into pieces and give them, the @k-th of @cnt being
 * order(k). */
static bool give_all(enum fam fam, uint32_t id, size_t len, size_t piece,
		     size_t step)
{
	size_t cnt = (len + piece - 1) / piece;
	unsigned done = 0;

	for (size_t k = 0; k < cnt; k++) {
		size_t off = k * step % cnt * piece;
		size_t n = MIN(piece, len - off);

		done += give(fam, (struct cut) {
			.id = id, .off = off, .len = n, .more = off + n < len,
		});
		OK(done == (k + 1 == cnt));
	}
	return done;
}

TEST(in_order_backwards_or_mixed_the_whole_comes_out)
{
	static const size_t lens[] = { 1, 8, 1473, 9000, 65507 };

	EACH_FAM(fam) {
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			size_t len = make(lens[i]), piece = UNIT_MAX;
			size_t cnt = (len + piece - 1) / piece;

			start();
			if (cnt < 2) {
				piece = 8;
				cnt = 2;
			}
			OK(give_all(fam, 1, len, piece, 1));
			check_whole(fam, lens[i]);
			OK(give_all(fam, 1, len, piece, cnt - 1));
			check_whole(fam, lens[i]);
			if (cnt % 7)
				OK(give_all(fam, 1, len, piece, 7));
			check_whole(fam, lens[i]);
		}
	}
}

TEST(datagrams_with_other_keys_do_not_mix)
{
	EACH_FAM(fam) {
		const char *other = fam == FAM4 ? "192.0.2.11" :
						  "2001:db8::11";

		start();
		make(3000);
		OK(!give(fam, (struct cut) { .id = 1, .len = 1448,
					     .more = 1 }));
		OK(!give(fam, (struct cut) { .id = 2, .off = 1448,
					     .len = 1560 }));
		OK(!give(fam, (struct cut) { .id = 1, .off = 1448, .len = 1560,
					     .src = other }));
		OK(give(fam, (struct cut) { .id = 1, .off = 1448,
					    .len = 1560 }));
		check_whole(fam, 3000);
	}
	/* RFC 791: the protocol is in the key */
	start();
	OK(!give(FAM4, (struct cut) { .id = 1, .len = 1448, .more = 1 }));
	OK(!give(FAM4, (struct cut) { .id = 1, .off = 1448, .len = 1560,
				      .proto = 132 }));
	/* RFC 8200 4.5: it is not, and the first fragment's counts */
	start();
	OK(!give(FAM6, (struct cut) { .id = 1, .len = 1448, .more = 1 }));
	OK(give(FAM6, (struct cut) { .id = 1, .off = 1448, .len = 1560,
				     .proto = 132 }));
	check_whole(FAM6, 3000);
}

TEST(a_fragment_repeated_is_ignored)
{
	EACH_FAM(fam) {
		start();
		make(3000);
		OK(!give(fam, (struct cut) { .len = 1448, .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .len = 1448, .more = 1 }));
		OK(!give(fam, (struct cut) { .off = 1448, .len = 8,
					     .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .len = 1448, .more = 1 }));
		OK(give(fam, (struct cut) { .off = 1456, .len = 1552 }));
		check_whole(fam, 3000);
	}
}

/* RFC 5722: all of it, and what still comes */
TEST(overlaps_lose_the_datagram)
{
	static const struct { size_t off, len; bool more; } wrong[] = {
		{ 8, 1440, true }, { 0, 8, true }, { 0, 2000, true },
		{ 1440, 16, true }, { 800, 8, true }, { 1440, 9, false },
	};

	EACH_FAM(fam) {
		for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
			start();
			make(4000);
			OK(!give(fam, (struct cut) { .len = 1448, .more = 1 }));
			OK(dropped_one(fam, (struct cut) {
				.off = wrong[i].off, .len = wrong[i].len,
				.more = wrong[i].more,
			}));
			OK(dropped_one(fam, (struct cut) { .off = 1448,
							   .len = 2560 }));
			later(10000);
			EQ(complaint.cnt, 0);
		}
	}
}

TEST(there_is_one_end)
{
	EACH_FAM(fam) {
		start();		/* beyond the end */
		make(4000);
		OK(!give(fam, (struct cut) { .off = 1448, .len = 100 }));
		OK(dropped_one(fam, (struct cut) { .off = 2000, .len = 8,
						   .more = 1 }));
		OK(!give(fam, (struct cut) { .len = 1448, .more = 1 }));

		start();		/* two ends */
		OK(!give(fam, (struct cut) { .off = 1448, .len = 100 }));
		OK(dropped_one(fam, (struct cut) { .off = 2000, .len = 9 }));

		start();		/* an end before what is there */
		OK(!give(fam, (struct cut) { .off = 2000, .len = 8,
					     .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .off = 800, .len = 9 }));
	}
}

TEST(lengths_no_fragment_can_have_are_dropped)
{
	EACH_FAM(fam) {
		start();
		make(65535 - 8);
		OK(dropped_one(fam, (struct cut) { .len = 1447, .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .len = 0, .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .off = 8, .len = 0 }));
		/* The ping of death: 65536 bytes and more, header included */
		OK(dropped_one(fam, (struct cut) {
			.off = 65528, .len = 1448,
			.data = datagram,
		}));
		OK(dropped_one(fam, (struct cut) {
			.off = 65512, .len = fam == FAM4 ? 4 : 24,
			.data = datagram,
		}));
		later(10000);
		EQ(complaint.cnt, 0);
	}
}

TEST(the_largest_datagrams_there_are)
{
	static const size_t len[FAM_COUNT] = { 65507, 65527 };

	EACH_FAM(fam) {
		start();
		make(len[fam]);
		OK(give_all(fam, 9, len[fam] + 8, 1232, 1));
		check_whole(fam, len[fam]);
	}
}

/* A longer first header than those by which each was judged */
TEST(a_whole_that_no_length_field_can_hold_is_dropped)
{
	uint64_t before = drop_count(DROP_IP_FRAGMENT);

	start();
	make(65507);
	for (size_t off = 8; off < 65515; off += 1448) {
		OK(!give(FAM4, (struct cut) {
			.off = off, .len = MIN(UNIT_MAX, 65515 - off),
			.more = off + UNIT_MAX < 65515,
		}));
	}
	frame4(&(struct cut) { .len = 8 + 4, .more = 1 }, raw_src(FAM4),
	       IPPROTO_UDP);
	r.b[14] = 0x46;
	raw_zero(&r, 4);
	raw_add(&r, datagram, 8);
	OK(!give_raw());
	EQ(drop_count(DROP_IP_FRAGMENT), before + 1);
}

TEST(tiny_fragments_have_a_limit)
{
	EACH_FAM(fam) {
		start();
		OK(give_all(fam, 1, make(1016), 8, 1));	/* 128 of them */
		make(2000);
		for (size_t i = 0; i < 128; i++) {
			OK(!give(fam, (struct cut) { .id = 2, .off = i * 8,
						     .len = 8, .more = 1 }));
		}
		OK(dropped_one(fam, (struct cut) { .id = 2, .off = 1024,
						   .len = 8, .more = 1 }));
		OK(dropped_one(fam, (struct cut) { .id = 2, .off = 1024,
						   .len = 8 }));
	}
}

TEST(after_two_seconds_the_guest_hears_of_it_if_it_sent_the_start)
{
	EACH_FAM(fam) {
		size_t hlen = fam == FAM4 ? 20 : 40;

		start();
		make(4000);
		OK(!give(fam, (struct cut) { .len = 1448, .more = 1 }));
		OK(timer_armed(TIMER_REASSEMBLY));
		later(1999);
		EQ(complaint.cnt, 0);
		later(1);
		EQ(complaint.cnt, 1);
		EQ(complaint.e.type, fam == FAM4 ? 11 : 3);
		EQ(complaint.e.code, 1);
		EQ(complaint.l3_len, hlen);
		EQ(complaint.len, 1448);
		MEMEQ(complaint.first, datagram, 64);
		EQ(complaint.l3[fam == FAM4 ? 9 : 6], IPPROTO_UDP);
		OK(!timer_armed(TIMER_REASSEMBLY));
		/* And what comes late is the start of nothing */
		OK(!give(fam, (struct cut) { .off = 1448, .len = 2560 }));
		later(2000);
		EQ(complaint.cnt, 1);
	}
}

TEST(each_datagram_has_its_own_time)
{
	start();
	make(4000);
	OK(!give(FAM4, (struct cut) { .id = 1, .len = 1448, .more = 1 }));
	later(1500);
	OK(!give(FAM4, (struct cut) { .id = 2, .len = 1448, .more = 1 }));
	OK(!give(FAM4, (struct cut) { .id = 3, .len = 1448, .more = 1 }));
	later(500);
	EQ(complaint.cnt, 1);
	OK(give(FAM4, (struct cut) { .id = 2, .off = 1448, .len = 2560 }));
	check_whole(FAM4, 4000);
	later(1500);
	EQ(complaint.cnt, 2);
}

TEST(the_oldest_gives_way_to_the_65th)
{
	start();
	make(3000);
	for (uint32_t id = 0; id < 65; id++) {
		OK(!give(FAM6, (struct cut) { .id = id, .len = 1448,
					      .more = 1 }));
		later(1);
	}
	OK(give(FAM6, (struct cut) { .id = 1, .off = 1448, .len = 1560 }));
	OK(!give(FAM6, (struct cut) { .id = 0, .off = 1448, .len = 1560 }));
	for (uint32_t id = 2; id < 65; id++)
		OK(give(FAM6, (struct cut) { .id = id, .off = 1448,
					     .len = 1560 }));
}

TEST(a_mebibyte_is_all_there_is_and_all_of_it_comes_back)
{
	start();
	make(65507);
	for (unsigned round = 0; round < 3; round++) {
		/* 16 datagrams of 64 blocks */
		for (uint32_t id = 0; id < 17; id++) {
			for (size_t off = 0; off < 65000; off += 1000) {
				OK(!give(FAM6, (struct cut) {
					.id = id, .off = off,
					.len = 1000, .more = 1 }));
			}
			later(1);
		}
		OK(!give(FAM6, (struct cut) { .id = 0, .off = 65000,
					      .len = 515 }));
		for (uint32_t id = 2; id < 17; id++) {
			OK(give(FAM6, (struct cut) { .id = id, .off = 65000,
						     .len = 515 }));
			check_whole(FAM6, 65507);
		}
		later(10000);
	}
}

/* Hop-by-hop options, an atomic fragment's header with what is reserved set,
 * destination options, the fragment header; @len bytes to follow. */
static void frame6_chain(size_t off, bool more, size_t len)
{
	static const uint8_t hop[8] = { IPPROTO_FRAGMENT, 0, 1, 4 };
	static const uint8_t atomic[8] = { IPPROTO_DSTOPTS, 0xff };
	static const uint8_t dst[8] = { IPPROTO_FRAGMENT, 0, 1, 4 };

	raw_ip(&r, FAM6, raw_src(FAM6), raw_dst(FAM6), IPPROTO_HOPOPTS,
	       32 + len);
	raw_add(&r, hop, 8);
	raw_add(&r, atomic, 8);
	raw_add(&r, dst, 8);
	raw_be16(&r, IPPROTO_DSTOPTS << 8);
	raw_be16(&r, (unsigned)(off | more));
	raw_be32(&r, 5);
}

TEST(extension_headers_stay_but_for_the_fragment_header)
{
	static const uint8_t behind[8] = { IPPROTO_UDP, 0, 1, 4 };

	start();
	make(100);
	frame6_chain(48, false, 68);
	raw_add(&r, datagram + 40, 68);
	OK(!give_raw());
	frame6_chain(0, true, 48);
	raw_add(&r, behind, 8);
	raw_add(&r, datagram, 40);
	OK(give_raw());
	check_whole(FAM6, 100);
	EQ(whole.l3.len, 40 + 8 + 8 + 8 + 8);
	EQ(get_be16(whole.l3.p + 4), 8 + 8 + 8 + 8 + 108);
	EQ(whole.l3.p[6], IPPROTO_HOPOPTS);
	EQ(whole.l3.p[40], IPPROTO_FRAGMENT);
	EQ(whole.l3.p[48], IPPROTO_DSTOPTS);
	EQ(whole.l3.p[56], IPPROTO_DSTOPTS);
	EQ(whole.l3.p[64], IPPROTO_UDP);
}

TEST(what_is_put_together_is_judged_like_any_packet)
{
	/* A UDP length beyond the datagram */
	EACH_FAM(fam) {
		uint64_t before = drop_count(DROP_UDP_HEADER);

		start();
		make(100);
		put_be16(datagram + 4, 109);
		OK(!give(fam, (struct cut) { .len = 48, .more = 1 }));
		OK(!give(fam, (struct cut) { .off = 48, .len = 60 }));
		EQ(drop_count(DROP_UDP_HEADER), before + 1);
	}
}

TEST(fragments_of_fragments_are_dropped)
{
	static const uint8_t inner[8] = { IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 9 };
	uint64_t before = drop_count(DROP_IP_FRAGMENT);

	start();
	make(100);
	memcpy(datagram, inner, 8);
	OK(!give(FAM6, (struct cut) { .len = 48, .more = 1,
				      .proto = IPPROTO_FRAGMENT }));
	OK(!give(FAM6, (struct cut) { .off = 48, .len = 60,
				      .proto = IPPROTO_FRAGMENT }));
	EQ(drop_count(DROP_IP_FRAGMENT), before + 1);
}
