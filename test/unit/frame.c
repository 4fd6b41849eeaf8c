/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: wire/frame wire/frame_str wire/csum addr buf log timer util */
/* frame.c - what is let in, what is kept out and why, what leaves */
#include "wire/frame.h"

#include "log.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

static struct raw r;
static struct packet p;
static struct iovec iov[70];

static bool parse(void)
{
	iov[0] = (struct iovec) { r.b, r.len };
	return frame_parse(&p, iov, 1, NULL);
}

/* The frame is dropped, and for this reason. */
static bool dropped(enum drop_reason why)
{
	uint64_t before = drop_count(why);

	return !parse() && drop_count(why) == before + 1;
}

static bool payload_is(const char *s)
{
	char got[64];

	return p.payload.len == strlen(s) &&
	       view_copy(&p.payload, 0, got, p.payload.len) &&
	       !memcmp(got, s, p.payload.len);
}

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)

/* --- ports and lengths of whole packets --- */

TEST(a_tcp_segment_comes_apart)
{
	EACH_FAM(f) {
		struct addr src = raw_addr(raw_src(f));
		struct addr dst = raw_addr(raw_dst(f));

		raw_tcp(&r, f, 40000, 80, "hello", 5);
		OK(parse());
		OK(addr_eq(&p.src, &src) && addr_eq(&p.dst, &dst));
		EQ(p.sport, 40000);
		EQ(p.dport, 80);
		EQ(p.proto, IPPROTO_TCP);
		EQ(p.ttl, 64);
		EQ(p.l4.len, 20);
		EQ(p.l3.len, f == FAM4 ? 20 : 40);
		EQ(p.gso, GSO_NONE);
		OK(!p.fragment);
		OK(payload_is("hello"));
		MEMEQ(p.smac.b, raw_smac.b, 6);
	}
}

TEST(a_datagram_comes_apart_and_may_be_empty)
{
	EACH_FAM(f) {
		raw_udp(&r, f, 1, 65535, "", 0);
		OK(parse());
		EQ(p.sport, 1);
		EQ(p.dport, 65535);
		EQ(p.l4.len, 8);
		OK(payload_is(""));
	}
}

TEST(class_hop_limit_and_label_are_read)
{
	raw_udp(&r, FAM6, 1, 2, "x", 1);
	put_be32(r.b + 14, 0x6ab12345);
	r.b[21] = 3;
	OK(parse());
	EQ(p.tos, 0xab);
	EQ(p.flow_label, 0x12345);
	EQ(p.ttl, 3);
	raw_udp(&r, FAM4, 1, 2, "x", 1);
	r.b[15] = 0xb8;
	OK(parse());
	EQ(p.tos, 0xb8);
}

TEST(padding_is_cut_off_in_both_families)
{
	EACH_FAM(f) {
		raw_udp(&r, f, 7, 8, "abc", 3);
		raw_zero(&r, 20);
		OK(parse());
		OK(payload_is("abc"));
	}
}

TEST(the_length_field_of_udp_ends_the_datagram)
{
	EACH_FAM(f) {
		size_t at = raw_l4_off(f) + 4;

		raw_udp(&r, f, 7, 8, "abcdef", 6);
		put_be16(r.b + at, 8 + 2);
		OK(parse());
		OK(payload_is("ab"));
		put_be16(r.b + at, 8 + 7);
		OK(dropped(DROP_UDP_HEADER));
		put_be16(r.b + at, 7);
		OK(dropped(DROP_UDP_HEADER));
	}
}

TEST(options_of_ipv4_and_tcp_are_skipped)
{
	raw_tcp(&r, FAM4, 1, 2, "........data", 12);
	r.b[34 + 12] = 0x70;		/* TCP: 28 bytes */
	OK(parse());
	EQ(p.l4.len, 28);
	OK(payload_is("data"));

	raw_ip(&r, FAM4, "192.0.2.1", "192.0.2.2", IPPROTO_UDP, 8 + 8 + 2);
	r.b[14] = 0x47;			/* IP: 28 bytes */
	raw_zero(&r, 8);
	raw_be16(&r, 5);
	raw_be16(&r, 6);
	raw_be16(&r, 10);
	raw_be16(&r, 0);
	raw_add(&r, "ok", 2);
	OK(parse());
	EQ(p.l3.len, 28);
	EQ(p.dport, 6);
	OK(payload_is("ok"));
}

TEST(a_protocol_without_ports_is_all_payload)
{
	EACH_FAM(f) {
		raw_ip(&r, f, raw_src(f), raw_dst(f), 132, 4);
		raw_add(&r, "sctp", 4);
		OK(parse());
		EQ(p.proto, 132);
		EQ(p.l4.len, 0);
		EQ(p.sport, 0);
		OK(payload_is("sctp"));
	}
}

