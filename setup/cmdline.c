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
 * Pure: acts on nothing, asks the system nothing, prints nothing but --help.
 * The first error wins, and is one line. What an option's value means for the
 * others, and every default that depends on the host, is for derive.c.
 */
#include "setup/setup.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* --- the table --- */

/* Sets of modes; for each option where it is valid, and where it is shown. */
#define MODE_SET(mode)	(1u << (mode))
#define P_		MODE_SET(MODE_PASST)
#define VU_		MODE_SET(MODE_VHOST_USER)
#define NS_		MODE_SET(MODE_PASTA)
#define ALL_		(P_ | VU_ | NS_)

#define VU		{ VU_, VU_ }
#define VM		{ P_ | VU_, P_ | VU_ }
#define NS		{ NS_, NS_ }
#define ALL		{ ALL_, ALL_ }
#define ALL_VM		{ ALL_, P_ | VU_ }
#define ALL_NS		{ ALL_, NS_ }

enum addr_class {
	UNSPEC = 1,
	LOOPBACK4 = 2,
	LOOPBACK6 = 4,
	LOOPBACK = LOOPBACK4 | LOOPBACK6,
	MULTICAST = 8,
	BROADCAST = 16,
	MAPPED = 32,		/* IPv4 dressed up as IPv6 */
};

enum opt_id {
#define OPT(id, ...) OPT_##id,
#include "setup/options.def"
	OPT_COUNT
};

struct opt;

struct scan {
	struct request *req;
	char *err;
	unsigned modes;			/* that are still possible */
	bool given[OPT_COUNT];
	bool prefix4_given;		/* any IPv4 --address with /PLEN */
	const char *value;
};

struct opt {
	const char *name;
	char letter;
	struct { uint8_t valid, shown; } modes;
	bool (*take)(struct scan *s, const struct opt *o);
	struct dest {
		size_t off, size;
		size_t has_off;		/* 0: no such field */
	} dest;
	const char *arg;
	struct { uint64_t lo, hi; } lim;
	const char *help;
};

static const struct opt opts[OPT_COUNT];

/* --- what kinds of values there are --- */

static bool fail(struct scan *s, const char *fmt, ...)
PRINTF(2, 3);

