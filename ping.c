/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ping.c - echo of the guest, through sockets that may send nothing else
 *
 * An identifier of the guest towards one address is a flow with a socket of its
 * own: ICMP datagram sockets send echo requests and receive the replies to
 * them, without privileges. The kernel chooses the identifier on the host's
 * side; sharing the guest's with whoever pings there would share the replies.
 *
 *	guest -- id 7, seq n --> us -- id of the socket, seq n --> peer
 *	guest <-- id 7, seq n -- us <-- id of the socket, seq n -- peer
 *
 * What routers say about the requests comes from the socket's error queue, and
 * goes to the guest with the request quoted as the guest had sent it: that and
 * the TTL, which is the guest's, is all that traceroute needs.
 *
 * Who may ping is the administrator's decision (net.ipv4.ping_group_range).
 * Where we may not, the guest is told so, never a reply made up. A flow ends
 * after a minute without packets. One program of the guest could make as many as
 * there are flows and descriptors: some thousands at once are enough.
 *
 * RFC 792, RFC 1122 3.2.2.6, RFC 4443 4; RFC 1624 for the quoted checksum.
 */
#include "icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "fwd.h"
#include "link/link.h"
#include "log.h"
#include "sock.h"
#include "timer.h"
#include "util.h"

SYSCALLS(bind, close, epoll_ctl, recvmsg, sendmsg, setsockopt, socket);

#define ECHO_HLEN	8
#define IDLE_MS		60000u
#define BURST		32u	/* messages read at a time */
#define PINGS_MAX	8192u	/* flows: the table and descriptors are all's */
#define PIECES_MAX	256	/* of a request in link memory */
#define PING_EVENTS	(EPOLLIN | EPOLLET)

struct ping {
	struct flow flow;
	int fd;
	uint8_t ttl;		/* what the socket sends with; 0: its default */
	uint64_t used_ms;
};
_Static_assert(sizeof(struct ping) <= FLOW_SLOT, "a slot holds it");

static const struct kind {
	enum flow_type type;
	uint8_t proto;
	uint8_t reply;
	int ttl_level, ttl_name;
} kinds[FAM_COUNT] = {
	[FAM4] = { FLOW_PING4, IPPROTO_ICMP, ICMP_ECHOREPLY,
		   IPPROTO_IP, IP_TTL },
	[FAM6] = { FLOW_PING6, IPPROTO_ICMPV6, ICMP6_ECHO_REPLY,
		   IPPROTO_IPV6, IPV6_UNICAST_HOPS },
};

static struct ping *ping_of(struct flow *f)
{
	return (struct ping *)f;
}

static enum fam ping_fam(const struct ping *g)
{
	return addr_fam(&g->flow.side[SIDE_INI].theirs);
}

/* --- life of a flow --- */

static void ping_used(struct ping *g)
{
	g->used_ms = clock_ms();
	timer_set_earlier(flow_idx(&g->flow), g->used_ms + IDLE_MS);
}

static void ping_end(struct ping *g)
{
	flow_debug(&g->flow, "closed");
	close(g->fd);
	flow_free(&g->flow);
}

void ping_expire(struct flow *f)
{
	struct ping *g = ping_of(f);

	if (clock_ms() < g->used_ms + IDLE_MS)
		timer_set(flow_idx(f), g->used_ms + IDLE_MS);
	else
		ping_end(g);
}

static bool ping_decide(const struct packet *p, struct side side[2])
{
	switch (fwd_from_tap(fwd_env(), p->proto, &side[SIDE_INI],
			     &side[SIDE_TGT])) {
	case FWD_OK:
		return true;
	case FWD_REFUSED:
		return drop(DROP_REFUSED);
	case FWD_BAD_ADDRESS:
		break;
	}
	return drop(DROP_ADDRESS);
}

/* Once: it is the same for all pings until somebody changes it. */
static void forbidden(const struct packet *p, int err)
{
	static bool told;
	struct icmp_error e;

	if (!told)
		warn("Cannot ping for the guest: %s. To allow it, include our "
		     "group in the sysctl net.ipv4.ping_group_range",
		     strerror(err));
	told = true;
	if (icmp_error_of_errno(addr_fam(&p->src), err, &e))
		icmp_error_about(p, &e);
}

