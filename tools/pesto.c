/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: fwd_spec addr buf util control/control_wire */
/* pesto.c - ask a running passt or pasta what it forwards, and change that
 *
 *	read the tables -> make the changes, in order, on a copy -> send all
 *	-> was it refused? -> read the tables again: was it taken?
 *
 * Until everything is known to be right nothing is sent, and the server takes
 * an update as a whole or not at all. While we are connected nobody else is
 * served, so nothing changes between reading and writing.
 *
 * The protocol (control/control_wire.h) has no answer to an update. Servers of
 * ours send a line if they refuse one; of others one learns it by reading the
 * tables once more.
 *
 * Rules are made and checked by the code of the server, with what it says it
 * can do in place of a configuration; so this is also where errors in them are
 * reported in words. Ephemeral ports are those of where we run.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addr.h"
#include "buf.h"
#include "conf.h"
#include "control/control_wire.h"
#include "fwd.h"
#include "util.h"

SYSCALLS(read, write, close, fstat, newfstatat, socket, setsockopt, connect,
	 shutdown, exit_group, openat);

#define PATIENCE_S	30	/* for the server, and whoever it serves first */

static _Noreturn void die(const char *fmt, ...) PRINTF(1, 2);

/* One line, whatever the server or the command line have in it. */
static void say(const char *fmt, va_list ap)
{
	char text[CTL_WHY_MAX + 512];

	vsnprintf(text, sizeof(text), fmt, ap);
	str_printable(text);
	fprintf(stderr, "pesto: %s\n", text);
}

static _Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

/* --- the command line --- */

enum opt_id {
#define GROUP(...)
#define OPT(id, ...) OPT_##id,
#include "tools/pesto.def"
	OPT_COUNT
};

static const struct opt {
	const char *name;
	char letter;
	bool is_step;
	const char *arg, *help;
} opts[OPT_COUNT] = {
#define KIND_plain	false
#define KIND_step	true
#define GROUP(...)
#define OPT(id, long_, letter_, modes_, kind_, dest_, arg_, lim_, help_, man_) \
	[OPT_##id] = { long_, letter_, KIND_##kind_, arg_, help_ },
#include "tools/pesto.def"
};

static const struct row {
	const char *group;
	enum opt_id id;
} rows[] = {
#define GROUP(title) { .group = title },
#define OPT(id_, ...) { .id = OPT_##id_ },
#include "tools/pesto.def"
};

struct step {
	enum opt_id id;
	const char *value;
};

static struct {
	bool given[OPT_COUNT];
	struct step *step;		/* in the order of the command line */
	unsigned step_cnt;
	const char *path;
} args;

static void usage(FILE *f)
{
	fputs("Usage: pesto [OPTION]... PATH\n"
	      "Show or change the ports forwarded by the passt or pasta whose "
	      "control socket\n(--conf-path) is PATH.\n", f);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt *o = &opts[rows[i].id];
		char left[64];

		if (rows[i].group) {
			fprintf(f, "\n%s\n", rows[i].group);
			continue;
		}
		snprintf(left, sizeof(left), "  %c%c%c --%s%s%s",
			 o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? ',' : ' ', o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		fprintf(f, "%-29s%s\n", left, o->help);
	}
	fputs("\nUntil --add or --delete, the first SPEC for a table replaces "
	      "all its rules.\nSPEC is as for passt(1) and pasta(1).\n", f);
}

static void getopt_tables(struct option *longs, char *shorts)
{
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		longs[i] = (struct option) {
			opts[i].name, opts[i].arg ? 1 : 0, NULL, (int)i + 256,
		};
		if (opts[i].letter)
			*shorts++ = opts[i].letter;
		if (opts[i].letter && opts[i].arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static enum opt_id opt_of(int got)
{
	unsigned i = 0;

	if (got >= 256)
		return (enum opt_id)(got - 256);
	while (opts[i].letter != got)
		i++;
	return (enum opt_id)i;
}

static _Noreturn void about(void)
{
	if (args.given[OPT_HELP])
		usage(stdout);
	else
		printf("pesto %s\n"
		       "Copyright the passt authors\n"
		       "GNU General Public License, version 2 or later\n"
		       "  <https://www.gnu.org/licenses/old-licenses/"
		       "gpl-2.0.html>\n"
		       "This is free software: you are free to change and "
		       "redistribute it.\nThere is NO WARRANTY, to the extent "
		       "permitted by law.\n\n", VERSION);
	exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void parse(int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1] = { 0 };
	char shorts[2 * OPT_COUNT + 1];
	int got;

	getopt_tables(longs, shorts);
	args.step = calloc((size_t)argc + 1, sizeof(*args.step));
	if (!args.step)
		die("%s", strerror(ENOMEM));
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (got == '?') {
			usage(stderr);
			exit(EXIT_FAILURE);
		}

		enum opt_id id = opt_of(got);

		args.given[id] = true;
		if (id == OPT_HELP || id == OPT_VERSION)
			about();
		if (opts[id].is_step)
			args.step[args.step_cnt++] =
				(struct step) { id, optarg };
	}
	if (optind != argc - 1 || !*argv[optind]) {
		usage(stderr);
		exit(EXIT_FAILURE);
	}
	args.path = argv[optind];
}

/* --- the server --- */

struct table {
	struct ctl_table is;
	struct fwd_table rules;
};

struct state {
	unsigned cnt;
	struct table table[CTL_TABLES_MAX];
};

static void chat(const char *fmt, ...) PRINTF(1, 2);

static void chat(const char *fmt, ...)
{
	va_list ap;

	if (!args.given[OPT_DEBUG])
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

static const char *error_str(int error)
{
	return error == EAGAIN || error == EINPROGRESS ?
	       "no answer; it may be busy with somebody else" : strerror(error);
}

static int connect_to(const char *path)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("Failed to create a socket: %s", strerror(errno));
	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		die("%s: a path of more than %zu bytes", path,
		    sizeof(sa.sun_path) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)))
		die("Failed to connect to %s: %s", path, error_str(errno));
	chat("connected to %s", path);
	return fd;
}

