/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - the guest's TCP, as correct as the next one, and moody
 *
 * A small TCP of its own: RFC 9293 with go-back-N or selective keeping of what
 * came early, delayed ACKs or not, cautious or wide windows, probes of two
 * kinds, fast retransmission or not. Numbers count from each direction's first;
 * a SYN is 0, the first byte 1. Bytes were compared when the daemon sent them
 * (wire.c); here it is judged whether all arrive.
 */
#include "test/sim/sim.h"

#include <string.h>

#define RANGES		16u
#define SILENCE_MAX	14u	/* times a timer may end unheard */
#define RTO_MAX		(60 * SECOND)

enum state { G_IDLE, G_SYN_SENT, G_SYN_RCVD, G_UP, G_CLOSED };

struct gtcp {
	enum state state;
	bool dead;		/* hears nothing, says nothing */
	/* moods */
	bool keeps_early, acks_each, fast, probes_with_byte, shrinks, tso;
	bool no_options;
	int8_t my_ws;
	uint16_t my_mss;
	uint32_t cwnd;		/* segments */
	uint32_t sndbuf, rcvbuf, rcvbuf_first;
	uint64_t rto_base;
	/* to the daemon */
	uint32_t isn;
	uint64_t una, nxt, max, edge, wl_seq, wl_ack;
	uint64_t end;		/* one above the last byte written */
	bool fin;		/* follows that */
	uint8_t peer_ws;
	bool scaling;
	uint32_t mss;
	unsigned backoff, dups;
	uint64_t rto_at;
	/* from the daemon */
	uint64_t rcv_nxt, fin_at, offered;
	struct { uint64_t from, to; } early[RANGES];
	unsigned early_cnt;
	unsigned unacked;
	uint64_t ack_at;
	uint64_t timer_at;
};

static struct gtcp guests[CONNS];

static struct gtcp *gtcp(const struct conn *c)
{
	return &guests[conn_idx(c)];
}

uint32_t guest_isn(const struct conn *c)
{
	return gtcp(c)->isn;
}

uint64_t guest_sent_max(const struct conn *c)
{
	return gtcp(c)->max;
}

uint64_t guest_edge(const struct conn *c)
{
	return gtcp(c)->offered;
}

bool guest_scales(const struct conn *c)
{
	return gtcp(c)->scaling;
}

bool guest_shrinks(const struct conn *c)
{
	return gtcp(c)->shrinks;
}

uint64_t guest_received(const struct conn *c)
{
	const struct gtcp *g = gtcp(c);

	if (!g->rcv_nxt)
		return 0;
	return g->rcv_nxt - 1 - (g->fin_at && g->rcv_nxt > g->fin_at);
}

static bool got_fin(const struct gtcp *g)
{
	return g->fin_at && g->rcv_nxt > g->fin_at;
}

bool guest_window_closed(const struct conn *c)
{
	return gtcp(c)->state == G_UP &&
	       gtcp(c)->offered <= gtcp(c)->rcv_nxt;
}

bool guest_over(const struct conn *c)
{
	const struct gtcp *g = gtcp(c);

	return g->dead || c->program[0].gone ||
	       (c->stream[0].fin_got && c->stream[1].fin_got);
}

/* --- timers --- */

static void timer(unsigned idx, unsigned unused);

static void arm(struct conn *c)
{
	struct gtcp *g = gtcp(c);
	uint64_t due = MIN(g->rto_at, g->ack_at);

	if (due >= g->timer_at)
		return;
	g->timer_at = due;
	at(due, timer, conn_idx(c), 0);
}

static void rto_set(struct conn *c)
{
	struct gtcp *g = gtcp(c);

	g->rto_at = world.now + MIN(g->rto_base << g->backoff, RTO_MAX);
	arm(c);
}

/* --- sending --- */

