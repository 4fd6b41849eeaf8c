/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll.c - what epoll tells about TCP sockets, asked for or not */
#include <sys/epoll.h>

#include "test/kernel/kernel.h"

static int ep;

static void watch(int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };

	ep = epoll_create1(0);
	OK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static uint32_t told(int ms)
{
	struct epoll_event e = { 0 };

	return epoll_wait(ep, &e, 1, ms) == 1 ? e.events : 0;
}

#define ALL	(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

TEST(err_and_hup_are_told_though_not_asked_for)
{
	EACH_FAMILY(af) {
		struct linger l = { 1, 0 };
		uint32_t e;
		int fd[2];

		tcp_pair(af, fd);
		watch(fd[1], 0);
		EQ(told(0), 0);
		setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		close(fd[0]);
		e = told(1000);
		OK(e & EPOLLERR);
		OK(e & EPOLLHUP);
		close(fd[1]);
		close(ep);
	}
}

TEST(an_unconnected_tcp_socket_is_hung_up)
{
	EACH_FAMILY(af) {
		int fd = socket(af, SOCK_STREAM, 0);

		watch(fd, ALL);
		OK(told(0) & EPOLLHUP);
		close(fd);
		close(ep);
	}
}

TEST(rdhup_by_level_is_told_until_the_descriptor_is_closed)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		watch(fd[1], EPOLLRDHUP);
		shutdown(fd[0], SHUT_WR);
		for (int i = 0; i < 5; i++)
			EQ(told(1000), EPOLLRDHUP);
		close(fd[0]);
		close(fd[1]);
		close(ep);
	}
}

TEST(by_edge_each_arrival_is_told_once)
{
	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		watch(fd[1], ALL);
		EQ(told(0), EPOLLOUT);
		for (int i = 0; i < 3; i++) {
			EQ(send(fd[0], "x", 1, 0), 1);
			OK(told(1000) & EPOLLIN);	/* unread, or not */
			EQ(told(0), 0);
		}
		shutdown(fd[0], SHUT_WR);
		OK(told(1000) & EPOLLRDHUP);
		EQ(told(0), 0);
		close(fd[0]);
		close(fd[1]);
		close(ep);
	}
}

TEST(by_edge_room_is_told_after_it_had_run_out)
{
	static char bytes[1 << 20];

	EACH_FAMILY(af) {
		int fd[2];

		tcp_pair(af, fd);
		fcntl(fd[0], F_SETFL, O_NONBLOCK);
		fcntl(fd[1], F_SETFL, O_NONBLOCK);
		watch(fd[0], ALL);
		EQ(told(0), EPOLLOUT);
		while (send(fd[0], bytes, sizeof(bytes), 0) > 0)
			;
		EQ(errno, EAGAIN);
		EQ(told(0), 0);
		for (int i = 0; i < 100; i++)
			while (recv(fd[1], bytes, sizeof(bytes), 0) > 0)
				;
		OK(told(1000) & EPOLLOUT);
		close(fd[0]);
		close(fd[1]);
		close(ep);
	}
}

TEST(a_descriptor_leaves_when_closed_unless_a_copy_is_left)
{
	EACH_FAMILY(af) {
		int fd[2], copy;

		tcp_pair(af, fd);
		watch(fd[1], EPOLLOUT);
		copy = dup(fd[1]);
		close(fd[1]);
		EQ(told(0), EPOLLOUT);
		close(copy);
		EQ(told(0), 0);
		close(fd[0]);
		close(ep);
	}
}
