/* SPDX-License-Identifier: GPL-2.0-or-later */
/* churn.c - connections and datagram exchanges that end in every way there is
 *
 *	churn serve PORT			prints "ready"
 *	churn run SEED COUNT AT-ONCE CLOSED VOID TARGET...
 *	churn hold COUNT TARGET...		prints "ready", until its input ends
 *
 * TARGET is ADDRESS PORT, two arguments. CLOSED is a port where nobody listens,
 * VOID an address from which nothing comes back, or "none".
 *
 * The first byte a client sends says how the connection is to end (ENDS below),
 * two more how many bytes it wants. "run" makes COUNT of them, AT-ONCE at any
 * time, one in eight as datagrams, and each has to end as it was meant to;
 * it prints how many of which kind, and what went wrong, and fails if anything
 * did. "hold" opens connections and lets them stand; at the end each has to
 * answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX	64
#define CONNS_MAX	65536
#define BYTES_MAX	20000
#define PATIENCE_NS	(30 * 1000000000ull)
#define HELLO		3

/* Who ends it, and how: the client's view. */
#define ENDS(X)								\
	X(CLIENT_FIN,	"the client closes when it has its answer")	\
	X(SERVER_FIN,	"the server closes behind its answer")		\
	X(HALF,		"the client's half ends first, then comes the answer") \
	X(CLIENT_RESET,	"the client resets it when it has its answer")	\
	X(SERVER_RESET,	"the server resets it behind its answer")	\
	X(UNREAD,	"the client closes without reading the answer")	\
	X(SILENT,	"the client closes without a word")		\
	X(GIVEN_UP,	"nobody answers, and the client gives up")	\
	X(REFUSED,	"nobody listens: refused, or accepted and reset") \
	X(DATAGRAM,	"a question and an answer")			\
	X(DATAGRAM_ONLY, "a question that has none")			\
	X(DATAGRAM_REFUSED, "a question to nobody")

enum end {
#define X(name, text) END_##name,
	ENDS(X)
#undef X
	END_COUNT
};
#define IS_DATAGRAM(e)	((e) >= END_DATAGRAM)

struct conn {
	void (*ready)(struct conn *c, uint32_t events);
	int fd;
	enum end end;
	unsigned want, got;
	uint64_t since;
	bool asked, held;
};

static const char *const end_names[] = {
#define X(name, text) #name,
	ENDS(X)
#undef X
};

static struct target {
	struct sockaddr_storage sa;
	socklen_t len;
} targets[TARGETS_MAX];
static unsigned target_cnt;

static struct conn conns[CONNS_MAX];
static int epfd;
static uint64_t done[END_COUNT], wrong[END_COUNT], lost;
static unsigned alive;
static uint64_t todo;
static uint16_t closed_port;
static struct target nowhere;		/* .len 0: none is known */
static uint8_t buf[65536];

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 33) % below);
}

static void watch(struct conn *c, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &e))
		fail("epoll_ctl");
}

static void conn_close(struct conn *c, bool reset)
{
	const struct linger now = { 1, 0 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
}

/* --- server --- */

static void serve_answer(struct conn *c)
{
	memset(buf, 'a', c->want);
	if (send(c->fd, buf, c->want, MSG_NOSIGNAL) != (ssize_t)c->want) {
		conn_close(c, true);
		return;
	}
	if (c->end == END_SERVER_RESET) {
		/* Not before it has arrived: that would be a loss. */
		c->asked = true;
		return;
	}
	if (c->end == END_SERVER_FIN || c->end == END_HALF)
		shutdown(c->fd, SHUT_WR);
}

/* Whatever comes behind the hello is an echo, for those that are held, or the
 * word that the answer has been seen. */
static void serve_ready(struct conn *c, uint32_t events)
{
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		conn_close(c, true);
		return;
	}
	if (!n) {
		if (c->end == END_HALF && !c->asked)
			serve_answer(c);
		if (c->fd >= 0)
			conn_close(c, false);
		return;
	}
	if (c->asked || c->held) {
		if (c->end == END_SERVER_RESET)
			conn_close(c, true);
		else if (c->held)
			send(c->fd, buf, (size_t)n, MSG_NOSIGNAL);
		return;
	}
	if (n < HELLO) {
		conn_close(c, true);	/* never cut: it is the first segment */
		return;
	}
	c->end = buf[0];
	c->want = (unsigned)(buf[1] << 8 | buf[2]);
	c->held = c->end == END_COUNT;
	if (c->held)
		send(c->fd, "h", 1, MSG_NOSIGNAL);
	else if (c->end != END_HALF)
		serve_answer(c);
}

static struct conn *conn_free(void)
{
	static unsigned next;

	for (unsigned tries = 0; tries < CONNS_MAX; tries++) {
		struct conn *c = &conns[next++ % CONNS_MAX];

		if (c->fd < 0)
			return c;
	}
	fail("too many connections");
}