static uint64_t room(const struct conn *c)
{
	const struct gtcp *g = gtcp(c);
	uint64_t unread = guest_received(c) - c->stream[1].got;

	return unread < g->rcvbuf ? g->rcvbuf - unread : 0;
}

static unsigned scale(const struct gtcp *g, bool syn)
{
	return syn || !g->scaling ? 0 : (unsigned)g->my_ws;
}

static uint16_t window(const struct conn *c, bool syn)
{
	const struct gtcp *g = gtcp(c);
	uint64_t edge = g->rcv_nxt + room(c);

	if (!g->shrinks)
		edge = MAX(edge, g->offered);
	return (uint16_t)MIN((edge - g->rcv_nxt) >> scale(g, syn),
			     UINT16_MAX);
}

static uint64_t window_edge(const struct conn *c, bool syn)
{
	const struct gtcp *g = gtcp(c);

	return g->rcv_nxt + ((uint64_t)window(c, syn) << scale(g, syn));
}

static void send_seg(struct conn *c, uint64_t seq, uint32_t len, uint8_t flags)
{
	struct gtcp *g = gtcp(c);
	struct wseg s = {
		.conn = (uint8_t)conn_idx(c), .flags = flags, .seq = seq,
		.len = len, .ws = -1,
	};
	bool syn = flags & TCP_FLAG_SYN;

	if (g->dead)
		return;
	s.win = window(c, syn);
	g->offered = MAX(g->offered, window_edge(c, syn));
	if (flags & TCP_FLAG_ACK) {
		s.ack = g->rcv_nxt;
		g->unacked = 0;
		g->ack_at = NEVER;
	}
	if (syn && !g->no_options) {
		s.mss = g->my_mss;
		s.ws = g->my_ws;
	}
	if (len > g->mss)
		s.gso = (uint16_t)g->mss;
	wire_from_guest(&s);
	g->max = MAX(g->max, seq + len + !!(flags & TCP_FLAG_FIN) + syn);
}

static void send_ack(struct conn *c)
{
	send_seg(c, gtcp(c)->nxt, 0, TCP_FLAG_ACK);
}

static uint32_t segment_max(const struct conn *c)
{
	const struct gtcp *g = gtcp(c);
	uint32_t most = 65535 - 60 - 14;

	return g->tso && g->mss < most ? most - most % g->mss : g->mss;
}

static void output(struct conn *c)
{
	struct gtcp *g = gtcp(c);
	uint64_t limit = MIN(g->edge, g->una + (uint64_t)g->cwnd * g->mss);
	bool was_idle = g->una == g->nxt;

	if (g->state != G_UP)
		return;
	while (g->nxt < g->end && g->nxt < limit) {
		uint64_t n = MIN(g->end, limit) - g->nxt;
		uint8_t flags = TCP_FLAG_ACK;

		n = MIN(n, segment_max(c));
		if (g->nxt + n == g->end)
			flags |= TCP_FLAG_PSH | (g->fin ? TCP_FLAG_FIN : 0);
		send_seg(c, g->nxt, (uint32_t)n, flags);
		g->nxt += n + !!(flags & TCP_FLAG_FIN);
	}
	if (g->fin && g->nxt == g->end) {
		send_seg(c, g->nxt, 0, TCP_FLAG_FIN | TCP_FLAG_ACK);
		g->nxt++;
	}
	/* In flight, or waiting for the window */
	if ((g->una < g->nxt || g->nxt < g->end) &&
	    (was_idle || g->rto_at == NEVER))
		rto_set(c);
}

/* --- the program --- */

static void turn_write(unsigned idx, unsigned unused);
static void turn_read(unsigned idx, unsigned unused);

static void fin_now(unsigned idx, unsigned unused)
{
	struct conn *c = &conns[idx];

	(void)unused;
	if (c->program[0].gone || c->stream[0].fin_sent)
		return;
	c->stream[0].fin_sent = gtcp(c)->fin = true;
	T("guest %u: FIN at %llu", idx,
	  (unsigned long long)c->stream[0].sent);
	output(c);
}

