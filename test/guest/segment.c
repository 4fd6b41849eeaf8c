/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.c - the guest's end of the wire: segments built, judged, kept
 *
 * Frames are made and read here without any help of wire/: an error there must
 * not cancel itself out. Whatever the diary says, every segment of the daemon
 * has to keep the promises in judge(): sound headers and checksums, an ACK on
 * all but the first SYN and resets, no ACK of what was not sent, a window whose
 * right edge never moves back, no data beyond the guest's window or maximum
 * segment, and exactly the bytes the host sent at that place.
 *
 * RFC 9293, 7323; 791, 8200.
 */
#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "buf.h"
#include "conf.h"
#include "wire/frame.h"

#define FRAME_LEN_MAX	65535
#define SLACK		(1u << 20)	/* of the buffers for the stream */

static const uint8_t guest_mac[6] = { 0x02, 0, 0, 0, 0, 0x15 };
static uint8_t out[8 * SLACK], in[8 * SLACK];
static uint32_t in_label;	/* IPv6 flow label of the frame at hand */
static size_t out_len, in_len;

uint8_t pattern_guest(size_t off)
{
	return (uint8_t)(off * 31 + (off >> 8) * 17 + (off >> 16) * 7 + 'g');
}

uint8_t pattern_host(size_t off)
{
	return (uint8_t)(off * 29 + (off >> 8) * 13 + (off >> 16) * 5 + 'h');
}

void bytes_grow(struct bytes *b, size_t len, uint8_t (*fill)(size_t))
{
	if (len > b->cap) {
		b->cap = MAX(len, b->cap * 2);
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			fail("out of memory");
	}
	for (; b->len < len; b->len++)
		b->p[b->len] = fill(b->len);
}

uint32_t seg_space(const struct seg *s)
{
	return s->len + !!(s->flags & TCP_FLAG_SYN) +
	       !!(s->flags & TCP_FLAG_FIN);
}

bool seg_pure_ack(const struct seg *s)
{
	return (s->flags & ~TCP_FLAG_PSH) == TCP_FLAG_ACK && !s->len;
}

void seg_free(struct seg *s)
{
	free(s->data);
	free(s);
}

const char *seg_str(const struct seg *s, char *buf, size_t len)
{
	char flags[8], opts[40] = "", *f = flags;

	for (unsigned i = 0; i < 6; i++)
		if (s->flags >> i & 1)
			*f++ = "FSRPAU"[i];
	*f = 0;
	if (s->mss >= 0)
		snprintf(opts, sizeof(opts), " mss %d", s->mss);
	if (s->ws >= 0)
		snprintf(opts + strlen(opts), sizeof(opts) - strlen(opts),
			 " ws %d", s->ws);
	snprintf(buf, len, "%s %" PRId32 ":%" PRId32 " ack %" PRId32 " win %u%s",
		 flags, (int32_t)s->seq, (int32_t)(s->seq + s->len),
		 s->flags & TCP_FLAG_ACK || s->ack ? (int32_t)s->ack : 0,
		 s->win, opts);
	return buf;
}

/* --- to the daemon --- */

static uint32_t sum16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get_be16(p + i);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Pseudo-header included, where there is one; zero when the field is right. */
static uint16_t l4_sum(uint8_t proto, const struct addr *a,
		       const struct addr *b, const uint8_t *p, size_t len)
{
	uint32_t sum = proto + (uint32_t)(len >> 16) + (len & 0xffff);
	unsigned n = addr_bits(addr_fam(a)) / 8;
	uint8_t raw[32];

	if (proto == IPPROTO_ICMP)
		return fold(sum16(p, len));
	addr_put(a, raw);
	addr_put(b, raw + n);
	sum += sum16(raw, 2 * n);
	/* 32 bits hold the sum of 64 KiB. */
	return fold(sum + sum16(p, len));
}

