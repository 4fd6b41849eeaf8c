/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - traffic for the system tests and the bench, and what became of it
 *
 * One server speaks to every client: the first byte of a TCP connection says
 * what it is for.
 *
 *	'e'	echo: every byte is returned, this one included
 *	's'	sink: bytes are counted, the count is the answer to the FIN
 *	'g'	source: as many bytes as the hello asks for, then FIN
 *	'x'	exchange: both sides send a known pseudo-random stream, each of
 *		a length of its own, and close their half when it has been sent.
 *		Each compares what arrives with what must have been sent; on a
 *		difference, or an end too early, the connection is reset
 *
 * UDP: 'e' is echoed, 'b' counted, 'q' answered with the counts so far.
 *
 * Results are one line of name=value on standard output. Exit status 0 means
 * that everything went as it should: every transaction completed, every stream
 * arrived whole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#define BUF_SIZE	(256 * 1024)
#define CHUNK		(128 * 1024)
#define ENDLESS		UINT64_MAX
#define BATCH_MAX	64
#define SEGMENTS_MAX	64	/* what every kernel takes */
#define CONNECTING_MAX	64	/* connections being opened */
#define NS_PER_S	1000000000ull

struct hello {			/* everything but an echo starts with this */
	char what;
	char pad[7];
	uint64_t seed;		/* of the client's stream; server's is ~seed */
	uint64_t from_client, from_server;
	uint64_t sleep_ms;	/* server does nothing for so long */
};

struct half {			/* one direction of a stream */
	uint64_t seed, pos, size;
	bool done;
};

struct conn {
	void (*ready)(struct conn *c, uint32_t events);
	int fd;
	uint32_t interest;
	struct half in, out;
	bool verify, watched;
	uint64_t wake_ns;	/* not reading until then; 0: awake */
	struct conn *next_asleep;
	/* client of transactions */
	uint64_t start_ns;
	size_t got;
	uint64_t done_cnt;
	uint64_t sunk;		/* what a sink says it got */
	/* server */
	struct hello hello;
	size_t hello_len;
};

static struct {
	unsigned conns, ports, reps;
	uint64_t count, size, max, seed, sleep_ms, server_sleep_ms;
	double secs, rate;
	int rcvbuf, segment;
	bool background, keep;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	unsigned port;
} opt = { .conns = 1, .ports = 1, .size = 1, .seed = 1, .reps = 1 };

static int epfd;
static uint8_t buf[BUF_SIZE];
static uint64_t words[BUF_SIZE / 8 + 2];
static struct conn *asleep;
static bool stop;
static uint64_t deadline_ns = UINT64_MAX;

static struct {
	uint64_t ops, bytes, failed, reset, refused, timed_out, corrupt;
	uint64_t uncounted;	/* connections whose sink never answered */
	uint64_t max_ns;
} stat;

/* Latencies, 32 buckets for each power of two nanoseconds. */
static uint64_t hist[64 * 32];

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* --- latencies --- */

static void latency_add(uint64_t ns)
{
	unsigned e = 63 - (unsigned)__builtin_clzll(ns | 32);

	hist[(e - 5) * 32 + ((ns >> (e - 5)) & 31)]++;
	if (ns > stat.max_ns)
		stat.max_ns = ns;
}

static double latency_us(double quantile)
{
	uint64_t all = 0, seen = 0;

	for (unsigned i = 0; i < sizeof(hist) / sizeof(hist[0]); i++)
		all += hist[i];
	for (unsigned i = 0; i < sizeof(hist) / sizeof(hist[0]); i++) {
		seen += hist[i];
		if (hist[i] && (double)seen >= quantile * (double)all)
			return (double)((32ull + i % 32) << (i / 32)) / 1e3;
	}
	return 0;
}

/* --- the pseudo-random stream: any piece of it, at any time --- */

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static const uint8_t *stream_piece(const struct half *h, size_t len)
{
	uint64_t word = h->pos / 8;

	for (size_t i = 0; i < (len + 15) / 8; i++)
		words[i] = mix(h->seed ^ (word + i));
	return (const uint8_t *)words + h->pos % 8;
}

/* --- sockets and events --- */