static void maybe_fin(struct conn *c)
{
	if (program_done_writing(c, 0) && !c->stream[0].fin_sent)
		at(world.now + c->program[0].fin_delay, fin_now, conn_idx(c),
		   0);
}

static void may_write(struct conn *c)
{
	struct program *p = &c->program[0];

	if (p->writing || p->gone || c->stream[0].fin_sent)
		return;
	p->writing = true;
	at(world.now + p->write_gap, turn_write, conn_idx(c), 0);
}

static void turn_write(unsigned idx, unsigned unused)
{
	struct conn *c = &conns[idx];
	struct gtcp *g = gtcp(c);
	uint64_t used = g->end - MIN(g->una, g->end), n;

	(void)unused;
	c->program[0].writing = false;
	if (c->program[0].gone)
		return;
	n = program_write(c, 0, used < g->sndbuf ? g->sndbuf - used : 0);
	g->end += n;
	maybe_fin(c);
	if (n)
		output(c);
	if (n && c->stream[0].sent < c->stream[0].total)
		may_write(c);
}

static void may_read(struct conn *c)
{
	struct program *p = &c->program[0];

	if (p->reading || p->gone)
		return;
	p->reading = true;
	at(world.now + program_read_gap(c, 0), turn_read, conn_idx(c), 0);
}

static void turn_read(unsigned idx, unsigned unused)
{
	struct conn *c = &conns[idx];
	struct gtcp *g = gtcp(c);
	struct stream *s = &c->stream[1];
	uint64_t avail = guest_received(c) - s->got, n;

	(void)unused;
	c->program[0].reading = false;
	if (c->program[0].gone)
		return;
	n = program_read(c, 0, avail);
	if (n && !got_fin(g) && g->rcv_nxt &&
	    window_edge(c, false) >= g->offered + MIN(2u * g->my_mss,
						      g->rcvbuf / 2 + 1))
		send_ack(c);		/* the window has opened */
	if (n < avail) {
		may_read(c);
		return;
	}
	if (!got_fin(g) || s->fin_got)
		return;
	s->fin_got = true;
	world.progress++;
	if (s->got != s->sent || !s->fin_sent)
		fail("connection %u: the guest's stream ends after %llu of "
		     "%llu bytes", idx, (unsigned long long)s->got,
		     (unsigned long long)s->sent);
	maybe_fin(c);
}

static void turn_kill(unsigned idx, unsigned unused)
{
	struct conn *c = &conns[idx];
	struct gtcp *g = gtcp(c);

	(void)unused;
	if (g->state == G_IDLE || g->state == G_CLOSED || guest_over(c))
		return;
	counters->resets++;
	c->program[0].gone = true;
	if (chance(300)) {
		T("guest %u: dies", idx);
		c->cause |= CAUSE_GUEST_DIED;
		g->dead = true;
		return;
	}
	T("guest %u: resets", idx);
	c->cause |= CAUSE_GUEST_RESET;
	send_seg(c, g->nxt, 0, TCP_FLAG_RST | TCP_FLAG_ACK);
	g->state = G_CLOSED;
}

/* Short of memory, or no longer: what was offered is withdrawn, or more is. */
static void turn_memory(unsigned idx, unsigned times)
{
	struct conn *c = &conns[idx];
	struct gtcp *g = gtcp(c);
	uint32_t least = 2u << MAX(g->my_ws, 0);

	if (g->state != G_UP || guest_over(c))
		return;
	g->rcvbuf = chance(500) ? rnd_between(least, 20 * least + 20000) :
				  g->rcvbuf_first;
	T("guest %u: buffer of %u", idx, g->rcvbuf);
	send_ack(c);
	if (times)
		at(world.now + rnd(30000) * US * (1 + rnd(100)), turn_memory,
		   idx, times - 1);
	else
		g->rcvbuf = g->rcvbuf_first;
}

