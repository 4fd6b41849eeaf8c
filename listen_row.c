/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen_row.c - the sockets that listen, one row each
 *
 * A row comes into being with its socket, and is used again when that is gone:
 * there are as many as sockets, not as ports in rules. All rows of a port, of
 * which there are rarely more than two, are chained to a head found by its
 * number: looking up one of a rule is a walk along that.
 *
 *	IDLE --open--> OPEN <--> MUTED	no descriptors left to accept with: the
 *	   \             ^		queue of the kernel holds the callers
 *	    `--failed--> WAITING	tried again, ever more rarely
 *
 * The name of a row for others (slot) has a generation in it: whoever keeps one
 * that is used for something else meanwhile is told that it is gone.
 *
 * Owns the sockets, and the sets of ports that are ours. Which ports there are
 * to be is for listen.c to say, and what is done with callers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fwd.h"
#include "listen_port.h"
#include "log.h"
#include "sock.h"
#include "timer.h"
#include "util.h"

#define RETRY_BUDGET	64	/* ports per expiry; the rest: shortly */
#define RETRY_SHORTLY_MS	50
#define RETRY_FIRST_MS	1000
#define RETRY_LAST_MS	64000
#define MUTE_MS		100
#define SLOT_BITS	20	/* of a slot; above: generation */
#define ROWS_MAX	(1u << SLOT_BITS)	/* not quite all: LISTEN_NONE */
#define GEN_MASK	(UINT32_MAX >> SLOT_BITS)

SYSCALLS(close);

/* The first rows are the heads of lists. */
enum { LIST_MUTED, LIST_WAITING, LISTS };

/* Untouched memory costs nothing. */
static struct row rows[ROWS_MAX - 1];
static uint32_t rows_top, free_first;
static uint32_t chains[DIRS][PROTOS][65536];
static unsigned open_cnt, waiting_cnt;

/* Ports we hold sockets on, and on how many. */
static uint16_t held_cnt[DIRS][PROTOS][65536];
static struct ports held[DIRS][PROTOS];

static unsigned retry_round;		/* ports left in this round */
static uint64_t retry_pause_ms, retry_at_ms, unmute_at_ms;

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

const struct ports *listen_held(enum listen_dir dir, enum listen_proto p)
{
	return &held[dir][p];
}

unsigned listen_count(void)
{
	return open_cnt;
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

/* --- lists of rows --- */

void rows_init(void)
{
	if (rows_top)
		return;
	for (uint32_t head = 0; head < LISTS; head++)
		rows[head].next = rows[head].prev = head;
	rows_top = LISTS;
}

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

static const struct fwd_rule *spot_rule(const struct spot *at)
{
	return &listen_table(at->dir, at->age)->rule[at->rule];
}

const struct fwd_rule *row_rule(const struct row *r)
{
	enum listen_age age = r->fate == FATE_NEW ? RULES_NEXT : RULES_NOW;

	return &listen_table(dir_of(r->l.pif), age)->rule[r->l.rule];
}

static uint32_t *chain_of(enum listen_dir dir, uint8_t proto, uint16_t port)
{
	return &chains[dir][listen_proto(proto)][port];
}

static struct row *row_new(const struct spot *at, bool second)
{
	const struct fwd_rule *rule = spot_rule(at);
	uint32_t *chain = chain_of(at->dir, rule->proto, at->port);
	uint32_t idx = free_first;
	struct row *r;

	if (idx)
		free_first = rows[idx].next;
	else if (rows_top < ARRAY_SIZE(rows))
		idx = rows_top++;
	else
		return NULL;
	r = &rows[idx];
	*r = (struct row) {
		.l = {
			.fd = -1, .port = at->port, .rule = at->rule,
			.pif = at->dir == DIR_OUT ? PIF_SPLICE : PIF_HOST,
			.proto = rule->proto,
		},
		.fate = at->age == RULES_NEXT ? FATE_NEW : FATE_GOES,
		.second = second, .gen = r->gen, .chain = *chain,
	};
	*chain = idx;
	return r;
}

static void row_shut(struct row *r)
{
	if (r->state == ROW_MUTED || r->state == ROW_WAITING)
		list_unlink(r);
	if (r->state == ROW_WAITING)
		waiting_cnt--;
	if (r->l.fd >= 0) {
		listen_unhold(r->l.pif, r->l.proto, r->l.port);
		open_cnt--;
		loop_del(r->l.fd);
		close_keep_errno(&r->l.fd);
	}
	r->state = ROW_IDLE;
}

void row_free(struct row *r)
{
	uint32_t idx = (uint32_t)(r - rows);
	uint32_t *link = chain_of(dir_of(r->l.pif), r->l.proto, r->l.port);

	row_shut(r);
	while (*link != idx)
		link = &rows[*link].chain;
	*link = r->chain;
	r->l.proto = 0;
	r->gen = (r->gen + 1) & GEN_MASK;
	r->next = free_first;
	free_first = idx;
}

struct row *row_each(const struct row *r)
{
	uint32_t idx = r ? (uint32_t)(r - rows) + 1 : LISTS;

	while (idx < rows_top && !rows[idx].l.proto)
		idx++;
	return idx < rows_top ? &rows[idx] : NULL;
}

uint32_t row_slot(const struct row *r)
{
	return (uint32_t)r->gen << SLOT_BITS | (uint32_t)(r - rows);
}

struct row *row_of_slot(uint32_t slot)
{
	uint32_t idx = slot % ROWS_MAX;
	struct row *r = &rows[idx];

	if (idx < LISTS || idx >= rows_top || !r->l.proto || r->l.fd < 0 ||
	    r->gen != slot >> SLOT_BITS)
		return NULL;
	return r;
}

static struct row *find(const struct spot *at, bool second)
{
	const struct fwd_rule *rule = spot_rule(at);
	uint32_t idx = *chain_of(at->dir, rule->proto, at->port);

	for (; idx; idx = rows[idx].chain)
		if (rows[idx].second == second &&
		    fwd_rule_same_place(row_rule(&rows[idx]), rule))
			return &rows[idx];
	return NULL;
}

struct row *row_find(const struct spot *at)
{
	return find(at, false);
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


static const char *remedy(const struct row *r, int error)
{
	if (error == EACCES && r->fate == FATE_NEW && r->l.pif == PIF_HOST)
		return "ports below net.ipv4.ip_unprivileged_port_start can be "
		       "opened at start only: what it takes is given up then";
	for (unsigned i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].error == error)
			return remedies[i].remedy;
	return NULL;
}

const char *row_where(const struct row *r, char buf[LISTEN_WHERE_MAX])
{
	const struct fwd_rule *rule = row_rule(r);
	char a[ADDR_STRLEN];

	snprintf(buf, LISTEN_WHERE_MAX, "%s port %u of %s%s%s%s",
		 protos[listen_proto(rule->proto)].name, r->l.port,
		 rule->flags & RULE_DUAL ? "any address" :
					   addr_str(&rule->listen, a),
		 rule->ifname[0] ? " on " : "", rule->ifname,
		 r->l.pif == PIF_SPLICE ? " in the namespace" : "");
	return buf;
}

void row_explain(const struct row *r, int error, char *buf, size_t len)
{
	const char *help = remedy(r, error);
	char w[LISTEN_WHERE_MAX];

	snprintf(buf, len, "cannot listen on %s: %s%s%s%s", row_where(r, w),
		 strerror(error), help ? " (" : "", help ? help : "",
		 help ? ")" : "");
}

/* --- opening and closing --- */

/* Without SO_BINDTODEVICE a wildcard in the namespace becomes the loopback
 * address of each family: from its other interfaces nobody may get here. */
static bool by_loopback(enum listen_dir dir, const struct fwd_rule *r)
{
	return dir == DIR_OUT && !conf.can_bind_device && !r->ifname[0] &&
	       addr_is_unspec(&r->listen);
}

static unsigned sockets_of(enum listen_dir dir, const struct fwd_rule *r)
{
	return by_loopback(dir, r) && r->flags & RULE_DUAL ? 2 : 1;
}

unsigned port_sockets(const struct spot *at)
{
	return sockets_of(at->dir, spot_rule(at));
}

static void row_request(const struct row *r, struct sock_req *req)
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
		if (sockets_of(dir, rule) == 2)
			fam = r->second ? FAM6 : FAM4;
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

static int sock_open_row(const struct row *r)
{
	struct sock_req req;
	int fd;

	row_request(r, &req);
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
		.slot = row_slot(r),
	};
}

int row_open(struct row *r)
{
	int fd = sock_open_row(r), rc;

	if (fd < 0)
		return fd;
	rc = loop_add(fd, EPOLLIN, row_ev(r));
	if (rc) {
		close_keep_errno(&fd);
		return rc;
	}
	r->l.fd = fd;
	memset(r->l.df, 0, sizeof(r->l.df));
	r->state = ROW_OPEN;
	listen_hold(r->l.pif, r->l.proto, r->l.port);
	open_cnt++;
	return 0;
}

static struct spot row_spot(const struct row *r)
{
	return (struct spot) {
		.dir = (uint8_t)dir_of(r->l.pif), .rule = r->l.rule,
		.age = r->fate == FATE_NEW ? RULES_NEXT : RULES_NOW,
		.port = r->l.port,
	};
}

static int second_open(const struct row *first)
{
	struct spot at = row_spot(first);
	struct row *r = row_new(&at, true);
	int rc = r ? row_open(r) : -ENOBUFS;

	if (rc && r)
		row_free(r);
	/* A namespace without IPv6 has no ::1. */
	return rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT ? 0 : rc;
}

int port_open_idle(struct row *r)
{
	int rc = row_open(r);

	if (!rc && !r->second &&
	    sockets_of(dir_of(r->l.pif), row_rule(r)) == 2) {
		rc = second_open(r);
		if (rc)
			row_shut(r);
	}
	return rc;
}

int port_open(const struct spot *at, struct row **out)
{
	*out = row_new(at, false);
	return *out ? port_open_idle(*out) : -ENOBUFS;
}

void port_free(struct row *r)
{
	struct spot at = row_spot(r);
	struct row *second = find(&at, true);

	if (second)
		row_free(second);
	row_free(r);
}

bool port_displace(const struct row *r)
{
	uint32_t idx = *chain_of(dir_of(r->l.pif), r->l.proto, r->l.port);
	bool any = false;

	for (; idx; idx = rows[idx].chain) {
		struct row *o = &rows[idx];

		if (o->fate != FATE_GOES || o->l.fd < 0)
			continue;
		row_shut(o);
		o->state = ROW_DISPLACED;
		any = true;
	}
	return any;
}

/* --- trying again --- */

/* Permission does not come by itself; addresses, interfaces and ports do. */
static bool may_change(int error)
{
	return error == EADDRINUSE || error == EADDRNOTAVAIL ||
	       error == ENODEV || error == EMFILE || error == ENFILE ||
	       error == ENOBUFS || error == ENOMEM;
}

void row_wait_for_better(struct row *r, int error)
{
	if (!may_change(error)) {
		row_free(r);
		return;
	}
	/* News: the others too may have better luck than they had */
	waiting_cnt++;
	retry_round = 0;
	retry_pause_ms = RETRY_FIRST_MS;
	retry_at_ms = clock_ms() + RETRY_FIRST_MS;
	timer_set_earlier(TIMER_LISTEN_RETRY, retry_at_ms);
	r->state = ROW_WAITING;
	list_append(LIST_WAITING, r);
}

static void retry_port(struct row *r)
{
	char w[LISTEN_WHERE_MAX];

	list_unlink(r);
	r->state = ROW_IDLE;
	if (port_open_idle(r)) {
		r->state = ROW_WAITING;
		list_append(LIST_WAITING, r);
		return;
	}
	waiting_cnt--;
	info("Now listening on %s", row_where(r, w));
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

void row_mute(struct row *r)
{
	if (loop_mod(r->l.fd, 0, row_ev(r)))
		return;		/* it is as it was, and will be told again */
	if (!list_first(LIST_MUTED)) {
		unmute_at_ms = clock_ms() + MUTE_MS;
		timer_set_earlier(TIMER_LISTEN_RETRY, unmute_at_ms);
	}
	r->state = ROW_MUTED;
	list_append(LIST_MUTED, r);
}

static void unmute_all(void)
{
	struct row *r;

	while ((r = list_first(LIST_MUTED))) {
		list_unlink(r);
		r->state = ROW_OPEN;
		loop_mod(r->l.fd, EPOLLIN, row_ev(r));
	}
}

void row_retry_expire(void)
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
