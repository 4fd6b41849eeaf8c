/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/pcap link/link wire/frame wire/frame_str wire/csum addr buf
 *	  conf epoll_ctl log timer util */
/* pcap.c - what a capture holds, byte by byte */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"
#include "wire/csum.h"

static struct raw r;
static uint8_t file[2000000];
static char path[] = "/tmp/pcap-test-XXXXXX";

static void remove_file(void)
{
	unlink(path);
}

static void start(void)
{
	static bool made;

	if (!made) {
		close(mkstemp(path));
		atexit(remove_file);
	}
	made = true;
	EQ(pcap_open(path), 0);
	mem_start(NULL, NULL);
}

static size_t on_disk(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, file, sizeof(file));

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static size_t slurp(void)
{
	pcap_flush();
	return on_disk();
}

static uint32_t word(size_t off)
{
	uint32_t v;

	memcpy(&v, file + off, sizeof(v));
	return v;
}

static uint16_t half(size_t off)
{
	uint16_t v;

	memcpy(&v, file + off, sizeof(v));
	return v;
}

TEST(nothing_is_captured_unless_asked_for)
{
	OK(!pcap_on());
	pcap_sync();
}

TEST(a_path_that_cannot_be_opened_is_an_error)
{
	EQ(pcap_open("/nonexistent/file"), -ENOENT);
	EQ(pcap_open("/dev/full"), -ENOSPC);
	OK(!pcap_on());
}

TEST(the_file_starts_with_its_golden_header)
{
	start();
	OK(pcap_on());
	EQ(slurp(), 24);
	EQ(word(0), 0xa1b2c3d4);
	EQ(half(4), 2);
	EQ(half(6), 4);
	EQ(word(8), 0);
	EQ(word(12), 0);
	EQ(word(16), 65535);
	EQ(word(20), 1);
}

TEST(frames_from_the_guest_are_there_before_they_are_judged)
{
	struct iovec iov[2];

	start();
	raw_tcp(&r, FAM4, 1, 2, "hello", 5);
	put_be16(r.b + 12, 0x1234);	/* nobody takes that */
	iov[0] = (struct iovec) { r.b, 20 };
	iov[1] = (struct iovec) { r.b + 20, r.len - 20 };
	link_input(iov, 2, NULL);
	EQ(slurp(), 24 + 16 + 59);
	OK(word(24) > 1500000000);
	OK(word(28) < 1000000);
	EQ(word(32), 59);
	EQ(word(36), 59);
	MEMEQ(file + 40, r.b, 59);
}

static void send_udp(enum fam fam, size_t len)
{
	struct addr src = raw_addr(raw_src(fam)), dst = raw_addr(raw_dst(fam));
	struct frame_tmpl t;
	struct frame f;

	frame_tmpl_init(&t, IPPROTO_UDP, &src, 1, &dst, 2, &raw_smac,
			&raw_smac, 0);
	EQ(link_reserve(&f, 1, t.hdr_len, 1400), 1);
	memset(f.pay[0].iov_base, 'u', len);
	f.pay_len = len;
	frame_put_udp(&f, &t, 0, 0, 0);
	link_commit(&f, 1);
}

TEST(frames_to_the_guest_are_padded_and_have_checksums_in_the_capture)
{
	struct link_caps caps = { .csum = true };

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		size_t len = fam == FAM4 ? 60 : 67;

		start();
		mem_start(&caps, &(struct link_hooks) { 0 });
		send_udp(fam, 5);
		EQ(slurp(), 24 + 16 + len);
		EQ(word(32), len);
		EQ(raw_l4_sum(file + 40), 0);
		/* The frame itself leaves that to others. */
		OK(mem.needs_csum[0]);
		OK(raw_l4_sum(mem.sent[0].b) != 0);
	}
}

TEST(frames_nobody_gets_are_not_there)
{
	start();
	link_set_up(false);
	send_udp(FAM4, 5);
	EQ(slurp(), 24);
}

/* A guest that leaves its checksum to us: the field holds the sum of the
 * pseudo-header. */
static void leave_csum(enum fam fam, size_t l4)
{
	struct addr src = raw_addr(raw_src(fam)), dst = raw_addr(raw_dst(fam));
	uint32_t sum = csum_pseudo(&src, &dst, IPPROTO_UDP,
				   (uint32_t)(r.len - l4));

	put_be16(r.b + l4 + 6, (uint16_t)~csum_fold(sum));
}

TEST(checksums_the_guest_left_to_us_are_there_in_the_capture)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		size_t l4 = fam == FAM4 ? 34 : 54;
		const struct frame_meta meta = {
			.needs_csum = true, .csum_start = (uint16_t)l4,
			.csum_offset = 6,
		};

		start();
		raw_udp(&r, fam, 1, 2, "hello", 5);
		leave_csum(fam, l4);
		OK(raw_l4_sum(r.b) != 0);
		link_input(&(struct iovec) { r.b, r.len }, 1, &meta);
		EQ(slurp(), 24 + 16 + r.len);
		EQ(raw_l4_sum(file + 40), 0);
		/* Who gave us the frame still has it as it was. */
		OK(raw_l4_sum(r.b) != 0);
	}
}

