/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - Ethernet frames: bytes from the guest become facts, facts become
 * bytes for the guest
 *
 * frame_parse() is the only place where guest bytes are judged; behind it
 * lengths are true. frame_put_*() fill headers from a template made once per
 * flow: per frame only length, sequence numbers, flags and checksum differ.
 * Neither knows which link the frame came from or goes to.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "buf.h"

#define ETH_HLEN_	14
#define ETH_P_IP_	0x0800
#define ETH_P_ARP_	0x0806
#define ETH_P_IPV6_	0x86dd
#define FRAME_MIN	60	/* shorter ones are padded with zeroes */

enum gso { GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP };

/* What came with a received frame outside of it (virtio_net_hdr). */
struct frame_meta {
	enum gso gso;
	uint16_t gso_size;
	/* As in struct frame. The guest's word, and nobody but a capture needs
	 * to take it. */
	bool needs_csum;
	uint16_t csum_start, csum_offset;
};

/* What is true of a packet once frame_parse() has said yes. Ports and numbers
 * are in host order. */
struct packet {
	struct addr src, dst;	/* ARP: unset */
	uint16_t sport, dport;	/* zero where the protocol has none */
	uint16_t ethertype;
	uint8_t proto;		/* IPPROTO_*; behind all IPv6 extensions */
	uint8_t ttl, tos;
	uint32_t flow_label;
	struct mac smac;
	struct rd l3;		/* IP header with options or extensions */
	struct rd l4;		/* TCP: header with options. UDP, ICMP: 8 bytes.
				 * ARP: the message. Always in one piece. */
	struct view payload;	/* behind l4; link memory, valid until the
				 * batch ends */
	enum gso gso;
	uint16_t gso_size;	/* TCP, UDP: payload is a train of these */
	/* Fragments only (proto, l4 and ports unset, payload is what follows
	 * the IP headers): */
	bool fragment, more_fragments;
	uint16_t frag_off;	/* bytes */
	uint32_t frag_id;
	bool reassembled;	/* it came in fragments, and may be cut again */
};

/* Fill @p from a frame of @cnt pieces (@iov must outlive @p; headers are taken
 * from the first piece, or copied to an internal buffer where they are split).
 * False: dropped and counted. Trailing padding is cut off for both families.
 * Fragments come back with p->fragment set, atomic ones (RFC 6946) as a whole.
 */
bool frame_parse(struct packet *p, const struct iovec *iov, unsigned cnt,
		 const struct frame_meta *meta);

/* TCP header fields and the options we know. */
struct tcp_seg {
	uint32_t seq, ack;
	uint16_t window;	/* unscaled */
	uint8_t flags;		/* TCP_FIN ... below */
	uint16_t mss;		/* 0: option absent */
	int wscale;		/* -1: option absent */
	uint32_t len;		/* payload bytes */
};

#define TCP_FLAG_FIN	0x01
#define TCP_FLAG_SYN	0x02
#define TCP_FLAG_RST	0x04
#define TCP_FLAG_PSH	0x08
#define TCP_FLAG_ACK	0x10

/* Options are parsed only when SYN is set. Malformed ones end the parsing, and
 * those before them count: RFC 9293 3.1 leaves no way to complain. A window
 * scale above 14 is reported as 14: RFC 7323 2.3. */
void frame_tcp_seg(const struct packet *p, struct tcp_seg *seg);

/* --- towards the guest --- */

#define FRAME_IOV	8
#define FRAME_HDR_MAX	128	/* Ethernet + IPv6 + TCP with options */

/* One frame being built, in memory the link owns: see link_reserve(). */
struct frame {
	uint8_t *hdr;		/* room for the headers asked for */
	size_t hdr_len;
	struct iovec pay[FRAME_IOV];	/* room for payload */
	unsigned pay_cnt;
	size_t pay_len;		/* payload bytes in use; the writer sets it */
	enum gso gso;
	uint16_t gso_size;
	/* The checksum field holds the pseudo-header's sum only; link or kernel
	 * completes it: sum from csum_start on goes to csum_start +
	 * csum_offset. Offsets count from the Ethernet header. */
	bool needs_csum;
	uint16_t csum_start, csum_offset;
	uint32_t owner;		/* the link's business */
};

