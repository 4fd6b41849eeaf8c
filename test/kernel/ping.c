/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ping.c - echo sockets, which need no privilege but a group that is allowed */
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "test/kernel/kernel.h"

struct echo {
	uint8_t type, code;
	uint16_t csum, id, seq;
};

static int ping_socket(int af)
{
	return socket(af, SOCK_DGRAM | SOCK_NONBLOCK,
		      af == AF_INET ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6);
}

static bool allowed(void)
{
	int fd = ping_socket(AF_INET);

	close(fd);
	return fd >= 0 || (own_network() &&
		put("/proc/sys/net/ipv4/ping_group_range", "0 4294967294") &&
		(fd = ping_socket(AF_INET)) >= 0 && !close(fd));
}

static bool ask(int fd, int af, uint16_t id, uint16_t seq)
{
	struct echo e = {
		.type = af == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
		.id = htons(id), .seq = htons(seq),
	};
	struct sockaddr_storage to;
	socklen_t len = loopback(af, &to, 0);

	return sendto(fd, &e, sizeof(e), 0, (struct sockaddr *)&to, len) ==
	       sizeof(e);
}

/* The sequence number of the next reply, or -1; its identifier in *id. */
static int reply(int fd, uint16_t *id)
{
	struct echo e;

	if (!wait_for(fd, POLLIN, 300) || recv(fd, &e, sizeof(e), 0) < 0)
		return -1;
	*id = ntohs(e.id);
	return ntohs(e.seq);
}

TEST(the_identifier_sent_is_that_of_the_socket)
{
	if (!allowed())
		SKIP("no echo sockets for this group (ping_group_range)");
	EACH_FAMILY(af) {
		int fd = ping_socket(af);
		uint16_t id = 0;

		OK(!bind_lo(fd, af, 4711));
		EQ(port_of(fd), 4711);
		OK(ask(fd, af, 1234, 7));
		EQ(reply(fd, &id), 7);
		EQ(id, 4711);
		close(fd);
	}
}

TEST(unbound_it_gets_an_identifier_when_it_sends)
{
	if (!allowed())
		SKIP("no echo sockets for this group (ping_group_range)");
	EACH_FAMILY(af) {
		int fd = ping_socket(af);
		uint16_t id = 0;

		OK(ask(fd, af, 1234, 8));
		EQ(reply(fd, &id), 8);
		OK(id);
		EQ(id, port_of(fd));
		close(fd);
	}
}

TEST(it_gets_the_replies_to_its_own_identifier_and_no_other)
{
	if (!allowed())
		SKIP("no echo sockets for this group (ping_group_range)");
	EACH_FAMILY(af) {
		int a = ping_socket(af), b = ping_socket(af);
		uint16_t id;

		OK(!bind_lo(a, af, 4711));
		OK(!bind_lo(b, af, 4712));
		OK(ask(a, af, 0, 9));
		EQ(reply(a, &id), 9);
		EQ(reply(b, &id), -1);
		close(a);
		close(b);
	}
}

/* Who asks for one gets it, even if somebody has it: we never do. */
TEST(those_that_the_kernel_chooses_are_all_different)
{
	static uint8_t seen[65536];

	if (!allowed())
		SKIP("no echo sockets for this group (ping_group_range)");
	EACH_FAMILY(af) {
		int fd[100];

		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < 100; i++) {
			fd[i] = ping_socket(af);
			OK(ask(fd[i], af, 0, 1));
			OK(!seen[port_of(fd[i])]++);
		}
		for (int i = 0; i < 100; i++)
			close(fd[i]);
	}
}

TEST(what_is_no_echo_request_is_refused)
{
	if (!allowed())
		SKIP("no echo sockets for this group (ping_group_range)");
	EACH_FAMILY(af) {
		struct echo e = { .type = af == AF_INET ? ICMP_ECHOREPLY :
							  ICMP6_ECHO_REPLY };
		struct sockaddr_storage to;
		socklen_t len = loopback(af, &to, 0);
		int fd = ping_socket(af);

		EQ(sendto(fd, &e, sizeof(e), 0, (struct sockaddr *)&to, len),
		   -1);
		EQ(errno, EINVAL);
		close(fd);
	}
}
