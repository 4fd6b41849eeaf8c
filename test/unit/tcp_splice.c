/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_splice.c (test) - real sockets at both ends, the real loop in between
 *
 *	 client ---- near listener | spliced | ---- far listener ---- server
 *	(nonblocking)  [accept4()]                        (nonblocking)
 *
 * All in one process: a test acts as client and server, and turns the loop by
 * hand, so it decides what arrives together and counts what the loop does. The
 * definitions of pipe2() and so on below take the place of the C library's, to
 * fail or be interrupted at will.
 */
/* links: tcp_splice fwd flow sock agent addr buf conf epoll_ctl log timer util */
#include "tcp_splice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "epoll_ctl.h"
#include "fwd.h"
#include "sock.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

#define MIB	(1u << 20)

/* --- what the kernel is made to say --- */

static bool no_pipes;		/* pipe2() fails */
static int pipe_size;		/* F_SETPIPE_SZ fails, and this is the size */
static int interrupt;		/* one call in so many fails with EINTR */
static unsigned pipes_made, splices, recvs, sends;

enum call { CALL_NONE, CALL_RECV, CALL_SEND, CALL_SPLICE, CALL_SHUTDOWN,
	    CALL_WRITE, CALL_COUNT };
static enum call broken;	/* fails with EIO */
static unsigned interrupted[CALL_COUNT];

static bool fails(enum call call)
{
	if (call == broken) {
		errno = EIO;
		return true;
	}
	if (!interrupt || rand() % interrupt)
		return false;
	interrupted[call]++;
	errno = EINTR;
	return true;
}

int pipe2(int fd[2], int flags)
{
	if (no_pipes) {
		errno = EMFILE;
		return -1;
	}
	pipes_made++;
	return (int)syscall(SYS_pipe2, fd, flags);
}

int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	if (pipe_size && cmd == F_GETPIPE_SZ)
		return pipe_size;
	if (pipe_size && cmd == F_SETPIPE_SZ) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

ssize_t splice(int in, off_t *in_off, int out, off_t *out_off, size_t len,
	       unsigned flags)
{
	splices++;
	if (fails(CALL_SPLICE))
		return -1;
	return syscall(SYS_splice, in, in_off, out, out_off, len, flags);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	recvs++;
	if (fails(CALL_RECV))
		return -1;
	return syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	sends++;
	if (fails(CALL_SEND))
		return -1;
	return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (broken == CALL_WRITE) {
		errno = ENOMEM;
		return -1;
	}
	return syscall(SYS_write, fd, buf, len);
}

int shutdown(int fd, int how)
{
	if (broken == CALL_SHUTDOWN) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_shutdown, fd, how);
}

/* --- the daemon around the module --- */

static const struct flow_ops ops[FLOW_TYPE_COUNT] = {
	[FLOW_SPLICE] = {
		.work = tcp_splice_work,
		.event = tcp_splice_event,
	},
};

static bool turn(void)
{
	return flow_run_ready();
}

static void expire(uint32_t timer_id)
{
	(void)timer_id;
}

static const struct loop_hooks hooks = {
	.handler = { [EV_SPLICE] = flow_handle },
	.expire = expire,
	.turn = turn,
};

/* Until nothing happens for a while; the number of turns that took. */
static unsigned settle(int quiet_ms)
{
	unsigned turns = 0;
	uint64_t seen;

	do {
		seen = loop_events(EV_SPLICE) + splices + recvs + sends;
		loop_once(&hooks, quiet_ms);
		turns++;
	} while (loop_events(EV_SPLICE) + splices + recvs + sends != seen);
	return turns;
}

/* Until connections have ended, as all will if nothing is wrong. */
static void settle_gone(void)
{
	unsigned turns = 0;

	do
		loop_once(&hooks, turns ? 5 : 0);
	while (flow_count(FLOW_SPLICE) && ++turns < 200);
	EQ(flow_count(FLOW_SPLICE), 0);
}

