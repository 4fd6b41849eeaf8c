/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/link link/pcap wire/frame wire/frame_str wire/csum addr buf
 *	  conf epoll_ctl log timer util */
/* link.c - batches in, frames out, whatever the back-end */
#include "link/link.h"

#include "log.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

static struct raw r;
static unsigned sunk[10], sinks, ups, writables;
static uint16_t first_port;

static void sink(struct packet *p, unsigned n)
{
	if (!sinks)
		first_port = p[0].sport;
	sunk[sinks++] = n;
}

static void up(void)
{
	ups++;
}

static void writable(void)
{
	writables++;
}

static const struct link_hooks hooks = { sink, writable, up };

static void start(bool csum)
{
	struct link_caps caps = { .csum = csum, .tso4 = csum, .tso6 = csum,
				  .max_payload = 65481 };

	sinks = ups = writables = 0;
	mem_start(&caps, &hooks);
}

static void receive(const struct raw *raw)
{
	static struct iovec iov[256];
	static unsigned next;
	struct iovec *v = &iov[next++ % 256];

	*v = (struct iovec) { (void *)raw->b, raw->len };
	link_input(v, 1, NULL);
}

/* A segment with @len bytes of payload in room for @room. */
static bool send_tcp(enum fam fam, size_t len, size_t room, uint16_t gso_size)
{
	struct addr src = raw_addr(raw_src(fam)), dst = raw_addr(raw_dst(fam));
	struct tcp_fields tcp = { .seq = 1, .flags = TCP_FLAG_ACK };
	struct frame_tmpl t;
	struct frame f;

	frame_tmpl_init(&t, IPPROTO_TCP, &src, 1, &dst, 2, &raw_smac,
			&raw_smac, 0);
	if (!link_reserve(&f, 1, t.hdr_len, room))
		return false;
	if (!EQ(iov_len(f.pay, f.pay_cnt), room))
		return false;
	memset(f.pay[0].iov_base, 'd', len);
	f.pay_len = len;
	frame_put_tcp(&f, &t, &tcp, gso_size);
	link_commit(&f, 1);
	return true;
}

TEST(until_the_guest_speaks_frames_go_to_everybody)
{
	struct mac m = link_guest_mac();

	MEMEQ(m.b, MAC_BROADCAST.b, 6);
}

TEST(short_frames_are_padded_with_zeroes_to_60_bytes)
{
	static const uint8_t zero[60];

	for (size_t len = 0; len < 8; len++) {
		start(false);
		OK(send_tcp(FAM4, len, len, 0));
		EQ(mem.sent[0].len, len < 6 ? 60 : 54 + len);
		EQ(raw_l4_sum(mem.sent[0].b), 0);
		OK(!memcmp(mem.sent[0].b + 54 + len, zero,
			   mem.sent[0].len - 54 - len));
		start(true);		/* and with room to spare */
		OK(send_tcp(FAM4, len, 1000, 0));
		EQ(mem.sent[0].len, len < 6 ? 60 : 54 + len);
		OK(!memcmp(mem.sent[0].b + 54 + len, zero,
			   mem.sent[0].len - 54 - len));
	}
	start(false);
	OK(send_tcp(FAM6, 0, 0, 0));
	EQ(mem.sent[0].len, 74);
}

TEST(an_arp_sized_frame_is_padded_behind_its_message)
{
	struct frame f;

	start(false);
	OK(link_reserve_one(&f, ETH_HLEN_, 28));
	EQ(f.pay[0].iov_len, 28);
	memset(f.pay[0].iov_base, 'a', 28);
	frame_put_eth(&f, &MAC_BROADCAST, &raw_smac, ETH_P_ARP_);
	link_commit(&f, 1);
	EQ(mem.sent[0].len, 60);
	EQ(mem.sent[0].b[41], 'a');
	EQ(mem.sent[0].b[42], 0);
	EQ(mem.sent[0].b[59], 0);
}

