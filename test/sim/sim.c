/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.c - schedules: each seed makes one, runs it in a process of its own, and
 * judges how it ended
 *
 * usage: sim [-cv] [-j PROCESSES] [-n COUNT] [-s FIRST] [-x|-f POINT[.KIND]]
 *   -s  one seed, or with -n the first of so many
 *   -x  each seed without faults, and then again with one, at each point where
 *       one could be
 *   -f  a seed with this one
 *   -v  trace of calls, segments, and the daemon's own log
 *   -c  what happened how often, over all schedules
 */
/* wrap: epoll_create1 epoll_ctl epoll_wait epoll_pwait2 poll socket bind
 * listen connect accept4 getsockname close shutdown setsockopt getsockopt ioctl
 * send recv sendmsg recvmsg sendmmsg recvmmsg pipe2 fcntl fcntl64 write
 * splice clock_gettime getrandom log_msg */
#include "test/sim/sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fwd.h"
#include "log.h"
#include "neigh.h"
#include "test/unit/board.h"

#define START		(1000 * SECOND)
#define FAULTS_FOR	(100 * SECOND)
#define PATIENCE	(5 * 3600 * SECOND)
#define AFTERWARDS	(400 * SECOND)
#define WALL_LIMIT_S	10
#define WORKERS_MAX	16u
#define FAILURES_MAX	10u
#define SEEDS_TELLING	1000	/* all that can happen happens in so many */
#define SEEDS_DEFAULT	100000u
#define FAULT_KINDS	3u

struct counters *counters;

/* --- what a schedule is --- */

static unsigned sometimes(unsigned per_mille, unsigned most)
{
	return chance(per_mille) ? rnd_between(1, most) : 0;
}

static void make_faults(struct faults *f)
{
	if (chance(100))
		return;			/* a day without */
	*f = (struct faults) {
		.loss = sometimes(500, 200),
		.dup = sometimes(300, 200),
		.reorder = sometimes(400, 300),
		.eintr = sometimes(300, 300),
		.shorts = sometimes(500, 500),
		.nobufs = sometimes(300, 300),
		.no_fd = sometimes(50, 300),
		.no_epoll = sometimes(30, 300),
		.abort_accept = sometimes(30, 500),
		.no_pipe = sometimes(200, 1000),
		.small_pipe = sometimes(200, 1000),
		.spurious = sometimes(300, 300),
		.overtake = sometimes(600, 300),
		.stall = sometimes(300, 60),
		.stingy = sometimes(300, 500),
	};
}

static uint64_t some_bytes(void)
{
	unsigned dice = rnd(100);

	if (dice < 8)
		return 0;
	if (dice < 25)
		return rnd_between(1, 100);
	if (dice < 65)
		return rnd_between(100, 20000);
	if (dice < 96)
		return rnd_between(10000, 100000);
	return rnd_between(100000, 400000);
}

static uint64_t some_time(void)
{
	static const uint64_t most[] = {
		0, 10 * US, 100 * US, MS, 10 * MS, 100 * MS,
	};
	uint64_t t = PICK(most);

	return t ? t / 2 + rnd((uint32_t)t) : 0;
}

static uint32_t some_chunk(uint64_t total)
{
	static const uint32_t sizes[] = { 1, 100, 1460, 9000, 70000, 1000000 };
	uint32_t n = PICK(sizes);

	return MAX(n, (uint32_t)(total / 100));
}

static void make_program(struct program *p, uint64_t writes, uint64_t reads)
{
	static const uint64_t pauses[] = {
		10 * MS, SECOND, 10 * SECOND, 300 * SECOND,
	};

	*p = (struct program) {
		.write_chunk = some_chunk(writes),
		.read_chunk = some_chunk(reads),
		.write_gap = some_time(), .read_gap = some_time(),
		.fin_delay = some_time(),
		.pause_at = NEVER, .reset_at = NEVER,
	};
	if (chance(200) && reads) {
		p->pause_at = rnd((uint32_t)reads);
		p->pause = PICK(pauses);
	}
	if (chance(50))
		p->reset_at = some_time() + some_time() * 20;
}

