/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/tap link/link link/pcap wire/frame wire/frame_str wire/csum
 *	  addr buf conf epoll_ctl log timer util */
/* wrap: read write */
/* tap.c - against the kernel's TCP and UDP behind a real tap device
 *
 * The test enters a network namespace of its own, and is both: the daemon, by
 * the module under test, and the guest, by ordinary sockets.
 *
 *	192.0.2.1, fd00::1 (us) --- tap --- 192.0.2.2, fd00::2 (the guest)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

#define MTU	1500
#define GSO	1400
#define OFFLOADS_CSUM_TSO (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define OFFLOADS_USO	(0x20 | 0x40)	/* TUN_F_USO4, 6: Linux 6.2 */

/* --- system calls, counted and made to fail --- */

ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);

static unsigned reads;
static int fail_write, fail_read;

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	reads++;
	if (fail_read) {
		errno = fail_read;
		return -1;
	}
	return __real_read(fd, buf, n);
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	if (fail_write) {
		errno = fail_write;
		if (fail_write == EINTR)
			fail_write = 0;
		return -1;
	}
	return __real_write(fd, buf, n);
}

/* --- the namespace and the device --- */

static int tap = -1;
static bool have_uso;
static const char *unavailable;
static struct mac tap_mac;

static bool enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[32];

	if (!unshare(CLONE_NEWNET))
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return true;
}

static bool open_tap(bool vnet)
{
	struct ifreq ifr = { .ifr_name = "tap0" };
	int hdr_len = 12;

	if (tap >= 0)
		close(tap);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (vnet)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr))
		return false;
	if (!vnet)
		return true;
	have_uso = !ioctl(tap, TUNSETOFFLOAD,
			  OFFLOADS_CSUM_TSO | OFFLOADS_USO);
	return !ioctl(tap, TUNSETVNETHDRSZ, &hdr_len) &&
	       (have_uso || !ioctl(tap, TUNSETOFFLOAD, OFFLOADS_CSUM_TSO));
}

static const char *our_name(enum fam fam)
{
	return fam == FAM4 ? "192.0.2.1" : "fd00::1";
}

static const char *guest_name(enum fam fam)
{
	return fam == FAM4 ? "192.0.2.2" : "fd00::2";
}

/* Without ARP, so that nobody needs to answer it. */
static bool configure(void)
{
	struct { struct in6_addr a; uint32_t plen; int ifindex; } a6;
	struct addr g4 = raw_addr(guest_name(FAM4));
	struct addr g6 = raw_addr(guest_name(FAM6));
	struct ifreq ifr = { .ifr_name = "tap0" };
	int s4 = socket(AF_INET, SOCK_DGRAM, 0);
	int s6 = socket(AF_INET6, SOCK_DGRAM, 0);
	union sockaddr_any sa;
	bool ok;

	ok = !ioctl(s4, SIOCGIFHWADDR, &ifr);
	memcpy(tap_mac.b, ifr.ifr_hwaddr.sa_data, 6);
	ifr.ifr_flags = IFF_UP | IFF_NOARP;
	ok = ok && !ioctl(s4, SIOCSIFFLAGS, &ifr);
	addr_to_sockaddr(&sa, &g4, 0, 0);
	memcpy(&ifr.ifr_addr, &sa.in, sizeof(sa.in));
	ok = ok && !ioctl(s4, SIOCSIFADDR, &ifr);
	memcpy(&a6.a, g6.b, 16);
	a6.plen = 64;
	a6.ifindex = (int)if_nametoindex("tap0");
	ok = ok && !ioctl(s6, SIOCSIFADDR, &a6);
	close(s4);
	close(s6);
	return ok;
}

static void set_up(bool up)
{
	struct ifreq ifr = { .ifr_name = "tap0" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	ifr.ifr_flags = IFF_NOARP | (up ? IFF_UP : 0);
	ioctl(s, SIOCSIFFLAGS, &ifr);
	close(s);
}

/* --- the daemon's side --- */

#define GOT_MAX 256
static struct got {
	struct packet p;
	uint8_t data[65536];
	struct tcp_seg seg;
} got[GOT_MAX];
static unsigned got_cnt;

static void sink(struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct got *g = &got[got_cnt];

		/* The guest's own noise: MLD, router solicitations. */
		if (p[i].proto == IPPROTO_ICMPV6 || p[i].dst.b[0] == 0xff ||
		    got_cnt == GOT_MAX)
			continue;
		g->p = p[i];
		OK(view_copy(&p[i].payload, 0, g->data, p[i].payload.len));
		if (p[i].proto == IPPROTO_TCP)
			frame_tcp_seg(&p[i], &g->seg);
		got_cnt++;
	}
}