struct frame_tmpl {
	uint8_t hdr[ETH_HLEN_ + 40 + 20];
	uint8_t hdr_len;	/* in use: Ethernet, IP and basic L4 header */
	uint8_t l4_off;
	uint8_t iplen_off;	/* where the IP length field is */
	uint8_t iplen_bias;	/* IP header bytes that field counts: 20, 0 */
	uint8_t ttl_off;	/* where TTL or hop limit is */
	uint8_t tos_shift;	/* of TOS or traffic class in the first word */
	uint8_t ipsum_len;	/* bytes under the IP header checksum: 20, 0 */
	uint8_t proto;
	uint8_t fam;		/* enum fam */
	uint32_t pseudo;	/* partial sum of pseudo-header, no length */
};

/* Egress conventions of the link: IPv4 TOS 0, ID 0, DF, TTL 255; IPv6 class 0,
 * hop limit 255. For TCP, @label is the IPv6 flow label (20 bits). L4 is TCP
 * (20 bytes), UDP (8), or for other protocols nothing: payload starts there.
 */
void frame_tmpl_init(struct frame_tmpl *t, uint8_t proto,
		     const struct addr *src, uint16_t sport,
		     const struct addr *dst, uint16_t dport,
		     const struct mac *smac, const struct mac *dmac,
		     uint32_t label);
void frame_tmpl_dmac(struct frame_tmpl *t, const struct mac *dmac);
void frame_tmpl_smac(struct frame_tmpl *t, const struct mac *smac);

struct tcp_fields {
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	const uint8_t *opts;	/* multiple of 4 bytes, up to 40 */
	uint8_t opts_len;
};

/* Fill f->hdr, gso and checksum fields; f->pay_len must be set. @gso_size 0:
 * one segment. f->hdr_len must be tmpl->hdr_len plus the options. */
void frame_put_tcp(struct frame *f, const struct frame_tmpl *t,
		   const struct tcp_fields *tcp, uint16_t gso_size);
/* @ttl 0: 255. */
void frame_put_udp(struct frame *f, const struct frame_tmpl *t, uint8_t ttl,
		   uint8_t tos, uint16_t gso_size);
/* ICMP, ICMPv6: the whole message is payload, checksum field (2 bytes in) zero
 * in it; it is computed here. */
void frame_put_icmp(struct frame *f, const struct frame_tmpl *t);
/* A piece of a datagram whose L4 checksum is complete: the piece is payload,
 * and f->hdr_len must be frame_fragment_hdr_len(). */
struct frame_fragment {
	uint32_t id;
	uint16_t off;		/* bytes into the datagram, multiple of 8 */
	bool more;
};
size_t frame_fragment_hdr_len(const struct frame_tmpl *t);
void frame_put_fragment(struct frame *f, const struct frame_tmpl *t,
			const struct frame_fragment *frag);
/* Copy into the frame's room for payload, which must be large enough. */
void frame_put_payload(struct frame *f, const void *p, size_t len);
/* An Ethernet header, nothing else: ARP. f->hdr_len is 14. */
void frame_put_eth(struct frame *f, const struct mac *dst,
		   const struct mac *src, uint16_t ethertype);

/* The frame in words, for --trace: addresses, ports, flags, lengths. Judges
 * nothing, says "cut short" where bytes are missing. Returns @buf. */
#define FRAME_STRLEN	256
const char *frame_str(const struct view *frame, char buf[FRAME_STRLEN]);

/* Complete the checksum in software: for links without offload, for captures.
 */
void frame_csum_finish(struct frame *f);

#endif
