/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.c - sockets of another network namespace, by way of a process in it
 *
 * A process sees one network namespace, and moving between two of them costs
 * milliseconds and a capability. So a child of the daemon stays inside, and the
 * daemon asks it over a SOCK_SEQPACKET pair. Descriptors do not care who made
 * them: once received, a socket is used like any other.
 *
 *     daemon                                agent
 *     struct query {seq, count, req} ---->  sock_open_here(), count times
 *     ring of ready sockets          <----  struct answer {seq, error, count}
 *                                           and as many descriptors
 *
 * Owned here: the daemon's end of the pair, and per (kind, family) a pool of
 * sockets ready for connect(), asked for ahead of need, so that a connection
 * rarely waits for the agent. The sequence number of an answer says whose it
 * is: a refill that arrives while we wait for something else goes to its pool.
 *
 * The agent trusts nothing it is told: what is not a request it could have
 * been sent by an intact daemon is ignored. It opens sockets, and nothing
 * else; see sandbox_agent() for what it could still do.
 */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define POOL_SIZE	32	/* two batches: half of it is one refill */
#define ANSWER_WAIT_MS	2000	/* the agent answers in microseconds */

struct query {
	uint32_t seq;
	uint32_t count;		/* 1 to AGENT_BATCH */
	struct sock_req req;
};

struct answer {
	uint32_t seq;		/* of the query */
	int32_t error;		/* -errno, or 0: all of them */
	uint32_t count;		/* descriptors attached, possibly fewer */
};

union control {
	char buf[CMSG_SPACE(AGENT_BATCH * sizeof(int))];
	struct cmsghdr align;
};

struct pool {
	int fd[POOL_SIZE];
	unsigned cnt;
	uint32_t pending;	/* seq of the refill under way, or 0 */
};

static int daemon_fd = -1;
static uint32_t last_seq;
static struct pool pools[SOCK_KIND_COUNT][FAM_COUNT];

SYSCALLS(pasta: sendto, recvmsg, close, poll);
SYSCALLS(agent: sendmsg, recvmsg, close);

static void close_all(int *fd, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++)
		close_keep_errno(&fd[i]);
}

/* Errors which say nothing about the other end, that still wants an answer. */
static bool transient(ssize_t rc)
{
	return rc == -EMFILE || rc == -ENOMEM || rc == -ENOBUFS;
}

/* One message and its descriptors, as many as *cnt says there is room for.
 * Length, or -errno; -EMFILE when descriptors had to be left behind. */
static ssize_t recv_fds(int sock, void *buf, size_t len, int flags, int *fd,
			unsigned *cnt)
{
	union control control;
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	*cnt = 0;
	do {
		n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c;
	     c = CMSG_NXTHDR(&msg, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fd, CMSG_DATA(c), bytes);
		*cnt = (unsigned)(bytes / sizeof(int));
	}
	if (msg.msg_flags & MSG_CTRUNC) {
		close_all(fd, *cnt);
		*cnt = 0;
		return -EMFILE;
	}
	return n;
}

/* --- daemon's half --- */

void agent_attach(int fd)
{
	daemon_fd = fd;
}

bool agent_there(void)
{
	return daemon_fd >= 0;
}

static void agent_gone(void)
{
	loop_del(daemon_fd);
	close_keep_errno(&daemon_fd);
	for (unsigned kind = 0; kind < SOCK_KIND_COUNT; kind++) {
		for (unsigned fam = 0; fam < FAM_COUNT; fam++)
			pools[kind][fam].pending = 0;
	}
	debug("The namespace's agent is gone");
}

/* The sequence number, or 0: not sent, errno says why. */
static uint32_t query_send(const struct sock_req *req, uint32_t count,
			   int flags)
{
	struct query q;

	memset(&q, 0, sizeof(q));	/* padding too: it crosses processes */
	q.req = *req;
	q.count = count;
	q.seq = ++last_seq ? last_seq : ++last_seq;
	if (send(daemon_fd, &q, sizeof(q), flags | MSG_NOSIGNAL) < 0)
		return 0;
	return q.seq;
}

static struct pool *pool_of_refill(uint32_t seq)
{
	for (unsigned kind = 0; kind < SOCK_KIND_COUNT; kind++) {
		for (unsigned fam = 0; fam < FAM_COUNT; fam++) {
			if (pools[kind][fam].pending == seq)
				return &pools[kind][fam];
		}
	}
	return NULL;
}

/* Sockets nobody waits for any more, as after a time-out, are closed. */
static void refill_received(struct pool *p, int *fd, unsigned cnt)
{
	unsigned room = p ? POOL_SIZE - p->cnt : 0;
	unsigned take = MIN(cnt, room);

	if (p) {
		memcpy(p->fd + p->cnt, fd, take * sizeof(*fd));
		p->cnt += take;
		p->pending = 0;
	}
	close_all(fd + take, cnt - take);
}

/* Next answer. 1: it is number @want, fd and cnt are the caller's; 0: it was
 * another one, and is dealt with. *error is the agent's; -errno: none came. */
static int answer_receive(uint32_t want, int flags, int *fd, unsigned *cnt,
			  int *error)
{
	struct answer a = { 0 };
	ssize_t n = recv_fds(daemon_fd, &a, sizeof(a), flags, fd, cnt);

	if (n == -EMFILE)
		a.error = -EMFILE;
	else if (n < 0 && n != -ECONNRESET)
		return (int)n;
	else if (n != sizeof(a)) {
		close_all(fd, *cnt);
		agent_gone();
		return -EPIPE;
	}

	*error = a.error;
	if (a.seq == want)
		return 1;
	refill_received(pool_of_refill(a.seq), fd, *cnt);
	return 0;
}

