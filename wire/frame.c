/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - Ethernet frames: parse what the guest sent, build what it gets
 *
 * The customs house. Whatever a packet says about its own lengths is compared
 * with what arrived, once, here; code behind it trusts struct packet. The other
 * half writes headers from templates: all that depends on the address family
 * is a row of ip_layout[] or an offset in the template.
 *
 * Owns only scratch memory for headers that arrived in pieces. Never looks at
 * configuration, never sends, never verifies a checksum: the link is memory,
 * and with offloads the field holds no checksum at all.
 *
 * RFC 791, RFC 8200 (4: extension headers), RFC 6946 (atomic fragments),
 * RFC 5095 (routing headers), RFC 9293 3.1, RFC 768, RFC 1071.
 *
 *	+-----+----------------------------+-----------------+---------+-----+
 *	| eth | IP, options or extensions  | TCP, UDP, ICMP  | payload | pad |
 *	+-----+----------------------------+-----------------+---------+-----+
 *	       '---------- l3 ------------' '------ l4 -----'           cut
 */
#include "wire/frame.h"

#include <assert.h>
#include <string.h>

#include "log.h"
#include "util.h"
#include "wire/csum.h"

/* Headers beyond this are not looked at: no honest chain is that long. */
#define HDR_SCAN	512
/* As many packets as a batch of the link may hold at a time. */
#define SCRATCH_COUNT	64

#define IP4_HLEN	20
#define IP6_HLEN	40
#define TCP_HLEN	20
#define UDP_HLEN	8
#define ICMP_HLEN	8
#define ICMP_CSUM_OFF	2
#define IP4_MF		0x2000
#define IP4_DF		0x4000
#define IP4_OFF_MASK	0x1fff
#define IP6_FRAG_M	0x0001
#define IP6_FRAG_OFF	0xfff8
#define TTL_OURS	255

enum {			/* TCP options */
	OPT_END		= 0,
	OPT_NOP		= 1,
	OPT_MSS		= 2,
	OPT_WSCALE	= 3,
};
#define WSCALE_MAX	14

/* --- from the guest --- */

/* Linear headers for one packet. Split ones are copied; the copies of a whole
 * batch live at the same time. */
static struct rd frame_headers(const struct view *v)
{
	static uint8_t scratch[SCRATCH_COUNT][HDR_SCAN];
	static unsigned next;
	struct rd r = view_linear(v, scratch[next], HDR_SCAN);

	if (r.p == scratch[next])
		next = (next + 1) % SCRATCH_COUNT;
	return r;
}

/* The next @len bytes of both headers and packet are one header, which leaves
 * them. */
static bool take(struct rd *hdr, struct view *rest, size_t len, struct rd *out)
{
	*out = rd_sub(hdr, len);
	if (!rd_ok(out))
		return false;
	view_trim_front(rest, len);
	return true;
}

static bool address_usable(const struct packet *p)
{
	if (addr_is_loopback(&p->src) || addr_is_loopback(&p->dst))
		return drop(DROP_LOOPBACK);
	/* RFC 1122 3.2.1.3, RFC 4291 2.7: nobody sends as a group. */
	if (addr_is_multicast(&p->src) || addr_is_broadcast(&p->src))
		return drop(DROP_ADDRESS);
	return true;
}

/* RFC 4291 2.5.5.2: mapped addresses name IPv4 in an API, not on the wire. To
 * us they would be IPv4, so no later check would see them for what they are. */
static bool address_mapped(const struct packet *p)
{
	return addr_fam(&p->src) != FAM6 || addr_fam(&p->dst) != FAM6;
}

static bool parse_ip4(struct packet *p, struct rd *hdr, struct view *rest)
{
	struct rd look = *hdr;
	uint8_t vihl = rd_u8(&look);
	size_t hlen = (vihl & 0xfu) * 4u, total;
	uint8_t raw[8] = { 0 };
	uint16_t frag;

	p->tos = rd_u8(&look);
	total = rd_be16(&look);
	p->frag_id = rd_be16(&look);
	frag = rd_be16(&look);
	p->ttl = rd_u8(&look);
	p->proto = rd_u8(&look);
	rd_skip(&look, 2);
	rd_bytes(&look, raw, sizeof(raw));
	if (!rd_ok(&look))
		return drop(DROP_SHORT);
	if (vihl >> 4 != 4 || hlen < IP4_HLEN)
		return drop(DROP_IP_HEADER);
	if (total < hlen || total > rest->len)
		return drop(DROP_IP_LENGTH);

	view_truncate(rest, total);
	if (!take(hdr, rest, hlen, &p->l3))
		return drop(DROP_IP_HEADER);
	p->src = addr_get(FAM4, raw);
	p->dst = addr_get(FAM4, raw + 4);
	p->more_fragments = frag & IP4_MF;
	p->frag_off = (uint16_t)((frag & IP4_OFF_MASK) * 8);
	p->fragment = p->more_fragments || p->frag_off;
	return address_usable(p);
}

