/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind.c - what bind() says about an address, and binding to devices */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "test/kernel/kernel.h"

static const char *const absent[] = { "192.0.2.77", "2001:db8::77" };

static int bind_text(int fd, int af, const char *text, unsigned port)
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(af, &ss, port);

	inet_pton(af, text, af == AF_INET ?
		  (void *)&((struct sockaddr_in *)&ss)->sin_addr :
		  (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr);
	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

TEST(an_address_and_port_in_use_is_eaddrinuse)
{
	EACH_FAMILY(af) {
		int l = listener(af), fd = socket(af, SOCK_STREAM, 0);

		EQ(bind_lo(fd, af, port_of(l)), -EADDRINUSE);
		OK(!set(fd, SOL_SOCKET, SO_REUSEADDR, 1));
		EQ(bind_lo(fd, af, port_of(l)), -EADDRINUSE);
		close(fd);
		close(l);
	}
}

TEST(a_port_of_old_connections_is_free_with_reuseaddr)
{
	EACH_FAMILY(af) {
		int l = socket(af, SOCK_STREAM, 0);
		int c = socket(af, SOCK_STREAM, 0), a;
		unsigned port;

		OK(!set(l, SOL_SOCKET, SO_REUSEADDR, 1));
		OK(!bind_lo(l, af, 0));
		OK(!listen(l, 1));
		port = port_of(l);
		OK(!connect_lo(c, af, port));
		a = accept(l, NULL, NULL);
		close(l);
		close(a);		/* it ends first: TIME_WAIT is ours */
		close(c);
		l = socket(af, SOCK_STREAM, 0);
		EQ(bind_lo(l, af, port), -EADDRINUSE);
		OK(!set(l, SOL_SOCKET, SO_REUSEADDR, 1));
		EQ(bind_lo(l, af, port), 0);
		close(l);
	}
}

TEST(an_address_we_do_not_have_is_eaddrnotavail)
{
	EACH_FAMILY(af) {
		int fd = socket(af, SOCK_STREAM, 0);

		EQ(bind_text(fd, af, absent[af != AF_INET], 0),
		   -EADDRNOTAVAIL);
		close(fd);
	}
}

TEST(an_address_of_ipv6_with_v6only_leaves_the_port_to_ipv4)
{
	int six = socket(AF_INET6, SOCK_STREAM, 0);
	int four = socket(AF_INET, SOCK_STREAM, 0);

	OK(!set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	OK(!bind_text(six, AF_INET6, "::", 0));
	OK(!listen(six, 1));
	EQ(bind_text(four, AF_INET, "0.0.0.0", port_of(six)), 0);
	EQ(listen(four, 1), 0);
	close(six);
	close(four);
}

TEST(without_v6only_it_takes_the_port_of_both)
{
	int six = socket(AF_INET6, SOCK_STREAM, 0);
	int four = socket(AF_INET, SOCK_STREAM, 0);

	OK(!set(six, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	OK(!bind_text(six, AF_INET6, "::", 0));
	OK(!listen(six, 1));
	EQ(bind_text(four, AF_INET, "0.0.0.0", port_of(six)), -EADDRINUSE);
	close(six);
	close(four);
}

TEST(connect_to_the_unspecified_address_reaches_this_host)
{
	EACH_FAMILY(af) {
		int l = listener(af), fd = socket(af, SOCK_STREAM, 0);
		struct sockaddr_storage ss;
		socklen_t len = loopback(af, &ss, port_of(l));

		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_any;
		if (af == AF_INET)
			((struct sockaddr_in *)&ss)->sin_addr.s_addr = 0;
		EQ(connect(fd, (struct sockaddr *)&ss, len), 0);
		close(fd);
		close(l);
	}
}

/* From here on without capabilities, in a namespace of its own: the system's
 * settings for low ports may be anything. */
static bool give_up_privilege(void)
{
	struct __user_cap_header_struct hdr = {
		_LINUX_CAPABILITY_VERSION_3, 0
	};
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	return own_network() && !syscall(SYS_capset, &hdr, none);
}

static bool unprivileged;

TEST(without_privilege_a_socket_can_be_bound_to_a_device_once)
{
	unprivileged = give_up_privilege();
	if (!unprivileged)
		SKIP("may not make a network namespace");
	EACH_FAMILY(af) {
		int fd = socket(af, SOCK_STREAM, 0);

		if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2))
			SKIP("SO_BINDTODEVICE needs privilege (before 5.7)");
		EQ(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), -1);
		EQ(errno, EPERM);
		close(fd);
	}
}

TEST(without_privilege_a_low_port_is_eacces)
{
	if (!unprivileged)
		SKIP("may not make a network namespace");
	EACH_FAMILY(af) {
		int fd = socket(af, SOCK_STREAM, 0);

		EQ(bind_lo(fd, af, 80), -EACCES);
		close(fd);
	}
}