/* Each time seconds have passed: what was put off is tried again. */
static void start(void)
{
	static uint64_t now_ns = 1000000000;
	static bool done;

	clock_set(now_ns += 10000000000);

	no_pipes = false;
	pipe_size = 0;
	interrupt = 0;
	broken = CALL_NONE;
	if (done)
		return;
	done = true;
	signal(SIGPIPE, SIG_IGN);
	flow_init(ops);
	fwd_init();
	tcp_splice_init();
	OK(!loop_init());
}

static unsigned fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* --- both ends of it --- */

struct conn {
	int client, server;	/* -1: closed */
	int near, far;		/* listeners */
	struct side side[2];
};

/* Small segments too: else one hardly fits in, and timers set the pace. */
static void shrink(int fd, int bufsize)
{
	const int mss = 1000;

	if (!bufsize)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bufsize, sizeof(bufsize));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bufsize, sizeof(bufsize));
	setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
}

static int listener(enum fam fam, int bufsize)
{
	struct sock_req req = {
		.kind = SOCK_KIND_TCP_LISTEN,
		.fam = (uint8_t)fam,
		.bind = true,
		.addr = addr_loopback(fam),
	};
	int fd = sock_open_here(&req);

	OK(fd >= 0);
	shrink(fd, bufsize);
	return fd;
}

