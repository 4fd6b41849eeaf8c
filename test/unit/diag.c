/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: diag addr buf util */
/* diag.c - who listens is found, and nobody else; answers of any length are
 * read, broken ones are not
 */
#include "diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "test/unit/test.h"
#include "util.h"

#define EACH_FAM	for (unsigned fam = 0; fam < FAM_COUNT; fam++)

/* --- the kernel's answers --- */

/* A bound socket on loopback; *port says where. */
static int bound(enum fam fam, int type, uint16_t *port)
{
	int fd = socket(addr_af(fam), type, 0);
	struct addr lo = addr_loopback(fam);
	union sockaddr_any sa;
	socklen_t len = addr_to_sockaddr(&sa, &lo, 0, 0);

	OK(!bind(fd, &sa.sa, len));
	len = sizeof(sa);
	OK(!getsockname(fd, &sa.sa, &len));
	OK(addr_from_sockaddr(&lo, port, &sa));
	return fd;
}

static bool listed(uint8_t proto, uint16_t port)
{
	static struct ports p;
	int fd = diag_open();
	int rc = diag_ports(fd, proto, &p);

	EQ(rc, 0);
	close(fd);
	return port_get(&p, port);
}

TEST(a_tcp_port_is_listed_while_somebody_listens)
{
	EACH_FAM {
		uint16_t port;
		int fd = bound(fam, SOCK_STREAM, &port);

		OK(!listed(IPPROTO_TCP, port));	/* only bound */
		listen(fd, 1);
		OK(listed(IPPROTO_TCP, port));
		OK(!listed(IPPROTO_UDP, port));
		close(fd);
		OK(!listed(IPPROTO_TCP, port));
	}
}

TEST(a_udp_port_is_listed_while_bound_and_not_connected)
{
	EACH_FAM {
		uint16_t port;
		int fd = bound(fam, SOCK_DGRAM, &port);
		struct addr lo = addr_loopback(fam);
		union sockaddr_any sa;
		socklen_t len = addr_to_sockaddr(&sa, &lo, 9, 0);

		OK(listed(IPPROTO_UDP, port));
		OK(!listed(IPPROTO_TCP, port));
		OK(!connect(fd, &sa.sa, len));
		OK(!listed(IPPROTO_UDP, port));
		close(fd);
	}
}

TEST(more_listeners_than_fit_one_answer_are_all_listed)
{
	enum { CNT = 700 };
	static int fd[FAM_COUNT][CNT];
	static uint16_t port[FAM_COUNT][CNT];
	static struct ports p;
	unsigned missing = 0;
	int d = diag_open();

	EACH_FAM for (unsigned i = 0; i < CNT / 2; i++) {
		fd[fam][i] = bound(fam, SOCK_STREAM, &port[fam][i]);
		listen(fd[fam][i], 1);
	}
	EQ(diag_ports(d, IPPROTO_TCP, &p), 0);
	EACH_FAM for (unsigned i = 0; i < CNT / 2; i++)
		missing += !port_get(&p, port[fam][i]);
	EQ(missing, 0);
	EACH_FAM for (unsigned i = 0; i < CNT / 2; i++)
		close(fd[fam][i]);
	EQ(diag_ports(d, IPPROTO_TCP, &p), 0);
	EACH_FAM for (unsigned i = 0; i < CNT / 2; i++)
		missing += port_get(&p, port[fam][i]);
	EQ(missing, 0);
	close(d);
}

TEST(a_dump_left_unfinished_does_not_spoil_the_next_one)
{
	static struct ports p;
	uint16_t port;
	int fd = bound(FAM4, SOCK_STREAM, &port), d = diag_open();
	struct {
		struct nlmsghdr hdr;
		struct inet_diag_req_v2 req;
	} msg = {
		{ .nlmsg_len = sizeof(msg), .nlmsg_seq = 0xffff0000,
		  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		{ .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP,
		  .idiag_states = ~0u },
	};
	uint16_t udp;
	int u = bound(FAM4, SOCK_DGRAM, &udp);

	listen(fd, 1);
	EQ(send(d, &msg, sizeof(msg), 0), sizeof(msg));
	/* Its answer lies in the queue. Once this one failed, all is well. */
	if (diag_ports(d, IPPROTO_TCP, &p))
		EQ(diag_ports(d, IPPROTO_TCP, &p), 0);
	OK(port_get(&p, port));
	OK(!port_get(&p, udp));
	close(d);
	close(fd);
	close(u);
}

TEST(a_socket_sees_the_namespace_it_was_opened_in)
{
	static struct ports p;
	uint16_t port;
	int fd = bound(FAM4, SOCK_STREAM, &port), here = diag_open(), there;

	if (unshare(CLONE_NEWNET)) {
		close(fd);
		close(here);
		SKIP("may not make a network namespace");
	}
	there = diag_open();
	listen(fd, 1);
	EQ(diag_ports(here, IPPROTO_TCP, &p), 0);
	OK(port_get(&p, port));
	EQ(diag_ports(there, IPPROTO_TCP, &p), 0);
	OK(!port_get(&p, port));
	close(here);
	close(there);
	close(fd);
}

TEST(no_socket_no_answer)
{
	static struct ports p;

	EQ(diag_ports(-1, IPPROTO_TCP, &p), -EBADF);
}

/* --- answers made up --- */

static uint8_t answer[1024];
static size_t answer_len;

static void put_message(uint16_t type, uint32_t seq, const void *body,
			size_t len, uint32_t claimed)
{
	struct nlmsghdr h = {
		.nlmsg_len = claimed, .nlmsg_type = type, .nlmsg_seq = seq,
	};

	memcpy(answer + answer_len, &h, sizeof(h));
	if (len)
		memcpy(answer + answer_len + sizeof(h), body, len);
	answer_len += NLMSG_ALIGN(sizeof(h) + len);
}

static void put_socket(uint32_t seq, uint16_t port)
{
	struct inet_diag_msg m = { .id.idiag_sport = htons(port) };

	put_message(SOCK_DIAG_BY_FAMILY, seq, &m, sizeof(m),
		    NLMSG_LENGTH(sizeof(m)));
}

static unsigned count(const struct ports *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PORTS_WORDS; i++)
		n += (unsigned)__builtin_popcountll(p->map[i]);
	return n;
}

