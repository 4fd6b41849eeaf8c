/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datagram.c - conversations in datagrams: who asks, who answers, who got what
 *
 * A talk is an asker and an answerer: the guest and a peer of the host, either
 * way round, or two programs on loopback. Each datagram is known by talk,
 * direction and number, which fill it as far as it goes; the rest is pattern().
 * So one that is cut, joined to another, doubled or in the wrong conversation
 * is seen on arrival. Losing one is no fault, unless the schedule has none.
 */
#include "test/sim/sim.h"

#include <string.h>

#include "conf.h"

#define SENT_MAX	256u	/* of one direction of a talk */
#define MARK_LEN	8u	/* shorter ones are known by their length */
#define ON_THE_WAY	4096u

/* The one who asks is end 0. */
struct talk {
	enum conn_kind kind;
	enum fam fam;
	struct addr guest, peer;
	uint16_t asker_port, answerer_port;
	unsigned questions;
	uint64_t gap;
	unsigned answers;		/* to each, in one of 1000 */
	unsigned sent[2], got[2];
	uint32_t len[2][SENT_MAX];
	bool arrived[2][SENT_MAX];
	int asker_fd;			/* the daemon's, towards the answerer */
	struct addr answerer;		/* as that socket knows it */
};

static struct talk talks[TALKS];
static unsigned talk_cnt;

static struct datagram on_way[ON_THE_WAY];
static unsigned on_way_cnt;

static uint32_t pattern_id(unsigned t, unsigned dir, unsigned nr)
{
	return 1000000 + t * 70001 + dir * 30011 + nr * 101;
}

static void answer_soon(unsigned t);

/* --- content --- */

void datagram_fill(const struct datagram *d, uint8_t *out)
{
	uint8_t mark[MARK_LEN] = {
		0xda, 0x7a, d->talk, d->dir, (uint8_t)(d->nr >> 8),
		(uint8_t)d->nr, 0x5a, 0xa5,
	};

	memcpy(out, pattern(pattern_id(d->talk, d->dir, d->nr), 0), d->len);
	if (d->len >= MARK_LEN)
		memcpy(out, mark, MARK_LEN);
}

static bool find_short(unsigned t, unsigned dir, size_t len, unsigned *nr)
{
	for (*nr = 0; *nr < talks[t].sent[dir]; ++*nr)
		if (talks[t].len[dir][*nr] == len && !talks[t].arrived[dir][*nr])
			return true;
	return false;
}

/* @t, @dir: where it came to, which says who must have sent it. */
static void arrived(unsigned t, unsigned dir, const uint8_t *p, size_t len)
{
	static uint8_t want[PATTERN_MAX];
	struct talk *k = &talks[t];
	struct datagram d = { .talk = (uint8_t)t, .dir = (uint8_t)dir };
	unsigned nr;

	if (len < MARK_LEN) {
		if (!find_short(t, dir, len, &nr))
			fail("talk %u: %zu bytes arrive which nobody sent", t,
			     len);
	} else {
		nr = (unsigned)p[4] << 8 | p[5];
		if (p[2] != t || p[3] != dir)
			fail("talk %u: a datagram of talk %u arrives", t, p[2]);
	}
	if (nr >= k->sent[dir] || k->len[dir][nr] != len)
		fail("talk %u: datagram %u of %u bytes arrives with %zu", t,
		     nr, nr < SENT_MAX ? k->len[dir][nr] : 0, len);
	if (k->arrived[dir][nr])
		fail("talk %u: datagram %u arrives twice", t, nr);
	d.nr = (uint16_t)nr;
	d.len = (uint32_t)len;
	datagram_fill(&d, want);
	if (memcmp(want, p, len))
		fail("talk %u: datagram %u is not what was sent", t, nr);
	T("talk %u: %s %u has arrived", t, dir ? "answer" : "question", nr);
	k->arrived[dir][nr] = true;
	k->got[dir]++;
	counters->datagrams++;
	world.progress++;
	if (!dir && chance(k->answers))
		answer_soon(t);
}