static void serve_accept(struct conn *l, uint32_t events)
{
	int fd;

	(void)events;
	while ((fd = accept4(l->fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = conn_free();

		*c = (struct conn) { .ready = serve_ready, .fd = fd };
		watch(c, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_ADD);
	}
}

static void serve_datagram(struct conn *c, uint32_t events)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n;

	(void)events;
	while ((n = recvfrom(c->fd, buf, sizeof(buf), 0,
			     (struct sockaddr *)&from, &len)) >= 0) {
		if (n && buf[0] == END_DATAGRAM)
			sendto(c->fd, buf, (size_t)n, 0,
			       (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
}

static void serve_at(int type, uint16_t port,
		     void (*ready)(struct conn *c, uint32_t events))
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6, .sin6_port = htons(port),
	};
	struct conn *c = conn_free();
	int one = 1, room = 4 << 20;

	*c = (struct conn) {
		.ready = ready,
		.fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0),
	};
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(c->fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(c->fd, 4096)))
		fail("listen");
	watch(c, EPOLLIN, EPOLL_CTL_ADD);
}

static void loop_once(void)
{
	struct epoll_event e[256];
	int n = epoll_wait(epfd, e, 256, 1000);

	for (int i = 0; i < n; i++) {
		struct conn *c = e[i].data.ptr;

		if (c->fd >= 0)
			c->ready(c, e[i].events);
	}
}

static _Noreturn int run_serve(char **argv)
{
	uint16_t port = (uint16_t)atoi(argv[0]);

	serve_at(SOCK_STREAM, port, serve_accept);
	serve_at(SOCK_DGRAM, port, serve_datagram);
	puts("ready");
	fflush(stdout);
	for (;;)
		loop_once();
}

/* --- client --- */

static void target_parse(struct target *t, const char *address, uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)&t->sa;
	struct sockaddr_in *in = (void *)&t->sa;

	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		t->len = sizeof(*in);
	} else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		t->len = sizeof(*in6);
	} else {
		fail(address);
	}
	in->sin_port = htons(port);
}

static void targets_parse(char **argv)
{
	for (; argv[0] && argv[1] && target_cnt < TARGETS_MAX; argv += 2)
		target_parse(&targets[target_cnt++], argv[0],
			     (uint16_t)atoi(argv[1]));
}

/* It is over, as it should be or not. */
static void over(struct conn *c, bool well)
{
	bool reset = c->end == END_CLIENT_RESET;

	done[c->end]++;
	if (!well) {
		if (!wrong[c->end]++)
			fprintf(stderr, "%s: got %u of %u: %s\n",
				end_names[c->end], c->got, c->want,
				strerror(errno));
	}
	conn_close(c, reset);
	alive--;
}

static void ask(struct conn *c)
{
	uint8_t hello[HELLO] = {
		(uint8_t)c->end, (uint8_t)(c->want >> 8), (uint8_t)c->want,
	};

	c->asked = true;
	if (send(c->fd, hello, HELLO, MSG_NOSIGNAL) != HELLO) {
		over(c, false);
		return;
	}
	if (c->end == END_HALF)
		shutdown(c->fd, SHUT_WR);
	if (c->end == END_UNREAD || c->end == END_DATAGRAM_ONLY)
		over(c, true);
	else
		watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

/* The whole answer is there. */
static void answered(struct conn *c)
{
	switch (c->end) {
	case END_CLIENT_FIN:
	case END_CLIENT_RESET:
	case END_DATAGRAM:
		over(c, true);
		break;
	case END_SERVER_RESET:
		if (send(c->fd, "!", 1, MSG_NOSIGNAL) != 1)
			over(c, false);
		break;
	default:
		break;		/* the end is still to come */
	}
}

static void client_ended(struct conn *c, ssize_t n)
{
	bool whole = c->got == c->want;

	if (!n)
		over(c, whole && (c->end == END_SERVER_FIN ||
				  c->end == END_HALF));
	else
		over(c, (whole && c->end == END_SERVER_RESET &&
			 errno == ECONNRESET) ||
			(c->end == END_REFUSED && errno == ECONNRESET) ||
			(c->end == END_DATAGRAM_REFUSED &&
			 errno == ECONNREFUSED));
}

static void client_read(struct conn *c)
{
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_ended(c, n);
		return;
	}
	c->got += IS_DATAGRAM(c->end) ? c->want : (unsigned)n;
	if (c->got == c->want)
		answered(c);
	else if (c->got > c->want)
		over(c, false);
}

