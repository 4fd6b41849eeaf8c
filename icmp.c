/* SPDX-License-Identifier: GPL-2.0-or-later */
/* icmp.c - errors of sockets as ICMP messages for the guest
 *
 * The host's kernel tells us of errors in three ways: a call fails with an
 * errno, the error queue of a socket holds what a router said, or there is
 * nothing to call at all. To the guest they are what they would be on a wire:
 * messages which quote the packet in question, from where it got stuck.
 *
 * Offenders are renamed as any address of the host (fwd.c). Where the guest has
 * no name for one, and where nobody but the host itself complains, the message
 * comes from our own address on the link: to the guest, the host is its
 * gateway. Messages are never sent about messages, or about what was sent to
 * many, and only so many in a second.
 *
 * Owns the token bucket of that limit. Never decides what to do about an error:
 * who has a conversation knows.
 *
 * RFC 792; RFC 1122 3.2.2; RFC 1812 4.3.2; RFC 4443 2.4, 3; RFC 6633.
 */
#include "icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Behind time.h, of which it needs a type */
#include <linux/errqueue.h>

#include "conf.h"
#include "fragment.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "neigh.h"
#include "timer.h"
#include "util.h"
#include "wire/csum.h"

SYSCALLS(recvmsg);

#define MSG_HLEN	8	/* of an error message, before the quote */
#define ERRORS_MAX	1000u	/* a second, and at once */
#define IP4_SUM_OFF	10

static const struct layout {
	uint8_t proto;
	uint8_t echo;			/* type we may complain about */
	uint8_t proto_off, dst_off;	/* in an IP header */
	uint16_t quote_max;		/* RFC 1812 4.3.2.3; RFC 4443 2.4 c */
} layout[FAM_COUNT] = {
	[FAM4] = { IPPROTO_ICMP, ICMP_ECHO, 9, 16, 576 - 20 - MSG_HLEN },
	[FAM6] = { IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, 6, 24,
		   1280 - 40 - MSG_HLEN },
};
_Static_assert(ICMP_QUOTE_MAX == 1280 - 40 - MSG_HLEN, "the larger of both");

/* --- messages --- */

void icmp_to_guest(const struct addr *src, const struct addr *dst,
		   uint8_t *msg, size_t len)
{
	const struct mac guest = link_guest_mac(), mac = neigh_mac(src);
	const struct layout *l = &layout[addr_fam(src)];
	struct frame_tmpl t;
	struct frame f;

	frame_tmpl_init(&t, l->proto, src, 0, dst, 0, &mac, &guest, 0);
	if (fragment_needed(&t, len)) {
		uint32_t sum = t.pseudo;

		if (l->proto != IPPROTO_ICMP)
			sum += (uint32_t)len;
		put_be16(msg + 2, csum_fold(csum_add(sum, msg, len)));
		fragment_to_guest(&t, msg, len);
		return;
	}
	if (!link_reserve(&f, 1, t.hdr_len, len)) {
		drop(DROP_LINK_FULL);
		return;
	}
	frame_put_payload(&f, msg, len);
	frame_put_icmp(&f, &t);
	link_commit(&f, 1);
}

static bool error_allowed(void)
{
	static uint64_t last_ms;
	static uint64_t tokens = ERRORS_MAX;
	uint64_t now = clock_ms();

	tokens = MIN(ERRORS_MAX, tokens + (now - last_ms) * ERRORS_MAX / 1000);
	last_ms = now;
	if (!tokens)
		return drop(DROP_ICMP_RATE);
	tokens--;
	return true;
}

static size_t ip_hlen(enum fam fam, const uint8_t *ip)
{
	return fam == FAM4 ? (ip[0] & 0xfu) * 4u : 40;
}

/* RFC 1122 3.2.2, RFC 4443 2.4 e */
static bool may_complain_about(enum fam fam, const uint8_t *quote, size_t len)
{
	const struct layout *l = &layout[fam];
	size_t addr_len = addr_bits(fam) / 8, hlen;
	struct addr dst;

	if (len < l->dst_off + addr_len)
		return false;
	dst = addr_get(fam, quote + l->dst_off);
	if (!addr_is_unicast(&dst))
		return false;
	hlen = ip_hlen(fam, quote);
	return quote[l->proto_off] != l->proto ||
	       (len > hlen && quote[hlen] == l->echo);
}

/* RFC 792: the MTU is in the lower half of the word (RFC 1191 4), a pointer in
 * its first byte. RFC 4443: both take all of it. */
static void put_info(uint8_t *out, enum fam fam, uint8_t type, uint32_t info)
{
	if (fam == FAM4 && type == ICMP_PARAMETERPROB)
		info <<= 24;
	else if (fam == FAM4)
		info = MIN(info, UINT16_MAX);
	put_be32(out, info);
}

