/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwd_spec.c - port forwarding as people write it, and as rules
 *
 *	spec	:= "none" | [ listen "/" ] chunk { "," chunk }
 *	listen	:= addr [ "%" ifname ] | [ "*" ] [ "%" ifname ]
 *	chunk	:= "all" [ ":" addr ] | "auto" | "~" range
 *		 | range [ ":" target ]
 *	target	:= addr "/" range | addr | range
 *	range	:= port [ "-" port ]
 *
 * An address may be in brackets. Whether there is a listen part is decided by
 * the text before the first slash: it is one if it reads as one, else that
 * slash belongs to a target.
 *
 * Reading happens first, into struct spec: what is included, what is not, and
 * how. Then it is expanded: inclusions in order, cut where ports are excluded,
 * and last what "all" adds to them. Rules of one spec share a number, so that
 * "all that can be had" is judged over the spec rather than over its pieces.
 * Last, each rule is checked, against the configuration and those before it.
 *
 * Pure: appends to the table it is given, says what is wrong in a buffer. The
 * table is unchanged when it says no.
 */
#include "fwd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>

#include "addr.h"
#include "diag.h"
#include "util.h"

#define SOCKETS_MAX	327680u		/* of one table */

struct range {
	uint16_t first, last;
};

struct inclusion {
	struct range from;
	uint16_t to;
	struct addr target;
};

struct spec {
	const struct fwd_spec_ctx *ctx;
	char *err;
	size_t errlen;

	bool none, has_listen, automatic, all;
	struct addr listen;		/* if has_listen */
	char ifname[IFNAMSIZ];
	struct addr all_target;
	struct ports excluded;
	struct inclusion inc[RULES_MAX];
	unsigned inc_cnt;
};

static bool fail(const struct spec *s, const char *fmt, ...)
PRINTF(2, 3);

static bool fail(const struct spec *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, s->errlen, fmt, ap);
	va_end(ap);
	return false;
}

/* --- sets of ports, a word at a time: "auto" is read at every start --- */

static void ports_set(struct ports *p, unsigned first, unsigned last)
{
	while (first <= last) {
		if (first % 64 || last - first < 63) {
			port_set(p, (uint16_t)first++);
			continue;
		}
		p->map[first / 64] = UINT64_MAX;
		first += 64;
	}
}

/* The first port from @port on that is in the set, or is not, as @in says;
 * @last + 1 when there is none. */
static unsigned ports_next(const struct ports *p, unsigned port, unsigned last,
			   bool in)
{
	uint64_t skip = in ? 0 : UINT64_MAX;

	while (port <= last && port_get(p, (uint16_t)port) != in)
		port += port % 64 || p->map[port / 64] != skip ? 1 : 64;
	return MIN(port, last + 1);
}

/* --- reading --- */

/* A piece of the text. */
struct word {
	const char *p;
	size_t len;
};

#define WORD_FMT	"'%.*s'"
#define WORD_ARG(w)	(int)MIN((w).len, 100u), (w).p

static bool word_is(struct word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.p, text, w.len);
}

/* The part of *w up to @sep or the end; *w goes on behind it. False when @sep
 * does not occur: *w is empty then. */
static bool word_cut(struct word *w, char sep, struct word *head)
{
	const char *at = memchr(w->p, sep, w->len);

	*head = (struct word) { w->p, at ? (size_t)(at - w->p) : w->len };
	w->p += head->len + !!at;
	w->len -= head->len + !!at;
	return at;
}

static bool read_addr(struct word w, struct addr *a)
{
	char text[ADDR_STRLEN + 2];

	if (!w.len || w.len >= sizeof(text))
		return false;
	*(char *)mempcpy(text, w.p, w.len) = '\0';
	return addr_parse_brackets(a, text);
}

