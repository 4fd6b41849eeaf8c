/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - the socket through which forwarding rules are shown and replaced
 *
 * A client is told all tables, may send an update, and is closed:
 *
 *	NOBODY --accept--> TELLING --all written--> LISTENING
 *	  ^                   |                         |
 *	  '-- closed <--------+-- error, or in the way -+-- update read, judged
 *
 * One at a time, and the tables are read when it is its turn: so a client that
 * reads, changes and writes cannot undo what another has done in between. The
 * others wait in the kernel's queue. Nothing waits for a client, neither the
 * loop nor, for long, other clients: after five seconds without a byte it has
 * to go if it is in the middle of something, or if somebody else is waiting.
 *
 * An update is read as it comes, into tables of its own. It is judged rule by
 * rule, and taken by listen_update() as a whole or not at all. Why not is told
 * to the log and to the client, in a line before the end.
 *
 * Who may connect is the business of the file's permissions.
 */
#include "control/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "conf.h"
#include "control/control_wire.h"
#include "fwd.h"
#include "listen.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define PATIENCE_MS	5000
#define ACCEPT_AGAIN_MS	1000		/* out of descriptors */
/* Both tables, and more mentions of empty ones than anybody needs */
#define UPDATE_MAX	65536u

SYSCALLS(accept4, getsockopt, recvfrom, sendto, poll, close);

enum { SLOT_LISTENER, SLOT_CLIENT };

static const struct {
	uint8_t pif;
	const char *name;
	bool pasta_only;
} tables[] = {
	{ PIF_HOST, "HOST", false },
	{ PIF_SPLICE, "SPLICE", true },
};
#define TABLES		ARRAY_SIZE(tables)
#define TOLD_MAX	(CTL_GREETING + TABLES *			\
			 (CTL_TABLE + RULES_MAX * CTL_RULE) + 1)

/* What the next bytes of an update are. */
enum part { PART_PIF, PART_COUNT, PART_RULE, PART_END };

static const size_t part_len[] = {
	[PART_PIF] = 1, [PART_COUNT] = 4, [PART_RULE] = CTL_RULE,
};

static int listen_fd = -1;
static int client_fd = -1;		/* -1: NOBODY */

static struct {
	int pid;
	uint64_t heard_ms;		/* of its last sign of life */

	uint8_t told[TOLD_MAX];
	size_t told_len, told_cnt;	/* LISTENING once these are equal */

	uint8_t piece[CTL_RULE];	/* of an update, not complete yet */
	size_t piece_len, update_len;
	enum part part;
	unsigned table;			/* index in tables[] */
	uint32_t rules_left;
	struct fwd_table next[TABLES];
	char why[CTL_WHY_MAX];		/* it cannot be taken */
} client;

static bool has_table(unsigned i)
{
	return !tables[i].pasta_only || conf.mode == MODE_PASTA;
}

/* --- telling --- */

static uint32_t capabilities(void)
{
	return (conf.net[FAM4].enabled ? CTL_CAP_IPV4 : 0) |
	       (conf.net[FAM6].enabled ? CTL_CAP_IPV6 : 0) |
	       (conf.no_tcp ? 0 : CTL_CAP_TCP) |
	       (conf.no_udp ? 0 : CTL_CAP_UDP) |
	       (conf.mode == MODE_PASTA ? CTL_CAP_AUTO : 0) |
	       (conf.can_bind_device ? CTL_CAP_DEVICE : 0);
}

static void tell_table(struct wr *w, unsigned i)
{
	const struct fwd_table *rules = listen_rules(tables[i].pif);
	struct ctl_table t = {
		.pif = tables[i].pif, .caps = capabilities(), .cnt = rules->cnt,
	};

	str_copy(t.name, sizeof(t.name), tables[i].name);
	ctl_put_table(w, &t);
	for (unsigned n = 0; n < rules->cnt; n++)
		ctl_put_rule(w, &rules->rule[n]);
}

static void prepare(void)
{
	struct wr w = wr_init(client.told, sizeof(client.told));

	ctl_put_greeting(&w);
	for (unsigned i = 0; i < TABLES; i++)
		if (has_table(i))
			tell_table(&w, i);
	wr_u8(&w, 0);
	client.told_len = sizeof(client.told) - w.left;
	client.told_cnt = 0;
}

static bool is_told(void)
{
	return client.told_cnt == client.told_len;
}

