/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packets.h - frames as a guest would send them, built by hand for tests
 *
 * Independent of wire/frame.c on purpose: what one builds the other judges.
 */
#ifndef PACKETS_H
#define PACKETS_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "buf.h"

struct raw {
	uint8_t b[66000];
	size_t len;
};

static const struct mac raw_smac = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

static inline void raw_add(struct raw *r, const void *p, size_t n)
{
	memcpy(r->b + r->len, p, n);
	r->len += n;
}

static inline void raw_zero(struct raw *r, size_t n)
{
	memset(r->b + r->len, 0, n);
	r->len += n;
}

static inline void raw_be16(struct raw *r, unsigned v)
{
	put_be16(r->b + r->len, (uint16_t)v);
	r->len += 2;
}

static inline void raw_be32(struct raw *r, uint32_t v)
{
	put_be32(r->b + r->len, v);
	r->len += 4;
}

static inline void raw_eth(struct raw *r, unsigned ethertype)
{
	static const uint8_t dst[6] = { 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55 };

	r->len = 0;
	raw_add(r, dst, 6);
	raw_add(r, raw_smac.b, 6);
	raw_be16(r, ethertype);
}

static inline const char *raw_src(enum fam fam)
{
	return fam == FAM4 ? "192.0.2.10" : "2001:db8::10";
}

static inline const char *raw_dst(enum fam fam)
{
	return fam == FAM4 ? "198.51.100.7" : "2001:db8:1::7";
}

static inline struct addr raw_addr(const char *s)
{
	struct addr a;

	addr_parse(&a, s);
	return a;
}

/* Ethernet and IP header; @len bytes are to follow. */
static inline void raw_ip(struct raw *r, enum fam fam, const char *src,
			  const char *dst, uint8_t proto, size_t len)
{
	struct addr s = raw_addr(src), d = raw_addr(dst);
	uint8_t v4[12] = { 0, 0, 0, 0, 64, proto };

	raw_eth(r, fam == FAM4 ? 0x0800 : 0x86dd);
	if (fam == FAM4) {
		raw_be16(r, 0x4500);
		raw_be16(r, (unsigned)len + 20);
		raw_add(r, v4, 8);
	} else {
		raw_be32(r, 0x60000000);
		raw_be16(r, (unsigned)len);
		raw_add(r, &proto, 1);
		raw_add(r, "\x40", 1);
	}
	addr_put(&s, r->b + r->len);
	r->len += fam == FAM4 ? 4 : 16;
	addr_put(&d, r->b + r->len);
	r->len += fam == FAM4 ? 4 : 16;
}

static inline size_t raw_l4_off(enum fam fam)
{
	return fam == FAM4 ? 34 : 54;
}

/* A segment without options. */
static inline void raw_tcp(struct raw *r, enum fam fam, unsigned sport,
			   unsigned dport, const void *data, size_t len)
{
	raw_ip(r, fam, raw_src(fam), raw_dst(fam), IPPROTO_TCP, 20 + len);
	raw_be16(r, sport);
	raw_be16(r, dport);
	raw_be32(r, 0x01020304);
	raw_be32(r, 0x05060708);
	raw_be16(r, 0x5010);
	raw_be16(r, 0x2000);
	raw_be32(r, 0);
	raw_add(r, data, len);
}

static inline void raw_udp(struct raw *r, enum fam fam, unsigned sport,
			   unsigned dport, const void *data, size_t len)
{
	raw_ip(r, fam, raw_src(fam), raw_dst(fam), IPPROTO_UDP, 8 + len);
	raw_be16(r, sport);
	raw_be16(r, dport);
	raw_be16(r, (unsigned)len + 8);
	raw_be16(r, 0);
	raw_add(r, data, len);
}

static inline void raw_icmp(struct raw *r, enum fam fam, const char *src,
			    const char *dst, uint8_t type, const void *data,
			    size_t len)
{
	raw_ip(r, fam, src, dst, fam == FAM4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	       4 + len);
	raw_add(r, &type, 1);
	raw_zero(r, 3);
	raw_add(r, data, len);
}

/* The sum of RFC 1071 the slow way; 0 when the checksum among the bytes is
 * right. */
static inline uint16_t raw_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

/* The same for the L4 checksum of a whole frame without extension headers. */
static inline uint16_t raw_l4_sum(const uint8_t *frame)
{
	bool v4 = get_be16(frame + 12) == 0x0800;
	const uint8_t *ip = frame + 14;
	uint8_t proto = v4 ? ip[9] : ip[6];
	size_t len = v4 ? get_be16(ip + 2) - 20u : get_be16(ip + 4);
	uint32_t sum = (uint32_t)(proto + len);

	if (v4 && proto == IPPROTO_ICMP)
		return raw_sum(0, ip + 20, len);
	sum += (uint16_t)~raw_sum(0, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
	return raw_sum(sum, ip + (v4 ? 20 : 40), len);
}

#endif