static bool read_port(struct word w, uint16_t *port)
{
	unsigned v = 0;

	if (!w.len || w.len > 5)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.p[i] - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

static bool read_range(struct word w, struct range *r)
{
	struct word first;
	bool two = word_cut(&w, '-', &first);

	if (!read_port(first, &r->first))
		return false;
	r->last = r->first;
	if (two && !read_port(w, &r->last))
		return false;
	return r->first <= r->last;
}

static bool read_ifname(struct word w, char ifname[IFNAMSIZ])
{
	if (!w.len || w.len >= IFNAMSIZ || word_is(w, ".") || word_is(w, ".."))
		return false;
	for (size_t i = 0; i < w.len; i++)
		if (strchr("/ \t\n\v\f\r", w.p[i]))
			return false;
	*(char *)mempcpy(ifname, w.p, w.len) = '\0';
	return true;
}

/* The text before the first slash: a listen part, if it reads as one. */
static bool read_listen(struct spec *s, struct word w)
{
	struct word addr;
	bool has_if = word_cut(&w, '%', &addr);

	if (addr.len && !word_is(addr, "*")) {
		if (!read_addr(addr, &s->listen))
			return false;
		s->has_listen = true;
	}
	return !has_if || read_ifname(w, s->ifname);
}

/* What follows the colon of @from. */
static bool read_target(struct word w, struct inclusion *inc)
{
	unsigned span = inc->from.last - inc->from.first;
	struct word addr, rest = w;
	struct range to = inc->from;

	if (word_cut(&rest, '/', &addr)) {
		if (!read_addr(addr, &inc->target) || !read_range(rest, &to))
			return false;
	} else if (!read_addr(w, &inc->target)) {
		inc->target = (struct addr) { 0 };
		if (!read_range(w, &to))
			return false;
	}
	if (addr_is_unspec(&inc->target))	/* 0.0.0.0 means none, too */
		inc->target = (struct addr) { 0 };
	inc->to = to.first;
	return (unsigned)(to.last - to.first) == span;
}

static bool read_inclusion(struct spec *s, struct word chunk)
{
	struct inclusion *inc;
	struct word w = chunk, head;

	if (s->inc_cnt == RULES_MAX)
		return fail(s, "More than %d port ranges", RULES_MAX);
	inc = &s->inc[s->inc_cnt++];
	*inc = (struct inclusion) { 0 };

	bool has_target = word_cut(&w, ':', &head);

	if (!read_range(head, &inc->from))
		return fail(s, "Invalid port specifier " WORD_FMT,
			    WORD_ARG(chunk));
	inc->to = inc->from.first;
	if (has_target && !read_target(w, inc))
		return fail(s, "Invalid target in " WORD_FMT ": a port, a "
			    "range as long as the first, or an address",
			    WORD_ARG(chunk));
	return true;
}

static bool read_exclusion(struct spec *s, struct word chunk)
{
	struct word w = { chunk.p + 1, chunk.len - 1 };
	struct range r;

	if (!read_range(w, &r))
		return fail(s, "Invalid port specifier " WORD_FMT,
			    WORD_ARG(chunk));
	ports_set(&s->excluded, r.first, r.last);
	return true;
}

static bool read_all(struct spec *s, struct word chunk)
{
	struct word w = chunk, head;

	s->all = true;
	if (word_cut(&w, ':', &head) && !read_addr(w, &s->all_target))
		return fail(s, "Invalid address in " WORD_FMT, WORD_ARG(chunk));
	if (addr_is_unspec(&s->all_target))
		s->all_target = (struct addr) { 0 };
	return true;
}

static bool read_auto(struct spec *s)
{
	s->automatic = true;
	if (!s->ctx->can_auto)
		return fail(s, "'auto' is not possible for a virtual machine: "
			    "we cannot see what it listens on");
	return true;
}

static bool read_chunk(struct spec *s, struct word w)
{
	if (!w.len)
		return fail(s, "Port missing: a list item is empty");
	if (word_is(w, "auto"))
		return read_auto(s);
	if (word_is(w, "all") || (w.len > 4 && !memcmp(w.p, "all:", 4)))
		return read_all(s, w);
	if (*w.p == '~')
		return read_exclusion(s, w);
	return read_inclusion(s, w);
}

static bool read_spec(struct spec *s, const char *text)
{
	struct word rest = { text, strlen(text) }, head;
	struct word after = rest;
	bool more;

	if (word_is(rest, "none")) {
		s->none = true;
		return true;
	}
	if (word_cut(&after, '/', &head)) {
		if (read_listen(s, head))
			rest = after;
		else
			s->has_listen = false;
	}
	/* What looks like an interface cannot be anything else. */
	if (rest.p == text && (*text == '%' || !strncmp(text, "*%", 2)))
		return fail(s, "Invalid interface name in '%.100s'", text);
	if (rest.p != text && s->ctx->outbound)
		return fail(s, "Address or interface in '%.100s': these "
			    "listen on the namespace's loopback only", text);
	if (*s->ifname && !s->ctx->c->can_bind_device)
		return fail(s, "Interface %s: this kernel does not let us "
			    "bind sockets to interfaces", s->ifname);
	do {
		more = word_cut(&rest, ',', &head);
		if (!read_chunk(s, head))
			return false;
	} while (more);
	return true;
}

/* --- checking --- */

static bool is_wildcard(const struct addr *a)
{
	return addr_is_unspec(a);
}

static bool listen_overlap(const struct fwd_rule *a, const struct fwd_rule *b)
{
	if ((a->flags | b->flags) & RULE_DUAL)
		return true;
	if (addr_fam(&a->listen) != addr_fam(&b->listen))
		return false;
	return is_wildcard(&a->listen) || is_wildcard(&b->listen) ||
	       addr_eq(&a->listen, &b->listen);
}

static bool conflict(const struct fwd_rule *a, const struct fwd_rule *b)
{
	return a->proto == b->proto && a->first <= b->last &&
	       b->first <= a->last && listen_overlap(a, b);
}

static bool check_protocol(const struct spec *s)
{
	const struct conf *c = s->ctx->c;

	if (s->ctx->proto != IPPROTO_TCP && s->ctx->proto != IPPROTO_UDP)
		return fail(s, "Protocol %u: only TCP and UDP have ports that "
			    "can be forwarded", s->ctx->proto);
	if (s->ctx->proto == IPPROTO_TCP ? c->no_tcp : c->no_udp)
		return fail(s, "%s is disabled, its ports cannot be forwarded",
			    s->ctx->proto == IPPROTO_TCP ? "TCP" : "UDP");
	return true;
}

static bool check_listen(const struct spec *s, const struct fwd_rule *r)
{
	const struct conf_net *net = s->ctx->c->net;

	if (r->flags & ~RULE_FLAGS)
		return fail(s, "Unknown flags %#x of a rule", r->flags);
	if (!(r->flags & RULE_DUAL)) {
		if (net[addr_fam(&r->listen)].enabled)
			return true;
		return fail(s, "%s is disabled, its addresses cannot be "
			    "listened on", fam_name(addr_fam(&r->listen)));
	}
	if (addr_fam(&r->listen) == FAM4 || !addr_is_unspec(&r->listen))
		return fail(s, "An address to listen on, and any address");
	if (!net[FAM4].enabled || !net[FAM6].enabled)
		return fail(s, "Listening on any address of both families, of "
			    "which one is disabled");
	return true;
}

static bool check_target(const struct spec *s, const struct fwd_rule *r)
{
	if (addr_is_unspec(&r->target))
		return true;
	if (s->ctx->outbound)
		return fail(s, "Target address: these lead to the host's "
			    "loopback only");
	if (r->flags & RULE_DUAL)
		return fail(s, "Target address for both families: say which "
			    "one to listen on, like 0.0.0.0/... or [::]/...");
	if (addr_fam(&r->target) != addr_fam(&r->listen))
		return fail(s, "Target address of another family than the one "
			    "listened on");
	if (!addr_is_unicast(&r->target))
		return fail(s, "Target address is not unicast");
	return true;
}

static bool check_against(const struct spec *s, const struct fwd_table *t,
			  const struct fwd_rule *r)
{
	char one[160], two[160];
	unsigned sockets = 0;

	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *o = &t->rule[i];

		sockets += o->last - o->first + 1u;
		if (conflict(o, r))
			return fail(s, "Forwarding configuration conflict: "
				    "%s versus %s",
				    fwd_rule_str(r, one, sizeof(one)),
				    fwd_rule_str(o, two, sizeof(two)));
	}
	sockets += r->last - r->first + 1u;
	if (sockets > SOCKETS_MAX)
		return fail(s, "More than %u ports in one direction",
			    SOCKETS_MAX);
	if (t->cnt == RULES_MAX)
		return fail(s, "More than %d rules in one direction",
			    RULES_MAX);
	return true;
}

