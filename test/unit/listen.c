/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: listen listen_row listen_auto fwd fwd_spec sock conf epoll_ctl timer log addr util */
/* listen.c - rules become sockets, callers are handed on, services followed
 *
 * The host's sockets are real ones on loopback. The namespace, what is found
 * listening, and the two TCP engines are stand-ins that take notes. Rules are
 * read once per process, so each test runs in a child of its own.
 */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "diag.h"
#include "fwd.h"
#include "log.h"
#include "sock.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

static void isolated(void (*body)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		body();
		_exit(MIN(test_failures, 100u));
	}
	waitpid(pid, &status, 0);
	test_failures += WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 1;
}

#define CASE(n)							\
	static void case_##n(void);				\
	TEST(n) { isolated(case_##n); }				\
	static void case_##n(void)

#define EACH_FAM	for (unsigned fam = 0; fam < FAM_COUNT; fam++)

/* --- the namespace --- */

static int agent_error[65536];		/* for that port; or 0 */
static unsigned asked_cnt;
static struct sock_req asked[4096];	/* what for */

int agent_open(const struct sock_req *req)
{
	if (asked_cnt < ARRAY_SIZE(asked))
		asked[asked_cnt] = *req;
	asked_cnt++;
	if (agent_error[req->port])
		return -agent_error[req->port];
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int agent_pool_get(enum sock_kind kind, enum fam fam)
{
	(void)kind;
	(void)fam;
	return -EPIPE;
}

/* --- what is found listening: what the test says, and what we opened --- */

enum { HOST, NS };
static struct ports services[2][2];	/* side, UDP */
static int diag_error;
static unsigned dumps;

int diag_ports(int fd, uint8_t proto, struct ports *out)
{
	int side = fd - 1000;
	const struct listener *l;

	dumps++;
	*out = services[side][proto == IPPROTO_UDP];
	for (uint32_t slot = 0; slot < 0x8fffff; slot++) {
		/* generation, number: look at some of each */
		if (slot % (1 << 20) > 3000)
			slot |= (1 << 20) - 1;
		l = listen_get(slot);
		if (l && l->proto == proto && (l->pif == PIF_SPLICE) == side)
			port_set(out, l->port);
	}
	return diag_error;
}

/* --- the engines --- */

static struct {
	int fd;
	bool splice;
	struct side side[2];
} handed[64];
static unsigned handed_cnt;

static void note(int fd, bool splice, const struct side side[2])
{
	handed[handed_cnt].fd = fd;
	handed[handed_cnt].splice = splice;
	memcpy(handed[handed_cnt++].side, side, sizeof(handed[0].side));
}

void tcp_from_host(int fd, const struct side side[2])
{
	note(fd, false, side);
}

void tcp_splice_start(int fd, const struct side side[2])
{
	note(fd, true, side);
}

/* --- rules, start, callers --- */

static const char *const guest[] = { "192.0.2.100", "2001:db8::100" };
static const char *const maplo[] = { "192.0.2.1", "2001:db8::1" };
static char errbuf[512];

static void settings(enum mode mode)
{
	struct conf *c = &conf_writable;

	c->mode = mode;
	c->can_bind_device = true;
	EACH_FAM {
		struct conf_net *n = &c->net[fam];

		n->enabled = true;
		OK(addr_parse(&n->guest, guest[fam]));
		OK(addr_parse(&n->map_loopback, maplo[fam]));
	}
	fwd_init();
	clock_set(1000 * 1000000000ULL);
	OK(!loop_init());
}

static struct fwd_rule *rule(struct fwd_table *t, uint8_t proto,
			     const char *addr, unsigned first, unsigned last)
{
	struct fwd_rule *r = &t->rule[t->cnt];

	r->proto = proto;
	r->first = (uint16_t)first;
	r->last = (uint16_t)last;
	r->to = (uint16_t)first;
	r->spec = (uint8_t)t->cnt++;
	r->flags = addr ? 0 : RULE_DUAL;
	OK(!addr || addr_parse(&r->listen, addr));
	return r;
}

#define inbound	(&conf_writable.inbound)
#define outbound (&conf_writable.outbound)

static bool opened(uint8_t pif)
{
	return listen_open(pif, errbuf, sizeof(errbuf));
}

/* Ports nobody has: @cnt in a row, below the ephemeral ones. */
static bool is_free(uint16_t port)
{
	static const uint8_t kinds[] = {
		SOCK_KIND_TCP_LISTEN, SOCK_KIND_UDP_LISTEN,
	};

	for (size_t i = 0; i < sizeof(kinds); i++) {
		struct sock_req req = {
			.kind = kinds[i], .fam = FAM6,
			.bind = true, .dual = true, .port = port,
		};
		int fd = sock_open_here(&req);

		if (fd < 0)
			return false;
		close(fd);
	}
	return true;
}

static uint16_t free_ports(unsigned cnt)
{
	unsigned base = 20000 + (unsigned)getpid() % 5000;

	for (unsigned run = 0; base < 30000; base++) {
		run = is_free((uint16_t)base) ? run + 1 : 0;
		if (run == cnt)
			return (uint16_t)(base - cnt + 1);
	}
	abort();
}

static int taken(uint16_t port)
{
	struct sock_req req = {
		.kind = SOCK_KIND_TCP_LISTEN, .fam = FAM6, .bind = true,
		.dual = true, .port = port,
	};
	int fd = sock_open_here(&req);

	OK(fd >= 0);
	return fd;
}

/* A caller from loopback; blocks until the kernel has connected it. */
static int caller(enum fam fam, uint16_t port)
{
	int fd = sock_tcp(PIF_HOST, SOCK_KIND_TCP_CONNECT, fam);
	struct addr lo = addr_loopback(fam);
	struct pollfd p = { fd, POLLOUT, 0 };
	int rc = sock_connect(fd, &lo, port, 0);

	if (rc == -EINPROGRESS && poll(&p, 1, 2000) == 1)
		rc = -sock_error(fd);
	if (!rc)
		return fd;
	close(fd);
	return -1;
}

static bool was_reset(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char byte;

	return poll(&p, 1, 2000) == 1 && recv(fd, &byte, 1, 0) < 0 &&
	       errno == ECONNRESET;
}

static unsigned udp_events;

static void udp_note(struct ev ev, uint32_t events)
{
	char buf[16];

	(void)events;
	udp_events++;
	OK(listen_get(ev.slot));
	OK(recv(listen_get(ev.slot)->fd, buf, sizeof(buf), 0) >= 0);
}

static const struct loop_hooks hooks = {
	.handler = {
		[EV_TCP_LISTEN] = listen_tcp_handle,
		[EV_UDP_LISTEN] = udp_note,
	},
	.expire = listen_expire,
};

static void turn(void)
{
	loop_once(&hooks, 0);
}

/* @ms later, as far as timers know. */
static void later(unsigned ms)
{
	static uint64_t now_ms = 1000 * 1000;

	now_ms += ms;
	clock_set(now_ms * 1000000);
	timer_run(listen_expire);
}

static bool is_open(uint16_t port)
{
	int fd = caller(FAM4, port);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* --- rules at start --- */

static void single_family(enum fam fam)
{
	struct addr lo = addr_loopback(fam), show, to;
	char a[ADDR_STRLEN];
	uint16_t port = free_ports(1);
	int fd;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, addr_str(&lo, a), port, port)->to = 80;
	OK(opened(PIF_HOST));
	EQ(listen_count(), 1);
	fd = caller(fam, port);
	OK(fd >= 0);
	EQ(caller(!fam, port), -1);
	turn();

	EQ(handed_cnt, 1);
	OK(!handed[0].splice);
	OK(fcntl(handed[0].fd, F_GETFL) & O_NONBLOCK);
	OK(fcntl(handed[0].fd, F_GETFD) & FD_CLOEXEC);
	EQ(handed[0].side[0].pif, PIF_HOST);
	EQ(handed[0].side[0].our_port, port);
	OK(addr_eq(&handed[0].side[0].ours, &lo));
	OK(addr_eq(&handed[0].side[0].theirs, &lo));
	EQ(handed[0].side[1].pif, PIF_TAP);
	EQ(handed[0].side[1].their_port, 80);
	EQ(handed[0].side[1].our_port, handed[0].side[0].their_port);
	addr_parse(&to, guest[fam]);
	addr_parse(&show, maplo[fam]);
	OK(addr_eq(&handed[0].side[1].theirs, &to));
	OK(addr_eq(&handed[0].side[1].ours, &show));
}

static void single4(void) { single_family(FAM4); }
static void single6(void) { single_family(FAM6); }

TEST(a_caller_is_handed_to_tcp_with_both_sides_decided)
{
	isolated(single4);
	isolated(single6);
}

CASE(any_address_is_one_socket_for_both_families)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	EQ(listen_count(), 1);
	EACH_FAM {
		struct addr lo = addr_loopback(fam);

		OK(caller(fam, port) >= 0);
		turn();
		EQ(handed_cnt, fam + 1);
		OK(addr_eq(&handed[fam].side[0].ours, &lo));
	}
}

CASE(a_range_is_opened_port_by_port_and_found_by_slot)
{
	uint16_t port = free_ports(5);
	unsigned seen = 0;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 2u);
	rule(inbound, IPPROTO_UDP, NULL, port + 1u, port + 4u);
	OK(opened(PIF_HOST));
	EQ(listen_count(), 7);
	for (uint32_t slot = 0; slot < 1000; slot++) {
		const struct listener *l = listen_get(slot);

		if (!l)
			continue;
		seen++;
		EQ(l->pif, PIF_HOST);
		OK(l->fd >= 0);
		OK(fwd_match(inbound, l->proto,
			     &(struct addr) { .b = { [15] = 1 } }, l->port) ==
		   &inbound->rule[l->rule]);
	}
	EQ(seen, 7);
	OK(!listen_get(UINT32_MAX));
	OK(!listen_get(0));
}

CASE(datagrams_wake_their_own_handler)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASST);
	rule(inbound, IPPROTO_UDP, NULL, port, port);
	OK(opened(PIF_HOST));
	EACH_FAM {
		int fd = socket(addr_af(fam), SOCK_DGRAM, 0);
		struct addr lo = addr_loopback(fam);

		OK(!sock_connect(fd, &lo, port, 0));
		OK(send(fd, "x", 1, 0) == 1);
		turn();
		EQ(udp_events, fam + 1);
	}
}