void icmp_error_to_guest(const struct addr *from, const struct addr *to,
			 uint8_t type, uint8_t code, uint32_t info,
			 const void *quote, size_t quote_len)
{
	enum fam fam = addr_fam(to);
	uint8_t msg[MSG_HLEN + ICMP_QUOTE_MAX] = { type, code };

	if (addr_fam(from) != fam || !addr_is_unicast(from) ||
	    !addr_is_unicast(to) ||
	    !may_complain_about(fam, quote, quote_len)) {
		drop(DROP_ICMP);
		return;
	}
	if (!error_allowed())
		return;
	quote_len = MIN(quote_len, layout[fam].quote_max);
	put_info(msg + 4, fam, type, info);
	memcpy(msg + MSG_HLEN, quote, quote_len);
	icmp_to_guest(from, to, msg, MSG_HLEN + quote_len);
}

/* --- who complains --- */

static struct addr our_address(enum fam fam)
{
	const struct addr *a = &conf.net[fam].our_tap;

	return addr_is_unspec(a) && fam == FAM6 ? conf.our_ll : *a;
}

void icmp_error_about(const struct packet *p, const struct icmp_error *e)
{
	struct addr from = our_address(addr_fam(&p->dst));
	uint8_t quote[ICMP_QUOTE_MAX];
	struct wr w = wr_init(quote, sizeof(quote));
	size_t n;

	wr_bytes(&w, p->l3.p, MIN(p->l3.len, w.left));
	wr_bytes(&w, p->l4.p, MIN(p->l4.len, w.left));
	n = MIN(p->payload.len, w.left);
	view_copy(&p->payload, 0, wr_reserve(&w, n), n);
	icmp_error_to_guest(&from, &p->src, e->type, e->code, e->info, quote,
			    sizeof(quote) - w.left);
}

size_t icmp_quote_ip(uint8_t out[ICMP_QUOTE_IP], const struct side *tap,
		     uint8_t proto, size_t l4_len)
{
	struct frame_tmpl t;
	uint8_t *ip = t.hdr + ETH_HLEN_;
	size_t hlen;

	frame_tmpl_init(&t, proto, &tap->theirs, 0, &tap->ours, 0, &MAC_ZERO,
			&MAC_ZERO, 0);
	hlen = (size_t)t.l4_off - ETH_HLEN_;
	put_be16(t.hdr + t.iplen_off, (uint16_t)(t.iplen_bias + l4_len));
	if (t.ipsum_len)
		put_be16(ip + IP4_SUM_OFF,
			 csum_fold(csum_add(0, ip, t.ipsum_len)));
	memcpy(out, ip, hlen);
	return hlen;
}

/* --- errors of calls --- */

enum why { NO_ROUTE, NO_ANSWER, FORBIDDEN };

bool icmp_error_of_errno(enum fam fam, int err, struct icmp_error *e)
{
	static const struct icmp_error says[FAM_COUNT][FORBIDDEN + 1] = {
		[FAM4] = {
			[NO_ROUTE] = { ICMP_UNREACH, ICMP_UNREACH_NET, 0 },
			[NO_ANSWER] = { ICMP_UNREACH, ICMP_UNREACH_HOST, 0 },
			[FORBIDDEN] = { ICMP_UNREACH,
					ICMP_UNREACH_FILTER_PROHIB, 0 },
		},
		[FAM6] = {
			[NO_ROUTE] = { ICMP6_DST_UNREACH,
				       ICMP6_DST_UNREACH_NOROUTE, 0 },
			[NO_ANSWER] = { ICMP6_DST_UNREACH,
					ICMP6_DST_UNREACH_ADDR, 0 },
			[FORBIDDEN] = { ICMP6_DST_UNREACH,
					ICMP6_DST_UNREACH_ADMIN, 0 },
		},
	};
	static const struct { int err; enum why why; } rows[] = {
		{ ENETUNREACH,	NO_ROUTE },
		{ ENETDOWN,	NO_ROUTE },
		{ EHOSTUNREACH,	NO_ANSWER },
		{ EHOSTDOWN,	NO_ANSWER },
		{ EACCES,	FORBIDDEN },
		{ EPERM,	FORBIDDEN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].err == err) {
			*e = says[fam][rows[i].why];
			return true;
		}
	}
	return false;
}

/* Of the transport header as much as RFC 792 asks for: ports, and what follows
 * them. */