TEST(arp_is_handed_on_whole)
{
	raw_eth(&r, ETH_P_ARP_);
	raw_zero(&r, 46);
	OK(parse());
	EQ(p.ethertype, ETH_P_ARP_);
	EQ(p.l4.len, 46);
}

/* --- what is kept out --- */

TEST(every_truncation_of_a_packet_is_dropped)
{
	EACH_FAM(f) {
		raw_tcp(&r, f, 1, 2, "data", 4);
		for (size_t len = r.len; len; len--) {
			r.len = len - 1;
			OK(!parse());
		}
	}
}

TEST(other_ethertypes_are_dropped)
{
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	put_be16(r.b + 12, 0x8100);
	OK(dropped(DROP_ETHERTYPE));
}

TEST(wrong_versions_are_dropped)
{
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	r.b[14] = 0x65;
	OK(dropped(DROP_IP_HEADER));
	raw_tcp(&r, FAM6, 1, 2, "", 0);
	r.b[14] = 0x45;
	OK(dropped(DROP_IP_HEADER));
}

TEST(ipv4_lengths_must_agree)
{
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	r.b[14] = 0x44;
	OK(dropped(DROP_IP_HEADER));
	raw_tcp(&r, FAM4, 1, 2, "", 0);
	put_be16(r.b + 16, 41);
	OK(dropped(DROP_IP_LENGTH));
	put_be16(r.b + 16, 19);
	OK(dropped(DROP_IP_LENGTH));
	put_be16(r.b + 16, 0);
	OK(dropped(DROP_IP_LENGTH));
	put_be16(r.b + 16, 39);		/* one byte of TCP missing */
	OK(dropped(DROP_TCP_HEADER));
}

TEST(an_ipv6_payload_beyond_the_frame_is_dropped)
{
	raw_tcp(&r, FAM6, 1, 2, "", 0);
	put_be16(r.b + 18, 21);
	OK(dropped(DROP_IP_LENGTH));
	put_be16(r.b + 18, 0);		/* as a jumbogram has it */
	OK(dropped(DROP_TCP_HEADER));
}

TEST(a_tcp_header_must_fit_its_own_length)
{
	EACH_FAM(f) {
		raw_tcp(&r, f, 1, 2, "data", 4);
		r.b[raw_l4_off(f) + 12] = 0x40;
		OK(dropped(DROP_TCP_HEADER));
		r.b[raw_l4_off(f) + 12] = 0x70;
		OK(dropped(DROP_TCP_HEADER));
		r.b[raw_l4_off(f) + 12] = 0x60;
		OK(parse());
	}
}

TEST(icmp_shorter_than_its_header_is_dropped)
{
	EACH_FAM(f) {
		raw_icmp(&r, f, raw_src(f), raw_dst(f), 8, "abc", 3);
		OK(dropped(DROP_SHORT));
		raw_icmp(&r, f, raw_src(f), raw_dst(f), 8, "abcd", 4);
		OK(parse());
		EQ(p.l4.len, 8);
	}
}

TEST(loopback_addresses_are_dropped_in_both_places)
{
	static const char *const bad[FAM_COUNT][2] = {
		{ "127.0.0.1", "127.255.255.254" }, { "::1", "::1" },
	};

	EACH_FAM(f) {
		for (int i = 0; i < 2; i++) {
			raw_ip(&r, f, bad[f][i], raw_dst(f), IPPROTO_ESP, 0);
			OK(dropped(DROP_LOOPBACK));
			raw_ip(&r, f, raw_src(f), bad[f][i], IPPROTO_ESP, 0);
			OK(dropped(DROP_LOOPBACK));
		}
	}
}

TEST(mapped_addresses_do_not_exist_on_the_wire)
{
	static const uint8_t mapped[][16] = {
		{ [10] = 0xff, 0xff, 127, 0, 0, 1 },
		{ [10] = 0xff, 0xff, 192, 0, 2, 1 },
		{ [10] = 0xff, 0xff, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mapped); i++) {
		raw_udp(&r, FAM6, 1, 2, "x", 1);
		memcpy(r.b + 22, mapped[i], 16);
		OK(dropped(DROP_ADDRESS));
		raw_udp(&r, FAM6, 1, 2, "x", 1);
		memcpy(r.b + 38, mapped[i], 16);
		OK(dropped(DROP_ADDRESS));
	}
}

