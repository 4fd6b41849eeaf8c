/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: udp udp_sock udp_send udp_recv udp_tap udp_error udp_pace flow fwd
 *	  sock neigh icmp fragment link/link link/pcap wire/frame
 *	  wire/frame_str wire/csum addr buf conf epoll_ctl log timer util */
/* udp.c - a guest made of frames, peers made of sockets on loopback
 *
 * To the guest, our loopback is raw_dst(). The namespace, listeners and the
 * choice of resolvers are stand-ins.
 */
#include "udp_flow.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "conf.h"
#include "epoll_ctl.h"
#include "fwd.h"
#include "listen.h"
#include "log.h"
#include "neigh.h"
#include "resolver.h"
#include "sock.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "timer.h"
#include "udp.h"
#include "util.h"

#define EACH_FAM(f) for (enum fam f = FAM4; f < FAM_COUNT; f++)
#define GUEST_PORT	40000
/* Sanitizers are slow. */
#ifndef __has_feature
#define __has_feature(x)	0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define MILLION		100000u
#else
#define MILLION		1000000u
#endif

/* --- stand-ins --- */

int agent_open(const struct sock_req *req)
{
	(void)req;
	return -EPIPE;
}

int agent_pool_get(enum sock_kind kind, enum fam fam)
{
	(void)kind;
	(void)fam;
	return -EPIPE;
}

static struct listener listener = { .fd = -1 };

struct listener *listen_get(uint32_t slot)
{
	return slot == 7 && listener.fd >= 0 ? &listener : NULL;
}

const struct fwd_table *listen_rules(uint8_t pif)
{
	return pif == PIF_HOST ? &conf.inbound : &conf.outbound;
}

uint32_t listen_slot(uint8_t pif, unsigned rule, uint16_t port)
{
	return pif == PIF_HOST && rule == listener.rule &&
	       port == listener.port && listener.fd >= 0 ? 7 : LISTEN_NONE;
}

static int held;

void listen_hold(uint8_t pif, uint8_t proto, uint16_t port)
{
	(void)pif;
	(void)proto;
	(void)port;
	held++;
}

void listen_unhold(uint8_t pif, uint8_t proto, uint16_t port)
{
	(void)pif;
	(void)proto;
	(void)port;
	held--;
}

void resolver_asked(const struct side *host) { (void)host; }
void resolver_answered(const struct side *host) { (void)host; }
void resolver_failed(const struct side *host) { (void)host; }
bool resolver_moved(const struct side side[2])
{
	(void)side;
	return false;
}

/* --- the bench --- */

static const struct flow_ops flow_ops[FLOW_TYPE_COUNT] = {
	[FLOW_UDP] = { .expire = udp_expire },
};

static bool turn(void)
{
	return flow_run_ready();
}

static const struct loop_hooks loop_hooks = {
	.handler = {
		[EV_UDP] = udp_handle,
		[EV_UDP_LISTEN] = udp_listen_handle,
	},
	.expire = flow_expire,
	.tick = udp_tick,
	.turn = turn,
};

static uint64_t now_ms = 1000000;

static void pass_time(unsigned ms)
{
	now_ms += ms;
	clock_set(now_ms * 1000000);
	loop_once(&loop_hooks, 0);
}

static void expire_all(void)
{
	pass_time(200000);
	EQ(flow_count(FLOW_UDP), 0);
	EQ(held, 0);
}

static void start(bool uso)
{
	const struct link_caps caps = {
		.csum = true, .uso = uso, .max_payload = 65481,
	};
	static bool running;

	if (!running)
		loop_init();
	running = true;
	clock_set(now_ms * 1000000);
	mem_start(&caps, NULL);
	link_set_guest_mac(&raw_smac);
	conf_writable = (struct conf) {
		.mode = MODE_PASTA, .mtu = 65520, .our_mac = MAC_OURS_DEFAULT,
		.udp_timeout_s = 30, .udp_timeout_stream_s = 120,
	};
	EACH_FAM(fam) {
		conf_writable.net[fam] = (struct conf_net) {
			.enabled = true, .guest = raw_addr(raw_src(fam)),
			.our_tap = raw_addr(raw_dst(fam)),
			.map_loopback = raw_addr(raw_dst(fam)),
		};
	}
	flow_init(flow_ops);
	fwd_init();
	neigh_init();
	udp_init();
}

