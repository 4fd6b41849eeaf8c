/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nonlocal.c - bind() to a foreign address may succeed: it proves nothing */
#include <arpa/inet.h>

#include "test/kernel/kernel.h"

TEST(with_nonlocal_bind_any_address_can_be_bound)
{
	struct sockaddr_in s4 = { .sin_family = AF_INET };
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6 };
	int four = socket(AF_INET, SOCK_STREAM, 0);
	int six = socket(AF_INET6, SOCK_STREAM, 0);

	close(four);
	close(six);
	inet_pton(AF_INET, "192.0.2.77", &s4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::77", &s6.sin6_addr);
	if (!own_network() ||
	    !put("/proc/sys/net/ipv4/ip_nonlocal_bind", "1") ||
	    !put("/proc/sys/net/ipv6/ip_nonlocal_bind", "1"))
		SKIP("may not set up a network namespace");
	four = socket(AF_INET, SOCK_STREAM, 0);
	six = socket(AF_INET6, SOCK_STREAM, 0);
	EQ(bind(four, (struct sockaddr *)&s4, sizeof(s4)), 0);
	EQ(bind(six, (struct sockaddr *)&s6, sizeof(s6)), 0);
	close(four);
	close(six);
}