TEST(groups_send_nothing_but_are_sent_to)
{
	static const char *const group[FAM_COUNT] = {
		"224.0.0.251", "ff02::fb",
	};

	EACH_FAM(f) {
		raw_ip(&r, f, group[f], raw_dst(f), 132, 0);
		OK(dropped(DROP_ADDRESS));
		raw_ip(&r, f, raw_src(f), group[f], 132, 0);
		OK(parse());
	}
	raw_ip(&r, FAM4, "255.255.255.255", raw_dst(FAM4), 132, 0);
	OK(dropped(DROP_ADDRESS));
	raw_ip(&r, FAM4, "0.0.0.0", "255.255.255.255", 132, 0);
	OK(parse());
}

/* --- fragments --- */

TEST(ipv4_fragments_are_marked_first_and_last)
{
	raw_udp(&r, FAM4, 1, 2, "01234567", 8);
	put_be16(r.b + 18, 0xbeef);
	put_be16(r.b + 20, 0x2000);
	OK(parse());
	OK(p.fragment && p.more_fragments);
	EQ(p.frag_off, 0);
	EQ(p.frag_id, 0xbeef);
	EQ(p.dport, 0);
	EQ(p.proto, 0);
	EQ(p.payload.len, 16);
	put_be16(r.b + 20, 0x1fff);
	OK(parse());
	OK(p.fragment && !p.more_fragments);
	EQ(p.frag_off, 0x1fff * 8);
	put_be16(r.b + 20, 0x4000);	/* DF is no fragment */
	OK(parse());
	OK(!p.fragment);
	EQ(p.dport, 2);
}

/* --- IPv6 extension headers --- */

static void ext_start(uint8_t first, size_t len)
{
	raw_ip(&r, FAM6, raw_src(FAM6), raw_dst(FAM6), first, len);
}

static void ext_add(uint8_t next, size_t units)
{
	uint8_t head[8] = { next, (uint8_t)(units - 1), 1, 4 };

	raw_add(&r, head, 8);
	raw_zero(&r, (units - 1) * 8);
}

static void ext_udp(void)
{
	static const uint8_t udp[] = {
		0x12, 0x34, 0, 9, 0, 11, 0, 0, 'e', 'n', 'd',
	};

	raw_add(&r, udp, sizeof(udp));
}

TEST(the_last_extension_header_is_skipped_too)
{
	static const uint8_t kinds[] = { 0, 60, 135, 139, 140, 253, 254 };

	for (size_t i = 0; i < sizeof(kinds); i++) {
		for (size_t units = 1; units < 4; units++) {
			ext_start(kinds[i], units * 8 + 11);
			ext_add(IPPROTO_UDP, units);
			ext_udp();
			OK(parse());
			EQ(p.proto, IPPROTO_UDP);
			EQ(p.dport, 9);
			EQ(p.l3.len, 40 + units * 8);
			OK(payload_is("end"));
		}
	}
}

TEST(chains_are_followed_to_their_end)
{
	ext_start(0, 8 + 16 + 8 + 11);
	ext_add(60, 1);
	ext_add(43, 2);
	ext_add(IPPROTO_UDP, 1);
	r.b[54 + 8 + 3] = 0;
	r.b[54 + 24 + 3] = 0;		/* routing: no segments left */
	ext_udp();
	OK(parse());
	EQ(p.dport, 9);
	OK(payload_is("end"));
	r.b[54 + 24 + 3] = 1;		/* we are not the last stop */
	OK(dropped(DROP_IP_EXTENSION));
}

TEST(esp_ah_and_no_next_header_end_it)
{
	static const uint8_t kinds[] = { 50, 51, 59 };

	for (size_t i = 0; i < sizeof(kinds); i++) {
		ext_start(kinds[i], 19);
		ext_add(IPPROTO_UDP, 1);
		ext_udp();
		OK(dropped(DROP_IP_EXTENSION));
		ext_start(60, 8 + 19);
		ext_add(kinds[i], 1);
		ext_add(IPPROTO_UDP, 1);
		ext_udp();
		OK(dropped(DROP_IP_EXTENSION));
	}
}

TEST(an_extension_beyond_the_packet_is_dropped)
{
	for (size_t len = 0; len < 16; len++) {
		ext_start(60, len);
		ext_add(IPPROTO_UDP, 2);
		ext_udp();		/* padding, to the packet */
		OK(dropped(DROP_IP_EXTENSION));
	}
}

TEST(a_chain_longer_than_anybody_needs_is_dropped)
{
	ext_start(60, 64 * 8 + 11);
	for (int i = 0; i < 63; i++)
		ext_add(60, 1);
	ext_add(IPPROTO_UDP, 1);
	ext_udp();
	OK(dropped(DROP_IP_EXTENSION));
}

static void ext_fragment(uint8_t next, unsigned off_m, uint32_t id)
{
	raw_add(&r, &next, 1);
	raw_zero(&r, 1);
	raw_be16(&r, off_m);
	raw_be32(&r, id);
}