static struct outcome some_outcome(bool connects)
{
	static const int errors[] = {
		ECONNREFUSED, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH,
		ENETUNREACH,
	};
	struct outcome o = { 0 };

	if (chance(60))
		o.error = PICK(errors);
	if (connects && chance(700))
		o.after = 10 * US + some_time();
	return o;
}

static void make_conn(unsigned i)
{
	struct conn *c = &conns[i];
	char text[ADDR_STRLEN];

	*c = (struct conn) {
		.kind = chance(600) ? GUEST_OPENS : HOST_OPENS,
		.fam = chance(500) ? FAM4 : FAM6,
		.fd = { -1, -1 }, .daemon_ws = -1,
		.start = world.now + some_time() * 5,
	};
	if (world.pasta && chance(600))
		c->kind = chance(500) ? SPLICE_IN : SPLICE_OUT;
	c->guest = conf_writable.net[c->fam].guest;
	snprintf(text, sizeof(text), c->fam == FAM4 ? "198.51.100.%u" :
						      "2001:db8::%u", i + 1);
	addr_parse(&c->peer, text);
	if (!conn_is_tap(c))
		c->peer = addr_loopback(c->fam);
	c->guest_port = c->kind == GUEST_OPENS ? (uint16_t)(GUEST_PORT + i) :
						 SERVICE_PORT;
	c->peer_port = c->kind == GUEST_OPENS ? (uint16_t)(SERVER_PORT + i) :
						(uint16_t)(PEER_PORT + i);
	for (unsigned end = 0; end < 2; end++) {
		static const uint32_t bufs[] = {
			2000, 5000, 16384, 65536, 200000, 2000000,
		};

		c->stream[end].id = rnd(1u << 30);
		c->stream[end].total = some_bytes();
		c->sndbuf[end] = PICK(bufs);
		c->rcvbuf[end] = PICK(bufs);
	}
	for (unsigned end = 0; end < 2; end++)
		make_program(&c->program[end], c->stream[end].total,
			     c->stream[!end].total);
	/* One of the two has to begin */
	if (chance(500))
		c->program[rnd(2)].fin_after_eof = true;
	c->outcome = some_outcome(c->kind != HOST_OPENS);
}

/* --- the daemon --- */

static const struct link_hooks link_hooks = {
	.sink		= dispatch,
	.writable	= flow_link_writable,
};

static void make_conf(void)
{
	static const uint16_t mtus[] = { 0, 1280, 1500, 1500, 9000, 65520 };
	struct conf *c = &conf_writable;

	board_conf();
	c->mode = world.pasta ? MODE_PASTA : MODE_PASST;
	c->mtu = PICK(mtus);
	c->can_bind_device = true;
	c->has_peek_off[FAM4] = chance(700);
	c->has_peek_off[FAM6] = chance(700);
	c->inbound.cnt = 2;
	c->inbound.rule[0] = (struct fwd_rule) {
		.listen = addr_any(FAM6), .flags = RULE_DUAL,
		.first = RULE_PORT, .last = RULE_PORT,
		.to = SERVICE_PORT, .proto = IPPROTO_TCP,
	};
	c->inbound.rule[1] = c->inbound.rule[0];
	c->inbound.rule[1].proto = IPPROTO_UDP;
	c->outbound = c->inbound;
}

static void make_link(void)
{
	struct link_caps caps = {
		.max_payload = ETH_FRAME_MAX - 14 - 20 - 8,
	};

	if (chance(500)) {
		caps.csum = true;
		caps.tso4 = chance(800);
		caps.tso6 = chance(800);
		caps.uso = chance(500);
	}
	wire_start(&caps, &link_hooks);
}

static void start_daemon(void)
{
	char err[256] = "";

	make_conf();
	kernel_start();
	loop_init();
	flow_init(board_flow_ops);
	fwd_init();
	resolver_init();
	neigh_init();
	tcp_splice_init();
	udp_init();
	make_link();
	if (!listen_open(PIF_HOST, err, sizeof(err)) ||
	    (world.pasta && !listen_open(PIF_SPLICE, err, sizeof(err))))
		fail("listeners: %s", err);
	if (chance(100))
		slab_limit(rnd_between(1, 8));
}