/* A client has connected to our listener, and we to nobody yet. */
static int conn_prepare(struct conn *c, enum fam fam, int bufsize)
{
	union sockaddr_any sa;
	socklen_t len = sizeof(sa);
	struct addr a;
	uint16_t port;
	int rc;

	memset(c, 0, sizeof(*c));
	c->server = -1;
	c->near = listener(fam, bufsize);
	c->far = listener(fam, bufsize);
	c->client = sock_tcp(PIF_HOST, SOCK_KIND_TCP_SPLICE, fam);
	shrink(c->client, bufsize);
	OK(sock_local(c->near, &a, &port));
	rc = sock_connect(c->client, &a, port, 0);
	OK(!rc || rc == -EINPROGRESS);

	c->side[SIDE_INI].pif = PIF_SPLICE;
	c->side[SIDE_INI].ours = a;
	c->side[SIDE_INI].our_port = port;
	c->side[SIDE_TGT].pif = PIF_HOST;
	OK(sock_local(c->far, &c->side[SIDE_TGT].theirs,
		      &c->side[SIDE_TGT].their_port));

	rc = accept4(c->near, &sa.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	OK(rc >= 0);
	OK(addr_from_sockaddr(&c->side[SIDE_INI].theirs,
			      &c->side[SIDE_INI].their_port, &sa));
	return rc;
}

static void conn_close(struct conn *c)
{
	close_keep_errno(&c->client);
	close_keep_errno(&c->server);
	close_keep_errno(&c->near);
	close_keep_errno(&c->far);
	settle_gone();
}

static void conn_accept(struct conn *c, union sockaddr_any *sa)
{
	socklen_t len = sizeof(*sa);

	for (unsigned i = 0; i < 200 && c->server < 0; i++) {
		loop_once(&hooks, 1);
		c->server = accept4(c->far, sa ? &sa->sa : NULL,
				    sa ? &len : NULL,
				    SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	OK(c->server >= 0);
}

static struct conn conn_open(enum fam fam, int bufsize)
{
	struct conn c;
	int fd;

	start();
	fd = conn_prepare(&c, fam, bufsize);
	tcp_splice_start(fd, c.side);
	conn_accept(&c, NULL);
	return c;
}

/* A stream in which every byte depends on where it is: the same few bytes again
 * and again, a prime number of them, so that no buffer size hides a shift. */
#define PERIOD	65521u

static uint8_t cycle[PERIOD + MIB];

static const uint8_t *pattern(uint64_t pos)
{
	if (!cycle[1])
		for (uint32_t i = 0; i < sizeof(cycle); i++)
			cycle[i] = (uint8_t)(i % PERIOD * 2654435761u >> 24);
	return cycle + pos % PERIOD;
}

struct stream {
	int *from, *to;
	uint64_t sent, got;
	bool ended;		/* the end of file has arrived */
};

/* Once, at most @max bytes. What was sent: 0 when it would block. */
static size_t put(struct stream *s, size_t max)
{
	ssize_t rc = syscall(SYS_sendto, *s->from, pattern(s->sent),
			     MIN(max, MIB), MSG_NOSIGNAL, NULL, 0);

	if (rc < 0)
		return EQ(errno, EAGAIN), 0;
	s->sent += (uint64_t)rc;
	return (size_t)rc;
}

static size_t get(struct stream *s, size_t max)
{
	static uint8_t buf[MIB];
	ssize_t rc = syscall(SYS_recvfrom, *s->to, buf, MIN(max, MIB), 0,
			     NULL, NULL);

	if (rc < 0)
		return EQ(errno, EAGAIN), 0;
	if (!rc)
		s->ended = true;
	MEMEQ(buf, pattern(s->got), (size_t)rc);
	s->got += (uint64_t)rc;
	return (size_t)rc;
}

/* Everything, and the end of it too if @want_end. */
static void get_all(struct stream *s, bool want_end)
{
	for (unsigned idle = 0; idle < 50; ) {
		if (s->ended || (!want_end && s->got == s->sent))
			break;
		if (get(s, MIB))
			idle = 0;
		else
			idle++;
		loop_once(&hooks, idle && !s->ended ? 20 : 0);
	}
	EQ(s->got, s->sent);
	EQ(s->ended, want_end);
}

/* @total bytes, read as they come. */
static void pass(struct stream *s, uint64_t total)
{
	uint64_t end = s->sent + total;

	for (unsigned idle = 0; s->sent < end && idle < 50; idle++) {
		if (put(s, (size_t)MIN(end - s->sent, 100000u)))
			idle = 0;
		loop_once(&hooks, idle ? 20 : 0);
		get(s, MIB);
	}
	EQ(s->sent, end);
	get_all(s, false);
}

/* As much as fits in, while nobody reads. */
static void fill(struct stream *s)
{
	while (put(s, 65536) || settle(5) > 1)
		;
}

static struct stream up(struct conn *c)
{
	return (struct stream) { .from = &c->client, .to = &c->server };
}

static struct stream down(struct conn *c)
{
	return (struct stream) { .from = &c->server, .to = &c->client };
}

#define EACH_FAMILY(fam) (enum fam fam = FAM4; fam < FAM_COUNT; fam++)

/* --- while there is no pipe yet --- */

TEST(without_any_pipe_nothing_is_lost)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 65536);
		struct stream u = up(&c), d = down(&c);

		no_pipes = true;
		pass(&u, 100);
		fill(&u);
		pass(&d, 3 * MIB);
		shutdown(c.client, SHUT_WR);
		get_all(&u, true);
		conn_close(&c);
	}
	EQ(splices, 0);
}

/* Beyond the user's quota, a pipe cannot grow, or has two pages. */
TEST(pipe_quota_is_lived_with)
{
	static const int size[] = { 8192, 65536 };

	for (unsigned i = 0; i < ARRAY_SIZE(size); i++) {
		for EACH_FAMILY(fam) {
			struct conn c = conn_open(fam, 65536);
			struct stream u = up(&c);

			pipe_size = size[i];
			pass(&u, 3 * MIB);
			fill(&u);
			shutdown(c.client, SHUT_WR);
			get_all(&u, true);
			conn_close(&c);
		}
		OK(pipes_made > i);
		EQ(splices > 0, i);
	}
}

/* --- data and ends of it --- */

TEST(bytes_go_both_ways)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream u = up(&c), d = down(&c);

		pass(&u, 5);
		pass(&d, 49);
		pass(&u, 16384);
		pass(&u, 16385);
		pass(&d, 10 * MIB);
		pass(&u, 10 * MIB);
		conn_close(&c);
	}
}