static const struct link_hooks hooks = { .sink = sink };

static void expire(uint32_t id)
{
	(void)id;
}

static bool turn(void)
{
	link_flush();
	return false;
}

static const struct loop_hooks loop = {
	.handler = { [EV_LINK] = link_handle },
	.expire = expire,
	.turn = turn,
};

static void turns(unsigned n)
{
	while (n--)
		loop_once(&loop, 0);
}

/* Mostly all has passed when write() returns; where the machine is busy, the
 * kernel has put it off. */
static void hear(unsigned frames)
{
	for (unsigned i = 0; i < 100 && got_cnt < frames; i++)
		loop_once(&loop, 20);
}

static ssize_t guest_recv(int s, void *buf, size_t len)
{
	struct pollfd p = { .fd = s, .events = POLLIN };

	poll(&p, 1, 2000);
	return recv(s, buf, len, 0);
}

/* Let the guest's kernel say what it says when its interface comes up. */
static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		loop_once(&loop, 1);
	got_cnt = 0;
}

static bool start(bool vnet)
{
	struct link_caps caps = {
		.csum = vnet, .tso4 = vnet, .tso6 = vnet,
		.max_payload = 65481,
	};
	static bool entered;

	if (!entered) {
		entered = true;
		if (!enter_namespace())
			unavailable = "no namespace of our own";
	}
	if (!unavailable && (!open_tap(vnet) || !configure()))
		unavailable = "no tap device in a namespace";
	if (unavailable)
		return false;
	caps.uso = vnet && have_uso;
	loop_init();
	EQ(tap_attach(tap, vnet, &caps, &hooks), 0);
	OK(link_is_up());
	settle();
	return true;
}

static void make_tmpl(struct frame_tmpl *t, enum fam fam, uint8_t proto,
		      uint16_t sport, uint16_t dport)
{
	struct addr src = raw_addr(our_name(fam));
	struct addr dst = raw_addr(guest_name(fam));

	frame_tmpl_init(t, proto, &src, sport, &dst, dport, &raw_smac, &tap_mac,
			0);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 11);
}

static bool is_pattern(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != pattern(i))
			return false;
	}
	return true;
}

static void send_udp(enum fam fam, uint16_t dport, size_t len, uint16_t gso)
{
	struct frame_tmpl t;
	struct frame f;

	make_tmpl(&t, fam, IPPROTO_UDP, 7777, dport);
	EQ(link_reserve(&f, 1, t.hdr_len, len), 1);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)f.pay[0].iov_base)[i] = pattern(i);
	f.pay_len = len;
	frame_put_udp(&f, &t, 0, 0, gso);
	link_commit(&f, 1);
}

static void send_tcp(enum fam fam, uint16_t dport, uint32_t seq, uint32_t ack,
		     uint8_t flags, size_t len, uint16_t gso)
{
	static const uint8_t mss[] = { 2, 4, GSO >> 8, GSO & 0xff };
	uint8_t opts_len = flags & TCP_FLAG_SYN ? 4 : 0;
	struct tcp_fields tcp = {
		.seq = seq, .ack = ack, .flags = flags, .window = 65535,
		.opts = mss, .opts_len = opts_len,
	};
	struct frame_tmpl t;
	struct frame f;

	make_tmpl(&t, fam, IPPROTO_TCP, 7777, dport);
	EQ(link_reserve(&f, 1, (size_t)t.hdr_len + opts_len, len), 1);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)f.pay[0].iov_base)[i] = pattern(i);
	f.pay_len = len;
	frame_put_tcp(&f, &t, &tcp, gso);
	link_commit(&f, 1);
}

/* --- the guest's side --- */

static int guest_socket(enum fam fam, int type, uint16_t *port)
{
	struct addr a = raw_addr(guest_name(fam));
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, &a, 0, 0);
	int s = socket(addr_af(fam), type | SOCK_NONBLOCK, 0);

	if (bind(s, &sa.sa, len))
		return -1;
	getsockname(s, &sa.sa, &len);
	addr_from_sockaddr(&a, port, &sa);
	return s;
}

static bool guest_send(int s, enum fam fam, size_t len)
{
	static uint8_t data[70000];
	struct addr a = raw_addr(our_name(fam));
	union sockaddr_any sa;
	socklen_t salen = addr_to_sockaddr(&sa, &a, 7777, 0);

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(i);
	return sendto(s, data, len, 0, &sa.sa, salen) == (ssize_t)len;
}

