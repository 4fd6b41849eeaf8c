/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_error.c - errors of sockets, as the ICMP messages the guest would get
 *
 * The kernel keeps what it was told about our datagrams in the socket's error
 * queue: which datagram (its destination, some of its payload), what is wrong
 * (type and code as they came in), and who says so. The guest is told the same,
 * about the datagram it sent: with its own addresses in the quote, and the
 * offender under the name the guest knows it by.
 *
 *	queue:	to 192.0.2.1:53, "port unreachable", says 192.0.2.1
 *	guest:	ICMP from 10.0.2.3, about 10.0.2.15:4000 -> 10.0.2.3:53
 *
 * That the path, or the host's interface, takes no datagram so long is such an
 * error too: RFC 1191, RFC 8201. Errors of spliced datagrams end here.
 *
 * RFC 792; RFC 4443 3; RFC 1122 4.1.3.3.
 */
#include "udp_flow.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Behind time.h, of which it needs a type */
#include <linux/errqueue.h>

#include "icmp.h"
#include "log.h"
#include "resolver.h"
#include "sock.h"
#include "util.h"

SYSCALLS(getsockopt, recvmsg);

#define ERRORS_MAX	16	/* per event; the rest: next turn */
#define UDP_HLEN	8u

/* One entry of the queue. */
struct failure {
	struct addr dest;		/* of the datagram */
	uint16_t dest_port;
	struct addr ours;		/* where the error arrived, if known */
	struct sock_extended_err e;
	struct addr offender;		/* unspecified: the host */
	size_t len;			/* of its payload, as far as known */
	uint8_t payload[ICMP_QUOTE_MAX];
};

/* --- reading --- */

static void take_error(struct failure *x, struct cmsghdr *c)
{
	union sockaddr_any sa = { 0 };
	size_t len = c->cmsg_len - CMSG_LEN(0);
	const uint8_t *data = CMSG_DATA(c);
	uint16_t port;

	memcpy(&x->e, data, sizeof(x->e));
	len -= sizeof(x->e);
	memcpy(&sa, data + sizeof(x->e), MIN(len, sizeof(sa)));
	if (x->e.ee_origin != SO_EE_ORIGIN_LOCAL)
		addr_from_sockaddr(&x->offender, &port, &sa);
}

static void take_info4(struct failure *x, struct cmsghdr *c)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	x->ours = addr_get(FAM4, (const uint8_t *)&info.ipi_addr);
}

static void take_info6(struct failure *x, struct cmsghdr *c)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	memcpy(x->ours.b, &info.ipi6_addr, sizeof(x->ours.b));
}

static const struct {
	int level, type;
	size_t least;
	void (*take)(struct failure *x, struct cmsghdr *c);
} takers[] = {
	{ IPPROTO_IP,	IP_RECVERR,
	  sizeof(struct sock_extended_err), take_error },
	{ IPPROTO_IPV6,	IPV6_RECVERR,
	  sizeof(struct sock_extended_err), take_error },
	{ IPPROTO_IP,	IP_PKTINFO,
	  sizeof(struct in_pktinfo), take_info4 },
	{ IPPROTO_IPV6,	IPV6_PKTINFO,
	  sizeof(struct in6_pktinfo), take_info6 },
};

static void take_controls(struct failure *x, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		for (unsigned i = 0; i < ARRAY_SIZE(takers); i++) {
			if (takers[i].level == c->cmsg_level &&
			    takers[i].type == c->cmsg_type &&
			    c->cmsg_len >= CMSG_LEN(takers[i].least))
				takers[i].take(x, c);
		}
	}
}

/* False: the queue is empty. */
static bool next_failure(int fd, struct failure *x)
{
	union sockaddr_any name = { 0 };
	_Alignas(struct cmsghdr) char ctl[512];
	struct iovec iov = { x->payload, sizeof(x->payload) };
	struct msghdr m = {
		.msg_name = &name, .msg_namelen = sizeof(name),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0)
		return false;
	x->len = (size_t)n;
	x->ours = (struct addr) { 0 };
	x->e = (struct sock_extended_err) { 0 };
	x->offender = (struct addr) { 0 };
	x->dest_port = 0;
	addr_from_sockaddr(&x->dest, &x->dest_port, &name);
	take_controls(x, &m);
	return true;
}