CASE(protocols_without_an_engine_are_not_opened)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASST);
	rule(inbound, IPPROTO_UDP, NULL, port, port);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	listen_protocols(true, false);
	OK(opened(PIF_HOST));
	EQ(listen_count(), 1);
	OK(is_open(port));
}

CASE(a_strict_rule_that_fails_says_port_address_and_cause)
{
	uint16_t port = free_ports(1);
	char want[64];

	settings(MODE_PASST);
	taken(port);
	rule(inbound, IPPROTO_TCP, "127.0.0.1", port, port);
	OK(!opened(PIF_HOST));
	snprintf(want, sizeof(want), "TCP port %u of 127.0.0.1: ", port);
	OK(strstr(errbuf, want));
	OK(strstr(errbuf, strerror(EADDRINUSE)));
	OK(!strchr(errbuf, '\n'));
}

/* As when a container is restarted: its predecessor is just going. */
CASE(a_port_whose_owner_is_about_to_go_is_waited_for)
{
	uint16_t port = free_ports(1);
	int ready[2];
	char byte;

	settings(MODE_PASST);
	if (pipe(ready))
		abort();
	if (!fork()) {
		taken(port);
		OK(write(ready[1], "", 1) == 1);
		usleep(15000);
		_exit(0);
	}
	OK(read(ready[0], &byte, 1) == 1);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	EQ(listen_count(), 1);
	wait(NULL);
}