static unsigned fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A peer on loopback; *port is its own. */
static int peer(enum fam fam, uint16_t *port)
{
	struct sock_req req = {
		.kind = SOCK_KIND_UDP_FLOW, .fam = fam, .bind = true,
		.addr = addr_loopback(fam), .port = *port,
	};
	int fd = sock_open_here(&req);
	struct addr a;

	OK(fd >= 0 && sock_local(fd, &a, port));
	return fd;
}

static void guest_sends(enum fam fam, unsigned sport, unsigned dport,
			size_t len, unsigned n)
{
	static struct raw r[LINK_BATCH];
	static uint8_t data[65536];
	struct iovec iov[LINK_BATCH];
	struct packet p[LINK_BATCH];

	for (unsigned i = 0; i < n; i++) {
		memset(data, (int)i, len);
		raw_udp(&r[i], fam, sport, dport, data, len);
		iov[i] = (struct iovec) { r[i].b, r[i].len };
		OK(frame_parse(&p[i], &iov[i], 1, NULL));
	}
	udp_from_guest(p, n);
}

/* Length of what the peer has, -1: nothing. Sender's port in *from. */
static ssize_t peer_gets(int fd, uint16_t *from)
{
	static uint8_t buf[65536];
	union sockaddr_any sa = { 0 };
	socklen_t len = sizeof(sa);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, &sa.sa, &len);
	struct addr a;

	if (n >= 0 && from)
		addr_from_sockaddr(&a, from, &sa);
	return n;
}

static ssize_t peer_tries(int fd, enum fam fam, uint16_t to, size_t len)
{
	static uint8_t data[65536];
	struct addr lo = addr_loopback(fam);
	union sockaddr_any sa;
	socklen_t sl = addr_to_sockaddr(&sa, &lo, to, 0);

	return sendto(fd, data, len, 0, &sa.sa, sl);
}

static void peer_sends(int fd, enum fam fam, uint16_t to, size_t len)
{
	EQ(peer_tries(fd, fam, to, len), (ssize_t)len);
}

static struct packet guest_gets(unsigned i)
{
	static struct iovec iov;
	struct packet p = { 0 };

	iov = (struct iovec) { mem.sent[i].b, mem.sent[i].len };
	OK(i < mem.cnt && frame_parse(&p, &iov, 1, NULL));
	return p;
}

static void turns(void)
{
	loop_once(&loop_hooks, 0);
	loop_once(&loop_hooks, 0);
}

/* --- */

TEST(what_the_guest_sends_arrives_and_so_does_the_answer)
{
	static const size_t lens[] = { 0, 1, 1472, 65000 };

	EACH_FAM(fam) for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		uint16_t port = 0, from = 0;
		struct addr dst = raw_addr(raw_dst(fam));
		struct packet p;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, lens[i], 1);
		EQ(peer_gets(fd, &from), (ssize_t)lens[i]);
		EQ(from, GUEST_PORT);
		peer_sends(fd, fam, from, lens[i]);
		turns();
		EQ(mem.cnt, 1);
		p = guest_gets(0);
		EQ(p.payload.len, lens[i]);
		EQ(p.sport, port);
		EQ(p.dport, GUEST_PORT);
		OK(addr_eq(&p.src, &dst));
		close(fd);
		expire_all();
	}
}

TEST(a_single_question_is_remembered_for_30_seconds)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		pass_time(29900);
		EQ(flow_count(FLOW_UDP), 1);
		pass_time(200);
		EQ(flow_count(FLOW_UDP), 0);
		EQ(held, 0);
		close(fd);
	}
}

TEST(a_conversation_is_remembered_for_120_seconds_of_silence)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 2);
		peer_sends(fd, fam, GUEST_PORT, 10);
		turns();
		pass_time(100000);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		pass_time(119900);
		EQ(flow_count(FLOW_UDP), 1);
		pass_time(200);
		EQ(flow_count(FLOW_UDP), 0);
		close(fd);
	}
}

