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
#include <netinet/in.h>
#include <string.h>

#include "icmp.h"
#include "log.h"
#include "resolver.h"
#include "sock.h"
#include "util.h"

#define ERRORS_MAX	16	/* per event; the rest: next turn */
#define UDP_HLEN	8u

/* The guest's datagram, as far as it came back. */
static size_t quote(const struct icmp_report *r, const struct side *tap,
		    uint8_t *out)
{
	size_t hlen = icmp_quote_ip(out, tap, IPPROTO_UDP, UDP_HLEN + r->len);
	size_t len = MIN(r->len, ICMP_QUOTE_MAX - hlen - UDP_HLEN);
	uint8_t *l4 = out + hlen;

	put_be16(l4, tap->their_port);
	put_be16(l4 + 2, tap->our_port);
	put_be16(l4 + 4, (uint16_t)(UDP_HLEN + r->len));
	put_be16(l4 + 6, 0);
	memcpy(l4 + UDP_HLEN, r->data, len);
	return hlen + UDP_HLEN + len;
}

static void tell(const struct udp_flow *u, unsigned side,
		 const struct icmp_report *r)
{
	const struct side *tap = &u->flow.side[!side];
	uint8_t buf[ICMP_QUOTE_MAX];

	flow_debug(&u->flow, "error: %s", strerror(r->err));
	if (r->err != EMSGSIZE)
		resolver_failed(&u->flow.side[side]);
	if (u->tap_side == !side)
		icmp_report_to_guest(r, tap, &u->flow.side[side], buf,
				     quote(r, tap, buf));
}

static struct flow *flow_of(const struct side *ours,
			    const struct icmp_report *r, unsigned *side)
{
	struct side key = *ours;
	struct flow *f;

	key.theirs = r->dest;
	key.their_port = r->dest_port;
	if (addr_is_unspec(&key.ours))
		key.ours = addr_any(addr_fam(&r->dest));
	f = flow_find(IPPROTO_UDP, &key, side);
	if (!f) {	/* a listener's: by the address it came from */
		key.ours = r->ours;
		f = flow_find(IPPROTO_UDP, &key, side);
	}
	return f;
}

void udp_errors(int fd, const struct side *ours, struct udp_flow *sending)
{
	static struct icmp_report r;
	unsigned n, side;

	for (n = 0; n < ERRORS_MAX; n++) {
		int rc = icmp_report_read(fd, &r);
		struct flow *f;

		if (rc < 0)
			break;
		if (!rc)
			continue;
		/* The host's own complaints come without a port. */
		if (addr_is_unspec(&r.offender)) {
			if (sending)
				tell(sending, !sending->tap_side, &r);
			sending = NULL;
			continue;
		}
		f = flow_of(ours, &r, &side);
		if (f)
			tell(udp_flow(f), side, &r);
	}
	/* No entry, yet an error: reading it takes it away. */
	if (!n)
		sock_error(fd);
}