/* --- running --- */

static void conn_start(unsigned i, unsigned unused)
{
	struct conn *c = &conns[i];

	(void)unused;
	counters->conns++;
	T("connection %u: starts: %llu bytes by %u, %llu bytes by %u", i,
	  (unsigned long long)c->stream[0].total, c->program[0].write_chunk,
	  (unsigned long long)c->stream[1].total, c->program[1].write_chunk);
	if (conn_is_tap(c))
		guest_start(c);
	if (c->kind != GUEST_OPENS)
		kernel_call_in(c);
}

static void start_schedule(uint64_t seed)
{
	world.seed = seed;
	random_seed(seed);
	world.now = START + rnd(100000) * MS;
	world.pasta = chance(500);
	world.stream = !world.pasta && chance(500);
	world.latency = rnd_between(1, 200) * US;
	start_daemon();
	world.conns = rnd_between(1, 4);
	for (unsigned i = 0; i < world.conns; i++) {
		make_conn(i);
		at(conns[i].start, conn_start, i, 0);
	}
	datagram_start();
	if (!world.one_fault)
		make_faults(&world.faults);
	world.slow_until = world.now + FAULTS_FOR;
	world.end_by = world.now + PATIENCE;
}

static unsigned flows(void)
{
	unsigned n = 0;

	for (unsigned t = FLOW_FREE + 1; t < FLOW_TYPE_COUNT; t++)
		n += flow_count((enum flow_type)t);
	return n;
}

static bool end_over(const struct conn *c, unsigned end)
{
	if (conn_is_tap(c) && !end)
		return guest_over(c);
	return c->program[end].gone ||
	       (c->stream[0].fin_got && c->stream[1].fin_got);
}

static bool conn_over(const struct conn *c)
{
	if (c->start >= world.now)
		return false;
	return c->cause || (end_over(c, 0) && end_over(c, 1));
}

static bool all_over(void)
{
	if (flows() || !kernel_idle())
		return false;
	for (unsigned i = 0; i < world.conns; i++)
		if (!conn_over(&conns[i]))
			return false;
	return true;
}

static void judge_conn(const struct conn *c)
{
	for (unsigned end = 0; end < 2; end++) {
		const struct stream *s = &c->stream[end];

		if (c->cause || (s->fin_got && s->got == s->sent))
			continue;
		fail("connection %u: %llu of %llu bytes from end %u arrived%s",
		     conn_idx(c), (unsigned long long)s->got,
		     (unsigned long long)s->sent, end,
		     s->fin_got ? "" : ", no end of file");
	}
	counters->well += !c->cause;
}

static void judge_end(void)
{
	for (unsigned i = 0; i < world.conns; i++)
		judge_conn(&conns[i]);
	if (flows())
		fail("%u flows are left over", flows());
	if (slab_in_use())
		fail("%u chunks of the slab leak", slab_in_use());
	kernel_check_end();
	datagram_check_end();
}

static void never_ends(const char *how)
{
	for (unsigned i = 0; i < world.conns; i++)
		if (!conn_over(&conns[i]))
			fail("%s, but connection %u is not over", how, i);
	fail("%s, but %u flows are left over", how, flows());
}

/* Some time after all seems over, too: what was sent again, or late, may begin
 * something new, which has to end like everything else. */
static void run(uint64_t seed)
{
	uint64_t over_by = NEVER;

	start_schedule(seed);
	while (!world.dead && (world.now < over_by || !all_over())) {
		loop_once(&board_hooks, -1);
		if (over_by == NEVER && all_over()) {
			T("all is over");
			over_by = world.now + AFTERWARDS;
		}
		if (world.now > world.end_by)
			never_ends("much time has gone by");
	}
	if (!all_over())
		never_ends("everything sleeps");
	judge_end();
}

/* --- many of them --- */

struct totals {
	unsigned passed, failed;
	uint64_t points;		/* for a fault, in the last schedule */
};

/* What each schedule is run with. */
static bool each_fault;