TEST(a_resolver_that_has_answered_is_forgotten_sooner)
{
	uint16_t port = 853;
	int fd;

	start(true);
	fd = peer(FAM4, &port);
	guest_sends(FAM4, GUEST_PORT, port, 10, 1);
	peer_sends(fd, FAM4, GUEST_PORT, 10);
	turns();
	pass_time(9000);
	EQ(flow_count(FLOW_UDP), 1);
	pass_time(2000);
	EQ(flow_count(FLOW_UDP), 0);
	close(fd);
}

TEST(many_destinations_of_one_port_are_one_descriptor)
{
	EACH_FAM(fam) {
		unsigned before;

		start(true);
		guest_sends(fam, GUEST_PORT, 20000, 10, 1);
		before = fds();
		for (unsigned i = 1; i < 20000; i++)
			guest_sends(fam, GUEST_PORT, 20000 + i, 10, 1);
		EQ(flow_count(FLOW_UDP), 20000);
		EQ(fds(), before);
		expire_all();
		EQ(fds(), before - 1);
	}
}

/* A conversation that both sides have had a say in more than once. */
static int converse(enum fam fam, unsigned sport, uint16_t *port)
{
	int fd = peer(fam, port);
	uint16_t from = 0;

	for (unsigned i = 0; i < 2; i++) {
		guest_sends(fam, sport, *port, 10, 1);
		EQ(peer_gets(fd, &from), 10);
		peer_sends(fd, fam, from, 10);
		turns();
	}
	mem.cnt = 0;
	return fd;
}

TEST(a_flood_takes_half_of_the_table_and_ends_no_conversation)
{
	uint16_t port[FAM_COUNT] = { 0 };
	int fd[FAM_COUNT];

	start(true);
	EACH_FAM(fam)
		fd[fam] = converse(fam, GUEST_PORT, &port[fam]);
	for (unsigned i = 0; i < UDP_FLOWS_MAX + 2000; i++) {
		guest_sends(i % 2 ? FAM4 : FAM6, 21000 + i / 20000,
			    1 + i % 20000, 1, 1);
		if (i % 64 == 0)
			flow_run_ready();	/* a turn */
	}
	EQ(flow_count(FLOW_UDP), UDP_FLOWS_MAX);

	/* What is new begins, what was there goes on. */
	EACH_FAM(fam) {
		guest_sends(fam, 29999, port[fam], 20, 1);
		EQ(peer_gets(fd[fam], NULL), 20);
		guest_sends(fam, GUEST_PORT, port[fam], 30, 1);
		EQ(peer_gets(fd[fam], NULL), 30);
		EQ(flow_count(FLOW_UDP), UDP_FLOWS_MAX);
		close(fd[fam]);
	}
	expire_all();
}

TEST(a_port_somebody_has_is_replaced)
{
	EACH_FAM(fam) {
		uint16_t taken = GUEST_PORT, port = 0, from = 0;
		int holder, fd;

		start(true);
		holder = peer(fam, &taken);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		EQ(peer_gets(fd, &from), 10);
		OK(from != GUEST_PORT && from);
		peer_sends(fd, fam, from, 10);
		turns();
		EQ(mem.cnt, 1);
		EQ(guest_gets(0).dport, GUEST_PORT);
		close(holder);
		close(fd);
		expire_all();
	}
}

TEST(nobody_answers_who_was_not_asked)
{
	EACH_FAM(fam) {
		uint16_t port = 0, other = 0;
		uint64_t dropped;
		int fd, stranger;

		start(true);
		dropped = drop_count(DROP_NO_FLOW);
		fd = peer(fam, &port);
		stranger = peer(fam, &other);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		peer_sends(stranger, fam, GUEST_PORT, 10);
		turns();
		EQ(mem.cnt, 0);
		EQ(drop_count(DROP_NO_FLOW), dropped + 1);
		close(fd);
		close(stranger);
		expire_all();
	}
}

TEST(equal_datagrams_for_the_guest_cross_as_one_frame)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		for (unsigned i = 0; i < 5; i++)
			peer_sends(fd, fam, GUEST_PORT, 1400);
		peer_sends(fd, fam, GUEST_PORT, 200);
		peer_sends(fd, fam, GUEST_PORT, 1400);
		turns();
		EQ(mem.cnt, 2);
		EQ(guest_gets(0).payload.len, 5 * 1400 + 200);
		EQ(mem.gso[0], GSO_UDP);
		EQ(guest_gets(1).payload.len, 1400);
		EQ(mem.gso[1], GSO_NONE);
		close(fd);
		expire_all();
	}
}

