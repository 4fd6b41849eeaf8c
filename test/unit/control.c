/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: control/control control/control_wire fwd_spec conf epoll_ctl timer log
 *	  addr buf util */
/* wrap: send */
/* control.c - a dialogue by the byte, in pieces, with errors, and one at a time
 *
 * The server's socket is a real one, its clients are ours. Listeners are a
 * stand-in: a pair of tables, and an error to fail with.
 */
#include "control/control.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "control/control_wire.h"
#include "fwd.h"
#include "listen.h"
#include "log.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

/* --- listeners --- */

static struct fwd_table in_force[2];
static unsigned updates;
static const char *refusal;

const struct fwd_table *listen_rules(uint8_t pif)
{
	return &in_force[pif == PIF_SPLICE];
}

bool listen_update(const struct fwd_table *inbound,
		   const struct fwd_table *outbound, char *errbuf,
		   size_t errlen)
{
	updates++;
	if (refusal)
		snprintf(errbuf, errlen, "%s", refusal);
	if (refusal)
		return false;
	in_force[0] = *inbound;
	in_force[1] = *outbound;
	return true;
}

/* --- the server --- */

static size_t send_max;			/* bytes that a call takes; 0: no limit */
static bool send_full;

ssize_t __real_send(int fd, const void *p, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t len, int flags);

ssize_t __wrap_send(int fd, const void *p, size_t len, int flags)
{
	if (send_full) {
		errno = EAGAIN;
		return -1;
	}
	return __real_send(fd, p, send_max ? MIN(len, send_max) : len, flags);
}

static void expired(uint32_t id)
{
	EQ(id, TIMER_CONTROL);
	control_expire();
}

static const struct loop_hooks hooks = {
	.handler = { [EV_CONTROL] = control_handle },
	.expire = expired,
};

static void turns(void)
{
	for (unsigned i = 0; i < 6; i++)
		loop_once(&hooks, 0);
}

static uint64_t now_ms = 1000;

static void later(unsigned ms)
{
	now_ms += ms;
	clock_set(now_ms * 1000000);
	turns();
}

static struct sockaddr_un name = { .sun_family = AF_UNIX };
static socklen_t name_len;

static void serve(void)
{
	int fd;

	if (name_len)
		return;
	OK(!loop_init());
	clock_set(now_ms * 1000000);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
		 "control-test-%d", (int)getpid());
	name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			       strlen(name.sun_path + 1));
	OK(!bind(fd, (struct sockaddr *)&name, name_len));
	OK(!listen(fd, 0));
	OK(!control_start(fd));
}

/* Afresh: both families, all that pasta can, and two rules and one. */
static void settings(enum mode mode)
{
	struct fwd_table *t = in_force;

	conf_writable = (struct conf) {
		.mode = mode, .can_bind_device = true,
		.net = { { .enabled = true }, { .enabled = true } },
	};
	memset(in_force, 0, sizeof(in_force));
	t[0].rule[t[0].cnt++] = (struct fwd_rule) {
		.proto = IPPROTO_TCP, .flags = RULE_DUAL | RULE_AUTO,
		.first = 8000, .last = 8010, .to = 8000,
	};
	t[0].rule[t[0].cnt++] = (struct fwd_rule) {
		.proto = IPPROTO_UDP, .listen = addr4(0x7f000001),
		.target = addr4(0xc6336409), .ifname = "eth0",
		.first = 22, .last = 22, .to = 23,
	};
	t[1].rule[t[1].cnt++] = (struct fwd_rule) {
		.proto = IPPROTO_TCP, .listen = addr_loopback(FAM6),
		.flags = RULE_WEAK, .first = 9000, .last = 9000, .to = 9001,
	};
	updates = 0;
	refusal = NULL;
	serve();
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	OK(!connect(fd, (struct sockaddr *)&name, name_len));
	turns();
	return fd;
}

static uint8_t got[65536];

