/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline_value.c - what values of options look like, and where they go
 *
 * The table of options, each with the function that takes its value: take_KIND
 * for KIND in options.def. It says no with a line that names the option, the
 * value, and what would have been right; or stores what it read in struct
 * request. What values mean for each other is judged in cmdline.c.
 *
 * Pure: whether an interface, a user or a path exists is for others to find.
 */
#include "setup/cmdline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* Sets of modes; for each option where it is valid, and where it is shown. */
#define P_		MODE_SET(MODE_PASST)
#define VU_		MODE_SET(MODE_VHOST_USER)
#define NS_		MODE_SET(MODE_PASTA)
#define ALL_		(P_ | VU_ | NS_)

#define VU		{ VU_, P_ | VU_ }
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
	COMPAT = 64,		/* the same, formerly: ::192.0.2.1 */
};

/* --- what kinds of values there are --- */

bool refuse(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, ERR_MAX, fmt, ap);
	va_end(ap);
	str_printable(s->err);
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

static bool take_nothing(struct scan *s, const struct opt *o)
{
	(void)s;
	(void)o;
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
	return refuse(s, "--%s: '%.60s' is not a number from %ju to %ju",
		      o->name, s->value, (uintmax_t)o->lim.lo,
		      (uintmax_t)o->lim.hi);
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
		return refuse(s, "--%s: '%.60s' is not a descriptor that "
			      "can be used; 0, or 3 and above", o->name,
			      s->value);
	*(int *)dest(s, o) = (int)v;
	return true;
}

static bool take_string(struct scan *s, const struct opt *o)
{
	size_t len = strlen(s->value);

	if (!len && o->lim.lo)
		return refuse(s, "--%s: '' is too short; it needs a %.*s",
			      o->name, (int)strcspn(o->arg, "|"), o->arg);
	if (len > o->lim.hi)
		return refuse(s, "--%s: '%.60s%s' is too long; %ju bytes "
			      "at most", o->name, s->value,
			      len > 60 ? "..." : "",
			      (uintmax_t)o->lim.hi);
	*(const char **)dest(s, o) = s->value;
	return true;
}

/* Who it is, only the machine knows. */
static bool take_runas(struct scan *s, const struct opt *o)
{
	const char *colon = strchrnul(s->value, ':');
	size_t len = strlen(s->value);

	if (colon == s->value || (*colon && !colon[1]) || len > o->lim.hi ||
	    (*colon && strchr(colon + 1, ':')))
		return refuse(s, "--%s: '%.60s' is not a user; "
			      "UID[:GID] or LOGIN[:GROUP]", o->name,
			      s->value);
	*(const char **)dest(s, o) = s->value;
	return true;
}

/* What Linux takes for one, dev_valid_name(); it would replace "%d". */
static bool ifname_ok(struct scan *s, const struct opt *o)
{
	size_t len = strlen(s->value);

	if (len && len < IFNAMSIZ && !s->value[strcspn(s->value, "/:%")] &&
	    !s->value[strcspn(s->value, " \t\n\v\f\r")] &&
	    strcmp(s->value, ".") && strcmp(s->value, ".."))
		return true;
	return refuse(s, "--%s: '%.60s' is not an interface name; 1 to "
		      "%d characters, without '/', ':', '%%' and blanks",
		      o->name, s->value, IFNAMSIZ - 1);
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
	struct mac m;

	if (!mac_parse(&m, s->value))
		return refuse(s, "--%s: '%.60s' is not a MAC address; "
			      "like 52:54:00:12:34:56", o->name,
			      s->value);
	if (o->lim.hi & MULTICAST && m.b[0] & 1)
		return refuse(s, "--%s: '%s' is a multicast address, no "
			      "interface can have it; make the first "
			      "number even", o->name, s->value);
	*(struct mac *)dest(s, o) = m;
	return set_has(s->req, o);
}

/* --- addresses --- */

/* RFC 4291 2.5.5.1. Zero and one are the unspecified and loopback address. */
static bool addr_is_compat(const struct addr *a)
{
	static const uint8_t zero[12];

	return !memcmp(a->b, zero, sizeof(zero)) &&
	       (a->b[12] || a->b[13] || a->b[14] || a->b[15] > 1);
}

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
		{ addr_is_compat,	{ 0, COMPAT } },
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
		{ MAPPED, "an IPv4-mapped" }, { COMPAT, "an IPv4-compatible" },
	};
	unsigned bad = addr_classes(a, s->value) & (unsigned)o->lim.hi;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (bad & names[i].class)
			return refuse(s, "--%s: '%.60s' is %s address, "
				      "which cannot be used here",
				      o->name, s->value, names[i].name);
	return true;
}

static bool addr_value(struct scan *s, const struct opt *o, struct addr *a)
{
	if (!addr_parse(a, s->value))
		return refuse(s, "--%s: '%.60s' is not an IPv4 or IPv6 "
			      "address%s", o->name, s->value,
			      strstr(o->arg, "none") ? ", nor none" : "");
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

static bool decimal(const char *text, uint64_t max, uint64_t *v)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	while (text[0] == '0' && text[1])
		text++;
	return parse_u64(text, max, v);
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
		return refuse(s, "--%s: '%.60s' is not an IPv4 or IPv6 "
			      "address, with or without /PLEN", o->name,
			      s->value);
	if (!addr_allowed(s, o, &a))
		return false;

	/* Written as IPv6, the prefix of a mapped address counts from bit 0. */
	fam = addr_fam(&a);
	skip = fam == FAM4 && strchr(text, ':') ? 96 : 0;
	if (*slash && (!decimal(slash + 1, addr_bits(fam) + skip, &plen) ||
		       plen < skip))
		return refuse(s, "--%s: '%.60s' has a prefix length that "
			      "is not from %ju to %ju", o->name, s->value,
			      (uintmax_t)skip,
			      (uintmax_t)addr_bits(fam) + skip);
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
		return refuse(s, "--%s: '%.60s' is not an IPv4 netmask; "
			      "a length from 0 to 32, or like "
			      "255.255.255.0", o->name, s->value);
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
		return refuse(s, "--search: '%.60s' is not a domain; "
			      "1 to %d bytes, or none", s->value,
			      CONF_NAME_MAX);
	if (req->search_cnt == CONF_SEARCH_MAX)
		return refuse(s, "--search: '%.60s' is one domain too "
			      "many; %d at most", s->value,
			      CONF_SEARCH_MAX);
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
		return refuse(s, "--%s: '%.60s' has no domain in it; "
			      "say none for none", o->name, s->value);

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
		return refuse(s, "--%s: '%.60s' is one port option too "
			      "many; %d at most", o->name, s->value,
			      REQ_SPECS_MAX);
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

const struct opt *option(enum opt_id id)
{
	return &opts[id];
}
