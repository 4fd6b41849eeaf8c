/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_send.c - datagrams out of a socket, as few calls as may be
 *
 * A run of datagrams of one size (the last may be shorter) is one message: the
 * kernel takes it through its stack once and cuts it at the end (UDP_SEGMENT),
 * which halves the cost of each. What cannot be in the same run is in the same
 * call. Boundaries are always kept.
 *
 *	1400 1400 1400 200 | 9000 | 64 64 | 0	four messages, one call
 *
 * Where a run is refused, because the device cannot (EIO) or a datagram is too
 * long for the path (EINVAL, EMSGSIZE), its datagrams go one by one, and no
 * run of that size is tried again.
 *
 * An unconnected socket reports errors of earlier datagrams, to whomever, at
 * the next call: that says nothing about what is being sent, which is tried
 * once more. The error itself waits in the queue udp_error.c reads.
 *
 * Never waits: a full socket or device queue loses the datagram, as a network
 * would.
 */
#include "udp_flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "conf.h"
#include "log.h"
#include "sock.h"
#include "util.h"

SYSCALLS(sendmsg, sendmmsg);

#define IOVS		(UDP_BATCH * 2)

#define CTL_INT		CMSG_SPACE(sizeof(int))
#define CTL_U16		CMSG_SPACE(sizeof(uint16_t))
#define CTL_INFO	CMSG_SPACE(sizeof(struct in6_pktinfo))

struct ctl {
	_Alignas(struct cmsghdr) char buf[CTL_INT * 2 + CTL_U16 + CTL_INFO];
};

/* A message is a run: so many datagrams of @unit bytes, the last one maybe
 * shorter, and then nothing may follow. */
struct run {
	size_t len, unit;
	unsigned segs;
	bool ended;
};

static struct {
	struct udp_dest dest;
	union sockaddr_any name;
	struct ctl common;		/* what all messages have */
	size_t common_len;
	unsigned cnt, iovs;
	int error;
} tx;

static struct mmsghdr msgs[UDP_BATCH];
static struct run runs[UDP_BATCH];
static struct ctl ctls[UDP_BATCH];
static struct iovec iovs[IOVS];

static const struct {
	int level, ttl, tos;
} names[FAM_COUNT] = {
	[FAM4] = { IPPROTO_IP, IP_TTL, IP_TOS },
	[FAM6] = { IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_TCLASS },
};

/* --- control messages --- */

static void ctl_add(struct ctl *c, size_t *len, int level, int type,
		    const void *data, size_t size)
{
	struct cmsghdr *h = (struct cmsghdr *)(c->buf + *len);

	h->cmsg_level = level;
	h->cmsg_type = type;
	h->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(h), data, size);
	*len += CMSG_SPACE(size);
}

static void ctl_source4(const struct addr *src, unsigned ifindex)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)ifindex };

	if (src)
		addr_put(src, (uint8_t *)&info.ipi_spec_dst);
	ctl_add(&tx.common, &tx.common_len, IPPROTO_IP, IP_PKTINFO, &info,
		sizeof(info));
}

static void ctl_source6(const struct addr *src, unsigned ifindex)
{
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };

	if (src)
		addr_put(src, (uint8_t *)&info.ipi6_addr);
	ctl_add(&tx.common, &tx.common_len, IPPROTO_IPV6, IPV6_PKTINFO, &info,
		sizeof(info));
}

/* From which address, and for groups, over which interface. */
static void ctl_source(const struct udp_dest *d, enum fam fam)
{
	static void (*const put[FAM_COUNT])(const struct addr *, unsigned) = {
		[FAM4] = ctl_source4, [FAM6] = ctl_source6,
	};
	const struct addr *theirs = &d->side->theirs;
	bool group = addr_is_multicast(theirs) || addr_is_broadcast(theirs);
	bool named = d->as_ours && addr_is_unicast(&d->side->ours);
	unsigned ifindex = group && d->side->pif == PIF_HOST ?
			   conf.net[fam].ifindex : 0;

	if (named || ifindex)
		put[fam](named ? &d->side->ours : NULL, ifindex);
}

static void ctl_marks(const struct udp_dest *d, enum fam fam)
{
	int ttl = d->ttl, tos = d->tos;

	if (ttl && (ttl != SOCK_UDP_TTL || addr_is_multicast(&d->side->theirs)))
		ctl_add(&tx.common, &tx.common_len, names[fam].level,
			names[fam].ttl, &ttl, sizeof(ttl));
	if (tos)
		ctl_add(&tx.common, &tx.common_len, names[fam].level,
			names[fam].tos, &tos, sizeof(tos));
}

/* --- building --- */

void udp_send_start(const struct udp_dest *d)
{
	enum fam fam = addr_fam(&d->side->theirs);

	tx.dest = *d;
	addr_to_sockaddr(&tx.name, &d->side->theirs, d->side->their_port,
			 d->side->pif == PIF_HOST ? conf.net[fam].ifindex : 0);
	tx.common_len = 0;
	ctl_source(d, fam);
	ctl_marks(d, fam);
	tx.cnt = tx.iovs = 0;
	tx.error = 0;
}

static void send_all(void);
static void lost(int error, unsigned datagrams);

static void run_start(size_t unit)
{
	enum fam fam = addr_fam(&tx.dest.side->theirs);

	msgs[tx.cnt].msg_hdr = (struct msghdr) {
		.msg_name = &tx.name,
		.msg_namelen = fam == FAM4 ? sizeof(tx.name.in) :
					     sizeof(tx.name.in6),
		.msg_iov = &iovs[tx.iovs],
	};
	runs[tx.cnt++] = (struct run) { .unit = unit };
}