static void established(struct conn *c)
{
	struct gtcp *g = gtcp(c);

	g->state = G_UP;
	g->backoff = 0;
	g->rto_at = NEVER;
	c->program[0].started = true;
	may_write(c);
	if (g->shrinks)
		turn_memory(conn_idx(c), rnd_between(1, 10));
	if (c->program[0].reset_at != NEVER)
		at(world.now + c->program[0].reset_at, turn_kill, conn_idx(c),
		   0);
}

/* --- receiving --- */

/* When all has passed both ways, the reset answers a FIN sent again, because
 * the last ACK was lost: what came can still be read. */
static void was_reset(struct conn *c)
{
	T("guest %u: was reset", conn_idx(c));
	gtcp(c)->state = G_CLOSED;
	c->program[0].gone |= !c->closed_well;
	world.progress++;
}

void guest_unreachable(struct conn *c)
{
	if (gtcp(c)->state != G_SYN_SENT)
		return;
	if (!c->cause)
		fail("connection %u: unreachable without a cause",
		     conn_idx(c));
	was_reset(c);
}

static void keep_early(struct gtcp *g, uint64_t from, uint64_t to)
{
	if (g->keeps_early && g->early_cnt < RANGES && from < to) {
		g->early[g->early_cnt].from = from;
		g->early[g->early_cnt++].to = to;
	}
}

static void join_early(struct gtcp *g)
{
	for (unsigned i = 0; i < g->early_cnt; i++) {
		if (g->early[i].from > g->rcv_nxt)
			continue;
		g->rcv_nxt = MAX(g->rcv_nxt, g->early[i].to);
		g->early[i] = g->early[--g->early_cnt];
		i = UINT32_MAX;		/* from the first again */
	}
}

/* Payload and FIN: true when an ACK is due at once. */
static bool take_data(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);
	uint64_t end = s->seq + s->len, limit = MAX(g->offered, g->rcv_nxt);
	bool fin = s->flags & TCP_FLAG_FIN;

	if (!s->len && !fin)
		return s->seq < g->rcv_nxt;	/* asks whether we live */
	if (g->shrinks)
		limit = g->rcv_nxt + room(c);
	if (end > limit) {
		end = limit;
		fin = false;
	}
	if (fin)
		g->fin_at = end;
	if (s->seq > g->rcv_nxt) {
		keep_early(g, s->seq, end);
		return true;
	}
	if (end + fin <= g->rcv_nxt)
		return true;
	g->rcv_nxt = MAX(g->rcv_nxt, end);
	join_early(g);
	if (g->fin_at && g->rcv_nxt == g->fin_at)
		g->rcv_nxt++;
	may_read(c);
	return got_fin(g) || g->acks_each || ++g->unacked >= 2 ||
	       g->early_cnt;
}

static void resend_first(struct conn *c)
{
	struct gtcp *g = gtcp(c);
	uint64_t n = MIN(g->end - MIN(g->una, g->end), g->mss);
	bool fin = g->fin && g->una + n == g->end && g->max > g->end;

	if (g->una < g->max && (n || fin))
		send_seg(c, g->una, (uint32_t)MIN(n, g->max - g->una),
			 TCP_FLAG_ACK | (fin ? TCP_FLAG_FIN : 0));
}

static void take_ack(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);
	uint64_t edge = s->ack + ((uint64_t)s->win << g->peer_ws);

	g->backoff = MIN(g->backoff, 3);
	if (s->ack > g->una) {
		g->una = s->ack;
		g->nxt = MAX(g->nxt, g->una);
		g->backoff = g->dups = 0;
		g->rto_at = NEVER;
		if (g->una < g->nxt)
			rto_set(c);
		may_write(c);
	} else if (s->ack == g->una && !s->len && g->una < g->max &&
		   edge == g->edge && g->fast && ++g->dups == 3) {
		resend_first(c);
	}
	if (s->seq >= g->wl_seq && s->ack >= g->wl_ack) {
		g->wl_seq = s->seq;
		g->wl_ack = s->ack;
		g->edge = edge;
	}
}