static bool fail(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, ERR_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static void *dest(const struct scan *s, const struct opt *o)
{
	return (char *)s->req + o->dest.off;
}

static bool set_has(void *base, const struct opt *o)
{
	if (o->dest.has_off)
		*(bool *)((char *)base + o->dest.has_off) = true;
	return true;
}

static bool take_flag(struct scan *s, const struct opt *o)
{
	*(bool *)dest(s, o) = true;
	return true;
}

static bool take_clear(struct scan *s, const struct opt *o)
{
	*(bool *)dest(s, o) = false;
	return true;
}

static bool take_action(struct scan *s, const struct opt *o)
{
	s->req->action = (enum action)o->lim.lo;
	return true;
}

static bool take_vhost_user(struct scan *s, const struct opt *o)
{
	(void)o;
	s->modes = VU_;
	return true;
}

static bool take_level(struct scan *s, const struct opt *o)
{
	enum log_level level = (enum log_level)o->lim.lo;

	s->req->quiet = level == LOG_LVL_WARN;
	if (s->req->quiet || s->req->level < level)
		s->req->level = level;
	return true;
}

static bool number(struct scan *s, const struct opt *o, uint64_t *v)
{
	if (parse_u64(s->value, o->lim.hi, v) && *v >= o->lim.lo)
		return true;
	return fail(s, "--%s: '%s' is not a number from %ju to %ju", o->name,
		    s->value, (uintmax_t)o->lim.lo, (uintmax_t)o->lim.hi);
}

static bool take_uint(struct scan *s, const struct opt *o)
{
	uint64_t v;

	if (!number(s, o, &v))
		return false;
	*(unsigned *)dest(s, o) = (unsigned)v;
	return set_has(s->req, o);
}

static bool take_size(struct scan *s, const struct opt *o)
{
	return number(s, o, dest(s, o));
}

static bool take_fd(struct scan *s, const struct opt *o)
{
	uint64_t v;

	if (!parse_u64(s->value, INT_MAX, &v) || v == 1 || v == 2)
		return fail(s, "--%s: '%s' is not a descriptor one can use; "
			    "0, or 3 and above", o->name, s->value);
	*(int *)dest(s, o) = (int)v;
	return true;
}

static bool take_string(struct scan *s, const struct opt *o)
{
	size_t len = strlen(s->value);

	if (!len && o->lim.lo)
		return fail(s, "--%s: needs a value that is not empty",
			    o->name);
	if (len > o->lim.hi)
		return fail(s, "--%s: '%.60s%s' is too long; %ju bytes at most",
			    o->name, s->value, len > 60 ? "..." : "",
			    (uintmax_t)o->lim.hi);
	*(const char **)dest(s, o) = s->value;
	return true;
}

static bool ifname_ok(struct scan *s, const struct opt *o)
{
	size_t len = strlen(s->value);

	if (len && len < IFNAMSIZ)
		return true;
	return fail(s, "--%s: '%.60s' is not an interface name; "
		    "1 to %d characters", o->name, s->value, IFNAMSIZ - 1);
}

static bool take_ifname(struct scan *s, const struct opt *o)
{
	return ifname_ok(s, o) && str_copy(dest(s, o), IFNAMSIZ, s->value);
}

static bool take_ifname_ptr(struct scan *s, const struct opt *o)
{
	if (!ifname_ok(s, o))
		return false;
	*(const char **)dest(s, o) = s->value;
	return true;
}

static bool take_mac(struct scan *s, const struct opt *o)
{
	if (!mac_parse(dest(s, o), s->value))
		return fail(s, "--%s: '%s' is not a MAC address; "
			    "like 52:54:00:12:34:56", o->name, s->value);
	return set_has(s->req, o);
}

/* --- addresses --- */

static unsigned addr_classes(const struct addr *a, const char *text)
{
	static const struct {
		bool (*is)(const struct addr *a);
		unsigned class[FAM_COUNT];
	} classes[] = {
		{ addr_is_unspec,	{ UNSPEC, UNSPEC } },
		{ addr_is_loopback,	{ LOOPBACK4, LOOPBACK6 } },
		{ addr_is_multicast,	{ MULTICAST, MULTICAST } },
		{ addr_is_broadcast,	{ BROADCAST, BROADCAST } },
	};
	enum fam fam = addr_fam(a);
	unsigned found = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].is(a))
			found |= classes[i].class[fam];
	if (fam == FAM4 && strchr(text, ':'))
		found |= MAPPED;
	return found;
}

static bool addr_allowed(struct scan *s, const struct opt *o,
			 const struct addr *a)
{
	static const struct {
		unsigned class;
		const char *name;
	} names[] = {
		{ UNSPEC, "an unspecified" }, { LOOPBACK, "a loopback" },
		{ MULTICAST, "a multicast" }, { BROADCAST, "the broadcast" },
		{ MAPPED, "an IPv4-mapped" },
	};
	unsigned bad = addr_classes(a, s->value) & (unsigned)o->lim.hi;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (bad & names[i].class)
			return fail(s, "--%s: '%s' is %s address, which cannot "
				    "be used here", o->name, s->value,
				    names[i].name);
	return true;
}

static bool addr_value(struct scan *s, const struct opt *o, struct addr *a)
{
	if (!addr_parse(a, s->value))
		return fail(s, "--%s: '%s' is not an IPv4 or IPv6 address",
			    o->name, s->value);
	return addr_allowed(s, o, a);
}

static bool take_addr(struct scan *s, const struct opt *o)
{
	struct request_net *net;
	struct addr a;

	if (!addr_value(s, o, &a))
		return false;
	net = &s->req->net[addr_fam(&a)];
	*(struct addr *)((char *)net + o->dest.off) = a;
	return set_has(net, o);
}

static bool take_address(struct scan *s, const struct opt *o)
{
	char text[ADDR_STRLEN + 2], *end = text;
	const char *slash = strchrnul(s->value, '/');
	struct request_net *net;
	uint64_t plen = 0, skip;
	struct addr a;
	enum fam fam;

	/* All that is an address fits. */
	if ((size_t)(slash - s->value) < sizeof(text))
		end = mempcpy(text, s->value, (size_t)(slash - s->value));
	*end = '\0';
	if (!addr_parse_brackets(&a, text))
		return fail(s, "--%s: '%s' is not an IPv4 or IPv6 address, "
			    "with or without /PLEN", o->name, s->value);
	if (!addr_allowed(s, o, &a))
		return false;

	/* Written as IPv6, the prefix of a mapped address counts from bit 0. */
	fam = addr_fam(&a);
	skip = fam == FAM4 && strchr(text, ':') ? 96 : 0;
	if (*slash && (!parse_u64(slash + 1, addr_bits(fam) + skip, &plen) ||
		       plen < skip))
		return fail(s, "--%s: '%s' has a prefix length that is not "
			    "from %ju to %ju", o->name, s->value,
			    (uintmax_t)skip, (uintmax_t)addr_bits(fam) + skip);
	net = &s->req->net[fam];
	net->address = a;
	net->has_address = true;
	net->prefix_len = plen > skip ? (int)(plen - skip) : -1;
	s->prefix4_given |= fam == FAM4 && plen > skip;
	return true;
}

