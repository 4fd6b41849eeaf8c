/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.h - what programs that question the kernel have in common */
#ifndef KERNEL_H
#define KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/unit/test.h"

static const int families[] = { AF_INET, AF_INET6 };
#define EACH_FAMILY(af)							\
	for (int i_ = 0, af = AF_INET; i_ < 2 && (af = families[i_]); i_++)

static inline socklen_t loopback(int af, struct sockaddr_storage *ss,
				 unsigned port)
{
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)af;
	if (af == AF_INET) {
		s4->sin_port = htons((uint16_t)port);
		s4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*s4);
	}
	s6->sin6_port = htons((uint16_t)port);
	s6->sin6_addr = in6addr_loopback;
	return sizeof(*s6);
}

static inline unsigned port_of(int fd)
{
	struct sockaddr_in6 s6;		/* ports are in the same place */
	socklen_t len = sizeof(s6);

	return getsockname(fd, (struct sockaddr *)&s6, &len) ? 0 :
	       ntohs(s6.sin6_port);
}

static inline int bind_lo(int fd, int af, unsigned port)
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(af, &ss, port);

	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static inline int connect_lo(int fd, int af, unsigned port)
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(af, &ss, port);

	return connect(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static inline int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static inline int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

static inline int listener(int af)
{
	int fd = socket(af, SOCK_STREAM, 0);

	if (fd < 0 || bind_lo(fd, af, 0) || listen(fd, 8)) {
		perror("listener");
		exit(1);
	}
	return fd;
}

/* fd[0] connected, fd[1] accepted. */
static inline void tcp_pair(int af, int fd[2])
{
	int l = listener(af);

	fd[0] = socket(af, SOCK_STREAM, 0);
	if (connect_lo(fd[0], af, port_of(l)) ||
	    (fd[1] = accept(l, NULL, NULL)) < 0) {
		perror("tcp_pair");
		exit(1);
	}
	close(l);
}

/* Whether one of @events comes within @ms. */
static inline int wait_for(int fd, short events, int ms)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

/* Until @n bytes are there to read. */
static inline bool arrived(int fd, int n)
{
	for (int tries = 0, have = 0; tries < 200; tries++) {
		if (!ioctl(fd, FIONREAD, &have) && have >= n)
			return true;
		usleep(1000);
	}
	return false;
}

/* A tcp_pair(), and @text to be read from its fd[1]. */
static inline void tcp_pair_with(int af, int fd[2], const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	tcp_pair(af, fd);
	EQ(send(fd[0], text, (size_t)len, 0), len);
	OK(arrived(fd[1], (int)len));
}

static inline bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 &&
		  write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return ok;
}

static inline int link_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), rc;
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	rc = ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;
	close(fd);
	return rc;
}

/* From now on in a network namespace of our own, with a user namespace when
 * that is what it takes; loopback is up. */
static inline bool own_network(void)
{
	return (!unshare(CLONE_NEWNET) ||
		!unshare(CLONE_NEWUSER | CLONE_NEWNET)) && !link_up("lo");
}

#endif
