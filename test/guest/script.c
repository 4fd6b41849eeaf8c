/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script.c - reads a diary and does what it says
 *
 * One statement per line, each begun when the one before is done and nothing
 * moves any more. README is the description of the language.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backlog.h"
#include "conf.h"
#include "epoll_ctl.h"
#include "flow.h"
#include "log.h"
#include "timer.h"
#include "util.h"
#include "wire/frame.h"

#define TOKENS		40
#define LINE_MAX_LEN	4096
#define EXACT_MS	2	/* tolerance of "+N <" */
#define FIRST_ISN	4294967000u	/* wraps within the first 296 bytes */

static uint64_t drops_at_start[DROP_COUNT];

/* --- words --- */

long number(const char *tok)
{
	char *end;
	long n = strtol(tok, &end, 0);

	if (*end == 'K')
		n *= 1024, end++;
	else if (*end == 'M')
		n *= 1024 * 1024, end++;
	if (end == tok || *end)
		fail("not a number: %s", tok);
	return n;
}

size_t unquote(const char *tok, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (const char *p = tok + 1; *p && *p != '"'; p++) {
		if (n == size)
			fail("text too long");
		if (*p == '\\' && p[1] == 'n') {
			out[n++] = '\n';
			p++;
		} else {
			out[n++] = (uint8_t)*p;
		}
	}
	return n;
}

static unsigned tokenize(char *line, char **tok)
{
	unsigned n = 0;
	char *p = line;

	for (;;) {
		p += strspn(p, " \t\n");
		if (!*p || *p == '#')
			break;
		if (n == TOKENS - 1)
			fail("too many words");
		tok[n++] = p;
		if (*p == '"')
			p += 1 + strcspn(p + 1, "\"");
		p += strcspn(p, " \t\n");
		if (*p)
			*p++ = 0;
	}
	tok[n] = NULL;
	return n;
}

const char *tok_next(char ***tok)
{
	if (!**tok)
		fail("a word is missing at the end of the line");
	return *(*tok)++;
}

bool tok_take(char ***tok, const char *word)
{
	if (!**tok || strcmp(**tok, word))
		return false;
	(*tok)++;
	return true;
}

void tok_end(char **tok)
{
	if (*tok)
		fail("unexpected: %s", *tok);
}

bool tok_is_number(const char *s)
{
	return s && ((*s >= '0' && *s <= '9') || *s == '-');
}

/* "S", "SA", ".", "P.", "-" for none; '.' is ACK. */
uint8_t tok_flags(const char *s)
{
	static const char letters[] = "FSRPAU";
	uint8_t flags = 0;

	for (; *s; s++) {
		const char *at = strchr(letters, *s);

		if (*s == '.')
			flags |= TCP_FLAG_ACK;
		else if (at)
			flags |= (uint8_t)(1u << (at - letters));
		else if (*s != '-')
			fail("no such flag: %c", *s);
	}
	return flags;
}

void tok_range(const char *s, uint32_t *from, uint32_t *to)
{
	char first[32];
	const char *colon = strchr(s, ':');
	size_t len = colon ? (size_t)(colon - s) : strlen(s);

	if (len >= sizeof(first))
		fail("not a sequence number: %s", s);
	memcpy(first, s, len);
	first[len] = 0;
	*from = (uint32_t)number(first);
	*to = colon ? (uint32_t)number(colon + 1) : *from;
}

/* --- connections --- */

static void conn_select(unsigned n)
{
	struct conn *c;

	if (n >= CONNS)
		fail("connections 0 to %u", CONNS - 1);
	world.cur = n;
	c = conn_cur();
	if (c->used)
		return;
	c->used = true;
	c->fd = c->listen_fd = c->prev_fd = -1;
	c->tail = &c->inbox;
	c->isn = FIRST_ISN + n;
	c->here_port = (uint16_t)(GUEST_PORT + n);
	addr_parse(&c->here, world.fam == FAM4 ? "10.0.2.15" : "fd00:2::15");
	addr_parse(&c->there, world.fam == FAM4 ? "10.0.2.2" : "fe80::1");
	wire_reset_conn(c);
}