static void parse_address(const char *s, const char *port)
{
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&opt.addr;
	struct sockaddr_in *a4 = (struct sockaddr_in *)&opt.addr;

	opt.port = (unsigned)atoi(port);
	if (inet_pton(AF_INET, s, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		opt.addr_len = sizeof(*a4);
	} else if (inet_pton(AF_INET6, s, &a6->sin6_addr) == 1) {
		a6->sin6_family = AF_INET6;
		opt.addr_len = sizeof(*a6);
	} else {
		errno = EINVAL;
		fail("%s", s);
	}
}

static const struct sockaddr *address(unsigned n)
{
	in_port_t port = htons((uint16_t)(opt.port + n % opt.ports));

	if (opt.addr.ss_family == AF_INET)
		((struct sockaddr_in *)&opt.addr)->sin_port = port;
	else
		((struct sockaddr_in6 *)&opt.addr)->sin6_port = port;
	return (const struct sockaddr *)&opt.addr;
}

static int sock_new(int type)
{
	int fd = socket(opt.addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0), one = 1;

	if (fd < 0)
		fail("socket");
	if (opt.rcvbuf &&	/* beyond the system's limit where we may */
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &opt.rcvbuf,
		       sizeof(opt.rcvbuf)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt.rcvbuf,
			   sizeof(opt.rcvbuf));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void conn_watch(struct conn *c, uint32_t interest)
{
	struct epoll_event ev = { .events = interest, .data.ptr = c };

	if (c->watched && c->interest == interest)
		return;
	if (epoll_ctl(epfd, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd,
		      &ev))
		fail("epoll_ctl");
	c->watched = true;
	c->interest = interest;
}

static void conn_drop(struct conn *c)
{
	for (struct conn **p = &asleep; *p; p = &(*p)->next_asleep) {
		if (*p == c) {
			*p = c->next_asleep;
			break;
		}
	}
	close(c->fd);
	free(c);
}

static void conn_reset(struct conn *c)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	conn_drop(c);
}

static void count_error(int err)
{
	stat.failed++;
	if (err == ECONNRESET || err == EPIPE)
		stat.reset++;
	else if (err == ECONNREFUSED)
		stat.refused++;
	else if (err == ETIMEDOUT)
		stat.timed_out++;
}

static void conn_wake(struct conn *c);

static int next_timeout_ms(uint64_t now)
{
	uint64_t next = deadline_ns;

	for (struct conn *c = asleep; c; c = c->next_asleep)
		if (c->wake_ns < next)
			next = c->wake_ns;
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

static void wake_sleepers(uint64_t now)
{
	struct conn **p = &asleep;

	while (*p) {
		struct conn *c = *p;

		if (c->wake_ns > now) {
			p = &c->next_asleep;
			continue;
		}
		*p = c->next_asleep;
		c->wake_ns = 0;
		conn_wake(c);
	}
}

static void loop(void (*at_deadline)(void))
{
	struct epoll_event ev[256];

	while (!stop) {
		uint64_t now = now_ns();
		int n;

		wake_sleepers(now);
		if (now >= deadline_ns) {
			deadline_ns = UINT64_MAX;
			at_deadline();
			continue;
		}
		n = epoll_wait(epfd, ev, 256, next_timeout_ms(now));
		for (int i = 0; i < n && !stop; i++) {
			struct conn *c = ev[i].data.ptr;

			c->ready(c, ev[i].events);
		}
	}
}

/* --- streams, the same on both ends --- */

static void stream_interest(struct conn *c)
{
	conn_watch(c, (c->in.done || c->wake_ns ? 0 : EPOLLIN) |
		      (c->out.done ? 0 : EPOLLOUT));
}

static void stream_out(struct conn *c)
{
	struct half *h = &c->out;
	uint64_t left = h->size - h->pos;
	size_t len = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t n = 0;

	if (len)
		n = send(c->fd, c->verify ? stream_piece(h, len) : buf, len,
			 MSG_NOSIGNAL);
	if (n > 0)
		h->pos += (uint64_t)n;
	if (h->pos < h->size)
		return;
	h->done = true;
	shutdown(c->fd, SHUT_WR);
}

/* False: not the stream that was sent. */
static bool stream_in(struct conn *c, bool *eof)
{
	struct half *h = &c->in;
	ssize_t n = recv(c->fd, buf, c->verify ? CHUNK : BUF_SIZE, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n) {
		*eof = h->done = true;
		return h->size == ENDLESS || h->pos == h->size;
	}
	if (c->verify && (h->pos + (uint64_t)n > h->size ||
			  memcmp(buf, stream_piece(h, (size_t)n), (size_t)n))) {
		errno = EBADMSG;
		return false;
	}
	h->pos += (uint64_t)n;
	return true;
}

static void conn_sleep(struct conn *c, uint64_t ms)
{
	if (!ms)
		return;
	c->wake_ns = now_ns() + ms * 1000000;
	c->next_asleep = asleep;
	asleep = c;
}

static void conn_wake(struct conn *c)
{
	stream_interest(c);
}

/* --- TCP server --- */

static void serve_echo(struct conn *c, uint32_t events)
{
	ssize_t n = recv(c->fd, buf, BUF_SIZE, 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	/* An echo larger than the send buffer would be cut short: clients keep
	 * less than that in flight. */
	if (n <= 0 || send(c->fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
		conn_drop(c);
}

static void serve_stream(struct conn *c, uint32_t events)
{
	bool eof = false;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !c->in.done) {
		if (!stream_in(c, &eof)) {
			conn_reset(c);
			return;
		}
		if (eof && c->hello.what == 's') {
			uint64_t total = c->in.pos;

			send(c->fd, &total, sizeof(total), MSG_NOSIGNAL);
			conn_drop(c);
			return;
		}
	}
	if (events & EPOLLOUT && !c->out.done)
		stream_out(c);
	/* A hang-up alone may have data in front of it, still to be read. */
	if (events & EPOLLERR ||
	    (c->in.done && (c->out.done || events & EPOLLHUP))) {
		conn_drop(c);
		return;
	}
	stream_interest(c);
}

static void serve_hello(struct conn *c, uint32_t events)
{
	struct hello *h = &c->hello;
	ssize_t n = recv(c->fd, (char *)h + c->hello_len,
			 sizeof(*h) - c->hello_len, 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_drop(c);
		return;
	}
	c->hello_len += (size_t)n;
	if (h->what == 'e') {
		send(c->fd, h, (size_t)n, MSG_NOSIGNAL);
		c->ready = serve_echo;
		return;
	}
	if (c->hello_len < sizeof(*h))
		return;
	c->ready = serve_stream;
	c->verify = h->what == 'x';
	c->in = (struct half){ .seed = h->seed, .size = h->from_client };
	c->out = (struct half){ .seed = ~h->seed, .size = h->from_server,
				.done = h->what == 's' };
	conn_sleep(c, h->sleep_ms);
	if (c->wake_ns)
		conn_watch(c, 0);
	else
		stream_interest(c);
}

static void serve_accept(struct conn *l, uint32_t events)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC),
	    one = 1;
	struct conn *c;

	(void)events;
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		fail("calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->fd = fd;
	c->ready = serve_hello;
	conn_watch(c, EPOLLIN);
}

/* Once this returns in the parent, clients may come. */
static void background(void)
{
	pid_t pid;

	if (!opt.background)
		return;
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid) {
		printf("%i\n", pid);
		exit(0);
	}
	setsid();
	if (!freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "r", stdin))
		fail("/dev/null");
}

static void at_deadline_stop(void)
{
	stop = true;
}

static int run_serve(void)
{
	int one = 1;

	for (unsigned i = 0; i < opt.ports; i++) {
		struct conn *l = calloc(1, sizeof(*l));

		if (!l)
			fail("calloc");
		l->fd = sock_new(SOCK_STREAM);
		l->ready = serve_accept;
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(l->fd, address(i), opt.addr_len) ||
		    listen(l->fd, 4096))
			fail("port %u", opt.port + i);
		conn_watch(l, EPOLLIN);
	}
	background();
	loop(at_deadline_stop);
	return 0;
}

