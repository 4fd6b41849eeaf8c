/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - runs packet diaries against the real daemon, less its main()
 *
 * Each diary runs once per address family, in a process of its own, inside a
 * network namespace with nothing but a loopback interface (where the kernel
 * lets us have one). The modules are wired as passt.c does it, except that the
 * guest is a socket pair, and that the clock stands still until the diary moves
 * it: from deadline to deadline, so that the millisecond at which a segment
 * leaves is exact. The host's half is made of ordinary sockets; the kernel is
 * waited for, by event, with a wall-clock limit.
 *
 * usage: guest [-v] [-p] [-4 | -6] DIARY...
 *   -v  print the log of packets and of the daemon for passed diaries, too
 *   -p  do without SO_PEEK_OFF, as on older kernels
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fwd.h"
#include "log.h"
#include "sock.h"
#include "test/unit/board.h"

#define START_MS	100000000u	/* the diary's clock begins here */
#define WALL_LIMIT_S	20		/* one diary, one family */
#define RESTLESS_TURNS	200000
#define NOTES		60
#define EXIT_SKIP	77
#define RUNS_MAX	1000
#define RUNS_AT_ONCE	6

struct world world;
static char notes[NOTES][240];
static unsigned note_cnt;

/* --- telling --- */

void note(const char *fmt, ...)
{
	char *line = notes[note_cnt++ % NOTES];
	uint64_t t = world.started ? now_ms() - START_MS : 0;
	int n = snprintf(line, sizeof(notes[0]), "%6u.%03u  ",
			 (unsigned)(t / 1000), (unsigned)(t % 1000));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(notes[0]) - (size_t)n, fmt, ap);
	va_end(ap);
}

static void print_notes(void)
{
	for (unsigned i = note_cnt > NOTES ? note_cnt - NOTES : 0;
	     i < note_cnt; i++)
		printf("    %s\n", notes[i % NOTES]);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	printf("  %s:%u: %s\n  ", world.script, world.line,
	       world.text ? world.text : "");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	print_notes();
	fflush(stdout);
	_exit(1);
}

void skip(const char *why)
{
	printf("  %s\n", why);
	fflush(stdout);
	_exit(EXIT_SKIP);
}

/* --- time --- */

uint64_t now_ms(void)
{
	return clock_ms();
}

uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t movements(void)
{
	uint64_t sum = world.frames + world.host_moves;

	for (unsigned i = 0; i < EV_COUNT; i++)
		sum += loop_events((enum ev_kind)i);
	return sum;
}

void pump(int wait_ms)
{
	uint64_t before = movements();

	host_turn();
	loop_once(&board_hooks, wait_ms);
	wire_drain();
	if (movements() != before || board_has_more)
		world.turns++;
}

/* Loopback delivers within the sender's system call, nearly always: the last
 * turn waits a moment for when it does not. */
void settle(void)
{
	unsigned idle = 0;

	for (unsigned i = 0; i < RESTLESS_TURNS; i++) {
		uint64_t turns = world.turns;

		pump(idle == 2 ? 1 : 0);
		idle = world.turns == turns ? idle + 1 : 0;
		if (idle == 3)
			return;
	}
	fail("the loop never comes to rest");
}

bool advance(uint64_t target, bool (*stop)(void))
{
	settle();
	for (;;) {
		int ms = timer_timeout();
		uint64_t next = now_ms() + (uint64_t)MAX(ms, 1);

		if (stop && stop())
			return true;
		if (now_ms() >= target)
			return false;
		if (ms < 0 || next > target)
			next = target;
		clock_set(next * 1000000);
		settle();
	}
}

bool wait_real(bool (*stop)(void))
{
	uint64_t until = real_ms() + REAL_MS;

	settle();
	while (!stop()) {
		if (real_ms() > until)
			return false;
		pump(5);
	}
	return true;
}

/* --- the world --- */