/* Whether @len bytes, in datagrams of @unit, may go behind what is there. */
static bool run_takes(const struct run *r, size_t len, size_t unit)
{
	unsigned segs = (unsigned)((len + unit - 1) / unit);

	if (r->ended || unit >= *tx.dest.gso_limit ||
	    r->segs + segs > UDP_SEGS_MAX || r->len + len > UDP_LEN_MAX)
		return false;
	return unit == r->unit || (segs == 1 && len < r->unit);
}

/* @n pieces of @len bytes, which are at the end of iovs. */
static void run_append(size_t len, unsigned n)
{
	struct run *r = &runs[tx.cnt - 1];

	msgs[tx.cnt - 1].msg_hdr.msg_iovlen += n;
	tx.iovs += n;
	r->len += len;
	r->segs += len ? (unsigned)((len + r->unit - 1) / r->unit) : 1;
	r->ended = !len || len % r->unit;
}

/* One datagram, or a train that is one message. */
static void add_one(const struct view *v, size_t unit)
{
	unsigned n;

	if (tx.cnt == UDP_BATCH)
		send_all();
	n = view_iov(v, iovs + tx.iovs, IOVS - tx.iovs);
	if (!n && v->len) {
		send_all();
		n = view_iov(v, iovs, IOVS);
	}
	if (!n && v->len) {	/* in more pieces than anybody makes */
		lost(EMSGSIZE, 1);
		return;
	}
	if (!v->len || !tx.cnt || !run_takes(&runs[tx.cnt - 1], v->len, unit))
		run_start(v->len ? unit : 0);
	run_append(v->len, n);
}

void udp_send_add(const struct view *v, size_t unit)
{
	struct view rest = *v;
	size_t most;

	if (!unit || unit >= v->len) {
		add_one(v, v->len);
		return;
	}
	most = unit >= *tx.dest.gso_limit ? unit :
	       unit * MIN(UDP_SEGS_MAX, UDP_LEN_MAX / unit);
	while (rest.len) {
		struct view part = rest;

		view_truncate(&part, most);
		add_one(&part, unit);
		view_trim_front(&rest, part.len);
	}
}

/* --- sending --- */

static void ctl_finish(unsigned i)
{
	struct msghdr *m = &msgs[i].msg_hdr;
	uint16_t unit = (uint16_t)runs[i].unit;
	size_t len = tx.common_len;

	memcpy(ctls[i].buf, tx.common.buf, len);
	if (runs[i].segs > 1)
		ctl_add(&ctls[i], &len, IPPROTO_UDP, UDP_SEGMENT, &unit,
			sizeof(unit));
	m->msg_control = len ? ctls[i].buf : NULL;
	m->msg_controllen = len;
}

static void lost(int error, unsigned datagrams)
{
	tx.error = -error;
	debug_limit("Datagram to port %u not sent: %s",
		    tx.dest.side->their_port, strerror(error));
	while (datagrams--)
		drop(DROP_NOT_SENT);
}

/* Whether the error may be that of an earlier datagram. */
static bool worth_another(int error)
{
	return error != EAGAIN && error != EINVAL && error != EIO;
}

static int send_one(const struct msghdr *m)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		if (sendmsg(tx.dest.fd, m, MSG_NOSIGNAL) >= 0)
			return 0;
		if (!worth_another(errno))
			break;
	}
	return errno;
}

/* The datagrams of a run, one by one. */
static void send_singly(unsigned i)
{
	struct msghdr m = msgs[i].msg_hdr;
	struct view rest = { m.msg_iov, 0, runs[i].len };
	struct iovec iov[UDP_BATCH];

	memcpy(ctls[i].buf, tx.common.buf, tx.common_len);
	m.msg_controllen = tx.common_len;
	m.msg_iov = iov;
	while (rest.len) {
		struct view part = rest;
		int error;

		view_truncate(&part, runs[i].unit);
		m.msg_iovlen = view_iov(&part, iov, UDP_BATCH);
		error = send_one(&m);
		if (error)
			lost(error, 1);
		view_trim_front(&rest, part.len);
	}
}

/* Message @i was refused with @error. */
static void refused(unsigned i, int error)
{
	const struct run *r = &runs[i];

	if (r->segs > 1 &&
	    (error == EIO || error == EINVAL || error == EMSGSIZE)) {
		*tx.dest.gso_limit = error == EIO ? 0 : (uint16_t)r->unit;
		send_singly(i);
		return;
	}
	lost(error, r->segs);
}

static void send_all(void)
{
	bool again = false;
	unsigned done = 0;

	for (unsigned i = 0; i < tx.cnt; i++)
		ctl_finish(i);
	while (done < tx.cnt) {
		int n;

		if (tx.cnt == 1)
			n = sendmsg(tx.dest.fd, &msgs[0].msg_hdr,
				    MSG_NOSIGNAL) < 0 ? -1 : 1;
		else
			n = sendmmsg(tx.dest.fd, msgs + done, tx.cnt - done,
				     MSG_NOSIGNAL);
		if (n > 0) {
			done += (unsigned)n;
			again = false;
		} else if (!again && worth_another(errno)) {
			again = true;
		} else {
			refused(done++, errno);
			again = false;
		}
	}
	tx.cnt = tx.iovs = 0;
}

int udp_send_finish(void)
{
	send_all();
	return tx.error;
}