/* RFC 8200 4.4: segments left mean that the packet's final destination is not
 * the one in its header. We are no such router. */
static bool routing_done(const struct rd *ext)
{
	return ext->p[3] == 0;
}

static bool is_extension(uint8_t next)
{
	static const uint8_t skipped[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
		IPPROTO_MH, 139 /* HIP */, 140 /* Shim6 */,
		253, 254 /* RFC 3692 */,
	};

	for (size_t i = 0; i < sizeof(skipped); i++) {
		if (skipped[i] == next)
			return true;
	}
	return false;
}

/* One fragment header; true: look at the next one. RFC 6946: a fragment that is
 * the whole packet is a packet. */
static bool parse_ip6_fragment(struct packet *p, struct rd ext)
{
	uint16_t off_m;

	rd_skip(&ext, 2);
	off_m = rd_be16(&ext);
	p->more_fragments = off_m & IP6_FRAG_M;
	p->frag_off = (uint16_t)(off_m & IP6_FRAG_OFF);
	p->fragment = p->more_fragments || p->frag_off;
	p->frag_id = rd_be32(&ext);
	return !p->fragment;
}

/* Leaves @hdr and @rest behind the last extension header, which is the one
 * whose next-header field is in p->proto. */
static bool parse_ip6_chain(struct packet *p, struct rd *hdr, struct view *rest)
{
	for (;;) {
		uint8_t kind = p->proto;
		struct rd look = *hdr, ext;
		size_t len;

		if (kind == IPPROTO_NONE || kind == IPPROTO_ESP ||
		    kind == IPPROTO_AH)
			return drop(DROP_IP_EXTENSION);
		if (kind != IPPROTO_FRAGMENT && !is_extension(kind))
			return true;

		p->proto = rd_u8(&look);
		len = kind == IPPROTO_FRAGMENT ? 8 : (rd_u8(&look) + 1u) * 8u;
		if (!rd_ok(&look) || !take(hdr, rest, len, &ext))
			return drop(DROP_IP_EXTENSION);
		if (kind == IPPROTO_ROUTING && !routing_done(&ext))
			return drop(DROP_IP_EXTENSION);
		if (kind == IPPROTO_FRAGMENT && !parse_ip6_fragment(p, ext))
			return true;
	}
}

static bool parse_ip6(struct packet *p, struct rd *hdr, struct view *rest)
{
	const uint8_t *start = hdr->p;
	uint32_t first;
	size_t payload;
	uint8_t raw[32] = { 0 };
	struct rd fixed;

	if (rest->len < IP6_HLEN || !take(hdr, rest, IP6_HLEN, &fixed))
		return drop(DROP_SHORT);
	first = rd_be32(&fixed);
	payload = rd_be16(&fixed);
	p->proto = rd_u8(&fixed);
	p->ttl = rd_u8(&fixed);
	rd_bytes(&fixed, raw, sizeof(raw));
	if (first >> 28 != 6)
		return drop(DROP_IP_HEADER);
	if (payload > rest->len)
		return drop(DROP_IP_LENGTH);

	view_truncate(rest, payload);
	hdr->len = MIN(hdr->len, payload);
	p->tos = (uint8_t)(first >> 20);
	p->flow_label = first & 0xfffff;
	p->src = addr_get(FAM6, raw);
	p->dst = addr_get(FAM6, raw + 16);
	if (address_mapped(p))
		return drop(DROP_ADDRESS);
	if (!address_usable(p) || !parse_ip6_chain(p, hdr, rest))
		return false;
	p->l3 = rd_init(start, (size_t)(hdr->p - start));
	return true;
}

