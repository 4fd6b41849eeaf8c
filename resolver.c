/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver.c - the host's resolvers, and which of them is asked at the moment
 *
 * DNS the guest sends to the forwarding address goes to one of the host's
 * resolvers; they stand in the order of resolv.conf(5), which says whom the
 * administrator prefers. The rule is that of every stub resolver, applied once
 * for all clients of the guest:
 *
 *   - The first one that is not avoided is asked.
 *   - Refused, unreachable, or silent for ANSWER_MS after a query, whoever else
 *     was asked meanwhile: it is avoided for BACKOFF_MIN_MS, and twice as long
 *     each time after that, up to BACKOFF_MAX_MS.
 *   - An answer of its own, even a late one, ends that at once.
 *   - When all of them are avoided, it is not them: all start anew.
 *
 *	query    ANSWER_MS                avoided              preferred again
 *	  |---------------------|---------------------------|----------------->
 *	       to the first	        to the second
 *
 * One answer to any of several queries is a sign of life. Flows stay with the
 * resolver they began with, except that a client which repeats its query from
 * the same port has to get somewhere: see resolver_moved().
 *
 * The list follows resolv.conf where it came from there (setup/resolv_watch.c).
 * What the guest was told by DHCP or router advertisements, and the forwarding
 * address itself, stay as they were at start.
 *
 * Owns the lists. Pure but for the clock and one timer; no descriptors.
 */
#include "resolver.h"

#include <string.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define PORT_DNS	53	/* 853: many a good resolver does not do it */
#define ANSWER_MS	2000
#define BACKOFF_MIN_MS	15000u
#define BACKOFF_MAX_MS	(15 * 60000u)

struct server {
	struct addr addr;
	uint64_t answer_due_ms;	/* TIMER_NEVER: nothing asked */
	uint64_t avoid_until_ms; /* 0: not avoided */
	unsigned backoff_ms;	/* the last one; 0: it was well since */
};

struct servers {
	struct server server[CONF_DNS_MAX];
	unsigned cnt;
	struct addr current;
};

static struct servers known[FAM_COUNT];

static struct server *find(const struct addr *a)
{
	struct servers *s = &known[addr_fam(a)];

	for (unsigned i = 0; i < s->cnt; i++)
		if (addr_eq(&s->server[i].addr, a))
			return &s->server[i];
	return NULL;
}

/* --- who is asked --- */

static struct addr choose(struct servers *s)
{
	for (unsigned i = 0; i < s->cnt; i++)
		if (!s->server[i].avoid_until_ms)
			return s->server[i].addr;
	for (unsigned i = 0; i < s->cnt; i++)
		s->server[i].avoid_until_ms = s->server[i].backoff_ms = 0;
	return s->cnt ? s->server[0].addr : (struct addr) { 0 };
}

static void arm(void)
{
	uint64_t due_ms = TIMER_NEVER;

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		for (unsigned i = 0; i < known[fam].cnt; i++) {
			const struct server *sv = &known[fam].server[i];

			due_ms = MIN(due_ms, sv->answer_due_ms);
			if (sv->avoid_until_ms)
				due_ms = MIN(due_ms, sv->avoid_until_ms);
		}
	}
	timer_set(TIMER_RESOLVER, due_ms);
}

static void update(enum fam fam)
{
	struct servers *s = &known[fam];
	struct addr was = s->current;
	char buf[ADDR_STRLEN];

	s->current = choose(s);
	if (!addr_eq(&was, &s->current)) {
		fwd_set_resolver(fam, &s->current);
		LOG_LIMIT(LOG_LVL_INFO, "%s DNS of the guest goes to %s now",
			  fam_name(fam), s->cnt ? addr_str(&s->current, buf) :
						  "nobody");
	}
	arm();
}

struct addr resolver_current(enum fam fam)
{
	return known[fam].current;
}

/* --- the list --- */