unsigned world_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		fail("/proc: %s", strerror(errno));
	while (readdir(d))
		n++;
	closedir(d);
	return n - host_fds() - datagram_fds();
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		fail("loopback: %s", strerror(errno));
	close(fd);
}

static bool enter_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	lo_up();
	return true;
}

void world_private_netns(void)
{
	if (world.private_netns)
		return;
	if (!enter_netns())
		skip("needs a network namespace of its own");
	world.private_netns = true;
}

static bool family_there(void)
{
	struct addr a = addr_loopback(world.fam);
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, &a, 0, 0);
	int fd = socket(addr_af(world.fam), SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && !bind(fd, &sa.sa, len);

	close_keep_errno(&fd);
	return yes;
}

static void forget_our_addresses(void)
{
	struct conf *c = &conf_writable;

	for (unsigned f = 0; f < FAM_COUNT; f++)
		c->net[f].map_loopback = c->net[f].our_tap = (struct addr) { 0 };
	c->our_ll = (struct addr) { 0 };
}

static void make_conf(void)
{
	struct conf *c = &conf_writable;

	board_conf();
	if (world.unreachable)
		forget_our_addresses();
	c->mode = MODE_PASST;
	c->no_ra = true;
	c->guest_fd = -1;
	for (unsigned f = 0; f < FAM_COUNT; f++)
		c->has_peek_off[f] = !world.no_peek_off &&
				     sock_probe_peek_off((enum fam)f);
	c->inbound.cnt = 2;
	for (unsigned i = 0; i < 2; i++)
		c->inbound.rule[i] = (struct fwd_rule) {
			.listen = addr_any(world.fam),
			.first = world.forward_port,
			.last = world.forward_port, .to = SERVICE_PORT,
			.proto = i ? IPPROTO_UDP : IPPROTO_TCP,
		};
}

/* A socket bound to *port; any, which is told, if that is 0. */
static int bound(int type, uint16_t *port)
{
	struct addr a = addr_any(world.fam);
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, &a, *port, 0);
	int fd = socket(addr_af(world.fam), type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && (bind(fd, &sa.sa, len) || !sock_local(fd, &a, port)))
		close_keep_errno(&fd);
	return fd;
}

/* Of both protocols. */
static uint16_t free_port(void)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint16_t port = 0;
		int tcp = bound(SOCK_STREAM, &port);
		int udp = tcp < 0 ? -1 : bound(SOCK_DGRAM, &port);
		bool both = udp >= 0;

		close_keep_errno(&tcp);
		close_keep_errno(&udp);
		if (both)
			return port;
	}
	fail("no free port: %s", strerror(errno));
}

static void attach_link(const struct link_hooks *link)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sv[2], rc;

	world.unix_listen_fd = world.link_fd = world.daemon_fd = -1;
	if (!world.link_listen) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
			fail("socketpair: %s", strerror(errno));
		world.link_fd = sv[0];
		world.daemon_fd = sv[1];
		rc = stream_attach(-1, sv[1], false, link);
	} else {
		/* No name given: the kernel picks an abstract one. */
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				SOCK_NONBLOCK, 0);

		world.unix_listen_fd = fd;
		if (bind(fd, (struct sockaddr *)&sun, sizeof(sa_family_t)) ||
		    listen(fd, 0))
			fail("link: %s", strerror(errno));
		rc = stream_attach(fd, -1, false, link);
	}
	if (rc)
		fail("stream_attach: %s", strerror(-rc));
}

void world_start(void)
{
	static const struct link_hooks link = {
		.sink = dispatch,
		.writable = flow_link_writable,
		.up = services_guest_up,
	};
	char err[256] = "";

	if (world.started)
		return;
	clock_set((uint64_t)START_MS * 1000000);
	world.forward_port = free_port();
	make_conf();
	if (loop_init())
		fail("loop_init: %s", strerror(errno));
	flow_init(board_flow_ops);
	fwd_init();
	tcp_splice_init();
	udp_init();
	attach_link(&link);
	if (!listen_open(PIF_HOST, err, sizeof(err)))
		fail("listen_open: %s", err);
	world.started = true;
	settle();
	if (world.link_fd >= 0)
		wire_open();
	world.fds_at_start = world_fds();
}