/* --- TCP transactions: rr, crr, idle --- */

static uint64_t started;	/* connections */
static unsigned alive;
static uint8_t request[BUF_SIZE];

static void transact_open(void);

static void transact_send(struct conn *c)
{
	c->got = 0;
	c->start_ns = c->start_ns ? c->start_ns : now_ns();
	if (send(c->fd, request, opt.size, MSG_NOSIGNAL) != (ssize_t)opt.size)
		fail("send");
}

static void kept_ready(struct conn *c, uint32_t events)
{
	(void)events;
	fputs("load: a connection which was kept has ended\n", stderr);
	conn_drop(c);
}

static void conn_keep(struct conn *c)
{
	c->ready = kept_ready;
	conn_watch(c, EPOLLRDHUP);
}

static void transact_end(struct conn *c, int err)
{
	if (err)
		count_error(err);
	alive--;
	if (!err && opt.keep)
		conn_keep(c);
	else
		conn_drop(c);
	if (opt.reps)
		transact_open();
	if (!alive && !opt.keep)
		stop = true;
	if (opt.keep && !alive) {
		printf("ready=%" PRIu64 " failed=%" PRIu64 "\n",
		       stat.ops, stat.failed);
		fflush(stdout);
	}
}

static void transact_ready(struct conn *c, uint32_t events)
{
	ssize_t n;
	int err = 0;
	socklen_t len = sizeof(err);

	if (events & (EPOLLERR | EPOLLHUP)) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		transact_end(c, err ? err : ECONNRESET);
		return;
	}
	if (c->interest & EPOLLOUT) {	/* connected */
		conn_watch(c, EPOLLIN);
		transact_send(c);
		return;
	}
	n = recv(c->fd, buf, opt.size - c->got, 0);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		transact_end(c, n ? errno : ECONNRESET);
		return;
	}
	c->got += (size_t)n;
	if (c->got < opt.size)
		return;
	latency_add(now_ns() - c->start_ns);
	c->start_ns = 0;
	stat.ops++;
	if (opt.reps && ++c->done_cnt >= opt.reps)
		transact_end(c, 0);
	else
		transact_send(c);
}

