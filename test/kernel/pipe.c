/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipe.c - sizes of pipes, and splice() between them and sockets */
#include "test/kernel/kernel.h"

#define NB	(SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

TEST(resizing_returns_the_size_there_is_now)
{
	int p[2];

	OK(!pipe2(p, O_NONBLOCK));
	OK(fcntl(p[1], F_SETPIPE_SZ, 1 << 17) >= 1 << 17);
	EQ(fcntl(p[0], F_GETPIPE_SZ), fcntl(p[1], F_GETPIPE_SZ));
	close(p[0]);
	close(p[1]);
}

/* 16384 pages by default: 64 pipes of 1 MiB. */
TEST(an_ordinary_user_runs_into_a_quota_of_pages)
{
	int p[2], made = 0, refused = 0;

	if (!geteuid() && setresuid(54321, 54321, 54321))
		SKIP("cannot become an ordinary user");
	for (; made < 256 && !refused; made++) {
		OK(!pipe2(p, O_NONBLOCK));
		refused = fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0 ? errno : 0;
	}
	OK(!refused || refused == EPERM);
	if (!refused)
		SKIP("fs.pipe-user-pages-soft is lifted");
	OK(made > 1);
	/* further pipes still work, with less room */
	OK(!pipe2(p, O_NONBLOCK));
	OK(fcntl(p[0], F_GETPIPE_SZ) >= 4096);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

TEST(a_full_pipe_is_eagain_though_the_socket_has_bytes)
{
	static char bytes[4096];

	EACH_FAMILY(af) {
		int fd[2], p[2];
		ssize_t n;

		tcp_pair(af, fd);
		OK(!pipe2(p, O_NONBLOCK));
		fcntl(p[1], F_SETPIPE_SZ, 4096);
		while (write(p[1], bytes, sizeof(bytes)) > 0)
			;
		EQ(send(fd[0], "x", 1, 0), 1);
		OK(arrived(fd[1], 1));
		n = splice(fd[1], NULL, p[1], NULL, 1 << 20, NB);
		EQ(n, -1);
		EQ(errno, EAGAIN);
		OK(wait_for(fd[1], POLLIN, 0));
		close(p[0]);
		close(p[1]);
		close(fd[0]);
		close(fd[1]);
	}
}

TEST(an_empty_socket_is_eagain_and_an_ended_one_zero)
{
	EACH_FAMILY(af) {
		int fd[2], p[2];

		tcp_pair(af, fd);
		fcntl(fd[1], F_SETFL, O_NONBLOCK);
		OK(!pipe2(p, O_NONBLOCK));
		EQ(splice(fd[1], NULL, p[1], NULL, 1 << 20, NB), -1);
		EQ(errno, EAGAIN);
		shutdown(fd[0], SHUT_WR);
		OK(wait_for(fd[1], POLLIN, 1000));
		EQ(splice(fd[1], NULL, p[1], NULL, 1 << 20, NB), 0);
		close(p[0]);
		close(p[1]);
		close(fd[0]);
		close(fd[1]);
	}
}