CASE(a_port_whose_owner_stays_is_waited_for_once)
{
	uint16_t port = free_ports(2);
	struct timespec start, end;

	settings(MODE_PASST);
	taken(port);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 1u);
	clock_gettime(CLOCK_MONOTONIC, &start);
	OK(!opened(PIF_HOST));
	clock_gettime(CLOCK_MONOTONIC, &end);
	OK((end.tv_sec - start.tv_sec) * 1000 +
	   (end.tv_nsec - start.tv_nsec) / 1000000 >= 95);
	inbound->rule[0].flags |= RULE_WEAK;
	OK(opened(PIF_HOST));		/* the patience is used up */
	EQ(listen_count(), 1);
}

CASE(a_low_port_that_is_not_allowed_names_the_remedies)
{
	settings(MODE_PASTA);
	agent_error[80] = EACCES;
	rule(outbound, IPPROTO_TCP, NULL, 80, 80);
	OK(!opened(PIF_SPLICE));
	OK(strstr(errbuf, "TCP port 80 of any address in the namespace"));
	OK(strstr(errbuf, "ip_unprivileged_port_start"));
	OK(strstr(errbuf, "CAP_NET_BIND_SERVICE"));
}

CASE(too_few_descriptors_end_the_start_even_of_a_tolerant_rule)
{
	settings(MODE_PASTA);
	agent_error[90] = EMFILE;
	rule(outbound, IPPROTO_TCP, NULL, 80, 100)->flags |= RULE_WEAK;
	OK(!opened(PIF_SPLICE));
	OK(strstr(errbuf, "RLIMIT_NOFILE"));
}

/* "-t ~25" is two rules: that all of the first fails is no failure. */
CASE(tolerance_is_judged_over_all_rules_of_an_option)
{
	settings(MODE_PASTA);
	for (unsigned p = 1; p < 100; p++)
		agent_error[p] = EACCES;
	rule(outbound, IPPROTO_TCP, NULL, 1, 24)->flags |= RULE_WEAK;
	rule(outbound, IPPROTO_TCP, NULL, 26, 110)->flags |= RULE_WEAK;
	outbound->rule[0].spec = outbound->rule[1].spec = 3;
	OK(opened(PIF_SPLICE));
	EQ(listen_count(), 11);
}

CASE(a_tolerant_option_of_which_nothing_works_fails)
{
	settings(MODE_PASTA);
	for (unsigned p = 1; p < 100; p++)
		agent_error[p] = EACCES;
	rule(outbound, IPPROTO_TCP, NULL, 1, 24)->flags |= RULE_WEAK;
	rule(outbound, IPPROTO_TCP, NULL, 26, 110)->flags |= RULE_WEAK;
	OK(!opened(PIF_SPLICE));
	OK(strstr(errbuf, "none of 24 ports"));
	OK(strstr(errbuf, "TCP port 1 "));
}

CASE(in_the_namespace_only_loopback_can_get_at_a_listener)
{
	settings(MODE_PASTA);
	rule(outbound, IPPROTO_TCP, NULL, 80, 80);
	rule(outbound, IPPROTO_UDP, "0.0.0.0", 53, 53);
	OK(opened(PIF_SPLICE));
	EQ(asked_cnt, 2);
	STREQ(asked[0].ifname, "lo");
	OK(asked[0].dual);
	EQ(asked[0].fam, FAM6);
	EQ(asked[0].kind, SOCK_KIND_TCP_LISTEN);
	OK(addr_is_unspec(&asked[0].addr));
	STREQ(asked[1].ifname, "lo");
	OK(!asked[1].dual);
	EQ(asked[1].fam, FAM4);
	EQ(asked[1].kind, SOCK_KIND_UDP_LISTEN);
}

