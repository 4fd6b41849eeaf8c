/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.c (test) - both halves, in two processes, over a real socket pair
 *
 * sock_open_here() is the test's own: what is "opened" is a socket pair's end
 * that says which request it was made for, or whatever error is wanted.
 */
/* links: agent log timer epoll_ctl util */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "util.h"

#define PORT_OF_DEATH	65535

/* A port in the request asks for this error, 0: a socket of that kind. */
int sock_open_here(const struct sock_req *req)
{
	char words[64];
	int pair[2], len;

	if (req->port == PORT_OF_DEATH)
		_exit(0);
	if (req->port)
		return -(int)req->port;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair))
		return -errno;
	len = snprintf(words, sizeof(words), "%u %u %u", req->kind, req->fam,
		       (unsigned)req->dual);
	if (send(pair[1], words, (size_t)len + 1, 0) < 0)
		return -errno;
	close(pair[1]);
	return pair[0];
}

static pid_t agent;
static int ours = -1;

static void agent_start(void)
{
	int pair[2];

	OK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	agent = fork();
	if (!agent) {
		close(pair[0]);
		if (ours >= 0)
			close(ours);
		agent_serve(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	ours = pair[0];
	OK(!loop_init());
	OK(!loop_add(ours, EPOLLIN, (struct ev) { .kind = EV_AGENT }));
	agent_attach(ours);
}

static void agent_end(void)
{
	int status;

	close(ours);
	ours = -1;
	EQ(waitpid(agent, &status, 0), agent);
	EQ(status, 0);
}

static const char *words_of(int fd)
{
	static char words[64];

	if (recv(fd, words, sizeof(words), MSG_DONTWAIT) < 0)
		return "none";
	return words;
}

static unsigned descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void one_turn(void)
{
	static const struct loop_hooks hooks = {
		.handler[EV_AGENT] = agent_handle,
	};

	loop_once(&hooks, 1000);
}

TEST(a_request_is_answered_with_the_socket_it_describes)
{
	struct sock_req req = {
		.kind = SOCK_KIND_UDP_FLOW, .fam = FAM6, .dual = true,
	};
	int fd;

	agent_start();
	OK(agent_there());
	fd = agent_open(&req);
	OK(fd >= 0);
	STREQ(words_of(fd), "4 1 1");
	EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	agent_end();
}

TEST(an_error_of_the_agent_is_the_answer)
{
	struct sock_req req = { .kind = SOCK_KIND_PING, .port = EADDRINUSE };

	agent_start();
	EQ(agent_open(&req), -EADDRINUSE);
	req.port = EMFILE;
	EQ(agent_open(&req), -EMFILE);
	req.port = 0;
	int fd = agent_open(&req);

	STREQ(words_of(fd), "5 0 0");
	close(fd);
	agent_end();
}

TEST(the_pool_hands_out_each_socket_once_and_of_the_right_kind)
{
	int fd[100];

	agent_start();
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = agent_pool_get(SOCK_KIND_TCP_SPLICE,
				       i % 2 ? FAM6 : FAM4);
		STREQ(words_of(fd[i]), i % 2 ? "1 1 0" : "1 0 0");
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		EQ(close(fd[i]), 0);	/* none of them twice */
	agent_end();
}

TEST(a_pool_below_half_is_refilled_without_waiting)
{
	unsigned before, after;
	int fd;

	agent_start();
	before = descriptors();
	fd = agent_pool_get(SOCK_KIND_TCP_CONNECT, FAM4);
	after = descriptors();
	EQ(after - before, AGENT_BATCH);	/* one taken, the rest wait */
	one_turn();
	EQ(descriptors() - after, AGENT_BATCH);
	close(fd);

	/* Now above half: no third batch is asked for. */
	after = descriptors();
	for (int i = 0; i < 8; i++)
		close(agent_pool_get(SOCK_KIND_TCP_CONNECT, FAM4));
	EQ(after - descriptors(), 8);
	EQ(agent_open(&(struct sock_req) { .port = EPERM }), -EPERM);
	EQ(after - descriptors(), 8);
	agent_end();
}

TEST(a_refill_under_way_does_not_disturb_a_request)
{
	struct sock_req req = { .kind = SOCK_KIND_TCP_LISTEN, .fam = FAM6 };
	int fd[2];

	agent_start();
	fd[0] = agent_pool_get(SOCK_KIND_PING, FAM6);
	fd[1] = agent_open(&req);	/* behind the refill */
	STREQ(words_of(fd[0]), "5 1 0");
	STREQ(words_of(fd[1]), "2 1 0");
	for (int i = 0; i < 31; i++) {
		int s = agent_pool_get(SOCK_KIND_PING, FAM6);

		STREQ(words_of(s), "5 1 0");
		close(s);
	}
	close(fd[0]);
	close(fd[1]);
	agent_end();
}

/* What a query looks like is the business of agent.c, except its length. */
struct query { uint32_t seq, count; struct sock_req req; };

static void spoil_seq(struct query *q) { q->seq = 0; }
static void spoil_none(struct query *q) { q->count = 0; }
static void spoil_many(struct query *q) { q->count = AGENT_BATCH + 1; }
static void spoil_kind(struct query *q) { q->req.kind = SOCK_KIND_COUNT; }
static void spoil_fam(struct query *q) { q->req.fam = FAM_COUNT; }

static void spoil_ifname(struct query *q)
{
	memset(q->req.ifname, 'x', sizeof(q->req.ifname));
}

static void spoil_all(struct query *q)
{
	memset(q, 0xff, sizeof(*q));
}

#define SPOIL_BOOL(member)						\
	static void spoil_##member(struct query *q)			\
	{								\
		((uint8_t *)&q->req)[offsetof(struct sock_req, member)] = 2; \
	}
SPOIL_BOOL(dual)
SPOIL_BOOL(bind)
SPOIL_BOOL(freebind)
SPOIL_BOOL(share)

static void (*const spoil[])(struct query *q) = {
	spoil_seq, spoil_none, spoil_many, spoil_kind, spoil_fam, spoil_ifname,
	spoil_all, spoil_dual, spoil_bind, spoil_freebind, spoil_share,
};

/* Each is a good one but for one thing. */
TEST(nonsense_is_ignored_and_the_agent_goes_on)
{
	const struct query good = {
		.seq = 1000, .count = 1,
		.req = { .kind = SOCK_KIND_UDP_LISTEN, .fam = FAM4 },
	};
	struct query q = good;
	uint32_t answer[3];
	int fd;

	agent_start();
	EQ(send(ours, "x", 1, 0), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(spoil); i++) {
		q = good;
		spoil[i](&q);
		EQ(send(ours, &q, sizeof(q), 0), sizeof(q));
	}
	/* Those before would be answered before. */
	q = good;
	q.seq = 77;
	EQ(send(ours, &q, sizeof(q), 0), sizeof(q));
	EQ(recv(ours, answer, sizeof(answer), 0), sizeof(answer));
	EQ(answer[0], 77);
	EQ(answer[2], 1);

	fd = agent_open(&good.req);
	STREQ(words_of(fd), "3 0 0");
	close(fd);
	agent_end();
}

TEST(without_an_agent_there_are_no_sockets_and_no_waiting)
{
	struct sock_req req = { .kind = SOCK_KIND_PING };

	agent_start();
	EQ(kill(agent, SIGKILL), 0);
	EQ(waitpid(agent, NULL, 0), agent);
	one_turn();
	OK(!agent_there());
	EQ(agent_open(&req), -EPIPE);
	EQ(agent_pool_get(SOCK_KIND_UDP_FLOW, FAM4), -EPIPE);
	ours = -1;
}

TEST(an_agent_that_answers_is_ready_one_that_dies_is_not)
{
	agent_start();
	EQ(agent_wait(), 0);
	agent_end();

	agent_start();
	EQ(kill(agent, SIGKILL), 0);
	EQ(agent_wait(), -EPIPE);
	EQ(waitpid(agent, NULL, 0), agent);
	ours = -1;
}

TEST(an_agent_that_dies_with_a_question_open_is_not_waited_for)
{
	struct sock_req req = { .port = PORT_OF_DEATH };

	agent_start();
	EQ(agent_open(&req), -EPIPE);
	OK(!agent_there());
	EQ(waitpid(agent, NULL, 0), agent);
	ours = -1;
}