/* -1: not a mask */
static int mask_len(const char *text)
{
	struct addr a;
	uint64_t v;
	uint32_t m;

	if (parse_u64(text, 32, &v))
		return (int)v;
	if (!addr_parse(&a, text) || addr_fam(&a) != FAM4 || strchr(text, ':'))
		return -1;
	m = (uint32_t)a.b[12] << 24 | (uint32_t)a.b[13] << 16 |
	    (uint32_t)a.b[14] << 8 | a.b[15];
	if (~m & (~m + 1))
		return -1;
	return m ? __builtin_popcount(m) : 0;
}

static bool take_netmask(struct scan *s, const struct opt *o)
{
	int len = mask_len(s->value);

	if (len < 0)
		return fail(s, "--%s: '%s' is not an IPv4 netmask; a length "
			    "from 0 to 32, or like 255.255.255.0", o->name,
			    s->value);
	*(int *)dest(s, o) = len ? len : -1;
	return true;
}

static bool take_dns(struct scan *s, const struct opt *o)
{
	struct request *req = s->req;
	struct request_net *net;
	struct addr a;

	req->dns_none = !strcmp(s->value, "none");
	for (enum fam fam = FAM4; req->dns_none && fam < FAM_COUNT; fam++) {
		net = &req->net[fam];
		net->dns_cnt = 0;
		net->has_dns_forward = net->has_dns_host = false;
	}
	if (req->dns_none)
		return true;

	if (!addr_value(s, o, &a))
		return false;
	net = &req->net[addr_fam(&a)];
	if (net->dns_cnt < CONF_DNS_MAX)
		net->dns[net->dns_cnt++] = a;
	return true;
}

/* "none" among the values of an address for both families. */
static bool take_map_loopback(struct scan *s, const struct opt *o)
{
	struct request *req = s->req;

	if (strcmp(s->value, "none"))
		return take_addr(s, o);
	req->map_loopback_none = true;
	req->net[FAM4].has_map_loopback = req->net[FAM6].has_map_loopback =
		false;
	return true;
}

static bool take_map_guest(struct scan *s, const struct opt *o)
{
	struct request *req = s->req;

	if (strcmp(s->value, "none"))
		return take_addr(s, o);
	req->map_guest_none = true;
	req->net[FAM4].has_map_guest = req->net[FAM6].has_map_guest = false;
	return true;
}

/* --- lists --- */

static bool search_add(struct scan *s, const char *name, size_t len)
{
	struct request *req = s->req;

	if (len && name[len - 1] == '.')
		len--;
	if (!len || len > CONF_NAME_MAX)
		return fail(s, "--search: '%.60s' is not a domain; "
			    "1 to %d bytes", s->value, CONF_NAME_MAX);
	if (req->search_cnt == CONF_SEARCH_MAX)
		return fail(s, "--search: '%s' is one domain too many; "
			    "%d at most", s->value, CONF_SEARCH_MAX);
	*(char *)mempcpy(req->search[req->search_cnt++], name, len) = '\0';
	return true;
}

static bool take_search(struct scan *s, const struct opt *o)
{
	static const char blank[] = " \t";
	const char *p = s->value + strspn(s->value, blank);

	s->req->search_none = !strcmp(s->value, "none");
	s->req->has_search = true;
	if (s->req->search_none)
		s->req->search_cnt = 0;
	if (s->req->search_none)
		return true;
	if (!*p)
		return fail(s, "--%s: needs a domain, or none", o->name);

	while (*p) {
		size_t len = strcspn(p, blank);

		if (!search_add(s, p, len))
			return false;
		p += len;
		p += strspn(p, blank);
	}
	return true;
}