static bool check_rule(const struct spec *s, const struct fwd_table *t,
		       const struct fwd_rule *r)
{
	if (r->first > r->last)
		return fail(s, "Ports %u-%u: the last is less than the first",
			    r->first, r->last);
	if (!r->first)
		return fail(s, "Port 0 cannot be forwarded");
	if (!r->to || r->to + (r->last - r->first) > UINT16_MAX)
		return fail(s, "Target ports are not within 1-65535");
	return check_listen(s, r) && check_protocol(s) &&
	       check_target(s, r) && check_against(s, t, r);
}

bool fwd_rule_same_place(const struct fwd_rule *a, const struct fwd_rule *b)
{
	return a->proto == b->proto && addr_eq(&a->listen, &b->listen) &&
	       !((a->flags ^ b->flags) & RULE_DUAL) &&
	       !strcmp(a->ifname, b->ifname);
}

bool fwd_rule_eq(const struct fwd_rule *a, const struct fwd_rule *b)
{
	return fwd_rule_same_place(a, b) && a->flags == b->flags &&
	       addr_eq(&a->target, &b->target) && a->first == b->first &&
	       a->last == b->last && a->to == b->to;
}

/* --- expanding --- */

static bool add_rule(const struct spec *s, struct fwd_table *t,
		     const struct fwd_rule *r)
{
	if (!check_rule(s, t, r))
		return false;
	t->rule[t->cnt++] = *r;
	return true;
}