/* 0, or -errno; -EAGAIN: the rest later. */
static int tell(void)
{
	while (!is_told()) {
		ssize_t n = send(client_fd, client.told + client.told_cnt,
				 client.told_len - client.told_cnt,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		client.told_cnt += (size_t)n;
		client.heard_ms = clock_ms();
	}
	return 0;
}

/* --- an update --- */

static int refuse(const char *fmt, ...) PRINTF(1, 2);

static int refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(client.why, sizeof(client.why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int take_pif(struct rd *r)
{
	uint8_t pif = rd_u8(r);

	client.part = pif ? PART_COUNT : PART_END;
	if (!pif)
		return 0;
	for (unsigned i = 0; i < TABLES; i++) {
		if (tables[i].pif != pif || !has_table(i))
			continue;
		client.table = i;
		return 0;
	}
	return refuse("there is no table %u", pif);
}

static int take_count(struct rd *r)
{
	client.rules_left = rd_be32(r);
	client.part = client.rules_left ? PART_RULE : PART_PIF;
	if (client.rules_left > RULES_MAX)
		return refuse("%u rules for %s: %d at most", client.rules_left,
			      tables[client.table].name, RULES_MAX);
	return 0;
}

/* Rules of one option share a number, which is not told: those of a protocol
 * that are best effort are taken for one. */
static int take_rule(struct rd *r)
{
	struct fwd_table *t = &client.next[client.table];
	char why[CTL_WHY_MAX / 2], text[256];
	struct fwd_rule rule;
	struct fwd_spec_ctx ctx = {
		.c = &conf, .can_auto = true,
		.outbound = tables[client.table].pif == PIF_SPLICE,
	};

	if (!--client.rules_left)
		client.part = PART_PIF;
	if (!ctl_get_rule(r, &rule))
		return refuse("a rule with an invalid name of an interface");
	ctx.proto = rule.proto;
	rule.spec = rule.proto;
	if (fwd_rule_add(t, &ctx, &rule, why, sizeof(why)))
		return 0;
	return refuse("%s %s: %s", tables[client.table].name,
		      fwd_rule_str(&rule, text, sizeof(text)), why);
}

static int take_piece(void)
{
	static int (*const take[])(struct rd *r) = {
		[PART_PIF] = take_pif, [PART_COUNT] = take_count,
		[PART_RULE] = take_rule,
	};
	struct rd r = rd_init(client.piece, client.piece_len);

	client.piece_len = 0;
	return take[client.part](&r);
}

/* What follows the end is nobody's business. */
static int take_bytes(struct rd *r)
{
	int rc = 0;

	while (!rc && rd_more(r) && client.part != PART_END) {
		size_t want = part_len[client.part] - client.piece_len;
		size_t n = MIN(want, r->len);

		rd_bytes(r, client.piece + client.piece_len, n);
		client.piece_len += n;
		if (n == want)
			rc = take_piece();
	}
	return rc;
}

static void log_rules(unsigned i)
{
	const struct fwd_table *t = listen_rules(tables[i].pif);
	char text[256];

	if (has_table(i))
		info("Control: now forwarding (%s):%s", tables[i].name,
		     t->cnt ? "" : " nothing");
	for (unsigned n = 0; n < t->cnt; n++)
		info("    %s", fwd_rule_str(&t->rule[n], text, sizeof(text)));
}

static int take_update(void)
{
	if (!listen_update(&client.next[0], &client.next[1], client.why,
			   sizeof(client.why)))
		return -EINVAL;
	for (unsigned i = 0; i < TABLES; i++)
		log_rules(i);
	return 0;
}

/* 0: all is done; -EAGAIN: the rest later; -EINVAL: client.why says what is
 * wrong with it; or another -errno of the connection. */
static int hear(void)
{
	while (client.part != PART_END) {
		uint8_t buf[4096];
		ssize_t n = recv(client_fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct rd r = rd_init(buf, n > 0 ? (size_t)n : 0);
		int rc;

		if (!n && !client.update_len)
			return -ECONNRESET;
		if (!n)
			return refuse("the update ends in the middle");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		client.heard_ms = clock_ms();
		client.update_len += (size_t)n;
		rc = client.update_len > UPDATE_MAX ?
		     refuse("an update without end") : take_bytes(&r);
		if (rc)
			return rc;
	}
	return take_update();
}

/* --- clients --- */

/* One line. It may have gone: then nobody wants to know. */
static void tell_why(void)
{
	size_t len = strlen(client.why);

	client.why[len] = '\n';		/* in place of the NUL */
	send(client_fd, client.why, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void client_end(int rc)
{
	if (rc == -EINVAL) {
		warn("Control: update by process %d not taken: %s", client.pid,
		     client.why);
		tell_why();
	} else {
		debug("Control: process %d has been served%s%s", client.pid,
		      rc ? ": " : "", rc ? strerror(-rc) : "");
	}
	loop_del(client_fd);
	close_keep_errno(&client_fd);
	timer_cancel(TIMER_CONTROL);
}

static bool others_wait(void)
{
	struct pollfd p = { .fd = listen_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* An idle one may stay while it is in nobody's way. */
static bool is_in_the_way(void)
{
	return !is_told() || client.update_len || others_wait();
}

static void watch_patience(void)
{
	timer_set(TIMER_CONTROL, client.heard_ms + PATIENCE_MS);
}

static void client_serve(void)
{
	int rc = tell();

	if (!rc)
		rc = hear();
	if (rc == -EAGAIN)
		watch_patience();
	else
		client_end(rc);
}

static int peer_pid(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return peer.pid;
}

static void client_new(int fd)
{
	client_fd = fd;
	client.pid = peer_pid(fd);
	client.heard_ms = clock_ms();
	client.part = PART_PIF;
	client.piece_len = client.update_len = 0;
	memset(client.next, 0, sizeof(client.next));
	prepare();
	info("Control: process %d has connected", client.pid);
	if (loop_add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		     (struct ev) { .kind = EV_CONTROL, .slot = SLOT_CLIENT })) {
		close_keep_errno(&client_fd);
		return;
	}
	client_serve();
}

/* Those who wait, one after the other. */
static void accept_next(void)
{
	while (client_fd < 0) {
		int fd = accept4(listen_fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_new(fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			timer_set(TIMER_CONTROL, clock_ms() + ACCEPT_AGAIN_MS);
		return;
	}
}

void control_handle(struct ev ev, uint32_t events)
{
	(void)events;
	if (ev.slot == SLOT_LISTENER && client_fd >= 0)
		watch_patience();
	else if (client_fd >= 0)
		client_serve();
	accept_next();
}

void control_expire(void)
{
	if (client_fd >= 0 && is_in_the_way())
		client_end(refuse("no sign of life for %d seconds",
				  PATIENCE_MS / 1000));
	accept_next();
}

int control_start(int fd)
{
	listen_fd = fd;
	return fd < 0 ? 0 : loop_add(fd, EPOLLIN | EPOLLET,
		(struct ev) { .kind = EV_CONTROL, .slot = SLOT_LISTENER });
}
