/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp.c - who gets a datagram, what it says of itself, how trains are cut */
#include "test/kernel/kernel.h"

#include <linux/errqueue.h>
#include <netinet/udp.h>

static int bound(int af, unsigned port, bool any)
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(af, &ss, port);
	int fd = socket(af, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (any && af == AF_INET)
		((struct sockaddr_in *)&ss)->sin_addr.s_addr = 0;
	else if (any)
		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_any;
	OK(!set(fd, SOL_SOCKET, SO_REUSEADDR, 1));
	OK(!bind(fd, (struct sockaddr *)&ss, len));
	return fd;
}

/* The one of @n sockets at which a datagram from @from to @port arrives, or -1. */
static int taker(int from, int af, unsigned port, const int *fd, int n)
{
	struct sockaddr_storage to;
	socklen_t len = loopback(af, &to, port);
	int got = -1;
	char c;

	EQ(sendto(from, "x", 1, 0, (struct sockaddr *)&to, len), 1);
	for (int tries = 0; tries < 200 && got < 0; tries++) {
		for (int i = 0; i < n; i++)
			if (recv(fd[i], &c, 1, 0) == 1)
				got = i;
		usleep(500);
	}
	return got;
}

/* In all orders of creation; 0 is the wildcard, 1 the address, 2 the peer. */
TEST(the_connected_socket_is_preferred_then_the_address_whoever_was_first)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};

	EACH_FAMILY(af) for (int o = 0; o < 6; o++) {
		int fd[3], peer = bound(af, 0, false), spare = bound(af, 0, false);
		int stranger = bound(af, 0, false);
		unsigned port = port_of(spare);

		close(spare);
		for (int i = 0; i < 3; i++)
			fd[orders[o][i]] = bound(af, port, !orders[o][i]);
		OK(!connect_lo(fd[2], af, port_of(peer)));
		EQ(taker(peer, af, port, fd, 3), 2);
		EQ(taker(stranger, af, port, fd, 2), 1);
		close(fd[1]);
		EQ(taker(stranger, af, port, fd, 1), 0);
		close(fd[0]);
		close(fd[2]);
		close(peer);
		close(stranger);
	}
}

TEST(connect_fixes_the_local_address_and_keeps_the_port)
{
	EACH_FAMILY(af) {
		int peer = bound(af, 0, false), fd = bound(af, 0, true);
		struct sockaddr_storage want, ours;
		socklen_t len = loopback(af, &want, port_of(fd)), got = len;

		OK(!connect_lo(fd, af, port_of(peer)));
		OK(!getsockname(fd, (struct sockaddr *)&ours, &got));
		EQ(got, len);
		MEMEQ(&ours, &want, len);
		close(fd);
		close(peer);
	}
}

/* RFC 4291 2.5.5.2: what a dual socket is told of IPv4. */
TEST(a_dual_socket_learns_the_destination_of_ipv4_in_mapped_form)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	int from = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	union {
		char buf[256];
		struct cmsghdr align;
	} control;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct in6_pktinfo info = { 0 };

	OK(!set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	OK(!set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	OK(!bind(fd, (struct sockaddr *)&any, sizeof(any)));
	OK(!connect_lo(from, AF_INET, port_of(fd)));
	EQ(send(from, "x", 1, 0), 1);
	EQ(recvmsg(fd, &m, 0), 1);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(h), sizeof(info));
	OK(IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr));
	EQ(info.ipi6_addr.s6_addr[12], 127);
	close(fd);
	close(from);
}

/* ICMP errors: once each, with who reported it and the datagram's beginning. */
TEST(an_error_waits_in_the_queue_with_its_origin)
{
	EACH_FAMILY(af) {
		int fd = bound(af, 0, false), nobody = bound(af, 0, false);
		unsigned port = port_of(nobody);
		struct sock_extended_err err = { 0 };
		char control[256], text[8] = "";
		struct iovec iov = { text, sizeof(text) };
		struct msghdr m = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		close(nobody);
		OK(!set(fd, af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			af == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
		OK(!connect_lo(fd, af, port));
		EQ(send(fd, "hello", 5, 0), 5);
		OK(wait_for(fd, POLLERR, 1000) & POLLERR);
		EQ(recvmsg(fd, &m, MSG_ERRQUEUE), 5);
		OK(!memcmp(text, "hello", 5));
		memcpy(&err, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(err));
		EQ(err.ee_errno, ECONNREFUSED);
		EQ(err.ee_origin, af == AF_INET ? SO_EE_ORIGIN_ICMP :
						  SO_EE_ORIGIN_ICMP6);
		EQ(recvmsg(fd, &m, MSG_ERRQUEUE), -1);
		EQ(errno, EAGAIN);
		EQ(get(fd, SOL_SOCKET, SO_ERROR), 0);
		close(fd);
	}
}

TEST(a_train_is_cut_into_datagrams_and_may_be_received_as_one)
{
	EACH_FAMILY(af) {
		int fd[2] = { bound(af, 0, false), bound(af, 0, false) };
		char buf[4096] = { 0 };

		OK(!connect_lo(fd[0], af, port_of(fd[1])));
		if (set(fd[0], IPPROTO_UDP, UDP_SEGMENT, 1000))
			SKIP("no UDP_SEGMENT (before 4.18)");
		EQ(send(fd[0], buf, 2500, 0), 2500);
		OK(wait_for(fd[1], POLLIN, 1000));
		EQ(recv(fd[1], buf, sizeof(buf), 0), 1000);
		EQ(recv(fd[1], buf, sizeof(buf), 0), 1000);
		EQ(recv(fd[1], buf, sizeof(buf), 0), 500);

		if (set(fd[1], IPPROTO_UDP, UDP_GRO, 1))
			SKIP("no UDP_GRO (before 5.0)");
		EQ(send(fd[0], buf, 2500, 0), 2500);
		OK(wait_for(fd[1], POLLIN, 1000));
		EQ(recv(fd[1], buf, sizeof(buf), 0), 2500);
		close(fd[0]);
		close(fd[1]);
	}
}