TEST(client_may_finish_first_and_go_on_reading)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream u = up(&c), d = down(&c);

		pass(&u, 1000);
		shutdown(c.client, SHUT_WR);
		get_all(&u, true);
		pass(&d, 5 * MIB);
		EQ(flow_count(FLOW_SPLICE), 1);
		shutdown(c.server, SHUT_WR);
		get_all(&d, true);
		EQ(flow_count(FLOW_SPLICE), 0);
		conn_close(&c);
	}
}

TEST(server_may_finish_first_and_go_on_reading)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream u = up(&c), d = down(&c);

		pass(&d, 1000);
		shutdown(c.server, SHUT_WR);
		get_all(&d, true);
		pass(&u, 5 * MIB);
		EQ(flow_count(FLOW_SPLICE), 1);
		shutdown(c.client, SHUT_WR);
		get_all(&u, true);
		EQ(flow_count(FLOW_SPLICE), 0);
		conn_close(&c);
	}
}

/* The hang-up says that nothing more will come, not that nothing is there. */
TEST(data_fin_and_hangup_in_one_event_are_passed_on_in_order)
{
	for EACH_FAMILY(fam) {
		for (unsigned len = 0; len <= 300000; len += 60000) {
			struct conn c = conn_open(fam, 0);
			struct stream u = up(&c), d = down(&c);

			shutdown(c.server, SHUT_WR);
			get_all(&d, true);
			while (u.sent < len)
				put(&u, len - u.sent);
			close_keep_errno(&c.client);
			get_all(&u, true);
			EQ(flow_count(FLOW_SPLICE), 0);
			conn_close(&c);
		}
	}
}

TEST(what_was_sent_before_we_were_connected_arrives)
{
	for EACH_FAMILY(fam) {
		struct conn c;
		struct stream u = up(&c);
		int fd;

		start();
		fd = conn_prepare(&c, fam, 0);
		put(&u, 100);
		shutdown(c.client, SHUT_WR);
		tcp_splice_start(fd, c.side);
		conn_accept(&c, NULL);
		get_all(&u, true);
		conn_close(&c);
	}
}

/* --- blocked --- */

/* A FIN behind data the server does not read: nothing is to be done, and
 * nothing is done. */
TEST(blocked_connection_with_fin_queued_costs_nothing)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 65536);
		struct stream u = up(&c);
		uint64_t events;
		unsigned calls;

		fill(&u);
		OK(u.sent > 100000);
		shutdown(c.client, SHUT_WR);
		settle(20);

		events = loop_events(EV_SPLICE);
		calls = splices + recvs + sends;
		for (unsigned i = 0; i < 5; i++)
			loop_once(&hooks, 20);
		/* Window probes still press a little in; spinning would be
		 * a hundred thousand. */
		OK(loop_events(EV_SPLICE) - events < 20);
		OK(splices + recvs + sends - calls < 60);

		EQ(get(&u, 1), 1);
		settle(20);
		get_all(&u, true);
		conn_close(&c);
	}
}

/* Window updates, not bytes, are what wakes us: far fewer turns than reads. */
TEST(slow_reader_gets_all_of_it_and_then_fin)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 65536);
		struct stream u = up(&c);
		uint64_t events;

		fill(&u);
		shutdown(c.client, SHUT_WR);
		settle(20);
		events = loop_events(EV_SPLICE);
		while (!u.ended && get(&u, 1000))
			loop_once(&hooks, 0);
		OK(loop_events(EV_SPLICE) - events < u.got / 1000 + 20);
		get_all(&u, true);
		conn_close(&c);
	}
}

TEST(one_direction_blocked_leaves_the_other_alone)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 65536);
		struct stream u = up(&c), d = down(&c);

		fill(&u);
		pass(&d, 3 * MIB);
		shutdown(c.server, SHUT_WR);
		get_all(&d, true);
		get_all(&u, false);
		conn_close(&c);
	}
}

/* --- resets --- */

