/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - forwarding rules in force, and what is done with callers
 *
 * Rules come from the command line at start, and later from the control socket:
 * as complete tables, which replace those in force by what they have not in
 * common. While that is done both sets exist:
 *
 *	RULES_NOW	       RULES_NEXT
 *	row of a port	 -->   there too, at the same place	stays
 *	row of a port	 -->   not there			goes at the end
 *			 -->   a port that is new		opened first
 *
 * A port that cannot be opened undoes what was done; what had to make room is
 * opened again. So either set is in force, never a part of one; sockets that
 * are in both keep their callers, and connections never notice.
 *
 * A port of a rule which is not best effort has to open. Of best-effort rules
 * of one option, or update, one port is enough. Which ports of automatic rules
 * are due to be open, listen_auto.c finds out; the sockets are listen_row.c's.
 *
 * A connection is accepted here, judged by fwd.c and handed on; nothing is kept
 * of it. Datagram listeners are served by udp.c.
 */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "fwd.h"
#include "listen_port.h"
#include "log.h"
#include "sock.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "timer.h"
#include "util.h"

#define ACCEPT_BUDGET	16	/* connections per event; the rest: next turn */
#define SPECS		256	/* values of fwd_rule.spec */
#define FDS_OTHERS	64	/* descriptors for anything but listeners */

SYSCALLS(accept4, close);

static struct fwd_table tables[RULES_AGES][DIRS];
static unsigned now;			/* which of them is RULES_NOW */
static bool wired[PROTOS] = { true, true };
static uint64_t fds_max;		/* RLIMIT_NOFILE; 0: not asked yet */

static enum listen_dir dir_of(uint8_t pif)
{
	return pif == PIF_SPLICE ? DIR_OUT : DIR_IN;
}

static struct fwd_table *table(enum listen_dir dir, enum listen_age age)
{
	return &tables[age == RULES_NOW ? now : !now][dir];
}

const struct fwd_table *listen_table(enum listen_dir dir, enum listen_age age)
{
	return table(dir, age);
}

const struct fwd_table *listen_rules(uint8_t pif)
{
	return table(dir_of(pif), RULES_NOW);
}

void listen_protocols(bool tcp, bool udp)
{
	wired[PROTO_TCP] = tcp;
	wired[PROTO_UDP] = udp;
}

bool listen_wired(enum listen_proto p)
{
	return wired[p];
}

struct listener *listen_get(uint32_t slot)
{
	struct row *r = row_of_slot(slot);

	return r ? &r->l : NULL;
}

uint32_t listen_slot(uint8_t pif, unsigned rule, uint16_t port)
{
	const struct spot at = {
		.dir = (uint8_t)dir_of(pif), .rule = (uint8_t)rule,
		.port = port,
	};
	const struct row *r = row_find(&at);

	return r && r->l.fd >= 0 ? row_slot(r) : LISTEN_NONE;
}

/* --- the ports of rules --- */

/* What became of the ports of one option. */
struct tally {
	unsigned open, failed;
	char why[LISTEN_WHERE_MAX * 2];	/* of the first that failed */
};

static struct tally tally[SPECS];

/* Short of descriptors, being tolerant would leave none for connections. */
static bool tolerable(const struct fwd_rule *r, int error)
{
	return r->flags & RULE_WEAK && error != EMFILE && error != ENFILE;
}

static bool is_there(const struct spot *at)
{
	const struct row *r = row_find(at);

	return r && (at->age == RULES_NOW || r->fate != FATE_GOES);
}

/* Restarted with its container, our predecessor may be about to learn that it
 * has come to its end: at start that is waited for, once for all ports. */
static bool patient(int rc)
{
	static unsigned left_ms = 500;

	if (rc != -EADDRINUSE || !left_ms)
		return false;
	left_ms--;
	poll(NULL, 0, 1);
	return true;
}

static int open_anyway(const struct spot *at, const struct fwd_rule *rule,
		       struct row *r, int rc)
{
	if (at->age == RULES_NEXT && rc == -EADDRINUSE && port_displace(r))
		return port_open_idle(r);
	while (at->age == RULES_NOW && !(rule->flags & RULE_WEAK) &&
	       patient(rc))
		rc = port_open_idle(r);
	return rc;
}