/* --- sending --- */

static bool make(unsigned t, unsigned dir, struct datagram *d)
{
	static const uint32_t sizes[] = {
		0, 1, 7, 60, 512, 1200, 1200, 1400, 1472, 3000, 9000, 40000,
	};
	struct talk *k = &talks[t];
	unsigned nr = k->sent[dir];
	unsigned same;

	if (nr == SENT_MAX)
		return false;
	*d = (struct datagram) {
		.talk = (uint8_t)t, .dir = (uint8_t)dir, .nr = (uint16_t)nr,
		.len = chance(700) ? 1200 : PICK(sizes),
	};
	/* Those without a number: one of a length at a time, and where the
	 * port says whose they are */
	if (d->len < MARK_LEN && (k->kind == SPLICE_IN ||
				  k->kind == SPLICE_OUT ||
				  find_short(t, dir, d->len, &same)))
		d->len = MARK_LEN;
	k->len[dir][nr] = d->len;
	k->sent[dir]++;
	return true;
}

static bool asker_is_guest(const struct talk *k)
{
	return k->kind == GUEST_OPENS;
}

static bool answerer_is_guest(const struct talk *k)
{
	return k->kind == HOST_OPENS;
}

static void fill_name(const struct talk *k, unsigned dir, struct datagram *d)
{
	d->fam = k->fam;
	d->from = dir ? k->answerer : k->peer;
	d->from_port = dir ? k->answerer_port : k->asker_port;
}

static void send_from_guest(const struct talk *k, unsigned dir,
			    struct datagram *d)
{
	d->from = k->guest;
	d->to = k->peer;
	d->from_port = dir ? k->answerer_port : k->asker_port;
	d->to_port = dir ? k->asker_port : k->answerer_port;
	d->fam = k->fam;
	wire_datagram_from_guest(d);
}

static void question(unsigned t, unsigned left)
{
	struct talk *k = &talks[t];
	struct datagram d;

	if (!make(t, 0, &d))
		return;
	T("talk %u: question %u of %u bytes", t, d.nr, d.len);
	if (asker_is_guest(k)) {
		send_from_guest(k, 0, &d);
	} else {
		fill_name(k, 0, &d);
		kernel_datagram_to_listener(&d, k->kind == SPLICE_OUT);
	}
	if (left)
		at(world.now + k->gap, question, t, left - 1);
}

static void answer(unsigned t, unsigned unused)
{
	struct talk *k = &talks[t];
	struct datagram d;

	(void)unused;
	if (!make(t, 1, &d))
		return;
	T("talk %u: answer %u of %u bytes", t, d.nr, d.len);
	if (answerer_is_guest(k)) {
		send_from_guest(k, 1, &d);
		return;
	}
	fill_name(k, 1, &d);
	kernel_datagram_to_socket(&d, k->asker_fd);
}

static void answer_soon(unsigned t)
{
	at(world.now + rnd(2000) * US, answer, t, 0);
}

/* --- arriving --- */

/* The guest gets it: the pair of ports is a talk's. */
void datagram_to_guest(const struct addr *src, uint16_t sport,
		       uint16_t dport, const uint8_t *p, size_t len)
{
	for (unsigned t = 0; t < talk_cnt; t++) {
		const struct talk *k = &talks[t];
		bool asks = asker_is_guest(k);

		if ((!asks && !answerer_is_guest(k)) ||
		    !addr_eq(src, &k->peer))
			continue;
		if (sport == (asks ? k->answerer_port : k->asker_port) &&
		    dport == (asks ? k->asker_port : k->answerer_port)) {
			arrived(t, asks ? 1 : 0, p, len);
			return;
		}
	}
	fail("the guest gets a datagram from port %u to %u, of no talk",
	     sport, dport);
}

/* Whom the answers go to. One socket is one asker's. */
static void own_socket(unsigned t, int fd, const struct addr *answerer)
{
	for (unsigned i = 0; i < talk_cnt; i++)
		if (i != t && talks[i].asker_fd == fd)
			fail("talks %u and %u come from one socket", i, t);
	talks[t].asker_fd = fd;
	talks[t].answerer = *answerer;
}