static int error_of(int fd)
{
	char b;
	ssize_t rc = syscall(SYS_recvfrom, fd, &b, 1, 0, NULL, NULL);

	return rc < 0 ? errno : 0;
}

TEST(reset_by_either_end_reaches_the_other)
{
	for EACH_FAMILY(fam) {
		for (unsigned end = 0; end < 2; end++) {
			struct conn c = conn_open(fam, 0);

			sock_reset(end ? &c.server : &c.client);
			settle_gone();
			EQ(error_of(end ? c.client : c.server), ECONNRESET);
			conn_close(&c);
		}
	}
}

TEST(what_was_sent_before_a_reset_arrives_before_it)
{
	for EACH_FAMILY(fam) {
		for (unsigned end = 0; end < 2; end++) {
			struct conn c = conn_open(fam, 0);
			int to = end ? c.client : c.server;
			char got[16];

			EQ(send(end ? c.server : c.client, "too large", 9, MSG_NOSIGNAL), 9);
			sock_reset(end ? &c.server : &c.client);
			settle_gone();
			EQ(recv(to, got, sizeof(got), MSG_DONTWAIT), 9);
			OK(!memcmp(got, "too large", 9));
			EQ(error_of(to), ECONNRESET);
			conn_close(&c);
		}
	}
}

/* A server that answers, and closes without reading the rest of the request. */
TEST(answer_before_a_reset_arrives_though_data_goes_the_other_way)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		char got[16];

		EQ(send(c.client, "one", 3, MSG_NOSIGNAL), 3);
		settle(10);
		EQ(send(c.server, "too large", 9, MSG_NOSIGNAL), 9);
		EQ(send(c.client, "two", 3, MSG_NOSIGNAL), 3);
		close_keep_errno(&c.server);
		settle_gone();
		EQ(recv(c.client, got, sizeof(got), MSG_DONTWAIT), 9);
		EQ(error_of(c.client), ECONNRESET);
		conn_close(&c);
	}
}

TEST(reset_while_blocked_reaches_the_other)
{
	for EACH_FAMILY(fam) {
		for (unsigned end = 0; end < 2; end++) {
			struct conn c = conn_open(fam, 65536);
			struct stream u = up(&c);

			fill(&u);
			sock_reset(end ? &c.server : &c.client);
			settle_gone();
			if (end)
				EQ(error_of(c.client), ECONNRESET);
			conn_close(&c);
		}
	}
}

/* A close with data unread, and data for one who has closed, are resets. */
TEST(writing_to_one_who_has_closed_resets)
{
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream d = down(&c);

		close_keep_errno(&c.client);
		settle(10);
		EQ(flow_count(FLOW_SPLICE), 1);
		put(&d, 1000);
		settle_gone();
		EQ(error_of(c.server), 0);	/* the FIN from before */
		EQ(sock_error(c.server), EPIPE);
		conn_close(&c);
	}
}

/* What ought never to happen, and is not to be survived. */
TEST(call_that_fails_resets_both_sides)
{
	for (enum call call = CALL_RECV; call < CALL_COUNT; call++) {
		for EACH_FAMILY(fam) {
			bool narrow = call == CALL_WRITE;
			struct conn c = conn_open(fam, narrow ? 16384 : 0);
			struct stream u = up(&c);

			pass(&u, 1000);
			if (call == CALL_SHUTDOWN)
				syscall(SYS_shutdown, c.client, SHUT_WR);
			broken = call;
			for (unsigned i = 0; i < 100; i++) {
				if (!flow_count(FLOW_SPLICE))
					break;
				if (call != CALL_SHUTDOWN)
					/* from small to bulk */
					put(&u, 1 + i * 1000);
				loop_once(&hooks, 1);
			}
			broken = CALL_NONE;
			EQ(error_of(c.client), ECONNRESET);
			if (call == CALL_SHUTDOWN)
				EQ(error_of(c.server), ECONNRESET);
			conn_close(&c);
		}
	}
}