CASE(without_device_binding_the_loopback_addresses_serve_instead)
{
	settings(MODE_PASTA);
	conf_writable.can_bind_device = false;
	rule(outbound, IPPROTO_TCP, NULL, 80, 81);
	rule(outbound, IPPROTO_TCP, "::", 90, 90);
	OK(opened(PIF_SPLICE));
	EQ(asked_cnt, 5);
	EQ(listen_count(), 5);
	for (unsigned i = 0; i < asked_cnt; i++) {
		enum fam fam = i == 4 ? FAM6 : i % 2;
		struct addr lo = addr_loopback(fam);

		STREQ(asked[i].ifname, "");
		OK(!asked[i].dual);
		EQ(asked[i].fam, fam);
		OK(addr_eq(&asked[i].addr, &lo));
	}
	EQ(asked[0].port, 80);
	EQ(asked[3].port, 81);
}

/* --- trying again --- */

CASE(a_port_that_could_not_be_had_is_tried_again_ever_more_rarely)
{
	uint64_t at_s[8];
	unsigned cnt = 0;

	settings(MODE_PASTA);
	agent_error[80] = EADDRINUSE;
	rule(outbound, IPPROTO_TCP, NULL, 80, 81)->flags |= RULE_WEAK;
	OK(opened(PIF_SPLICE));
	asked_cnt = 0;
	for (unsigned s = 1; s < 200; s++) {
		later(1000);
		if (asked_cnt > cnt && cnt < ARRAY_SIZE(at_s))
			at_s[cnt++] = s;
	}
	EQ(cnt, 8);
	EQ(at_s[0], 1);
	EQ(at_s[1], 3);
	EQ(at_s[2], 7);
	EQ(at_s[5], 63);
	EQ(at_s[6], 127);
	EQ(at_s[7], 191);		/* not more rarely than once a minute */

	agent_error[80] = 0;
	later(64000);
	EQ(listen_count(), 2);
	OK(!timer_armed(TIMER_LISTEN_RETRY));
}

CASE(what_permission_denies_is_not_tried_again)
{
	settings(MODE_PASTA);
	agent_error[80] = EACCES;
	rule(outbound, IPPROTO_TCP, NULL, 80, 81)->flags |= RULE_WEAK;
	OK(opened(PIF_SPLICE));
	OK(!timer_armed(TIMER_LISTEN_RETRY));
}

CASE(many_ports_to_try_again_are_spread_over_turns)
{
	settings(MODE_PASTA);
	for (unsigned p = 1000; p < 1200; p++)
		agent_error[p] = EADDRINUSE;
	rule(outbound, IPPROTO_TCP, NULL, 1000, 1200)->flags |= RULE_WEAK;
	OK(opened(PIF_SPLICE));
	asked_cnt = 0;
	later(1000);
	EQ(asked_cnt, 64);
	later(50);
	later(50);
	later(50);
	EQ(asked_cnt, 200);
	later(1000);
	EQ(asked_cnt, 200);
	later(1000);
	EQ(asked_cnt, 264);
}

static unsigned lines_logged(void (*f)(void))
{
	int fds[2], keep = dup(STDERR_FILENO);
	unsigned lines = 0;
	char c;

	if (pipe(fds))
		abort();
	dup2(fds[1], STDERR_FILENO);
	f();
	dup2(keep, STDERR_FILENO);
	close(fds[1]);
	while (read(fds[0], &c, 1) == 1)
		lines += c == '\n';
	close(fds[0]);
	close(keep);
	return lines;
}

static void ten_minutes(void)
{
	for (unsigned s = 0; s < 600; s++)
		later(1000);
}

static void open_outbound(void)
{
	OK(opened(PIF_SPLICE));
}

CASE(ports_that_stay_unavailable_are_mentioned_once)
{
	settings(MODE_PASTA);
	for (unsigned p = 1000; p < 1100; p++)
		agent_error[p] = EADDRINUSE;
	rule(outbound, IPPROTO_TCP, NULL, 1000, 1200)->flags |= RULE_WEAK;
	EQ(lines_logged(open_outbound), 1);
	EQ(lines_logged(ten_minutes), 0);
	agent_error[1000] = 0;		/* and again when that changes */
	EQ(lines_logged(ten_minutes), 1);
}

/* --- other rules while running --- */

static struct fwd_table next_in, next_out;

static bool updated(void)
{
	*errbuf = '\0';
	return listen_update(&next_in, &next_out, errbuf, sizeof(errbuf));
}

CASE(callers_who_wait_at_a_port_that_stays_are_still_served)
{
	uint16_t port = free_ports(3);
	uint32_t slot;
	int fd;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 1u);
	OK(opened(PIF_HOST));
	slot = listen_slot(PIF_HOST, 0, port);
	fd = caller(FAM4, port);
	OK(fd >= 0);

	/* the range is cut, another rule comes first, the target changes */
	rule(&next_in, IPPROTO_TCP, NULL, port + 2u, port + 2u);
	rule(&next_in, IPPROTO_TCP, NULL, port, port)->to = 99;
	OK(updated());
	EQ(listen_count(), 2);
	EQ(listen_slot(PIF_HOST, 1, port), slot);
	OK(!is_open((uint16_t)(port + 1)));
	turn();
	EQ(handed_cnt, 1);
	EQ(handed[0].side[1].their_port, 99);
	OK(is_open((uint16_t)(port + 2)));
	turn();
	EQ(handed[1].side[0].our_port, port + 2);
	EQ(listen_rules(PIF_HOST)->cnt, 2);
	close(fd);
}