/* --- tests --- */

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)

static void datagrams_pass(void)
{
	static const size_t sizes[] = { 0, 1, 100, 1400 };
	uint8_t data[2000];

	EACH_FAM(fam) {
		uint16_t port;
		int s = guest_socket(fam, SOCK_DGRAM, &port);

		OK(s >= 0);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			send_udp(fam, port, sizes[i], 0);
			EQ(guest_recv(s, data, sizeof(data)), sizes[i]);
			OK(is_pattern(data, sizes[i]));

			got_cnt = 0;
			OK(guest_send(s, fam, sizes[i]));
			hear(1);
			EQ(got_cnt, 1);
			EQ(got[0].p.sport, port);
			EQ(got[0].p.payload.len, sizes[i]);
			OK(is_pattern(got[0].data, sizes[i]));
		}
		close(s);
	}
}

TEST(datagrams_pass_both_ways_without_a_virtio_header)
{
	if (!start(false))
		SKIP(unavailable);
	datagrams_pass();
}

TEST(datagrams_pass_both_ways_with_a_virtio_header)
{
	if (!start(true))
		SKIP(unavailable);
	datagrams_pass();
}

TEST(the_largest_frame_passes_although_the_mtu_is_small)
{
	static uint8_t data[66000];

	if (!start(true))
		SKIP(unavailable);
	EACH_FAM(fam) {
		uint16_t port;
		int s = guest_socket(fam, SOCK_DGRAM, &port);
		size_t len = 65535 - raw_l4_off(fam) - 8;

		send_udp(fam, port, len, 0);
		EQ(guest_recv(s, data, sizeof(data)), len);
		OK(is_pattern(data, len));
		close(s);
	}
}

TEST(tcp_super_frames_pass_both_ways)
{
	static uint8_t data[70000];

	if (!start(true))
		SKIP(unavailable);
	EACH_FAM(fam) {
		uint16_t port;
		int l = guest_socket(fam, SOCK_STREAM, &port), s;
		uint32_t seq = 1000, ack;
		enum gso kind = fam == FAM4 ? GSO_TCP4 : GSO_TCP6;
		size_t large = 0;

		listen(l, 1);
		got_cnt = 0;
		send_tcp(fam, port, seq++, 0, TCP_FLAG_SYN, 0, 0);
		hear(1);
		if (!EQ(got_cnt, 1))
			return;
		EQ(got[0].seg.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
		ack = got[0].seg.seq + 1;
		send_tcp(fam, port, seq, ack, TCP_FLAG_ACK, 0, 0);
		poll(&(struct pollfd) { .fd = l, .events = POLLIN }, 1, 2000);
		s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
		OK(s >= 0);

		send_tcp(fam, port, seq, ack, TCP_FLAG_ACK | TCP_FLAG_PSH,
			 30000, GSO);
		EQ(guest_recv(s, data, sizeof(data)), 30000);
		OK(is_pattern(data, 30000));

		turns(2);
		got_cnt = 0;
		for (size_t i = 0; i < 30000; i++)
			data[i] = pattern(i);
		EQ(send(s, data, 30000, 0), 30000);
		hear(1);
		OK(got_cnt > 0);
		for (unsigned i = 0; i < got_cnt; i++) {
			if (got[i].p.payload.len <= large)
				continue;
			large = got[i].p.payload.len;
			EQ(got[i].p.gso, kind);
			OK(got[i].p.gso_size && got[i].p.gso_size <= GSO);
		}
		OK(large > MTU);
		EQ(got[0].seg.seq, ack);
		OK(is_pattern(got[0].data, got[0].p.payload.len));
		close(s);
		close(l);
		turns(2);
	}
}

TEST(udp_super_frames_pass_both_ways)
{
	const int segment = 1000;
	uint8_t data[2000];

	if (!start(true))
		SKIP(unavailable);
	if (!have_uso)
		SKIP("this kernel's tun has no USO");
	EACH_FAM(fam) {
		uint16_t port;
		int s = guest_socket(fam, SOCK_DGRAM, &port);

		send_udp(fam, port, 4500, 1000);
		for (int i = 0; i < 5; i++)
			EQ(guest_recv(s, data, sizeof(data)),
			   i < 4 ? 1000 : 500);

		got_cnt = 0;
		EQ(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &segment,
			      sizeof(segment)), 0);
		OK(guest_send(s, fam, 4500));
		hear(1);
		EQ(got_cnt, 1);
		EQ(got[0].p.gso, GSO_UDP);
		EQ(got[0].p.gso_size, 1000);
		EQ(got[0].p.payload.len, 4500);
		OK(is_pattern(got[0].data, 4500));
		close(s);
	}
}