TEST(ipv6_fragments_are_marked)
{
	ext_start(60, 8 + 8 + 11);
	ext_add(44, 1);
	ext_fragment(IPPROTO_UDP, 0x0001, 0xdeadbeef);
	ext_udp();
	OK(parse());
	OK(p.fragment && p.more_fragments);
	EQ(p.frag_off, 0);
	EQ(p.frag_id, 0xdeadbeef);
	EQ(p.dport, 0);
	EQ(p.payload.len, 11);
	EQ(p.l3.len, 56);
	EQ(p.l3.p[48], IPPROTO_UDP);

	ext_start(44, 8 + 11);
	ext_fragment(IPPROTO_UDP, 0xfff8, 1);
	ext_udp();
	OK(parse());
	OK(p.fragment && !p.more_fragments);
	EQ(p.frag_off, 0xfff8);
}

TEST(an_atomic_fragment_is_a_packet)
{
	ext_start(44, 8 + 11);
	ext_fragment(IPPROTO_UDP, 0x0006, 77);	/* reserved bits only */
	ext_udp();
	OK(parse());
	OK(!p.fragment && !p.more_fragments);
	EQ(p.frag_id, 0);
	EQ(p.dport, 9);
	OK(payload_is("end"));

	ext_start(44, 8 + 8 + 11);		/* and more may follow */
	ext_fragment(60, 0, 77);
	ext_add(IPPROTO_UDP, 1);
	ext_udp();
	OK(parse());
	EQ(p.dport, 9);
}

/* --- pieces, super-frames --- */

TEST(headers_cut_anywhere_read_the_same)
{
	EACH_FAM(f) {
		raw_tcp(&r, f, 40000, 80, "hello, world", 12);
		for (size_t cut = 0; cut <= r.len; cut++) {
			uint8_t *tail = r.b + cut;

			iov[0] = (struct iovec) { r.b, cut };
			iov[1] = (struct iovec) { tail, 0 };
			iov[2] = (struct iovec) { tail, r.len - cut };
			OK(frame_parse(&p, iov, 3, NULL));
			EQ(p.dport, 80);
			OK(payload_is("hello, world"));
		}
	}
}

TEST(copied_headers_of_a_batch_live_side_by_side)
{
	static struct raw many[64];
	static struct packet got[64];
	static struct iovec pieces[64][2];

	for (unsigned i = 0; i < 64; i++) {
		raw_tcp(&many[i], FAM6, 1000 + i, 80, "x", 1);
		pieces[i][0] = (struct iovec) { many[i].b, 60 };
		pieces[i][1] = (struct iovec) { many[i].b + 60,
						many[i].len - 60 };
		OK(frame_parse(&got[i], pieces[i], 2, NULL));
	}
	for (unsigned i = 0; i < 64; i++)
		EQ(get_be16(got[i].l4.p), 1000 + i);
}

TEST(super_frames_are_recognised_where_they_fit)
{
	struct frame_meta meta = { .gso = GSO_TCP4, .gso_size = 1460 };
	static char bulk[60000];

	raw_tcp(&r, FAM4, 1, 2, bulk, sizeof(bulk));
	iov[0] = (struct iovec) { r.b, r.len };
	OK(frame_parse(&p, iov, 1, &meta));
	EQ(p.gso, GSO_TCP4);
	EQ(p.gso_size, 1460);
	EQ(p.payload.len, sizeof(bulk));

	meta.gso = GSO_TCP6;
	OK(frame_parse(&p, iov, 1, &meta));
	EQ(p.gso, GSO_NONE);
	meta.gso = GSO_UDP;
	OK(frame_parse(&p, iov, 1, &meta));
	EQ(p.gso, GSO_NONE);
	meta = (struct frame_meta) { .gso = GSO_TCP4 };
	OK(frame_parse(&p, iov, 1, &meta));
	EQ(p.gso, GSO_NONE);

	meta = (struct frame_meta) { .gso = GSO_UDP, .gso_size = 1200 };
	EACH_FAM(f) {
		raw_udp(&r, f, 1, 2, bulk, 6000);
		iov[0] = (struct iovec) { r.b, r.len };
		OK(frame_parse(&p, iov, 1, &meta));
		EQ(p.gso, GSO_UDP);
		EQ(p.payload.len, 6000);
	}
}

/* --- TCP fields and options --- */

static struct tcp_seg seg_of(uint8_t flags, const char *opts, size_t len)
{
	struct tcp_seg seg;

	raw_tcp(&r, FAM4, 1, 2, opts, len);
	r.b[34 + 12] = (uint8_t)((5 + len / 4) << 4);
	r.b[34 + 13] = flags;
	OK(parse());
	frame_tcp_seg(&p, &seg);
	return seg;
}