CASE(a_port_that_is_taken_undoes_the_whole_update)
{
	uint16_t port = free_ports(4);
	uint32_t slot;

	settings(MODE_PASTA);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 1u);
	rule(outbound, IPPROTO_TCP, NULL, 5000, 5000);
	OK(opened(PIF_HOST));
	OK(opened(PIF_SPLICE));
	slot = listen_slot(PIF_HOST, 0, port);
	taken((uint16_t)(port + 3));

	rule(&next_in, IPPROTO_TCP, NULL, port + 1u, port + 3u);
	rule(&next_out, IPPROTO_TCP, NULL, 6000, 6000);
	OK(!updated());
	OK(strstr(errbuf, strerror(EADDRINUSE)));
	EQ(listen_count(), 3);
	EQ(listen_slot(PIF_HOST, 0, port), slot);
	EQ(listen_rules(PIF_HOST)->rule[0].first, port);
	EQ(listen_rules(PIF_SPLICE)->rule[0].first, 5000);
	OK(is_open(port));
	OK(is_open((uint16_t)(port + 1)));
	OK(!is_open((uint16_t)(port + 2)));
	EQ(asked_cnt, 1);

	/* the same, in the namespace */
	agent_error[7000] = EADDRINUSE;
	memset(&next_in, 0, sizeof(next_in));
	memset(&next_out, 0, sizeof(next_out));
	rule(&next_in, IPPROTO_TCP, NULL, port + 2u, port + 2u);
	rule(&next_out, IPPROTO_TCP, NULL, 7000, 7000);
	OK(!updated());
	EQ(listen_count(), 3);
	OK(is_open(port));
	OK(!is_open((uint16_t)(port + 2)));
}

CASE(what_listens_in_the_way_of_the_new_rule_makes_room)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	rule(&next_in, IPPROTO_TCP, "127.0.0.1", port, port);
	OK(updated());
	EQ(listen_count(), 1);
	OK(caller(FAM4, port) >= 0);
	EQ(caller(FAM6, port), -1);
}

CASE(what_made_room_is_back_when_the_update_fails)
{
	uint16_t port = free_ports(2);
	uint32_t slot;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	slot = listen_slot(PIF_HOST, 0, port);
	taken((uint16_t)(port + 1));
	rule(&next_in, IPPROTO_TCP, "127.0.0.1", port, port);
	rule(&next_in, IPPROTO_TCP, NULL, port + 1u, port + 1u);
	OK(!updated());
	EQ(listen_count(), 1);
	OK(caller(FAM4, port) >= 0);
	OK(caller(FAM6, port) >= 0);
	EQ(listen_slot(PIF_HOST, 0, port), slot);
}

CASE(a_listener_that_went_is_not_mistaken_for_the_next)
{
	uint16_t port = free_ports(2);
	uint32_t slot;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_UDP, NULL, port, port);
	OK(opened(PIF_HOST));
	slot = listen_slot(PIF_HOST, 0, port);
	OK(listen_get(slot));
	OK(updated());
	EQ(listen_count(), 0);
	rule(&next_in, IPPROTO_UDP, NULL, port + 1u, port + 1u);
	OK(updated());
	EQ(listen_count(), 1);
	OK(!listen_get(slot));
	OK(listen_get(listen_slot(PIF_HOST, 0, (uint16_t)(port + 1))));
}

CASE(a_low_port_while_running_is_told_apart_from_one_at_start)
{
	settings(MODE_PASST);
	OK(opened(PIF_HOST));
	if (!geteuid())
		OK(!setuid(65534));
	rule(&next_in, IPPROTO_TCP, NULL, 1, 1);
	if (updated())	/* a machine where everybody may */
		return;
	OK(strstr(errbuf, "at start only"));
}

CASE(best_effort_while_running_needs_one_port_of_all_that_are_new)
{
	settings(MODE_PASTA);
	OK(opened(PIF_SPLICE));
	agent_error[80] = agent_error[81] = EACCES;
	rule(&next_out, IPPROTO_TCP, NULL, 80, 81)->flags |= RULE_WEAK;
	OK(!updated());
	OK(strstr(errbuf, "none of 2 ports"));
	EQ(listen_count(), 0);
	next_out.rule[0].last = 82;
	OK(updated());
	EQ(listen_count(), 1);

	/* and what failed before is not tried again */
	asked_cnt = 0;
	rule(&next_out, IPPROTO_TCP, NULL, 90, 90);
	OK(updated());
	EQ(asked_cnt, 1);
}

CASE(more_ports_than_descriptors_are_refused_before_the_first)
{
	struct rlimit few = { 200, 200 };

	setrlimit(RLIMIT_NOFILE, &few);
	settings(MODE_PASTA);
	OK(opened(PIF_SPLICE));
	rule(&next_out, IPPROTO_TCP, NULL, 1000, 1299)->flags |= RULE_WEAK;
	OK(!updated());
	OK(strstr(errbuf, "300 ports"));
	OK(strstr(errbuf, "RLIMIT_NOFILE"));
	EQ(asked_cnt, 0);

	next_out.rule[0].last = 1099;
	OK(updated());
	EQ(listen_count(), 100);
	next_out.rule[0].last = 1109;
	OK(updated());
	EQ(asked_cnt, 110);
}