TEST(a_reservation_holds_four_super_frames_or_sixteen_small_ones)
{
	struct frame f[16];
	const uint8_t *end = NULL;

	if (!start(true))
		SKIP(unavailable);
	EQ(link_reserve(f, 4, 74, 65461), 4);
	for (int i = 0; i < 4; i++) {
		const uint8_t *pay = f[i].pay[0].iov_base;

		EQ(f[i].pay[0].iov_len, 65461);
		OK(!end || f[i].hdr - 12 >= end);
		OK(f[i].hdr + 74 == pay);
		end = pay + 65461;
	}
	link_commit(f, 0);
	EQ(link_reserve(f, 16, 54, 1500), 16);
	link_commit(f, 0);
	EQ(link_reserve(f, 1, 54, 1 << 20), 1);
	EQ(f[0].pay[0].iov_len, 65535 - 54);
	link_commit(f, 0);
}

TEST(a_guest_that_waits_for_answers_costs_one_read_per_request)
{
	uint16_t port;
	int s;

	if (!start(true))
		SKIP(unavailable);
	s = guest_socket(FAM4, SOCK_DGRAM, &port);
	guest_send(s, FAM4, 10);
	turns(3);
	for (int i = 0; i < 5; i++) {
		reads = got_cnt = 0;
		guest_send(s, FAM4, 10);
		turns(3);
		EQ(got_cnt, 1);
		EQ(reads, 1);
	}
	/* A crowd: one, then all there are in the very next turn. */
	reads = got_cnt = 0;
	for (int i = 0; i < 10; i++)
		guest_send(s, FAM4, 10);
	turns(1);
	EQ(got_cnt, 1);
	turns(1);
	EQ(got_cnt, 10);
	EQ(reads, 1 + 9 + 1);
	/* A larger one: as many as before, then all there are. */
	for (int i = 0; i < 40; i++)
		guest_send(s, FAM4, 10);
	turns(1);
	EQ(got_cnt, 10 + 9);
	turns(1);
	EQ(got_cnt, 10 + 9 + 16);
	turns(1);
	EQ(got_cnt, 50);
	close(s);
}

TEST(an_interface_that_is_down_loses_frames_and_no_more)
{
	uint64_t before = drop_count(DROP_LINK_ERROR);
	uint16_t port;
	uint8_t data[100];
	int s;

	if (!start(true))
		SKIP(unavailable);
	s = guest_socket(FAM4, SOCK_DGRAM, &port);
	set_up(false);
	send_udp(FAM4, port, 10, 0);
	EQ(drop_count(DROP_LINK_ERROR), before + 1);
	set_up(true);
	send_udp(FAM4, port, 10, 0);
	EQ(guest_recv(s, data, sizeof(data)), 10);
	close(s);
}

TEST(a_full_device_loses_frames_and_an_interrupted_write_none)
{
	static const int harmless[] = { EAGAIN, ENOBUFS, ENOSPC, EIO };
	uint16_t port;
	uint8_t data[100];
	int s;

	if (!start(true))
		SKIP(unavailable);
	s = guest_socket(FAM6, SOCK_DGRAM, &port);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		uint64_t before = drop_count(DROP_LINK_ERROR);

		fail_write = harmless[i];
		send_udp(FAM6, port, 10, 0);
		EQ(drop_count(DROP_LINK_ERROR), before + 1);
		EQ(recv(s, data, sizeof(data), 0), -1);
	}
	fail_write = EINTR;
	send_udp(FAM6, port, 10, 0);
	EQ(guest_recv(s, data, sizeof(data)), 10);
	close(s);
}

TEST(a_device_that_is_gone_ends_the_loop)
{
	uint16_t port;
	int s;

	if (!start(true))
		SKIP(unavailable);
	fail_write = EBADFD;
	send_udp(FAM4, 9, 10, 0);
	fail_write = 0;
	EQ(loop_run(&loop), EXIT_FAILURE);

	s = guest_socket(FAM4, SOCK_DGRAM, &port);
	guest_send(s, FAM4, 10);
	fail_read = EBADFD;
	EQ(loop_run(&loop), EXIT_FAILURE);
	fail_read = 0;
	close(s);
}