/* Same addresses and ports, from the beginning. */
static void do_reopen(char **tok)
{
	struct conn *c = conn_cur();

	tok_end(tok);
	wire_reset_conn(c);
	c->isn += 1u << 20;
}

static void do_conn(char **tok)
{
	conn_select((unsigned)number(tok_next(&tok)));
	tok_end(tok);
}

/* --- the guest speaks --- */

static void parse_hex(struct seg *s, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned byte;

		if (s->raw_opts_len == sizeof(s->raw_opts) ||
		    sscanf(hex, "%2x", &byte) != 1)
			fail("options: up to 40 bytes in hexadecimal");
		s->raw_opts[s->raw_opts_len++] = (uint8_t)byte;
	}
}

static void parse_seg_option(struct seg *s, char ***tok)
{
	const char *word = tok_next(tok);

	if (!strcmp(word, "ack"))
		s->ack = (uint32_t)number(tok_next(tok));
	else if (!strcmp(word, "win"))
		s->win = (uint16_t)number(tok_next(tok));
	else if (!strcmp(word, "mss"))
		s->mss = (int)number(tok_next(tok));
	else if (!strcmp(word, "ws"))
		s->ws = (int)number(tok_next(tok));
	else if (!strcmp(word, "urg"))
		s->urg = (uint16_t)number(tok_next(tok));
	else if (!strcmp(word, "doff"))
		s->doff = (int)number(tok_next(tok));
	else if (!strcmp(word, "options"))
		parse_hex(s, tok_next(tok));
	else if (!strcmp(word, "sackok"))
		s->sack_ok = true;
	else if (!strcmp(word, "timestamps"))
		s->timestamps = true;
	else
		fail("unexpected: %s", word);
}

static void do_send(char **tok, bool batched)
{
	struct conn *c = conn_cur();
	struct seg s = {
		.flags = tok_flags(tok_next(&tok)),
		.seq = c->snd_nxt, .ack = c->rcv_nxt, .win = c->win,
		.mss = -1, .ws = -1, .doff = -1,
	};
	const char *text = NULL;
	uint8_t scratch[LINE_MAX_LEN];

	if (tok_is_number(*tok)) {
		uint32_t end;

		tok_range(tok_next(&tok), &s.seq, &end);
		s.len = end - s.seq;
	}
	while (*tok)
		if (**tok == '"')
			text = tok_next(&tok);
		else
			parse_seg_option(&s, &tok);
	if (text && !s.len)
		s.len = (uint32_t)unquote(text, scratch, sizeof(scratch));
	wire_fill(c, &s, text);
	wire_queue(c, &s);
	free(s.data);
	if (batched)
		return;
	wire_write();
	settle();
}

/* --- the link --- */

static void link_connect(void)
{
	struct sockaddr_un sun;
	socklen_t len = sizeof(sun);

	if (world.unix_listen_fd < 0 || world.link_fd >= 0)
		fail("\"config link listen\", and \"link disconnect\" before");
	world.link_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (getsockname(world.unix_listen_fd, (struct sockaddr *)&sun, &len) ||
	    connect(world.link_fd, (struct sockaddr *)&sun, len))
		fail("link: %s", strerror(errno));
	settle();
	wire_open();
}

static void do_link(char **tok)
{
	const char *word = tok_next(&tok);

	if (!strcmp(word, "stall")) {
		world.stalled = true;
	} else if (!strcmp(word, "resume")) {
		world.stalled = false;
		settle();
	} else if (!strcmp(word, "split")) {
		world.split = (unsigned)number(tok_next(&tok));
	} else if (!strcmp(word, "sndbuf")) {
		int size = (int)number(tok_next(&tok));

		if (setsockopt(world.daemon_fd, SOL_SOCKET, SO_SNDBUF, &size,
			       sizeof(size)))
			fail("SO_SNDBUF: %s", strerror(errno));
	} else if (!strcmp(word, "disconnect")) {
		close_keep_errno(&world.link_fd);
		settle();
	} else if (!strcmp(word, "connect")) {
		link_connect();
	} else {
		fail("link %s: no such command", word);
	}
	tok_end(tok);
}