TEST(without_super_frames_each_datagram_is_a_frame)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(false);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		for (unsigned i = 0; i < 5; i++)
			peer_sends(fd, fam, GUEST_PORT, 100 + i);
		turns();
		EQ(mem.cnt, 5);
		for (unsigned i = 0; i < 5; i++)
			EQ(guest_gets(i).payload.len, 100 + i);
		close(fd);
		expire_all();
	}
}

/* One way, and so many that the clock decides when they are looked at. */
static int start_flood(enum fam fam, uint16_t *port)
{
	int fd;

	start(true);
	fd = peer(fam, port);
	guest_sends(fam, GUEST_PORT, *port, 10, 1);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < UDP_BATCH; n++)
			peer_sends(fd, fam, GUEST_PORT, 100);
		loop_once(&loop_hooks, 0);
	}
	EQ(mem.cnt, 2);
	return fd;
}

TEST(a_flood_is_looked_at_by_the_clock_and_crosses_in_runs)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd = start_flood(fam, &port);

		for (unsigned i = 0; i < 20; i++) {
			peer_sends(fd, fam, GUEST_PORT, 100);
			loop_once(&loop_hooks, 0);
		}
		EQ(mem.cnt, 2);
		loop_once(&loop_hooks, 10);
		EQ(mem.cnt, 3);
		EQ(guest_gets(2).payload.len, 2000);
		close(fd);
		expire_all();
	}
}

TEST(more_than_a_batch_is_taken_at_one_look)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd = start_flood(fam, &port);

		for (unsigned i = 0; i < 3 * UDP_BATCH / 2; i++)
			peer_sends(fd, fam, GUEST_PORT, 100);
		loop_once(&loop_hooks, 10);
		EQ(mem.cnt, 4);
		EQ(guest_gets(2).payload.len, 100 * UDP_BATCH);
		EQ(guest_gets(3).payload.len, 100 * UDP_BATCH / 2);
		close(fd);
		expire_all();
	}
}

TEST(after_a_flood_a_datagram_is_passed_on_at_once_again)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd = start_flood(fam, &port);

		for (unsigned i = 0; i < 4; i++)
			loop_once(&loop_hooks, 10);
		peer_sends(fd, fam, GUEST_PORT, 100);
		loop_once(&loop_hooks, 0);
		EQ(mem.cnt, 3);
		close(fd);
		expire_all();
	}
}

TEST(a_flow_that_ends_in_a_flood_leaves_nothing)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		unsigned before = fds();
		int fd = start_flood(fam, &port);

		pass_time(200000);
		EQ(flow_count(FLOW_UDP), 0);
		/* Another socket in its place: events are still on. */
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		for (unsigned i = 0; i < 5; i++)
			loop_once(&loop_hooks, 10);
		peer_sends(fd, fam, GUEST_PORT, 100);
		loop_once(&loop_hooks, 0);
		EQ(mem.cnt, 3);
		close(fd);
		expire_all();
		EQ(fds(), before);
	}
}

TEST(questions_and_answers_are_passed_on_at_once_however_many)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		for (unsigned i = 0; i < 500; i++) {
			guest_sends(fam, GUEST_PORT, port, 10, 1);
			peer_sends(fd, fam, GUEST_PORT, 100);
			loop_once(&loop_hooks, 0);
			EQ(mem.cnt, 1);
			mem.cnt = 0;
		}
		close(fd);
		expire_all();
	}
}

TEST(large_datagrams_are_passed_on_at_once_however_many)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		for (unsigned i = 0; i < 200; i++) {
			peer_sends(fd, fam, GUEST_PORT, 9000);
			loop_once(&loop_hooks, 0);
			EQ(mem.cnt, 1);
			mem.cnt = 0;
		}
		close(fd);
		expire_all();
	}
}

