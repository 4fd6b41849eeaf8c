/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwd.c - who is reached where, as whom: decisions, as pure functions
 *
 * Every conversation passes here once, when it starts, and nowhere else is it
 * decided who may reach whom. Three questions, one for each place where a
 * conversation can begin:
 *
 *   from the link        always to the host. Names the guest has for places
 *                        it cannot name itself are replaced: our loopback, its
 *                        own address on the host, the resolver.
 *   from the host        to the guest. A peer on our loopback goes through the
 *                        namespace's loopback if there is one, all others over
 *                        the link, under a name the guest can answer to.
 *   from the namespace   loopback to loopback, same address, or not at all.
 *
 * What the guest must never get by asking is our loopback, or the unspecified
 * address, which Linux takes for it: fwd_from_tap() judges the outcome, however
 * it came about, and lets loopback through only where configuration said so.
 *
 * Owns the addresses the guest was last seen with. Which resolver is asked
 * is resolver.c's choice. How rules are written is
 * fwd_spec.c's; sockets are sock.c's and listen.c's.
 */
#include "fwd.h"

#include <netinet/in.h>

#include "util.h"

static struct fwd_env self;

void fwd_init(void)
{
	self = (struct fwd_env) { .c = &conf };
	for (unsigned fam = 0; fam < FAM_COUNT; fam++)
		self.seen[fam] = conf.net[fam].guest;
}

void fwd_forget(enum fam fam)
{
	self.seen[fam] = (struct addr) { 0 };
}

const struct fwd_env *fwd_env(void)
{
	return &self;
}

static bool is_ll6(const struct addr *a)
{
	return addr_fam(a) == FAM6 && addr_is_linklocal(a);
}

/* A guest that has only a link-local address yet is better reached there than
 * not at all. */
void fwd_guest_seen(const struct addr *src)
{
	enum fam fam = addr_fam(src);

	if (!addr_is_unicast(src) || addr_is_loopback(src))
		return;
	if (is_ll6(src)) {
		self.seen_ll = *src;
		if (!addr_is_unspec(&self.seen[fam]) &&
		    !is_ll6(&self.seen[fam]))
			return;
	}
	if (!conf.net[fam].pinned)
		self.seen[fam] = *src;
}

void fwd_set_resolver(enum fam fam, const struct addr *host)
{
	self.dns_host[fam] = *host;
}

/* An unset address is unspecified, and equal to nothing. */
static bool is_set_to(const struct addr *setting, const struct addr *a)
{
	return !addr_is_unspec(setting) && addr_eq(setting, a);
}

/* IPv4 addresses inside of IPv6 ones. Whatever translates or decapsulates them
 * on the host or its network, none is for our loopback (RFC 6052 3.1, RFC 3056
 * 2). */
static const struct {
	struct addr prefix;
	uint8_t len, at;	/* bits; byte where the IPv4 address begins */
} embeddings[] = {
	{ { .b = { 0 } }, 96, 12 },			/* compatible */
	{ { .b = { 0x00, 0x64, 0xff, 0x9b } }, 96, 12 },	/* NAT64 */
	{ { .b = { 0x00, 0x64, 0xff, 0x9b, 0, 1 } }, 48, 12 },	/* RFC 8215 */
	{ { .b = { 0x20, 0x02 } }, 16, 2 },			/* 6to4 */
};

/* Loopback, or the unspecified address, of IPv4 in any of these forms. */
static bool embeds_loopback(const struct addr *a)
{
	if (addr_fam(a) == FAM4)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(embeddings); i++) {
		struct addr v4 = addr_get(FAM4, a->b + embeddings[i].at);

		if (addr_in_prefix(a, &embeddings[i].prefix,
				   embeddings[i].len) &&
		    (addr_is_loopback(&v4) || addr_is_unspec(&v4)))
			return true;
	}
	return false;
}

/* Usable as one end of a conversation. */
static bool is_endpoint(const struct addr *a, uint16_t port)
{
	return addr_is_unicast(a) && port;
}

/* --- from the link --- */

static bool ini_from_tap_ok(uint8_t proto, const struct side *ini)
{
	if (addr_fam(&ini->ours) != addr_fam(&ini->theirs) ||
	    addr_is_unspec(&ini->ours) || !addr_is_unicast(&ini->theirs))
		return false;
	if (proto == IPPROTO_TCP && !addr_is_unicast(&ini->ours))
		return false;
	/* Elsewhere the ports hold the identifier of an echo: any number. */
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		return ini->our_port && ini->their_port;
	return true;
}