TEST(refused_connection_resets_the_accepted_one)
{
	for EACH_FAMILY(fam) {
		struct conn c;
		int fd;

		start();
		fd = conn_prepare(&c, fam, 0);
		close_keep_errno(&c.far);
		tcp_splice_start(fd, c.side);
		settle_gone();
		EQ(error_of(c.client), ECONNRESET);
		conn_close(&c);
	}
}

/* The same port of the other family, where somebody listens instead. */
static void far_moves(struct conn *c, enum fam fam)
{
	struct sock_req req = {
		.kind = SOCK_KIND_TCP_LISTEN,
		.fam = (uint8_t)fam,
		.bind = true,
		.addr = addr_loopback(fam),
		.port = c->side[SIDE_TGT].their_port,
	};

	close_keep_errno(&c->far);
	c->far = sock_open_here(&req);
	OK(c->far >= 0);
}

static void both_families(bool on)
{
	memset(&conf_writable, 0, sizeof(conf_writable));
	for EACH_FAMILY(fam)
		conf_writable.net[fam].enabled = on;
	fwd_init();
}

TEST(refused_in_one_family_it_is_made_in_the_other)
{
	for EACH_FAMILY(fam) {
		struct conn c;
		char byte;
		int fd;

		start();
		both_families(true);
		fd = conn_prepare(&c, fam, 0);
		far_moves(&c, fam == FAM4 ? FAM6 : FAM4);
		write_exact(c.client, "x", 1);
		tcp_splice_start(fd, c.side);
		conn_accept(&c, NULL);
		settle(5);
		EQ(recv(c.server, &byte, 1, MSG_DONTWAIT), 1);
		EQ(byte, 'x');
		conn_close(&c);
	}
	both_families(false);
}

TEST(refused_in_both_families_it_is_reset_and_so_if_there_is_one)
{
	for EACH_FAMILY(fam) {
		for (unsigned both = 0; both < 2; both++) {
			struct conn c;
			int fd;

			start();
			both_families(both);
			fd = conn_prepare(&c, fam, 0);
			if (both)
				close_keep_errno(&c.far);
			else
				far_moves(&c, fam == FAM4 ? FAM6 : FAM4);
			tcp_splice_start(fd, c.side);
			settle_gone();
			EQ(error_of(c.client), ECONNRESET);
			conn_close(&c);
		}
	}
	both_families(false);
}

TEST(no_descriptor_left_resets_the_accepted_one)
{
	struct rlimit was, now;

	for EACH_FAMILY(fam) {
		struct conn c;
		int fd;

		start();
		fd = conn_prepare(&c, fam, 0);
		getrlimit(RLIMIT_NOFILE, &was);
		now = was;
		now.rlim_cur = 0;
		setrlimit(RLIMIT_NOFILE, &now);
		tcp_splice_start(fd, c.side);
		setrlimit(RLIMIT_NOFILE, &was);
		settle_gone();
		EQ(error_of(c.client), ECONNRESET);
		conn_close(&c);
	}
}

TEST(no_slot_left_resets_the_accepted_one)
{
	static struct flow *taken[FLOW_MAX];
	unsigned cnt = 0;
	struct conn c;
	int fd;

	start();
	fd = conn_prepare(&c, FAM4, 0);
	while (cnt < FLOW_MAX && (taken[cnt] = flow_alloc(FLOW_UDP)))
		cnt++;
	OK(!flow_alloc(FLOW_UDP));
	tcp_splice_start(fd, c.side);
	while (cnt)
		flow_free(taken[--cnt]);
	settle_gone();
	EQ(error_of(c.client), ECONNRESET);
	conn_close(&c);
}

/* --- addresses --- */

TEST(source_address_is_the_one_decided)
{
	static const char *const source[] = { "127.0.0.5", "127.0.0.1" };

	for (unsigned i = 0; i < ARRAY_SIZE(source); i++) {
		union sockaddr_any sa;
		struct conn c;
		struct addr a, want;
		uint16_t port;
		int fd;

		start();
		fd = conn_prepare(&c, FAM4, 0);
		OK(addr_parse(&want, source[i]));
		c.side[SIDE_TGT].ours = want;
		tcp_splice_start(fd, c.side);
		conn_accept(&c, &sa);
		OK(addr_from_sockaddr(&a, &port, &sa));
		OK(addr_eq(&a, &want));
		conn_close(&c);
	}
}

