/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: icmp fragment fwd neigh link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* icmp.c - golden messages, and errors of real sockets on loopback */
#include "icmp.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "neigh.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)
#define GATEWAY(f)	raw_addr((f) == FAM4 ? "192.0.2.1" : "2001:db8::1")
#define ROUTER(f)	raw_addr((f) == FAM4 ? "203.0.113.9" : "2001:db8:2::9")
#define LINK_LOCAL	"fe80::1"

/* The router's frames have an address of their own. */
static const struct mac router_mac = { { 2, 0, 0, 0, 0, 9 } };

static uint64_t now_ms = 100000;

/* Long after the last test: the bucket of the limit is full. */
static void start(void)
{
	mem_start(NULL, NULL);
	link_set_guest_mac(&raw_smac);
	now_ms += 100000;
	clock_set(now_ms * 1000000);
	conf_writable = (struct conf) {
		.mtu = 65520, .our_mac = MAC_OURS_DEFAULT,
		.our_ll = raw_addr(LINK_LOCAL),
	};
	EACH_FAM(fam) {
		conf_writable.net[fam] = (struct conf_net) {
			.enabled = true, .guest = raw_addr(raw_src(fam)),
			.our_tap = GATEWAY(fam),
		};
	}
	fwd_init();
	neigh_init();
	EACH_FAM(fam) {
		struct addr router = ROUTER(fam), name;

		neigh_add(&router, &router_mac, &name);
	}
}

static struct side tap_side(enum fam fam)
{
	return (struct side) {
		.ours = raw_addr(raw_dst(fam)), .our_port = 443,
		.theirs = raw_addr(raw_src(fam)), .their_port = 4660,
		.pif = PIF_TAP,
	};
}

/* The one message sent: from the ICMP header on. */
static const uint8_t *sent(enum fam fam)
{
	EQ(mem.cnt, 1);
	EQ(raw_l4_sum(mem.sent[0].b), 0);
	return mem.sent[0].b + raw_l4_off(fam);
}

static struct addr sent_from(enum fam fam)
{
	return addr_get(fam, mem.sent[0].b + 14 + (fam == FAM4 ? 12 : 8));
}

static bool from_is(enum fam fam, struct addr want)
{
	struct addr a = sent_from(fam);

	return addr_eq(&a, &want);
}

static struct raw r;

/* About a datagram of the guest with @len bytes of payload. */
static void complain(enum fam fam, uint8_t type, uint8_t code, uint32_t info,
		     size_t len)
{
	static uint8_t data[8000];
	struct addr from = ROUTER(fam), to = raw_addr(raw_src(fam));

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	raw_udp(&r, fam, 4660, 9, data, len);
	icmp_error_to_guest(&from, &to, type, code, info, r.b + 14, r.len - 14);
}

TEST(golden_port_unreachable)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x09, 0x08, 0x00,
		0x45, 0, 0, 59, 0, 0, 0x40, 0, 255, 1, 0x7d, 0xad,
		203, 0, 113, 9, 192, 0, 2, 10,
		3, 3, 0x77, 0x3d, 0, 0, 0, 0,
		0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0,
		192, 0, 2, 10, 198, 51, 100, 7,
		0x12, 0x34, 0, 9, 0, 11, 0, 0, 0, 1, 2,
	};

	start();
	complain(FAM4, 3, 3, 0, 3);
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, sizeof(golden));
	MEMEQ(mem.sent[0].b, golden, sizeof(golden));
	EQ(raw_sum(0, mem.sent[0].b + 14, 20), 0);
	EQ(raw_l4_sum(mem.sent[0].b), 0);
}

TEST(golden_packet_too_big)
{
	static const uint8_t golden[] = {
		0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x09, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 59, 58, 255,
		0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
		2, 0, 0xbb, 0x02, 0, 0, 0x05, 0xdc,
		0x60, 0, 0, 0, 0, 11, 17, 64,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
		0x12, 0x34, 0, 9, 0, 11, 0, 0, 0, 1, 2,
	};

	start();
	complain(FAM6, 2, 0, 1500, 3);
	EQ(mem.cnt, 1);
	EQ(mem.sent[0].len, sizeof(golden));
	MEMEQ(mem.sent[0].b, golden, sizeof(golden));
	EQ(raw_l4_sum(mem.sent[0].b), 0);
}