TEST(tcp_fields_are_read)
{
	struct tcp_seg seg = seg_of(TCP_FLAG_ACK | TCP_FLAG_PSH, "", 0);

	EQ(seg.seq, 0x01020304);
	EQ(seg.ack, 0x05060708);
	EQ(seg.window, 0x2000);
	EQ(seg.flags, 0x18);
	EQ(seg.mss, 0);
	EQ(seg.wscale, -1);
	raw_tcp(&r, FAM6, 1, 2, "four", 4);
	OK(parse());
	frame_tcp_seg(&p, &seg);
	EQ(seg.len, 4);
}

TEST(options_count_on_syn_only)
{
	static const char opts[] = "\x02\x04\x05\xb4\x01\x03\x03\x07";
	struct tcp_seg seg = seg_of(TCP_FLAG_SYN, opts, 8);

	EQ(seg.mss, 1460);
	EQ(seg.wscale, 7);
	seg = seg_of(TCP_FLAG_ACK, opts, 8);
	EQ(seg.mss, 0);
	EQ(seg.wscale, -1);
}

TEST(what_precedes_a_broken_option_counts)
{
	struct tcp_seg seg;

	/* length 0, 1, beyond the end; then a scale that must not be seen */
	seg = seg_of(TCP_FLAG_SYN, "\x02\x04\x05\xb4\x08\x00\x03\x03\x07", 8);
	EQ(seg.mss, 1460);
	EQ(seg.wscale, -1);
	seg = seg_of(TCP_FLAG_SYN, "\x02\x04\x05\xb4\x08\x01\x03\x03\x07", 8);
	EQ(seg.mss, 1460);
	EQ(seg.wscale, -1);
	seg = seg_of(TCP_FLAG_SYN, "\x02\x04\x05\xb4\x01\x01\x03\x03", 8);
	EQ(seg.mss, 1460);
	EQ(seg.wscale, -1);
	seg = seg_of(TCP_FLAG_SYN, "\x01\x01\x01\x02", 4);
	EQ(seg.mss, 0);
}

TEST(odd_options_are_skipped_and_the_end_is_the_end)
{
	struct tcp_seg seg;

	seg = seg_of(TCP_FLAG_SYN, "\x02\x03\x05\x08\x02\x03\x03\x05", 8);
	EQ(seg.mss, 0);			/* wrong length for it */
	EQ(seg.wscale, 5);
	seg = seg_of(TCP_FLAG_SYN, "\x00\x03\x03\x07", 4);
	EQ(seg.wscale, -1);
}

TEST(a_scale_above_14_means_14)
{
	struct tcp_seg seg = seg_of(TCP_FLAG_SYN, "\x01\x03\x03\xff", 4);

	EQ(seg.wscale, 14);
}

/* --- towards the guest --- */

static uint8_t out[70000];
static struct frame f_out;

static struct frame_tmpl tmpl(enum fam fam, uint8_t proto)
{
	static const struct mac smac = {
		{ 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55 }
	};
	struct addr src = raw_addr(raw_src(fam)), dst = raw_addr(raw_dst(fam));
	struct frame_tmpl t;

	frame_tmpl_init(&t, proto, &src, 80, &dst, 40000, &smac, &raw_smac,
			0xabcde);
	return t;
}

/* Contiguous: what is in @out is the whole frame. */
static struct frame *frame(const struct frame_tmpl *t, size_t opts_len,
			   const void *pay, size_t len)
{
	f_out = (struct frame) {
		.hdr = out, .hdr_len = t->hdr_len + opts_len,
		.pay_cnt = 1, .pay_len = len, .gso = GSO_UDP, .gso_size = 1,
	};
	f_out.pay[0] = (struct iovec) { out + f_out.hdr_len, len };
	memcpy(f_out.pay[0].iov_base, pay, len);
	return &f_out;
}

static size_t frame_len(void)
{
	return f_out.hdr_len + f_out.pay_len;
}

TEST(golden_syn_ack_over_ipv4)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x08, 0x00,
		0x45, 0x00, 0x00, 0x30, 0x00, 0x00, 0x40, 0x00,
		0xff, 0x06, 0x8f, 0x82, 192, 0, 2, 10, 198, 51, 100, 7,
		0x00, 0x50, 0x9c, 0x40, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x66, 0x77, 0x88, 0x70, 0x12, 0xff, 0xff,
		0x00, 0x00, 0x00, 0x00,
		0x02, 0x04, 0x05, 0xb4, 0x01, 0x03, 0x03, 0x08,
	};
	struct frame_tmpl t = tmpl(FAM4, IPPROTO_TCP);
	struct tcp_fields tcp = {
		.seq = 0x11223344, .ack = 0x55667788, .window = 0xffff,
		.flags = TCP_FLAG_SYN | TCP_FLAG_ACK,
		.opts = golden + 54, .opts_len = 8,
	};
	struct frame *f = frame(&t, 8, "", 0);

	frame_put_tcp(f, &t, &tcp, 0);
	EQ(frame_len(), sizeof(golden));
	OK(f->needs_csum);
	EQ(f->csum_start, 34);
	EQ(f->csum_offset, 16);
	frame_csum_finish(f);
	OK(!f->needs_csum);
	EQ(raw_l4_sum(out), 0);
	EQ(raw_sum(0, out + 14, 20), 0);
	put_be16(out + 50, 0);
	MEMEQ(out, golden, 50);
	MEMEQ(out + 52, golden + 52, sizeof(golden) - 52);
}