TEST(an_answer_is_read_up_to_its_end)
{
	struct ports p = { 0 };

	answer_len = 0;
	put_socket(7, 80);
	put_socket(7, 65535);
	put_socket(6, 81);		/* to an earlier request */
	EQ(diag_parse(answer, answer_len, 7, &p), DIAG_MORE);
	EQ(count(&p), 2);
	OK(port_get(&p, 80) && port_get(&p, 65535));

	put_message(NLMSG_DONE, 6, NULL, 0, NLMSG_HDRLEN);
	EQ(diag_parse(answer, answer_len, 7, &p), DIAG_MORE);
	put_message(NLMSG_DONE, 7, NULL, 0, NLMSG_HDRLEN);
	put_socket(7, 82);
	EQ(diag_parse(answer, answer_len, 7, &p), 0);
	OK(!port_get(&p, 82));
	EQ(diag_parse(answer, 0, 7, &p), DIAG_MORE);
}

TEST(the_kernels_errors_are_handed_on)
{
	struct ports p = { 0 };
	struct nlmsgerr e = { .error = -ENOENT };

	answer_len = 0;
	put_message(NLMSG_ERROR, 1, &e, sizeof(e), NLMSG_LENGTH(sizeof(e)));
	EQ(diag_parse(answer, answer_len, 1, &p), -ENOENT);
	e.error = 12345;		/* not something it would say */
	answer_len = 0;
	put_message(NLMSG_ERROR, 1, &e, sizeof(e), NLMSG_LENGTH(sizeof(e)));
	EQ(diag_parse(answer, answer_len, 1, &p), -EBADMSG);
	answer_len = 0;
	put_message(NLMSG_ERROR, 1, NULL, 0, NLMSG_HDRLEN);
	EQ(diag_parse(answer, answer_len, 1, &p), -EBADMSG);
}

TEST(broken_answers_are_noticed)
{
	struct ports p = { 0 };

	answer_len = 0;
	put_socket(1, 80);
	EQ(diag_parse(answer, answer_len - 1, 1, &p), -EBADMSG);
	EQ(diag_parse(answer, 5, 1, &p), -EBADMSG);
	EQ(count(&p), 0);
	answer_len = 0;
	put_message(SOCK_DIAG_BY_FAMILY, 1, NULL, 0, NLMSG_HDRLEN - 1);
	EQ(diag_parse(answer, answer_len, 1, &p), -EBADMSG);
	answer_len = 0;
	put_message(SOCK_DIAG_BY_FAMILY, 1, NULL, 0, UINT32_MAX);
	EQ(diag_parse(answer, answer_len, 1, &p), -EBADMSG);
	/* a socket described too briefly is none */
	answer_len = 0;
	put_message(SOCK_DIAG_BY_FAMILY, 1, "abcd", 4, NLMSG_LENGTH(4));
	EQ(diag_parse(answer, answer_len, 1, &p), DIAG_MORE);
	EQ(count(&p), 0);
}

/* --- cost --- */

TEST(asking_takes_a_fraction_of_a_millisecond)
{
	static struct ports p;
	struct timespec a, b;
	double best_us = 1e9;
	int d = diag_open();

	for (int i = 0; i < 50; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		diag_ports(d, IPPROTO_TCP, &p);
		diag_ports(d, IPPROTO_UDP, &p);
		clock_gettime(CLOCK_MONOTONIC, &b);
		best_us = MIN(best_us, (double)(b.tv_sec - a.tv_sec) * 1e6 +
				       (double)(b.tv_nsec - a.tv_nsec) / 1e3);
	}
	printf("  one side, TCP and UDP: %.0f us\n", best_us);
	OK(best_us < 2000);
	close(d);
}