/* --- checks --- */

static unsigned flows_wanted;
static enum flow_type flows_of;

static bool flows_there(void)
{
	return flow_count(flows_of) == flows_wanted;
}

static void do_flows(char **tok)
{
	if (tok_take(&tok, "udp"))
		flows_of = FLOW_UDP;
	else if (tok_take(&tok, "ping"))
		flows_of = world.fam == FAM4 ? FLOW_PING4 : FLOW_PING6;
	else
		flows_of = FLOW_TCP;
	flows_wanted = (unsigned)number(tok_next(&tok));
	tok_end(tok);
	if (!wait_real(flows_there))
		fail("%u flows", flow_count(flows_of));
}

/* "icmp TYPE4 CODE4 TYPE6 CODE6": such an error has come; or none. */
static void do_icmp(char **tok)
{
	int want[4] = { -1, -1, -1, -1 };
	bool none = tok_take(&tok, "none");

	for (unsigned i = 0; !none && i < 4; i++)
		want[i] = (int)number(tok_next(&tok));
	tok_end(tok);
	if (world.icmp_type != want[world.fam == FAM4 ? 0 : 2] ||
	    world.icmp_code != want[world.fam == FAM4 ? 1 : 3])
		fail("type %d, code %d", world.icmp_type, world.icmp_code);
	world.icmp_type = world.icmp_code = -1;
}

static bool fds_there(void)
{
	return world_fds() <= world.fds_at_start;
}

static void do_fds(char **tok)
{
	if (!tok_take(&tok, "same"))
		fail("\"fds same\"");
	tok_end(tok);
	if (!wait_real(fds_there))
		fail("%u descriptors, at first %u", world_fds(),
		     world.fds_at_start);
}

static enum drop_reason find_drop(const char *name)
{
	static const char *const names[] = {
#define X(id, text) [DROP_##id] = #id,
		DROP_REASONS(X)
#undef X
	};

	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (!strcmp(names[i], name))
			return (enum drop_reason)i;
	fail("no reason to drop is called %s", name);
}

static void do_drops(char **tok)
{
	enum drop_reason why = find_drop(tok_next(&tok));
	uint64_t n = (uint64_t)number(tok_next(&tok));
	uint64_t is = drop_count(why) - drops_at_start[why];

	tok_end(tok);
	if (is != n)
		fail("%" PRIu64 " dropped", is);
}

/* "turns < N in T": in so many milliseconds of the wall clock, while the
 * diary's stands still, the loop finds something to do less than N times. */
static void do_turns(char **tok)
{
	uint64_t before, until, n;

	if (!tok_take(&tok, "<"))
		fail("\"turns < N in MS\"");
	n = (uint64_t)number(tok_next(&tok));
	if (!tok_take(&tok, "in"))
		fail("\"turns < N in MS\"");
	settle();
	before = world.turns;
	until = real_ms() + (uint64_t)number(tok_next(&tok));
	tok_end(tok);
	while (real_ms() < until)
		pump(5);
	if (world.turns - before >= n)
		fail("%" PRIu64 " turns", world.turns - before);
}

/* --- configuration --- */

static void set_sysctl(const char *name, char ***tok)
{
	char path[200], value[200] = "";
	int fd;

	while (**tok) {
		if (*value)
			strncat(value, " ", sizeof(value) - 1 - strlen(value));
		strncat(value, tok_next(tok), sizeof(value) - 1 - strlen(value));
	}
	world_private_netns();
	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		skip("cannot set a sysctl of the network namespace");
	close(fd);
}

/* Other connections than the diary's own take, or give back, all that backlogs
 * share. */