/* What is there to read; -1: nothing. 0: the end. */
static ssize_t hear(int fd)
{
	size_t len = 0;
	ssize_t n;

	turns();
	while ((n = recv(fd, got + len, sizeof(got) - len, 0)) > 0)
		len += (size_t)n;
	return len ? (ssize_t)len : n;
}

static void say(int fd, const void *p, size_t len)
{
	EQ(__real_send(fd, p, len, MSG_NOSIGNAL), len);
	turns();
}

static bool at_end(int fd)
{
	uint8_t byte;
	ssize_t n;

	turns();
	n = recv(fd, &byte, 1, 0);
	return !n || (n < 0 && errno == ECONNRESET);
}

/* --- the example of 463 bytes --- */

#define Z4	0, 0, 0, 0
#define Z16	Z4, Z4, Z4, Z4

static const uint8_t greeting[20] = {
	'b', 'a', 's', 'i', 'l', ':', 's', 0, 0, 0, 0, 2, 0, 0, 0, 128,
	0, 0, 0, 16,
};
static const uint8_t rule_tcp[56] = {
	Z16, Z16, Z16, 0x1f, 0x40, 0x1f, 0x4a, 0x1f, 0x40, 6, 5,
};
static const uint8_t rule_udp[56] = {
	Z4, Z4, 0, 0, 255, 255, 127, 0, 0, 1,
	Z4, Z4, 0, 0, 255, 255, 198, 51, 100, 9,
	'e', 't', 'h', '0', Z4, Z4, Z4, 0, 22, 0, 22, 0, 23, 17, 0,
};
static const uint8_t rule_ns[56] = {
	Z4, Z4, Z4, 0, 0, 0, 1, Z16, Z16, 0x23, 0x28, 0x23, 0x28, 0x23, 0x29,
	6, 2,
};

static uint8_t *append(uint8_t *p, const void *bytes, size_t n)
{
	return (uint8_t *)mempcpy(p, bytes, n);
}

static uint8_t *append_table(uint8_t *p, uint8_t pif, const char *table,
			     uint8_t caps, uint8_t cnt)
{
	uint8_t head[137] = { pif };

	memcpy(head + 1, table, strlen(table));
	head[132] = caps;
	head[136] = cnt;
	return append(p, head, sizeof(head));
}

static const uint8_t *example(void)
{
	static uint8_t all[463];
	uint8_t *p = append(all, greeting, sizeof(greeting));

	p = append_table(p, 1, "HOST", 63, 2);
	p = append(p, rule_tcp, 56);
	p = append(p, rule_udp, 56);
	p = append_table(p, 3, "SPLICE", 63, 1);
	p = append(p, rule_ns, 56);
	EQ(p - all, 462);
	return all;
}

TEST(a_client_is_told_all_tables_by_the_byte)
{
	int fd;

	settings(MODE_PASTA);
	fd = dial();
	EQ(hear(fd), 463);
	MEMEQ(got, example(), 463);
	close(fd);
	turns();
}

TEST(what_does_not_fit_at_once_follows)
{
	ssize_t n, len = 0;
	int fd;

	settings(MODE_PASTA);
	send_full = true;
	fd = dial();
	EQ(hear(fd), -1);
	send_full = false;
	for (send_max = 1; len < 463; send_max += 3) {
		control_handle((struct ev) { .kind = EV_CONTROL, .slot = 1 },
			       EPOLLOUT);
		n = recv(fd, got + len, sizeof(got) - (size_t)len, 0);
		len += MAX(n, 0);
	}
	send_max = 0;
	EQ(len, 463);
	MEMEQ(got, example(), 463);
	close(fd);
	turns();
}