static size_t put_options(const struct seg *s, uint8_t *p)
{
	struct wr wr = wr_init(p, 40);

	if (s->mss >= 0) {
		wr_be16(&wr, 0x0204);
		wr_be16(&wr, (uint16_t)s->mss);
	}
	if (s->ws >= 0) {
		wr_be16(&wr, 0x0103);
		wr_be16(&wr, (uint16_t)(0x0300 | s->ws));
	}
	if (s->sack_ok)
		wr_be32(&wr, 0x01010402);
	if (s->timestamps) {
		wr_be32(&wr, 0x0101080a);
		wr_be64(&wr, 1);
	}
	wr_bytes(&wr, s->raw_opts, s->raw_opts_len);
	while ((40 - wr.left) % 4)
		wr_u8(&wr, 0);
	if (!wr_ok(&wr))
		fail("more than 40 bytes of options");
	return 40 - wr.left;
}

static size_t put_ip(const struct conn *c, uint8_t proto, uint8_t *p,
		     size_t l4_len)
{
	if (addr_fam(&c->here) == FAM4) {
		memset(p, 0, 20);
		p[0] = 0x45;
		put_be16(p + 2, (uint16_t)(20 + l4_len));
		p[8] = 64;
		p[9] = proto;
		addr_put(&c->here, p + 12);
		addr_put(&c->there, p + 16);
		put_be16(p + 10, fold(sum16(p, 20)));
		return 20;
	}
	put_be32(p, 6u << 28);
	put_be16(p + 4, (uint16_t)l4_len);
	p[6] = proto;
	p[7] = 64;
	addr_put(&c->here, p + 8);
	addr_put(&c->there, p + 24);
	return 40;
}

static size_t put_packet(const struct conn *c, uint8_t proto, const uint8_t *l4,
			 size_t len, uint8_t *p)
{
	size_t ip_len;

	memcpy(p, &MAC_OURS_DEFAULT, 6);
	memcpy(p + 6, guest_mac, 6);
	put_be16(p + 12, world.fam == FAM4 ? ETH_P_IP_ : ETH_P_IPV6_);
	ip_len = put_ip(c, proto, p + 14, len);
	memcpy(p + 14 + ip_len, l4, len);
	return 14 + ip_len + len;
}

static size_t put_frame(const struct conn *c, const struct seg *s, uint8_t *p)
{
	uint8_t tcp[FRAME_LEN_MAX] = { 0 };
	size_t hlen = 20 + put_options(s, tcp + 20);
	unsigned doff = s->doff >= 0 ? (unsigned)s->doff : (unsigned)hlen / 4;

	put_be16(tcp, c->here_port);
	put_be16(tcp + 2, c->there_port);
	put_be32(tcp + 4, s->seq + c->isn);
	put_be32(tcp + 8, s->flags & TCP_FLAG_ACK ? s->ack + c->peer_isn : 0);
	tcp[12] = (uint8_t)(doff << 4);
	tcp[13] = s->flags;
	put_be16(tcp + 14, s->win);
	put_be16(tcp + 18, s->urg);
	if (s->len)
		memcpy(tcp + hlen, s->data, s->len);
	put_be16(tcp + 16, l4_sum(IPPROTO_TCP, &c->here, &c->there, tcp,
				  hlen + s->len));
	return put_packet(c, IPPROTO_TCP, tcp, hlen + s->len, p);
}

/* The guest's stream: text where the diary gives it, else the pattern. What the
 * host has to receive is the first version of a byte.
 */
void wire_fill(struct conn *c, struct seg *s, const char *text)
{
	size_t at = (size_t)s->seq + (s->flags & TCP_FLAG_SYN ? 1 : 0) - 1;
	size_t known;

	s->data = malloc(s->len + 1);
	if (!s->data)
		fail("out of memory");
	if (!s->len)
		return;
	if ((int32_t)s->seq < 1) {	/* before the stream: a probe's byte */
		memset(s->data, 'x', s->len);
		return;
	}
	known = c->guest_sent.len;
	bytes_grow(&c->guest_sent, MAX(known, at + s->len), pattern_guest);
	memcpy(s->data, c->guest_sent.p + at, s->len);
	if (!text)
		return;
	if (unquote(text, s->data, s->len) != s->len)
		fail("text and range differ in length");
	if (at + s->len > known) {
		size_t old = known > at ? known - at : 0;

		memcpy(c->guest_sent.p + at + old, s->data + old,
		       s->len - old);
	}
}