static bool is_dns(uint8_t proto, uint16_t port)
{
	return (proto == IPPROTO_TCP || proto == IPPROTO_UDP) &&
	       (port == 53 || port == 853);
}

enum fwd_verdict fwd_from_tap(const struct fwd_env *env, uint8_t proto,
			      const struct side *ini, struct side *tgt)
{
	enum fam fam = addr_fam(&ini->ours);
	const struct conf_net *net = &env->c->net[fam];
	bool loopback_ok = true;
	struct addr dst;

	if (!ini_from_tap_ok(proto, ini))
		return FWD_BAD_ADDRESS;
	if (addr_is_loopback(&ini->ours) || addr_is_loopback(&ini->theirs))
		return FWD_REFUSED;

	if (is_dns(proto, ini->our_port) &&
	    is_set_to(&net->dns_match, &ini->ours)) {
		dst = env->dns_host[fam];
	} else if (is_set_to(&net->map_loopback, &ini->ours)) {
		dst = addr_loopback(fam);
	} else {
		dst = is_set_to(&net->map_guest, &ini->ours) ?
		      net->guest : ini->ours;
		loopback_ok = false;
	}
	if (addr_is_unspec(&dst) || addr_fam(&dst) != fam ||
	    (addr_is_loopback(&dst) && !loopback_ok) || embeds_loopback(&dst))
		return FWD_REFUSED;

	*tgt = (struct side) {
		.ours = addr_is_unspec(&net->outbound) ? addr_any(fam) :
			net->outbound,
		.our_port = proto == IPPROTO_UDP ? ini->their_port : 0,
		.theirs = dst,
		.their_port = ini->our_port,
		.pif = PIF_HOST,
	};
	return FWD_OK;
}

/* --- from the host --- */

static bool rule_covers(const struct fwd_rule *r, uint8_t proto,
			const struct addr *ours, uint16_t port)
{
	if (r->proto != proto || port < r->first || port > r->last)
		return false;
	if (r->flags & RULE_DUAL || addr_eq(&r->listen, ours))
		return true;
	return addr_is_unspec(&r->listen) &&
	       addr_fam(&r->listen) == addr_fam(ours);
}

const struct fwd_rule *fwd_match(const struct fwd_table *t, uint8_t proto,
				 const struct addr *ours, uint16_t port)
{
	for (unsigned i = 0; i < t->cnt; i++)
		if (rule_covers(&t->rule[i], proto, ours, port))
			return &t->rule[i];
	return NULL;
}

static bool ini_at_listener_ok(const struct side *ini)
{
	return is_endpoint(&ini->theirs, ini->their_port) &&
	       !addr_is_unspec(&ini->ours) &&
	       addr_fam(&ini->ours) == addr_fam(&ini->theirs);
}

static uint16_t rule_port(const struct fwd_rule *r, uint16_t our_port)
{
	return (uint16_t)(r->to + (our_port - r->first));
}

/* Sent to a group, or to an address that means the same over there. */
static bool keeps_destination(const struct addr *ours)
{
	return addr_is_multicast(ours) || addr_is_broadcast(ours);
}

bool fwd_host_to_guest(const struct fwd_env *env, const struct addr *host,
		       struct addr *guest)
{
	enum fam fam = addr_fam(host);
	const struct conf_net *net = &env->c->net[fam];
	struct addr loopback = addr_loopback(fam);

	if (addr_eq(host, &loopback) && !addr_is_unspec(&net->map_loopback)) {
		*guest = net->map_loopback;
		return true;
	}
	if (is_set_to(&net->guest, host) && !addr_is_unspec(&net->map_guest)) {
		*guest = net->map_guest;
		return true;
	}
	if (addr_is_unspec(host) || addr_is_loopback(host) ||
	    addr_eq(host, &net->guest) || addr_eq(host, &env->seen[fam]))
		return false;
	*guest = *host;
	return true;
}

static bool may_splice(const struct conf *c, uint8_t proto,
		       const struct fwd_rule *rule, const struct side *ini)
{
	return c->mode == MODE_PASTA && !c->no_splice &&
	       addr_is_unspec(&rule->target) &&
	       addr_is_loopback(&ini->theirs) &&
	       (proto == IPPROTO_TCP || proto == IPPROTO_UDP);
}

/* There is no interface to say for a link-local address. */
static bool splice_reaches(const struct addr *a)
{
	return !addr_is_unspec(a) && !is_ll6(a);
}