static bool spot_failed(struct row *r, int error, char *errbuf, size_t errlen)
{
	const struct fwd_rule *rule = row_rule(r);
	struct tally *t = &tally[rule->spec];

	if (!tolerable(rule, error)) {
		row_explain(r, error, errbuf, errlen);
		row_free(r);
		return false;
	}
	if (!t->failed++)
		row_explain(r, error, t->why, sizeof(t->why));
	row_wait_for_better(r, error);
	return true;
}

static bool spot_open(const struct spot *at, const struct fwd_rule *rule,
		      char *errbuf, size_t errlen)
{
	struct row *r = NULL;
	int rc = is_there(at) ? 0 : port_open(at, &r);

	if (rc && !r) {
		snprintf(errbuf, errlen, "too many sockets to listen on");
		return false;
	}
	if (rc)
		rc = open_anyway(at, rule, r, rc);
	if (rc)
		return spot_failed(r, -rc, errbuf, errlen);
	tally[rule->spec].open++;
	return true;
}

static bool rule_open(enum listen_dir dir, enum listen_age age, unsigned rule,
		      char *errbuf, size_t errlen)
{
	const struct fwd_rule *r = &table(dir, age)->rule[rule];
	struct spot at = {
		.dir = (uint8_t)dir, .age = (uint8_t)age, .rule = (uint8_t)rule,
	};

	for (uint32_t port = r->first; port <= r->last; port++) {
		at.port = (uint16_t)port;
		if (!spot_open(&at, r, errbuf, errlen))
			return false;
	}
	return true;
}

/* Of a tolerant option something must have worked. */
static bool judge(const struct tally *t, char *errbuf, size_t errlen)
{
	if (!t->failed)
		return true;
	if (!t->open) {
		snprintf(errbuf, errlen,
			 "none of %u ports could be opened; the first: %s",
			 t->failed, t->why);
		return false;
	}
	warn("%u of %u ports could not be opened; the first: %s", t->failed,
	     t->failed + t->open, t->why);
	return true;
}

/* Equal rules have all open that they can have. */
static bool is_unchanged(enum listen_dir dir, const struct fwd_rule *r)
{
	const struct fwd_table *t = table(dir, RULES_NOW);

	for (unsigned i = 0; i < t->cnt; i++)
		if (fwd_rule_eq(&t->rule[i], r))
			return true;
	return false;
}

/* Whether the rule has ports to open now. */
static bool is_due(enum listen_dir dir, enum listen_age age,
		   const struct fwd_rule *r)
{
	return !(r->flags & RULE_AUTO) && wired[listen_proto(r->proto)] &&
	       !(age == RULES_NEXT && is_unchanged(dir, r));
}

static bool table_open(enum listen_dir dir, enum listen_age age, char *errbuf,
		       size_t errlen)
{
	const struct fwd_table *t = table(dir, age);

	memset(tally, 0, sizeof(tally));
	for (unsigned i = 0; i < t->cnt; i++)
		if (is_due(dir, age, &t->rule[i]) &&
		    !rule_open(dir, age, i, errbuf, errlen))
			return false;
	for (unsigned spec = 0; spec < SPECS; spec++)
		if (!judge(&tally[spec], errbuf, errlen))
			return false;
	return true;
}

/* --- descriptors: better known before the first port than after the last --- */

static unsigned sockets_due(enum listen_dir dir, enum listen_age age)
{
	const struct fwd_table *t = table(dir, age);
	unsigned cnt = 0;

	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *r = &t->rule[i];
		struct spot at = {
			.dir = (uint8_t)dir, .age = (uint8_t)age,
			.rule = (uint8_t)i,
		};

		if (!is_due(dir, age, r))
			continue;
		for (uint32_t port = r->first; port <= r->last; port++) {
			at.port = (uint16_t)port;
			cnt += is_there(&at) ? 0 : port_sockets(&at);
		}
	}
	return cnt;
}

static bool fds_suffice(unsigned more, char *errbuf, size_t errlen)
{
	struct rlimit limit = { .rlim_cur = UINT64_MAX };
	unsigned need = listen_count() + more + FDS_OTHERS;

	if (!fds_max) {
		getrlimit(RLIMIT_NOFILE, &limit);
		fds_max = limit.rlim_cur;
	}
	if (need <= fds_max)
		return true;
	snprintf(errbuf, errlen, "%u ports need as many descriptors, and %ju "
		 "are allowed in all: raise the hard limit of open files "
		 "(RLIMIT_NOFILE, ulimit -Hn) to at least %u, or forward "
		 "fewer", listen_count() + more, (uintmax_t)fds_max, need);
	return false;
}