static void transact_open(void)
{
	struct conn *c;

	if (opt.count && started >= opt.count)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		fail("calloc");
	c->fd = sock_new(SOCK_STREAM);
	c->ready = transact_ready;
	c->start_ns = now_ns();
	if (connect(c->fd, address((unsigned)started), opt.addr_len) &&
	    errno != EINPROGRESS)
		fail("connect");
	started++;
	alive++;
	conn_watch(c, EPOLLOUT);
}

static int report(uint64_t start_ns)
{
	double secs = (double)(now_ns() - start_ns) / 1e9;

	printf("ops=%" PRIu64 " secs=%.3f tps=%.1f p50_us=%.1f p99_us=%.1f "
	       "max_us=%.1f failed=%" PRIu64 " reset=%" PRIu64
	       " refused=%" PRIu64 " timed_out=%" PRIu64 "\n",
	       stat.ops, secs, (double)stat.ops / secs, latency_us(0.5),
	       latency_us(0.99), (double)stat.max_ns / 1e3, stat.failed,
	       stat.reset, stat.refused, stat.timed_out);
	return stat.failed || !stat.ops;
}

static int run_transactions(void)
{
	uint64_t start = now_ns();

	memset(request, 'e', sizeof(request));
	if (opt.secs > 0)
		deadline_ns = start + (uint64_t)(opt.secs * 1e9);
	for (unsigned i = 0; i < opt.conns; i++)
		transact_open();
	loop(at_deadline_stop);
	return opt.keep ? 0 : report(start);
}

/* --- TCP streams: send, recv, exchange, stuck --- */

static char what;
static uint64_t first_ns, last_ns;
static struct conn **bulk;
static bool closing;		/* time is up */

static void bulk_open(void);

static void bulk_end(struct conn *c, int err)
{
	if (err)
		count_error(err);
	if (err == EBADMSG)
		stat.corrupt++;
	last_ns = now_ns();
	for (unsigned i = 0; i < opt.conns; i++)
		if (bulk[i] == c)
			bulk[i] = NULL;
	alive--;
	conn_drop(c);
	bulk_open();
	if (!alive)
		stop = true;
}

static void bulk_ready(struct conn *c, uint32_t events)
{
	bool eof = false;
	int err = 0;
	socklen_t len = sizeof(err);

	if (events & EPOLLERR) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		bulk_end(c, err ? err : ECONNRESET);
		return;
	}
	if (c->hello_len < sizeof(c->hello)) {
		if (send(c->fd, &c->hello, sizeof(c->hello), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(c->hello))
			fail("send");
		c->hello_len = sizeof(c->hello);
		first_ns = first_ns ? first_ns : now_ns();
		bulk_open();
	}
	if (events & (EPOLLIN | EPOLLHUP) && !c->in.done && !c->wake_ns) {
		uint64_t before = c->in.pos;

		errno = 0;
		if (!stream_in(c, &eof)) {
			bulk_end(c, errno ? errno : ENODATA);
			return;
		}
		if (what != 's')
			stat.bytes += c->in.pos - before;
		else if (!before && c->in.pos >= sizeof(uint64_t))
			memcpy(&c->sunk, buf, sizeof(c->sunk));
	}
	if (events & EPOLLOUT && !c->out.done)
		stream_out(c);
	if (c->in.done && c->out.done) {
		stat.bytes += c->sunk;
		stat.ops++;
		bulk_end(c, 0);
		return;
	}
	stream_interest(c);
}