/* What the guest has promised and used by sending this. */
static void guest_said(struct conn *c, const struct seg *s)
{
	uint32_t end = s->seq + seg_space(s);
	bool syn = s->flags & TCP_FLAG_SYN, first = !c->snd_max;

	c->win = s->win;
	if (seq_lt(c->snd_max, end))
		c->snd_max = end;
	c->snd_nxt = end;
	if (syn && first) {
		c->ws = MIN(s->ws, 14);	/* RFC 7323 2.3 */
		c->mss = s->mss >= 0 ? (unsigned)s->mss : 536;
	}
	if (!(s->flags & TCP_FLAG_ACK) || s->flags & TCP_FLAG_RST)
		return;
	if (seq_lt(c->max_ack, s->ack) && seq_le(s->ack, c->peer_max))
		c->max_ack = s->ack;
	uint32_t shift = syn || c->ws < 0 || c->peer_ws < 0 ? 0 :
			 (uint32_t)c->ws;
	uint32_t right = s->ack + ((uint32_t)s->win << shift);

	if (!c->win_known || seq_lt(c->right, right))
		c->right = right;
	c->win_known = true;
}

static uint8_t *queue_room(void)
{
	if (out_len + FRAME_LEN_MAX + 4 > sizeof(out))
		fail("more in one batch than fits");
	return out + out_len + 4;
}

static void queue_frame(size_t len)
{
	put_be32(out + out_len, (uint32_t)len);
	out_len += len + 4;
}

/* A sum of zero would say, in UDP, that there is none: RFC 768. */
void wire_queue_packet(const struct conn *c, uint8_t proto, uint8_t *l4,
		       size_t len, size_t sum_at)
{
	uint16_t sum;

	put_be16(l4 + sum_at, 0);
	sum = l4_sum(proto, &c->here, &c->there, l4, len);
	put_be16(l4 + sum_at, sum ? sum : 0xffff);
	queue_frame(put_packet(c, proto, l4, len, queue_room()));
}

void wire_queue(struct conn *c, struct seg *s)
{
	char text[200];

	queue_frame(put_frame(c, s, queue_room()));
	guest_said(c, s);
	note("%d > %s", c->here_port == 1 ? -1 : (int)(c - world.conn),
	     seg_str(s, text, sizeof(text)));
}