/* The next @len bytes, which are @buf's. */
static struct rd receive(int fd, uint8_t *buf, size_t len)
{
	int rc = read_exact(fd, buf, len);

	if (rc == -EPIPE)
		die("%s: the connection was closed by the other side",
		    args.path);
	if (rc)
		die("%s: Failed to read: %s", args.path, error_str(-rc));
	return rd_init(buf, len);
}

static void read_rules(int fd, struct table *t)
{
	uint8_t buf[CTL_RULE];

	if (t->is.cnt > RULES_MAX)
		die("%s: Table %s of %u rules; %d at most", args.path,
		    t->is.name, t->is.cnt, RULES_MAX);
	for (; t->rules.cnt < t->is.cnt; t->rules.cnt++) {
		struct rd r = receive(fd, buf, sizeof(buf));

		if (!ctl_get_rule(&r, &t->rules.rule[t->rules.cnt]))
			die("%s: Invalid interface name in a rule of table %s",
			    args.path, t->is.name);
	}
}

/* False: there are no more. */
static bool read_table(int fd, struct state *s)
{
	struct table *t = &s->table[s->cnt];
	uint8_t buf[CTL_TABLE], pif;
	struct rd r = receive(fd, &pif, 1);

	if (!pif)
		return false;
	if (s->cnt == CTL_TABLES_MAX)
		die("%s: More than %u tables", args.path, CTL_TABLES_MAX);
	*t = (struct table) { .is.pif = pif };
	r = receive(fd, buf, CTL_TABLE - 1);
	if (!ctl_get_table(&r, &t->is))
		die("%s: Invalid name of a table", args.path);
	for (unsigned i = 0; i < s->cnt; i++)
		if (s->table[i].is.pif == pif ||
		    !strcmp(s->table[i].is.name, t->is.name))
			die("%s: Two tables %s", args.path, t->is.name);
	chat("table %u, %s: capabilities %#x, %u rules", pif, t->is.name,
	      t->is.caps, t->is.cnt);
	read_rules(fd, t);
	s->cnt++;
	return true;
}

static void read_state(int fd, struct state *s)
{
	uint8_t buf[CTL_GREETING];
	struct rd r = receive(fd, buf, sizeof(buf));
	const char *why = ctl_get_greeting(&r);

	if (why)
		die("%s: %s", args.path, why);
	chat("greeted");
	s->cnt = 0;
	while (read_table(fd, s))
		;
}