TEST(a_virtual_machine_has_one_table_and_no_automatic_rules)
{
	int fd;

	settings(MODE_PASST);
	conf_writable.no_udp = true;
	conf_writable.net[FAM6].enabled = false;
	conf_writable.can_bind_device = false;
	fd = dial();
	EQ(hear(fd), 20 + 137 + 2 * 56 + 1);
	EQ(got[20], 1);
	EQ(got[20 + 132], 1 | 4);
	close(fd);
	turns();
}

/* --- updates --- */

struct bytes {
	uint8_t b[40000];
	size_t len;
};

static void add(struct bytes *u, const void *p, size_t len)
{
	memcpy(u->b + u->len, p, len);
	u->len += len;
}

static void mention(struct bytes *u, uint8_t pif, unsigned cnt)
{
	const uint8_t head[] = { pif, 0, 0, (uint8_t)(cnt >> 8), (uint8_t)cnt };

	add(u, head, sizeof(head));
}

static void finish(struct bytes *u)
{
	add(u, "", 1);
}

static void rule_of_port(struct bytes *u, uint16_t port)
{
	uint8_t rule[56];

	memcpy(rule, rule_tcp, 56);
	for (unsigned at = 48; at < 54; at += 2)
		put_be16(rule + at, port);
	rule[55] = RULE_DUAL;
	add(u, rule, 56);
}

static int told(void)
{
	int fd = dial();

	OK(hear(fd) > 0);
	return fd;
}

TEST(an_update_replaces_both_tables_and_nothing_is_answered)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	mention(&u, 3, 1);
	add(&u, rule_ns, 56);
	mention(&u, 1, 1);
	add(&u, rule_tcp, 56);
	finish(&u);
	say(fd, u.b, u.len);
	EQ(updates, 1);
	EQ(hear(fd), 0);
	EQ(in_force[0].cnt, 1);
	EQ(in_force[0].rule[0].last, 8010);
	EQ(in_force[0].rule[0].flags, RULE_DUAL | RULE_AUTO);
	EQ(in_force[1].cnt, 1);
	EQ(in_force[1].rule[0].to, 9001);
	close(fd);
}

TEST(every_field_of_a_rule_survives_the_way_there_and_back)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	mention(&u, 1, 2);
	add(&u, rule_tcp, 56);
	add(&u, rule_udp, 56);
	mention(&u, 3, 1);
	add(&u, rule_ns, 56);
	finish(&u);
	memset(in_force, 0, sizeof(in_force));
	say(fd, u.b, u.len);
	EQ(updates, 1);
	close(fd);
	fd = dial();
	EQ(hear(fd), 463);
	MEMEQ(got, example(), 463);
	close(fd);
	turns();
}

TEST(the_name_of_an_interface_may_be_utf_8)
{
	struct bytes u = { .len = 0 };
	uint8_t rule[56];
	int fd;

	settings(MODE_PASTA);
	fd = told();
	memcpy(rule, rule_udp, 56);
	memcpy(rule + 32, "b\xc3\xbc" "ro", 5);
	mention(&u, 1, 1);
	add(&u, rule, 56);
	finish(&u);
	say(fd, u.b, u.len);
	EQ(in_force[0].cnt, 1);
	STREQ(in_force[0].rule[0].ifname, "b\xc3\xbc" "ro");
	close(fd);
	turns();
}

TEST(tables_not_mentioned_are_emptied_mentioned_twice_appended)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	mention(&u, 1, 1);
	rule_of_port(&u, 80);
	mention(&u, 1, 0);
	mention(&u, 1, 1);
	rule_of_port(&u, 81);
	finish(&u);
	say(fd, u.b, u.len);
	EQ(in_force[0].cnt, 2);
	EQ(in_force[0].rule[1].first, 81);
	EQ(in_force[1].cnt, 0);
	close(fd);
}

TEST(an_update_may_come_byte_by_byte)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	mention(&u, 1, 3);
	for (uint16_t port = 80; port < 83; port++)
		rule_of_port(&u, port);
	finish(&u);
	for (size_t i = 0; i < u.len; i++) {
		EQ(updates, 0);
		say(fd, u.b + i, 1);
	}
	EQ(updates, 1);
	EQ(in_force[0].cnt, 3);
	EQ(hear(fd), 0);
	close(fd);
}