static uint64_t random_size(uint64_t salt)
{
	uint64_t r = mix(opt.seed ^ (salt * 0x2545f4914f6cdd1dull));

	if (r % 8 == 0)
		return 0;	/* closes its half at once */
	return (r >> 8) % (1ull << ((r >> 3) % 32)) % (opt.max + 1);
}

static void bulk_hello(struct conn *c, uint64_t n)
{
	struct hello *h = &c->hello;

	h->what = what;
	h->seed = mix(opt.seed + n);
	h->sleep_ms = opt.server_sleep_ms;
	if (what == 's') {
		h->from_client = ENDLESS;
	} else if (what == 'g') {
		h->from_server = opt.count ? opt.count : ENDLESS;
		h->from_client = ENDLESS;
	} else if (opt.max) {
		h->from_client = random_size(2 * n);
		h->from_server = random_size(2 * n + 1);
	} else {
		h->from_client = h->from_server = opt.size;
	}
	c->verify = what == 'x';
	c->out = (struct half){ .seed = h->seed, .size = h->from_client,
				.done = what == 'g' };
	if (what == 's' && opt.count)
		c->out.size = opt.count;
	c->in = (struct half){ .seed = ~h->seed, .size = h->from_server };
	if (what == 's')
		c->in.size = ENDLESS;
}

static void bulk_open(void)
{
	struct conn *c;

	if (closing || alive >= opt.conns ||
	    started >= (what == 'x' && opt.count ? opt.count : opt.conns))
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		fail("calloc");
	c->fd = sock_new(SOCK_STREAM);
	c->ready = bulk_ready;
	bulk_hello(c, started);
	if (connect(c->fd, address((unsigned)started), opt.addr_len) &&
	    errno != EINPROGRESS)
		fail("connect");
	for (unsigned i = 0; i < opt.conns; i++) {
		if (!bulk[i]) {
			bulk[i] = c;
			break;
		}
	}
	started++;
	alive++;
	conn_sleep(c, opt.sleep_ms);
	conn_watch(c, EPOLLOUT);
}

/* The count does not come: what the next hop acknowledged has to do. */
static void bulk_count_acked(void)
{
	for (unsigned i = 0; i < opt.conns; i++) {
		int left = 0;

		if (!bulk[i] || ioctl(bulk[i]->fd, SIOCOUTQ, &left))
			continue;
		stat.bytes += bulk[i]->out.pos - (uint64_t)left;
		stat.uncounted++;
	}
}

/* Time is up: senders close their half and wait for the count, though not for
 * ever; receivers have seen enough. */
static void bulk_time_up(void)
{
	last_ns = now_ns();
	if (what != 's' || closing) {
		if (closing)
			bulk_count_acked();
		stop = true;
		return;
	}
	closing = true;
	deadline_ns = last_ns + 3 * NS_PER_S;
	for (unsigned i = 0; i < opt.conns; i++) {
		struct conn *c = bulk[i];

		if (!c || c->out.done)
			continue;
		if (!c->hello_len) {	/* has not even connected */
			bulk_end(c, 0);
			continue;
		}
		c->out.size = c->out.pos;
		stream_out(c);
	}
}

static int run_bulk(void)
{
	double secs;

	/* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
	bulk = calloc(opt.conns, sizeof(*bulk));
	if (!bulk)
		fail("calloc");
	if (opt.secs > 0)
		deadline_ns = now_ns() + (uint64_t)(opt.secs * 1e9);
	/* A few at a time, each opens the next: listeners have short queues. */
	for (unsigned i = 0; i < CONNECTING_MAX; i++)
		bulk_open();
	loop(bulk_time_up);
	secs = (double)(last_ns - first_ns) / 1e9;
	printf("ops=%" PRIu64 " bytes=%" PRIu64 " secs=%.3f gbps=%.3f "
	       "failed=%" PRIu64 " reset=%" PRIu64 " refused=%" PRIu64
	       " corrupt=%" PRIu64 " uncounted=%" PRIu64 "\n",
	       stat.ops, stat.bytes, secs,
	       (double)stat.bytes * 8 / (secs > 0 ? secs : 1) / 1e9,
	       stat.failed, stat.reset, stat.refused, stat.corrupt,
	       stat.uncounted);
	return stat.failed != 0;
}