bool fwd_rule_add(struct fwd_table *t, const struct fwd_spec_ctx *ctx,
		  const struct fwd_rule *r, char *errbuf, size_t errlen)
{
	const struct spec s = { .ctx = ctx, .err = errbuf, .errlen = errlen };

	return add_rule(&s, t, r);
}

/* Where the same ports are listened on: one rule each. */
static bool add_listeners(const struct spec *s, struct fwd_table *t,
			  const struct fwd_rule *ports)
{
	const struct conf *c = s->ctx->c;
	bool lo_by_addr = s->ctx->outbound && !c->can_bind_device;
	struct fwd_rule r = *ports;

	str_copy(r.ifname, sizeof(r.ifname),
		 s->ctx->outbound && !lo_by_addr ? "lo" : s->ifname);
	if (s->has_listen) {
		r.listen = s->listen;
		return add_rule(s, t, &r);
	}
	if (!lo_by_addr && c->net[FAM4].enabled && c->net[FAM6].enabled) {
		r.flags |= RULE_DUAL;
		return add_rule(s, t, &r);
	}
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		if (!c->net[fam].enabled)
			continue;
		r.listen = lo_by_addr ? addr_loopback(fam) : addr_any(fam);
		if (!add_rule(s, t, &r))
			return false;
	}
	return true;
}