CASE(automatic_ports_that_are_due_after_an_update_stay_open)
{
	uint32_t slot;

	settings(MODE_PASTA);
	rule(outbound, IPPROTO_TCP, NULL, 1000, 1100)->flags |= RULE_AUTO;
	OK(opened(PIF_SPLICE));
	port_set(&services[HOST][0], 1001);
	port_set(&services[HOST][0], 1002);
	listen_auto_start(1000, 1001);
	EQ(listen_count(), 2);
	slot = listen_slot(PIF_SPLICE, 0, 1001);

	/* 1001 is automatic still, 1002 is given, 1003 leads elsewhere */
	rule(&next_out, IPPROTO_TCP, NULL, 1002, 1002);
	rule(&next_out, IPPROTO_TCP, NULL, 1000, 1001)->flags |= RULE_AUTO;
	rule(&next_out, IPPROTO_TCP, NULL, 1003, 1003)->flags |= RULE_AUTO;
	next_out.rule[2].to = 1002;
	OK(updated());
	later(0);
	EQ(listen_count(), 3);
	EQ(listen_slot(PIF_SPLICE, 1, 1001), slot);
	OK(listen_slot(PIF_SPLICE, 2, 1003) != LISTEN_NONE);

	/* the service of 1001 goes while rules change */
	port_clear(&services[HOST][0], 1001);
	OK(updated());
	later(0);
	EQ(listen_count(), 2);
	EQ(listen_slot(PIF_SPLICE, 1, 1001), LISTEN_NONE);
}

CASE(a_given_port_that_becomes_automatic_closes_without_a_service)
{
	settings(MODE_PASTA);
	rule(outbound, IPPROTO_TCP, NULL, 1000, 1001);
	OK(opened(PIF_SPLICE));
	port_set(&services[HOST][0], 1001);
	listen_auto_start(1000, 1001);
	rule(&next_out, IPPROTO_TCP, NULL, 1000, 1001)->flags |= RULE_AUTO;
	OK(updated());
	later(0);
	EQ(listen_count(), 1);
	EQ(asked_cnt, 2);	/* 1001 was not opened again */

	/* and without automatic rules nobody is asked any more */
	memset(&next_out, 0, sizeof(next_out));
	OK(updated());
	EQ(listen_count(), 0);
	dumps = 0;
	later(5000);
	EQ(dumps, 0);
}

/* --- callers --- */

CASE(a_burst_of_callers_is_accepted_in_shares)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	for (int i = 0; i < 20; i++)
		OK(caller(i % 2, port) >= 0);
	turn();
	EQ(handed_cnt, 16);
	turn();
	EQ(handed_cnt, 20);
}

CASE(a_caller_who_is_refused_sees_a_reset_and_costs_nothing)
{
	uint16_t port = free_ports(1);
	uint64_t refused = drop_count(DROP_REFUSED);

	settings(MODE_PASST);
	memset(&conf_writable.net[FAM4].guest, 0, sizeof(struct addr));
	fwd_init();			/* nobody to hand it to */
	rule(inbound, IPPROTO_TCP, "127.0.0.1", port, port);
	OK(opened(PIF_HOST));
	for (int i = 0; i < 40; i++) {
		int fd = caller(FAM4, port);

		turn();
		OK(was_reset(fd));
		close(fd);
	}
	EQ(handed_cnt, 0);
	EQ(drop_count(DROP_REFUSED), refused + 40);
	OK(open("/dev/null", O_RDONLY) < 20);
}

CASE(a_caller_on_loopback_takes_the_short_way_to_a_namespace)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASTA);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	EACH_FAM {
		struct addr to;

		OK(caller(fam, port) >= 0);
		turn();
		EQ(handed_cnt, fam + 1);
		OK(handed[fam].splice);
		EQ(handed[fam].side[1].pif, PIF_SPLICE);
		addr_parse(&to, guest[fam]);
		OK(addr_eq(&handed[fam].side[1].theirs, &to));
	}
}

CASE(without_descriptors_callers_wait_and_we_do_not_spin)
{
	uint16_t port = free_ports(1);
	struct rlimit was, none;
	int a, b;

	settings(MODE_PASST);
	rule(inbound, IPPROTO_TCP, NULL, port, port);
	OK(opened(PIF_HOST));
	a = caller(FAM4, port);
	b = caller(FAM6, port);
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = 3;
	OK(!setrlimit(RLIMIT_NOFILE, &none));
	turn();
	for (int i = 0; i < 10; i++)
		turn();
	EQ(handed_cnt, 0);
	EQ(loop_events(EV_TCP_LISTEN), 1);
	later(100);
	turn();			/* still none: once more, and quiet again */
	turn();
	EQ(loop_events(EV_TCP_LISTEN), 2);

	OK(!setrlimit(RLIMIT_NOFILE, &was));
	later(100);
	turn();
	EQ(handed_cnt, 2);
	EQ(sock_error(a), 0);
	EQ(sock_error(b), 0);
}