TEST(the_largest_update_is_taken)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASST);
	fd = told();
	mention(&u, 1, 255);
	for (uint16_t port = 1; port <= 255; port++)
		rule_of_port(&u, port);
	finish(&u);
	say(fd, u.b, u.len);
	EQ(updates, 1);
	EQ(in_force[0].cnt, 255);
	close(fd);
	fd = dial();
	EQ(hear(fd), 20 + 137 + 255 * 56 + 1);
	close(fd);
	turns();
}

/* --- what is not taken --- */

static void not_taken(const struct bytes *u, const char *word)
{
	struct fwd_table before = in_force[0];
	ssize_t n;
	int fd = told();

	say(fd, u->b, u->len);
	shutdown(fd, SHUT_WR);
	n = hear(fd);
	EQ(updates, 0);
	OK(!memcmp(&before, &in_force[0], sizeof(before)));
	if (OK(n > 0)) {
		EQ(got[n - 1], '\n');
		got[n - 1] = '\0';
		OK(!strchr((char *)got, '\n'));
		if (!OK(strstr((char *)got, word)))
			printf("    '%s' in: %s\n", word, got);
	}
	OK(at_end(fd));
	close(fd);
}

/* A rule with one byte changed. */
static void twisted(unsigned at, uint8_t value, const char *word)
{
	struct bytes u = { .len = 0 };
	uint8_t rule[56];

	memcpy(rule, rule_udp, 56);
	rule[at] = value;
	mention(&u, 1, 1);
	add(&u, rule, 56);
	finish(&u);
	not_taken(&u, word);
}

TEST(a_rule_that_cannot_be_is_refused_with_the_reason)
{
	settings(MODE_PASTA);
	twisted(49, 0, "Port 0");
	twisted(48, 1, "less than");
	twisted(53, 0, "Target ports");
	twisted(54, 132, "Protocol 132");
	twisted(55, 8, "flags 0x8");
	twisted(55, 1, "any address");
	twisted(47, 'x', "interface");
	twisted(32, '/', "interface");
	twisted(33, '\n', "interface");
	twisted(33, ' ', "interface");
	twisted(33, 127, "interface");
	twisted(28, 224, "not unicast");
	twisted(26, 0, "another family");
}

TEST(an_update_that_makes_no_sense_is_refused_with_the_reason)
{
	struct bytes u = { .len = 0 };

	settings(MODE_PASTA);
	mention(&u, 2, 0);
	not_taken(&u, "no table 2");

	u.len = 0;
	mention(&u, 1, 256);
	not_taken(&u, "256 rules");

	u.len = 0;
	mention(&u, 1, 1);
	add(&u, rule_tcp, 55);
	not_taken(&u, "ends in the middle");

	u.len = 0;
	mention(&u, 1, 0);
	not_taken(&u, "ends in the middle");

	u.len = 0;
	mention(&u, 1, 2);
	rule_of_port(&u, 80);
	rule_of_port(&u, 80);
	not_taken(&u, "conflict");

	u.len = 0;
	mention(&u, 3, 1);
	add(&u, rule_udp, 56);
	not_taken(&u, "host's loopback only");

	settings(MODE_PASST);
	u.len = 0;
	mention(&u, 3, 0);
	not_taken(&u, "no table 3");
}

TEST(what_is_switched_off_cannot_be_forwarded)
{
	struct bytes u = { .len = 0 };

	settings(MODE_PASTA);
	mention(&u, 1, 1);
	rule_of_port(&u, 80);
	conf_writable.net[FAM4].enabled = false;
	not_taken(&u, "disabled");
	conf_writable.net[FAM4].enabled = true;
	conf_writable.no_tcp = true;
	not_taken(&u, "TCP is disabled");
}