static bool parse_tcp(struct packet *p, struct rd *hdr, struct view *rest)
{
	struct rd look = *hdr;
	size_t hlen;

	p->sport = rd_be16(&look);
	p->dport = rd_be16(&look);
	rd_skip(&look, 8);
	hlen = (rd_u8(&look) >> 4) * 4u;
	if (!rd_ok(&look) || hlen < TCP_HLEN || hlen > rest->len ||
	    !take(hdr, rest, hlen, &p->l4))
		return drop(DROP_TCP_HEADER);
	return true;
}

static bool parse_udp(struct packet *p, struct rd *hdr, struct view *rest)
{
	struct rd look = *hdr;
	size_t len;

	p->sport = rd_be16(&look);
	p->dport = rd_be16(&look);
	len = rd_be16(&look);
	if (!rd_ok(&look) || len < UDP_HLEN || len > rest->len)
		return drop(DROP_UDP_HEADER);
	view_truncate(rest, len);
	if (!take(hdr, rest, UDP_HLEN, &p->l4))
		return drop(DROP_UDP_HEADER);
	return true;
}

static bool parse_icmp(struct packet *p, struct rd *hdr, struct view *rest)
{
	if (rest->len < ICMP_HLEN || !take(hdr, rest, ICMP_HLEN, &p->l4))
		return drop(DROP_SHORT);
	return true;
}

static const struct {
	uint8_t proto;
	bool (*parse)(struct packet *p, struct rd *hdr, struct view *rest);
} l4_parsers[] = {
	{ IPPROTO_TCP,		parse_tcp },
	{ IPPROTO_UDP,		parse_udp },
	{ IPPROTO_ICMP,		parse_icmp },
	{ IPPROTO_ICMPV6,	parse_icmp },
};

/* A protocol without a row has no l4, and payload starts there. */
static bool parse_l4(struct packet *p, struct rd *hdr, struct view *rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(l4_parsers); i++) {
		if (l4_parsers[i].proto == p->proto)
			return l4_parsers[i].parse(p, hdr, rest);
	}
	p->l4 = rd_init(hdr->p, 0);
	return true;
}

/* A super-frame is believed to be one where that can be: cutting payload into
 * pieces is harmless, whatever the guest said. */
static void parse_gso(struct packet *p, const struct frame_meta *meta)
{
	static const struct { uint16_t ethertype; uint8_t proto; } fits[] = {
		[GSO_TCP4]	= { ETH_P_IP_,		IPPROTO_TCP },
		[GSO_TCP6]	= { ETH_P_IPV6_,	IPPROTO_TCP },
		[GSO_UDP]	= { 0,			IPPROTO_UDP },
	};
	enum gso gso = meta ? meta->gso : GSO_NONE;

	if (gso == GSO_NONE || !meta->gso_size || fits[gso].proto != p->proto)
		return;
	if (fits[gso].ethertype && fits[gso].ethertype != p->ethertype)
		return;
	p->gso = gso;
	p->gso_size = meta->gso_size;
}

static bool parse_ip_packet(struct packet *p, struct rd *hdr,
			    struct view *rest, const struct frame_meta *meta)
{
	bool ok = p->ethertype == ETH_P_IP_ ? parse_ip4(p, hdr, rest) :
					      parse_ip6(p, hdr, rest);

	if (!ok)
		return false;
	/* What the cursor still has is never more than the packet. */
	hdr->len = MIN(hdr->len, rest->len);
	if (p->fragment) {
		p->proto = 0;
		p->payload = *rest;
		return true;
	}
	p->frag_id = 0;
	if (!parse_l4(p, hdr, rest))
		return false;
	p->payload = *rest;
	parse_gso(p, meta);
	return true;
}

bool frame_parse(struct packet *p, const struct iovec *iov, unsigned cnt,
		 const struct frame_meta *meta)
{
	struct view rest = { iov, 0, iov_len(iov, cnt) };
	struct rd hdr = frame_headers(&rest), eth;

	*p = (struct packet) { 0 };
	if (!take(&hdr, &rest, ETH_HLEN_, &eth))
		return drop(DROP_SHORT);
	rd_skip(&eth, sizeof(p->smac));
	rd_bytes(&eth, p->smac.b, sizeof(p->smac.b));
	p->ethertype = rd_be16(&eth);

	if (p->ethertype == ETH_P_ARP_) {
		p->l4 = hdr;
		view_trim_front(&rest, hdr.len);
		p->payload = rest;
		return true;
	}
	if (p->ethertype != ETH_P_IP_ && p->ethertype != ETH_P_IPV6_)
		return drop(DROP_ETHERTYPE);
	return parse_ip_packet(p, &hdr, &rest, meta);
}

