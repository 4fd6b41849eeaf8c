/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline.c - from the words of the command line to struct request
 *
 * One scan over the words, driven by options.def. It collects what was said,
 * and stops at the first word which is no option: what follows belongs to
 * pasta's command and is not looked at. Then it is judged as a whole: the mode
 * each option is valid in, what excludes or needs what, and what the remaining
 * words mean. So no check depends on the order of options.
 *
 * Syntax is that of getopt_long(): short options in clusters, a value attached
 * or in the next word, long options abbreviated as long as it is clear which
 * one is meant, "--" to end them.
 *
 * Pure: acts on nothing, asks the system nothing, prints nothing.
 * The first error wins, and is one line. What an option's value means for the
 * others, and every default that depends on the host, is for derive.c.
 */
#include "setup/cmdline.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* Long names, with their aliases. */
static const struct {
	const char *name;
	enum opt_id id;
} names[] = {
#define OPT(id, long_, ...) { long_, OPT_##id },
#define ALIAS(id, long_) { long_, OPT_##id },
#include "setup/options.def"
};

/* --- words --- */

/* Made when it is wanted: it is mostly zeroes, and large. */
static struct request nothing_said(void)
{
	return (struct request){
		.netmask_len = -1,
		.level = LOG_LVL_INFO,
		.fd = -1,
		.net = { { .prefix_len = -1 }, { .prefix_len = -1 } },
	};
}

static void undo(struct scan *s, enum opt_id id)
{
	const struct request defaults = nothing_said();
	const struct opt *o = option(id);

	memcpy((char *)s->req + o->dest.off,
	       (const char *)&defaults + o->dest.off, o->dest.size);
	s->given[id] = false;
}

static bool take(struct scan *s, enum opt_id id, const char *value)
{
	static const enum opt_id cancels[][2] = {
#define CANCELS(a, b) { OPT_##a, OPT_##b },
#include "setup/options.def"
	};

	s->value = value;
	s->given[id] = true;
	for (unsigned i = 0; i < ARRAY_SIZE(cancels); i++)
		for (unsigned j = 0; j < 2; j++)
			if (cancels[i][j] == id)
				undo(s, cancels[i][!j]);
	return option(id)->take(s, option(id));
}

/* All names that start with this, for the message. */
static bool fail_ambiguous(struct scan *s, const char *word, size_t len)
{
	size_t used = (size_t)snprintf(s->err, ERR_MAX, "option '--%.*s' is "
				       "ambiguous; possibilities:", (int)len,
				       word);

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(names[i].name, word, len) && used < ERR_MAX)
			used += (size_t)snprintf(s->err + used, ERR_MAX - used,
						 " '--%s'", names[i].name);
	str_printable(s->err);
	return false;
}

/* @word is what follows the dashes, up to "=". */
static bool find_long(struct scan *s, const char *word, size_t len,
		      enum opt_id *id)
{
	bool found = false, several = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!len || strncmp(names[i].name, word, len))
			continue;
		several |= found && names[i].id != *id;
		found = true;
		*id = names[i].id;
		if (!names[i].name[len])
			return true;
	}
	if (several)
		return fail_ambiguous(s, word, MIN(len, 64u));
	if (!found)
		return refuse(s, "unrecognized option '--%.200s'; --help "
			      "lists them", word);
	return true;
}

/* Options of a cluster like -fq, or -m1500; *next is the following word. */
static bool scan_short(struct scan *s, const char *word, char ***next)
{
	for (const char *p = word + 1; *p; p++) {
		enum opt_id id = 0;

		while (id < OPT_COUNT && option(id)->letter != *p)
			id++;
		if (id == OPT_COUNT)
			return refuse(s, "invalid option -- '%c'; --help lists "
				      "them", isprint((unsigned char)*p) ? *p :
				      '?');
		if (!option(id)->arg) {
			if (!take(s, id, NULL))
				return false;
			if (s->req->action != ACT_RUN)
				return true;
			continue;
		}
		if (p[1])
			return take(s, id, p + 1);
		if (!**next)
			return refuse(s, "option requires an argument -- '%c' "
				      "(%s)", *p, option(id)->arg);
		return take(s, id, *(*next)++);
	}
	return true;
}