static bool take_spec(struct scan *s, const struct opt *o)
{
	struct request *req = s->req;

	if (req->spec_cnt == REQ_SPECS_MAX)
		return fail(s, "--%s: '%s' is one port option too many; "
			    "%d at most", o->name, s->value, REQ_SPECS_MAX);
	req->spec[req->spec_cnt++] = (struct request_spec) {
		.letter = (char)o->lim.lo, .text = s->value,
	};
	*(bool *)dest(s, o) = true;
	return true;
}

#define SIZE_OF(type, field)	sizeof(((type *)0)->field)
#define NOWHERE			{ 0, 0, 0 }
#define TO(f)			{ offsetof(struct request, f),		\
				  SIZE_OF(struct request, f), 0 }
#define TO2(f, has)		{ offsetof(struct request, f),		\
				  SIZE_OF(struct request, f),		\
				  offsetof(struct request, has) }
#define PER_FAMILY(f, has)	{ offsetof(struct request_net, f), 0,	\
				  offsetof(struct request_net, has) }
#define LIM(lo, hi)		{ lo, hi }
#define REJECT(classes)		{ 0, classes }
#define NOLIM			{ 0, 0 }

static const struct opt opts[OPT_COUNT] = {
#define OPT(id, long_, letter_, modes_, kind_, dest_, arg_, lim_, help_, man_) \
	[OPT_##id] = { .name = long_, .letter = letter_, .modes = modes_,     \
		       .take = take_##kind_, .dest = dest_, .arg = arg_,      \
		       .lim = lim_, .help = help_ },
#include "setup/options.def"
};

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

static void undo(struct scan *s, enum opt_id id)
{
	static const struct request defaults = { .fd = -1 };
	const struct opt *o = &opts[id];

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
	return opts[id].take(s, &opts[id]);
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
	return false;
}

/* @word is what follows the dashes, up to "=". */
static bool find_long(struct scan *s, const char *word, size_t len,
		      enum opt_id *id)
{
	bool found = false, several = false;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strncmp(names[i].name, word, len))
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
		return fail(s, "unrecognized option '--%.200s'; --help lists "
			    "them", word);
	return true;
}

