/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - the one address type
 *
 * All that knows how the two families differ as numbers is here: which bits
 * tell them apart, which ranges mean something, how they are written. IPv4 is
 * held in the mapped form of RFC 4291 2.5.5.2, and "::" (all zero) is
 * different from 0.0.0.0, which is ::ffff:0:0.
 *
 * Owns nothing and never fails other than by saying that a text or a kernel
 * address cannot be understood. Text is read and written by the C library;
 * what it takes beyond that (octal, missing parts) inet_pton() does not.
 *
 * Ranges: RFC 1122 3.2.1.3 (127/8, broadcast), RFC 3927 (169.254/16),
 * RFC 5771 (224/4), RFC 4291 2.4 to 2.7 (::1, fe80::/10, ff00::/8).
 */
#include "addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "util.h"

_Static_assert(sizeof(struct addr) == 16, "an address is sixteen bytes");

static const struct {
	int af;
	unsigned bits;
	unsigned skip;		/* bytes of our form before the family's own */
	const char *name;
} family[] = {
	[FAM4] = { AF_INET, 32, 12, "IPv4" },
	[FAM6] = { AF_INET6, 128, 0, "IPv6" },
};
_Static_assert(ARRAY_SIZE(family) == FAM_COUNT, "a row for each family");

int addr_af(enum fam fam)
{
	return family[fam].af;
}

unsigned addr_bits(enum fam fam)
{
	return family[fam].bits;
}

const char *fam_name(enum fam fam)
{
	return family[fam].name;
}

struct addr addr4(uint32_t host_order)
{
	struct addr a = { .b[10] = 0xff, .b[11] = 0xff };

	put_be32(a.b + 12, host_order);
	return a;
}

struct addr addr_any(enum fam fam)
{
	return fam == FAM4 ? addr4(INADDR_ANY) : (struct addr) { 0 };
}

struct addr addr_loopback(enum fam fam)
{
	return fam == FAM4 ? addr4(INADDR_LOOPBACK) :
			     (struct addr) { .b[15] = 1 };
}

enum fam addr_fam(const struct addr *a)
{
	return !a->q[0] && get_be32(a->b + 8) == 0xffff ? FAM4 : FAM6;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}

bool addr_is_unspec(const struct addr *a)
{
	return !a->q[0] && !a->w[3] && (!a->w[2] || addr_fam(a) == FAM4);
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct addr lo6 = { .b[15] = 1 };

	return addr_fam(a) == FAM4 ? a->b[12] == 127 : addr_eq(a, &lo6);
}

bool addr_is_linklocal(const struct addr *a)
{
	if (addr_fam(a) == FAM4)
		return a->b[12] == 169 && a->b[13] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool addr_is_multicast(const struct addr *a)
{
	return addr_fam(a) == FAM4 ? (a->b[12] & 0xf0) == 224 : a->b[0] == 0xff;
}

bool addr_is_broadcast(const struct addr *a)
{
	return addr_fam(a) == FAM4 && a->w[3] == UINT32_MAX;
}

bool addr_is_unicast(const struct addr *a)
{
	return !addr_is_unspec(a) && !addr_is_multicast(a) &&
	       !addr_is_broadcast(a);
}

struct addr addr_mask(const struct addr *a, unsigned plen)
{
	enum fam fam = addr_fam(a);
	unsigned keep = MIN(plen, family[fam].bits) + family[fam].skip * 8;
	struct addr out = { 0 };

	memcpy(out.b, a->b, keep / 8);
	if (keep % 8)
		out.b[keep / 8] = (uint8_t)(a->b[keep / 8] &
					    (0xff00u >> keep % 8));
	return out;
}

bool addr_in_prefix(const struct addr *a, const struct addr *net,
		    unsigned plen)
{
	struct addr ma, mn;

	if (addr_fam(a) != addr_fam(net))
		return false;
	ma = addr_mask(a, plen);
	mn = addr_mask(net, plen);
	return addr_eq(&ma, &mn);
}

bool addr_parse(struct addr *a, const char *s)
{
	uint8_t raw[16];

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		if (inet_pton(family[fam].af, s, raw) == 1) {
			*a = addr_get(fam, raw);
			return true;
		}
	}
	return false;
}