/* Not to the namespace's loopback unless that is what was asked for: services
 * bound only there are private. Who says "localhost" has no family in mind, and
 * was accepted by now, so that it is too late for the other one: a namespace
 * without an address of this family is reached by the other. */
static enum fwd_verdict host_to_splice(const struct fwd_env *env,
				       uint8_t proto, const struct side *ini,
				       struct side *tgt)
{
	enum fam fam = addr_fam(&ini->theirs);

	tgt->pif = PIF_SPLICE;
	tgt->our_port = proto == IPPROTO_UDP ? ini->their_port : 0;
	if (keeps_destination(&ini->ours) ||
	    (env->c->host_lo_to_ns_lo && addr_is_loopback(&ini->ours)))
		tgt->theirs = ini->ours;
	else if (splice_reaches(&env->seen[fam]))
		tgt->theirs = env->seen[fam];
	else
		tgt->theirs = env->seen[fam == FAM4 ? FAM6 : FAM4];

	tgt->ours = addr_any(addr_fam(&tgt->theirs));
	return splice_reaches(&tgt->theirs) ? FWD_OK : FWD_REFUSED;
}

static enum fwd_verdict host_to_tap(const struct fwd_env *env,
				    const struct fwd_rule *rule,
				    const struct side *ini, struct side *tgt)
{
	const struct conf *c = env->c;

	tgt->pif = PIF_TAP;
	tgt->our_port = ini->their_port;
	if (!fwd_host_to_guest(env, &ini->theirs, &tgt->ours))
		tgt->ours = addr_fam(&ini->theirs) == FAM4 ?
			    c->net[FAM4].our_tap : c->our_ll;

	if (!addr_is_unspec(&rule->target))
		tgt->theirs = rule->target;
	else if (keeps_destination(&ini->ours))
		tgt->theirs = ini->ours;
	else if (is_ll6(&tgt->ours))	/* can be answered at that scope only */
		tgt->theirs = env->seen_ll;
	else
		tgt->theirs = env->seen[addr_fam(&tgt->ours)];

	if (addr_is_unspec(&tgt->ours) || addr_is_unspec(&tgt->theirs) ||
	    addr_fam(&tgt->ours) != addr_fam(&tgt->theirs))
		return FWD_REFUSED;
	return FWD_OK;
}

enum fwd_verdict fwd_from_host(const struct fwd_env *env, uint8_t proto,
			       const struct fwd_rule *rule,
			       const struct side *ini, struct side *tgt)
{
	if (!ini_at_listener_ok(ini))
		return FWD_BAD_ADDRESS;
	if (!rule_covers(rule, proto, &ini->ours, ini->our_port))
		return FWD_REFUSED;

	*tgt = (struct side) { .their_port = rule_port(rule, ini->our_port) };
	if (may_splice(env->c, proto, rule, ini))
		return host_to_splice(env, proto, ini, tgt);
	if (env->c->splice_only)
		return FWD_REFUSED;
	return host_to_tap(env, rule, ini, tgt);
}

bool fwd_splice_again(const struct fwd_env *env, struct side *tgt)
{
	enum fam fam = addr_fam(&tgt->theirs);
	enum fam other = fam == FAM4 ? FAM6 : FAM4;
	struct addr loopback = addr_loopback(fam);

	if (!env->c->net[other].enabled)
		return false;
	if (addr_eq(&tgt->theirs, &loopback))
		tgt->theirs = addr_loopback(other);
	else if (tgt->pif == PIF_SPLICE && splice_reaches(&env->seen[other]) &&
		 addr_eq(&tgt->theirs, &env->seen[fam]))
		tgt->theirs = env->seen[other];
	else
		return false;
	tgt->ours = addr_any(other);
	return true;
}

/* --- from the namespace --- */

enum fwd_verdict fwd_from_splice(const struct fwd_env *env, uint8_t proto,
				 const struct fwd_rule *rule,
				 const struct side *ini, struct side *tgt)
{
	(void)env;

	if (!ini_at_listener_ok(ini))
		return FWD_BAD_ADDRESS;
	if (!addr_is_loopback(&ini->ours) || !addr_is_loopback(&ini->theirs) ||
	    !rule_covers(rule, proto, &ini->ours, ini->our_port))
		return FWD_REFUSED;

	*tgt = (struct side) {
		.ours = ini->theirs,
		.our_port = proto == IPPROTO_UDP ? ini->their_port : 0,
		.theirs = ini->ours,
		.their_port = rule_port(rule, ini->our_port),
		.pif = PIF_HOST,
	};
	return FWD_OK;
}