static void wait_for_reset(struct conn *c)
{
	c->asked = true;
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void client_ready(struct conn *c, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (c->asked) {
		client_read(c);
		return;
	}
	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	if (error)
		over(c, c->end == END_REFUSED &&
			(error == ECONNREFUSED || error == ECONNRESET));
	else if (c->end == END_REFUSED)
		wait_for_reset(c);
	else if (c->end == END_SILENT)
		over(c, true);
	else
		ask(c);
}

static void client_open(struct conn *c, bool held)
{
	enum end end = held ? END_COUNT : rnd(8) ? rnd(END_DATAGRAM) :
		       END_DATAGRAM + rnd(END_COUNT - END_DATAGRAM);
	const struct target *t = &targets[rnd(target_cnt)];
	bool datagram = !held && IS_DATAGRAM(end);
	struct sockaddr_storage to;

	*c = (struct conn) {
		.ready = client_ready, .end = end, .held = held,
		.want = 1 + (rnd(4) ? rnd(200) : rnd(BYTES_MAX)),
		.since = now_ns(),
	};
	if (end == END_GIVEN_UP && nowhere.len)
		t = &nowhere;
	else if (end == END_GIVEN_UP)
		c->end = end = END_SILENT;
	to = t->sa;
	if (end == END_REFUSED || end == END_DATAGRAM_REFUSED)
		((struct sockaddr_in *)&to)->sin_port = htons(closed_port);
	c->fd = socket(to.ss_family, (datagram ? SOCK_DGRAM : SOCK_STREAM) |
		       SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fail("socket");
	alive++;
	if (connect(c->fd, (struct sockaddr *)&to, t->len) &&
	    errno != EINPROGRESS) {
		over(c, end == END_REFUSED && errno == ECONNREFUSED);
		return;
	}
	watch(c, EPOLLOUT, EPOLL_CTL_ADD);
	if (datagram)
		ask(c);
}

/* Datagrams may be lost, and so may the news that there is nobody: such are
 * over after a while. Of a connection that is not, something is wrong. */
static void client_patience(struct conn *c, uint64_t now)
{
	uint64_t most = c->end == END_GIVEN_UP ? 0 :
			IS_DATAGRAM(c->end) ? PATIENCE_NS / 30 : PATIENCE_NS;

	if (c->fd < 0 || c->held || now - c->since < most)
		return;
	errno = ETIMEDOUT;
	lost += c->end == END_DATAGRAM;
	over(c, IS_DATAGRAM(c->end) || c->end == END_GIVEN_UP);
}

static int run_run(char **argv)
{
	unsigned at_once = (unsigned)atoi(argv[2]);
	uint64_t failed = 0, total, looked = now_ns();

	state = strtoull(argv[0], NULL, 0) * 0x9e3779b97f4a7c15 + 1;
	total = todo = strtoull(argv[1], NULL, 0);
	closed_port = (uint16_t)atoi(argv[3]);
	if (strcmp(argv[4], "none"))
		target_parse(&nowhere, argv[4], 1);
	targets_parse(argv + 5);
	while (todo || alive) {
		uint64_t now;

		while (todo && alive < at_once) {
			todo--;
			client_open(conn_free(), false);
		}
		loop_once();
		now = now_ns();
		for (unsigned i = 0; now - looked > 100000000 && i < CONNS_MAX;
		     i++)
			client_patience(&conns[i], now);
		looked = now - looked > 100000000 ? now : looked;
	}
	for (unsigned e = 0; e < END_COUNT; e++) {
		printf("%s=%llu ", end_names[e], (unsigned long long)done[e]);
		failed += wrong[e];
	}
	printf("lost=%llu wrong=%llu\n", (unsigned long long)lost,
	       (unsigned long long)failed);
	/* On loopback, and with room: a few in a thousand. */
	return failed || lost > total / 8 / 50;
}

/* --- those that stand --- */

static unsigned held_answers;

static void held_ready(struct conn *c, uint32_t events)
{
	ssize_t n;

	if (!c->asked && events & EPOLLOUT) {
		c->want = 1;
		ask(c);
		return;
	}
	n = recv(c->fd, buf, sizeof(buf), 0);
	if (n == 1) {
		held_answers++;
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	fprintf(stderr, "a connection that stood has ended: %s\n",
		n ? strerror(errno) : "end of file");
	exit(1);
}

static void held_wait(unsigned count, const char *what)
{
	uint64_t end = now_ns() + PATIENCE_NS;

	while (held_answers < count && now_ns() < end)
		loop_once();
	if (held_answers == count)
		return;
	fprintf(stderr, "%s: %u of %u\n", what, held_answers, count);
	exit(1);
}

static int run_hold(char **argv)
{
	unsigned count = (unsigned)atoi(argv[0]);
	char c;

	state = 1;
	targets_parse(argv + 1);
	for (unsigned i = 0; i < count; i++) {
		struct conn *new = conn_free();

		client_open(new, true);
		new->ready = held_ready;
		if (i % 100 == 99)
			held_wait(i + 1, "opened");
	}
	held_wait(count, "opened");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	held_answers = 0;
	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (conns[i].fd >= 0)
			send(conns[i].fd, "?", 1, MSG_NOSIGNAL);
	held_wait(count, "still there");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} verbs[] = {
		{ "serve", 1, run_serve },
		{ "run", 7, run_run },
		{ "hold", 3, run_hold },
	};

	signal(SIGPIPE, SIG_IGN);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	for (unsigned i = 0; i < 3 && argc > 1; i++)
		if (!strcmp(argv[1], verbs[i].name) &&
		    argc - 2 >= verbs[i].args)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "usage: see the source\n");
	return 2;
}