static bool run_apart(struct totals *t, uint64_t seed)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(WALL_LIMIT_S);
		run(seed);
		t->points = world.fault_points;
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("sim");
		exit(2);
	}
	if (!status)
		return true;
	if (WIFSIGNALED(status))
		printf("seed %llu: %s\n", (unsigned long long)seed,
		       strsignal(WTERMSIG(status)));
	printf("    make check-sim SEED=%llu", (unsigned long long)seed);
	if (world.fault_at)
		printf(" FAULT=%llu.%u", (unsigned long long)world.fault_at,
		       world.fault_kind);
	printf("\n");
	return false;
}

static void count(struct totals *t, bool passed)
{
	if (passed)
		t->passed++;
	else
		t->failed++;
}

/* One fault at each point of a schedule, of each kind: where there are several,
 * as of errors, chance picks another one. */
static void work_faults(struct totals *t, uint64_t seed)
{
	uint64_t points;

	world.fault_at = 0;
	count(t, run_apart(t, seed));
	points = t->points;
	for (world.fault_at = 1; world.fault_at <= points; world.fault_at++)
		for (world.fault_kind = 0; world.fault_kind < FAULT_KINDS &&
		     t->failed < FAILURES_MAX; world.fault_kind++)
			count(t, run_apart(t, seed));
}

static void work(struct totals *t, uint64_t first, uint64_t seeds,
		 unsigned step)
{
	for (uint64_t i = 0; i < seeds && t->failed < FAILURES_MAX; i += step) {
		if (each_fault)
			work_faults(t, first + i);
		else
			count(t, run_apart(t, first + i));
	}
	fflush(stdout);
}

static void print_counters(void)
{
#define X(name)								\
	printf("%12llu %s\n", (unsigned long long)counters->name, #name);
	COUNTERS(X)
#undef X
}

/* What never happens in that many schedules is not simulated any more. */
static unsigned missing(void)
{
	unsigned cnt = 0;

#define X(name)								\
	if (!counters->name && ++cnt)					\
		printf("never happened: " #name "\n");
	COUNTERS(X)
#undef X
	return cnt;
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("sim");
		exit(2);
	}
	return p;
}

/* "17.2": at the 17th point, the third kind of fault */
static void fault_parse(const char *text)
{
	char *end;

	world.one_fault = true;
	world.fault_at = strtoull(text, &end, 10);
	world.fault_kind = *end ? (unsigned)atoi(end + 1) : 0;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = 0;
	unsigned workers = 2, passed = 0, failed = 0;
	bool count_all = false;
	struct totals *totals = shared(sizeof(*totals) * WORKERS_MAX);
	int opt;

	counters = shared(sizeof(*counters));
	while ((opt = getopt(argc, argv, "cf:j:n:s:vx")) > 0) {
		if (opt == '?')
			return 2;
		if (opt == 'j')
			workers = (unsigned)atoi(optarg);
		if (opt == 'n')
			seeds = strtoull(optarg, NULL, 0);
		if (opt == 's') {
			first = strtoull(optarg, NULL, 0);
			seeds = seeds ? seeds : 1;
		}
		if (opt == 'f')
			fault_parse(optarg);
		each_fault |= opt == 'x';
		world.verbose |= opt == 'v';
		count_all |= opt == 'c';
	}
	seeds = seeds ? seeds : SEEDS_DEFAULT;
	world.one_fault |= each_fault;
	workers = CLAMP(workers, 1u, WORKERS_MAX);
	workers = (unsigned)MIN(workers, seeds);
	log_threshold = LOG_LVL_ERR;
	if (world.verbose) {
		log_threshold = LOG_LVL_DEBUG;
		setvbuf(stdout, NULL, _IOLBF, 0);
	}

	for (unsigned i = 0; i < workers; i++) {
		fflush(stdout);
		if (!fork()) {
			work(&totals[i], first + i, seeds - i, workers);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < workers; i++)
		wait(NULL);
	for (unsigned i = 0; i < workers; i++) {
		passed += totals[i].passed;
		failed += totals[i].failed;
	}
	if (count_all)
		print_counters();
	if (!each_fault && passed >= SEEDS_TELLING)
		failed += missing();
	printf("%u passed, %u failed, %u skipped\n", passed, failed,
	       each_fault ? 0 : (unsigned)seeds - passed - failed);
	return failed || !passed;
}
