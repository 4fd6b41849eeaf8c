/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - the link as memory, and the judge of each frame that leaves
 *
 * Frames of the daemon are taken apart when it commits them: then it is known
 * what it had accepted, and what the guest has offered. What goes on to the
 * guest are the facts (struct wseg), late, twice, in another order, or not at
 * all. Frames of the guest are built when the daemon reads them.
 *
 * Losses are bounded: never so many in a row that giving up would be right. A
 * connection that ends nevertheless has been given up too early.
 */
#include "test/sim/sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "backlog.h"
#include "conf.h"
#include "flow.h"
#include "tcp_conn.h"

#define FRAMES_MAX	64u
#define ARENA_FRAME	(66u << 10)
#define SEGS_MAX	8192u
#define LOST_RUN_MAX	3u
#define FLAG_URG	0x20

static struct wseg segs[SEGS_MAX];	/* on their way */
static uint16_t seg_free[SEGS_MAX];
static unsigned seg_free_cnt;
static unsigned segs_used;

static uint16_t queue[SEGS_MAX];	/* arrived at the daemon's end */
static unsigned queue_first, queue_cnt;
static uint64_t last_arrival[2];	/* what is not reordered keeps order */

static uint8_t arena[FRAMES_MAX][ARENA_FRAME];
static bool stalled, blocked;
static uint64_t next_stall;		/* not before: a guest that is away for
					 * long is rightly given up */
static uint64_t ack_heard[CONNS];	/* the daemon has, of the guest */
static uint64_t sent_end[CONNS];	/* by the daemon, to the guest */

static const struct ev link_ev = { .kind = EV_LINK };

const char *wseg_str(const struct wseg *s, char buf[160])
{
	static const char letters[] = "FSRP.U";
	char flags[8] = "", *f = flags;

	for (unsigned i = 0; i < 6; i++)
		if (s->flags >> i & 1)
			*f++ = letters[i];
	*f = '\0';
	snprintf(buf, 160, "%s %llu:%llu ack %llu win %u", flags,
		 (unsigned long long)s->seq,
		 (unsigned long long)(s->seq + s->len),
		 (unsigned long long)s->ack, s->win);
	return buf;
}

/* --- loss, order --- */

static unsigned seg_keep(const struct wseg *s)
{
	unsigned slot;

	if (seg_free_cnt)
		slot = seg_free[--seg_free_cnt];
	else
		slot = segs_used++;
	if (segs_used > SEGS_MAX)
		fail("too many segments on their way");
	segs[slot] = *s;
	return slot;
}

static void seg_drop(unsigned slot)
{
	seg_free[seg_free_cnt++] = (uint16_t)slot;
}

static bool occupies(const struct wseg *s)
{
	return s->len || s->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN);
}

/* In which directions something waits for this one, or its like. */
static void stakes(const struct conn *c, const struct wseg *s, bool to_guest,
		   bool stake[2])
{
	unsigned i = conn_idx(c);

	stake[0] = guest_sent_max(c) > c->max_ack ||
		   (!to_guest && occupies(s));
	stake[1] = sent_end[i] > ack_heard[i] || (to_guest && occupies(s)) ||
		   guest_window_closed(c);
}

static bool lose(struct conn *c, const struct wseg *s, bool to_guest)
{
	bool stake[2];

	if (!fault(world.faults.loss))
		return false;
	stakes(c, s, to_guest, stake);
	for (unsigned d = 0; d < 2; d++)
		if (stake[d] && c->lost_run[d] >= LOST_RUN_MAX)
			return false;
	for (unsigned d = 0; d < 2; d++)
		c->lost_run[d] += stake[d];
	counters->lost++;
	return true;
}

static void travel(const struct wseg *s, bool to_guest, happening arrive)
{
	uint64_t when = world.now + world.latency;

	if (fault(world.faults.reorder)) {
		counters->reordered++;
		when += rnd(5) * world.latency + rnd(2000) * US;
	} else {
		when = MAX(when, last_arrival[to_guest]);
		last_arrival[to_guest] = when;
	}
	at(when, arrive, seg_keep(s), 0);
}

static void send_over(struct conn *c, const struct wseg *s, bool to_guest,
		      happening arrive)
{
	char buf[160];

	if (lose(c, s, to_guest)) {
		T("%s %u: %s  LOST", to_guest ? "<" : ">", s->conn,
		  wseg_str(s, buf));
		return;
	}
	T("%s %u: %s", to_guest ? "<" : ">", s->conn, wseg_str(s, buf));
	travel(s, to_guest, arrive);
	if (fault(world.faults.dup)) {
		counters->dups++;
		travel(s, to_guest, arrive);
	}
}

