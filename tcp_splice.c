/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_splice.c - TCP from socket to socket: loopback to loopback, no frames
 *
 * A connection accepted on one side's loopback is made again on the other, and
 * bytes go across until both sides have said FIN. Each way works alike and
 * alone, so half-closed connections are nothing special (RFC 9293 3.6):
 *
 *      side 0 ---- recv() ----> buffer ---- send() ----> side 1   small
 *             -- splice() -->    pipe   -- splice() -->           bulk
 *             - peek, send(), discard what was sent -->           no pipe
 *
 * Owns the pipes. One is leased to a direction while it holds bytes of it and
 * no longer, so few serve any number of connections, and an idle connection is
 * two descriptors. Bytes that left one socket are in a pipe or in the other
 * socket, never with us, whatever happens next. Nothing is read before what
 * was read earlier is written: one that cannot be written to fills up the
 * other's kernel queues, and those close its window.
 *
 * Sockets are watched edge-triggered and once. What an event said stays in the
 * ready bits until the call that proves it wrong clears it: EAGAIN, or a short
 * count. There is nothing to mask, so nothing can storm.
 *
 * End of file is a read of zero bytes and nothing else. It is passed on when
 * nothing is held. A reset is passed on at once, to both sides.
 *
 * What was accepted can only be reset if nobody listens on the other side. Yet
 * who asks for localhost has no family in mind, tries IPv6 first, and would have
 * gone on to IPv4 had we refused: so the other family is tried, once.
 *
 * A connection with one request, one answer and one close takes 16 calls and
 * some three waits: accept4 and getsockname (listen.c), 2 setsockopt, connect,
 * 2 epoll_ctl, 4 recvfrom, 2 sendto, shutdown, 2 close. The socket towards the
 * namespace comes from a pool; on the host it is made, in three more.
 */
#include "tcp_splice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "epoll_ctl.h"
#include "fwd.h"
#include "log.h"
#include "sock.h"
#include "timer.h"
#include "util.h"

SYSCALLS(pasta: recvfrom, sendto, splice, pipe2, fcntl, write, getsockopt,
	 setsockopt, shutdown, close, poll);

#define SMALL		(16u << 10)	/* read by copy; more is for splice() */
#define COPY_MAX	(128u << 10)	/* a step when no pipe is left */
#define BULK_MIN	(64u << 10)	/* a read worth expecting another */
#define ROOM_MIN	SMALL		/* for a pipe nobody may keep */

/* Fair share of a direction in one turn of the loop. */
#define STEPS_MAX	16
#define SHARE_MAX	(4u << 20)

#define PIPE_SIZE	(1u << 20)	/* what anybody may ask for */
#define PIPE_SIZE_MIN	(64u << 10)	/* copying is cheaper than less */
#define PIPES_MAX	16		/* a user may have 64 of that size */
#define PIPES_KEPT	4		/* open though idle */
#define PIPES_RESERVED	2		/* for those who fill them with care */
#define PIPE_RETRY_MS	1000
#define PIPE_NONE	(-1)

enum {				/* what is known of a socket */
	READY_IN = 1,
	READY_OUT = 2,
	READY_END = 4,		/* FIN is queued: read on after a short read */
	READY_URGENT = 8,	/* has had urgent data: splice() would stop */
};

enum { MODE_SMALL, MODE_TRY, MODE_BULK };

struct splice_dir {
	uint32_t pending;	/* bytes held, exact at all times */
	int8_t pipe;		/* where; PIPE_NONE exactly when none are */
	uint8_t mode;		/* what to expect of the next read */
	bool eof;		/* has read zero bytes */
	bool fin_sent;		/* and passed that on */
};

struct splice_conn {
	struct flow flow;
	int fd[2];
	struct splice_dir from[2];	/* by the side bytes come from */
	uint8_t ready[2];
};