static void parse_tcp_options(struct rd *opts, struct tcp_seg *seg)
{
	while (rd_more(opts)) {
		uint8_t kind = rd_u8(opts), len;
		struct rd val;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = rd_u8(opts);
		val = rd_sub(opts, len < 2 ? SIZE_MAX : len - 2u);
		if (kind == OPT_MSS && val.len == 2)
			seg->mss = rd_be16(&val);
		else if (kind == OPT_WSCALE && val.len == 1)
			seg->wscale = MIN(*val.p, WSCALE_MAX);
	}
}

void frame_tcp_seg(const struct packet *p, struct tcp_seg *seg)
{
	struct rd r = p->l4;

	*seg = (struct tcp_seg) { .wscale = -1 };
	rd_skip(&r, 4);
	seg->seq = rd_be32(&r);
	seg->ack = rd_be32(&r);
	rd_skip(&r, 1);
	seg->flags = rd_u8(&r);
	seg->window = rd_be16(&r);
	rd_skip(&r, 4);
	seg->len = (uint32_t)p->payload.len;
	if (seg->flags & TCP_FLAG_SYN)
		parse_tcp_options(&r, seg);
}

/* --- towards the guest --- */

static const struct ip_layout {
	uint16_t ethertype;
	uint8_t hlen;
	uint8_t len_off, len_bias;
	uint8_t ttl_off, proto_off;
	uint8_t src_off, dst_off;
	uint8_t tos_shift;
	uint8_t sum_len;
	enum gso tcp_gso;
} ip_layout[FAM_COUNT] = {
	[FAM4] = { ETH_P_IP_, IP4_HLEN, 2, IP4_HLEN, 8, 9, 12, 16, 0, IP4_HLEN,
		   GSO_TCP4 },
	[FAM6] = { ETH_P_IPV6_, IP6_HLEN, 4, 0, 7, 6, 8, 24, 4, 0, GSO_TCP6 },
};

#define IP4_SUM_OFF	10

static void put_mac(uint8_t *out, const struct mac *m)
{
	memcpy(out, m->b, sizeof(m->b));
}

static size_t l4_hlen(uint8_t proto)
{
	if (proto == IPPROTO_TCP)
		return TCP_HLEN;
	return proto == IPPROTO_UDP ? UDP_HLEN : 0;
}

/* The first words of the IP header, the only ones that are not a field both
 * families have somewhere. */
static void tmpl_first_words(struct frame_tmpl *t, uint8_t *ip, uint32_t label)
{
	if (t->fam == FAM4) {
		put_be16(ip, 0x4500);
		put_be16(ip + 6, IP4_DF);
		return;
	}
	put_be32(ip, UINT32_C(0x60000000) |
		     (t->proto == IPPROTO_TCP ? label & 0xfffff : 0));
}

void frame_tmpl_init(struct frame_tmpl *t, uint8_t proto,
		     const struct addr *src, uint16_t sport,
		     const struct addr *dst, uint16_t dport,
		     const struct mac *smac, const struct mac *dmac,
		     uint32_t label)
{
	enum fam fam = addr_fam(src);
	const struct ip_layout *l = &ip_layout[fam];
	uint8_t *ip = t->hdr + ETH_HLEN_;

	assert(fam == addr_fam(dst));
	*t = (struct frame_tmpl) {
		.hdr_len = (uint8_t)(ETH_HLEN_ + l->hlen + l4_hlen(proto)),
		.l4_off = (uint8_t)(ETH_HLEN_ + l->hlen),
		.iplen_off = (uint8_t)(ETH_HLEN_ + l->len_off),
		.iplen_bias = l->len_bias,
		.ttl_off = (uint8_t)(ETH_HLEN_ + l->ttl_off),
		.tos_shift = l->tos_shift,
		.ipsum_len = l->sum_len,
		.proto = proto,
		.fam = (uint8_t)fam,
	};
	put_mac(t->hdr, dmac);
	put_mac(t->hdr + 6, smac);
	put_be16(t->hdr + 12, l->ethertype);

	tmpl_first_words(t, ip, label);
	ip[l->ttl_off] = TTL_OURS;
	ip[l->proto_off] = proto;
	addr_put(src, ip + l->src_off);
	addr_put(dst, ip + l->dst_off);

	/* ICMP alone has no pseudo-header. */
	if (proto != IPPROTO_ICMP)
		t->pseudo = csum_pseudo(src, dst, proto, 0);
	if (l4_hlen(proto)) {
		put_be16(t->hdr + t->l4_off, sport);
		put_be16(t->hdr + t->l4_off + 2, dport);
	}
	if (proto == IPPROTO_TCP)
		t->hdr[t->l4_off + 12] = (TCP_HLEN / 4) << 4;
}