static bool scan_long(struct scan *s, const char *word, char ***next)
{
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] ? word + 2 + len + 1 : NULL;
	enum opt_id id = OPT_COUNT;

	if (!find_long(s, word + 2, len, &id))
		return false;
	if (value && !option(id)->arg)
		return refuse(s, "option '--%s' doesn't allow an argument",
			      option(id)->name);
	if (!value && option(id)->arg && !(value = **next))
		return refuse(s, "option '--%s' requires an argument (%s)",
			      option(id)->name, option(id)->arg);
	if (!value || value == **next)
		*next += !!value;
	return take(s, id, value);
}

static bool mode_ok(struct scan *s, unsigned modes)
{
	static const char *const mode_names[] = {
		[MODE_PASST] = "passt", [MODE_VHOST_USER] = "vhost-user",
		[MODE_PASTA] = "pasta",
	};
	unsigned mode = modes ? (unsigned)__builtin_ctz(modes) : 0;
	enum opt_id id = 0;

	while (id < OPT_COUNT &&
	       (!s->given[id] || option(id)->modes.valid & modes))
		id++;
	if (id == OPT_COUNT)
		return true;
	if (option(id)->modes.valid == MODE_SET(MODE_VHOST_USER))
		return refuse(s, "--%s needs --vhost-user", option(id)->name);
	return refuse(s, "--%s is not valid in %s mode; drop it",
		      option(id)->name, mode_names[mode]);
}

/* Up to the first word that is no option, which *rest then points to. A mode
 * that --vhost-user could still choose is not ruled out yet. */
static bool scan_words(struct scan *s, char **argv, char ***rest)
{
	char **next = argv;

	while (*next && (*next)[0] == '-' && (*next)[1]) {
		const char *word = *next++;

		if (!strcmp(word, "--"))
			break;
		if (!(word[1] == '-' ? scan_long(s, word, &next) :
				       scan_short(s, word, &next)))
			return false;
		if (!mode_ok(s, s->modes | MODE_SET(MODE_VHOST_USER)))
			return false;
		if (s->req->action != ACT_RUN)
			return true;
	}
	*rest = next;
	return true;
}

/* --- judgement --- */

static unsigned modes_by_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *base = slash ? slash + 1 : argv0;

	if (strstr(base, "pasta"))
		return MODE_SET(MODE_PASTA);
	return strstr(base, "passt") ? MODE_SET(MODE_PASST) : 0;
}

static bool judge_mode(struct scan *s, const char *argv0)
{
	if (!s->modes)
		return refuse(s, "'%.200s': call this program passt or pasta",
			      argv0);
	s->req->mode = (enum mode)__builtin_ctz(s->modes);
	return true;
}

static bool judge_pairs(struct scan *s)
{
	static const struct {
		enum opt_id a, b;
		bool needs;
		const char *why;
	} pairs[] = {
#define CONFLICT(a_, b_, why_) { OPT_##a_, OPT_##b_, false, why_ },
#define NEEDS(a_, b_, why_) { OPT_##a_, OPT_##b_, true, why_ },
#include "setup/options.def"
	};

	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (!s->given[pairs[i].a] ||
		    s->given[pairs[i].b] == pairs[i].needs)
			continue;
		return refuse(s, "--%s %s --%s: %s", option(pairs[i].a)->name,
			      pairs[i].needs ? "needs" : "excludes",
			      option(pairs[i].b)->name, pairs[i].why);
	}
	return true;
}

