/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h - the one address type: IPv4 and IPv6, parsed, printed, classified
 *
 * An IPv4 address is held as its IPv4-mapped form (::ffff:a.b.c.d, RFC 4291
 * 2.5.5.2), so that nearly all code needs no notion of family. The two
 * unspecified addresses differ: 0.0.0.0 is ::ffff:0:0, "::" is all zero.
 */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum fam { FAM4, FAM6, FAM_COUNT };

struct addr {
	union {
		uint8_t b[16];
		uint32_t w[4];
		uint64_t q[2];
	};
};

struct mac {
	uint8_t b[6];
};

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

#define ADDR_STRLEN	INET6_ADDRSTRLEN
#define MAC_STRLEN	18
#define ADDR_PORT_STRLEN (ADDR_STRLEN + 8)	/* [addr]:port */
#define MAC_BROADCAST	((struct mac) { { 255, 255, 255, 255, 255, 255 } })
#define MAC_ZERO	((struct mac) { { 0 } })

/* The all-zero value, also spelled (struct addr) { 0 }, is "::". Fields that
 * may be unset use it with addr_is_unspec(), which is true of 0.0.0.0 too. */
struct addr addr_any(enum fam fam);
struct addr addr_loopback(enum fam fam);	/* 127.0.0.1, ::1 */
struct addr addr4(uint32_t host_order);

enum fam addr_fam(const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_unspec(const struct addr *a);
bool addr_is_loopback(const struct addr *a);	/* 127.0.0.0/8, ::1 */
bool addr_is_linklocal(const struct addr *a);	/* 169.254/16, fe80::/10 */
bool addr_is_multicast(const struct addr *a);	/* 224.0.0.0/4, ff00::/8 */
bool addr_is_broadcast(const struct addr *a);	/* 255.255.255.255 only */
/* Can be somebody's: neither unspecified, nor multicast, nor broadcast. */
bool addr_is_unicast(const struct addr *a);

/* @plen counts from the family's own first bit: 0-32 or 0-128. Addresses of
 * different families never match. */
bool addr_in_prefix(const struct addr *a, const struct addr *net,
		    unsigned plen);
struct addr addr_mask(const struct addr *a, unsigned plen);

/* Strict: the whole string, no brackets, no zone. IPv4-mapped text becomes
 * IPv4. addr_parse_brackets() also takes [addr], for both families. */
bool addr_parse(struct addr *a, const char *s);
bool addr_parse_brackets(struct addr *a, const char *s);
bool mac_parse(struct mac *m, const char *s);	/* exactly xx:xx:xx:xx:xx:xx */

/* Return @buf, for use as an argument of printf(). */
const char *addr_str(const struct addr *a, char buf[ADDR_STRLEN]);
const char *addr_port_str(const struct addr *a, uint16_t port,
			  char buf[ADDR_PORT_STRLEN]);	/* [addr]:port */
const char *mac_str(const struct mac *m, char buf[MAC_STRLEN]);

/* The network's own byte order: 4 or 16 bytes. */
void addr_put(const struct addr *a, uint8_t *out);
struct addr addr_get(enum fam fam, const uint8_t *in);

/* @port in host order; @scope is used for IPv6 link-local addresses only.
 * Returns the length to pass to the kernel. */
socklen_t addr_to_sockaddr(union sockaddr_any *sa, const struct addr *a,
			   uint16_t port, unsigned scope);
/* As an AF_INET6 socket wants it: IPv4 in mapped form. For dual-stack. */
socklen_t addr_to_sockaddr6(union sockaddr_any *sa, const struct addr *a,
			    uint16_t port, unsigned scope);
/* False for a family that is neither. Mapped IPv6 becomes IPv4. */
bool addr_from_sockaddr(struct addr *a, uint16_t *port,
			const union sockaddr_any *sa);

/* False if @c does not say to which of our addresses a datagram was sent. */
bool addr_from_pktinfo(struct addr *a, const struct cmsghdr *c);

int addr_af(enum fam fam);		/* AF_INET, AF_INET6 */
unsigned addr_bits(enum fam fam);	/* 32, 128 */
const char *fam_name(enum fam fam);	/* "IPv4", "IPv6" */

#endif