/* The parts of an inclusion which are not in @except. */
static bool add_inclusion(const struct spec *s, struct fwd_table *t,
			  const struct inclusion *inc, uint8_t flags,
			  const struct ports *except)
{
	unsigned last = inc->from.last, end;

	for (unsigned port = inc->from.first; ; port = end) {
		port = ports_next(except, port, last, false);
		if (port > last)
			return true;
		end = ports_next(except, port, last, true);

		struct fwd_rule r = {
			.proto = s->ctx->proto, .flags = flags,
			.spec = s->ctx->spec, .target = inc->target,
			.first = (uint16_t)port, .last = (uint16_t)(end - 1),
			.to = (uint16_t)(inc->to + port - inc->from.first),
		};
		if (!add_listeners(s, t, &r))
			return false;
	}
}

/* Everything not said, or excluded, or lent to outgoing connections. */
static bool add_all(const struct spec *s, struct fwd_table *t, uint8_t flags)
{
	struct inclusion inc = {
		.from = { 1, UINT16_MAX }, .to = 1, .target = s->all_target,
	};
	struct ports except = s->excluded;
	const struct conf *c = s->ctx->c;

	for (unsigned i = 0; i < s->inc_cnt; i++)
		ports_set(&except, s->inc[i].from.first, s->inc[i].from.last);
	ports_set(&except, c->ephemeral_first, c->ephemeral_last);
	return add_inclusion(s, t, &inc, flags | RULE_WEAK, &except);
}

static bool expand_none(const struct spec *s, const struct fwd_table *t)
{
	for (unsigned i = 0; i < t->cnt; i++)
		if (t->rule[i].proto == s->ctx->proto)
			return fail(s, "none conflicts with previous options");
	return true;
}

static bool expand(const struct spec *s, struct fwd_table *t)
{
	uint8_t flags = s->automatic ? RULE_AUTO : 0;

	for (unsigned i = 0; i < s->inc_cnt; i++) {
		const struct inclusion *inc = &s->inc[i];

		/* Before it is cut to pieces, so that the fault is named. */
		if (!inc->from.first || !inc->to)
			return fail(s, "Port 0 cannot be forwarded");
		if (!add_inclusion(s, t, inc, flags, &s->excluded))
			return false;
	}
	return (s->inc_cnt && !s->all) || add_all(s, t, flags);
}

bool fwd_parse_spec(struct fwd_table *t, const struct fwd_spec_ctx *ctx,
		    const char *spec, char *errbuf, size_t errlen)
{
	struct spec s = { .ctx = ctx, .err = errbuf, .errlen = errlen };
	unsigned before = t->cnt;

	if (!read_spec(&s, spec))
		return false;
	if (s.none)
		return expand_none(&s, t);
	if (check_protocol(&s) && expand(&s, t))
		return true;
	t->cnt = before;
	return false;
}

/* --- and back to text --- */

static const char *ports_str(unsigned first, unsigned last, char buf[16])
{
	snprintf(buf, 16, first == last ? "%u" : "%u-%u", first, last);
	return buf;
}

const char *fwd_rule_str(const struct fwd_rule *r, char *buf, size_t len)
{
	char listen[ADDR_STRLEN], target[ADDR_STRLEN], from[16], to[16];
	bool has_target = !addr_is_unspec(&r->target);

	snprintf(buf, len, "%s [%s]%s%s:%s  =>  %s%s%s %s%s",
		 r->proto == IPPROTO_TCP ? "TCP" : "UDP",
		 r->flags & RULE_DUAL ? "*" : addr_str(&r->listen, listen),
		 *r->ifname ? "%" : "", r->ifname,
		 ports_str(r->first, r->last, from),
		 has_target ? addr_str(&r->target, target) : "",
		 has_target ? ":" : "",
		 ports_str(r->to, (unsigned)r->to + r->last - r->first, to),
		 r->flags & RULE_WEAK ? "(best effort)" : "",
		 r->flags & RULE_AUTO ? " (auto-scan)" : "");
	return buf;
}