/* --- pipes --- */

#define MANY	300

static struct conn many[MANY];
static struct stream flood[MANY];

/* All blocked at once, then all read: bytes wait in the kernel, whoever got a
 * pipe. Descriptors: two for each connection, and few pipes. */
static void flood_many(enum fam fam, unsigned fds_extra)
{
	unsigned fds;

	for (unsigned i = 0; i < MANY; i++) {
		many[i] = conn_open(fam, 32768);
		close_keep_errno(&many[i].near);
		close_keep_errno(&many[i].far);
		flood[i] = up(&many[i]);
	}
	fds = fds_open();
	for (unsigned i = 0; i < MANY; i++)
		while (put(&flood[i], 65536) || settle(0) > 1)
			;
	settle(5);
	for (unsigned i = 0; i < MANY; i++)
		while (put(&flood[i], 65536))
			loop_once(&hooks, 0);
	settle(5);
	OK(fds_open() <= fds + fds_extra);
	for (unsigned i = 0; i < MANY; i++)
		shutdown(many[i].client, SHUT_WR);
	for (unsigned i = 0; i < MANY; i++) {
		get_all(&flood[i], true);
		OK(flood[i].sent > 65536);
		close_keep_errno(&many[i].client);
		close_keep_errno(&many[i].server);
	}
	settle_gone();
}

TEST(three_hundred_blocked_connections_share_few_pipes)
{
	struct rlimit lim;
	unsigned fds;

	getrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_max < 2000)
		SKIP("needs 2000 descriptors");
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	start();
	fds = fds_open();
	for EACH_FAMILY(fam)
		flood_many(fam, 32);
	OK(fds_open() <= fds + 8);
}

TEST(interrupted_calls_are_made_again)
{
	for EACH_FAMILY(fam) {
		for (int bufsize = 0; bufsize <= 65536; bufsize += 65536) {
			struct conn c = conn_open(fam, bufsize);
			struct stream u = up(&c), d = down(&c);

			interrupt = 3;
			for (unsigned i = 0; i < 30; i++)
				pass(&d, 100);
			pass(&u, 5 * MIB);
			pass(&d, 5 * MIB);
			fill(&u);
			shutdown(c.client, SHUT_WR);
			get_all(&u, true);
			conn_close(&c);
		}
	}
	OK(interrupted[CALL_RECV] > 10);
	OK(interrupted[CALL_SEND] > 10);
	OK(interrupted[CALL_SPLICE] > 10);
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST(signals_all_the_time_do_no_harm)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	const struct itimerval off = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &sa, NULL);
	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream u = up(&c), d = down(&c);

		setitimer(ITIMER_REAL, &often, NULL);
		pass(&u, 20 * MIB);
		pass(&d, 20 * MIB);
		setitimer(ITIMER_REAL, &off, NULL);
		conn_close(&c);
	}
}

/* --- urgent data --- */

/* splice() will not pass the urgent mark; recv() does. The byte is part of the
 * stream (SO_OOBINLINE). */
static void urgent_schedule(enum fam fam, unsigned before, bool fin)
{
	struct conn c = conn_open(fam, 0);
	struct stream u = up(&c);
	uint8_t b;

	while (u.sent < before)
		put(&u, before - u.sent);
	b = *pattern(u.sent);
	EQ(syscall(SYS_sendto, c.client, &b, 1, MSG_OOB, NULL, 0), 1);
	u.sent++;
	put(&u, 100);
	if (fin)
		shutdown(c.client, SHUT_WR);
	get_all(&u, fin);
	conn_close(&c);
}

