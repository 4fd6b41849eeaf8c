/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/stream link/link link/pcap wire/frame wire/frame_str wire/csum
 *	  addr buf conf epoll_ctl log timer util */
/* stream.c - against a peer that sends in crumbs, or does not read at all */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "util.h"

static struct raw r;
static int peer = -1;		/* the hypervisor's end */
static unsigned received, ups, writables;
static uint16_t ports[4096];	/* in order of arrival */
static size_t lens[4096];

static void sink(struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n && received < ARRAY_SIZE(ports); i++) {
		ports[received] = p[i].sport;
		lens[received++] = p[i].payload.len;
	}
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
	.handler = { [EV_LINK] = link_handle, [EV_LINK_LISTEN] = link_handle },
	.expire = expire,
	.turn = turn,
};

static void turns(unsigned n)
{
	while (n--)
		loop_once(&loop, 0);
}

static void start_fd(void)
{
	int s[2];

	if (peer >= 0)
		close(peer);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	peer = s[1];
	received = ups = writables = 0;
	loop_init();
	EQ(stream_attach(-1, s[0], false, &hooks), 0);
	OK(link_is_up());
}

/* --- from the guest --- */

static uint8_t wire[600000];

/* Frames as they are on the wire, ports counting up. Returns the length. */
static size_t make_frames(unsigned n, size_t (*payload)(unsigned i))
{
	static uint8_t data[66000];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		raw_udp(&r, i % 2 ? FAM6 : FAM4, 1000 + i, 9, data, payload(i));
		put_be32(wire + len, (uint32_t)r.len);
		memcpy(wire + len + 4, r.b, r.len);
		len += 4 + r.len;
	}
	return len;
}

static size_t odd(unsigned i)
{
	return 2 * i + 1;
}

static size_t largest(unsigned i)
{
	return 65535 - (i % 2 ? 8 : 28);
}

static bool arrived(unsigned n, size_t (*payload)(unsigned i))
{
	if (!EQ(received, n))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!EQ(ports[i], 1000 + i) || !EQ(lens[i], payload(i)))
			return false;
	}
	return true;
}

TEST(frames_in_crumbs_are_put_together)
{
	for (size_t crumb = 1; crumb <= 7; crumb++) {
		size_t len = make_frames(6, odd);

		start_fd();
		for (size_t at = 0; at < len; at += crumb) {
			write_exact(peer, wire + at, MIN(crumb, len - at));
			turns(1);
		}
		OK(arrived(6, odd));
	}
}

TEST(many_frames_of_odd_length_in_one_piece_all_arrive)
{
	size_t len = make_frames(150, odd);

	start_fd();
	write_exact(peer, wire, len);
	turns(1);
	OK(arrived(150, odd));
}