TEST(checksums_are_completed_only_where_nobody_else_will)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		start(false);
		OK(send_tcp(fam, 1001, 1460, 0));
		OK(!mem.needs_csum[0]);
		EQ(raw_l4_sum(mem.sent[0].b), 0);
		start(true);
		OK(send_tcp(fam, 30000, 60000, 1400));
		OK(mem.needs_csum[0]);
		EQ(mem.gso[0], fam == FAM4 ? GSO_TCP4 : GSO_TCP6);
		OK(raw_l4_sum(mem.sent[0].b) != 0);
	}
}

TEST(without_a_guest_frames_are_lost_and_counted)
{
	uint64_t before = drop_count(DROP_LINK_DOWN);

	start(false);
	link_set_up(false);
	OK(!link_is_up());
	OK(send_tcp(FAM4, 10, 10, 0));
	EQ(mem.cnt, 0);
	EQ(drop_count(DROP_LINK_DOWN), before + 1);
	link_set_up(true);
	OK(send_tcp(FAM4, 10, 10, 0));
	EQ(mem.cnt, 1);
}

TEST(a_guest_that_attaches_is_announced_each_time_once)
{
	start(false);
	EQ(ups, 1);
	link_set_up(true);
	EQ(ups, 1);
	link_set_up(false);
	link_set_up(true);
	EQ(ups, 2);
}

TEST(frames_not_committed_go_back)
{
	struct frame f[4];

	start(false);
	EQ(link_reserve(f, 4, 54, 100), 4);
	link_commit(f, 0);
	EQ(mem.cnt, 0);
	OK(send_tcp(FAM4, 10, 10, 0));
	EQ(mem.cnt, 1);
}

TEST(who_was_refused_hears_when_there_is_room)
{
	struct frame f;
	uint64_t before = drop_count(DROP_LINK_FULL);

	start(false);
	link_writable();
	EQ(writables, 0);		/* nobody waits */
	mem.full = true;
	EQ(link_reserve(&f, 1, 54, 100), 0);
	OK(!link_reserve_one(&f, 14, 28));
	EQ(drop_count(DROP_LINK_FULL), before + 1);
	mem.full = false;
	link_writable();
	link_writable();
	EQ(writables, 1);
}

TEST(packets_arrive_in_batches_and_in_order)
{
	static struct raw many[100];

	start(false);
	for (unsigned i = 0; i < 100; i++) {
		raw_tcp(&many[i], FAM4, 100 + i, 80, "", 0);
		receive(&many[i]);
	}
	EQ(sinks, 1);
	EQ(sunk[0], 64);
	EQ(first_port, 100);
	link_input_done();
	EQ(sinks, 2);
	EQ(sunk[1], 36);
	link_input_done();
	EQ(sinks, 2);
}

TEST(what_the_parser_refuses_is_not_in_the_batch)
{
	start(false);
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	r.len = 33;
	receive(&r);
	link_input_done();
	EQ(sinks, 0);
}

TEST(the_guests_address_is_learned_from_frames_of_one_station)
{
	static const struct mac group = { { 1, 0, 0x5e, 0, 0, 1 } };
	static const struct mac other = { { 2, 0, 0, 0, 0, 9 } };
	struct mac m;

	start(false);
	link_set_guest_mac(&MAC_BROADCAST);
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	memcpy(r.b + 6, group.b, 6);
	receive(&r);
	memset(r.b + 6, 0, 6);
	receive(&r);
	m = link_guest_mac();
	MEMEQ(m.b, MAC_BROADCAST.b, 6);
	raw_tcp(&r, FAM6, 1, 2, "", 0);
	receive(&r);
	m = link_guest_mac();
	MEMEQ(m.b, raw_smac.b, 6);
	memcpy(r.b + 6, other.b, 6);
	receive(&r);
	m = link_guest_mac();
	MEMEQ(m.b, other.b, 6);
	link_input_done();
	link_set_guest_mac(&raw_smac);
	m = link_guest_mac();
	MEMEQ(m.b, raw_smac.b, 6);
}

TEST(flush_reaches_the_back_end_every_time)
{
	start(false);
	link_flush();
	link_flush();
	EQ(mem.flushed, 2);
}