_Static_assert(sizeof(struct splice_conn) <= FLOW_SLOT, "fits a slot");
_Static_assert(SMALL <= COPY_MAX && SMALL <= PIPE_SIZE_MIN, "rest must fit");
_Static_assert(PIPES_MAX <= INT8_MAX, "splice_dir.pipe");

/* --- pipes --- */

static struct pipe {
	int rd, wr;		/* -1: not open */
	uint32_t size;
} pipes[PIPES_MAX];
static int8_t idle[PIPES_MAX];	/* open and empty, the last one warmest */
static unsigned idle_cnt;
static uint64_t retry_ms;	/* when to try again to open one */

static void pipe_close(int idx)
{
	close_keep_errno(&pipes[idx].rd);
	close_keep_errno(&pipes[idx].wr);
}

/* Pipe memory is limited per user: beyond that a pipe has two pages only, or
 * does not grow. */
static bool pipe_make(struct pipe *p)
{
	int fd[2], size;

	if (pipe2(fd, O_NONBLOCK | O_CLOEXEC))
		return false;
	p->rd = fd[0];
	p->wr = fd[1];
	size = fcntl(p->wr, F_SETPIPE_SZ, PIPE_SIZE);
	if (size < 0)
		size = fcntl(p->wr, F_GETPIPE_SZ);
	if (size >= (int)PIPE_SIZE_MIN) {
		p->size = (uint32_t)size;
		return true;
	}
	close_keep_errno(&p->rd);
	close_keep_errno(&p->wr);
	errno = EPERM;
	return false;
}

static bool pipe_open(void)
{
	int8_t idx = 0;

	if (clock_ms() < retry_ms)
		return false;
	while (idx < PIPES_MAX && pipes[idx].rd >= 0)
		idx++;
	if (idx == PIPES_MAX)
		return false;
	if (!pipe_make(&pipes[idx])) {
		debug_limit("No more pipes for spliced connections: %s; "
			    "copying instead", strerror(errno));
		retry_ms = clock_ms() + PIPE_RETRY_MS;
		return false;
	}
	idle[idle_cnt++] = idx;
	return true;
}

/* Whether @cnt are, or can be made, idle. */
static bool pipes_idle(unsigned cnt)
{
	while (idle_cnt < cnt)
		if (!pipe_open())
			return false;
	return true;
}

static void dir_lease(struct splice_dir *d)
{
	d->pipe = idle[--idle_cnt];
}

static void dir_return(struct splice_dir *d)
{
	if (idle_cnt < PIPES_KEPT)
		idle[idle_cnt++] = d->pipe;
	else
		pipe_close(d->pipe);
	d->pipe = PIPE_NONE;
}

/* --- one step of one direction --- */

/* All return the number of bytes that reached the other socket, or -errno for
 * a connection that cannot go on. A step that can get no further clears the
 * ready bit which said it could. */

static int not_ready(struct splice_conn *c, unsigned side, uint8_t bit)
{
	if (errno != EAGAIN)
		return -errno;
	c->ready[side] &= (uint8_t)~bit;
	return 0;
}