/* --- rules at start --- */

bool listen_open(uint8_t pif, char *errbuf, size_t errlen)
{
	enum listen_dir dir = dir_of(pif);

	rows_init();
	*table(dir, RULES_NOW) = dir == DIR_OUT ? conf.outbound : conf.inbound;
	return fds_suffice(sockets_due(dir, RULES_NOW), errbuf, errlen) &&
	       table_open(dir, RULES_NOW, errbuf, errlen);
}

void listen_close_all(void)
{
	for (struct row *r = row_each(NULL); r; r = row_each(r))
		row_free(r);
	timer_cancel(TIMER_SCAN);
	timer_cancel(TIMER_LISTEN_RETRY);
}

/* --- other rules --- */

static bool covers(const struct fwd_rule *r, const struct row *row)
{
	return row->l.port >= r->first && row->l.port <= r->last &&
	       fwd_rule_same_place(r, row_rule(row));
}

/* One that waits may go on doing so for the sake of rules that can. */
static bool may_stay(const struct row *row, const struct fwd_rule *next)
{
	return row->l.fd >= 0 || next->flags & (RULE_WEAK | RULE_AUTO) ||
	       fwd_rule_eq(row_rule(row), next);
}

/* Neighbours are likely of the same rule: *hint, where the last was found. */
static void row_judge(struct row *row, unsigned *hint)
{
	const struct fwd_table *t = table(dir_of(row->l.pif), RULES_NEXT);

	for (unsigned n = 0; n < t->cnt; n++) {
		unsigned i = (*hint + n) % t->cnt;

		if (!covers(&t->rule[i], row))
			continue;
		*hint = i;
		if (may_stay(row, &t->rule[i])) {
			row->fate = FATE_STAYS;
			row->becomes = (uint8_t)i;
		}
		return;
	}
}

static void rows_judge(void)
{
	unsigned hint[DIRS] = { 0 };

	for (struct row *r = row_each(NULL); r; r = row_each(r))
		row_judge(r, &hint[dir_of(r->l.pif)]);
}

static void update_undo(void)
{
	for (struct row *r = row_each(NULL); r; r = row_each(r)) {
		if (r->fate == FATE_NEW)
			row_free(r);
		else
			r->fate = FATE_GOES;
	}
	for (struct row *r = row_each(NULL); r; r = row_each(r)) {
		char why[LISTEN_WHERE_MAX * 2];
		int rc = r->state == ROW_DISPLACED ? row_open(r) : 0;

		if (!rc)
			continue;
		row_explain(r, -rc, why, sizeof(why));
		err("What was forwarded before is no longer: %s", why);
		r->state = ROW_IDLE;
		row_wait_for_better(r, -rc);
	}
}

static void update_commit(void)
{
	for (struct row *r = row_each(NULL); r; r = row_each(r))
		if (r->fate == FATE_GOES)
			row_free(r);
	now = !now;
	for (struct row *r = row_each(NULL); r; r = row_each(r)) {
		if (r->fate == FATE_STAYS)
			r->l.rule = r->becomes;
		r->fate = FATE_GOES;
	}
	listen_auto_update();
}

bool listen_update(const struct fwd_table *inbound,
		   const struct fwd_table *outbound,
		   char *errbuf, size_t errlen)
{
	unsigned due;

	*table(DIR_IN, RULES_NEXT) = *inbound;
	*table(DIR_OUT, RULES_NEXT) = *outbound;
	rows_judge();
	due = sockets_due(DIR_IN, RULES_NEXT) +
	      sockets_due(DIR_OUT, RULES_NEXT);
	if (!fds_suffice(due, errbuf, errlen) ||
	    !table_open(DIR_IN, RULES_NEXT, errbuf, errlen) ||
	    !table_open(DIR_OUT, RULES_NEXT, errbuf, errlen)) {
		update_undo();
		return false;
	}
	update_commit();
	return true;
}