static int ping_open(const struct packet *p, enum fam fam)
{
	const struct sock_req req = {
		.kind = SOCK_KIND_PING, .fam = (uint8_t)fam,
	};
	int fd = sock_open(PIF_HOST, &req);

	if (fd >= 0)
		return fd;
	drop(DROP_SOCKET);
	if (fd == -EACCES || fd == -EPERM)
		forbidden(p, -fd);
	else
		warn_limit("No socket to ping for the guest: %s",
			   strerror(-fd));
	return -1;
}

static struct ping *ping_new(const struct packet *p, const struct side *tap)
{
	const struct kind *k = &kinds[addr_fam(&p->src)];
	struct side side[2] = { *tap };
	struct ping *g;
	int fd, rc;

	if (!ping_decide(p, side))
		return NULL;
	if (flow_count(FLOW_PING4) + flow_count(FLOW_PING6) >= PINGS_MAX) {
		drop(DROP_TABLE_FULL);
		return NULL;
	}
	fd = ping_open(p, addr_fam(&p->src));
	if (fd < 0)
		return NULL;
	g = ping_of(flow_alloc(k->type));
	if (!g) {
		close(fd);
		return NULL;
	}
	memcpy(g->flow.side, side, sizeof(side));
	g->fd = fd;
	rc = sock_bind_outbound(fd, &side[SIDE_TGT].ours,
				&side[SIDE_TGT].theirs);
	if (rc)
		flow_warn(&g->flow, "cannot bind as asked for: %s",
			  strerror(-rc));
	if (loop_add(fd, PING_EVENTS, flow_ev(&g->flow, EV_PING, SIDE_TGT))) {
		flow_err(&g->flow, "cannot watch socket: %s", strerror(errno));
		drop(DROP_SOCKET);
		ping_end(g);
		return NULL;
	}
	flow_hash_insert(&g->flow, SIDE_INI);
	flow_debug(&g->flow, "new, identifier %u", tap->their_port);
	return g;
}

/* --- errors about requests --- */

/* RFC 1624 3, equation 3: the checksum as it was with the guest's identifier.
 * Under IPv6 it covers addresses as well, and those that fwd.c has replaced are
 * not put back: nobody checks a quote. */
static void restore_id(uint8_t *echo, uint16_t id)
{
	uint32_t sum = (uint16_t)~get_be16(echo + 2);

	sum += (uint16_t)~get_be16(echo + 4) + (uint32_t)id;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(echo + 2, (uint16_t)~sum);
	put_be16(echo + 4, id);
}

static void relay(const struct ping *g, struct icmp_report *r)
{
	const struct side *tap = &g->flow.side[SIDE_INI];
	uint8_t quote[ICMP_QUOTE_IP + ICMP_QUOTE_MAX];
	size_t hlen;

	/* Without a request: it is the host's, and sending has failed too. */
	if (r->len < ECHO_HLEN)
		return;
	/* The kernel looks at the identifier in the quote, and no further. */
	if (!addr_eq(&r->dest, &g->flow.side[SIDE_TGT].theirs)) {
		drop(DROP_NO_FLOW);
		return;
	}
	restore_id(r->data, tap->their_port);
	hlen = icmp_quote_ip(quote, tap, kinds[ping_fam(g)].proto, r->len);
	memcpy(quote + hlen, r->data, r->len);
	icmp_report_to_guest(r, tap, &g->flow.side[SIDE_TGT], quote,
			     hlen + r->len);
}

/* True: perhaps there are more. */
static bool ping_errors(struct ping *g)
{
	static struct icmp_report r;

	for (unsigned i = 0; i < BURST; i++) {
		int rc = icmp_report_read(g->fd, &r);

		if (rc < 0)
			return false;
		if (rc)
			relay(g, &r);
	}
	return true;
}

/* --- requests --- */

static bool set_ttl(struct ping *g, uint8_t ttl)
{
	const struct kind *k = &kinds[ping_fam(g)];
	int value = ttl;

	if (ttl == g->ttl)
		return true;
	if (setsockopt(g->fd, k->ttl_level, k->ttl_name, &value, sizeof(value)))
		return false;
	g->ttl = ttl;
	return true;
}