TEST(what_exceeds_the_mtu_of_a_machine_goes_there_in_fragments)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		size_t sum = 0;
		int fd;

		start(false);
		conf_writable.mode = MODE_PASST;
		conf_writable.mtu = 1500;
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		peer_sends(fd, fam, GUEST_PORT, 5000);
		turns();
		EQ(mem.cnt, 4);
		for (unsigned i = 0; i < mem.cnt; i++) {
			struct packet p = guest_gets(i);

			OK(p.fragment);
			OK(mem.sent[i].len <= 1514);
			EQ(p.more_fragments, i < 3);
			EQ(p.frag_off, sum);
			sum += p.payload.len;
		}
		EQ(sum, 8 + 5000);
		close(fd);
		expire_all();
	}
}

TEST(what_follows_a_datagram_in_fragments_is_not_lost)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		conf_writable.mode = MODE_PASST;
		conf_writable.mtu = 1500;
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		peer_sends(fd, fam, GUEST_PORT, 5000);
		peer_sends(fd, fam, GUEST_PORT, 200);
		turns();
		EQ(mem.cnt, 4 + 1);
		EQ(guest_gets(mem.cnt - 1).payload.len, 200);
		close(fd);
		expire_all();
	}
}

TEST(a_run_from_the_guest_keeps_its_boundaries)
{
	static const size_t lens[] = { 100, 100, 100, 40, 100, 0, 0, 300 };

	EACH_FAM(fam) {
		uint16_t port = 0;
		struct packet p[ARRAY_SIZE(lens)];
		struct iovec iov[ARRAY_SIZE(lens)];
		static struct raw r[ARRAY_SIZE(lens)];
		uint8_t data[300] = { 0 };
		int fd;

		start(true);
		fd = peer(fam, &port);
		for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
			raw_udp(&r[i], fam, GUEST_PORT, port, data, lens[i]);
			iov[i] = (struct iovec) { r[i].b, r[i].len };
			OK(frame_parse(&p[i], &iov[i], 1, NULL));
		}
		udp_from_guest(p, ARRAY_SIZE(lens));
		for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
			/* With GRO the kernel would hand on what it got. */
			ssize_t n = peer_gets(fd, NULL);

			while (n > (ssize_t)lens[i]) {
				n -= (ssize_t)lens[i];
				i++;
			}
			EQ(n, lens[i]);
		}
		EQ(peer_gets(fd, NULL), -1);
		close(fd);
		expire_all();
	}
}

TEST(a_full_link_loses_datagrams_and_nobody_spins)
{
	uint16_t port = 0;
	uint64_t lost;
	int fd;

	start(true);
	fd = peer(FAM4, &port);
	guest_sends(FAM4, GUEST_PORT, port, 10, 1);
	peer_sends(fd, FAM4, GUEST_PORT, 10);
	lost = drop_count(DROP_LINK_FULL);
	mem.full = true;
	turns();
	EQ(drop_count(DROP_LINK_FULL), lost + 1);
	mem.full = false;
	turns();
	EQ(mem.cnt, 0);
	close(fd);
	expire_all();
}