TEST(the_word_of_a_message_is_where_its_type_has_it)
{
	static const struct {
		enum fam fam;
		uint8_t type, code;
		uint32_t info, word;
	} t[] = {
		{ FAM4, 3, 4, 1400, 1400 },
		{ FAM4, 3, 4, 70000, 65535 },
		{ FAM4, 12, 0, 20, 20u << 24 },
		{ FAM4, 11, 0, 0, 0 },
		{ FAM6, 2, 0, 70000, 70000 },
		{ FAM6, 4, 1, 40, 40 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		const uint8_t *msg;

		start();
		complain(t[i].fam, t[i].type, t[i].code, t[i].info, 30);
		msg = sent(t[i].fam);
		EQ(msg[0], t[i].type);
		EQ(msg[1], t[i].code);
		EQ(get_be32(msg + 4), t[i].word);
	}
}

TEST(quotes_are_whole_up_to_the_limit_with_nothing_behind_them)
{
	static const size_t lens[] = { 0, 1, 18, 511, 520, 521, 1184, 1185,
				       4000 };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		EACH_FAM(fam) {
			size_t max = fam == FAM4 ? 576 : 1280;
			size_t hlen = raw_l4_off(fam) - 14;
			size_t want;
			const uint8_t *msg;

			start();
			complain(fam, fam == FAM4 ? 3 : 1, 1, 0, lens[i]);
			msg = sent(fam);
			want = MIN(hlen + 8 + hlen + 8 + lens[i], max);
			EQ(mem.sent[0].len, 14 + want);
			MEMEQ(msg + 8, r.b + 14, want - hlen - 8);
		}
	}
}

