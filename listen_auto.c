/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen_auto.c - ports of automatic rules: open while there is a service
 *
 * An automatic rule has a port open while somebody listens on its target port
 * on the other side. Both sides are asked (diag.h), and what changed since is
 * opened or closed: nothing else costs anything.
 *
 * The kernel tells nobody of a listen(), so one has to ask again and again:
 * once a second, and sooner after the start or a change, when more is likely to
 * come. The wait is then a fifth of the time since: a service that takes half a
 * second to start has its port a tenth later.
 *
 *        host                                 namespace
 *   [ services ]  <---- DIR_OUT rules ----  listeners of ours
 *   listeners of ours  ---- DIR_IN rules ---->  [ services ]
 *
 * Listeners of ours are no services: left in, the rules of both directions
 * would forward to each other for ever. What is ours is known from the sockets
 * held before anything is changed, never from what one is about to do.
 *
 * Owns the list of ports last applied. Sockets are listen.c's.
 */
#include <string.h>

#include "listen.h"
#include "listen_port.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define OPEN_BUDGET	256	/* ports per scan; the rest: next turn */
#define SCAN_MS		1000
#define SCAN_MIN_MS	100
#define SCAN_SHARE	5	/* of the time since the last change */

/* Which tables have automatic rules, and where to ask for them. */
static bool automatic[DIRS][PROTOS];
static int diag_fd[DIRS];	/* of the side the table's listeners are on */
static bool started;
static bool rules_changed;	/* since the last scan */
static uint64_t changed_ms;	/* when services or rules did, or the start */

/* Target ports that listeners were last opened and closed for. */
static struct ports applied[DIRS][PROTOS];

/* Where the rules of @dir lead to, the listeners of the other table are. */
static enum listen_dir other(enum listen_dir dir)
{
	return dir == DIR_IN ? DIR_OUT : DIR_IN;
}

/* Ports with a service other than ours, where the listeners of @dir are. */
static int services(enum listen_dir dir, enum listen_proto p, struct ports *out)
{
	uint8_t number = p == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	const struct ports *ours = listen_held(dir, p);
	int rc = diag_ports(diag_fd[dir], number, out);

	for (unsigned i = 0; i < PORTS_WORDS; i++)
		out->map[i] &= ~ours->map[i];
	return rc;
}

/* What the automatic rules of one table should have open. A server of TCP may
 * want datagrams on the same port without being bound to it yet. */
static int scan_table(enum listen_dir dir, struct ports want[PROTOS])
{
	enum listen_dir there = other(dir);
	const struct ports *ours = listen_held(there, PROTO_UDP);
	struct ports *tcp = &want[PROTO_TCP], *udp = &want[PROTO_UDP];
	int rc = 0;

	if (automatic[dir][PROTO_TCP] || automatic[dir][PROTO_UDP])
		rc = services(there, PROTO_TCP, tcp);
	if (rc || !automatic[dir][PROTO_UDP])
		return rc;

	rc = services(there, PROTO_UDP, udp);
	for (unsigned i = 0; i < PORTS_WORDS; i++)
		udp->map[i] |= tcp->map[i] & ~ours->map[i];
	return rc;
}

/* Datagram sockets can share a port, so a service that both sides have would be
 * forwarded both ways, and taken for ours on both in the next scan. It is left
 * alone. With TCP, bind() sees to that. */
static void leave_to_both(struct ports *a, struct ports *b)
{
	for (unsigned i = 0; i < PORTS_WORDS; i++) {
		uint64_t both = a->map[i] & b->map[i];

		a->map[i] &= ~both;
		b->map[i] &= ~both;
	}
}

/* How many ports were opened or shut for it. */
static unsigned target_changed(enum listen_dir dir, enum listen_proto p,
			       uint16_t target, bool there)
{
	const struct fwd_table *t = listen_table(dir, RULES_NOW);
	unsigned cnt = 0;

	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *r = &t->rule[i];

		if (!(r->flags & RULE_AUTO) || listen_proto(r->proto) != p ||
		    target < r->to || target - r->to > r->last - r->first)
			continue;
		cnt += listen_want(dir, i,
				   (uint16_t)(r->first + (target - r->to)),
				   there);
	}
	return cnt;
}