/* To a program on the host or in the namespace, from the daemon's socket. */
void datagram_to_peer(int fd, const struct addr *dst, uint16_t dport,
		      const uint8_t *p, size_t len)
{
	for (unsigned t = 0; t < talk_cnt; t++) {
		struct talk *k = &talks[t];
		bool tap = asker_is_guest(k) || answerer_is_guest(k);

		if (k->asker_port == dport && !asker_is_guest(k) &&
		    addr_eq(dst, &k->peer)) {
			arrived(t, 1, p, len);
			return;
		}
		if (answerer_is_guest(k) || k->answerer_port != dport ||
		    (tap && !addr_eq(dst, &k->peer)))
			continue;
		/* Spliced, all go to one port: content says which it is */
		if (!tap && (len < MARK_LEN || p[2] != t))
			continue;
		own_socket(t, fd, dst);
		arrived(t, 0, p, len);
		return;
	}
	fail("a datagram to port %u, of no talk", dport);
}

unsigned datagram_keep(const struct datagram *d)
{
	if (on_way_cnt == ON_THE_WAY)
		fail("too many datagrams");
	on_way[on_way_cnt] = *d;
	return on_way_cnt++;
}

const struct datagram *datagram_at(unsigned slot)
{
	return &on_way[slot];
}

/* --- beginning, end --- */

static void make_talk(unsigned t)
{
	static const uint64_t gaps[] = {
		0, 5 * US, 100 * US, 5 * MS, SECOND, 20 * SECOND,
	};
	struct talk *k = &talks[t];
	unsigned questions[] = { 1, 2, 10, 30, 250 };

	*k = (struct talk) {
		.kind = chance(500) ? GUEST_OPENS : HOST_OPENS,
		.fam = chance(500) ? FAM4 : FAM6,
		.questions = PICK(questions), .gap = PICK(gaps),
		.answers = chance(700) ? 1000 : rnd(1000), .asker_fd = -1,
	};
	if (world.pasta && chance(500))
		k->kind = chance(500) ? SPLICE_IN : SPLICE_OUT;
	k->guest = conf_writable.net[k->fam].guest;
	k->peer = addr_loopback(k->fam);
	if (k->kind == GUEST_OPENS || k->kind == HOST_OPENS)
		addr_parse(&k->peer, k->fam == FAM4 ? "198.51.100.77" :
						      "2001:db8::77");
	k->asker_port = (uint16_t)(TALK_PORT + t);
	k->answerer_port = k->kind == GUEST_OPENS ?
			   (uint16_t)(ANSWER_PORT + t) : SERVICE_PORT;
	T("talk %u: %s, %s", t, k->kind == GUEST_OPENS ? "from the guest" :
	  k->kind == HOST_OPENS ? "from the host" : "spliced",
	  fam_name(k->fam));
	at(world.now + rnd(1000) * MS, question, t, k->questions - 1);
}

void datagram_start(void)
{
	if (chance(500))
		return;
	talk_cnt = rnd_between(1, TALKS);
	for (unsigned t = 0; t < talk_cnt; t++)
		make_talk(t);
}

static bool all_arrived(unsigned t, unsigned dir)
{
	const struct talk *k = &talks[t];

	for (unsigned nr = 0; nr < k->sent[dir]; nr++)
		if (!k->arrived[dir][nr])
			return false;
	return true;
}

/* On a day without faults nothing is lost; where there was one, only one talk
 * has a loss. */
void datagram_check_end(void)
{
	static const struct faults none;
	unsigned lossy = 0;

	if (memcmp(&world.faults, &none, sizeof(none)) ||
	    world.fault_concerns_all)
		return;
	for (unsigned t = 0; t < talk_cnt; t++)
		lossy += !all_arrived(t, 0) || !all_arrived(t, 1);
	if (lossy > (world.fault_at ? 1u : 0u))
		fail("datagrams of %u talks did not arrive", lossy);
}
