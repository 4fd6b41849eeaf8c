/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peek_off.c - SO_PEEK_OFF on TCP: each peek goes on where the last one ended
 *
 * On IPv4 since Linux 6.9, on IPv6 since 6.11.
 */
#include <sys/epoll.h>

#include "test/kernel/kernel.h"

static int peek(int fd, char *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_PEEK | MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? -errno : (int)n;
}

/* A pair with @text sent, and the receiver peeking from the start. */
static bool peeking(int af, int fd[2], const char *text)
{
	tcp_pair_with(af, fd, text);
	return !set(fd[1], SOL_SOCKET, SO_PEEK_OFF, 0);
}

static void done(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

#define WHY	"no SO_PEEK_OFF on TCP"

TEST(each_peek_returns_only_what_is_new)
{
	EACH_FAMILY(af) {
		char buf[16];
		int fd[2];

		if (!peeking(af, fd, "abcdef"))
			SKIP(WHY);
		EQ(peek(fd[1], buf, 4), 4);
		STREQ(buf, "abcd");
		EQ(peek(fd[1], buf, 8), 2);
		STREQ(buf, "ef");
		EQ(get(fd[1], SOL_SOCKET, SO_PEEK_OFF), 6);
		EQ(send(fd[0], "gh", 2, 0), 2);
		OK(arrived(fd[1], 8));
		EQ(peek(fd[1], buf, 8), 2);
		STREQ(buf, "gh");
		done(fd);
	}
}

TEST(with_nothing_new_peek_is_eagain_though_epollin_stays)
{
	EACH_FAMILY(af) {
		struct epoll_event e = { .events = EPOLLIN };
		int ep = epoll_create1(0), fd[2];
		char buf[16];

		if (!peeking(af, fd, "abc"))
			SKIP(WHY);
		EQ(peek(fd[1], buf, 8), 3);
		EQ(peek(fd[1], buf, 8), -EAGAIN);
		OK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &e));
		EQ(epoll_wait(ep, &e, 1, 0), 1);
		EQ(e.events, EPOLLIN);
		close(ep);
		done(fd);
	}
}

TEST(discarding_lowers_the_offset)
{
	EACH_FAMILY(af) {
		char buf[16];
		int fd[2];

		if (!peeking(af, fd, "abcdef"))
			SKIP(WHY);
		EQ(peek(fd[1], buf, 4), 4);
		EQ(recv(fd[1], NULL, 3, MSG_TRUNC | MSG_DONTWAIT), 3);
		EQ(get(fd[1], SOL_SOCKET, SO_PEEK_OFF), 1);
		EQ(peek(fd[1], buf, 8), 2);
		STREQ(buf, "ef");
		done(fd);
	}
}

TEST(the_offset_can_be_moved_back)
{
	EACH_FAMILY(af) {
		char buf[16];
		int fd[2];

		if (!peeking(af, fd, "abcdef"))
			SKIP(WHY);
		EQ(peek(fd[1], buf, 8), 6);
		OK(!set(fd[1], SOL_SOCKET, SO_PEEK_OFF, 2));
		EQ(peek(fd[1], buf, 8), 4);
		STREQ(buf, "cdef");
		done(fd);
	}
}

TEST(at_the_end_peek_returns_zero_only_after_all_was_peeked)
{
	EACH_FAMILY(af) {
		char buf[16];
		int fd[2];

		if (!peeking(af, fd, "abc"))
			SKIP(WHY);
		shutdown(fd[0], SHUT_WR);
		EQ(wait_for(fd[1], POLLRDHUP, 1000), POLLRDHUP);
		EQ(peek(fd[1], buf, 8), 3);
		EQ(peek(fd[1], buf, 8), 0);
		done(fd);
	}
}

TEST(an_urgent_byte_kept_in_line_is_peeked_in_its_place)
{
	EACH_FAMILY(af) {
		char buf[16] = "", all[16] = "";
		int fd[2], n, len = 0;

		if (!peeking(af, fd, "ab"))
			SKIP(WHY);
		OK(!set(fd[1], SOL_SOCKET, SO_OOBINLINE, 1));
		EQ(send(fd[0], "X", 1, MSG_OOB), 1);
		EQ(send(fd[0], "cd", 2, 0), 2);
		OK(arrived(fd[1], 5) || wait_for(fd[1], POLLPRI, 0));
		for (int tries = 0; len < 5 && tries < 100; tries++) {
			n = peek(fd[1], buf, 8);
			if (n <= 0) {
				usleep(1000);
				continue;
			}
			memcpy(all + len, buf, (size_t)n);
			len += n;
		}
		STREQ(all, "abXcd");
		done(fd);
	}
}

TEST(what_is_accepted_has_the_offset_of_its_listener)
{
	EACH_FAMILY(af) {
		int l = listener(af), c = socket(af, SOCK_STREAM, 0), a;

		if (set(l, SOL_SOCKET, SO_PEEK_OFF, 0))
			SKIP(WHY);
		OK(!connect_lo(c, af, port_of(l)));
		a = accept(l, NULL, NULL);
		EQ(get(a, SOL_SOCKET, SO_PEEK_OFF), 0);
		close(a);
		close(c);
		close(l);
	}
}
