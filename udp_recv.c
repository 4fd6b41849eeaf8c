/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_recv.c - datagrams out of a socket, many per call
 *
 * One recvmmsg() takes up to a batch, each message a datagram or, with UDP_GRO,
 * a train of datagrams of one size. Nothing is ever peeked at, so nothing that
 * cannot be delivered is seen twice. Sockets are level-triggered: one batch per
 * event is a fair share, and a batch that is not full needs no second call to
 * know that it was the last.
 *
 * Owns the memory they land in: static, and touched only where used.
 */
#include "udp_flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

SYSCALLS(recvmmsg);

#define SLOT	65536u		/* no train is longer */
#define ROOM	1600u		/* in front: see struct udp_got; that much, so
				 * that common sizes do not share the few cache
				 * sets which multiples of 64 KiB have */

/* Of large messages as many at once as caches hold. */
#define LARGE		16384u
#define BATCH_LARGE	8u

#define CTL_MAX	(CMSG_SPACE(sizeof(struct in6_pktinfo)) +		\
		 CMSG_SPACE(sizeof(struct in_pktinfo)) +		\
		 CMSG_SPACE(sizeof(int)) * 2)

struct ctl {
	_Alignas(struct cmsghdr) char buf[CTL_MAX];
};

static uint8_t slots[UDP_BATCH][ROOM + SLOT] __attribute__((aligned(4096)));
static struct mmsghdr msgs[UDP_BATCH];
static struct iovec iovs[UDP_BATCH];
static union sockaddr_any names[UDP_BATCH];
static struct ctl ctls[UDP_BATCH];
static struct udp_got gots[UDP_BATCH];
static bool full;		/* the last batch was */

static void take_tos4(struct udp_got *g, const struct cmsghdr *c)
{
	g->tos = *CMSG_DATA(c);
}

static void take_tos6(struct udp_got *g, const struct cmsghdr *c)
{
	int tclass;

	memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
	g->tos = (uint8_t)tclass;
}

static void take_ours(struct udp_got *g, const struct cmsghdr *c)
{
	addr_from_pktinfo(&g->ours, c);
}

/* The kernel knows which addresses are those of all of a network: from them it
 * would not answer. */
static void take_ours4(struct udp_got *g, const struct cmsghdr *c)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	g->to_all = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
	take_ours(g, c);
}

static void take_unit(struct udp_got *g, const struct cmsghdr *c)
{
	int unit;

	memcpy(&unit, CMSG_DATA(c), sizeof(unit));
	if (unit > 0 && (size_t)unit < g->data.iov_len)
		g->unit = (uint16_t)unit;
}

static const struct {
	int level, type;
	void (*take)(struct udp_got *g, const struct cmsghdr *c);
} takers[] = {
	{ IPPROTO_IP,	IP_TOS,		take_tos4 },
	{ IPPROTO_IP,	IP_PKTINFO,	take_ours4 },
	{ IPPROTO_IPV6,	IPV6_TCLASS,	take_tos6 },
	{ IPPROTO_IPV6,	IPV6_PKTINFO,	take_ours },
	{ IPPROTO_UDP,	UDP_GRO,	take_unit },
};

static void take_controls(struct udp_got *g, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		for (unsigned i = 0; i < ARRAY_SIZE(takers); i++) {
			if (takers[i].level == c->cmsg_level &&
			    takers[i].type == c->cmsg_type)
				takers[i].take(g, c);
		}
	}
}

static void prepare(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		iovs[i] = (struct iovec) { slots[i] + ROOM, SLOT };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &names[i], .msg_namelen = sizeof(names[i]),
			.msg_iov = &iovs[i], .msg_iovlen = 1,
			.msg_control = ctls[i].buf,
			.msg_controllen = sizeof(ctls[i].buf),
		};
	}
}

/* The first call may bring the error of something sent earlier. */
static int receive(int fd, unsigned most)
{
	int n = recvmmsg(fd, msgs, most, 0, NULL);

	if (n < 0 && errno != EAGAIN)
		n = recvmmsg(fd, msgs, most, 0, NULL);
	return n;
}

bool udp_recv_full(void)
{
	return full;
}

unsigned udp_recv(int fd, const struct udp_got **got)
{
	static unsigned used = UDP_BATCH;	/* by the call before */
	static bool large;			/* so were its messages */
	unsigned most = large ? BATCH_LARGE : UDP_BATCH;
	int n;

	prepare(used);
	used = 0;
	*got = gots;
	n = receive(fd, most);
	full = n == (int)most;
	if (n <= 0)
		return 0;

	used = (unsigned)n;
	large = msgs[used - 1].msg_len >= LARGE;
	for (unsigned i = 0; i < used; i++) {
		struct udp_got *g = &gots[i];

		*g = (struct udp_got) {
			.data = { slots[i] + ROOM, msgs[i].msg_len },
		};
		addr_from_sockaddr(&g->peer, &g->peer_port, &names[i]);
		take_controls(g, &msgs[i].msg_hdr);
	}
	return used;
}
