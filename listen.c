/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - listening sockets for the forwarding rules
 *
 * Every port of every rule has its row in one array, at a place computed from
 * the rule and the port, whether it is open or not: memory the kernel provides
 * when touched, reserved once at start.
 *
 *   SHUT --open--> OPEN <--> MUTED     no descriptors left to accept with: the
 *     \             ^                  queue of the kernel holds the callers
 *      `--failed--> WAITING            tried again, ever more rarely
 *
 * Which ports of automatic rules are due to be open, listen_auto.c finds out.
 *
 * A connection is accepted here, judged by fwd.c and handed on; nothing is kept
 * of it. Datagram listeners are opened here, and served by udp.c.
 */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "fwd.h"
#include "listen_port.h"
#include "log.h"
#include "sock.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "timer.h"
#include "util.h"

#define ACCEPT_BUDGET	16	/* connections per event; the rest: next turn */
#define RETRY_BUDGET	64	/* ports per expiry; the rest: shortly */
#define RETRY_SHORTLY_MS	50
#define RETRY_FIRST_MS	1000
#define RETRY_LAST_MS	64000
#define MUTE_MS		100
#define PATIENCE_MS	500	/* at start, in all */
#define SPECS		256	/* values of fwd_rule.spec */
#define WHERE_MAX	160	/* text naming a port */

SYSCALLS(accept4, close);

enum state { SHUT, OPEN, MUTED, WAITING };

struct row {
	struct listener l;
	uint8_t state;
	uint32_t next, prev;		/* MUTED, WAITING: on their list */
};

/* The first rows are the heads of lists. */
enum { LIST_MUTED, LIST_WAITING, LISTS };

/* Where the rows of each rule begin, and how many sockets a port takes. */
static struct place {
	uint32_t base;
	uint8_t socks;
} places[DIRS][RULES_MAX];

static struct row *rows;
static uint32_t rows_cnt;
static unsigned open_cnt, waiting_cnt;

static bool wired[PROTOS] = { true, true };

/* Ports we hold sockets on, and on how many. */
static uint16_t held_cnt[DIRS][PROTOS][65536];
static struct ports held[DIRS][PROTOS];

static unsigned retry_round;		/* ports left in this round */
static uint64_t retry_pause_ms, retry_at_ms, unmute_at_ms;
static unsigned waited_ms;		/* at start, for ports in use */

static const struct {
	enum sock_kind kind;
	enum ev_kind ev;
	const char *name;
} protos[PROTOS] = {
	[PROTO_TCP] = { SOCK_KIND_TCP_LISTEN, EV_TCP_LISTEN, "TCP" },
	[PROTO_UDP] = { SOCK_KIND_UDP_LISTEN, EV_UDP_LISTEN, "UDP" },
};

enum listen_proto listen_proto(uint8_t number)
{
	return number == IPPROTO_UDP ? PROTO_UDP : PROTO_TCP;
}

static enum listen_dir dir_of(uint8_t pif)
{
	return pif == PIF_SPLICE ? DIR_OUT : DIR_IN;
}

const struct fwd_table *listen_table(enum listen_dir dir)
{
	return dir == DIR_OUT ? &conf.outbound : &conf.inbound;
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

const struct ports *listen_held(enum listen_dir dir, enum listen_proto p)
{
	return &held[dir][p];
}

/* --- lists of rows --- */

static struct row *list_first(uint32_t head)
{
	return rows[head].next == head ? NULL : &rows[rows[head].next];
}

static void list_append(uint32_t head, struct row *r)
{
	uint32_t idx = (uint32_t)(r - rows), last = rows[head].prev;

	r->next = head;
	r->prev = last;
	rows[last].next = idx;
	rows[head].prev = idx;
}

static void list_unlink(struct row *r)
{
	rows[r->prev].next = r->next;
	rows[r->next].prev = r->prev;
}

/* --- rows --- */

/* Without SO_BINDTODEVICE a wildcard in the namespace becomes the loopback
 * address of each family: from its other interfaces nobody may get here. */
static bool by_loopback(enum listen_dir dir, const struct fwd_rule *r)
{
	return dir == DIR_OUT && !conf.can_bind_device && !r->ifname[0] &&
	       addr_is_unspec(&r->listen);
}

/* Room for all rows there can be. The tables do not change afterwards. */
static bool rows_reserve(void)
{
	uint32_t cnt = LISTS;
	size_t size;

	for (unsigned dir = 0; dir < DIRS; dir++) {
		const struct fwd_table *t = listen_table(dir);

		for (unsigned i = 0; i < t->cnt; i++) {
			const struct fwd_rule *r = &t->rule[i];
			struct place *p = &places[dir][i];

			p->base = cnt;
			p->socks = by_loopback(dir, r) &&
				   r->flags & RULE_DUAL ? 2 : 1;
			cnt += (uint32_t)(r->last - r->first + 1) * p->socks;
		}
	}

	size = cnt * sizeof(*rows);
	rows = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rows == MAP_FAILED) {
		rows = NULL;
		return false;
	}
	rows_cnt = cnt;
	for (uint32_t head = 0; head < LISTS; head++)
		rows[head].next = rows[head].prev = head;
	return true;
}

/* The first row of a port; its second, if any, follows. */
static struct row *row_at(enum listen_dir dir, unsigned rule, uint16_t port)
{
	const struct fwd_rule *fr = &listen_table(dir)->rule[rule];
	const struct place *p = &places[dir][rule];
	uint32_t nth = (uint32_t)(port - fr->first);
	struct row *r = &rows[p->base + nth * p->socks];

	for (unsigned i = 0; i < p->socks; i++) {
		if (r[i].l.proto)
			continue;
		r[i].l = (struct listener) {
			.fd = -1, .port = port, .rule = (uint8_t)rule,
			.pif = dir == DIR_OUT ? PIF_SPLICE : PIF_HOST,
			.proto = fr->proto,
		};
	}
	return r;
}

static const struct fwd_rule *row_rule(const struct row *r)
{
	return &listen_table(dir_of(r->l.pif))->rule[r->l.rule];
}

static const struct place *row_place(const struct row *r)
{
	return &places[dir_of(r->l.pif)][r->l.rule];
}

static struct row *row_of_slot(uint32_t slot)
{
	if (slot < LISTS || slot >= rows_cnt || rows[slot].l.fd < 0 ||
	    !rows[slot].l.proto)
		return NULL;
	return &rows[slot];
}

const struct listener *listen_get(uint32_t slot)
{
	struct row *r = row_of_slot(slot);

	return r ? &r->l : NULL;
}

unsigned listen_count(void)
{
	return open_cnt;
}

uint32_t listen_slot(uint8_t pif, unsigned rule, uint16_t port)
{
	const struct row *r = rows ? row_at(dir_of(pif), rule, port) : NULL;

	return r && r->l.fd >= 0 ? (uint32_t)(r - rows) : LISTEN_NONE;
}

void listen_hold(uint8_t pif, uint8_t proto, uint16_t port)
{
	enum listen_dir dir = dir_of(pif);
	enum listen_proto p = listen_proto(proto);

	held_cnt[dir][p][port]++;
	port_set(&held[dir][p], port);
}

void listen_unhold(uint8_t pif, uint8_t proto, uint16_t port)
{
	enum listen_dir dir = dir_of(pif);
	enum listen_proto p = listen_proto(proto);

	if (!--held_cnt[dir][p][port])
		port_clear(&held[dir][p], port);
}

/* --- saying what is wrong --- */

static const struct {
	int error;
	const char *remedy;
} remedies[] = {
	{ EACCES, "ports below net.ipv4.ip_unprivileged_port_start need "
		  "CAP_NET_BIND_SERVICE" },
	{ EADDRINUSE, "something else has that port" },
	{ EADDRNOTAVAIL, "no interface has that address; see --freebind" },
	{ ENODEV, "no such interface" },
	{ EMFILE, "too few descriptors allowed (RLIMIT_NOFILE, ulimit -n)" },
	{ ENFILE, "the system has no more files (fs.file-max)" },
	{ EPIPE, "nobody is left in the namespace to open it" },
};

static const char *remedy(int error)
{
	for (unsigned i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].error == error)
			return remedies[i].remedy;
	return NULL;
}

/* "TCP port 80 of 192.0.2.1 on eth0 in the namespace" */
static const char *where(const struct row *r, char buf[WHERE_MAX])
{
	const struct fwd_rule *rule = row_rule(r);
	char a[ADDR_STRLEN];

	snprintf(buf, WHERE_MAX, "%s port %u of %s%s%s%s",
		 protos[listen_proto(rule->proto)].name, r->l.port,
		 rule->flags & RULE_DUAL ? "any address" :
					   addr_str(&rule->listen, a),
		 rule->ifname[0] ? " on " : "", rule->ifname,
		 r->l.pif == PIF_SPLICE ? " in the namespace" : "");
	return buf;
}

static void explain(const struct row *r, int error, char *buf, size_t len)
{
	const char *help = remedy(error);
	char w[WHERE_MAX];

	snprintf(buf, len, "cannot listen on %s: %s%s%s%s", where(r, w),
		 strerror(error), help ? " (" : "", help ? help : "",
		 help ? ")" : "");
}

/* --- opening and closing --- */

static void row_request(const struct row *r, unsigned which,
			struct sock_req *req)
{
	const struct fwd_rule *rule = row_rule(r);
	enum listen_dir dir = dir_of(r->l.pif);
	enum fam fam = addr_fam(&rule->listen);

	*req = (struct sock_req) {
		.kind = (uint8_t)protos[listen_proto(rule->proto)].kind,
		.bind = true,
		.freebind = conf.freebind,
		/* What was asked for is ours alone, or refused. */
		.share = rule->flags & RULE_AUTO,
		.port = r->l.port,
		.scope = dir == DIR_IN ? conf.net[FAM6].ifindex : 0,
	};
	memcpy(req->ifname, rule->ifname, sizeof(req->ifname));

	if (by_loopback(dir, rule)) {
		if (row_place(r)->socks == 2)
			fam = which ? FAM6 : FAM4;
		req->fam = (uint8_t)fam;
		req->addr = addr_loopback(fam);
		return;
	}
	if (dir == DIR_OUT && addr_is_unspec(&rule->listen) && !rule->ifname[0])
		memcpy(req->ifname, "lo", sizeof("lo"));
	req->dual = rule->flags & RULE_DUAL;
	req->fam = (uint8_t)fam;
	req->addr = rule->listen;
}

static int sock_open_row(const struct row *r, unsigned which)
{
	struct sock_req req;
	int fd;

	row_request(r, which, &req);
	fd = sock_open(r->l.pif, &req);
	if (fd != -EAFNOSUPPORT || !req.dual)
		return fd;

	/* Any address of both families, on a kernel that has but one */
	req.dual = false;
	req.fam = FAM4;
	req.addr = addr_any(FAM4);
	return sock_open(r->l.pif, &req);
}

static struct ev row_ev(const struct row *r)
{
	return (struct ev) {
		.kind = (uint8_t)protos[listen_proto(r->l.proto)].ev,
		.slot = (uint32_t)(r - rows),
	};
}

static int row_open(struct row *r, unsigned which)
{
	int fd = sock_open_row(r, which), rc;

	if (fd < 0)
		return fd;
	rc = loop_add(fd, EPOLLIN, row_ev(r));
	if (rc) {
		close_keep_errno(&fd);
		return rc;
	}
	r->l.fd = fd;
	r->state = OPEN;
	listen_hold(r->l.pif, r->l.proto, r->l.port);
	open_cnt++;
	return 0;
}

static void row_shut(struct row *r)
{
	if (r->state == MUTED || r->state == WAITING)
		list_unlink(r);
	if (r->state == WAITING)
		waiting_cnt--;
	if (r->l.fd >= 0) {
		listen_unhold(r->l.pif, r->l.proto, r->l.port);
		open_cnt--;
		loop_del(r->l.fd);
		close_keep_errno(&r->l.fd);
	}
	r->state = SHUT;
}

static void port_shut(struct row *r)
{
	for (unsigned i = 0; i < row_place(r)->socks; i++)
		row_shut(&r[i]);
}

/* All sockets of a port, or none. A namespace without IPv6 has no ::1. */
static int port_open(struct row *r)
{
	for (unsigned i = 0; i < row_place(r)->socks; i++) {
		int rc = row_open(&r[i], i);

		if (i && (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT))
			continue;
		if (rc) {
			port_shut(r);
			return rc;
		}
	}
	return 0;
}

/* --- trying again --- */

/* Permission does not come by itself; addresses, interfaces and ports do. */
static bool may_change(int error)
{
	return error == EADDRINUSE || error == EADDRNOTAVAIL ||
	       error == ENODEV || error == EMFILE || error == ENFILE ||
	       error == ENOBUFS || error == ENOMEM;
}

static void wait_for_better(struct row *r, int error)
{
	if (!may_change(error))
		return;
	/* News: the others too may have better luck than they had */
	waiting_cnt++;
	retry_round = 0;
	retry_pause_ms = RETRY_FIRST_MS;
	retry_at_ms = clock_ms() + RETRY_FIRST_MS;
	timer_set_earlier(TIMER_LISTEN_RETRY, retry_at_ms);
	r->state = WAITING;
	list_append(LIST_WAITING, r);
}

static void retry_port(struct row *r)
{
	char w[WHERE_MAX];

	list_unlink(r);
	r->state = SHUT;
	if (port_open(r)) {
		r->state = WAITING;
		list_append(LIST_WAITING, r);
		return;
	}
	waiting_cnt--;
	info("Now listening on %s", where(r, w));
}

static void retry_some(void)
{
	if (!retry_round)
		retry_round = waiting_cnt;
	for (unsigned n = MIN(retry_round, RETRY_BUDGET); n; n--) {
		struct row *r = list_first(LIST_WAITING);

		retry_round--;
		if (r)
			retry_port(r);
	}

	retry_at_ms = clock_ms();
	if (retry_round) {
		retry_at_ms += RETRY_SHORTLY_MS;
		return;
	}
	retry_pause_ms = MIN(retry_pause_ms * 2, RETRY_LAST_MS);
	retry_at_ms += retry_pause_ms;
}

/* --- no descriptors to accept with --- */

static void mute(struct row *r)
{
	if (loop_mod(r->l.fd, 0, row_ev(r)))
		return;		/* it is as it was, and will be told again */
	if (!list_first(LIST_MUTED)) {
		unmute_at_ms = clock_ms() + MUTE_MS;
		timer_set_earlier(TIMER_LISTEN_RETRY, unmute_at_ms);
	}
	r->state = MUTED;
	list_append(LIST_MUTED, r);
}

static void unmute_all(void)
{
	struct row *r;

	while ((r = list_first(LIST_MUTED))) {
		list_unlink(r);
		r->state = OPEN;
		loop_mod(r->l.fd, EPOLLIN, row_ev(r));
	}
}

static void retry_expire(void)
{
	uint64_t now = clock_ms();

	if (list_first(LIST_MUTED)) {
		if (now >= unmute_at_ms)
			unmute_all();
		else
			timer_set_earlier(TIMER_LISTEN_RETRY, unmute_at_ms);
	}
	if (waiting_cnt) {
		if (now >= retry_at_ms)
			retry_some();
		if (waiting_cnt)
			timer_set_earlier(TIMER_LISTEN_RETRY, retry_at_ms);
	}
}

/* --- rules at start --- */

/* What became of the ports of one option. */
struct tally {
	unsigned open, failed;
	struct row *first;		/* that failed */
	int error;
};

/* Restarted with its container, our predecessor may be about to learn that it
 * has come to its end: a port in use may be free in a moment. */
static int port_open_patiently(struct row *r)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	int rc;

	while ((rc = port_open(r)) == -EADDRINUSE && waited_ms < PATIENCE_MS) {
		waited_ms++;
		nanosleep(&moment, NULL);
	}
	return rc;
}

/* Short of descriptors, being tolerant would leave none for connections. */
static bool tolerable(const struct fwd_rule *r, int error)
{
	return r->flags & RULE_WEAK && error != EMFILE && error != ENFILE;
}

static bool rule_open(enum listen_dir dir, unsigned rule, struct tally *tally,
		      char *errbuf, size_t errlen)
{
	const struct fwd_rule *r = &listen_table(dir)->rule[rule];

	for (uint32_t port = r->first; port <= r->last; port++) {
		struct row *row = row_at(dir, rule, (uint16_t)port);
		int error = -(r->flags & RULE_WEAK ? port_open(row) :
						     port_open_patiently(row));

		if (!error) {
			tally->open++;
			continue;
		}
		if (!tolerable(r, error)) {
			explain(row, error, errbuf, errlen);
			return false;
		}
		if (!tally->failed++) {
			tally->first = row;
			tally->error = error;
		}
		wait_for_better(row, error);
	}
	return true;
}

/* Of a tolerant option something must have worked. */
static bool judge(const struct tally *tally, char *errbuf, size_t errlen)
{
	char why[WHERE_MAX * 2];

	if (!tally->failed)
		return true;
	explain(tally->first, tally->error, why, sizeof(why));
	if (!tally->open) {
		snprintf(errbuf, errlen,
			 "none of %u ports could be opened; the first: %s",
			 tally->failed, why);
		return false;
	}
	warn("%u of %u ports could not be opened; the first: %s",
	     tally->failed, tally->failed + tally->open, why);
	return true;
}

bool listen_open(uint8_t pif, char *errbuf, size_t errlen)
{
	enum listen_dir dir = dir_of(pif);
	const struct fwd_table *t = listen_table(dir);
	struct tally tally[SPECS] = { 0 };

	if (!rows && !rows_reserve()) {
		snprintf(errbuf, errlen, "no memory for listeners");
		return false;
	}
	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *r = &t->rule[i];

		if (r->flags & RULE_AUTO || !wired[listen_proto(r->proto)])
			continue;
		if (!rule_open(dir, i, &tally[r->spec], errbuf, errlen))
			return false;
	}
	for (unsigned spec = 0; spec < SPECS; spec++)
		if (!judge(&tally[spec], errbuf, errlen))
			return false;
	return true;
}

void listen_close_all(void)
{
	for (unsigned dir = 0; dir < DIRS; dir++) {
		const struct fwd_table *t = listen_table(dir);

		for (unsigned i = 0; rows && i < t->cnt; i++) {
			const struct fwd_rule *r = &t->rule[i];
			enum listen_proto p = listen_proto(r->proto);

			for (uint32_t q = r->first; q <= r->last; q++)
				if (port_get(&held[dir][p], (uint16_t)q))
					port_shut(row_at(dir, i, (uint16_t)q));
		}
	}
	while (waiting_cnt)
		row_shut(list_first(LIST_WAITING));
	timer_cancel(TIMER_SCAN);
	timer_cancel(TIMER_LISTEN_RETRY);
}

/* --- automatic rules, of which listen_auto.c says what is due --- */

static void service_appeared(struct row *r)
{
	char why[WHERE_MAX * 2];
	int error = -port_open(r);

	if (!error) {
		debug("Now listening on %s", where(r, why));
		return;
	}
	explain(r, error, why, sizeof(why));
	warn_limit("A service has appeared, but we %s", why);
	wait_for_better(r, error);
}

static void service_gone(struct row *r)
{
	char w[WHERE_MAX];

	if (r->l.fd >= 0)
		debug("No longer listening on %s", where(r, w));
	port_shut(r);
}

void listen_want(enum listen_dir dir, unsigned rule, uint16_t port, bool want)
{
	struct row *r = row_at(dir, rule, port);

	if (want)
		service_appeared(r);
	else
		service_gone(r);
}

void listen_expire(uint32_t timer_id)
{
	if (timer_id == TIMER_SCAN)
		listen_scan();
	else
		retry_expire();
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
	char w[WHERE_MAX];

	if (error == EAGAIN)
		return false;
	if (error != EMFILE && error != ENFILE && error != ENOBUFS &&
	    error != ENOMEM)
		return true;
	warn_limit("Cannot accept on %s for now: %s", where(r, w),
		   strerror(error));
	mute(r);
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