/* RFC 9293 3.10.7.1 */
static void input_closed(struct conn *c, const struct wseg *s)
{
	struct wseg r = { .conn = s->conn, .flags = TCP_FLAG_RST, .ws = -1 };

	if (s->flags & TCP_FLAG_RST)
		return;
	if (s->flags & TCP_FLAG_ACK) {
		r.seq = s->ack;
	} else {
		r.flags |= TCP_FLAG_ACK;
		r.ack = s->seq + s->len + !!(s->flags & TCP_FLAG_SYN) +
			!!(s->flags & TCP_FLAG_FIN);
	}
	(void)c;
	wire_from_guest(&r);
}

static void take_syn(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);

	g->rcv_nxt = 1;
	g->scaling = s->ws >= 0 && g->my_ws >= 0 && !g->no_options;
	g->peer_ws = g->scaling ? (uint8_t)s->ws : 0;
	g->mss = s->mss ? s->mss : 536;
	g->wl_seq = s->seq;
	g->wl_ack = s->ack;
	g->edge = s->ack + s->win;
}

static void input_listen(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);

	if (!(s->flags & TCP_FLAG_SYN))
		return;
	if (c->outcome.error) {
		g->state = G_CLOSED;
		c->cause |= CAUSE_REFUSED;
		input_closed(c, s);
		return;
	}
	take_syn(c, s);
	g->edge = 1 + (uint64_t)s->win;
	g->state = G_SYN_RCVD;
	g->una = 0;
	g->nxt = 1;
	send_seg(c, 0, 0, TCP_FLAG_SYN | TCP_FLAG_ACK);
	rto_set(c);
}

static void input_syn_sent(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);

	if (s->flags & TCP_FLAG_RST) {
		if (s->flags & TCP_FLAG_ACK && s->ack == 1)
			was_reset(c);
		return;
	}
	if (!(s->flags & TCP_FLAG_SYN) || s->ack != 1) {
		fail("connection %u: no answer to a SYN", conn_idx(c));
	}
	take_syn(c, s);
	g->una = g->nxt = 1;
	established(c);
	send_ack(c);
}

static void input_up(struct conn *c, const struct wseg *s)
{
	struct gtcp *g = gtcp(c);
	bool now;

	if (s->flags & TCP_FLAG_SYN && g->state == G_SYN_RCVD) {
		send_seg(c, 0, 0, TCP_FLAG_SYN | TCP_FLAG_ACK);
		return;
	}
	if (s->flags & TCP_FLAG_SYN || s->ack > g->max) {
		send_ack(c);
		return;
	}
	if (g->state == G_SYN_RCVD) {
		if (s->ack < 1)
			return;
		g->una = 1;
		established(c);
	}
	take_ack(c, s);
	now = take_data(c, s);
	output(c);
	if (now && (g->unacked || s->len || s->seq < g->rcv_nxt))
		send_ack(c);
	else if (g->unacked && g->ack_at == NEVER)
		g->ack_at = world.now + 40 * MS;
	arm(c);
}

void guest_input(const struct wseg *s)
{
	struct conn *c = &conns[s->conn];
	struct gtcp *g = gtcp(c);

	if (g->dead)
		return;
	switch (g->state) {
	case G_IDLE:
		input_listen(c, s);
		return;
	case G_SYN_SENT:
		input_syn_sent(c, s);
		return;
	case G_CLOSED:
		input_closed(c, s);
		return;
	case G_SYN_RCVD:
	case G_UP:
		break;
	}
	if (s->flags & TCP_FLAG_RST) {
		if (s->seq >= g->rcv_nxt &&
		    s->seq <= MAX(g->offered, g->rcv_nxt))
			was_reset(c);
		return;
	}
	input_up(c, s);
}

/* --- time --- */