TEST(nothing_is_said_about_what_nobody_may_complain_about)
{
	static const struct {
		enum fam fam;
		const char *dst;
		uint8_t type;
	} t[] = {
		{ FAM4, "224.0.0.1", 8 }, { FAM4, "255.255.255.255", 8 },
		{ FAM4, "198.51.100.7", 3 }, { FAM4, "198.51.100.7", 0 },
		{ FAM6, "ff02::1", 128 }, { FAM6, "2001:db8:1::7", 1 },
		{ FAM6, "2001:db8:1::7", 129 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct addr from = ROUTER(t[i].fam);
		struct addr to = raw_addr(raw_src(t[i].fam));
		uint64_t before = drop_count(DROP_ICMP);

		start();
		raw_icmp(&r, t[i].fam, raw_src(t[i].fam), t[i].dst, t[i].type,
			 "12345678", 8);
		icmp_error_to_guest(&from, &to, 3, 1, 0, r.b + 14, r.len - 14);
		EQ(mem.cnt, 0);
		EQ(drop_count(DROP_ICMP), before + 1);
	}
}

TEST(nothing_is_said_by_or_to_nobody_or_about_crumbs)
{
	EACH_FAM(fam) {
		struct addr to = raw_addr(raw_src(fam)), from = ROUTER(fam);
		struct addr other = ROUTER(!fam), any = addr_any(fam);

		start();
		raw_udp(&r, fam, 1, 2, "x", 1);
		icmp_error_to_guest(&other, &to, 3, 1, 0, r.b + 14, 29);
		icmp_error_to_guest(&any, &to, 3, 1, 0, r.b + 14, 29);
		icmp_error_to_guest(&from, &any, 3, 1, 0, r.b + 14, 29);
		for (size_t len = 0; len < raw_l4_off(fam) - 14; len++)
			icmp_error_to_guest(&from, &to, 3, 1, 0, r.b + 14, len);
		EQ(mem.cnt, 0);
	}
}

TEST(a_thousand_in_a_second_and_no_more)
{
	uint64_t before = drop_count(DROP_ICMP_RATE);

	start();
	for (unsigned i = 0; i < 1010; i++)
		complain(i % 2 ? FAM6 : FAM4, 3, 1, 0, 1);
	EQ(drop_count(DROP_ICMP_RATE), before + 10);
	mem.cnt = 0;
	clock_set((now_ms + 7) * 1000000);
	for (unsigned i = 0; i < 10; i++)
		complain(FAM4, 3, 1, 0, 1);
	EQ(mem.cnt, 7);
	EQ(drop_count(DROP_ICMP_RATE), before + 13);
}

TEST(a_packet_is_quoted_as_it_came)
{
	EACH_FAM(fam) {
		const struct icmp_error e = { fam == FAM4 ? 3 : 1, 0, 0 };
		struct iovec iov = { r.b, 0 };
		struct packet p;
		const uint8_t *msg;

		start();
		raw_tcp(&r, fam, 1000, 80, "hello", 5);
		iov.iov_len = r.len;
		OK(frame_parse(&p, &iov, 1, NULL));
		icmp_error_about(&p, &e);
		msg = sent(fam);
		EQ(msg[0], e.type);
		OK(from_is(fam, GATEWAY(fam)));
		EQ(mem.sent[0].len - raw_l4_off(fam) - 8, r.len - 14);
		MEMEQ(msg + 8, r.b + 14, r.len - 14);
	}
}

TEST(errnos_have_messages_in_both_families_or_none_in_either)
{
	static const struct { int err; uint8_t code[FAM_COUNT]; } t[] = {
		{ ENETUNREACH, { 0, 0 } }, { ENETDOWN, { 0, 0 } },
		{ EHOSTUNREACH, { 1, 3 } }, { EHOSTDOWN, { 1, 3 } },
		{ EACCES, { 13, 1 } }, { EPERM, { 13, 1 } },
	};
	static const int none[] = { 0, ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL };
	struct icmp_error e;

	EACH_FAM(fam) {
		for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
			OK(icmp_error_of_errno(fam, t[i].err, &e));
			EQ(e.type, fam == FAM4 ? 3 : 1);
			EQ(e.code, t[i].code[fam]);
			EQ(e.info, 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(none); i++)
			OK(!icmp_error_of_errno(fam, none[i], &e));
	}
}

TEST(who_cannot_be_reached_is_named_by_ports_and_sequence_number)
{
	EACH_FAM(fam) {
		static const uint8_t tcp[] = {
			0x12, 0x34, 0x01, 0xbb, 0xde, 0xad, 0xbe, 0xef,
		};
		static const uint8_t udp[] = {
			0x12, 0x34, 0x01, 0xbb, 0, 8, 0, 0,
		};
		struct side tap = tap_side(fam);
		const uint8_t *quote;

		start();
		OK(icmp_unreachable_to_guest(&tap, IPPROTO_TCP, 0xdeadbeef,
					     EHOSTUNREACH));
		EQ(sent(fam)[1], fam == FAM4 ? 1 : 3);
		OK(from_is(fam, GATEWAY(fam)));
		quote = sent(fam) + 8;
		/* Source, destination: as the guest had sent it */
		raw_ip(&r, fam, raw_src(fam), raw_dst(fam), IPPROTO_TCP, 8);
		MEMEQ(quote + (fam == FAM4 ? 12 : 8),
		      r.b + 14 + (fam == FAM4 ? 12 : 8), fam == FAM4 ? 8 : 32);
		EQ(quote[fam == FAM4 ? 9 : 6], IPPROTO_TCP);
		EQ(get_be16(quote + (fam == FAM4 ? 2 : 4)),
		   fam == FAM4 ? 28 : 8);
		if (fam == FAM4)
			EQ(raw_sum(0, quote, 20), 0);
		MEMEQ(quote + (fam == FAM4 ? 20 : 40), tcp, 8);

		start();
		OK(icmp_unreachable_to_guest(&tap, IPPROTO_UDP, 0, EPERM));
		MEMEQ(sent(fam) + 8 + (fam == FAM4 ? 20 : 40), udp, 8);

		start();
		OK(!icmp_unreachable_to_guest(&tap, IPPROTO_TCP, 1,
					      ECONNREFUSED));
		EQ(mem.cnt, 0);
	}
}

TEST(without_an_address_for_the_link_the_link_local_one_speaks)
{
	struct side tap = tap_side(FAM6);

	start();
	conf_writable.net[FAM6].our_tap = (struct addr) { 0 };
	OK(icmp_unreachable_to_guest(&tap, IPPROTO_TCP, 0, ENETUNREACH));
	OK(from_is(FAM6, raw_addr(LINK_LOCAL)));
}

/* --- reports --- */

/* The complaint of @offender, as the guest hears it. */
static struct addr heard_from(enum fam fam, struct addr offender)
{
	struct side tap = tap_side(fam);
	struct side host = {
		.theirs = raw_addr(fam == FAM4 ? "127.0.0.1" : "::1"),
	};
	struct icmp_report report = {
		.error = { fam == FAM4 ? 11 : 3, 0, 0 }, .offender = offender,
	};
	uint8_t quote[ICMP_QUOTE_IP + 8] = { 0 };
	size_t hlen = icmp_quote_ip(quote, &tap, IPPROTO_UDP, 8);

	mem.cnt = 0;
	icmp_report_to_guest(&report, &tap, &host, quote, hlen + 8);
	EQ(sent(fam)[0], report.error.type);
	return sent_from(fam);
}

TEST(offenders_have_the_names_the_guest_knows)
{
	EACH_FAM(fam) {
		struct addr a, want;

		start();
		want = raw_addr(raw_dst(fam));	/* the peer, however mapped */
		a = heard_from(fam, addr_loopback(fam));
		OK(addr_eq(&a, &want));

		want = ROUTER(fam);
		a = heard_from(fam, want);
		OK(addr_eq(&a, &want));

		want = GATEWAY(fam);	/* the host, by the guest's address */
		a = heard_from(fam, raw_addr(raw_src(fam)));
		OK(addr_eq(&a, &want));
		a = heard_from(fam, addr_any(fam));
		OK(addr_eq(&a, &want));
	}
}

TEST(a_closed_port_is_reported_by_the_socket_once)
{
	EACH_FAM(fam) {
		int level = fam == FAM4 ? IPPROTO_IP : IPPROTO_IPV6;
		int name = fam == FAM4 ? IP_RECVERR : IPV6_RECVERR;
		int info = fam == FAM4 ? IP_PKTINFO : IPV6_RECVPKTINFO, on = 1;
		struct addr lo = addr_loopback(fam), any = addr_any(fam);
		union sockaddr_any sa;
		socklen_t len = addr_to_sockaddr(&sa, &lo, 0, 0);
		int dead = socket(addr_af(fam), SOCK_DGRAM, 0);
		int fd = socket(addr_af(fam), SOCK_DGRAM, 0);
		struct pollfd pfd = { .fd = fd };
		struct icmp_report report;
		socklen_t alen;

		/* A port that is nobody's: taken, and left. */
		if (bind(dead, &sa.sa, len))
			SKIP("no loopback address");
		alen = sizeof(sa);
		getsockname(dead, &sa.sa, &alen);
		close(dead);
		setsockopt(fd, level, name, &on, sizeof(on));
		setsockopt(fd, level, info, &on, sizeof(on));

		EQ(icmp_report_read(fd, &report), -EAGAIN);
		EQ(sendto(fd, "question", 8, 0, &sa.sa, len), 8);
		EQ(poll(&pfd, 1, 2000), 1);
		EQ(icmp_report_read(fd, &report), 1);
		EQ(report.error.type, fam == FAM4 ? 3 : 1);
		EQ(report.error.code, fam == FAM4 ? 3 : 4);
		EQ(report.err, ECONNREFUSED);
		OK(addr_eq(&report.offender, &lo));
		OK(addr_eq(&report.dest, &lo));
		OK(addr_eq(&report.ours, &lo));
		EQ(report.dest_port, ntohs(sa.in.sin_port));
		OK(!addr_eq(&report.offender, &any));
		EQ(report.len, 8);
		MEMEQ(report.data, "question", 8);
		EQ(icmp_report_read(fd, &report), -EAGAIN);
		close(fd);
	}
}

/* --- whole messages --- */

TEST(messages_too_large_leave_in_pieces_with_one_checksum_over_all)
{
	EACH_FAM(fam) {
		static uint8_t msg[4000], got[4000];
		struct addr src = GATEWAY(fam), dst = raw_addr(raw_src(fam));
		size_t len = sizeof(msg), end = 0, hlen = fam == FAM4 ? 20 : 48;
		uint8_t proto = fam == FAM4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

		start();
		conf_writable.mtu = 1500;
		memset(msg, 0x5a, len);
		put_be16(msg + 2, 0);
		icmp_to_guest(&src, &dst, msg, len);
		EQ(mem.cnt, 3);
		for (unsigned i = 0; i < mem.cnt; i++) {
			size_t n = mem.sent[i].len - 14 - hlen;

			memcpy(got + end, mem.sent[i].b + 14 + hlen, n);
			end += n;
		}
		EQ(end, len);
		raw_ip(&r, fam, raw_dst(fam), raw_src(fam), proto, len);
		r.len = 14;
		raw_ip(&r, fam, fam == FAM4 ? "192.0.2.1" : "2001:db8::1",
		       raw_src(fam), proto, len);
		raw_add(&r, got, len);
		EQ(raw_l4_sum(r.b), 0);
	}
}
