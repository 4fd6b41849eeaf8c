/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset.c - when close() says RST instead of FIN */
#include "test/kernel/kernel.h"

static void linger_close(int fd)
{
	struct linger l = { 1, 0 };

	OK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	close(fd);
}

/* 0: end of file, -ECONNRESET: reset. */
static int ending(int fd)
{
	char byte;

	OK(wait_for(fd, POLLIN, 1000));
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? -errno : 0;
}

TEST(close_with_zero_linger_resets)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		linger_close(fd[1]);
		EQ(ending(fd[0]), -ECONNRESET);
		close(fd[0]);
	}
}

/* Who has seen the end of file already is told EPIPE. */
TEST(close_with_zero_linger_after_half_a_close_resets)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		shutdown(fd[1], SHUT_WR);
		EQ(ending(fd[0]), 0);
		linger_close(fd[1]);
		usleep(10000);
		EQ(get(fd[0], SOL_SOCKET, SO_ERROR), EPIPE);
		close(fd[0]);
	}
}

TEST(close_with_zero_linger_after_both_halves_ended_does_not)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		shutdown(fd[0], SHUT_WR);
		EQ(ending(fd[1]), 0);
		shutdown(fd[1], SHUT_WR);
		EQ(ending(fd[0]), 0);
		linger_close(fd[1]);
		usleep(10000);
		EQ(get(fd[0], SOL_SOCKET, SO_ERROR), 0);
		close(fd[0]);
	}
}

TEST(plain_close_with_bytes_unread_resets)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair_with(af, fd, "x");
		close(fd[1]);
		EQ(ending(fd[0]), -ECONNRESET);
		close(fd[0]);
	}
}

TEST(plain_close_with_bytes_only_peeked_resets_too)
{
	EACH_FAMILY(af) {
		int fd[2];
		char byte;

		tcp_pair_with(af, fd, "x");
		EQ(recv(fd[1], &byte, 1, MSG_PEEK), 1);
		close(fd[1]);
		EQ(ending(fd[0]), -ECONNRESET);
		close(fd[0]);
	}
}

TEST(plain_close_with_all_bytes_discarded_is_orderly)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair_with(af, fd, "x");
		EQ(recv(fd[1], NULL, 1, MSG_TRUNC), 1);
		close(fd[1]);
		EQ(ending(fd[0]), 0);
		close(fd[0]);
	}
}