TEST(the_largest_frames_pass_back_to_back)
{
	size_t len = make_frames(8, largest);

	start_fd();
	for (size_t at = 0; at < len; ) {
		ssize_t n = send(peer, wire + at, len - at, MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		turns(1);
	}
	turns(3);
	OK(arrived(8, largest));
}

TEST(frames_sent_before_hanging_up_are_not_lost)
{
	size_t len = make_frames(20, odd);

	start_fd();
	write_exact(peer, wire, len);
	close(peer);
	peer = -1;
	turns(1);
	OK(arrived(20, odd));
	OK(!link_is_up());
}

static void bad_length(uint32_t value)
{
	size_t len = make_frames(3, odd);

	start_fd();
	put_be32(wire + len, value);
	write_exact(peer, wire, len + 4);
	turns(1);
	OK(arrived(3, odd));
	OK(!link_is_up());
	EQ(recv(peer, wire, 1, MSG_DONTWAIT), 0);
}

TEST(a_length_no_frame_can_have_ends_the_connection)
{
	bad_length(0);
	bad_length(13);
	bad_length(65590);
	bad_length(0xffffffff);
}

/* --- towards the guest --- */

/* One datagram numbered @port of @len bytes, in room for @room. */
static bool send_one(uint16_t port, size_t len, size_t room)
{
	struct addr src = raw_addr(raw_src(FAM4));
	struct addr dst = raw_addr(raw_dst(FAM4));
	struct frame_tmpl t;
	struct frame f;

	frame_tmpl_init(&t, IPPROTO_UDP, &src, port, &dst, 9, &raw_smac,
			&raw_smac, 0);
	if (!link_reserve(&f, 1, t.hdr_len, room))
		return false;
	memset(f.pay[0].iov_base, port & 0xff, len);
	f.pay_len = len;
	frame_put_udp(&f, &t, 0, 0, 0);
	link_commit(&f, 1);
	return true;
}

struct peer_rx {
	uint8_t b[2 << 20];
	size_t len, at;
};
static struct peer_rx got;

/* What the peer can read now. */
static size_t peer_read(size_t max)
{
	ssize_t n;

	memmove(got.b, got.b + got.at, got.len - got.at);
	got.len -= got.at;
	got.at = 0;
	n = recv(peer, got.b + got.len, MIN(max, sizeof(got.b) - got.len),
		 MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	got.len += (size_t)n;
	return (size_t)n;
}

/* The next whole frame is datagram @port of @len bytes, intact. */
static bool peer_gets(uint16_t port, size_t len)
{
	const uint8_t *p = got.b + got.at;
	size_t total = MAX(42 + len, (size_t)60);

	if (!EQ(get_be32(p), total) || !EQ(get_be16(p + 4 + 34), port) ||
	    !EQ(raw_l4_sum(p + 4), 0))
		return false;
	got.at += 4 + total;
	return OK(got.at <= got.len);
}

static bool peer_has_frame(void)
{
	size_t left = got.len - got.at;

	return left >= 4 && left >= 4 + get_be32(got.b + got.at);
}

TEST(a_turns_frames_leave_together_and_in_order)
{
	start_fd();
	got.len = got.at = 0;
	for (uint16_t i = 0; i < 50; i++)
		OK(send_one(i, i, 1400));
	EQ(peer_read(sizeof(got.b)), 0);
	turns(1);
	peer_read(sizeof(got.b));
	for (uint16_t i = 0; i < 50; i++)
		OK(peer_gets(i, i));
	EQ(got.at, got.len);
}

TEST(a_reservation_of_many_is_closed_up)
{
	struct addr src = raw_addr(raw_src(FAM4));
	struct addr dst = raw_addr(raw_dst(FAM4));
	struct frame f[16];
	struct frame_tmpl t;

	start_fd();
	got.len = got.at = 0;
	EQ(link_reserve(f, 16, 42, 65000), 16);
	for (uint16_t i = 0; i < 10; i++) {
		frame_tmpl_init(&t, IPPROTO_UDP, &src, i, &dst, 9, &raw_smac,
				&raw_smac, 0);
		f[i].pay_len = (size_t)i * 1111;
		memset(f[i].pay[0].iov_base, i, f[i].pay_len);
		frame_put_udp(&f[i], &t, 0, 0, 0);
	}
	link_commit(f, 10);
	turns(1);
	peer_read(sizeof(got.b));
	for (uint16_t i = 0; i < 10; i++)
		OK(peer_gets(i, (size_t)i * 1111));
	EQ(got.at, got.len);
}

TEST(a_peer_that_does_not_read_blocks_nothing_and_loses_nothing)
{
	uint16_t sent = 0, seen = 0;

	start_fd();
	got.len = got.at = 0;
	while (sent < UINT16_MAX && send_one(sent, 1000 + sent % 400, 1400))
		sent++;
	OK(sent > 700);			/* a megabyte of ours at least */
	OK(sent < UINT16_MAX);
	OK(!writables);
	turns(3);			/* nothing has changed for us */
	OK(!writables);
	OK(!send_one(sent, 1400, 1400));

	for (unsigned i = 0; seen < sent && i < 10000; i++) {
		if (!peer_read(7001))
			turns(1);
		while (peer_has_frame() && peer_gets(seen, 1000 + seen % 400))
			seen++;
	}
	EQ(seen, sent);
	OK(writables > 0);
}

TEST(order_and_bytes_survive_any_number_of_turns_around_the_buffer)
{
	uint16_t sent = 0, seen = 0;
	unsigned stuck = 0;

	start_fd();
	got.len = got.at = 0;
	/* The peer is always behind: sizes from tiny to more than half of the
	 * buffer's room, so that every way to wrap is met. */
	while (seen < 5000 && stuck < 1000) {
		uint16_t before = seen;

		while (sent < 5000 &&
		       send_one(sent, (size_t)sent * 7919 % 60000, 60000))
			sent++;
		turns(1);
		peer_read(30011);
		while (peer_has_frame() &&
		       peer_gets(seen, (size_t)seen * 7919 % 60000))
			seen++;
		stuck = seen == before ? stuck + 1 : 0;
	}
	EQ(sent, 5000);
	EQ(seen, 5000);
}

TEST(a_peer_that_shuts_its_ears_is_let_go_without_a_storm)
{
	uint64_t before;

	start_fd();
	shutdown(peer, SHUT_RD);
	OK(send_one(1, 10, 10));
	turns(4);
	OK(!link_is_up());
	before = loop_events(EV_LINK);
	turns(10);
	EQ(loop_events(EV_LINK), before);
}

TEST(frames_in_flight_go_with_the_client_and_writers_are_woken)
{
	start_fd();
	while (send_one(1, 1400, 1400))
		;
	close(peer);
	peer = -1;
	turns(1);
	OK(!link_is_up());
	EQ(writables, 1);
	OK(send_one(1, 1400, 1400));	/* lost, as on a wire */
}

TEST(writers_are_woken_when_a_client_that_does_not_read_is_thrown_out)
{
	static const uint8_t bad[4];

	start_fd();
	while (send_one(1, 1400, 1400))
		;
	write_exact(peer, bad, sizeof(bad));
	turns(1);
	OK(!link_is_up());
	EQ(writables, 1);
}

/* --- clients come and go --- */

static struct sockaddr_un name;
static int server = -1;

static void start_server(bool one_off)
{
	socklen_t len = sizeof(name);

	if (peer >= 0)
		close(peer);
	peer = -1;
	if (server >= 0)
		close(server);
	turns(1);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	name = (struct sockaddr_un) { .sun_family = AF_UNIX };
	EQ(bind(server, (void *)&name, sizeof(sa_family_t)), 0); /* autobind */
	getsockname(server, (void *)&name, &len);
	listen(server, 0);
	received = ups = writables = 0;
	loop_init();
	EQ(stream_attach(server, -1, one_off, &hooks), 0);
	OK(!link_is_up());
}

static int come(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	EQ(connect(fd, (void *)&name, sizeof(sa_family_t) + 6), 0);
	return fd;
}

TEST(a_second_client_is_turned_away)
{
	size_t len = make_frames(4, odd);
	int other;
	char c;

	start_server(false);
	peer = come();
	turns(1);
	OK(link_is_up());
	EQ(ups, 1);
	other = come();
	turns(1);
	EQ(recv(other, &c, 1, MSG_DONTWAIT), 0);
	close(other);
	write_exact(peer, wire, len);
	turns(1);
	OK(arrived(4, odd));
	EQ(ups, 1);
}

TEST(the_next_client_is_welcome_when_the_first_has_gone)
{
	start_server(false);
	for (unsigned i = 1; i < 4; i++) {
		size_t len = make_frames(4, odd);

		peer = come();
		turns(1);
		EQ(ups, i);
		received = 0;
		/* Half a frame of the last client must not matter. */
		write_exact(peer, wire, len + 7);
		turns(1);
		OK(arrived(4, odd));
		close(peer);
		peer = -1;
		turns(1);
		OK(!link_is_up());
	}
}

TEST(a_client_that_comes_back_at_once_is_not_turned_away)
{
	int again;

	start_server(false);
	peer = come();
	turns(1);
	/* Both events are in one batch, in either order. */
	close(peer);
	again = come();
	peer = again;
	turns(2);
	OK(link_is_up());
	EQ(ups, 2);
	write_exact(peer, wire, make_frames(1, odd));
	turns(1);
	EQ(received, 1);
}

TEST(clients_come_and_are_turned_away_without_a_descriptor_left)
{
	int taken[64], cnt = 0, again[2], other[2];
	struct rlimit was, few;
	char c;

	start_server(false);
	for (int i = 0; i < 2; i++) {
		again[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		other[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	}
	getrlimit(RLIMIT_NOFILE, &was);
	few = was;
	few.rlim_cur = ARRAY_SIZE(taken);
	OK(!setrlimit(RLIMIT_NOFILE, &few));
	while ((taken[cnt] = dup(0)) >= 0)
		cnt++;
	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(sa_family_t) + 6;

		EQ(connect(again[i], (void *)&name, len), 0);
		turns(1);
		OK(link_is_up());
		EQ(connect(other[i], (void *)&name, len), 0);
		turns(1);
		EQ(recv(other[i], &c, 1, MSG_DONTWAIT), 0);
		write_exact(again[i], wire, make_frames(1, odd));
		turns(1);
		EQ(received, (unsigned)i + 1);
		shutdown(again[i], SHUT_RDWR);
		turns(1);
		OK(!link_is_up());
	}
	while (cnt--)
		close(taken[cnt]);
	setrlimit(RLIMIT_NOFILE, &was);
	for (int i = 0; i < 2; i++) {
		close(again[i]);
		close(other[i]);
	}
}

TEST(the_end_of_the_only_client_is_ours)
{
	start_server(true);
	peer = come();
	turns(1);
	close(peer);
	peer = -1;
	EQ(loop_run(&loop), EXIT_SUCCESS);
}
