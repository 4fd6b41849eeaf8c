/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: fragment link/link link/pcap wire/frame wire/frame_str wire/csum
 *	  addr buf conf epoll_ctl log timer util */
/* fragment.c - pieces that a naive receiver can put together again */
#include "fragment.h"

#include "conf.h"
#include "log.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)

static uint8_t message[65535];
static struct frame_tmpl tmpl;

static void start(enum fam fam, unsigned mtu)
{
	const struct mac ours = MAC_OURS_DEFAULT;
	struct addr src = raw_addr(raw_dst(fam)), dst = raw_addr(raw_src(fam));

	mem_start(NULL, NULL);
	conf_writable.mtu = mtu;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7 + i / 256);
	frame_tmpl_init(&tmpl, IPPROTO_UDP, &src, 53, &dst, 1234, &ours,
			&raw_smac, 0);
}

struct piece {
	size_t len, off;
	bool more;
	uint32_t id;
	const uint8_t *data;
};

static struct piece piece4(const uint8_t *ip)
{
	EQ(raw_sum(0, ip, 20), 0);
	EQ(ip[9], IPPROTO_UDP);
	EQ(get_be16(ip + 6) & 0xc000, 0);
	return (struct piece) {
		.len = get_be16(ip + 2) - 20u,
		.off = (get_be16(ip + 6) & 0x1fffu) * 8,
		.more = get_be16(ip + 6) & 0x2000,
		.id = get_be16(ip + 4), .data = ip + 20,
	};
}

static struct piece piece6(const uint8_t *ip)
{
	EQ(ip[6], IPPROTO_FRAGMENT);
	EQ(ip[40], IPPROTO_UDP);
	EQ(ip[41], 0);
	EQ(get_be16(ip + 42) & 6, 0);
	return (struct piece) {
		.len = get_be16(ip + 4) - 8u,
		.off = get_be16(ip + 42) & 0xfff8u,
		.more = get_be16(ip + 42) & 1,
		.id = get_be32(ip + 44), .data = ip + 48,
	};
}

/* All that was sent, put together by offset; its length, or 0. */
static size_t received(enum fam fam, size_t mtu, uint32_t *id)
{
	size_t end = 0;

	for (unsigned i = 0; i < mem.cnt; i++) {
		const uint8_t *ip = mem.sent[i].b + 14;
		struct piece p = fam == FAM4 ? piece4(ip) : piece6(ip);
		size_t hlen = (size_t)(p.data - ip);

		OK(hlen + p.len <= mtu);
		EQ(mem.sent[i].len, MAX(14 + hlen + p.len, (size_t)60));
		EQ(p.off, end);
		EQ(p.more, i + 1 < mem.cnt);
		OK(!i || p.id == *id);
		OK(!memcmp(p.data, message + p.off, p.len));
		OK(!mem.needs_csum[i]);
		*id = p.id;
		end += p.len;
	}
	return end;
}

TEST(what_fits_needs_no_fragments_and_one_byte_more_does)
{
	EACH_FAM(fam) {
		size_t hlen = fam == FAM4 ? 20 : 40;

		start(fam, 1500);
		OK(!fragment_needed(&tmpl, 1500 - hlen));
		OK(fragment_needed(&tmpl, 1501 - hlen));
		start(fam, 0);
		OK(fragment_needed(&tmpl, 1501 - hlen));
		start(fam, MTU_MAX);
		OK(!fragment_needed(&tmpl, MTU_MAX - hlen));
		OK(fragment_needed(&tmpl, MTU_MAX + 1 - hlen));
	}
}

TEST(pieces_fit_the_mtu_and_make_up_the_whole)
{
	static const struct {
		unsigned mtu;
		size_t len;
		unsigned cnt[FAM_COUNT];
	} t[] = {
		{ 1500, 1481, { 2, 2 } },
		{ 1500, 2960, { 2, 3 } },
		{ 1280, 9000, { 8, 8 } },
		{ 0, 4000, { 3, 3 } },
		{ 65520, 65515, { 2, 2 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		EACH_FAM(fam) {
			uint32_t id;

			start(fam, t[i].mtu);
			fragment_to_guest(&tmpl, message, t[i].len);
			EQ(mem.cnt, t[i].cnt[fam]);
			EQ(received(fam, t[i].mtu ? t[i].mtu : 1500, &id),
			   t[i].len);
		}
	}
}

TEST(every_datagram_has_an_identification_of_its_own)
{
	EACH_FAM(fam) {
		uint32_t first, second;

		start(fam, 1500);
		fragment_to_guest(&tmpl, message, 2000);
		received(fam, 1500, &first);
		start(fam, 1500);
		fragment_to_guest(&tmpl, message, 2000);
		received(fam, 1500, &second);
		OK(first != second);
	}
}

TEST(without_room_on_the_link_the_rest_is_lost_and_counted)
{
	uint64_t before = drop_count(DROP_LINK_FULL);

	start(FAM4, 1500);
	mem.full = true;
	fragment_to_guest(&tmpl, message, 4000);
	EQ(mem.cnt, 0);
	EQ(drop_count(DROP_LINK_FULL), before + 1);
}