TEST(a_closed_port_is_an_icmp_error_for_the_guest)
{
	EACH_FAM(fam) {
		struct addr dst = raw_addr(raw_dst(fam));
		struct packet p;

		start(true);
		guest_sends(fam, GUEST_PORT, 9, 10, 1);
		turns();
		EQ(mem.cnt, 1);
		p = guest_gets(0);
		EQ(p.proto, fam == FAM4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		EQ(p.l4.p[0], fam == FAM4 ? 3 : 1);
		EQ(p.l4.p[1], fam == FAM4 ? 3 : 4);
		OK(addr_eq(&p.src, &dst));
		expire_all();
	}
}

TEST(an_error_about_one_peer_does_not_lose_what_goes_to_another)
{
	EACH_FAM(fam) {
		uint16_t port = 0;
		int fd;

		start(true);
		fd = peer(fam, &port);
		guest_sends(fam, GUEST_PORT, 9, 10, 1);
		guest_sends(fam, GUEST_PORT, port, 10, 1);
		EQ(peer_gets(fd, NULL), 10);
		close(fd);
		turns();
		expire_all();
	}
}

/* A rule, and its listener on the host. */
static void start_listener(enum fam fam)
{
	struct sock_req req = {
		.kind = SOCK_KIND_UDP_LISTEN, .fam = fam, .bind = true,
		.addr = addr_any(fam),
	};
	struct addr a;

	listener = (struct listener) { .pif = PIF_HOST, .proto = IPPROTO_UDP };
	listener.fd = sock_open_here(&req);
	OK(listener.fd >= 0 && sock_local(listener.fd, &a, &listener.port));
	conf_writable.inbound = (struct fwd_table) { .cnt = 1, .rule = { {
		.listen = addr_any(fam), .first = listener.port,
		.last = listener.port, .to = 5353, .proto = IPPROTO_UDP,
	} } };
	loop_add(listener.fd, EPOLLIN,
		 (struct ev) { .kind = EV_UDP_LISTEN, .slot = 7 });
}

static void stop_listener(void)
{
	loop_del(listener.fd);
	close_keep_errno(&listener.fd);
}

TEST(peers_of_a_listener_are_answered_through_it)
{
	EACH_FAM(fam) {
		uint16_t port = 0, from = 0;
		struct packet p;
		int fd;

		start(true);
		conf_writable.no_splice = true;
		start_listener(fam);
		fd = peer(fam, &port);
		peer_sends(fd, fam, listener.port, 20);
		turns();
		EQ(mem.cnt, 1);
		p = guest_gets(0);
		EQ(p.dport, 5353);
		EQ(p.sport, port);
		guest_sends(fam, 5353, port, 30, 1);
		EQ(flow_count(FLOW_UDP), 1);
		EQ(peer_gets(fd, &from), 30);
		EQ(from, listener.port);
		close(fd);
		expire_all();
		stop_listener();
	}
}

TEST(a_forwarded_port_sends_from_its_listener)
{
	EACH_FAM(fam) {
		uint16_t port = 0, from = 0;
		int fd;

		start(true);
		start_listener(fam);
		fd = peer(fam, &port);
		guest_sends(fam, 5353, port, 30, 1);
		EQ(peer_gets(fd, &from), 30);
		EQ(from, listener.port);
		peer_sends(fd, fam, listener.port, 40);
		turns();
		EQ(mem.cnt, 1);
		EQ(guest_gets(0).payload.len, 40);
		EQ(flow_count(FLOW_UDP), 1);

		/* The rule's service goes: the port stays the same. */
		stop_listener();
		guest_sends(fam, 5353, port, 31, 1);
		EQ(peer_gets(fd, &from), 31);
		EQ(from, conf_writable.inbound.rule[0].first);
		close(fd);
		expire_all();
	}
}

TEST(what_the_host_refuses_to_send_is_counted_as_that)
{
	EACH_FAM(fam) {
		uint64_t refused, none;

		start(true);
		start_listener(fam);
		refused = drop_count(DROP_NOT_SENT);
		none = drop_count(DROP_SOCKET);
		/* What a socket would say to be: this one cannot send. */
		loop_del(listener.fd);
		close(listener.fd);
		listener.fd = eventfd(0, EFD_CLOEXEC);
		guest_sends(fam, 5353, 9, 30, 3);
		EQ(drop_count(DROP_NOT_SENT), refused + 3);
		EQ(drop_count(DROP_SOCKET), none);
		close_keep_errno(&listener.fd);
		expire_all();
	}
}

/* As many as the table has, and a few besides. */
static bool many_descriptors(struct rlimit *was)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, was);
	limit = *was;
	limit.rlim_cur = MIN(limit.rlim_max, 20000u);
	return !setrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == 20000;
}

TEST(clients_beyond_the_socket_table_replace_others_without_answers)
{
	uint16_t port = 0, other = 0;
	uint64_t dropped;
	struct rlimit was;
	unsigned begun;
	int fd, last;

	if (!many_descriptors(&was))
		SKIP("needs 20000 descriptors");
	start(true);
	fd = converse(FAM4, GUEST_PORT, &port);
	last = peer(FAM4, &other);
	dropped = drop_count(DROP_SOCKET) + drop_count(DROP_TABLE_FULL);
	for (unsigned i = 0; i < 17000; i++)
		guest_sends(FAM4, 2000 + i, 30000, 1, 1);
	begun = flow_count(FLOW_UDP);
	OK(begun < 17000);
	EQ(drop_count(DROP_SOCKET) + drop_count(DROP_TABLE_FULL), dropped);
	guest_sends(FAM4, 60000, other, 20, 1);
	EQ(peer_gets(last, NULL), 20);
	guest_sends(FAM4, GUEST_PORT, port, 30, 1);
	EQ(peer_gets(fd, NULL), 30);
	EQ(flow_count(FLOW_UDP), begun);
	close(fd);
	close(last);
	turns();
	expire_all();
	setrlimit(RLIMIT_NOFILE, &was);
}