void frame_tmpl_dmac(struct frame_tmpl *t, const struct mac *dmac)
{
	put_mac(t->hdr, dmac);
}

void frame_tmpl_smac(struct frame_tmpl *t, const struct mac *smac)
{
	put_mac(t->hdr + 6, smac);
}

/* Everything up to the end of the IP header, but for its checksum. Returns the
 * length of what follows it. */
static size_t put_ip(struct frame *f, const struct frame_tmpl *t)
{
	size_t l4_len = f->hdr_len - t->l4_off + f->pay_len;

	memcpy(f->hdr, t->hdr, t->hdr_len);
	put_be16(f->hdr + t->iplen_off, (uint16_t)(t->iplen_bias + l4_len));
	f->gso = GSO_NONE;
	f->gso_size = 0;
	f->needs_csum = false;
	return l4_len;
}

static void put_ip_csum(struct frame *f, const struct frame_tmpl *t)
{
	uint8_t *ip = f->hdr + ETH_HLEN_;

	if (t->ipsum_len)
		put_be16(ip + IP4_SUM_OFF,
			 csum_fold(csum_add(0, ip, t->ipsum_len)));
}

/* RFC 768 and 9293 leave the field for the link: as virtio wants it, it holds
 * the sum of the pseudo-header, folded but not inverted. */
static void put_l4_csum(struct frame *f, const struct frame_tmpl *t,
			uint16_t csum_offset, size_t l4_len)
{
	uint32_t sum = t->pseudo + (uint32_t)l4_len;

	f->needs_csum = true;
	f->csum_start = t->l4_off;
	f->csum_offset = csum_offset;
	put_be16(f->hdr + t->l4_off + csum_offset, (uint16_t)~csum_fold(sum));
}

static void put_gso(struct frame *f, enum gso gso, uint16_t gso_size)
{
	if (!gso_size || f->pay_len <= gso_size)
		return;
	f->gso = gso;
	f->gso_size = gso_size;
}

void frame_put_tcp(struct frame *f, const struct frame_tmpl *t,
		   const struct tcp_fields *tcp, uint16_t gso_size)
{
	size_t l4_len = put_ip(f, t);
	uint8_t *th = f->hdr + t->l4_off;

	assert(f->hdr_len == (size_t)t->hdr_len + tcp->opts_len);
	put_ip_csum(f, t);
	put_be32(th + 4, tcp->seq);
	put_be32(th + 8, tcp->ack);
	th[12] = (uint8_t)((TCP_HLEN + tcp->opts_len) / 4 << 4);
	th[13] = tcp->flags;
	put_be16(th + 14, tcp->window);
	if (tcp->opts_len)
		memcpy(th + TCP_HLEN, tcp->opts, tcp->opts_len);
	put_l4_csum(f, t, 16, l4_len);
	put_gso(f, ip_layout[t->fam].tcp_gso, gso_size);
}

void frame_put_udp(struct frame *f, const struct frame_tmpl *t, uint8_t ttl,
		   uint8_t tos, uint16_t gso_size)
{
	size_t l4_len = put_ip(f, t);
	uint8_t *ip = f->hdr + ETH_HLEN_;

	if (ttl)
		f->hdr[t->ttl_off] = ttl;
	put_be16(ip, (uint16_t)(get_be16(ip) | tos << t->tos_shift));
	put_ip_csum(f, t);
	put_be16(f->hdr + t->l4_off + 4, (uint16_t)l4_len);
	put_l4_csum(f, t, 6, l4_len);
	put_gso(f, GSO_UDP, gso_size);
}