/* --- one run --- */

/* The process ends here whatever it was about, so calling printf() is fine. */
static void on_alarm(int sig)
{
	(void)sig;
	fail("not done after %u seconds", WALL_LIMIT_S);
}

static void child(const char *path)
{
	world.script = path;
	signal(SIGALRM, on_alarm);
	alarm(WALL_LIMIT_S);
	log_threshold = LOG_LVL_DEBUG;
	if (!family_there())
		skip("no loopback address of this family");
	script_run(path);
	if (world.verbose)
		print_notes();
	fflush(stdout);
	_exit(0);
}

static void copy_out(int fd)
{
	char buf[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
}

/* A diary in one family. Most of its time goes by waiting for the kernel, so
 * some run at once.
 */
struct run {
	const char *path;
	enum fam fam;
	pid_t pid;		/* 0: not begun, or done */
	int fd, rc;
	bool done;
};

static void run_start(struct run *r)
{
	r->fd = memfd_create("output", MFD_CLOEXEC);
	fflush(stdout);
	r->pid = fork();
	if (!r->pid) {
		world.fam = r->fam;
		dup2(r->fd, STDOUT_FILENO);
		dup2(r->fd, STDERR_FILENO);
		close(r->fd);
		child(r->path);
	}
}

static void run_ended(struct run *r, int status)
{
	if (WIFSIGNALED(status))
		dprintf(r->fd, "  killed: %s\n", strsignal(WTERMSIG(status)));
	r->rc = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	r->done = true;
}

static void run_all(struct run *r, unsigned n)
{
	unsigned begun = 0, ended = 0;

	while (ended < n) {
		int status;
		pid_t pid;

		while (begun < n && begun - ended < RUNS_AT_ONCE)
			run_start(&r[begun++]);
		pid = waitpid(-1, &status, 0);
		for (unsigned i = 0; i < begun; i++) {
			if (r[i].done || r[i].pid != pid)
				continue;
			run_ended(&r[i], status);
			ended++;
		}
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void run_print(const struct run *r)
{
	printf("%s %s %s\n", r->rc == EXIT_SKIP ? "skip" :
	       r->rc ? "FAIL" : "ok  ", base_name(r->path), fam_name(r->fam));
	if (r->rc || world.verbose)
		copy_out(r->fd);
	close(r->fd);
}

int main(int argc, char **argv)
{
	static struct run runs[RUNS_MAX];
	unsigned n = 0, failed = 0, skipped = 0;
	bool fam_off[FAM_COUNT] = { false };
	int opt;

	while ((opt = getopt(argc, argv, "46pv")) > 0) {
		if (opt == '?')
			return 2;
		world.verbose |= opt == 'v';
		world.no_peek_off |= opt == 'p';
		fam_off[FAM4] |= opt == '6';
		fam_off[FAM6] |= opt == '4';
	}
	if (!enter_netns())
		printf("no network namespace of its own: using this one\n");
	for (int i = optind; i < argc; i++)
		for (unsigned f = 0; f < FAM_COUNT && n < RUNS_MAX; f++)
			if (!fam_off[f])
				runs[n++] = (struct run) {
					.path = argv[i], .fam = (enum fam)f,
				};
	run_all(runs, n);
	for (unsigned i = 0; i < n; i++) {
		run_print(&runs[i]);
		skipped += runs[i].rc == EXIT_SKIP;
		failed += runs[i].rc && runs[i].rc != EXIT_SKIP;
	}
	printf("%u passed, %u failed, %u skipped\n", n - failed - skipped,
	       failed, skipped);
	return failed ? 1 : 0;
}