TEST(urgent_byte_is_part_of_the_stream)
{
	for EACH_FAMILY(fam)
		for (unsigned before = 0; before < 500000;
		     before = before * 20 + 2) {
			urgent_schedule(fam, before, false);
			urgent_schedule(fam, before, true);
		}
}

/* --- time --- */

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Nagle's algorithm or a cork would show as 40 ms or more. */
TEST(small_messages_take_less_than_a_millisecond)
{
	uint64_t took[101];

	for EACH_FAMILY(fam) {
		struct conn c = conn_open(fam, 0);
		struct stream u = up(&c), d = down(&c);

		for (unsigned i = 0; i < ARRAY_SIZE(took); i++) {
			uint64_t begin = now_us();

			put(&u, 5 + i % 45);
			put(&u, 5 + i % 45);	/* two writes, one answer */
			get_all(&u, false);
			put(&d, 49 - i % 45);
			get_all(&d, false);
			took[i] = now_us() - begin;
		}
		qsort(took, ARRAY_SIZE(took), sizeof(took[0]), by_size);
		OK(took[ARRAY_SIZE(took) / 2] < 1000);
		conn_close(&c);
	}
}

/* A message and its answer: one read and one write each way, no more. */
TEST(a_message_costs_two_calls)
{
	struct conn c = conn_open(FAM4, 0);
	struct stream u = up(&c), d = down(&c);
	unsigned r, w, s;

	pass(&u, 64);
	settle(5);
	r = recvs;
	w = sends;
	s = splices;
	for (unsigned i = 0; i < 10; i++) {
		put(&u, 64);
		get_all(&u, false);
		put(&d, 64);
		get_all(&d, false);
	}
	EQ(recvs - r, 20);
	EQ(sends - w, 20);
	EQ(splices - s, 0);
	conn_close(&c);
}

/* --- anything in any order --- */

static uint32_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(rnd_state >> 8) * below >> 24);
}

static void random_schedule(enum fam fam, unsigned seed)
{
	static const int bufs[] = { 0, 4096, 16384, 65536, 262144 };
	static const size_t sizes[] = { 1, 50, 1500, 16384, 70000, MIB };
	struct conn c = conn_open(fam, bufs[seed % ARRAY_SIZE(bufs)]);
	struct stream s[2] = { up(&c), down(&c) };
	bool shut[2] = { false, false };

	rnd_state = seed;
	interrupt = seed & 1 ? 7 : 0;
	no_pipes = seed % 3 == 2;
	for (unsigned i = 0; i < 400; i++) {
		struct stream *x = &s[rnd(2)];
		unsigned which = (unsigned)(x - s);
		size_t n = 1 + rnd((uint32_t)sizes[rnd(ARRAY_SIZE(sizes))]);

		switch (rnd(8)) {
		case 0:
		case 1:
		case 2:
			if (!shut[which])
				put(x, n);
			break;
		case 3:
		case 4:
			if (!x->ended)
				get(x, n);
			break;
		case 5:
			if (i > 200 && !rnd(40) && !shut[which]) {
				shutdown(*x->from, SHUT_WR);
				shut[which] = true;
			}
			break;
		default:
			loop_once(&hooks, 0);
		}
	}
	for (unsigned i = 0; i < 2; i++)
		if (!shut[i])
			shutdown(*s[i].from, SHUT_WR);
	for (unsigned i = 0; i < 2000 && !(s[0].ended && s[1].ended); i++) {
		for (unsigned k = 0; k < 2; k++)
			if (!s[k].ended)
				get(&s[k], MIB);
		loop_once(&hooks, 1);
	}
	for (unsigned i = 0; i < 2; i++)
		if (!EQ(s[i].got, s[i].sent) || !OK(s[i].ended))
			printf("  seed %u\n", seed);
	EQ(error_of(c.client), 0);
	EQ(error_of(c.server), 0);
	conn_close(&c);
}

TEST(random_schedules_lose_nothing)
{
	for EACH_FAMILY(fam)
		for (unsigned seed = 0; seed < 30; seed++)
			random_schedule(fam, seed);
}