static void add(struct servers *s, const struct servers *old,
		const struct addr *a)
{
	struct server *sv = &s->server[s->cnt];

	for (unsigned i = 0; i < s->cnt; i++)
		if (addr_eq(&s->server[i].addr, a))
			return;
	*sv = (struct server) { .addr = *a, .answer_due_ms = TIMER_NEVER };
	for (unsigned i = 0; i < old->cnt; i++)
		if (addr_eq(&old->server[i].addr, a))
			*sv = old->server[i];
	s->cnt++;
}

/* What is known about those that stay is kept. */
void resolver_replace(enum fam fam, const struct addr *list, unsigned cnt)
{
	struct servers old = known[fam];

	known[fam].cnt = 0;
	for (unsigned i = 0; i < MIN(cnt, CONF_DNS_MAX); i++)
		add(&known[fam], &old, &list[i]);
	update(fam);
}

void resolver_init(void)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		const struct conf_net *n = &conf.net[fam];

		known[fam] = (struct servers) { 0 };
		for (unsigned i = 0; i < n->dns_host_cnt; i++)
			add(&known[fam], &(struct servers) { 0 },
			    &n->dns_hosts[i]);
		known[fam].current = choose(&known[fam]);
		fwd_set_resolver(fam, &known[fam].current);
	}
}

/* --- what becomes of queries --- */

/* Is it one of ours, and one of several: else there is nothing to choose. */
static struct server *server_of(const struct side *host)
{
	if (host->their_port != PORT_DNS || host->pif != PIF_HOST ||
	    known[addr_fam(&host->theirs)].cnt < 2)
		return NULL;
	return find(&host->theirs);
}

static void avoid(struct server *sv)
{
	char buf[ADDR_STRLEN];

	sv->answer_due_ms = TIMER_NEVER;
	/* Flows that began before may go on failing. */
	if (sv->avoid_until_ms)
		return;
	sv->backoff_ms = sv->backoff_ms ? MIN(sv->backoff_ms * 2,
					      BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
	sv->avoid_until_ms = clock_ms() + sv->backoff_ms;
	debug_limit("Resolver %s does not answer, avoided for %u s",
		    addr_str(&sv->addr, buf), sv->backoff_ms / 1000);
}

void resolver_asked(const struct side *host)
{
	struct server *sv = server_of(host);

	if (!sv || sv->avoid_until_ms || sv->answer_due_ms != TIMER_NEVER)
		return;
	sv->answer_due_ms = clock_ms() + ANSWER_MS;
	timer_set_earlier(TIMER_RESOLVER, sv->answer_due_ms);
}

void resolver_answered(const struct side *host)
{
	struct server *sv = server_of(host);

	if (!sv || (sv->answer_due_ms == TIMER_NEVER && !sv->backoff_ms))
		return;
	sv->answer_due_ms = TIMER_NEVER;
	sv->avoid_until_ms = sv->backoff_ms = 0;
	update(addr_fam(&sv->addr));
}

void resolver_failed(const struct side *host)
{
	struct server *sv = server_of(host);

	if (!sv)
		return;
	avoid(sv);
	update(addr_fam(&sv->addr));
}

bool resolver_moved(const struct side side[2])
{
	const struct side *tap = &side[SIDE_INI], *host = &side[SIDE_TGT];
	enum fam fam = addr_fam(&tap->ours);
	const struct server *sv;

	if (tap->our_port != PORT_DNS || tap->pif != PIF_TAP ||
	    addr_is_unspec(&tap->ours) ||
	    !addr_eq(&tap->ours, &conf.net[fam].dns_match) ||
	    addr_is_unspec(&known[fam].current) ||
	    addr_eq(&host->theirs, &known[fam].current))
		return false;
	sv = find(&host->theirs);
	return !sv || sv->avoid_until_ms;
}

void resolver_expire(void)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		for (unsigned i = 0; i < known[fam].cnt; i++) {
			struct server *sv = &known[fam].server[i];

			if (sv->avoid_until_ms <= clock_ms())
				sv->avoid_until_ms = 0;
			if (sv->answer_due_ms <= clock_ms())
				avoid(sv);
		}
		update(fam);
	}
}