/* A 16-bit field of the payload, which may be in pieces. */
static void put_payload_be16(struct frame *f, size_t off, uint16_t value)
{
	uint8_t be[2];

	put_be16(be, value);
	for (unsigned i = 0, done = 0; i < f->pay_cnt && done < 2; i++) {
		uint8_t *p = f->pay[i].iov_base;
		size_t n = f->pay[i].iov_len;

		while (off < n && done < 2)
			p[off++] = be[done++];
		off -= MIN(off, n);
	}
}

void frame_put_icmp(struct frame *f, const struct frame_tmpl *t)
{
	size_t l4_len = put_ip(f, t);
	uint32_t sum = t->pseudo;

	put_ip_csum(f, t);
	if (t->proto != IPPROTO_ICMP)
		sum += (uint32_t)l4_len;
	sum = csum_iov(sum, f->pay, f->pay_cnt, 0, f->pay_len);
	put_payload_be16(f, ICMP_CSUM_OFF, csum_fold(sum));
}

#define IP6_FRAG_HLEN	8

size_t frame_fragment_hdr_len(const struct frame_tmpl *t)
{
	return t->l4_off + (t->fam == FAM6 ? (size_t)IP6_FRAG_HLEN : 0);
}

/* RFC 791 3.1: identification, flags and offset are in the header. */
static void put_fragment4(uint8_t *ip, const struct frame_fragment *frag)
{
	put_be16(ip + 4, (uint16_t)frag->id);
	put_be16(ip + 6, (uint16_t)(frag->off / 8 | (frag->more ? IP4_MF : 0)));
}

/* RFC 8200 4.5: they have a header of their own, behind the fixed one. */
static void put_fragment6(uint8_t *ip, uint8_t proto,
			  const struct frame_fragment *frag)
{
	uint8_t *ext = ip + IP6_HLEN;

	ip[ip_layout[FAM6].proto_off] = IPPROTO_FRAGMENT;
	ext[0] = proto;
	ext[1] = 0;
	put_be16(ext + 2, (uint16_t)(frag->off | (frag->more ? IP6_FRAG_M : 0)));
	put_be32(ext + 4, frag->id);
}

void frame_put_fragment(struct frame *f, const struct frame_tmpl *t,
			const struct frame_fragment *frag)
{
	uint8_t *ip = f->hdr + ETH_HLEN_;
	size_t rest = f->hdr_len - t->l4_off + f->pay_len;

	assert(f->hdr_len == frame_fragment_hdr_len(t));
	memcpy(f->hdr, t->hdr, t->l4_off);
	put_be16(f->hdr + t->iplen_off, (uint16_t)(t->iplen_bias + rest));
	if (t->fam == FAM4)
		put_fragment4(ip, frag);
	else
		put_fragment6(ip, t->proto, frag);
	put_ip_csum(f, t);
	f->gso = GSO_NONE;
	f->gso_size = 0;
	f->needs_csum = false;
}

void frame_put_payload(struct frame *f, const void *p, size_t len)
{
	const uint8_t *from = p;

	f->pay_len = len;
	for (unsigned i = 0; i < f->pay_cnt && len; i++) {
		size_t n = MIN(len, f->pay[i].iov_len);

		memcpy(f->pay[i].iov_base, from, n);
		from += n;
		len -= n;
	}
	assert(!len);
}

void frame_put_eth(struct frame *f, const struct mac *dst,
		   const struct mac *src, uint16_t ethertype)
{
	put_mac(f->hdr, dst);
	put_mac(f->hdr + 6, src);
	put_be16(f->hdr + 12, ethertype);
	f->gso = GSO_NONE;
	f->gso_size = 0;
	f->needs_csum = false;
}

void frame_csum_finish(struct frame *f)
{
	uint32_t sum;
	uint16_t csum;

	if (!f->needs_csum)
		return;
	/* Headers are an even number of bytes, so payload starts on a word. */
	sum = csum_add(0, f->hdr + f->csum_start, f->hdr_len - f->csum_start);
	sum = csum_iov(sum, f->pay, f->pay_cnt, 0, f->pay_len);
	csum = csum_fold(sum);
	/* RFC 768: zero means that there is none. To TCP both zeroes are the
	 * same number, RFC 1624 3. */
	put_be16(f->hdr + f->csum_start + f->csum_offset,
		 csum ? csum : 0xffff);
	f->needs_csum = false;
}