/* --- UDP --- */

struct ucounts {
	char what;
	char pad[7];
	uint64_t datagrams, bytes, first_ns, last_ns;
};

static struct ucounts ucounts;

static void userve_count(size_t len)
{
	ucounts.last_ns = now_ns();
	if (!ucounts.datagrams++)
		ucounts.first_ns = ucounts.last_ns;
	ucounts.bytes += len;
}

static void userve_ready(struct conn *c, uint32_t events)
{
	static uint8_t data[BATCH_MAX][65536];
	struct sockaddr_storage from[BATCH_MAX];
	struct mmsghdr m[BATCH_MAX], reply[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	int n, replies = 0;

	(void)events;
	for (int i = 0; i < BATCH_MAX; i++) {
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(c->fd, m, BATCH_MAX, 0, NULL);
	for (int i = 0; i < n; i++) {
		iov[i].iov_len = m[i].msg_len;
		if (m[i].msg_len && data[i][0] == 'b') {
			userve_count(m[i].msg_len);
			continue;
		}
		if (m[i].msg_len && data[i][0] == 'q') {
			ucounts.what = 'q';
			memcpy(data[i], &ucounts, sizeof(ucounts));
			iov[i].iov_len = sizeof(ucounts);
			ucounts = (struct ucounts){ 0 };
		}
		reply[replies++].msg_hdr = m[i].msg_hdr;
	}
	if (replies)
		sendmmsg(c->fd, reply, (unsigned)replies, 0);
}

static int run_userve(void)
{
	for (unsigned i = 0; i < opt.ports; i++) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			fail("calloc");
		c->fd = sock_new(SOCK_DGRAM);
		c->ready = userve_ready;
		if (bind(c->fd, address(i), opt.addr_len))
			fail("port %u", opt.port + i);
		conn_watch(c, EPOLLIN);
	}
	background();
	loop(at_deadline_stop);
	return 0;
}

static void urr_ready(struct conn *c, uint32_t events)
{
	ssize_t n = recv(c->fd, buf, BUF_SIZE, 0);

	(void)events;
	if (n < 0) {
		if (errno != EAGAIN)
			count_error(errno);
		return;
	}
	if ((uint64_t)n != opt.size) {
		stat.failed++;
		return;
	}
	latency_add(now_ns() - c->start_ns);
	stat.ops++;
	c->start_ns = now_ns();
	send(c->fd, request, opt.size, 0);
}

static int run_urr(void)
{
	uint64_t start = now_ns();

	memset(request, 'e', sizeof(request));
	deadline_ns = start + (uint64_t)(opt.secs * 1e9);
	for (unsigned i = 0; i < opt.conns; i++) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			fail("calloc");
		c->fd = sock_new(SOCK_DGRAM);
		c->ready = urr_ready;
		if (connect(c->fd, address(i), opt.addr_len))
			fail("connect");
		conn_watch(c, EPOLLIN);
		c->start_ns = now_ns();
		send(c->fd, request, opt.size, 0);
	}
	loop(at_deadline_stop);
	return report(start);
}