/* --- automatic rules, of which listen_auto.c says what is due --- */

static void service_appeared(const struct spot *at)
{
	char why[LISTEN_WHERE_MAX * 2];
	struct row *r;
	int rc = port_open(at, &r);

	if (!rc) {
		debug("Now listening on %s", row_where(r, why));
		return;
	}
	/* Without an agent we are about to end, and to say so. */
	if (!r || rc == -EPIPE)
		return;
	row_explain(r, -rc, why, sizeof(why));
	warn_limit("A service has appeared, but we %s", why);
	row_wait_for_better(r, -rc);
}

static void service_gone(struct row *r)
{
	char w[LISTEN_WHERE_MAX];

	if (r->l.fd >= 0)
		debug("No longer listening on %s", row_where(r, w));
	port_free(r);
}

bool listen_want(enum listen_dir dir, unsigned rule, uint16_t port, bool want)
{
	const struct spot at = {
		.dir = (uint8_t)dir, .rule = (uint8_t)rule, .port = port,
	};
	struct row *r = row_find(&at);

	if (want == !!r)
		return false;
	if (want)
		service_appeared(&at);
	else
		service_gone(r);
	return true;
}

void listen_want_only(enum listen_dir dir, enum listen_proto p,
		      const struct ports *targets)
{
	for (struct row *r = row_each(NULL); r; r = row_each(r)) {
		const struct fwd_rule *rule = row_rule(r);
		uint16_t to = (uint16_t)(rule->to + (r->l.port - rule->first));

		if (dir_of(r->l.pif) == dir && listen_proto(r->l.proto) == p &&
		    rule->flags & RULE_AUTO && !port_get(targets, to))
			row_free(r);
	}
}

void listen_expire(uint32_t timer_id)
{
	if (timer_id == TIMER_SCAN)
		listen_scan();
	else
		row_retry_expire();
}

/* --- accepting --- */

static void hand_on(int fd, const struct fwd_rule *rule, struct side side[2])
{
	enum fwd_verdict v;

	v = side[0].pif == PIF_SPLICE ?
	    fwd_from_splice(fwd_env(), IPPROTO_TCP, rule, &side[0], &side[1]) :
	    fwd_from_host(fwd_env(), IPPROTO_TCP, rule, &side[0], &side[1]);

	switch (v) {
	case FWD_OK:
		break;
	case FWD_REFUSED:
		drop(DROP_REFUSED);
		sock_reset(&fd);
		return;
	case FWD_BAD_ADDRESS:
		drop(DROP_ADDRESS);
		sock_reset(&fd);
		return;
	}
	if (side[1].pif == PIF_TAP)
		tcp_from_host(fd, side);
	else
		tcp_splice_start(fd, side);
}

static void accepted(const struct row *r, int fd, const union sockaddr_any *sa)
{
	const struct fwd_rule *rule = row_rule(r);
	struct side side[2] = { { .pif = r->l.pif } };

	side[0].ours = rule->listen;
	side[0].our_port = r->l.port;
	if (!addr_from_sockaddr(&side[0].theirs, &side[0].their_port, sa) ||
	    (addr_is_unspec(&rule->listen) &&
	     !sock_local(fd, &side[0].ours, &side[0].our_port))) {
		sock_reset(&fd);	/* gone already */
		return;
	}
	hand_on(fd, rule, side);
}

/* Whether to go on accepting. Most errors are those of one caller. */
static bool accept_failed(struct row *r, int error)
{
	char w[LISTEN_WHERE_MAX];

	if (error == EAGAIN)
		return false;
	if (error != EMFILE && error != ENFILE && error != ENOBUFS &&
	    error != ENOMEM)
		return true;
	warn_limit("Cannot accept on %s for now: %s", row_where(r, w),
		   strerror(error));
	row_mute(r);
	return false;
}

void listen_tcp_handle(struct ev ev, uint32_t events)
{
	struct row *r = row_of_slot(ev.slot);

	(void)events;

	for (unsigned n = 0; r && n < ACCEPT_BUDGET; n++) {
		union sockaddr_any sa = { 0 };
		socklen_t len = sizeof(sa);
		int fd = accept4(r->l.fd, &sa.sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			accepted(r, fd, &sa);
		else if (!accept_failed(r, errno))
			return;
	}
}