static void write_some(const uint8_t *p, size_t len)
{
	uint64_t until = real_ms() + REAL_MS;

	while (len) {
		ssize_t n = send(world.link_fd, p, len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			fail("link: %s", strerror(errno));
		if (n < 0 && real_ms() > until)
			fail("the daemon does not read from the link");
		if (n < 0) {
			pump(1);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
}

void wire_write(void)
{
	size_t done = 0, len = out_len;

	out_len = 0;
	while (world.split && len - done > world.split) {
		write_some(out + done, world.split);
		done += world.split;
		pump(0);
	}
	write_some(out + done, len - done);
}

/* --- from the daemon --- */

static void get_options(struct seg *s, struct rd opts)
{
	s->mss = s->ws = -1;
	while (rd_more(&opts)) {
		uint8_t kind = rd_u8(&opts);

		if (!kind)
			break;
		if (kind == 1)
			continue;

		uint8_t len = rd_u8(&opts);
		struct rd val = rd_sub(&opts, len < 2 ? SIZE_MAX : len - 2u);

		if (kind == 2)
			s->mss = rd_be16(&val);
		else if (kind == 3)
			s->ws = rd_u8(&val);
		else
			s->other_opts = true;
		if (!rd_ok(&val) || val.len)
			fail("malformed TCP option %u", kind);
	}
	if (!rd_ok(&opts))
		fail("malformed TCP options");
}

static void judge_ack(struct conn *c, const struct seg *s)
{
	unsigned shift = s->flags & TCP_FLAG_SYN || c->ws < 0 ||
			 c->peer_ws < 0 ? 0 : (unsigned)c->peer_ws;
	uint32_t right = s->ack + ((uint32_t)s->win << shift);

	if (seq_lt(c->snd_max, s->ack))
		fail("acknowledges %u, but the guest sent only up to %u",
		     s->ack, c->snd_max);
	if (s->flags & TCP_FLAG_RST)
		return;
	if (c->peer_win_known && seq_lt(s->ack, c->peer_ack))
		fail("acknowledgement goes back from %u to %u", c->peer_ack,
		     s->ack);
	/* By less than a unit of the scale it may seem to: RFC 7323 2.4 */
	if (c->peer_win_known &&
	    seq_lt(right + (1u << shift) - 1, c->peer_right))
		fail("right edge of the window goes back from %u to %u",
		     c->peer_right, right);
	c->peer_ack = s->ack;
	if (!c->peer_win_known || seq_lt(c->peer_right, right))
		c->peer_right = right;
	c->peer_win_known = true;
}

/* A probe of a closed window is the one thing that may lie beyond it: from the
 * first byte not acknowledged, at most one unit of the window's scale, and no
 * more than once a second. */
static bool is_probe(struct conn *c, const struct seg *s)
{
	uint32_t unit = 1u << (c->ws < 0 || c->peer_ws < 0 ? 0 : c->ws);

	if (c->win || s->seq != c->max_ack || s->len > unit)
		return false;
	if (c->probed_ms && now_ms() < c->probed_ms + 998)
		return false;
	c->probed_ms = now_ms();
	return true;
}

static void judge_data(struct conn *c, const struct seg *s)
{
	size_t off = s->seq - 1;

	if (s->len > c->mss)
		fail("%u bytes of payload, the guest's MSS is %u", s->len,
		     c->mss);
	if (!c->win_known)
		fail("data before the guest's window is known");
	if (seq_lt(c->right, s->seq + s->len) && !is_probe(c, s))
		fail("data up to %u, the guest's window ends at %u",
		     s->seq + s->len, c->right);
	if (off + s->len > c->sent.len)
		fail("data up to offset %zu, the host sent %zu bytes",
		     off + s->len, c->sent.len);
	for (size_t i = 0; i < s->len; i++)
		if (c->sent.p[off + i] != s->data[i])
			fail("wrong byte at offset %zu: %02x, not %02x",
			     off + i, s->data[i], c->sent.p[off + i]);
}

static void judge(struct conn *c, const struct seg *s)
{
	uint8_t kind = s->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST);
	bool ack = s->flags & TCP_FLAG_ACK;

	if (kind & (kind - 1))
		fail("SYN, FIN and RST do not go together");
	if (s->flags & (URG | 0xc0))
		fail("flags %02x", s->flags);
	if (!ack && !(kind & ~TCP_FLAG_FIN))
		fail("no ACK flag");
	if (!(kind & TCP_FLAG_SYN) && (s->mss >= 0 || s->ws >= 0))
		fail("SYN's options without SYN");
	if (s->other_opts)
		fail("an option that was never agreed");
	if (kind & TCP_FLAG_SYN && s->ws >= 0 && !c->inbound && c->ws < 0)
		fail("window scale, but the guest offered none");
	if (ack)
		judge_ack(c, s);
	if (s->len && kind & (TCP_FLAG_RST | TCP_FLAG_SYN))
		fail("payload where none belongs");
	if (s->len)
		judge_data(c, s);
	if (kind & TCP_FLAG_FIN &&
	    (!c->host_fin || s->seq + s->len - 1 != c->sent.len))
		fail("FIN at %u, host sent %zu bytes%s", s->seq, c->sent.len,
		     c->host_fin ? "" : " and did not close");
}

/* What diaries have statements about. */
static bool is_judged(uint8_t proto, const uint8_t *l4)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       (proto == IPPROTO_ICMP && *l4 == ICMP_ECHOREPLY) ||
	       (proto == IPPROTO_ICMPV6 && *l4 == ICMP6_ECHO_REPLY);
}

/* IPv4 and IPv6 headers as they must be; leaves what is behind them in @rd, and
 * returns its protocol, or zero. */
static uint8_t open_ip(struct rd *rd, struct addr *src, struct addr *dst)
{
	const uint8_t *p = rd->p;
	uint16_t type = get_be16(p + 12);
	uint8_t proto;

	if (rd->len < FRAME_MIN)
		fail("frame of %zu bytes", rd->len);
	if (type == ETH_P_IP_ && is_judged(p[14 + 9], p + 14 + 20)) {
		proto = p[14 + 9];
		p = rd_ptr(rd, 34) + 14;
		if (p[0] != 0x45 || p[1] || get_be16(p + 4) || p[8] != 255 ||
		    get_be16(p + 6) != 0x4000 || fold(sum16(p, 20)))
			fail("IPv4 header");
		*src = addr_get(FAM4, p + 12);
		*dst = addr_get(FAM4, p + 16);
		*rd = rd_sub(rd, get_be16(p + 2) - 20u);
	} else if (type == ETH_P_IPV6_ && is_judged(p[14 + 6], p + 14 + 40)) {
		proto = p[14 + 6];
		p = rd_ptr(rd, 54) + 14;
		if (get_be32(p) >> 20 != 0x600 || p[7] != 255)
			fail("IPv6 header");
		in_label = get_be32(p) & 0xfffff;
		*src = addr_get(FAM6, p + 8);
		*dst = addr_get(FAM6, p + 24);
		*rd = rd_sub(rd, get_be16(p + 4));
	} else {
		return 0;
	}
	if (!rd_ok(rd))
		fail("IP length beyond the frame");
	return proto;
}

static struct conn *find_conn(const struct addr *src, const struct addr *dst,
			      uint16_t sport, uint16_t dport)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &world.conn[i];

		if (c->used && addr_eq(src, &c->there) &&
		    addr_eq(dst, &c->here) && sport == c->there_port &&
		    dport == c->here_port)
			return c;
	}
	return NULL;
}