bool icmp_unreachable_to_guest(const struct side *tap, uint8_t proto,
			       uint32_t seq, int err)
{
	enum fam fam = addr_fam(&tap->theirs);
	struct addr from = our_address(fam);
	uint8_t quote[ICMP_QUOTE_IP + 8];
	struct icmp_error e;
	size_t hlen;

	if (!icmp_error_of_errno(fam, err, &e))
		return false;
	hlen = icmp_quote_ip(quote, tap, proto, 8);
	put_be16(quote + hlen, tap->their_port);
	put_be16(quote + hlen + 2, tap->our_port);
	put_be32(quote + hlen + 4, proto == IPPROTO_TCP ? seq : 8u << 16);
	icmp_error_to_guest(&from, &tap->theirs, e.type, e.code, 0, quote,
			    hlen + 8);
	return true;
}

/* --- errors of the network --- */

/* What is worth passing on. Source quench is obsolete, RFC 6633. */
static bool is_passed_on(uint8_t origin, uint8_t type)
{
	static const struct { uint8_t origin, type; } types[] = {
		{ SO_EE_ORIGIN_ICMP,	ICMP_UNREACH },
		{ SO_EE_ORIGIN_ICMP,	ICMP_TIME_EXCEEDED },
		{ SO_EE_ORIGIN_ICMP,	ICMP_PARAMETERPROB },
		{ SO_EE_ORIGIN_ICMP6,	ICMP6_DST_UNREACH },
		{ SO_EE_ORIGIN_ICMP6,	ICMP6_PACKET_TOO_BIG },
		{ SO_EE_ORIGIN_ICMP6,	ICMP6_TIME_EXCEEDED },
		{ SO_EE_ORIGIN_ICMP6,	ICMP6_PARAM_PROB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].origin == origin && types[i].type == type)
			return true;
	}
	return false;
}

/* The host itself: a packet larger than the path takes, for one. */
static bool of_host(enum fam fam, const struct sock_extended_err *ee,
		    struct icmp_error *e)
{
	if (ee->ee_errno != EMSGSIZE)
		return icmp_error_of_errno(fam, (int)ee->ee_errno, e);
	*e = (struct icmp_error) {
		.type = fam == FAM4 ? ICMP_UNREACH : ICMP6_PACKET_TOO_BIG,
		.code = fam == FAM4 ? ICMP_UNREACH_NEEDFRAG : 0,
		.info = ee->ee_info,
	};
	return true;
}

static bool of_entry(const struct cmsghdr *c, struct icmp_report *r)
{
	enum fam fam = addr_fam(&r->dest);
	struct {
		struct sock_extended_err ee;
		union sockaddr_any offender;
	} entry = { 0 };
	uint16_t port;

	if (c->cmsg_len < CMSG_LEN(sizeof(entry.ee)))
		return false;
	memcpy(&entry, CMSG_DATA(c),
	       MIN(c->cmsg_len - CMSG_LEN(0), sizeof(entry)));
	r->err = (int)entry.ee.ee_errno;
	r->offender = addr_any(fam);
	if (entry.ee.ee_origin == SO_EE_ORIGIN_LOCAL)
		return of_host(fam, &entry.ee, &r->error);
	if (!is_passed_on(entry.ee.ee_origin, entry.ee.ee_type))
		return false;
	r->error = (struct icmp_error) {
		entry.ee.ee_type, entry.ee.ee_code, entry.ee.ee_info,
	};
	return addr_from_sockaddr(&r->offender, &port, &entry.offender) &&
	       addr_fam(&r->offender) == fam;
}

static bool is_entry(const struct cmsghdr *c)
{
	return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
	       (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
}

int icmp_report_read(int fd, struct icmp_report *r)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct iovec iov = { r->data, sizeof(r->data) };
	union sockaddr_any dest = { 0 };
	struct msghdr msg = {
		.msg_name = &dest, .msg_namelen = sizeof(dest),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
	bool told = false;

	if (n < 0)
		return -errno;
	r->len = (size_t)n;
	r->ours = (struct addr) { 0 };
	if (!addr_from_sockaddr(&r->dest, &r->dest_port, &dest))
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c;
	     c = CMSG_NXTHDR(&msg, c)) {
		if (is_entry(c))
			told = of_entry(c, r);
		else
			addr_from_pktinfo(&r->ours, c);
	}
	return told;
}

static struct addr offender_name(const struct icmp_report *r,
				 const struct side *tap,
				 const struct side *host)
{
	struct addr name;

	if (addr_eq(&r->offender, &host->theirs))
		return tap->ours;
	if (!addr_is_unspec(&r->offender) &&
	    fwd_host_to_guest(fwd_env(), &r->offender, &name))
		return name;
	return our_address(addr_fam(&tap->theirs));
}

void icmp_report_to_guest(const struct icmp_report *r, const struct side *tap,
			  const struct side *host, const void *quote,
			  size_t quote_len)
{
	struct addr from = offender_name(r, tap, host);

	icmp_error_to_guest(&from, &tap->theirs, r->error.type, r->error.code,
			    r->error.info, quote, quote_len);
}