/* In between, answers to others may arrive. 1 as above, or -errno. */
static int answer_wait(uint32_t want, int *fd, unsigned *cnt, int *error)
{
	int r = 0;

	while (!r) {
		struct pollfd pfd = { .fd = daemon_fd, .events = POLLIN };
		int n = poll(&pfd, 1, ANSWER_WAIT_MS);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -ETIMEDOUT;
		if (n > 0)
			r = answer_receive(want, MSG_DONTWAIT, fd, cnt, error);
		if (r == -EAGAIN)
			r = 0;
	}
	return r;
}

int agent_open(const struct sock_req *req)
{
	int fd[AGENT_BATCH] = { 0 }, error = 0, r;
	unsigned cnt = 0;
	uint32_t seq;

	if (!agent_there())
		return -EPIPE;
	seq = query_send(req, 1, 0);
	if (!seq)
		return -errno;
	r = answer_wait(seq, fd, &cnt, &error);
	if (r < 0)
		return r;
	if (cnt == 1)
		return fd[0];
	close_all(fd, cnt);
	return error < 0 ? error : -EPROTO;
}

static void pool_refill(struct pool *p, enum sock_kind kind, enum fam fam,
			int flags)
{
	struct sock_req req = { .kind = kind, .fam = fam };

	if (!p->pending && agent_there())
		p->pending = query_send(&req, AGENT_BATCH, flags);
}

/* The pool is empty, and a connection needs a socket now. */
static int pool_wait(struct pool *p, enum sock_kind kind, enum fam fam)
{
	int fd[AGENT_BATCH] = { 0 }, error = 0, r;
	unsigned cnt = 0;

	pool_refill(p, kind, fam, 0);
	if (!p->pending)
		return -EPIPE;
	r = answer_wait(p->pending, fd, &cnt, &error);
	if (r < 0) {
		p->pending = 0;
		return r;
	}
	refill_received(p, fd, cnt);
	if (!p->cnt)
		return error < 0 ? error : -EPROTO;
	return 0;
}

int agent_pool_get(enum sock_kind kind, enum fam fam)
{
	struct pool *p = &pools[kind][fam];

	if (!p->cnt) {
		int r = pool_wait(p, kind, fam);

		if (r < 0)
			return r;
	}

	int fd = p->fd[--p->cnt];

	if (p->cnt < POOL_SIZE / 2)
		pool_refill(p, kind, fam, MSG_DONTWAIT);
	return fd;
}

int agent_wait(void)
{
	int r = pool_wait(&pools[SOCK_KIND_TCP_SPLICE][FAM4],
			  SOCK_KIND_TCP_SPLICE, FAM4);

	/* That the namespace lacks the family is an answer, too. */
	return agent_there() && r != -ETIMEDOUT ? 0 : r;
}

void agent_handle(struct ev ev, uint32_t events)
{
	int fd[AGENT_BATCH] = { 0 }, error = 0, r;
	unsigned cnt = 0;

	(void)ev;
	(void)events;
	do {
		if (!agent_there())
			return;
		r = answer_receive(0, MSG_DONTWAIT, fd, &cnt, &error);
	} while (r >= 0);
}

/* --- agent's half --- */

/* Bools are looked at as bytes: any other value in one is not even C. */
static bool query_is_sound(const struct query *q)
{
	const uint8_t *b = (const uint8_t *)&q->req;

	return q->seq && q->count && q->count <= AGENT_BATCH &&
	       q->req.kind < SOCK_KIND_COUNT && q->req.fam < FAM_COUNT &&
	       b[offsetof(struct sock_req, dual)] <= 1 &&
	       b[offsetof(struct sock_req, bind)] <= 1 &&
	       b[offsetof(struct sock_req, freebind)] <= 1 &&
	       b[offsetof(struct sock_req, share)] <= 1 &&
	       memchr(q->req.ifname, 0, sizeof(q->req.ifname));
}

static void answer_send(int sock, const struct answer *a, const int *fd)
{
	union control control = { 0 };
	struct iovec iov = { (void *)a, sizeof(*a) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (a->count) {
		struct cmsghdr *c = &control.align;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(a->count * sizeof(*fd));
		memcpy(CMSG_DATA(c), fd, a->count * sizeof(*fd));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(a->count * sizeof(*fd));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0 || !a->count)
		return;

	/* Too many descriptors in flight for this user: say at least that. */
	struct answer refusal = { .seq = a->seq, .error = -errno };

	answer_send(sock, &refusal, NULL);
}

static void query_serve(int sock, const struct query *q)
{
	struct answer a = { .seq = q->seq };
	int fd[AGENT_BATCH];

	while (a.count < q->count) {
		int s = sock_open_here(&q->req);

		if (s < 0) {
			a.error = s;
			break;
		}
		fd[a.count++] = s;
	}
	answer_send(sock, &a, fd);
	close_all(fd, a.count);
}

void agent_serve(int fd)
{
	for (;;) {
		struct query q = { 0 };
		int unwanted[AGENT_BATCH];
		unsigned cnt;
		ssize_t n = recv_fds(fd, &q, sizeof(q), 0, unwanted, &cnt);

		close_all(unwanted, cnt);
		if (!n || (n < 0 && !transient(n)))
			return;
		if (n == sizeof(q) && query_is_sound(&q))
			query_serve(fd, &q);
	}
}