static bool blast_query(int fd, struct ucounts *r)
{
	for (int i = 0; i < 20; i++) {
		struct timeval tv = { .tv_usec = 250000 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		send(fd, "q", 1, 0);
		if (recv(fd, r, sizeof(*r), 0) == (ssize_t)sizeof(*r) &&
		    r->what == 'q')
			return true;
	}
	return false;
}

/* One call: a datagram, or as many segments as fit one super-frame. */
static uint64_t blast_once(int fd, unsigned segments)
{
	ssize_t len = send(fd, request, opt.size * segments, 0);

	return len < 0 ? 0 : (uint64_t)len / opt.size;
}

static int run_blast(void)
{
	uint64_t start = now_ns(), end, sent = 0;
	unsigned segments = opt.segment ? (unsigned)(65000 / opt.size) : 1;
	struct ucounts r = { 0 };
	int fd = sock_new(SOCK_DGRAM), size = (int)opt.size;

	segments = segments > SEGMENTS_MAX ? SEGMENTS_MAX : segments;
	fcntl(fd, F_SETFL, 0);
	memset(request, 'b', sizeof(request));
	if (connect(fd, address(0), opt.addr_len))
		fail("connect");
	if (opt.segment && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size,
				      sizeof(size)))
		fail("UDP_SEGMENT");
	end = start + (uint64_t)(opt.secs * 1e9);
	for (uint64_t now = start; now < end; now = now_ns()) {
		if (opt.rate > 0 &&
		    (double)sent > opt.rate * (double)(now - start) / 1e9) {
			usleep(200);
			continue;
		}
		sent += blast_once(fd, segments);
	}
	size = 0;
	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	if (!blast_query(fd, &r))
		fail("no answer to the query");
	printf("ops=%" PRIu64 " sent=%" PRIu64 " bytes=%" PRIu64 " secs=%.3f "
	       "tps=%.1f gbps=%.3f loss=%.4f\n", r.datagrams, sent, r.bytes,
	       opt.secs, (double)r.datagrams / opt.secs,
	       (double)r.bytes * 8 / opt.secs / 1e9,
	       1 - (double)r.datagrams / (double)(sent ? sent : 1));
	return 0;
}

/* --- the command line --- */

static const char usage[] =
"usage: load VERB [OPTION]... ADDRESS PORT\n"
"  serve, userve    TCP, UDP server; -d: in the background, prints its process\n"
"  rr, crr          transactions on open connections; a connection for each\n"
"  idle             connections opened and held\n"
"  send, recv       bulk; -c: bytes of each connection\n"
"  exchange         compared streams both ways; -m: of random length\n"
"  urr, blast       UDP transactions, UDP flood\n"
"  -n connections at once   -c count  -t seconds      -s size  -p ports used\n"
"  -m longest stream        -S seed   -b receive buffer\n"
"  -w ms the client sleeps before it reads, -W the server\n"
"  -r datagrams a second    -g send with UDP_SEGMENT  -d background\n";

static int run_rr(void)
{
	opt.reps = 0;
	return run_transactions();
}

static int run_idle(void)
{
	opt.count = opt.conns;
	opt.conns = opt.conns > CONNECTING_MAX ? CONNECTING_MAX : opt.conns;
	opt.keep = true;
	return run_transactions();
}

static int run_send(void)
{
	what = 's';
	return run_bulk();
}

static int run_recv(void)
{
	what = 'g';
	return run_bulk();
}

static int run_exchange(void)
{
	what = 'x';
	return run_bulk();
}

static const struct verb {
	const char *name;
	int (*run)(void);
} verbs[] = {
	{ "serve", run_serve },		{ "userve", run_userve },
	{ "rr", run_rr },		{ "crr", run_transactions },
	{ "idle", run_idle },		{ "send", run_send },
	{ "recv", run_recv },		{ "exchange", run_exchange },
	{ "urr", run_urr },		{ "blast", run_blast },
};

static void parse_option(int letter)
{
	switch (letter) {
	case 'n': opt.conns = (unsigned)atoi(optarg); break;
	case 'p': opt.ports = (unsigned)atoi(optarg); break;
	case 'c': opt.count = strtoull(optarg, NULL, 0); break;
	case 's': opt.size = strtoull(optarg, NULL, 0); break;
	case 'm': opt.max = strtoull(optarg, NULL, 0); break;
	case 'S': opt.seed = strtoull(optarg, NULL, 0); break;
	case 'w': opt.sleep_ms = strtoull(optarg, NULL, 0); break;
	case 'W': opt.server_sleep_ms = strtoull(optarg, NULL, 0); break;
	case 't': opt.secs = atof(optarg); break;
	case 'r': opt.rate = atof(optarg); break;
	case 'b': opt.rcvbuf = atoi(optarg); break;
	case 'g': opt.segment = 1; break;
	case 'd': opt.background = true; break;
	default: fputs(usage, stderr); exit(2);
	}
}

int main(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "n:p:c:s:m:S:w:W:t:r:b:gd")) != -1)
		parse_option(letter);
	if (argc - optind != 3 || !opt.conns || !opt.ports) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	parse_address(argv[optind + 1], argv[optind + 2]);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		fail("epoll_create1");
	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[optind], verbs[i].name))
			return verbs[i].run();
	fputs(usage, stderr);
	return 2;
}