/* --- to the guest --- */

static void arrive_at_guest(unsigned slot, unsigned unused)
{
	struct wseg s = segs[slot];
	struct conn *c = &conns[s.conn];

	(void)unused;
	seg_drop(slot);
	counters->frames_out++;
	if (s.flags & TCP_FLAG_ACK && guest_sent_max(c) >= s.ack)
		c->lost_run[0] = 0;
	guest_input(&s);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	uint64_t s = sum;

	for (; len >= 4; p += 4, len -= 4) {
		uint32_t w;

		memcpy(&w, p, 4);
		s += w;
	}
	if (len >= 2) {
		uint16_t w;

		memcpy(&w, p, 2);
		s += w;
		p += 2;
		len -= 2;
	}
	if (len) {
		uint16_t w = 0;

		memcpy(&w, p, 1);
		s += w;
	}
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

struct pieces {
	const struct frame *f;
	const uint8_t *ip, *l4;
	size_t ip_hlen, l4_hdr;		/* l4_hdr: in the frame's header */
	size_t l4_len, pay_len;
	uint8_t proto;
	enum fam fam;
	struct addr src, dst;
};

static uint32_t pseudo_sum(const struct pieces *p)
{
	size_t n = addr_bits(p->fam) / 8 * 2;
	const uint8_t *addrs = p->ip + (p->fam == FAM4 ? 12 : 8);
	uint8_t tail[4] = { 0, p->proto };

	put_be16(tail + 2, (uint16_t)p->l4_len);
	return sum_bytes(sum_bytes(0, addrs, n), tail, 4);
}

/* The payload is in pieces of even length, but for the last. */
static void check_csum(const struct pieces *p, size_t csum_off)
{
	const struct frame *f = p->f;
	uint32_t sum = pseudo_sum(p);
	size_t left = p->pay_len;

	if (f->needs_csum) {
		uint16_t field;

		if (f->gso != GSO_NONE)
			return;
		memcpy(&field, p->l4 + csum_off, 2);
		if (field != (uint16_t)sum)
			fail("wrong sum of the pseudo-header");
		return;
	}
	sum = sum_bytes(sum, p->l4, p->l4_hdr);
	for (unsigned i = 0; left; i++) {
		size_t n = MIN(left, f->pay[i].iov_len);

		sum = sum_bytes(sum, f->pay[i].iov_base, n);
		left -= n;
	}
	if (sum != 0xffff)
		fail("wrong checksum");
}

static void take_apart(const struct frame *f, struct pieces *p)
{
	const uint8_t *ip = f->hdr + ETH_HLEN_;
	size_t total;

	*p = (struct pieces) { .f = f, .ip = ip };
	if (get_be16(f->hdr + 12) == ETH_P_IP_) {
		p->fam = FAM4;
		p->ip_hlen = 20;
		total = get_be16(ip + 2);
		p->proto = ip[9];
		p->src = addr_get(FAM4, ip + 12);
		p->dst = addr_get(FAM4, ip + 16);
		if (sum_bytes(0, ip, 20) != 0xffff)
			fail("wrong checksum of the IP header");
	} else {
		p->fam = FAM6;
		p->ip_hlen = 40;
		total = get_be16(ip + 4) + 40u;
		p->proto = ip[6];
		p->src = addr_get(FAM6, ip + 8);
		p->dst = addr_get(FAM6, ip + 24);
	}
	p->l4 = ip + p->ip_hlen;
	p->l4_hdr = f->hdr_len - ETH_HLEN_ - p->ip_hlen;
	p->l4_len = total - p->ip_hlen;
	p->pay_len = p->l4_len - p->l4_hdr;
	if (p->pay_len > f->pay_len ||
	    (p->pay_len != f->pay_len &&
	     ETH_HLEN_ + total >= FRAME_MIN))
		fail("length in the IP header: %zu, payload %zu", total,
		     f->pay_len);
}

static struct conn *conn_of(const struct pieces *p)
{
	uint16_t sport = get_be16(p->l4), dport = get_be16(p->l4 + 2);

	for (unsigned i = 0; i < world.conns; i++) {
		struct conn *c = &conns[i];

		if (conn_is_tap(c) && c->guest_port == dport &&
		    c->peer_port == sport && c->fam == p->fam) {
			if (!addr_eq(&c->peer, &p->src) ||
			    !addr_eq(&c->guest, &p->dst))
				fail("connection %u: wrong address", i);
			return c;
		}
	}
	fail("a segment from port %u to %u, of no connection", sport, dport);
}

static void take_options(const struct pieces *p, struct wseg *s)
{
	struct rd r = rd_init(p->l4 + 20, p->l4_hdr - 20);

	s->ws = -1;
	while (rd_more(&r)) {
		uint8_t kind = rd_u8(&r), len;
		struct rd v;

		if (kind == 1)
			continue;
		if (!kind)
			break;
		len = rd_u8(&r);
		v = rd_sub(&r, len - 2u);
		if (kind == 2)
			s->mss = rd_be16(&v);
		if (kind == 3)
			s->ws = (int8_t)rd_u8(&v);
	}
}

/* Numbers as counted from the first one of each direction. */
static void relative(struct conn *c, uint32_t seq, uint32_t ack,
		     struct wseg *s)
{
	uint64_t near_seq = guest_received(c) + 1;
	uint64_t near_ack = guest_sent_max(c);

	if (s->flags & TCP_FLAG_SYN) {
		if (c->irs_known && c->irs != seq)
			fail("connection %u: another initial number",
			     conn_idx(c));
		c->irs = seq;
		c->irs_known = true;
	}
	s->seq = near_seq + (uint64_t)(int64_t)
		 (int32_t)(seq - (c->irs + (uint32_t)near_seq));
	s->ack = near_ack + (uint64_t)(int64_t)
		 (int32_t)(ack - (guest_isn(c) + (uint32_t)near_ack));
	if (!(s->flags & TCP_FLAG_ACK))
		s->ack = 0;
}

static const struct tcp_conn *daemon_conn(const struct conn *c)
{
	const struct side key = {
		.ours = c->peer, .our_port = c->peer_port,
		.theirs = c->guest, .their_port = c->guest_port,
		.pif = PIF_TAP,
	};

	return (const struct tcp_conn *)flow_find(IPPROTO_TCP, &key, NULL);
}

/* What is acknowledged is in the kernel, or in the backlog. */
static void check_accepted(const struct conn *c, uint64_t ack)
{
	const struct stream *s = &c->stream[0];
	uint64_t bytes = ack ? ack - 1 : 0, have = kernel_taken(c, 1);
	const struct tcp_conn *d;

	if (s->fin_sent && ack == s->sent + 2)
		bytes--;
	if (bytes > s->sent)
		fail("connection %u: ACK of a FIN that was not sent",
		     conn_idx(c));
	if (bytes <= have)
		return;
	d = daemon_conn(c);
	/* Written to a stream, it leaves later: the connection may be cut by
	 * then, and what it held with it */
	if (!d && world.stream && c->cause)
		return;
	have += d ? d->to_host.backlog.bytes : 0;
	if (bytes > have)
		fail("connection %u: %llu bytes are acknowledged, %llu are "
		     "accepted", conn_idx(c), (unsigned long long)bytes,
		     (unsigned long long)have);
}

static void check_ack(struct conn *c, const struct wseg *s)
{
	uint64_t edge;
	bool scaled = guest_scales(c) && !(s->flags & TCP_FLAG_SYN);
	unsigned scale = scaled ? (unsigned)MAX(c->daemon_ws, 0) : 0;

	if (s->ack > guest_sent_max(c))
		fail("connection %u: ACK of %llu, which was not sent",
		     conn_idx(c), (unsigned long long)s->ack);
	if (s->ack < c->max_ack)
		fail("connection %u: acknowledgement moves back from %llu to "
		     "%llu", conn_idx(c), (unsigned long long)c->max_ack,
		     (unsigned long long)s->ack);
	if (s->ack > c->max_ack) {
		check_accepted(c, s->ack);
		world.progress++;
	}
	c->max_ack = s->ack;

	edge = s->ack + ((uint64_t)s->win << scale);
	if (c->edge_known && edge + (1u << scale) <= c->max_edge)
		fail("connection %u: window's right edge moves back from %llu "
		     "to %llu", conn_idx(c), (unsigned long long)c->max_edge,
		     (unsigned long long)edge);
	c->max_edge = c->edge_known ? MAX(c->max_edge, edge) : edge;
	c->edge_known = true;
}

static void check_payload(const struct conn *c, const struct wseg *s,
			  const struct pieces *p)
{
	const struct stream *st = &c->stream[1];
	uint64_t pos = s->seq - 1;
	size_t left = p->pay_len;

	if (!left)
		return;
	if (!s->seq || pos + left > st->sent)
		fail("connection %u: bytes to %llu, but only %llu were sent",
		     conn_idx(c), (unsigned long long)(pos + left),
		     (unsigned long long)st->sent);
	for (unsigned i = 0; left; i++) {
		size_t n = MIN(left, p->f->pay[i].iov_len);

		if (memcmp(p->f->pay[i].iov_base, pattern(st->id, pos), n))
			fail("connection %u: wrong bytes for the guest, from "
			     "%llu on", conn_idx(c), (unsigned long long)pos);
		pos += n;
		left -= n;
		counters->bytes += n;
	}
	if (s->seq + s->len > guest_edge(c) && !guest_shrinks(c) &&
	    !(s->len == 1 && s->seq == guest_edge(c)))
		fail("connection %u: data to %llu, beyond the guest's window "
		     "to %llu", conn_idx(c),
		     (unsigned long long)(s->seq + s->len),
		     (unsigned long long)guest_edge(c));
}

static void check_flags(const struct conn *c, const struct wseg *s)
{
	const struct stream *st = &c->stream[1];
	unsigned syn_fin_rst = (unsigned)__builtin_popcount(s->flags &
			       (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST));

	if (syn_fin_rst > 1)
		fail("connection %u: flags %#x", conn_idx(c), s->flags);
	if (s->flags & TCP_FLAG_FIN &&
	    (!st->fin_sent || s->seq + s->len != st->sent + 1))
		fail("connection %u: FIN at %llu, of %llu bytes", conn_idx(c),
		     (unsigned long long)(s->seq + s->len),
		     (unsigned long long)(st->sent + 1));
	if (s->flags & TCP_FLAG_RST && !c->cause && !c->closed_well)
		fail("connection %u: reset without a cause", conn_idx(c));
}

static void check_size(const struct conn *c, const struct frame *f,
		       const struct wseg *s, const struct pieces *p)
{
	size_t mtu = conf.mtu ? conf.mtu : 1500;
	size_t one = f->gso_size ? f->gso_size : s->len;

	if (one + p->ip_hlen + p->l4_hdr > mtu)
		fail("connection %u: a segment of %zu bytes at MTU %zu",
		     conn_idx(c), one, mtu);
}

/* As the kernel of the guest cuts it. */
static void cut(struct conn *c, const struct wseg *whole, size_t unit)
{
	struct wseg s = *whole;
	uint64_t left = s.len;

	do {
		s.len = (uint32_t)MIN(left, unit);
		left -= s.len;
		s.flags = whole->flags;
		if (left)
			s.flags &= (uint8_t)~(TCP_FLAG_FIN | TCP_FLAG_PSH);
		send_over(c, &s, true, arrive_at_guest);
		s.seq += s.len;
	} while (left);
}

static void commit_tcp(const struct frame *f, const struct pieces *p)
{
	struct conn *c = conn_of(p);
	struct wseg s = {
		.conn = (uint8_t)conn_idx(c),
		.flags = p->l4[13], .win = get_be16(p->l4 + 14),
		.len = (uint32_t)p->pay_len,
		.raw_ack = get_be32(p->l4 + 8),
	};

	check_csum(p, 16);
	take_options(p, &s);
	relative(c, get_be32(p->l4 + 4), s.raw_ack, &s);
	check_flags(c, &s);
	if (s.flags & TCP_FLAG_RST) {
		send_over(c, &s, true, arrive_at_guest);
		return;
	}
	if (s.flags & TCP_FLAG_SYN)
		/* NOLINTNEXTLINE(bugprone-signed-char-misuse): -1 is meant */
		c->daemon_ws = s.ws;
	if (!c->irs_known)
		fail("connection %u: no SYN yet", conn_idx(c));
	if (s.flags & TCP_FLAG_ACK)
		check_ack(c, &s);
	check_payload(c, &s, p);
	check_size(c, f, &s, p);
	sent_end[conn_idx(c)] = MAX(sent_end[conn_idx(c)], s.seq + s.len +
				    !!(s.flags & TCP_FLAG_FIN) +
				    !!(s.flags & TCP_FLAG_SYN));
	cut(c, &s, f->gso != GSO_NONE ? f->gso_size : MAX(s.len, 1));
}

static void deliver(const struct pieces *p, const uint8_t *data, size_t len)
{
	counters->frames_out++;
	if (fault(world.faults.loss))
		counters->lost++;
	else
		datagram_to_guest(&p->src, get_be16(p->l4),
				  get_be16(p->l4 + 2), data, len);
}

static size_t linear(const struct pieces *p, uint8_t *out)
{
	const struct frame *f = p->f;
	size_t left = p->pay_len;

	for (unsigned i = 0; left; i++) {
		size_t n = MIN(left, f->pay[i].iov_len);

		memcpy(out, f->pay[i].iov_base, n);
		out += n;
		left -= n;
	}
	return p->pay_len;
}

static void commit_udp(const struct frame *f, const struct pieces *p)
{
	static uint8_t buf[PATTERN_MAX];
	size_t len = linear(p, buf), at = 0;
	size_t unit = f->gso == GSO_UDP ? f->gso_size : MAX(len, 1u);

	check_csum(p, 6);
	if (f->gso == GSO_NONE && get_be16(p->l4 + 4) != p->l4_len)
		fail("length of a datagram: %u, of %zu",
		     get_be16(p->l4 + 4), p->l4_len);
	do {
		deliver(p, buf + at, MIN(unit, len - at));
		at += unit;
	} while (at < len);
}

/* The pieces of a datagram leave one behind the other. */
static void commit_fragment(struct pieces *p, unsigned off, bool more)
{
	static uint8_t buf[PATTERN_MAX + 8];
	static size_t have;
	size_t mtu = conf.mtu ? conf.mtu : 1500;

	if (p->ip_hlen + p->l4_len > mtu)
		fail("a fragment of %zu bytes", p->ip_hlen + p->l4_len);
	have = off ? have : 0;
	if (off != have)
		return;			/* one was refused */
	have += linear(p, buf + off);
	if (more)
		return;
	p->l4 = buf;
	if (get_be16(buf + 4) != have)
		fail("a datagram of %zu bytes says %u", have,
		     get_be16(buf + 4));
	p->l4_len = have;
	if (sum_bytes(pseudo_sum(p), buf, have) != 0xffff)
		fail("wrong checksum of a datagram in fragments");
	deliver(p, buf + 8, have - 8);
}

static bool is_fragment(struct pieces *p, unsigned *off, bool *more)
{
	unsigned field = get_be16(p->ip + 6);

	if (p->fam == FAM4) {
		*off = (field & 0x1fff) * 8;
		*more = field & 0x2000;
		return *off || *more;
	}
	if (p->proto != 44)
		return false;
	field = get_be16(p->l4 + 2);
	*off = field & 0xfff8;
	*more = field & 1;
	p->proto = p->l4[0];
	return true;
}

/* Of the errors there are, the guest looks at those of its connections. */
static void commit_icmp(const struct pieces *p)
{
	const uint8_t *msg = p->f->pay[0].iov_base;
	const uint8_t *l4 = msg + 8 + (p->fam == FAM4 ? 20 : 40);
	uint16_t port;

	if (p->pay_len < 8u + p->ip_hlen + 8)
		return;
	port = get_be16(l4);
	for (unsigned i = 0; i < world.conns; i++)
		if (conns[i].kind == GUEST_OPENS && conns[i].guest_port == port)
			guest_unreachable(&conns[i]);
}

static void commit_one(const struct frame *f)
{
	struct pieces p;
	uint16_t type = get_be16(f->hdr + 12);
	unsigned off;
	bool more;

	if (type != ETH_P_IP_ && type != ETH_P_IPV6_)
		return;
	world.progress++;
	take_apart(f, &p);
	if (is_fragment(&p, &off, &more))
		commit_fragment(&p, off, more);
	else if (p.proto == IPPROTO_UDP)
		commit_udp(f, &p);
	else if (p.proto == IPPROTO_TCP)
		commit_tcp(f, &p);
	else if (p.proto == IPPROTO_ICMP || p.proto == IPPROTO_ICMPV6)
		commit_icmp(&p);
}

/* --- the back-end --- */

static void stall_ends(unsigned a, unsigned b)
{
	(void)a;
	(void)b;
	T("link: takes frames again");
	stalled = false;
	kernel_link_writable(true);
}

static void stall_begins(void)
{
	static const uint64_t lengths[] = {
		100 * US, MS, 10 * MS, 300 * MS, 3 * SECOND,
	};
	uint64_t length = PICK(lengths);

	T("link: takes no more frames");
	world.fault_concerns_all = true;
	stalled = true;
	kernel_link_writable(false);
	at(world.now + length, stall_ends, 0, 0);
	next_stall = world.now + 10 * length;
}

/* Whether it takes something now. */
static bool link_takes(void)
{
	if (!stalled && world.now >= next_stall && fault(world.faults.stall))
		stall_begins();
	counters->refused += stalled;
	return !stalled;
}

static unsigned mem_reserve(struct frame *f, unsigned want, size_t hdr_len,
			    size_t room)
{
	if (!link_takes()) {
		if (!blocked)
			loop_mod(kernel_link_fd(), EPOLLIN | EPOLLOUT,
				 link_ev);
		blocked = true;
		return 0;
	}
	want = MIN(want, FRAMES_MAX);
	if (want > 1 && fault(world.faults.stingy))
		want = rnd_between(1, want);
	for (unsigned i = 0; i < want; i++) {
		uint8_t *p = arena[i];
		size_t first = room > LINK_ONE_PIECE ? LINK_ONE_PIECE : room;

		f[i] = (struct frame) {
			.hdr = p, .hdr_len = hdr_len,
			.pay = { { p + hdr_len, first },
				 { p + hdr_len + first, room - first } },
			.pay_cnt = room > first ? 2 : 1,
		};
	}
	return want;
}

static void mem_commit(struct frame *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		commit_one(&f[i]);
}

static void mem_flush(void)
{
}

/* --- from the guest --- */

static void arrive_at_daemon(unsigned slot, unsigned unused)
{
	(void)unused;
	if (queue_cnt == SEGS_MAX)
		fail("the guest's queue is full");
	queue[(queue_first + queue_cnt++) % SEGS_MAX] = (uint16_t)slot;
	kernel_link_readable(true);
}

void wire_from_guest(const struct wseg *s)
{
	send_over(&conns[s->conn], s, false, arrive_at_daemon);
}

void wire_datagram_from_guest(const struct datagram *d)
{
	struct wseg s = { .datagram = (uint16_t)(datagram_keep(d) + 1) };

	if (fault(world.faults.loss))
		counters->lost++;
	else
		travel(&s, false, arrive_at_daemon);
}

static size_t put_ip(uint8_t *ip, enum fam fam, uint8_t proto,
		     const struct addr *src, const struct addr *dst,
		     size_t l4_len)
{
	memset(ip, 0, 40);
	if (fam == FAM4) {
		ip[0] = 0x45;
		put_be16(ip + 2, (uint16_t)(20 + l4_len));
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = proto;
		addr_put(src, ip + 12);
		addr_put(dst, ip + 16);
		return 20;
	}
	ip[0] = 0x60;
	put_be16(ip + 4, (uint16_t)l4_len);
	ip[6] = proto;
	ip[7] = 64;
	addr_put(src, ip + 8);
	addr_put(dst, ip + 24);
	return 40;
}

static size_t put_options(uint8_t *p, const struct wseg *s)
{
	struct wr w = wr_init(p, 8);

	if (!(s->flags & TCP_FLAG_SYN))
		return 0;
	if (s->mss) {
		wr_u8(&w, 2);
		wr_u8(&w, 4);
		wr_be16(&w, s->mss);
	}
	if (s->ws >= 0) {
		wr_u8(&w, 1);
		wr_u8(&w, 3);
		wr_u8(&w, 3);
		wr_u8(&w, (uint8_t)s->ws);
	}
	return 8 - w.left;
}

static void put_eth(uint8_t *h, enum fam fam)
{
	static const struct mac guest = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

	memcpy(h, conf.our_mac.b, 6);
	memcpy(h + 6, guest.b, 6);
	put_be16(h + 12, fam == FAM4 ? ETH_P_IP_ : ETH_P_IPV6_);
}

static size_t put_datagram(uint8_t *h, const struct datagram *d)
{
	size_t l4_len = 8 + d->len, hlen;
	uint8_t *l4;

	put_eth(h, d->fam);
	hlen = ETH_HLEN_ + put_ip(h + ETH_HLEN_, d->fam, IPPROTO_UDP, &d->from,
				  &d->to, l4_len);
	l4 = h + hlen;
	put_be16(l4, d->from_port);
	put_be16(l4 + 2, d->to_port);
	put_be16(l4 + 4, (uint16_t)l4_len);
	put_be16(l4 + 6, 0);
	return hlen + 8;
}

static size_t put_frame(uint8_t *h, const struct wseg *s)
{
	const struct conn *c = &conns[s->conn];
	uint8_t options[8];
	size_t opt_len = put_options(options, s), hlen;
	uint8_t *l4;

	put_eth(h, c->fam);
	hlen = ETH_HLEN_ + put_ip(h + ETH_HLEN_, c->fam, IPPROTO_TCP,
				  &c->guest, &c->peer, 20 + opt_len + s->len);
	l4 = h + hlen;
	put_be16(l4, c->guest_port);
	put_be16(l4 + 2, c->peer_port);
	put_be32(l4 + 4, guest_isn(c) + (uint32_t)s->seq);
	put_be32(l4 + 8, s->raw_ack ? s->raw_ack :
			 s->flags & TCP_FLAG_ACK ? c->irs + (uint32_t)s->ack :
						   0);
	l4[12] = (uint8_t)((20 + opt_len) / 4 << 4);
	l4[13] = s->flags;
	put_be16(l4 + 14, s->win);
	put_be32(l4 + 16, 0);
	memcpy(l4 + 20, options, opt_len);
	return hlen + 20 + opt_len;
}

/* The daemon hears of it now: progress of what flows to the guest. */
static void heard(const struct wseg *s)
{
	struct conn *c = &conns[s->conn];

	world.progress++;
	counters->frames_in++;
	if (s->datagram || !(s->flags & TCP_FLAG_ACK) ||
	    s->flags & TCP_FLAG_RST)
		return;
	if (s->ack > ack_heard[s->conn] || !s->win) {
		ack_heard[s->conn] = MAX(s->ack, ack_heard[s->conn]);
		c->lost_run[1] = 0;
	}
}

/* Headers and payload of a frame of the guest; the second piece need not last.
 * Returns the number of bytes in both. */
static size_t frame_pieces(const struct wseg *s, uint8_t *headers,
			   uint8_t *payload, struct iovec iov[2])
{
	static const uint8_t padding[FRAME_MIN];
	size_t len, more = 0;

	iov[1].iov_base = (void *)padding;
	if (s->datagram) {
		const struct datagram *d = datagram_at(s->datagram - 1u);

		len = put_datagram(headers, d);
		datagram_fill(d, payload);
		memset(payload + d->len, 0, FRAME_MIN);
		iov[1].iov_base = payload;
		more = d->len;
	} else {
		len = put_frame(headers, s);
		if (s->len)
			iov[1].iov_base = (void *)
				pattern(conns[s->conn].stream[0].id,
					s->seq - 1);
		more = s->len;
	}
	if (len + more < FRAME_MIN && (s->datagram || !more))
		more = FRAME_MIN - len;
	iov[0] = (struct iovec) { headers, len };
	iov[1].iov_len = more;
	return len + more;
}

static void input_one(unsigned nth, const struct wseg *s)
{
	static uint8_t headers[LINK_BATCH][128];
	static uint8_t payload[LINK_BATCH][PATTERN_MAX + FRAME_MIN];
	static struct iovec iov[LINK_BATCH][2];
	struct frame_meta meta = { .gso_size = s->gso };

	if (s->gso)
		meta.gso = conns[s->conn].fam == FAM4 ? GSO_TCP4 : GSO_TCP6;
	frame_pieces(s, headers[nth], payload[nth], iov[nth]);
	heard(s);
	link_input(iov[nth], 2, &meta);
}

/* The next one of the guest's frames: valid until another comes. */
static const struct wseg *queue_pop(void)
{
	static struct wseg s;
	unsigned slot = queue[queue_first];

	queue_first = (queue_first + 1) % SEGS_MAX;
	queue_cnt--;
	s = segs[slot];
	seg_drop(slot);
	return &s;
}

static void mem_input(struct ev ev, uint32_t events)
{
	unsigned n = rnd_between(1, LINK_BATCH);

	(void)ev;
	if (events & EPOLLOUT) {
		blocked = false;
		loop_mod(kernel_link_fd(), EPOLLIN, link_ev);
		link_writable();
	}
	n = MIN(n, queue_cnt);
	for (unsigned i = 0; i < n; i++)
		input_one(i, queue_pop());
	if (!queue_cnt)
		kernel_link_readable(false);
	link_input_done();
}

/* --- the same, as a stream: link/stream.c is the back-end --- */

static uint8_t to_guest[PATTERN_MAX + 8], from_guest[2 * PATTERN_MAX];
static size_t to_guest_len, from_guest_len;

static size_t headers_len(const uint8_t *frame)
{
	const uint8_t *ip = frame + ETH_HLEN_;
	bool v4 = get_be16(frame + 12) == ETH_P_IP_;
	size_t hlen = ETH_HLEN_ + (v4 ? 20 : 40);
	uint8_t proto = v4 ? ip[9] : ip[6];

	if (v4 && get_be16(ip + 6) & 0x3fff)
		return hlen;
	if (proto == IPPROTO_TCP)
		return hlen + (frame[hlen + 12] >> 4) * 4u;
	return hlen + (proto == IPPROTO_UDP || proto == 44 ? 8 : 0);
}

static void stream_frame(uint8_t *frame, size_t len)
{
	struct frame f = { .hdr = frame, .hdr_len = headers_len(frame) };

	if (len < FRAME_MIN || len > ETH_FRAME_MAX)
		fail("a frame of %zu bytes", len);
	f.pay_len = len - f.hdr_len;
	f.pay[0] = (struct iovec) { frame + f.hdr_len, f.pay_len };
	f.pay_cnt = 1;
	commit_one(&f);
}

static void stream_bytes(const uint8_t *p, size_t len)
{
	while (len) {
		size_t whole = to_guest_len < 4 ? 4 : 4 + get_be32(to_guest);
		size_t n = MIN(len, whole - to_guest_len);

		if (whole > sizeof(to_guest))
			fail("a frame of %zu bytes", whole);
		memcpy(to_guest + to_guest_len, p, n);
		to_guest_len += n;
		p += n;
		len -= n;
		if (to_guest_len < 4 || to_guest_len < 4 + get_be32(to_guest))
			continue;
		stream_frame(to_guest + 4, to_guest_len - 4);
		to_guest_len = 0;
	}
}

ssize_t wire_stream_write(const struct iovec *iov, size_t cnt)
{
	size_t len = iov_len(iov, (unsigned)cnt), left;

	if (!link_takes()) {
		errno = EAGAIN;
		return -1;
	}
	if (len > 1 && fault(world.faults.shorts))
		len = rnd_between(1, (uint32_t)len);
	left = len;
	for (size_t i = 0; left; i++) {
		size_t n = MIN(left, iov[i].iov_len);

		stream_bytes(iov[i].iov_base, n);
		left -= n;
	}
	return (ssize_t)len;
}

static void stream_fill(void)
{
	static uint8_t headers[128], payload[PATTERN_MAX + FRAME_MIN];
	const struct wseg *s = queue_pop();
	struct iovec iov[2];
	uint8_t *out = from_guest + from_guest_len;
	size_t len = frame_pieces(s, headers, payload, iov);

	heard(s);
	put_be32(out, (uint32_t)len);
	memcpy(out + 4, headers, iov[0].iov_len);
	memcpy(out + 4 + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	from_guest_len += 4 + len;
}

ssize_t wire_stream_read(uint8_t *out, size_t len)
{
	while (queue_cnt && from_guest_len < PATTERN_MAX - 8)
		stream_fill();
	len = MIN(len, from_guest_len);
	if (!len) {
		errno = EAGAIN;
		return -1;
	}
	if (fault(world.faults.shorts))
		len = rnd_between(1, (uint32_t)len);
	memcpy(out, from_guest, len);
	from_guest_len -= len;
	memmove(from_guest, from_guest + len, from_guest_len);
	kernel_link_readable(queue_cnt || from_guest_len);
	return (ssize_t)len;
}

void wire_start(const struct link_caps *caps, const struct link_hooks *hooks)
{
	static const struct link_ops ops = {
		.reserve = mem_reserve, .commit = mem_commit,
		.flush = mem_flush, .input = mem_input,
	};

	if (world.stream) {
		stream_attach(-1, kernel_link_fd(), false, hooks);
		return;
	}
	link_init(&ops, caps, hooks);
	loop_add(kernel_link_fd(), EPOLLIN, link_ev);
	link_set_up(true);
}