TEST(ports_that_cannot_be_had_are_told_and_logged)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	refusal = "cannot listen on TCP port 80: Address already in use";
	fd = told();
	mention(&u, 1, 1);
	rule_of_port(&u, 80);
	finish(&u);
	say(fd, u.b, u.len);
	EQ(updates, 1);
	EQ(in_force[0].cnt, 2);
	EQ(hear(fd), (ssize_t)strlen(refusal) + 1);
	OK(!memcmp(got, refusal, strlen(refusal)));
	OK(at_end(fd));
	close(fd);
}

TEST(an_update_without_end_is_given_up)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	while (u.len + 5 < sizeof(u.b))
		mention(&u, 1, 0);
	say(fd, u.b, u.len);
	EQ(__real_send(fd, u.b, u.len, MSG_NOSIGNAL), u.len);
	OK(hear(fd) > 0);
	OK(at_end(fd));
	EQ(updates, 0);
	close(fd);
}

TEST(bytes_after_the_update_are_ignored)
{
	struct bytes u = { .len = 0 };
	int fd;

	settings(MODE_PASTA);
	fd = told();
	finish(&u);
	add(&u, "rubbish", 7);
	say(fd, u.b, u.len);
	EQ(updates, 1);
	OK(at_end(fd));
	close(fd);
}

/* --- one at a time --- */

TEST(the_next_client_is_served_when_the_first_has_gone)
{
	struct bytes u = { .len = 0 };
	int one, two;

	settings(MODE_PASTA);
	one = told();
	two = dial();
	EQ(hear(two), -1);
	later(1000);
	EQ(hear(two), -1);

	finish(&u);
	say(one, u.b, u.len);
	EQ(updates, 1);
	EQ(hear(two), 463 - 3 * 56);	/* as the first has left it */
	close(one);
	close(two);
	turns();
}

TEST(a_client_that_hangs_up_makes_room)
{
	int one, two;

	settings(MODE_PASTA);
	one = told();
	two = dial();
	close(one);
	EQ(hear(two), 463);
	shutdown(two, SHUT_WR);
	OK(at_end(two));
	close(two);
	EQ(updates, 0);
}

TEST(an_idle_client_has_to_go_when_another_has_waited_long_enough)
{
	int one, two;

	settings(MODE_PASTA);
	one = told();
	two = dial();
	later(4900);
	EQ(hear(one), -1);
	EQ(hear(two), -1);
	later(200);
	EQ(hear(two), 463);
	OK(hear(one) > 0);
	OK(strstr((char *)got, "sign of life"));
	OK(at_end(one));
	close(one);
	close(two);
	turns();
}

TEST(an_idle_client_may_stay_while_nobody_waits)
{
	struct bytes u = { .len = 0 };
	int one, two;

	settings(MODE_PASTA);
	one = told();
	later(60000);
	EQ(hear(one), -1);
	two = dial();
	EQ(hear(two), 463);
	EQ(hear(two), -1);
	close(one);
	finish(&u);
	say(two, u.b, u.len);
	EQ(updates, 1);
	close(two);
}

TEST(a_client_stuck_in_an_update_has_to_go_though_nobody_waits)
{
	int fd;

	settings(MODE_PASTA);
	fd = told();
	say(fd, "\1\0\0", 3);
	later(4000);
	say(fd, "\0", 1);
	later(4900);
	EQ(hear(fd), -1);
	later(200);
	OK(hear(fd) > 0);
	OK(at_end(fd));
	EQ(updates, 0);
	close(fd);
}

TEST(a_client_that_does_not_read_has_to_go)
{
	int fd;

	settings(MODE_PASTA);
	send_full = true;
	fd = dial();
	later(4900);
	EQ(hear(fd), -1);
	later(200);
	send_full = false;
	OK(at_end(fd));
	close(fd);
}
