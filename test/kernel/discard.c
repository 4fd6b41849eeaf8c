/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discard.c - bytes leave a receive queue without being copied */
#include "test/kernel/kernel.h"

TEST(recv_of_no_buffer_with_msg_trunc_discards_tcp_bytes)
{
	EACH_FAMILY(af) {
		char buf[16] = "";
		int fd[2];

		tcp_pair_with(af, fd, "abcdef");
		EQ(recv(fd[1], NULL, 4, MSG_TRUNC | MSG_DONTWAIT), 4);
		EQ(recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT), 2);
		STREQ(buf, "ef");
		close(fd[0]);
		close(fd[1]);
	}
}

TEST(no_more_is_discarded_than_is_there)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair_with(af, fd, "abc");
		EQ(recv(fd[1], NULL, 1 << 20, MSG_TRUNC | MSG_DONTWAIT), 3);
		EQ(recv(fd[1], NULL, 1, MSG_TRUNC | MSG_DONTWAIT), -1);
		EQ(errno, EAGAIN);
		close(fd[0]);
		close(fd[1]);
	}
}

TEST(recvmsg_without_iovec_discards_one_datagram)
{
	EACH_FAMILY(af) {
		int fd = socket(af, SOCK_DGRAM, 0);
		struct msghdr none = { 0 };
		char buf[16] = "";

		OK(!bind_lo(fd, af, 0));
		OK(!connect_lo(fd, af, port_of(fd)));
		EQ(send(fd, "first", 5, 0), 5);
		EQ(send(fd, "next", 4, 0), 4);
		EQ(recvmsg(fd, &none, MSG_DONTWAIT), 0);
		OK(none.msg_flags & MSG_TRUNC);
		EQ(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 4);
		STREQ(buf, "next");
		close(fd);
	}
}