CASE(closing_all_frees_the_ports_and_stops_the_clock)
{
	uint16_t port = free_ports(3);

	settings(MODE_PASTA);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 1u);
	rule(inbound, IPPROTO_TCP, NULL, port + 2u, port + 2u)->flags |=
		RULE_WEAK;
	rule(outbound, IPPROTO_TCP, NULL, 80, 81)->flags |= RULE_WEAK;
	agent_error[81] = EADDRINUSE;
	OK(opened(PIF_HOST));
	OK(opened(PIF_SPLICE));
	EQ(listen_count(), 4);
	listen_close_all();
	EQ(listen_count(), 0);
	OK(!timer_armed(TIMER_LISTEN_RETRY));
	taken(port);
	taken((uint16_t)(port + 2));
}

/* --- automatic rules --- */

static void start_auto(void)
{
	OK(opened(PIF_HOST));
	OK(opened(PIF_SPLICE));
	EQ(listen_count(), 0);
	listen_auto_start(1000 + HOST, 1000 + NS);
}

static void auto_rule(struct fwd_table *t, uint8_t proto, unsigned first,
		      unsigned last)
{
	rule(t, proto, NULL, first, last)->flags |= RULE_AUTO | RULE_WEAK;
}

CASE(a_port_is_open_while_a_service_is_there)
{
	uint16_t port = free_ports(2);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	port_set(&services[NS][0], port);
	start_auto();
	OK(is_open(port));		/* at once, at start */
	OK(!is_open((uint16_t)(port + 1)));

	port_set(&services[NS][0], (uint16_t)(port + 1));
	later(1000);
	OK(is_open((uint16_t)(port + 1)));
	port_clear(&services[NS][0], port);
	later(1000);
	OK(!is_open(port));
	EQ(listen_count(), 1);
}

CASE(the_target_port_is_what_counts)
{
	uint16_t port = free_ports(2);

	settings(MODE_PASTA);
	rule(inbound, IPPROTO_TCP, NULL, port, port + 1u)->flags |= RULE_AUTO;
	inbound->rule[0].to = 8001;
	port_set(&services[NS][0], port);
	start_auto();
	EQ(listen_count(), 0);
	port_set(&services[NS][0], 8002);
	later(1000);
	EQ(listen_count(), 1);
	OK(is_open((uint16_t)(port + 1)));
	port_set(&services[NS][0], 8003);	/* beyond */
	port_set(&services[NS][0], 8000);
	later(1000);
	EQ(listen_count(), 1);
}

/* Everything automatic both ways: what we open on one side must never appear
 * as a service to be forwarded to from the other. */
CASE(our_own_listeners_are_no_services)
{
	uint16_t port = free_ports(2);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	auto_rule(inbound, IPPROTO_UDP, 1, 65535);
	auto_rule(outbound, IPPROTO_TCP, 1, 65535);
	auto_rule(outbound, IPPROTO_UDP, 1, 65535);
	start_auto();
	port_set(&services[HOST][0], 631);
	port_set(&services[NS][0], port);
	for (int s = 0; s < 5; s++) {
		later(1000);
		/* TCP and UDP of each, and nothing comes back */
		EQ(listen_count(), 4);
		EQ(asked_cnt, 2);
	}
	port_clear(&services[HOST][0], 631);
	port_clear(&services[NS][0], port);
	for (int s = 0; s < 3; s++) {
		later(1000);
		EQ(listen_count(), 0);
	}
}

/* mDNS is like that: every socket of it allows others on its port. */
CASE(a_datagram_service_of_both_sides_is_left_alone)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_UDP, 1, 65535);
	auto_rule(outbound, IPPROTO_UDP, 1, 65535);
	port_set(&services[HOST][1], port);
	port_set(&services[NS][1], port);
	start_auto();
	for (int s = 0; s < 5; s++) {
		later(1000);
		EQ(listen_count(), 0);
	}
	EQ(asked_cnt, 0);
}

CASE(a_tcp_service_beside_a_datagram_listener_of_ours_changes_nothing)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_UDP, 1, 65535);
	auto_rule(outbound, IPPROTO_UDP, 1, 65535);
	port_set(&services[HOST][1], port);
	start_auto();
	EQ(listen_count(), 1);
	port_set(&services[NS][0], port);
	for (int s = 0; s < 5; s++) {
		later(1000);
		EQ(listen_count(), 1);
	}
	EQ(asked_cnt, 1);
}

CASE(datagrams_follow_tcp_services_but_not_the_other_way)
{
	uint16_t port = free_ports(2);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	auto_rule(inbound, IPPROTO_UDP, 1, 65535);
	port_set(&services[NS][0], port);
	port_set(&services[NS][1], (uint16_t)(port + 1));
	start_auto();
	EQ(listen_count(), 3);
	OK(is_open(port));
	OK(!is_open((uint16_t)(port + 1)));
}

CASE(only_what_automatic_rules_need_is_asked_for_once_a_second)
{
	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	start_auto();
	EQ(dumps, 1);
	for (int i = 0; i < 50; i++)
		later(100);
	dumps = 0;
	for (int i = 0; i < 600; i++)
		later(100);
	EQ(dumps, 60);
}

