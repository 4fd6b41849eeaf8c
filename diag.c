/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.c - which ports somebody listens on, by NETLINK_SOCK_DIAG
 *
 * A dump restricted to listening sockets walks the kernel's table of listeners
 * only: some 10 us, however many connections there are. What procfs prints
 * instead is a walk over every connection of the whole machine. The request for
 * TCP is the one from before there were others: it is for both families, so
 * that the table, which can be large, is walked once.
 *
 * The kernel prepares an answer while we send the request, or receive the piece
 * before, so a non-blocking socket is never waited for. A dump that was left
 * unfinished is drained before the next, and its pieces are told apart by the
 * sequence number.
 *
 * Owns nothing but that number. diag_parse() is pure.
 */
#include "diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "buf.h"
#include "util.h"

/* An answer's pieces are at most this long: more than the kernel fills. */
#define PIECE_MAX	32768

SYSCALLS(pasta: sendto, recvfrom);

struct request {
	struct nlmsghdr hdr;
	union {
		struct inet_diag_req_v2 family;	/* SOCK_DIAG_BY_FAMILY */
		struct inet_diag_req tcp;	/* TCPDIAG_GETSOCK */
	} req;
};

static uint32_t last_seq;

int diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* An error number, negative as the kernel writes it; anything that is not one
 * is a broken message. */
static int parse_error(struct rd body)
{
	int error = -EBADMSG;

	rd_bytes(&body, &error, sizeof(error));
	return rd_ok(&body) && error <= 0 && error > -4096 ? error : -EBADMSG;
}

static void parse_socket(struct rd body, struct ports *out)
{
	struct inet_diag_msg msg;

	rd_bytes(&body, &msg, sizeof(msg));
	if (rd_ok(&body))
		port_set(out, ntohs(msg.id.idiag_sport));
}

int diag_parse(const void *piece, size_t len, uint32_t seq, struct ports *out)
{
	struct rd r = rd_init(piece, len);

	while (rd_more(&r)) {
		struct nlmsghdr hdr;
		struct rd body;

		rd_bytes(&r, &hdr, sizeof(hdr));
		body = rd_sub(&r, hdr.nlmsg_len < sizeof(hdr) ? SIZE_MAX :
				  hdr.nlmsg_len - sizeof(hdr));
		if (!rd_ok(&r))
			return -EBADMSG;
		rd_skip(&r, MIN(r.len, NLMSG_ALIGN(hdr.nlmsg_len) -
				       hdr.nlmsg_len));

		if (hdr.nlmsg_seq != seq)
			continue;
		if (hdr.nlmsg_type == NLMSG_DONE)
			return 0;
		if (hdr.nlmsg_type == NLMSG_ERROR)
			return parse_error(body);
		if (hdr.nlmsg_type == SOCK_DIAG_BY_FAMILY ||
		    hdr.nlmsg_type == TCPDIAG_GETSOCK)
			parse_socket(body, out);
	}
	return DIAG_MORE;
}

/* 0 done, DIAG_MORE, or -errno. -EAGAIN: nothing there. */
static int receive(int fd, uint32_t seq, struct ports *out)
{
	static _Alignas(struct nlmsghdr) uint8_t piece[PIECE_MAX];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EINTR ? DIAG_MORE : -errno;
	if ((size_t)n > sizeof(piece))
		return -EMSGSIZE;
	return diag_parse(piece, (size_t)n, seq, out);
}

static void drain(int fd)
{
	uint8_t byte;

	while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0 ||
	       errno == EINTR)
		;
}

static int dump(int fd, struct request *msg, size_t len, struct ports *out)
{
	int rc;

	msg->hdr.nlmsg_len = (uint32_t)(sizeof(msg->hdr) + len);
	msg->hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	msg->hdr.nlmsg_seq = ++last_seq;
	if (send(fd, msg, msg->hdr.nlmsg_len, 0) < 0)
		return -errno;
	do {
		rc = receive(fd, msg->hdr.nlmsg_seq, out);
	} while (rc == DIAG_MORE);
	return rc;
}

static int dump_family(int fd, enum fam fam, uint8_t proto, struct ports *out)
{
	struct request msg = {
		.hdr.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.req.family = {
			.sdiag_family = (uint8_t)addr_af(fam),
			.sdiag_protocol = proto,
			.idiag_states = 1u << (proto == IPPROTO_TCP ?
					       TCP_LISTEN : TCP_CLOSE),
		},
	};

	return dump(fd, &msg, sizeof(msg.req.family), out);
}

static int dump_tcp(int fd, struct ports *out)
{
	struct request msg = {
		.hdr.nlmsg_type = TCPDIAG_GETSOCK,
		.req.tcp = { .idiag_states = 1u << TCP_LISTEN },
	};

	return dump(fd, &msg, sizeof(msg.req.tcp), out);
}

static int dump_families(int fd, uint8_t proto, struct ports *out)
{
	for (unsigned fam = 0; fam < FAM_COUNT; fam++) {
		int rc = dump_family(fd, fam, proto, out);

		/* A kernel without IPv6 has no such sockets either */
		if (rc && !(rc == -ENOENT && fam == FAM6))
			return rc;
	}
	return 0;
}

int diag_ports(int fd, uint8_t proto, struct ports *out)
{
	int rc = -EOPNOTSUPP;

	memset(out, 0, sizeof(*out));
	if (proto == IPPROTO_TCP)
		rc = dump_tcp(fd, out);
	if (rc == -EOPNOTSUPP || rc == -EINVAL)	/* not known there */
		rc = dump_families(fd, proto, out);
	if (rc)
		drain(fd);
	return rc;
}