static unsigned until_next_scan(void)
{
	uint64_t share_ms = (clock_ms() - changed_ms) / SCAN_SHARE;

	return (unsigned)MIN(MAX(share_ms, SCAN_MIN_MS), SCAN_MS);
}

/* Returns how much of @budget is left. */
static unsigned apply(enum listen_dir dir, enum listen_proto p,
		      const struct ports *want, unsigned budget)
{
	struct ports *now = &applied[dir][p];

	for (unsigned i = 0; i < PORTS_WORDS; i++) {
		uint64_t diff;

		while (budget && (diff = now->map[i] ^ want->map[i])) {
			unsigned bit = (unsigned)__builtin_ctzll(diff);
			uint16_t port = (uint16_t)(i * 64 + bit);
			unsigned cnt;

			cnt = target_changed(dir, p, port,
					     port_get(want, port));
			now->map[i] ^= (uint64_t)1 << bit;
			changed_ms = clock_ms();
			budget -= MIN(cnt, budget);
		}
	}
	return budget;
}

/* Start afresh: what is open is kept if it is still due. */
static void forget(struct ports want[DIRS][PROTOS])
{
	for (unsigned dir = 0; dir < DIRS; dir++)
		for (unsigned p = 0; p < PROTOS; p++)
			if (automatic[dir][p])
				listen_want_only(dir, p, &want[dir][p]);
	memset(applied, 0, sizeof(applied));
	rules_changed = false;
}

void listen_scan(void)
{
	static struct ports want[DIRS][PROTOS];
	unsigned budget = OPEN_BUDGET;
	int rc = scan_table(DIR_IN, want[DIR_IN]);

	if (!rc)
		rc = scan_table(DIR_OUT, want[DIR_OUT]);
	if (rc) {
		warn_limit("Cannot list listening ports: %s", strerror(-rc));
		timer_set(TIMER_SCAN, clock_ms() + SCAN_MS);
		return;
	}
	if (automatic[DIR_IN][PROTO_UDP] && automatic[DIR_OUT][PROTO_UDP])
		leave_to_both(&want[DIR_IN][PROTO_UDP],
			      &want[DIR_OUT][PROTO_UDP]);

	if (rules_changed)
		forget(want);
	for (unsigned dir = 0; dir < DIRS; dir++)
		for (unsigned p = 0; p < PROTOS; p++)
			if (automatic[dir][p])
				budget = apply(dir, p, &want[dir][p], budget);
	timer_set(TIMER_SCAN, clock_ms() + (budget ? until_next_scan() : 0));
}

static bool look_for_automatic(void)
{
	bool any = false;

	memset(automatic, 0, sizeof(automatic));
	for (unsigned dir = 0; dir < DIRS; dir++) {
		const struct fwd_table *t = listen_table(dir, RULES_NOW);

		for (unsigned i = 0; i < t->cnt; i++) {
			enum listen_proto p = listen_proto(t->rule[i].proto);

			if (t->rule[i].flags & RULE_AUTO && listen_wired(p))
				automatic[dir][p] = any = true;
		}
	}
	return any;
}

void listen_auto_start(int host_diag, int ns_diag)
{
	diag_fd[DIR_IN] = host_diag;
	diag_fd[DIR_OUT] = ns_diag;
	started = true;
	changed_ms = clock_ms();
	if (look_for_automatic())
		listen_scan();
}

/* Virtual machines have nobody who could be asked: nothing is ever started. */
void listen_auto_update(void)
{
	if (!started)
		return;
	rules_changed = true;
	changed_ms = clock_ms();
	if (look_for_automatic())
		timer_set(TIMER_SCAN, clock_ms());
	else
		timer_cancel(TIMER_SCAN);
}