/* Options of a cluster like -fq, or -m1500; *next is the following word. */
static bool scan_short(struct scan *s, const char *word, char ***next)
{
	for (const char *p = word + 1; *p; p++) {
		enum opt_id id = 0;

		while (id < OPT_COUNT && opts[id].letter != *p)
			id++;
		if (id == OPT_COUNT)
			return fail(s, "invalid option -- '%c'; --help lists "
				    "them", isprint((unsigned char)*p) ? *p :
				    '?');
		if (!opts[id].arg) {
			if (!take(s, id, NULL))
				return false;
			if (s->req->action != ACT_RUN)
				return true;
			continue;
		}
		if (p[1])
			return take(s, id, p + 1);
		if (!**next)
			return fail(s, "option requires an argument -- '%c' "
				    "(%s)", *p, opts[id].arg);
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
	if (value && !opts[id].arg)
		return fail(s, "option '--%s' doesn't allow an argument",
			    opts[id].name);
	if (!value && opts[id].arg && !(value = **next))
		return fail(s, "option '--%s' requires an argument (%s)",
			    opts[id].name, opts[id].arg);
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

	for (enum opt_id id = 0; id < OPT_COUNT; id++)
		if (s->given[id] && !(opts[id].modes.valid & modes))
			return fail(s, "--%s is not valid in %s mode; drop it",
				    opts[id].name, mode_names[mode]);
	return true;
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
		if (!mode_ok(s, s->modes | VU_))
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
		return NS_;
	return strstr(base, "passt") ? P_ : 0;
}

static bool judge_mode(struct scan *s, const char *argv0)
{
	if (!s->modes)
		return fail(s, "'%.200s': call this program passt or pasta",
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
		return fail(s, "--%s %s --%s: %s", opts[pairs[i].a].name,
			    pairs[i].needs ? "needs" : "excludes",
			    opts[pairs[i].b].name, pairs[i].why);
	}
	return true;
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
			return fail(s, "--%s: %s is not supported by this "
				    "build yet", opts[missing[i].id].name,
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
		return fail(s, "'%.200s': no words are expected after the "
			    "options", *rest);
	if (req->netns)
		return fail(s, "--netns and '%.200s' are both given; one "
			    "namespace at a time", *rest);
	if (rest[1] || (*rest)[strspn(*rest, "0123456789")] || !**rest) {
		req->command = rest;
		return true;
	}
	if (!parse_u64(*rest, INT_MAX, &pid) || !pid)
		return fail(s, "'%.60s' cannot be a process ID; for a program "
			    "of that name, say ./%.60s", *rest, *rest);
	req->pid = (pid_t)pid;
	return true;
}

static bool judge_values(struct scan *s)
{
	struct request *req = s->req;

	if (s->prefix4_given && req->netmask_len >= 0)
		return fail(s, "--netmask excludes a prefix length in "
			    "--address: give one of them");
	if (s->given[OPT_STATS] && req->stats_s && !req->foreground)
		return fail(s, "--stats needs --foreground: there is nowhere "
			    "to print to in the background");
	if (req->mode != MODE_VHOST_USER && req->repair_path &&
	    strcmp(req->repair_path, "none"))
		return fail(s, "--repair-path '%s' needs --vhost-user",
			    req->repair_path);
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
	if (!vm && !req->pid && !req->netns)
		req->foreground = true;
}

static const struct request nothing_said = {
	.netmask_len = -1,
	.level = LOG_LVL_INFO,
	.fd = -1,
	.net = { { .prefix_len = -1 }, { .prefix_len = -1 } },
};

bool cmdline_parse(struct request *req, int argc, char **argv,
		   char err[ERR_MAX])
{
	static char *none[] = { NULL };
	const char *argv0 = argc > 0 ? argv[0] : "";
	struct scan s = {
		.req = req, .err = err, .modes = modes_by_name(argv0),
	};
	char **rest = none;

	*req = nothing_said;
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

/* --- help --- */

static const char *const usage_forms[] = {
	[MODE_PASST] =
	"Usage: passt [OPTION]...\n"
	"Connect a virtual machine to the network, without privileges.\n",
	[MODE_VHOST_USER] =
	"Usage: passt --vhost-user [OPTION]...\n"
	"Connect a virtual machine to the network, without privileges.\n",
	[MODE_PASTA] =
	"Usage: pasta [OPTION]... [COMMAND [ARG]...]\n"
	"       pasta [OPTION]... PID\n"
	"       pasta [OPTION]... --netns PATH|NAME\n"
	"Connect a namespace to the network, without privileges: a new one in "
	"which\nCOMMAND or a login shell runs, that of process PID, or a named "
	"one.\n",
};

static const char usage_spec[] =
	"\nSPEC is one of\n"
	"  none                 forward nothing\n"
	"  [ADDR][%IFACE]/PORTS only what arrives at that address, interface\n"
	"  PORTS                on any address\n"
	"and PORTS a list, separated by commas, of\n"
	"  N or N-M             these ports\n"
	"  N:K or N-M:K-L       these ports, as other ports on the other side\n"
	"  N:ADDR[/K]           this port, to another address\n"
	"  ~N or ~N-M           not these ports\n"
	"  all                  all ports that are not ephemeral\n"
	"  auto                 those the other side listens on (pasta only)\n"
	"for instance -t 22 -t 192.0.2.1/8080:80 -u all,~53 -t %eth0/1000-1010\n";

/* "-m, --mtu BYTES", and the line of help, on the next line when the first
 * leaves no room. */
static void usage_option(FILE *f, const struct opt *o)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s",
			 o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? "," : " ", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");

	fprintf(f, n > 28 ? "%s\n%-29s%s\n" : "%-29s%s%s\n", left,
		n > 28 ? "" : "", o->help);
}

/* The table in its own order, a heading before each group. */
static const struct row {
	const char *group;
	enum opt_id id;
} rows[] = {
#define GROUP(title) { .group = title },
#define OPT(id_, ...) { .id = OPT_##id_ },
#include "setup/options.def"
};

void cmdline_usage(const struct request *req, bool to_stderr)
{
	FILE *f = to_stderr ? stderr : stdout;
	const char *group = NULL;

	fputs(usage_forms[req->mode], f);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt *o = &opts[rows[i].id];

		if (rows[i].group)
			group = rows[i].group;
		if (rows[i].group ||
		    !(o->modes.shown & MODE_SET(req->mode)))
			continue;
		if (group)
			fprintf(f, "\n%s\n", group);
		group = NULL;
		usage_option(f, o);
	}
	fputs(usage_spec, f);
	fflush(f);
}