static void show(const char *which, const struct state *s)
{
	char text[256];

	printf("%s configuration (%s)\n", which, args.path);
	for (unsigned i = 0; i < s->cnt; i++) {
		const struct table *t = &s->table[i];

		printf("  %s\n", t->is.name);
		for (unsigned n = 0; n < t->rules.cnt; n++)
			printf("    %s\n", fwd_rule_str(&t->rules.rule[n], text,
							sizeof(text)));
	}
}

/* --- changes --- */

static struct conf theirs;		/* what the server can do */
static enum { REPLACE, ADD, DELETE } doing = REPLACE;
static bool cleared[CTL_TABLES_MAX];

static const struct {
	enum opt_id id;
	const char *table;
	uint8_t proto;
	bool outbound;
} spec_kinds[] = {
	{ OPT_TCP_PORTS, "HOST", IPPROTO_TCP, false },
	{ OPT_UDP_PORTS, "HOST", IPPROTO_UDP, false },
	{ OPT_TCP_NS, "SPLICE", IPPROTO_TCP, true },
	{ OPT_UDP_NS, "SPLICE", IPPROTO_UDP, true },
};

static void ephemeral_range(void)
{
	unsigned first, last;
	char text[64];

	theirs.ephemeral_first = 49152;
	theirs.ephemeral_last = 65535;
	if (read_file("/proc/sys/net/ipv4/ip_local_port_range", text,
		      sizeof(text)) < 0 ||
	    /* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers fit */
	    sscanf(text, "%u %u", &first, &last) != 2 || first > last ||
	    last > UINT16_MAX) {
		fprintf(stderr, "pesto: cannot read the range of ephemeral "
			"ports, assuming 49152-65535\n");
		return;
	}
	theirs.ephemeral_first = (uint16_t)first;
	theirs.ephemeral_last = (uint16_t)last;
}

static void believe(uint32_t caps)
{
	theirs.net[FAM4].enabled = caps & CTL_CAP_IPV4;
	theirs.net[FAM6].enabled = caps & CTL_CAP_IPV6;
	theirs.no_tcp = !(caps & CTL_CAP_TCP);
	theirs.no_udp = !(caps & CTL_CAP_UDP);
	theirs.can_bind_device = caps & CTL_CAP_DEVICE;
}

static struct table *find_table(struct state *s, const char *name)
{
	for (unsigned i = 0; i < s->cnt; i++)
		if (!strcmp(s->table[i].is.name, name))
			return &s->table[i];
	die("%s has no table %s", args.path, name);
}

static void clear(struct state *s, struct table *t)
{
	t->rules.cnt = 0;
	cleared[t - s->table] = true;
}

/* Index of an equal rule, or the number of rules. */
static unsigned find_rule(const struct fwd_table *t, const struct fwd_rule *r)
{
	unsigned i = 0;

	while (i < t->cnt && !fwd_rule_eq(&t->rule[i], r))
		i++;
	return i;
}

static void delete_rule(struct fwd_table *t, const struct fwd_rule *r)
{
	unsigned i = find_rule(t, r);
	char text[256];

	if (i == t->cnt)
		die("No such rule, so it cannot be deleted: %s",
		    fwd_rule_str(r, text, sizeof(text)));
	t->cnt--;
	memmove(&t->rule[i], &t->rule[i + 1], (t->cnt - i) * sizeof(*t->rule));
}

/* The rules a specification stands for are made on an empty table: whether they
 * go with those that are there depends on what is to be done with them. */
static void apply_spec(struct state *s, const struct step *step)
{
	static struct fwd_table made;
	struct fwd_spec_ctx ctx = { .c = &theirs };
	struct table *t = NULL;
	char why[512];
	bool ok;

	for (unsigned i = 0; i < ARRAY_SIZE(spec_kinds); i++) {
		if (spec_kinds[i].id != step->id)
			continue;
		t = find_table(s, spec_kinds[i].table);
		ctx.proto = spec_kinds[i].proto;
		ctx.outbound = spec_kinds[i].outbound;
	}
	if (doing == REPLACE && !cleared[t - s->table])
		clear(s, t);
	believe(t->is.caps);
	ctx.can_auto = t->is.caps & CTL_CAP_AUTO;

	made.cnt = 0;
	ok = !strcmp(step->value, "none") ?
	     fwd_parse_spec(&t->rules, &ctx, step->value, why, sizeof(why)) :
	     fwd_parse_spec(&made, &ctx, step->value, why, sizeof(why));
	for (unsigned i = 0; ok && i < made.cnt; i++) {
		if (doing == DELETE)
			delete_rule(&t->rules, &made.rule[i]);
		else if (find_rule(&t->rules, &made.rule[i]) == t->rules.cnt)
			ok = fwd_rule_add(&t->rules, &ctx, &made.rule[i], why,
					  sizeof(why));
	}
	if (!ok)
		die("-%c %s: %s", opts[step->id].letter, step->value, why);
}

