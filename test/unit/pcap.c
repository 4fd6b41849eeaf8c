/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/pcap link/link wire/frame wire/csum addr buf conf epoll_ctl
 *	  log timer util */
/* pcap.c - what a capture holds, byte by byte */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

static struct raw r;
static uint8_t file[200000];
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

static size_t slurp(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, file, sizeof(file));

	close(fd);
	return n < 0 ? 0 : (size_t)n;
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

TEST(a_full_disk_ends_the_capture_and_nothing_else)
{
	const struct rlimit none = { 30, RLIM_INFINITY };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };

	start();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	send_udp(FAM4, 5);
	setrlimit(RLIMIT_FSIZE, &any);
	EQ(mem.cnt, 1);
	OK(!pcap_on());
	send_udp(FAM4, 5);
	EQ(mem.cnt, 2);
	pcap_sync();
}