static void do_slab(char **tok)
{
	static struct backlog others[BACKLOG_CHUNKS / (BACKLOG_MAX /
						       BACKLOG_CHUNK)];
	static uint8_t bytes[BACKLOG_CHUNK];
	struct iovec iov = { bytes, sizeof(bytes) };
	bool fill = tok_take(&tok, "fill");

	if (!fill && !tok_take(&tok, "free"))
		fail("slab fill | free");
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		if (!fill)
			backlog_clear(&others[i]);
		while (fill && backlog_add(&others[i], &iov, 1, 0,
					   sizeof(bytes)))
			;
	}
	tok_end(tok);
}

static void do_config(char **tok)
{
	const char *word = tok_next(&tok);

	if (world.started)
		fail("too late");
	if (!strcmp(word, "mtu"))
		conf_writable.mtu = (unsigned)number(tok_next(&tok));
	else if (!strcmp(word, "link") && tok_take(&tok, "listen"))
		world.link_listen = true;
	else if (!strcmp(word, "unreachable"))
		world.unreachable = true;
	else if (!strcmp(word, "netns"))
		world_private_netns();
	else if (!strcmp(word, "sysctl"))
		set_sysctl(tok_next(&tok), &tok);
	else
		fail("config %s: no such thing", word);
	tok_end(tok);
}

/* --- lines --- */

static bool segment_line(char **tok)
{
	bool batched = tok_take(&tok, "&");
	uint64_t ms = 0, early = 0, late = EXACT_MS;

	if (tok_take(&tok, "soon")) {
		early = late = SOON_MS;
	} else if (tok_take(&tok, "within")) {
		early = late = (uint64_t)number(tok_next(&tok));
	} else if (*tok && **tok == '+') {
		ms = (uint64_t)number(tok_next(&tok) + 1);
		early = EXACT_MS;
	} else {
		early = EXACT_MS;
	}
	if (tok_take(&tok, "<")) {
		expect_line(now_ms() + ms - early, now_ms() + ms + late, tok);
		return true;
	}
	if (!ms && !(*tok && !strcmp(*tok, ">")))
		return false;
	if (ms)
		advance(now_ms() + ms, NULL);
	if (tok_take(&tok, ">"))
		do_send(tok, batched);
	else
		tok_end(tok);
	return true;
}

static const struct {
	const char *name;
	void (*run)(char **tok);
} statements[] = {
	{ "conn", do_conn },
	{ "reopen", do_reopen },
	{ "guest", robot_command },
	{ "host", host_command },
	{ "udp", udp_command },
	{ "echo", echo_command },
	{ "link", do_link },
	{ "flows", do_flows },
	{ "icmp", do_icmp },
	{ "fds", do_fds },
	{ "drops", do_drops },
	{ "slab", do_slab },
	{ "turns", do_turns },
};

static void statement(char **tok)
{
	if (tok_take(&tok, "config")) {
		do_config(tok);
		return;
	}
	if (!world.started) {
		world_start();
		for (unsigned i = 0; i < DROP_COUNT; i++)
			drops_at_start[i] = drop_count((enum drop_reason)i);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(statements); i++) {
		if (strcmp(*tok, statements[i].name))
			continue;
		statements[i].run(tok + 1);
		return;
	}
	if (!segment_line(tok))
		fail("no such statement");
}

void script_run(const char *path)
{
	static char line[LINE_MAX_LEN], text[LINE_MAX_LEN];
	FILE *f = fopen(path, "re");
	char *tok[TOKENS];

	if (!f)
		fail("%s: %s", path, strerror(errno));
	conf_writable.mtu = MTU_DEFAULT;
	conn_select(0);
	while (fgets(line, sizeof(line), f)) {
		world.line++;
		str_copy(text, sizeof(text), line);
		text[strcspn(text, "\n")] = 0;
		world.text = text;
		if (tokenize(line, tok)) {
			note("%s", text);
			statement(tok);
		}
	}
	fclose(f);
}