static void note_deprecated(struct scan *s)
{
	static const struct {
		enum opt_id id;
		const char *instead;
	} rows[] = {
#define DEPRECATED(id_, instead_) { OPT_##id_, instead_ },
#include "setup/options.def"
	};
	struct request *req = s->req;

	_Static_assert(ARRAY_SIZE(rows) <= REQ_DEPRECATED_MAX, "room for all");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!s->given[rows[i].id])
			continue;
		req->deprecated[req->deprecated_cnt].option =
			option(rows[i].id)->name;
		req->deprecated[req->deprecated_cnt++].instead =
			rows[i].instead;
	}
}

static bool judge_missing(struct scan *s)
{
	static const struct {
		enum opt_id id;
		const char *what;
	} missing[] = {
#define MISSING(id_, what_) { OPT_##id_, what_ },
#include "setup/options.def"
	};

	for (unsigned i = 0; i < ARRAY_SIZE(missing); i++)
		if (s->given[missing[i].id])
			return refuse(s, "--%s: %s is not supported by this "
				      "build yet", option(missing[i].id)->name,
				      missing[i].what);
	return true;
}

/* Words after the options: nothing, a process, or a command with its own. */
static bool judge_rest(struct scan *s, char **rest)
{
	struct request *req = s->req;
	uint64_t pid;

	if (!*rest)
		return true;
	if (req->mode != MODE_PASTA)
		return refuse(s, "'%.200s': no words are expected after the "
			      "options", *rest);
	if (req->netns)
		return refuse(s, "--netns and '%.200s' are both given; one "
			      "namespace at a time", *rest);
	if (rest[1] || (*rest)[strspn(*rest, "0123456789")] || !**rest) {
		req->command = rest;
		return true;
	}
	if (!parse_u64(*rest, INT_MAX, &pid) || !pid)
		return refuse(s, "'%.60s' cannot be a process ID; for a "
			      "program of that name, say ./%.60s", *rest,
			      *rest);
	req->pid = (pid_t)pid;
	return true;
}

static bool judge_values(struct scan *s)
{
	struct request *req = s->req;

	if (s->prefix4_given && req->netmask_len >= 0)
		return refuse(s, "--netmask excludes a prefix length in "
			      "--address: give one of them");
	if (s->given[OPT_STATS] && req->stats_s && !req->foreground)
		return refuse(s, "--stats %u needs --foreground: there is "
			      "nowhere to print to in the background",
			      req->stats_s);
	if (req->mode != MODE_VHOST_USER && req->repair_path &&
	    strcmp(req->repair_path, "none"))
		return refuse(s, "--repair-path '%s' needs --vhost-user; say "
			      "none for none", req->repair_path);
	return true;
}

static void settle(struct scan *s)
{
	struct request *req = s->req;
	bool vm = req->mode != MODE_PASTA;

	if (!s->given[OPT_DHCP_DNS] && !s->given[OPT_NO_DHCP_DNS])
		req->dhcp_dns = vm;
	if (!s->given[OPT_DHCP_SEARCH] && !s->given[OPT_NO_DHCP_SEARCH])
		req->dhcp_search = vm;
	if (req->fd >= 0)
		req->one_off = true;
	if (req->netns && !req->userns)
		req->netns_only = true;
	note_deprecated(s);
	if (!vm && !req->pid && !req->netns)
		req->foreground = true;
}

bool cmdline_parse(struct request *req, int argc, char **argv,
		   char err[ERR_MAX])
{
	static char *none[] = { NULL };
	const char *argv0 = argc > 0 ? argv[0] : "";
	struct scan s = {
		.req = req, .err = err, .modes = modes_by_name(argv0),
	};
	char **rest = none;

	*req = nothing_said();
	*err = '\0';
	if (!scan_words(&s, argc > 0 ? argv + 1 : none, &rest) ||
	    !judge_mode(&s, argv0))
		return false;
	if (req->action != ACT_RUN)
		return true;
	if (!mode_ok(&s, s.modes) || !judge_rest(&s, rest))
		return false;
	settle(&s);
	return judge_pairs(&s) && judge_values(&s) && judge_missing(&s);
}