/* The start counts as a change. */
CASE(after_a_change_the_next_one_is_found_sooner)
{
	uint16_t port = free_ports(2);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	start_auto();
	for (int round = 0; round < 3; round++) {
		port_set(&services[NS][0], port);
		later(100);
		OK(is_open(port));
		for (int i = 0; i < 20; i++)
			later(100);
		/* two seconds: a fifth of that */
		port_set(&services[NS][0], (uint16_t)(port + 1));
		for (int i = 0; i < 4; i++)
			later(100);
		OK(is_open((uint16_t)(port + 1)));

		memset(services, 0, sizeof(services));
		for (int i = 0; i < 10; i++)
			later(100);
		EQ(listen_count(), 0);
	}
}

CASE(without_automatic_rules_nothing_is_asked_for)
{
	settings(MODE_PASTA);
	start_auto();
	EQ(dumps, 0);
	OK(!timer_armed(TIMER_SCAN));
}

CASE(a_port_that_cannot_be_opened_does_not_stop_the_others)
{
	settings(MODE_PASTA);
	rule(outbound, IPPROTO_TCP, NULL, 80, 90)->flags |= RULE_AUTO;
	auto_rule(outbound, IPPROTO_TCP, 91, 99);
	agent_error[80] = EADDRINUSE;
	agent_error[81] = EACCES;
	for (uint16_t p = 80; p < 85; p++)
		port_set(&services[HOST][0], p);
	port_set(&services[HOST][0], 95);
	start_auto();
	EQ(listen_count(), 4);
	asked_cnt = 0;
	later(1000);
	EQ(asked_cnt, 1);		/* the one that may come right */
	agent_error[80] = 0;
	later(2000);
	EQ(listen_count(), 5);
}

CASE(a_service_that_has_gone_is_not_waited_for)
{
	settings(MODE_PASTA);
	auto_rule(outbound, IPPROTO_TCP, 1, 65535);
	for (uint16_t p = 80; p < 83; p++) {
		agent_error[p] = EADDRINUSE;
		port_set(&services[HOST][0], p);
	}
	start_auto();
	EQ(asked_cnt, 3);
	port_clear(&services[HOST][0], 81);
	later(1000);			/* before the first retry, or after */
	asked_cnt = 0;
	ten_minutes();
	OK(asked_cnt > 10);
	for (unsigned i = 0; i < asked_cnt; i++)
		OK(asked[i].port != 81);

	port_clear(&services[HOST][0], 80);
	port_clear(&services[HOST][0], 82);
	later(1000);
	memset(agent_error, 0, sizeof(agent_error));
	asked_cnt = 0;
	ten_minutes();
	EQ(asked_cnt, 0);
	EQ(listen_count(), 0);
}

CASE(a_listener_closed_while_its_callers_wait_can_be_opened_again)
{
	uint16_t port = free_ports(1);
	struct rlimit was, none;

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	port_set(&services[NS][0], port);
	start_auto();
	OK(caller(FAM4, port) >= 0);
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = 3;
	OK(!setrlimit(RLIMIT_NOFILE, &none));
	turn();
	OK(timer_armed(TIMER_LISTEN_RETRY));
	OK(!setrlimit(RLIMIT_NOFILE, &was));
	port_clear(&services[NS][0], port);
	listen_expire(TIMER_SCAN);
	EQ(listen_count(), 0);
	port_set(&services[NS][0], port);
	listen_expire(TIMER_SCAN);
	EQ(listen_count(), 1);

	/* and its callers wait again, once */
	OK(caller(FAM6, port) >= 0);
	OK(!setrlimit(RLIMIT_NOFILE, &none));
	turn();
	OK(!setrlimit(RLIMIT_NOFILE, &was));
	later(100);
	turn();
	EQ(handed_cnt, 1);
}

CASE(a_scan_that_fails_changes_nothing)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASTA);
	auto_rule(inbound, IPPROTO_TCP, 1, 65535);
	port_set(&services[NS][0], port);
	start_auto();
	diag_error = -ENOBUFS;
	memset(services, 0, sizeof(services));
	later(1000);
	OK(is_open(port));
	diag_error = 0;
	later(1000);
	OK(!is_open(port));
}

CASE(a_thousand_services_at_once_take_a_few_turns)
{
	unsigned turns = 0;

	settings(MODE_PASTA);
	auto_rule(outbound, IPPROTO_TCP, 1, 65535);
	start_auto();
	for (uint16_t p = 1000; p < 1900; p++)
		port_set(&services[HOST][0], p);
	later(1000);
	EQ(listen_count(), 256);
	while (listen_count() < 900 && ++turns < 20)
		later(1);
	EQ(listen_count(), 900);
	EQ(turns, 3);
	EQ(asked_cnt, 900);
}

CASE(a_fixed_rule_beside_an_automatic_one_keeps_its_port)
{
	uint16_t port = free_ports(1);

	settings(MODE_PASTA);
	rule(inbound, IPPROTO_TCP, "127.0.0.1", port, port);
	rule(inbound, IPPROTO_TCP, "::1", port, port)->flags |= RULE_AUTO;
	auto_rule(outbound, IPPROTO_TCP, 1, 65535);
	OK(opened(PIF_HOST));
	OK(opened(PIF_SPLICE));
	listen_auto_start(1000 + HOST, 1000 + NS);
	port_set(&services[NS][0], port);
	later(1000);
	EQ(listen_count(), 2);
	memset(services, 0, sizeof(services));
	later(1000);
	EQ(listen_count(), 1);
	later(1000);
	/* still ours, although one of its two sockets has been closed */
	EQ(asked_cnt, 0);
}