TEST(wrong_checksums_of_the_guest_stay_wrong)
{
	const struct frame_meta none = { 0 };

	start();
	raw_udp(&r, FAM4, 1, 2, "hello", 5);
	put_be16(r.b + 40, 0x1234);
	link_input(&(struct iovec) { r.b, r.len }, 1, &none);
	slurp();
	MEMEQ(file + 40, r.b, r.len);
}

TEST(a_checksum_outside_of_the_frame_is_left_alone)
{
	static const struct { uint16_t start, off; } odd[] = {
		{ 47, 0 }, { 46, 0 }, { 40, 6 }, { 65535, 65535 }, { 0, 47 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		const struct frame_meta meta = {
			.needs_csum = true, .csum_start = odd[i].start,
			.csum_offset = odd[i].off,
		};

		start();
		raw_udp(&r, FAM4, 1, 2, "hello", 5);
		EQ(r.len, 47);
		link_input(&(struct iovec) { r.b, r.len }, 1, &meta);
		slurp();
		MEMEQ(file + 40, r.b, r.len);
	}
}

TEST(what_is_longer_than_the_file_says_is_cut_and_says_so)
{
	const struct frame_meta meta = {
		.needs_csum = true, .csum_start = 34, .csum_offset = 6,
	};

	start();
	raw_udp(&r, FAM4, 1, 2, "hello", 5);
	raw_zero(&r, 65536 - r.len);
	link_input(&(struct iovec) { r.b, r.len }, 1, &meta);
	EQ(slurp(), 24 + 16 + 65535);
	EQ(word(32), 65535);
	EQ(word(36), 65536);
}

TEST(small_frames_wait_for_each_other_a_tenth_of_a_second)
{
	unsigned writes = 0;
	size_t last = 24;

	start();
	clock_set(UINT64_C(1000000000));
	EQ(timer_timeout(), -1);
	for (unsigned i = 0; i < 4000; i++) {
		raw_udp(&r, FAM4, 1, 2, "hello", 5);
		pcap_in(&(struct iovec) { r.b, r.len }, 1, NULL);
		writes += on_disk() != last;
		last = on_disk();
	}
	EQ(timer_timeout(), 100);
	EQ(writes, 0);	/* 4000 * 63 bytes */
	clock_set(UINT64_C(1100000000));
	EQ(timer_timeout(), 0);
	EQ(slurp(), 24 + 4000 * (16 + 47));
	EQ(timer_timeout(), -1);
}

TEST(a_buffer_that_is_full_need_not_wait)
{
	start();
	for (unsigned i = 0; i < 9; i++) {
		raw_udp(&r, FAM4, 1, 2, "hello", 5);
		raw_zero(&r, 60000 - r.len);
		pcap_in(&(struct iovec) { r.b, r.len }, 1, NULL);
		EQ(on_disk(), 24 + i / 4 * 4 * 60016);
	}
	EQ(slurp(), 24 + 9 * 60016);
}

TEST(a_full_disk_ends_the_capture_with_a_whole_frame_and_nothing_else)
{
	const struct rlimit full = { 24 + 3 * 76 + 30, RLIM_INFINITY };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };

	start();
	signal(SIGXFSZ, SIG_IGN);
	send_udp(FAM4, 5);
	EQ(slurp(), 24 + 76);
	setrlimit(RLIMIT_FSIZE, &full);
	for (unsigned i = 0; i < 5; i++)
		send_udp(FAM4, 5);
	EQ(slurp(), 24 + 3 * 76);
	setrlimit(RLIMIT_FSIZE, &any);
	EQ(mem.cnt, 6);
	OK(!pcap_on());
	EQ(timer_timeout(), -1);
	send_udp(FAM4, 5);
	EQ(mem.cnt, 7);
	pcap_sync();
}

TEST(a_pipe_whose_reader_is_slow_misses_whole_frames)
{
	char fifo[] = "/tmp/pcap-test-fifo-XXXXXX";
	size_t total = 0, at = 24, seen = 0;
	ssize_t n;
	int in;

	close(mkstemp(fifo));
	unlink(fifo);
	EQ(mkfifo(fifo, 0600), 0);
	signal(SIGPIPE, SIG_IGN);
	EQ(pcap_open(fifo), -ENXIO);	/* nobody there */
	in = open(fifo, O_RDONLY | O_NONBLOCK);
	EQ(pcap_open(fifo), 0);
	unlink(fifo);
	mem_start(NULL, NULL);
	for (unsigned i = 0; i < 400; i++) {
		mem.cnt = 0;
		send_udp(FAM4, 1000);
		EQ(mem.cnt, 1);
	}
	OK(pcap_on());

	while ((n = read(in, file + total, sizeof(file) - total)) > 0) {
		total += (size_t)n;
		pcap_flush();
	}
	for (; at < total; seen++) {
		EQ(word(at + 8), 1042);
		at += 16 + 1042;
	}
	EQ(at, total);
	OK(seen > 200 && seen < 400);
	close(in);
	send_udp(FAM4, 1000);
	pcap_flush();
	OK(!pcap_on());
}