static ssize_t recv_retry(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	do
		n = recv(fd, buf, len, flags);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t send_retry(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Without SPLICE_F_MOVE: it does nothing for sockets, but costs. */
static ssize_t splice_retry(int from, int to, size_t len, unsigned flags)
{
	ssize_t n;

	do
		n = splice(from, NULL, to, NULL, len,
			   flags | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	return n;
}

static void dir_eof(struct splice_conn *c, unsigned from)
{
	c->from[from].eof = true;
	c->ready[from] &= (uint8_t)~READY_IN;
}

/* A read that got less than it asked for has emptied the queue, and what comes
 * next is a new event; unless what stopped it was FIN, or the urgent mark. */
static void dir_read_short(struct splice_conn *c, unsigned from)
{
	if (!(c->ready[from] & (READY_END | READY_URGENT)))
		c->ready[from] &= (uint8_t)~READY_IN;
}

/* A short send leaves the socket marked as wanting space: an event follows. */
static void dir_send_short(struct splice_conn *c, unsigned from)
{
	c->ready[!from] &= (uint8_t)~READY_OUT;
}

/* What the pipe holds. Always all of it: some may be older than the last read.
 */
static ssize_t dir_drain(struct splice_conn *c, unsigned from)
{
	struct splice_dir *d = &c->from[from];
	/* As good as full: there is more, segments need not be cut short */
	bool more = d->pending >= pipes[d->pipe].size / 10 * 9;
	ssize_t n = splice_retry(pipes[d->pipe].rd, c->fd[!from], d->pending,
				 more ? SPLICE_F_MORE : 0);

	if (n < 0)
		return not_ready(c, !from, READY_OUT);
	if (!n)
		return -EIO;	/* counted wrongly, by us or by the kernel */
	d->pending -= (uint32_t)n;
	if (!d->pending)
		dir_return(d);
	return n;
}

/* The socket did not take these bytes, which have left the other one. */
static int dir_hold(struct splice_conn *c, unsigned from, const uint8_t *rest,
		    size_t len)
{
	struct splice_dir *d = &c->from[from];
	ssize_t n;

	dir_lease(d);
	d->pending = (uint32_t)len;
	do
		n = write(pipes[d->pipe].wr, rest, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : -ENOMEM;
}

/* A filled buffer: there is more, and splice() may be the way to move it. */
static void dir_read_full(struct splice_conn *c, unsigned from)
{
	if (!(c->ready[from] & READY_URGENT))
		c->from[from].mode = MODE_TRY;
}

/* Bytes stay where they are until the other socket has taken them. */
static ssize_t dir_move_peeked(struct splice_conn *c, unsigned from,
			       uint8_t *buf)
{
	size_t len = pipes_idle(1) ? SMALL : COPY_MAX;
	ssize_t n = recv_retry(c->fd[from], buf, len, MSG_PEEK);
	ssize_t sent, gone;

	if (n < 0)
		return not_ready(c, from, READY_IN);
	if (!n) {
		dir_eof(c, from);
		return 0;
	}
	sent = send_retry(c->fd[!from], buf, (size_t)n);
	if (sent < 0)
		return not_ready(c, !from, READY_OUT);
	for (ssize_t left = sent; left; left -= gone) {
		gone = recv_retry(c->fd[from], NULL, (size_t)left, MSG_TRUNC);
		if (gone <= 0)
			return gone ? -errno : -EIO;
	}
	if (sent < n)
		dir_send_short(c, from);
	else if (n < (ssize_t)len)
		dir_read_short(c, from);
	else
		dir_read_full(c, from);
	return sent;
}

static ssize_t dir_move_small(struct splice_conn *c, unsigned from,
			      uint8_t *buf)
{
	ssize_t n = recv_retry(c->fd[from], buf, SMALL, 0);
	ssize_t sent;
	int rc;

	if (n < 0)
		return not_ready(c, from, READY_IN);
	if (!n) {
		dir_eof(c, from);
		return 0;
	}
	if (n < (ssize_t)SMALL)
		dir_read_short(c, from);
	else
		dir_read_full(c, from);

	sent = send_retry(c->fd[!from], buf, (size_t)n);
	if (sent < 0) {
		rc = not_ready(c, !from, READY_OUT);
		if (rc)
			return rc;
		sent = 0;
	}
	if (sent < n) {
		dir_send_short(c, from);
		rc = dir_hold(c, from, buf + sent, (size_t)(n - sent));
		if (rc)
			return rc;
	}
	return sent;
}

/* How much the socket would take, about. A pipe filled with no more is empty
 * again at once: when few are left, nobody keeps one while blocked. */
static size_t sock_room(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return PIPE_SIZE;
	if (mem[SK_MEMINFO_SNDBUF] <= mem[SK_MEMINFO_WMEM_QUEUED])
		return 0;
	return mem[SK_MEMINFO_SNDBUF] - mem[SK_MEMINFO_WMEM_QUEUED];
}

/* If not, an event follows as after EAGAIN. */
static bool sock_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) != 0;
}

static ssize_t dir_move_bulk(struct splice_conn *c, unsigned from, size_t room)
{
	struct splice_dir *d = &c->from[from];
	ssize_t n;

	dir_lease(d);
	n = splice_retry(c->fd[from], pipes[d->pipe].wr,
			 MIN(room, pipes[d->pipe].size), 0);
	if (n > 0) {
		d->mode = n < (ssize_t)BULK_MIN ? MODE_SMALL : MODE_BULK;
		d->pending = (uint32_t)n;
		return dir_drain(c, from);
	}
	dir_return(d);
	/* Nothing there; or, when it had just begun, nothing more there. Zero
	 * may be the urgent mark: recv() will tell. */
	if (d->mode == MODE_TRY || !n)
		d->mode = MODE_SMALL;
	return n ? not_ready(c, from, READY_IN) : 0;
}

static ssize_t dir_step(struct splice_conn *c, unsigned from)
{
	static uint8_t buf[COPY_MAX];
	struct splice_dir *d = &c->from[from];
	bool can_hold;
	size_t room;

	if (d->pending)
		return dir_drain(c, from);
	if (c->ready[from] & READY_URGENT)
		d->mode = MODE_SMALL;
	can_hold = pipes_idle(PIPES_RESERVED + 1);
	if (d->mode != MODE_SMALL && pipes_idle(1)) {
		room = can_hold ? PIPE_SIZE : sock_room(c->fd[!from]);
		if (room >= ROOM_MIN)
			return dir_move_bulk(c, from, room);
		if (!sock_writable(c->fd[!from])) {
			dir_send_short(c, from);
			return 0;
		}
	}
	if (can_hold)
		return dir_move_small(c, from, buf);
	return dir_move_peeked(c, from, buf);
}

/* --- a connection --- */

static void conn_end(struct splice_conn *c)
{
	for (unsigned side = 0; side < 2; side++) {
		close_keep_errno(&c->fd[side]);
		/* It may hold bytes: no one else shall get them. */
		if (c->from[side].pipe != PIPE_NONE)
			pipe_close(c->from[side].pipe);
	}
	flow_free(&c->flow);
}

enum { END_FINISHED, END_RESET };
static struct counter ends[] = {
	[END_FINISHED]	= { "FINISHED", "both sides have finished", 0 },
	[END_RESET]	= { "RESET", "an operation on one side failed", 0 },
};

bool tcp_splice_end_counter(unsigned i, struct counter *out)
{
	if (i >= ARRAY_SIZE(ends))
		return false;
	*out = ends[i];
	return true;
}

static void conn_reset(struct splice_conn *c)
{
	ends[END_RESET].count++;
	for (unsigned side = 0; side < 2; side++)
		if (c->fd[side] >= 0)
			sock_reset(&c->fd[side]);
	conn_end(c);
}

/* What the far ends and the network between can cause is worth less noise than
 * what ought never to happen. */
static void conn_fail(struct splice_conn *c, const char *what, int error)
{
	switch (error) {
	case ECONNRESET:
	case ECONNREFUSED:
	case ECONNABORTED:
	case EPIPE:
	case ENOTCONN:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		flow_debug(&c->flow, "%s: %s; resetting both sides", what,
			   strerror(error));
		break;
	default:
		flow_err(&c->flow, "%s: %s; resetting both sides", what,
			 strerror(error));
		break;
	}
	conn_reset(c);
}

static bool dir_can_step(const struct splice_conn *c, unsigned from)
{
	const struct splice_dir *d = &c->from[from];

	if (!(c->ready[!from] & READY_OUT))
		return false;
	return d->pending || (c->ready[from] & READY_IN && !d->eof);
}

/* Until one side blocks; 1 when the fair share is used up first. */
static int dir_run(struct splice_conn *c, unsigned from)
{
	size_t moved = 0;

	for (unsigned steps = 0; dir_can_step(c, from); steps++) {
		ssize_t n;

		if (steps == STEPS_MAX || moved >= SHARE_MAX)
			return 1;
		n = dir_step(c, from);
		if (n < 0)
			return (int)n;
		moved += (size_t)n;
	}
	return 0;
}

/* When the other FIN has gone out already, closing sends this one. */
static int dir_pass_fin(struct splice_conn *c, unsigned from)
{
	struct splice_dir *d = &c->from[from];

	if (!d->eof || d->pending || d->fin_sent)
		return 0;
	if (!c->from[!from].fin_sent && shutdown(c->fd[!from], SHUT_WR))
		return -errno;
	d->fin_sent = true;
	return 0;
}

/* Side @from has failed, but a reset does not take back what was acknowledged
 * before: as much as the other side has room for goes there first. */
static void conn_rescue(struct splice_conn *c, unsigned from)
{
	if (!c->from[from].eof)
		c->ready[from] |= READY_IN;
	(void)dir_run(c, from);
}

bool tcp_splice_work(struct flow *f)
{
	struct splice_conn *c = (struct splice_conn *)f;
	bool more = false;

	for (unsigned from = 0; from < 2; from++) {
		int rc = dir_run(c, from);

		if (rc > 0)
			more = true;
		else if (!rc)
			rc = dir_pass_fin(c, from);
		if (rc < 0) {
			conn_rescue(c, !from);
			conn_fail(c, "Moving data", -rc);
			return false;
		}
	}
	if (c->from[0].fin_sent && c->from[1].fin_sent) {
		flow_debug(f, "both sides have finished");
		ends[END_FINISHED].count++;
		conn_end(c);
		return false;
	}
	return more;
}

/* --- beginning --- */

/* The kernel would choose the loopback address anyway: save a call. */
static int conn_socket(const struct side *tgt)
{
	enum fam fam = addr_fam(&tgt->theirs);
	struct addr lo = addr_loopback(fam);
	struct sock_req req = {
		.kind = SOCK_KIND_TCP_SPLICE,
		.fam = (uint8_t)fam,
		.bind = true,
		.addr = tgt->ours,
		.port = tgt->our_port,
	};
	bool chosen = addr_eq(&tgt->ours, &lo) &&
		      addr_is_loopback(&tgt->theirs);

	if (!tgt->our_port && (chosen || addr_is_unspec(&tgt->ours)))
		return sock_tcp(tgt->pif, SOCK_KIND_TCP_SPLICE, fam);
	return sock_open(tgt->pif, &req);
}

/* There is no network between loopback and loopback to be gentle with: what a
 * pacing algorithm does here is split bursts, at twice the cost per byte. Reno
 * (RFC 5681) is always there, and free for anyone to choose. */
static void no_pacing(int fd)
{
	static const char reno[] = "reno";

	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof(reno));
}

/* 0, or -errno with what failed in *what. */
static int conn_dial(struct splice_conn *c, const char **what)
{
	const struct side *tgt = &c->flow.side[SIDE_TGT];
	int rc;

	*what = "Opening a socket";
	c->fd[SIDE_TGT] = conn_socket(tgt);
	if (c->fd[SIDE_TGT] < 0)
		return c->fd[SIDE_TGT];
	no_pacing(c->fd[SIDE_TGT]);

	*what = "Connecting";
	rc = sock_connect(c->fd[SIDE_TGT], &tgt->theirs, tgt->their_port, 0);
	return rc == -EINPROGRESS ? 0 : rc;
}

/* Once: what is of another family than the one accepted is a second try. */
static bool conn_can_try_again(struct splice_conn *c)
{
	struct side *side = c->flow.side;

	return addr_fam(&side[SIDE_INI].theirs) ==
	       addr_fam(&side[SIDE_TGT].theirs) &&
	       fwd_splice_again(fwd_env(), &side[SIDE_TGT]);
}

static int conn_dial_either(struct splice_conn *c, const char **what)
{
	int rc = conn_dial(c, what);

	if (rc != -ECONNREFUSED || !conn_can_try_again(c))
		return rc;
	close_keep_errno(&c->fd[SIDE_TGT]);
	return conn_dial(c, what);
}

static int conn_watch(struct splice_conn *c, unsigned side)
{
	return loop_add(c->fd[side], EV_FLOW_MASK | EPOLLPRI,
			flow_ev(&c->flow, EV_SPLICE, side));
}

/* The socket that was refused is replaced; of the other one, nothing has been
 * read before it was connected. */
static void conn_again(struct splice_conn *c)
{
	const char *what;
	int rc;

	flow_debug(&c->flow, "refused, trying the other family");
	close_keep_errno(&c->fd[SIDE_TGT]);
	c->ready[SIDE_TGT] = 0;
	rc = conn_dial(c, &what) ?: conn_watch(c, SIDE_TGT);
	if (rc)
		conn_fail(c, what, -rc);
}

/* 0, or -errno with what failed in *what. */
static int conn_begin(struct splice_conn *c, const char **what)
{
	int rc;

	no_pacing(c->fd[SIDE_INI]);
	rc = conn_dial_either(c, what);
	if (rc)
		return rc;
	*what = "Watching sockets";
	return conn_watch(c, SIDE_INI) ?: conn_watch(c, SIDE_TGT);
}

void tcp_splice_start(int fd, const struct side side[2])
{
	struct splice_conn *c = (struct splice_conn *)flow_alloc(FLOW_SPLICE);
	const char *what;
	int rc;

	if (!c) {
		warn_limit("Flow table full: resetting a connection to splice");
		sock_reset(&fd);
		return;
	}
	for (unsigned s = 0; s < 2; s++) {
		c->flow.side[s] = side[s];
		c->from[s].pipe = PIPE_NONE;
		c->fd[s] = -1;
	}
	c->fd[SIDE_INI] = fd;
	rc = conn_begin(c, &what);
	if (rc)
		conn_fail(c, what, -rc);
	else
		flow_debug(&c->flow, "accepted, connecting");
}

/* --- events --- */

static uint8_t ready_bits(uint32_t events)
{
	uint8_t bits = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		bits |= READY_IN;
	if (events & EPOLLOUT)
		bits |= READY_OUT;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		bits |= READY_END;
	if (events & EPOLLPRI)
		bits |= READY_URGENT;
	return bits;
}

/* There is no state of connecting: side 1 is neither readable nor writable
 * until connected, and a failure is an error like others. A hang-up is no
 * error: both FINs have passed there, but what came before may be unread. */
void tcp_splice_event(struct flow *f, unsigned side, uint32_t events)
{
	struct splice_conn *c = (struct splice_conn *)f;

	if (events & EPOLLERR) {
		int error = sock_error(c->fd[side]);

		if (side == SIDE_TGT && error == ECONNREFUSED &&
		    conn_can_try_again(c)) {
			conn_again(c);
			return;
		}
		conn_rescue(c, side);
		conn_fail(c, side == SIDE_INI ? "Accepted socket" :
						"Connected socket",
			  error < 0 ? -error : error);
		return;
	}
	c->ready[side] |= ready_bits(events);
	if (dir_can_step(c, SIDE_INI) || dir_can_step(c, SIDE_TGT))
		flow_ready(f);
}

void tcp_splice_init(void)
{
	for (unsigned i = 0; i < PIPES_MAX; i++)
		pipes[i].rd = pipes[i].wr = -1;
}