TEST(golden_data_over_ipv6)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55, 0x86, 0xdd,
		0x60, 0x0a, 0xbc, 0xde, 0x00, 0x17, 0x06, 0xff,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 7,
		0x00, 0x50, 0x9c, 0x40, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x66, 0x77, 0x88, 0x50, 0x18, 0x01, 0x00,
		0x00, 0x00, 0x00, 0x00, 'a', 'b', 'c',
	};
	struct frame_tmpl t = tmpl(FAM6, IPPROTO_TCP);
	struct tcp_fields tcp = {
		.seq = 0x11223344, .ack = 0x55667788, .window = 0x100,
		.flags = TCP_FLAG_PSH | TCP_FLAG_ACK,
	};
	struct frame *f = frame(&t, 0, "abc", 3);

	frame_put_tcp(f, &t, &tcp, 1440);
	EQ(frame_len(), sizeof(golden));
	EQ(f->gso, GSO_NONE);
	frame_csum_finish(f);
	EQ(raw_l4_sum(out), 0);
	put_be16(out + 70, 0);
	MEMEQ(out, golden, sizeof(golden));
}

TEST(golden_datagrams)
{
	static const uint8_t golden4[] = {
		0x45, 0xb8, 0x00, 0x1f, 0x00, 0x00, 0x40, 0x00,
		0x07, 0x11, 0x86, 0xd1,
	};
	static const uint8_t golden6[] = {
		0x6b, 0x80, 0x00, 0x00, 0x00, 0x0b, 0x11, 0x07,
	};

	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, IPPROTO_UDP);
		struct frame *f = frame(&t, 0, "dns", 3);
		size_t l4 = raw_l4_off(fam);

		frame_put_udp(f, &t, 7, 0xb8, 0);
		OK(f->needs_csum);
		EQ(f->csum_start, l4);
		EQ(f->csum_offset, 6);
		frame_csum_finish(f);
		EQ(raw_l4_sum(out), 0);
		EQ(get_be16(out + l4 + 4), 11);
		if (fam == FAM4) {
			EQ(raw_sum(0, out + 14, 20), 0);
			MEMEQ(out + 14, golden4, sizeof(golden4));
		} else {
			MEMEQ(out + 14, golden6, sizeof(golden6));
		}
		frame_put_udp(f, &t, 0, 0, 0);
		EQ(out[fam == FAM4 ? 22 : 21], 255);
	}
}

TEST(the_label_is_for_tcp_alone)
{
	struct frame_tmpl t = tmpl(FAM6, IPPROTO_UDP);

	EQ(get_be32(t.hdr + 14), 0x60000000);
	t = tmpl(FAM6, IPPROTO_ICMPV6);
	EQ(get_be32(t.hdr + 14), 0x60000000);
}

TEST(an_unfinished_checksum_is_the_sum_of_the_pseudo_header)
{
	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, IPPROTO_UDP);
		struct frame *f = frame(&t, 0, "some payload", 12);
		uint32_t sum = IPPROTO_UDP + 20;
		size_t l4 = raw_l4_off(fam), addrs = fam == FAM4 ? 8 : 32;

		frame_put_udp(f, &t, 0, 0, 0);
		sum += (uint16_t)~raw_sum(0, out + l4 - addrs, addrs);
		EQ(get_be16(out + l4 + 6), (uint16_t)~raw_sum(sum, out, 0));
	}
}

TEST(a_udp_checksum_is_never_zero)
{
	struct frame_tmpl t = tmpl(FAM6, IPPROTO_UDP);
	uint8_t pay[2];
	struct frame *f = frame(&t, 0, "\0\0", 2);

	/* The payload that makes the sum come out as zero. */
	frame_put_udp(f, &t, 0, 0, 0);
	frame_csum_finish(f);
	memcpy(pay, out + 54 + 6, 2);
	f = frame(&t, 0, pay, 2);
	frame_put_udp(f, &t, 0, 0, 0);
	frame_csum_finish(f);
	EQ(get_be16(out + 54 + 6), 0xffff);
	EQ(raw_l4_sum(out), 0);
}