static int ping_send(struct ping *g, const struct packet *p)
{
	const struct side *host = &g->flow.side[SIDE_TGT];
	struct iovec iov[1 + PIECES_MAX] = { {
		(void *)p->l4.p, ECHO_HLEN,
	} };
	unsigned pieces = view_iov(&p->payload, iov + 1, PIECES_MAX);
	union sockaddr_any sa;
	struct msghdr msg = {
		.msg_name = &sa, .msg_iov = iov, .msg_iovlen = 1 + pieces,
	};

	if (p->payload.len && !pieces)
		return -EMSGSIZE;
	msg.msg_namelen = addr_to_sockaddr(&sa, &host->theirs, 0,
					   conf.net[ping_fam(g)].ifindex);
	if (!set_ttl(g, p->ttl) || sendmsg(g->fd, &msg, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* An error about an earlier request fails the next one, which is then not sent,
 * and is forgotten by that: so try again. */
static void ping_request(struct ping *g, const struct packet *p)
{
	struct icmp_error e;
	int rc = ping_send(g, p);

	if (rc) {
		ping_errors(g);
		rc = ping_send(g, p);
	}
	if (!rc)
		return;
	drop(DROP_NOT_SENT);
	flow_debug(&g->flow, "not sent: %s", strerror(-rc));
	if (icmp_error_of_errno(ping_fam(g), -rc, &e))
		icmp_error_about(p, &e);
}

static void ping_one(const struct packet *p)
{
	uint16_t id = get_be16(p->l4.p + 4);
	const struct side tap = {
		.ours = p->dst, .our_port = id,
		.theirs = p->src, .their_port = id, .pif = PIF_TAP,
	};
	struct flow *f = flow_find(p->proto, &tap, NULL);
	struct ping *g = f ? ping_of(f) : ping_new(p, &tap);

	if (!g)
		return;
	ping_used(g);
	ping_request(g, p);
}

/* Groups are not pinged: their members' replies, from addresses of their own,
 * would be nobody's. */
void ping_from_guest(const struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (p[i].l4.p[1] || !p[i].ttl)
			drop(DROP_ICMP);
		else if (!addr_is_unicast(&p[i].dst))
			drop(DROP_ADDRESS);
		else
			ping_one(&p[i]);
	}
}

/* --- replies --- */

static void reply_to_guest(struct ping *g, uint8_t *echo, size_t len)
{
	const struct side *tap = &g->flow.side[SIDE_INI];

	put_be16(echo + 2, 0);
	put_be16(echo + 4, tap->their_port);
	ping_used(g);
	icmp_to_guest(&tap->ours, &tap->theirs, echo, len);
}

/* The kernel hands over whatever has our identifier, from anybody. */
static bool is_reply(const struct ping *g, const struct msghdr *msg,
		     const uint8_t *echo, size_t len)
{
	struct addr from;
	uint16_t port;

	if (msg->msg_flags & MSG_TRUNC || len < ECHO_HLEN ||
	    echo[0] != kinds[ping_fam(g)].reply || echo[1])
		return drop(DROP_ICMP);
	if (!addr_from_sockaddr(&from, &port, msg->msg_name) ||
	    !addr_eq(&from, &g->flow.side[SIDE_TGT].theirs))
		return drop(DROP_NO_FLOW);
	return true;
}

/* True: perhaps there are more. */
static bool ping_replies(struct ping *g)
{
	static uint8_t echo[UINT16_MAX + 1];
	union sockaddr_any from;

	for (unsigned i = 0; i < BURST; i++) {
		struct iovec iov = { echo, sizeof(echo) };
		struct msghdr msg = {
			.msg_name = &from, .msg_namelen = sizeof(from),
			.msg_iov = &iov, .msg_iovlen = 1,
		};
		ssize_t n = recvmsg(g->fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			return errno != EAGAIN;
		if (is_reply(g, &msg, echo, (size_t)n))
			reply_to_guest(g, echo, (size_t)n);
	}
	return true;
}

/* What is left after a burst is announced again: others come first. */
void ping_event(struct flow *f, unsigned side, uint32_t events)
{
	struct ping *g = ping_of(f);
	bool more = false;

	if (events & EPOLLERR)
		more = ping_errors(g);
	if (events & EPOLLIN)
		more |= ping_replies(g);
	if (more && loop_mod(g->fd, PING_EVENTS, flow_ev(f, EV_PING, side)))
		ping_end(g);
}