static void apply(struct state *s, const struct step *step)
{
	if (step->id == OPT_ADD)
		doing = ADD;
	else if (step->id == OPT_DELETE)
		doing = DELETE;
	else if (step->id == OPT_CLEAR)
		clear(s, find_table(s, step->value));
	else
		apply_spec(s, step);
}

/* --- the update --- */

#define UPDATE_MAX	(CTL_TABLES_MAX *				\
			 (CTL_MENTION + RULES_MAX * CTL_RULE) + 1)

/* What the server says before it closes: why not, or nothing. */
static void read_verdict(int fd)
{
	char why[CTL_WHY_MAX + 1];
	size_t len = 0;
	ssize_t n = 0;

	while (len < sizeof(why) - 1 &&
	       (n = read(fd, why + len, sizeof(why) - 1 - len)) > 0)
		len += (size_t)n;
	while (len && why[len - 1] == '\n')
		len--;
	why[len] = '\0';
	if (len)
		die("%s: not done: %s", args.path, why);
	if (n < 0 && errno != ECONNRESET)
		die("%s: not known whether it was done: %s", args.path,
		    error_str(errno));
}

static void send_state(int fd, const struct state *s)
{
	static uint8_t buf[UPDATE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	int rc;

	for (unsigned i = 0; i < s->cnt; i++)
		ctl_put_update(&w, s->table[i].is.pif, &s->table[i].rules);
	wr_u8(&w, 0);
	rc = write_exact(fd, buf, sizeof(buf) - w.left);
	chat("update of %zu bytes sent", sizeof(buf) - w.left);
	if (!rc)
		shutdown(fd, SHUT_WR);
	read_verdict(fd);
	if (rc)
		die("%s: Failed to send the update: %s", args.path,
		    error_str(-rc));
}

/* Others may have changed other rules since. */
static void compare(const struct state *before, const struct state *wanted,
		    const struct state *after)
{
	for (unsigned i = 0; i < wanted->cnt; i++) {
		const struct fwd_table *old = &before->table[i].rules;
		const struct fwd_table *t = &wanted->table[i].rules;
		const struct fwd_table *is = &after->table[i].rules;
		char text[256];

		if (after->cnt != wanted->cnt ||
		    after->table[i].is.pif != wanted->table[i].is.pif)
			die("%s: not the same tables as before", args.path);
		for (unsigned n = 0; n < t->cnt; n++)
			if (find_rule(old, &t->rule[n]) == old->cnt &&
			    find_rule(is, &t->rule[n]) == is->cnt)
				die("%s: the update was not taken: missing %s",
				    args.path, fwd_rule_str(&t->rule[n], text,
							    sizeof(text)));
		for (unsigned n = 0; n < old->cnt; n++)
			if (find_rule(t, &old->rule[n]) == t->cnt &&
			    find_rule(is, &old->rule[n]) < is->cnt)
				die("%s: the update was not taken: still there "
				    "is %s", args.path,
				    fwd_rule_str(&old->rule[n], text,
						 sizeof(text)));
	}
}

static void change(int fd, struct state *before)
{
	static struct state wanted, after;

	if (args.given[OPT_SHOW])
		show("Previous", before);
	ephemeral_range();
	wanted = *before;
	for (unsigned i = 0; i < args.step_cnt; i++)
		apply(&wanted, &args.step[i]);
	send_state(fd, &wanted);
	close(fd);

	fd = connect_to(args.path);
	read_state(fd, &after);
	close(fd);
	compare(before, &wanted, &after);
	if (args.given[OPT_SHOW])
		show("Updated", &after);
}

int main(int argc, char **argv)
{
	static struct state before;
	int fd;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	fd = connect_to(args.path);
	read_state(fd, &before);
	if (args.step_cnt)
		change(fd, &before);
	else
		show("Current", &before);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