TEST(super_frames_carry_their_segment_size)
{
	static const enum gso kind[] = { GSO_TCP4, GSO_TCP6 };
	static char bulk[50000];
	struct tcp_fields tcp = { .flags = TCP_FLAG_ACK };

	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, IPPROTO_TCP);
		struct frame *f = frame(&t, 0, bulk, sizeof(bulk));

		frame_put_tcp(f, &t, &tcp, 1400);
		EQ(f->gso, kind[fam]);
		EQ(f->gso_size, 1400);
		f = frame(&t, 0, bulk, 1400);	/* exactly one segment */
		frame_put_tcp(f, &t, &tcp, 1400);
		EQ(f->gso, GSO_NONE);

		t = tmpl(fam, IPPROTO_UDP);
		f = frame(&t, 0, bulk, 12000);
		frame_put_udp(f, &t, 0, 0, 1200);
		EQ(f->gso, GSO_UDP);
		EQ(f->gso_size, 1200);
		EQ(get_be16(out + raw_l4_off(fam) + 4), 12008);
	}
}

TEST(icmp_is_complete_in_scattered_payload_too)
{
	static const uint8_t echo[] = { 0, 0, 0, 0, 1, 2, 3, 4, 'p', 'i', 'n' };

	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, fam == FAM4 ? IPPROTO_ICMP :
							      IPPROTO_ICMPV6);
		struct frame *f = frame(&t, 0, echo, sizeof(echo));
		uint8_t *pay = f->pay[0].iov_base;

		frame_put_icmp(f, &t);
		OK(!f->needs_csum);
		EQ(raw_l4_sum(out), 0);
		OK(get_be16(pay + 2) != 0);

		memcpy(pay, echo, sizeof(echo));
		f->pay[0].iov_len = 3;	/* the field itself is cut */
		f->pay[1] = (struct iovec) { pay + 3, 100 };
		f->pay_cnt = 2;
		frame_put_icmp(f, &t);
		EQ(raw_l4_sum(out), 0);
		MEMEQ(pay + 4, echo + 4, sizeof(echo) - 4);
	}
}

TEST(golden_fragments)
{
	static const uint8_t ip4[20] = {
		0x45, 0, 0, 28, 0x34, 0x56, 0x20, 2, 255, 17, 0, 0,
		192, 0, 2, 10, 198, 51, 100, 7,
	};
	static const uint8_t ip6[] = { 0x60, 0, 0, 0, 0, 16, 44, 255 };
	static const uint8_t ext[] = { 17, 0, 0, 17, 0, 0x12, 0x34, 0x56 };
	const struct frame_fragment frag = { 0x123456, 16, true };

	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, IPPROTO_UDP);
		size_t hlen = fam == FAM4 ? 20 : 48;
		struct frame *f = frame(&t, 0, "", 0);

		EQ(frame_fragment_hdr_len(&t), 14 + hlen);
		f->hdr_len = 14 + hlen;
		f->pay_len = 8;
		f->needs_csum = true;
		frame_put_fragment(f, &t, &frag);
		OK(!f->needs_csum && f->gso == GSO_NONE);
		if (fam == FAM4) {
			EQ(raw_sum(0, out + 14, 20), 0);
			put_be16(out + 24, 0);
			MEMEQ(out + 14, ip4, 20);
		} else {
			MEMEQ(out + 14, ip6, sizeof(ip6));
			MEMEQ(out + 54, ext, sizeof(ext));
		}
		memcpy(r.b, out, 14 + hlen + 8);
		r.len = 14 + hlen + 8;
		OK(parse());
		OK(p.fragment && p.more_fragments);
		EQ(p.frag_off, 16);
		EQ(p.frag_id, fam == FAM4 ? 0x3456 : 0x123456);
		EQ(p.payload.len, 8);
	}
}

TEST(payload_fills_the_pieces_in_order)
{
	struct frame_tmpl t = tmpl(FAM4, IPPROTO_ICMP);
	struct frame *f = frame(&t, 0, "..........", 10);
	uint8_t *pay = f->pay[0].iov_base;

	f->pay[0].iov_len = 3;
	f->pay[1] = (struct iovec) { pay + 5, 5 };
	f->pay_cnt = 2;
	frame_put_payload(f, "abcdef", 6);
	EQ(f->pay_len, 6);
	MEMEQ(pay, "abc..def..", 10);
}

TEST(a_new_hardware_address_reaches_the_template)
{
	struct frame_tmpl t = tmpl(FAM4, IPPROTO_TCP);
	const struct mac m = { { 2, 3, 4, 5, 6, 7 } };

	frame_tmpl_dmac(&t, &m);
	MEMEQ(t.hdr, m.b, 6);
	EQ(t.hdr[6], 0x9a);
}