/* --- telling --- */

/* The guest's datagram, as far as it came back. */
static size_t quote(const struct failure *x, const struct side *tap,
		    uint8_t *out)
{
	size_t hlen = icmp_quote_ip(out, tap, IPPROTO_UDP, UDP_HLEN + x->len);
	size_t len = MIN(x->len, ICMP_QUOTE_MAX - hlen - UDP_HLEN);
	uint8_t *l4 = out + hlen;

	put_be16(l4, tap->their_port);
	put_be16(l4 + 2, tap->our_port);
	put_be16(l4 + 4, (uint16_t)(UDP_HLEN + x->len));
	put_be16(l4 + 6, 0);
	memcpy(l4 + UDP_HLEN, x->payload, len);
	return hlen + UDP_HLEN + len;
}

/* What it says on the wire; false: nothing a network would say. */
static bool as_icmp(const struct failure *x, enum fam fam,
		    struct icmp_error *e)
{
	static const struct { uint8_t type, code; } too_big[FAM_COUNT] = {
		[FAM4] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED },
		[FAM6] = { ICMP6_PACKET_TOO_BIG, 0 },
	};
	static const uint8_t origin[FAM_COUNT] = {
		[FAM4] = SO_EE_ORIGIN_ICMP, [FAM6] = SO_EE_ORIGIN_ICMP6,
	};

	*e = (struct icmp_error) {
		x->e.ee_type, x->e.ee_code, x->e.ee_info,
	};
	if (x->e.ee_origin == SO_EE_ORIGIN_LOCAL && x->e.ee_errno == EMSGSIZE) {
		e->type = too_big[fam].type;
		e->code = too_big[fam].code;
		return true;
	}
	return x->e.ee_origin == origin[fam] &&
	       (addr_is_unspec(&x->offender) ||
		addr_fam(&x->offender) == fam);
}

static void tell(const struct udp_flow *u, unsigned side,
		 const struct failure *x)
{
	const struct side *tap = &u->flow.side[!side];
	struct icmp_report report = { .offender = x->offender };
	uint8_t buf[ICMP_QUOTE_MAX];

	flow_debug(&u->flow, "error: %s", strerror((int)x->e.ee_errno));
	if (x->e.ee_errno != EMSGSIZE)
		resolver_failed(&u->flow.side[side]);
	if (u->tap_side == !side &&
	    as_icmp(x, addr_fam(&tap->ours), &report.error))
		icmp_report_to_guest(&report, tap, &u->flow.side[side], buf,
				     quote(x, tap, buf));
}

static struct flow *flow_of(const struct side *ours, const struct failure *x,
			    unsigned *side)
{
	struct side key = *ours;
	struct flow *f;

	key.theirs = x->dest;
	key.their_port = x->dest_port;
	if (addr_is_unspec(&key.ours))
		key.ours = addr_any(addr_fam(&x->dest));
	f = flow_find(IPPROTO_UDP, &key, side);
	if (!f) {	/* a listener's: by the address it came from */
		key.ours = x->ours;
		f = flow_find(IPPROTO_UDP, &key, side);
	}
	return f;
}

void udp_errors(int fd, const struct side *ours, struct udp_flow *sending)
{
	static struct failure x;
	unsigned n, side;

	for (n = 0; n < ERRORS_MAX && next_failure(fd, &x); n++) {
		struct flow *f;

		/* The host's own complaints come without a port. */
		if (x.e.ee_origin == SO_EE_ORIGIN_LOCAL) {
			if (sending)
				tell(sending, !sending->tap_side, &x);
			sending = NULL;
			continue;
		}
		f = flow_of(ours, &x, &side);
		if (f)
			tell(udp_flow(f), side, &x);
	}
	/* No entry, yet an error: reading it takes it away. */
	if (!n)
		sock_error(fd);
}
