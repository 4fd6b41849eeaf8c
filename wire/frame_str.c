/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame_str.c - a frame in words, one line for --trace
 *
 * Reads what the header fields say, whether or not it is true: frame.c is the
 * judge, and what it refuses is what one wants to see here. So nothing else may
 * use what is found; where bytes are missing, fields read as zero and the line
 * ends in "cut short". Of packets of a kind we do not carry, the number of the
 * protocol is told; of IPv6 extension headers too, but for fragments.
 *
 * Owns nothing, keeps nothing, says nothing itself.
 *
 * RFC 791, RFC 8200, RFC 826, RFC 9293 3.1; flags as tcpdump(8) writes them.
 */
#include "wire/frame.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "util.h"

#define IP4_HLEN	20
#define UDP_HLEN	8
#define IP4_MF		0x2000
#define IP4_OFF_MASK	0x1fff
#define IP6_FRAG_HLEN	8
#define IP6_FRAG_M	0x0001
#define IP6_FRAG_OFF	0xfff8

struct words {
	char *s;
	size_t len;
};

static void PRINTF(2, 3) say(struct words *w, const char *fmt, ...)
{
	size_t room = FRAME_STRLEN - w->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->s + w->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->len += MIN((size_t)n, room - 1);
}

/* As tcpdump(8) writes them. */
static const char *flags_str(uint8_t flags, char buf[9])
{
	static const char letters[] = "FSRP.UEW";
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++)
		if (flags & 1u << i)
			buf[n++] = letters[i];
	buf[n] = '\0';
	return n ? buf : "none";
}

static void say_tcp(struct words *w, struct rd *r, size_t len)
{
	uint32_t seq = rd_be32(r), ack = rd_be32(r);
	size_t hlen = (rd_u8(r) >> 4) * 4u;
	char buf[9];
	const char *flags = flags_str(rd_u8(r), buf);
	unsigned window = rd_be16(r);

	say(w, " %s seq %u ack %u win %u len %zu", flags, seq, ack, window,
	    len - MIN(len, hlen));
}

static void say_udp(struct words *w, struct rd *r, size_t len)
{
	(void)r;
	say(w, " len %zu", len - MIN(len, (size_t)UDP_HLEN));
}

static void say_icmp(struct words *w, struct rd *r, size_t len)
{
	unsigned type = rd_u8(r), code = rd_u8(r);

	say(w, " type %u code %u len %zu", type, code, len);
}

static const struct l4_words {
	const char *name;
	uint8_t proto;
	bool ports;
	void (*say)(struct words *w, struct rd *r, size_t len);
} l4_words[] = {
	{ "TCP",	IPPROTO_TCP,	true,	say_tcp },
	{ "UDP",	IPPROTO_UDP,	true,	say_udp },
	{ "ICMP",	IPPROTO_ICMP,	false,	say_icmp },
	{ "ICMPv6",	IPPROTO_ICMPV6,	false,	say_icmp },
};

static void say_l4(struct words *w, const struct packet *p, struct rd *r,
		   size_t len)
{
	char src[ADDR_PORT_STRLEN], dst[ADDR_PORT_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(l4_words); i++) {
		const struct l4_words *l = &l4_words[i];
		uint16_t sport, dport;

		if (l->proto != p->proto || p->fragment)
			continue;
		sport = l->ports ? rd_be16(r) : 0;
		dport = l->ports ? rd_be16(r) : 0;
		say(w, "%s %s -> %s", l->name,
		    l->ports ? addr_port_str(&p->src, sport, src) :
			       addr_str(&p->src, src),
		    l->ports ? addr_port_str(&p->dst, dport, dst) :
			       addr_str(&p->dst, dst));
		l->say(w, r, len);
		return;
	}
	say(w, "protocol %u %s -> %s len %zu", p->proto,
	    addr_str(&p->src, src), addr_str(&p->dst, dst), len);
	if (p->fragment)
		say(w, " fragment %u at %u%s", p->frag_id, p->frag_off,
		    p->more_fragments ? " and more" : "");
}

static void say_ip4(struct words *w, struct rd *r)
{
	size_t hlen = (rd_u8(r) & 0xfu) * 4u, total;
	struct packet p = { .tos = rd_u8(r) };
	uint8_t raw[8] = { 0 };
	uint16_t frag;

	total = rd_be16(r);
	p.frag_id = rd_be16(r);
	frag = rd_be16(r);
	p.frag_off = (uint16_t)((frag & IP4_OFF_MASK) * 8);
	p.more_fragments = frag & IP4_MF;
	p.fragment = p.more_fragments || p.frag_off;
	rd_skip(r, 1);
	p.proto = rd_u8(r);
	rd_skip(r, 2);
	rd_bytes(r, raw, sizeof(raw));
	p.src = addr_get(FAM4, raw);
	p.dst = addr_get(FAM4, raw + 4);
	rd_skip(r, MAX(hlen, (size_t)IP4_HLEN) - IP4_HLEN);
	say_l4(w, &p, r, total - MIN(total, hlen));
}

/* Extension headers are told by number, but for the one of fragments. */
static void say_ip6(struct words *w, struct rd *r)
{
	struct packet p = { 0 };
	uint8_t raw[32] = { 0 };
	size_t len;

	rd_skip(r, 4);
	len = rd_be16(r);
	p.proto = rd_u8(r);
	rd_skip(r, 1);
	rd_bytes(r, raw, sizeof(raw));
	p.src = addr_get(FAM6, raw);
	p.dst = addr_get(FAM6, raw + 16);
	if (p.proto == IPPROTO_FRAGMENT) {
		uint16_t off_m;

		p.proto = rd_u8(r);
		rd_skip(r, 1);
		off_m = rd_be16(r);
		p.frag_off = off_m & IP6_FRAG_OFF;
		p.more_fragments = off_m & IP6_FRAG_M;
		p.frag_id = rd_be32(r);
		p.fragment = true;
		len -= MIN(len, (size_t)IP6_FRAG_HLEN);
	}
	say_l4(w, &p, r, len);
}

static void say_arp(struct words *w, struct rd *r)
{
	char sender[ADDR_STRLEN], target[ADDR_STRLEN];
	uint8_t raw[24] = { 0 };
	struct addr s, t;
	unsigned op;

	rd_skip(r, 6);
	op = rd_be16(r);
	rd_bytes(r, raw, 20);
	s = addr_get(FAM4, raw + 6);
	t = addr_get(FAM4, raw + 16);
	say(w, "ARP operation %u, %s -> %s", op, addr_str(&s, sender),
	    addr_str(&t, target));
}

const char *frame_str(const struct view *frame, char buf[FRAME_STRLEN])
{
	uint8_t scratch[FRAME_HDR_MAX];
	struct rd r = view_linear(frame, scratch, sizeof(scratch));
	struct words w = { buf, 0 };
	uint16_t ethertype;

	rd_skip(&r, ETH_HLEN_ - sizeof(ethertype));
	ethertype = rd_be16(&r);
	if (ethertype == ETH_P_IP_)
		say_ip4(&w, &r);
	else if (ethertype == ETH_P_IPV6_)
		say_ip6(&w, &r);
	else if (ethertype == ETH_P_ARP_)
		say_arp(&w, &r);
	else
		say(&w, "type 0x%04x", ethertype);
	if (!rd_ok(&r))
		say(&w, ", cut short");
	return buf;
}