TEST(what_we_build_we_understand)
{
	EACH_FAM(fam) {
		struct frame_tmpl t = tmpl(fam, IPPROTO_TCP);
		struct tcp_fields tcp = {
			.seq = 1, .ack = 2, .window = 3,
			.flags = TCP_FLAG_FIN | TCP_FLAG_ACK,
		};
		struct tcp_seg seg;
		struct frame *f = frame(&t, 0, "bye", 3);

		frame_put_tcp(f, &t, &tcp, 0);
		memcpy(r.b, out, frame_len());
		r.len = frame_len();
		OK(parse());
		frame_tcp_seg(&p, &seg);
		EQ(p.sport, 80);
		EQ(p.dport, 40000);
		EQ(p.flow_label, fam == FAM6 ? 0xabcde : 0);
		EQ(seg.seq, 1);
		EQ(seg.ack, 2);
		EQ(seg.window, 3);
		EQ(seg.flags, 0x11);
		OK(payload_is("bye"));
	}
}

/* --- in words --- */

static const char *words_of(const struct raw *f, size_t len)
{
	static char text[FRAME_STRLEN];
	struct iovec cut[2] = {
		{ (void *)f->b, MIN(len, 20) },
		{ (void *)(f->b + 20), len - MIN(len, 20) },
	};

	return frame_str(&(struct view) { cut, 0, len }, text);
}

TEST(a_frame_can_be_put_in_words)
{
	static struct raw f;

	raw_tcp(&f, FAM4, 1, 65535, "hello", 5);
	STREQ(words_of(&f, f.len), "TCP [192.0.2.10]:1 -> [198.51.100.7]:65535 "
	      ". seq 16909060 ack 84281096 win 8192 len 5");
	f.b[47] = 0xc3;
	OK(strstr(words_of(&f, f.len), ":65535 FSEW seq "));
	f.b[47] = 0;
	OK(strstr(words_of(&f, f.len), ":65535 none seq "));
	raw_tcp(&f, FAM6, 1, 2, "", 0);
	STREQ(words_of(&f, f.len), "TCP [2001:db8::10]:1 -> [2001:db8:1::7]:2 "
	      ". seq 16909060 ack 84281096 win 8192 len 0");
	raw_udp(&f, FAM4, 53, 54, "data", 4);
	STREQ(words_of(&f, f.len),
	      "UDP [192.0.2.10]:53 -> [198.51.100.7]:54 len 4");
	raw_icmp(&f, FAM6, "fe80::1", "ff02::2", 133, "1234", 4);
	STREQ(words_of(&f, f.len),
	      "ICMPv6 fe80::1 -> ff02::2 type 133 code 0 len 8");
	raw_ip(&f, FAM4, "192.0.2.1", "192.0.2.2", 47, 10);
	raw_zero(&f, 10);
	STREQ(words_of(&f, f.len),
	      "protocol 47 192.0.2.1 -> 192.0.2.2 len 10");
	raw_eth(&f, 0x88cc);
	STREQ(words_of(&f, f.len), "type 0x88cc");
}

TEST(fragments_and_arp_have_words_too)
{
	static const uint8_t arp[] = {
		0, 1, 8, 0, 6, 4, 0, 2, 1, 1, 1, 1, 1, 1, 192, 0, 2, 1,
		2, 2, 2, 2, 2, 2, 192, 0, 2, 2,
	};
	static const uint8_t frag[] = { 17, 0, 0, 0x81, 0, 0, 0, 7, 1, 2 };
	static struct raw f;

	raw_udp(&f, FAM4, 53, 54, "data", 4);
	put_be16(f.b + 18, 77);
	put_be16(f.b + 20, 0x2010);
	STREQ(words_of(&f, f.len), "protocol 17 192.0.2.10 -> 198.51.100.7 "
	      "len 12 fragment 77 at 128 and more");
	raw_ip(&f, FAM6, "2001:db8::1", "2001:db8::2", 44, sizeof(frag));
	raw_add(&f, frag, sizeof(frag));
	STREQ(words_of(&f, f.len), "protocol 17 2001:db8::1 -> 2001:db8::2 "
	      "len 2 fragment 7 at 128 and more");
	raw_eth(&f, 0x0806);
	raw_add(&f, arp, sizeof(arp));
	STREQ(words_of(&f, f.len), "ARP operation 2, 192.0.2.1 -> 192.0.2.2");
}

TEST(every_prefix_of_a_frame_has_words)
{
	static struct raw f;

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		raw_tcp(&f, fam, 1, 2, "", 0);
		for (size_t len = 0; len < f.len - 4; len++)
			OK(strstr(words_of(&f, len), ", cut short"));
		OK(!strstr(words_of(&f, f.len), ", cut short"));
	}
}