static void get_seg(struct seg *s, struct rd *rd)
{
	size_t all = rd->len;
	unsigned doff;

	rd_skip(rd, 4);
	s->seq = rd_be32(rd);
	s->ack = rd_be32(rd);
	doff = rd_u8(rd) >> 4;
	s->flags = rd_u8(rd);
	s->win = rd_be16(rd);
	rd_skip(rd, 2);
	s->urg = rd_be16(rd);
	if (doff < 5 || doff * 4 > all)
		fail("data offset %u", doff);
	get_options(s, rd_sub(rd, doff * 4 - 20));
	s->len = (uint32_t)rd->len;
	s->data = malloc(s->len + 1);
	if (!rd_ok(rd) || !s->data)
		fail("TCP header");
	rd_bytes(rd, s->data, s->len);
}

static void keep(struct conn *c, struct seg *s)
{
	char text[200];

	if (!c->peer_isn_known && !(s->flags & TCP_FLAG_RST)) {
		c->peer_isn = s->seq;
		c->peer_isn_known = true;
	}
	s->seq -= c->peer_isn;
	if (s->flags & TCP_FLAG_ACK)
		s->ack -= c->isn;
	if (s->flags & TCP_FLAG_SYN)
		c->label = in_label;
	else if (!(s->flags & TCP_FLAG_RST) && c->label != in_label)
		fail("flow label changes");
	s->at_ms = now_ms();
	note("%u < %s", (unsigned)(c - world.conn),
	     seg_str(s, text, sizeof(text)));
	if (s->flags & TCP_FLAG_SYN) {
		c->peer_ws = s->ws;
		c->peer_mss = s->mss >= 0 ? (unsigned)s->mss : 536;
	}
	judge(c, s);
	if (seq_lt(c->peer_max, s->seq + seg_space(s)) &&
	    !(s->flags & TCP_FLAG_RST))
		c->peer_max = s->seq + seg_space(s);
	*c->tail = s;
	c->tail = &s->next;
}

/* The first SYN of a connection from the host names the host's port. */
static struct conn *claim_inbound(const struct addr *src,
				  const struct addr *dst, uint16_t sport,
				  uint16_t dport)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &world.conn[i];

		if (!c->used || !c->inbound || c->there_port != sport)
			continue;
		c->there = *src;
		c->here = *dst;
		c->here_port = dport;
		return c;
	}
	return NULL;
}

/* Errors of ICMP and ICMPv6. NDP has larger types, echo replies are judged. */
static void icmp_in(const uint8_t *p, size_t len)
{
	bool v4 = get_be16(p + 12) == ETH_P_IP_ && p[14 + 9] == IPPROTO_ICMP;
	bool v6 = get_be16(p + 12) == ETH_P_IPV6_ &&
		  p[14 + 6] == IPPROTO_ICMPV6;
	const uint8_t *msg = p + 14 + (v4 ? 20 : 40);

	if (!(v4 || v6) || len < FRAME_MIN || msg[0] > 127)
		return;
	note("< ICMP type %u code %u", msg[0], msg[1]);
	world.icmp_type = msg[0];
	world.icmp_code = msg[1];
}