static void probe(struct conn *c)
{
	struct gtcp *g = gtcp(c);

	counters->probes++;
	if (g->probes_with_byte) {
		send_seg(c, g->nxt, 1, TCP_FLAG_ACK);
		g->nxt++;
	} else {
		send_seg(c, g->una - 1, 0, TCP_FLAG_ACK);
	}
}

static void resend(struct conn *c)
{
	struct gtcp *g = gtcp(c);

	if (++g->backoff > SILENCE_MAX) {
		if (!c->cause)
			fail("connection %u: the guest is not answered",
			     conn_idx(c));
		g->state = G_CLOSED;
		return;
	}
	switch (g->state) {
	case G_SYN_SENT:
		send_seg(c, 0, 0, TCP_FLAG_SYN);
		break;
	case G_SYN_RCVD:
		send_seg(c, 0, 0, TCP_FLAG_SYN | TCP_FLAG_ACK);
		break;
	case G_UP:
		if (g->una == g->nxt && g->nxt == g->end && !g->fin)
			return;
		if (g->una == g->nxt && g->edge <= g->nxt) {
			probe(c);
		} else {
			g->nxt = g->una;
			if (g->edge > g->una || g->una == g->end)
				output(c);
			else
				resend_first(c);
			g->nxt = MAX(g->nxt, g->una);
		}
		break;
	case G_IDLE:
	case G_CLOSED:
		return;
	}
	rto_set(c);
}

static void timer(unsigned idx, unsigned unused)
{
	struct conn *c = &conns[idx];
	struct gtcp *g = gtcp(c);

	(void)unused;
	g->timer_at = NEVER;
	if (g->dead || g->state == G_CLOSED)
		return;
	if (g->ack_at <= world.now)
		send_ack(c);
	if (g->rto_at <= world.now) {
		g->rto_at = NEVER;
		resend(c);
	}
	arm(c);
}

/* --- beginning --- */

static void moods(struct gtcp *g)
{
	static const int8_t scales[] = { -1, 0, 1, 7, 7, 7, 10, 14 };
	static const uint16_t sizes[] = { 536, 1220, 1460, 1460, 8960, 65460 };
	static const uint32_t bufs[] = {
		1, 100, 2000, 5000, 20000, 65535, 200000, 2000000,
	};
	static const uint64_t rtos[] = { 200 * MS, 1 * SECOND, 3 * SECOND };

	g->keeps_early = chance(700);
	g->acks_each = chance(300);
	g->fast = chance(700);
	g->probes_with_byte = chance(300);
	g->tso = !world.stream && chance(500);
	g->no_options = chance(50);
	g->my_ws = PICK(scales);
	g->my_mss = PICK(sizes);
	g->cwnd = chance(200) ? rnd_between(1, 4) : rnd_between(10, 1000);
	g->sndbuf = PICK(bufs);
	g->sndbuf = MAX(g->sndbuf, 1000);
	g->rcvbuf = PICK(bufs);
	g->rto_base = PICK(rtos);
	g->shrinks = chance(80);
	while (g->my_ws > 0 && g->rcvbuf >> g->my_ws < 2)
		g->my_ws--;
	g->rcvbuf_first = g->rcvbuf;
	g->isn = chance(300) ? 0 - rnd(5000) : rnd(UINT32_MAX);
}

void guest_start(struct conn *c)
{
	struct gtcp *g = gtcp(c);

	*g = (struct gtcp) {
		.rto_at = NEVER, .ack_at = NEVER, .timer_at = NEVER,
		.mss = 536, .end = 1,
	};
	moods(g);
	c->stream[1].total = MIN(c->stream[1].total, g->rcvbuf * 300ull);
	if (c->kind != GUEST_OPENS)
		return;
	g->state = G_SYN_SENT;
	g->nxt = 1;
	send_seg(c, 0, 0, TCP_FLAG_SYN);
	rto_set(c);
}
