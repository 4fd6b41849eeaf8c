/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.c - what an accepted socket has from its listener, and what not */
#include "test/kernel/kernel.h"

static void inherited(int level, int name)
{
	EACH_FAMILY(af) {
		int l = listener(af), c = socket(af, SOCK_STREAM, 0), a;

		OK(!set(l, level, name, 1));
		OK(!connect_lo(c, af, port_of(l)));
		a = accept(l, NULL, NULL);
		EQ(get(a, level, name), 1);
		EQ(get(c, level, name), 0);
		close(a);
		close(c);
		close(l);
	}
}

TEST(tcp_nodelay_is_inherited)
{
	inherited(IPPROTO_TCP, TCP_NODELAY);
}

TEST(so_oobinline_is_inherited)
{
	inherited(SOL_SOCKET, SO_OOBINLINE);
}

TEST(flags_of_the_descriptor_are_not)
{
	EACH_FAMILY(af) {
		int l = listener(af), c = socket(af, SOCK_STREAM, 0), a;

		fcntl(l, F_SETFL, O_NONBLOCK);
		fcntl(l, F_SETFD, FD_CLOEXEC);
		OK(!connect_lo(c, af, port_of(l)));
		OK(wait_for(l, POLLIN, 1000));
		a = accept(l, NULL, NULL);
		OK(!(fcntl(a, F_GETFL) & O_NONBLOCK));
		OK(!(fcntl(a, F_GETFD) & FD_CLOEXEC));
		close(a);
		close(c);
		close(l);
	}
}