static void frame_in(const uint8_t *p, size_t len)
{
	struct rd rd = rd_init(p, len);
	struct addr src, dst;
	struct conn *c;
	struct seg *s;
	uint8_t proto;

	world.frames++;
	if (memcmp(p + 6, &MAC_OURS_DEFAULT, 6))
		fail("frame from a stranger's MAC address");
	proto = open_ip(&rd, &src, &dst);
	if (!proto) {
		icmp_in(p, len);
		return;		/* the guest does without ARP and NDP */
	}
	if (memcmp(p, guest_mac, 6) && p[0] != 0xff)
		fail("frame for a stranger's MAC address");
	if (l4_sum(proto, &src, &dst, rd.p, rd.len))
		fail("checksum of protocol %u", proto);
	if (proto != IPPROTO_TCP) {
		datagram_in(proto, &src, &dst, rd);
		return;
	}
	if (rd.len < 20)
		fail("TCP header of %zu bytes", rd.len);
	c = find_conn(&src, &dst, get_be16(rd.p), get_be16(rd.p + 2));
	if (!c)
		c = claim_inbound(&src, &dst, get_be16(rd.p),
				  get_be16(rd.p + 2));
	if (!c)
		fail("segment from port %u to %u, which the diary never used",
		     get_be16(rd.p), get_be16(rd.p + 2));
	s = calloc(1, sizeof(*s));
	if (!s)
		fail("out of memory");
	get_seg(s, &rd);
	keep(c, s);
}

void wire_drain(void)
{
	ssize_t n;

	while (!world.stalled && world.link_fd >= 0) {
		size_t at = 0, len;

		n = recv(world.link_fd, in + in_len, sizeof(in) - in_len,
			 MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			fail("link: %s", strerror(errno));
		if (n <= 0)
			return;
		in_len += (size_t)n;
		while (in_len - at >= 4) {
			len = get_be32(in + at);
			if (len < FRAME_MIN || len > FRAME_LEN_MAX)
				fail("frame of length %zu", len);
			if (in_len - at - 4 < len)
				break;
			frame_in(in + at + 4, len);
			at += len + 4;
		}
		memmove(in, in + at, in_len - at);
		in_len -= at;
	}
}

struct seg *wire_pop(struct conn *c)
{
	struct seg *s = c->inbox;

	if (!s)
		return NULL;
	c->inbox = s->next;
	if (!c->inbox)
		c->tail = &c->inbox;
	if (!(s->flags & TCP_FLAG_RST) && seq_le(s->seq, c->rcv_nxt) &&
	    seq_lt(c->rcv_nxt, s->seq + seg_space(s)))
		c->rcv_nxt = s->seq + seg_space(s);
	return s;
}

void wire_reset_conn(struct conn *c)
{
	struct seg *s;

	while ((s = wire_pop(c)))
		seg_free(s);
	c->peer_isn_known = c->win_known = c->peer_win_known = false;
	c->snd_nxt = c->snd_max = c->rcv_nxt = c->max_ack = 0;
	c->peer_ack = c->peer_right = c->peer_max = c->right = 0;
	c->peer_isn = 0;
	c->probed_ms = 0;
	c->win = 65535;
	c->ws = c->peer_ws = -1;
	c->mss = c->peer_mss = 536;
	c->host_fin = false;
	c->sent.len = c->guest_sent.len = 0;
	c->pending = c->received = 0;
}

/* A guest shows itself before its first connection. By something that nobody
 * answers: a reset of no connection, from its link-local address if it has one.
 */
void wire_open(void)
{
	struct conn hello = {
		.here = world.conn[0].here, .there = world.conn[0].there,
		.here_port = 1, .there_port = 1,
	};
	struct seg s = { .flags = TCP_FLAG_RST, .mss = -1, .ws = -1,
			 .doff = -1 };

	out_len = in_len = 0;
	if (world.fam == FAM6)
		addr_parse(&hello.here, "fe80::15");
	wire_queue(&hello, &s);
	wire_write();
	settle();
}