TEST(datagrams_without_a_descriptor_left_are_dropped)
{
	struct rlimit was, none;
	uint64_t dropped;

	start(true);
	dropped = drop_count(DROP_SOCKET);
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = 0;
	OK(!setrlimit(RLIMIT_NOFILE, &none));
	guest_sends(FAM4, 2000, 30000, 1, 1);
	EQ(drop_count(DROP_SOCKET), dropped + 1);
	EQ(flow_count(FLOW_UDP), 0);
	setrlimit(RLIMIT_NOFILE, &was);
	expire_all();
}

/* --- a million of them --- */

#define CHURN_PEERS	256u
#define ROUND_FLOWS	(MILLION / 20)

static struct {
	int fd;
	uint16_t port;
	enum fam fam;
} churn[CHURN_PEERS];

static unsigned chance(unsigned n)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 32) % n;
}

static unsigned client(unsigned round)
{
	return chance(8) ? 1000 + 200 * round + chance(200) :
			   20000 + chance(10000);
}

/* It begins outside; nobody is there, and an error comes back; or somebody who
 * may answer, which makes it last, and else forgets it. */
static void churn_step(unsigned round)
{
	unsigned what = chance(8), i = chance(CHURN_PEERS);
	enum fam fam = churn[i].fam;
	uint16_t from;

	if (what == 0) {
		if (fam == addr_fam(&conf.inbound.rule[0].listen))
			peer_tries(churn[i].fd, fam, listener.port, 10);
	} else if (what == 1) {
		guest_sends(fam, client(round), 50 + chance(600), 10, 1);
	} else {
		guest_sends(fam, client(round), churn[i].port, 10, 1);
		if (what == 2 && peer_gets(churn[i].fd, &from) >= 0 && from)
			peer_tries(churn[i].fd, fam, from, 20);
	}
}

static void churn_round(unsigned round)
{
	unsigned made = 0;

	start_listener(round % 2 ? FAM4 : FAM6);
	for (unsigned step = 0; made < ROUND_FLOWS; step++) {
		unsigned before = flow_count(FLOW_UDP);

		churn_step(round);
		if (step % 16 == 0) {
			loop_once(&loop_hooks, 0);
			mem.cnt = 0;
		}
		made += flow_count(FLOW_UDP) - before;
		if (!chance(200))
			pass_time(chance(2000));
	}
	/* What is on its way, or waits for the clock to be looked at */
	for (unsigned i = 0; i < 64; i++)
		pass_time(1);
	expire_all();
	stop_listener();
}

static long resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	OK(f && fscanf(f, "%*s %ld", &pages) == 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

TEST(a_million_flows_later_nothing_is_left)
{
	unsigned descriptors = 0;
	size_t heap = 0;
	long kb = 0;

	start(true);
	conf_writable.no_splice = true;
	for (unsigned i = 0; i < CHURN_PEERS; i++) {
		churn[i].fam = i % 2 ? FAM4 : FAM6;
		churn[i].fd = peer(churn[i].fam, &churn[i].port);
	}
	for (unsigned round = 0; round < 20; round++) {
		churn_round(round);
		if (round == 4) {	/* all tables have been used by now */
			descriptors = fds();
			kb = resident_kb();
			heap = mallinfo2().uordblks;
		}
	}
	EQ(fds(), descriptors);
	/* Static tables still grow by a page when a round is busier: a byte and
	 * a half of each flow would show. */
	OK(resident_kb() <= kb + 1024);
	EQ(mallinfo2().uordblks, heap);
	for (unsigned i = 0; i < CHURN_PEERS; i++)
		close(churn[i].fd);
}