bool addr_parse_brackets(struct addr *a, const char *s)
{
	char inner[ADDR_STRLEN];
	size_t len = strlen(s);

	if (*s != '[')
		return addr_parse(a, s);
	if (len < 2 || s[len - 1] != ']' || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, s + 1, len - 2);
	inner[len - 2] = '\0';
	return addr_parse(a, inner);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(struct mac *m, const char *s)
{
	struct mac out;

	if (strlen(s) != MAC_STRLEN - 1)
		return false;
	for (unsigned i = 0; i < sizeof(out.b); i++, s += 3) {
		int hi = hex_digit(s[0]), lo = hex_digit(s[1]);
		char end = i + 1 < sizeof(out.b) ? ':' : '\0';

		if (hi < 0 || lo < 0 || s[2] != end)
			return false;
		out.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*m = out;
	return true;
}

const char *addr_str(const struct addr *a, char buf[ADDR_STRLEN])
{
	enum fam fam = addr_fam(a);

	/* Cannot fail: the family is known, the room sufficient. */
	return inet_ntop(family[fam].af, a->b + family[fam].skip, buf,
			 ADDR_STRLEN);
}

const char *addr_port_str(const struct addr *a, uint16_t port,
			  char buf[ADDR_PORT_STRLEN])
{
	char text[ADDR_STRLEN];

	snprintf(buf, ADDR_PORT_STRLEN, "[%s]:%u", addr_str(a, text), port);
	return buf;
}

const char *mac_str(const struct mac *m, char buf[MAC_STRLEN])
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x",
		 m->b[0], m->b[1], m->b[2], m->b[3], m->b[4], m->b[5]);
	return buf;
}

void addr_put(const struct addr *a, uint8_t *out)
{
	unsigned skip = family[addr_fam(a)].skip;

	memcpy(out, a->b + skip, sizeof(a->b) - skip);
}

struct addr addr_get(enum fam fam, const uint8_t *in)
{
	struct addr a = addr_any(fam);
	unsigned skip = family[fam].skip;

	memcpy(a.b + skip, in, sizeof(a.b) - skip);
	return a;
}

socklen_t addr_to_sockaddr6(union sockaddr_any *sa, const struct addr *a,
			    uint16_t port, unsigned scope)
{
	bool scoped = addr_fam(a) == FAM6 && addr_is_linklocal(a);

	memset(sa, 0, sizeof(*sa));
	sa->in6.sin6_family = AF_INET6;
	sa->in6.sin6_port = htons(port);
	sa->in6.sin6_scope_id = scoped ? scope : 0;
	memcpy(&sa->in6.sin6_addr, a->b, sizeof(a->b));
	return sizeof(sa->in6);
}

socklen_t addr_to_sockaddr(union sockaddr_any *sa, const struct addr *a,
			   uint16_t port, unsigned scope)
{
	if (addr_fam(a) == FAM6)
		return addr_to_sockaddr6(sa, a, port, scope);

	memset(sa, 0, sizeof(*sa));
	sa->in.sin_family = AF_INET;
	sa->in.sin_port = htons(port);
	sa->in.sin_addr.s_addr = a->w[3];
	return sizeof(sa->in);
}

bool addr_from_sockaddr(struct addr *a, uint16_t *port,
			const union sockaddr_any *sa)
{
	if (sa->sa.sa_family == AF_INET) {
		*a = addr4(ntohl(sa->in.sin_addr.s_addr));
		*port = ntohs(sa->in.sin_port);
		return true;
	}
	if (sa->sa.sa_family == AF_INET6) {
		*a = addr_get(FAM6, sa->in6.sin6_addr.s6_addr);
		*port = ntohs(sa->in6.sin6_port);
		return true;
	}
	return false;
}

/* IPv6 sockets tell of IPv4 in mapped form. */
bool addr_from_pktinfo(struct addr *a, const struct cmsghdr *c)
{
	struct in_pktinfo info4;
	struct in6_pktinfo info6;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
	    c->cmsg_len >= CMSG_LEN(sizeof(info4))) {
		memcpy(&info4, CMSG_DATA(c), sizeof(info4));
		*a = addr4(ntohl(info4.ipi_addr.s_addr));
		return true;
	}
	if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
	    c->cmsg_len >= CMSG_LEN(sizeof(info6))) {
		memcpy(&info6, CMSG_DATA(c), sizeof(info6));
		*a = addr_get(FAM6, info6.ipi6_addr.s6_addr);
		return true;
	}
	return false;
}
