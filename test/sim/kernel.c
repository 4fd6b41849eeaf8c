/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.c - the system calls of the daemon, answered by a model of Linux
 *
 * Sockets do what Linux does where the daemon relies on it (test/kernel shows
 * that on a real one): edge-triggered events come with all that is true at the
 * time, space is told of only after it was missing, SO_PEEK_OFF moves as it
 * does, errors are said once, data before them.
 *
 * A stream's bytes are not kept: what comes is made by pattern(), what goes is
 * compared with it at once. Descriptors are never used again, so any call on a
 * closed one is found out.
 */
#include "test/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "sock.h"

#define KSOCKS		512u
#define ACCEPT_MAX	16u
#define UDP_QUEUE	512u	/* datagrams of one socket */
#define EPHEMERAL	33000u
#define PIPES		32u
#define PIPE_BYTES	(1u << 20)
#define READY_MAX	(2 * KSOCKS)
#define IDLE_TURNS_MAX	64u
#define PIPES_KEPT_MAX	4u	/* idle ones the daemon may keep */

enum kind { K_NONE, K_EPOLL, K_LINK, K_LISTEN, K_TCP, K_UDP, K_PIPE };
enum tcp { T_NEW, T_CONNECTING, T_UP };

struct ksock {
	enum kind kind;
	bool open;		/* the daemon has a descriptor */
	/* epoll */
	bool watched, queued;
	uint32_t interest;
	uint64_t tag;
	/* addresses */
	enum fam fam;
	bool ns, dual_local;
	struct addr local, remote;
	uint16_t local_port, remote_port;
	/* K_TCP: which end of which connection */
	enum tcp state;
	unsigned conn, end;
	uint64_t arrived, read;		/* from the peer */
	int64_t peek_off;		/* or -1 */
	bool peer_fin;
	uint64_t taken, gone;		/* to the peer */
	uint32_t sndbuf, rcvbuf;
	bool shut, no_space, reset;
	int err;
	bool linger_reset;
	/* K_LISTEN */
	int waiting[ACCEPT_MAX];
	unsigned waiting_cnt;
	/* K_UDP */
	uint16_t queue[UDP_QUEUE];
	unsigned queue_first, queue_cnt;
	/* K_PIPE */
	unsigned pipe;
	bool is_reader;
	/* K_LINK */
	bool readable, writable;
};

static struct ksock ksocks[KSOCKS];
static unsigned ksock_cnt;

static struct kpipe {
	uint8_t buf[PIPE_BYTES];
	uint64_t in, out;
	uint32_t size;
} pipes[PIPES];
static unsigned pipe_cnt;

static int link_fd, epoll_fd;
static int ready[READY_MAX];		/* a queue of descriptors */
static unsigned ready_first, ready_cnt;
static struct conn *accepted_last;	/* whose second leg connect() makes */
static struct conn *refused_last;	/* or that of this one, once more */
static bool in_namespace;		/* the agent is asked */

/* --- descriptors --- */

static int fd_of(const struct ksock *k)
{
	return FD_FIRST + (int)(k - ksocks);
}

static struct ksock *ksock_any(int fd)
{
	if (fd < FD_FIRST || fd >= FD_FIRST + (int)ksock_cnt)
		fail("descriptor %d was never there", fd);
	return &ksocks[fd - FD_FIRST];
}

static struct ksock *ksock(int fd, const char *call)
{
	struct ksock *k = ksock_any(fd);

	if (!k->open)
		fail("%s() on descriptor %d, which is closed", call, fd);
	return k;
}

static struct ksock *ksock_new(enum kind kind)
{
	struct ksock *k = &ksocks[ksock_cnt++];

	if (ksock_cnt > KSOCKS)
		fail("more sockets than the simulation has");
	*k = (struct ksock) { .kind = kind, .open = true, .peek_off = -1 };
	return k;
}

/* Between two calls of the daemon, the world goes on. */
static void enter(void)
{
	counters->calls++;
	if (fault(world.faults.overtake)) {
		world.now += rnd(20) * US;
		let_happen();
	}
}

static int give_up(int error)
{
	errno = error;
	return -1;
}

static bool interrupted(void)
{
	if (!fault(world.faults.eintr))
		return false;
	counters->eintr++;
	errno = EINTR;
	return true;
}

/* --- what is true of a socket --- */

static uint64_t unsent(const struct ksock *k)
{
	return k->taken - k->gone;
}

/* sk_stream_is_writeable(): at least a third is free. */
static bool has_room(const struct ksock *k)
{
	return unsent(k) < k->sndbuf &&
	       k->sndbuf - unsent(k) >= unsent(k) / 2;
}

static uint32_t tcp_mask(struct ksock *k)
{
	uint32_t mask = 0;

	if (k->err)
		mask |= EPOLLERR;
	if (k->state == T_NEW || k->reset)
		return mask | EPOLLHUP | EPOLLIN | EPOLLOUT | EPOLLRDHUP;
	if (k->state == T_CONNECTING)
		return mask;
	if (k->arrived > k->read)
		mask |= EPOLLIN;
	if (k->peer_fin)
		mask |= EPOLLIN | EPOLLRDHUP;
	if (k->peer_fin && k->shut)
		mask |= EPOLLHUP;
	if (k->shut || has_room(k))
		mask |= EPOLLOUT;
	else
		k->no_space = true;
	return mask;
}

static uint32_t mask_of(struct ksock *k)
{
	switch (k->kind) {
	case K_TCP:
		return tcp_mask(k);
	case K_LISTEN:
		return k->waiting_cnt ? EPOLLIN : 0;
	case K_LINK:
		return (k->readable ? EPOLLIN : 0) |
		       (k->writable ? EPOLLOUT : 0);
	case K_UDP:
		return k->queue_cnt ? EPOLLIN : 0;
	case K_NONE:
	case K_EPOLL:
	case K_PIPE:
		break;
	}
	return 0;
}

/* --- epoll --- */

static void enqueue(struct ksock *k)
{
	if (k->queued)
		return;
	k->queued = true;
	ready[(ready_first + ready_cnt++) % READY_MAX] = fd_of(k);
}

/* Something has changed; @what tells whom to wake. */
static void wake(struct ksock *k, uint32_t what)
{
	if (k->watched && what & (k->interest | EPOLLERR | EPOLLHUP))
		enqueue(k);
}

int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
	struct ksock *k = ksock_new(K_EPOLL);

	(void)flags;
	return epoll_fd = fd_of(k);
}

int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *e);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *e)
{
	struct ksock *k;

	enter();
	ksock(ep, "epoll_ctl");
	k = ksock(fd, "epoll_ctl");
	if (op == EPOLL_CTL_DEL) {
		k->watched = false;
		return 0;
	}
	if (op == EPOLL_CTL_ADD && k->watched)
		return give_up(EEXIST);
	if (op == EPOLL_CTL_ADD && k->kind == K_UDP && fault(world.faults.odd))
		return give_up(chance(500) ? ENOSPC : ENOMEM);
	if (op == EPOLL_CTL_ADD && k->kind == K_TCP &&
	    fault(world.faults.no_epoll)) {
		T("epoll_ctl(%d): ENOSPC", fd);
		conns[k->conn].cause |= CAUSE_NO_CALL;
		return give_up(ENOSPC);
	}
	k->watched = true;
	k->interest = e->events;
	k->tag = e->data.u64;
	if (mask_of(k) & k->interest)
		enqueue(k);
	return 0;
}

static int collect(struct epoll_event *out, int max)
{
	unsigned left = ready_cnt;
	int n = 0;

	for (; left && n < max; left--) {
		struct ksock *k = ksock_any(ready[ready_first]);
		uint32_t mask;

		ready_first = (ready_first + 1) % READY_MAX;
		ready_cnt--;
		k->queued = false;
		if (!k->open || !k->watched)
			continue;
		mask = mask_of(k) & (k->interest | EPOLLERR | EPOLLHUP);
		if (!mask)
			continue;
		T("event on %d:%s%s%s%s%s", fd_of(k),
		  mask & EPOLLIN ? " IN" : "", mask & EPOLLOUT ? " OUT" : "",
		  mask & EPOLLRDHUP ? " RDHUP" : "",
		  mask & EPOLLHUP ? " HUP" : "", mask & EPOLLERR ? " ERR" : "");
		out[n].events = mask;
		out[n++].data.u64 = k->tag;
		if (!(k->interest & EPOLLET))
			enqueue(k);
	}
	return n;
}

static void wake_for_nothing(void)
{
	struct ksock *k = &ksocks[rnd(ksock_cnt)];

	if (k->open && k->watched && k->kind == K_TCP)
		enqueue(k);
}

/* A turn that was woken must get something done, or sleep at last. */
static void judge_turn(void)
{
	counters->turns++;
	if (world.progress != world.idle_since_progress) {
		world.idle_since_progress = world.progress;
		world.idle_turns = 0;
	}
	if (++world.idle_turns > IDLE_TURNS_MAX)
		fail("busy loop: %u turns without sleep or progress",
		     world.idle_turns);
}

static int wait_until(int ep, struct epoll_event *out, int max,
		      uint64_t until)
{
	int n;

	ksock(ep, "epoll_wait");
	judge_turn();
	world.now += rnd_between(1, 20) * US;
	if (fault(world.faults.spurious))
		wake_for_nothing();
	for (;;) {
		uint64_t next;

		let_happen();
		n = collect(out, max);
		if (n || world.now >= until)
			return n;
		next = MIN(next_happening(), until);
		if (next == NEVER) {
			world.dead = true;
			return 0;
		}
		world.now = MAX(world.now, next);
		world.idle_turns = 0;
		if (interrupted())
			return -1;
	}
}

int __wrap_epoll_wait(int ep, struct epoll_event *out, int max, int timeout);
int __wrap_epoll_wait(int ep, struct epoll_event *out, int max, int timeout)
{
	return wait_until(ep, out, max, timeout < 0 ? NEVER :
			  world.now + (uint64_t)timeout * MS);
}

int __wrap_epoll_pwait2(int ep, struct epoll_event *out, int max,
			const struct timespec *timeout, const void *mask);
int __wrap_epoll_pwait2(int ep, struct epoll_event *out, int max,
			const struct timespec *timeout, const void *mask)
{
	(void)mask;
	return wait_until(ep, out, max, world.now +
			  (uint64_t)timeout->tv_sec * SECOND +
			  (uint64_t)timeout->tv_nsec);
}

int __wrap_poll(struct pollfd *p, nfds_t cnt, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t cnt, int timeout)
{
	uint32_t mask;

	(void)timeout;
	enter();
	if (cnt != 1)
		fail("poll() of several");
	mask = mask_of(ksock(p->fd, "poll"));
	if (fault(world.faults.odd))
		return give_up(chance(500) ? EINTR : ENOMEM);
	p->revents = (short)(mask & ((uint32_t)p->events | POLLERR | POLLHUP));
	return !!p->revents;
}

/* --- making sockets --- */

int __wrap_socket(int domain, int type, int proto);
int __wrap_socket(int domain, int type, int proto)
{
	struct ksock *k;

	(void)proto;
	enter();
	if (fault(world.faults.no_fd)) {
		T("socket: EMFILE");
		if (refused_last)
			refused_last->cause |= CAUSE_NO_CALL;
		else if (accepted_last && !conn_is_tap(accepted_last))
			accepted_last->cause |= CAUSE_NO_CALL;
		return give_up(chance(500) ? EMFILE : ENOBUFS);
	}
	k = ksock_new((type & 0xf) == SOCK_STREAM ? K_TCP : K_UDP);
	k->fam = domain == AF_INET6 ? FAM6 : FAM4;
	k->ns = in_namespace;
	return fd_of(k);
}

static int bind_udp(struct ksock *k)
{
	uint16_t port = k->local_port;

	if (!port) {
		k->local_port = (uint16_t)(EPHEMERAL + (k - ksocks));
		return 0;
	}
	for (unsigned i = 0; i < ksock_cnt; i++) {
		const struct ksock *o = &ksocks[i];

		if (o->kind == K_UDP && o->open && o != k && o->ns == k->ns &&
		    o->local_port == port && o->fam == k->fam)
			return give_up(EADDRINUSE);
	}
	return fault(world.faults.no_fd) ? give_up(EADDRINUSE) : 0;
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct ksock *k = ksock(fd, "bind");
	union sockaddr_any any;

	enter();
	memcpy(&any, sa, MIN(len, sizeof(any)));
	addr_from_sockaddr(&k->local, &k->local_port, &any);
	return k->kind == K_UDP ? bind_udp(k) : 0;
}

int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
	struct ksock *k = ksock(fd, "listen");

	(void)backlog;
	k->kind = K_LISTEN;
	k->dual_local = k->fam == FAM6;
	return 0;
}

static void tcp_up(struct ksock *k, struct conn *c, unsigned end)
{
	k->state = T_UP;
	k->conn = conn_idx(c);
	k->end = end;
	k->sndbuf = c->sndbuf[end];
	k->rcvbuf = c->rcvbuf[end];
	c->fd[end] = fd_of(k);
}

static void connect_done(unsigned fd, unsigned idx)
{
	struct ksock *k = ksock_any((int)fd);
	struct conn *c = &conns[idx];

	if (!k->open)
		return;
	world.progress++;
	if (c->outcome.error) {
		T("connection %u: connect: %s", idx,
		  strerror(c->outcome.error));
		k->err = c->outcome.error;
		k->reset = true;
		wake(k, EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLOUT);
		return;
	}
	tcp_up(k, c, 1);
	wake(k, EPOLLOUT);
	peer_start(c, 1);
}

/* Another family, another server. */
static struct conn *conn_trying_again(void)
{
	struct conn *c = refused_last;

	refused_last = NULL;
	if (chance(500)) {
		c->outcome.error = 0;
		c->cause &= ~CAUSE_REFUSED;
	}
	return c;
}

static struct conn *conn_connecting(const struct ksock *k)
{
	for (unsigned i = 0; i < world.conns; i++)
		if (conns[i].kind == GUEST_OPENS &&
		    k->remote_port == SERVER_PORT + i)
			return &conns[i];
	if (refused_last)
		return conn_trying_again();
	if (!accepted_last || conn_is_tap(accepted_last))
		fail("connect() to port %u, where nobody wants to go",
		     k->remote_port);
	return accepted_last;
}

/* Where somebody was served before, a reset that was lost makes the guest try
 * again: nobody is there any more. */
static int connect_tcp(struct ksock *k)
{
	static const struct outcome again = { ECONNREFUSED, 0 };
	struct conn *c = conn_connecting(k);
	const struct outcome *o = c->program[1].started ? &again : &c->outcome;

	k->conn = conn_idx(c);
	k->end = 1;
	if (o->error)
		c->cause |= CAUSE_REFUSED;
	T("connection %u: connect(%d)", conn_idx(c), fd_of(k));
	c->fd[1] = fd_of(k);
	if (o->after) {
		k->state = T_CONNECTING;
		at(world.now + o->after, connect_done, (unsigned)fd_of(k),
		   conn_idx(c));
		return give_up(EINPROGRESS);
	}
	if (o->error)
		return give_up(o->error);
	tcp_up(k, c, 1);
	peer_start(c, 1);
	return 0;
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct ksock *k = ksock(fd, "connect");
	union sockaddr_any any;

	enter();
	memcpy(&any, sa, MIN(len, sizeof(any)));
	if (!addr_from_sockaddr(&k->remote, &k->remote_port, &any))
		return give_up(EAFNOSUPPORT);
	return k->kind == K_TCP ? connect_tcp(k) : 0;
}

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct ksock *l = ksock(fd, "accept4"), *k;
	union sockaddr_any any;

	(void)flags;
	enter();
	if (interrupted())
		return -1;
	if (!l->waiting_cnt)
		return give_up(EAGAIN);
	if (fault(world.faults.no_fd))
		return give_up(chance(500) ? EMFILE : ENOMEM);
	k = ksock_any(l->waiting[0]);
	memmove(l->waiting, l->waiting + 1,
		--l->waiting_cnt * sizeof(*l->waiting));
	world.progress++;
	if (fault(world.faults.abort_accept)) {
		conns[k->conn].cause |= CAUSE_HOST_RESET;
		conns[k->conn].program[k->end].gone = true;
		return give_up(ECONNABORTED);
	}
	k->open = true;
	*len = l->dual_local ?
	       addr_to_sockaddr6(&any, &k->remote, k->remote_port, 0) :
	       addr_to_sockaddr(&any, &k->remote, k->remote_port, 0);
	memcpy(sa, &any, *len);
	accepted_last = &conns[k->conn];
	refused_last = NULL;
	T("connection %u: accept4() = %d", k->conn, fd_of(k));
	return fd_of(k);
}

int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len);
int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	const struct ksock *k = ksock(fd, "getsockname");
	union sockaddr_any any;

	enter();
	if (fault(world.faults.odd)) {
		if (k->kind == K_TCP)
			conns[k->conn].cause |= CAUSE_NO_CALL;
		return give_up(ENOBUFS);
	}
	*len = k->dual_local ?
	       addr_to_sockaddr6(&any, &k->local, k->local_port, 0) :
	       addr_to_sockaddr(&any, &k->local, k->local_port, 0);
	memcpy(sa, &any, *len);
	return 0;
}

/* The agent's sockets are of another namespace, and otherwise the same. */
int agent_open(const struct sock_req *req)
{
	int fd;

	in_namespace = true;
	fd = sock_open_here(req);
	in_namespace = false;
	return fd;
}

int agent_pool_get(enum sock_kind kind, enum fam fam)
{
	struct sock_req req = { .kind = (uint8_t)kind, .fam = (uint8_t)fam };

	return agent_open(&req);
}

void kernel_call_in(struct conn *c)
{
	bool ns = c->kind == SPLICE_OUT;
	unsigned end = c->kind == HOST_OPENS ? 1 : 0;

	for (unsigned i = 0; i < ksock_cnt; i++) {
		struct ksock *l = &ksocks[i], *k;

		if (l->kind != K_LISTEN || l->ns != ns || !l->open)
			continue;
		if (l->waiting_cnt == ACCEPT_MAX)
			fail("accept queue is full");
		k = ksock_new(K_TCP);
		k->open = false;
		k->fam = c->fam;
		k->dual_local = l->dual_local;
		k->local = ns || c->kind == SPLICE_IN ?
			   addr_loopback(c->fam) : c->guest;
		k->local_port = l->local_port;
		k->remote = c->peer;
		k->remote_port = c->peer_port;
		tcp_up(k, c, end);
		l->waiting[l->waiting_cnt++] = fd_of(k);
		wake(l, EPOLLIN);
		peer_start(c, end);
		return;
	}
	fail("nobody listens");
}

/* --- closing --- */

static void reset_peer(struct ksock *k)
{
	if (k->state == T_UP && !k->reset)
		peer_was_reset(&conns[k->conn], k->end);
	k->reset = true;
}

static void close_tcp(struct ksock *k)
{
	struct conn *c = &conns[k->conn];

	T("connection %u: close(%d)%s", k->conn, fd_of(k),
	  k->linger_reset ? ", reset" : "");
	world.progress++;
	if (k->end == 1 && !conn_is_tap(c) && k->state != T_UP &&
	    c->outcome.error == ECONNREFUSED)
		refused_last = c;
	if (k->state != T_UP)
		return;
	if (k->linger_reset || k->arrived > k->read || !k->peer_fin) {
		if (!k->linger_reset && !k->reset)
			T("connection %u: %llu bytes not read, FIN %d",
			  k->conn, (unsigned long long)(k->arrived - k->read),
			  k->peer_fin);
		reset_peer(k);
		return;
	}
	k->shut = true;
	c->closed_well = true;
	peer_may_read(c, k->end);
}

int __wrap_close(int fd);
int __wrap_close(int fd)
{
	struct ksock *k = ksock(fd, "close");

	enter();
	if (k->kind == K_TCP)
		close_tcp(k);
	k->open = false;
	k->watched = false;
	return fault(world.faults.odd) ? give_up(EINTR) : 0;
}

int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
	struct ksock *k = ksock(fd, "shutdown");

	enter();
	T("connection %u: shutdown(%d)", k->conn, fd);
	if (how != SHUT_WR || k->kind != K_TCP)
		fail("shutdown() of another kind");
	if (k->reset || k->state != T_UP)
		return give_up(ENOTCONN);
	if (k->shut)
		fail("connection %u: shut down twice", k->conn);
	k->shut = true;
	world.progress++;
	wake(k, EPOLLHUP | EPOLLOUT);
	peer_may_read(&conns[k->conn], k->end);
	return 0;
}

/* --- options --- */

int __wrap_setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len)
{
	struct ksock *k = ksock(fd, "setsockopt");
	int v = 0;

	enter();
	memcpy(&v, val, MIN(len, sizeof(v)));
	if (fault(world.faults.odd)) {
		T("setsockopt(%d, %d, %d): fails", fd, level, name);
		if (k->kind == K_TCP && name == SO_PEEK_OFF)
			conns[k->conn].cause |= CAUSE_NO_CALL;
		return give_up(chance(500) ? ENOMEM : EPERM);
	}
	if (level == SOL_SOCKET && name == SO_PEEK_OFF) {
		T("connection %u: peek offset %d, head at %llu", k->conn, v,
		  (unsigned long long)k->read);
		k->peek_off = v;
	}
	if (level == SOL_SOCKET && name == SO_LINGER)
		k->linger_reset = v;
	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
		k->dual_local = !v;
	return 0;
}

static int meminfo(const struct ksock *k, uint32_t *mem, socklen_t *len)
{
	if (*len < SK_MEMINFO_VARS * sizeof(*mem))
		fail("SO_MEMINFO into too little");
	memset(mem, 0, SK_MEMINFO_VARS * sizeof(*mem));
	mem[SK_MEMINFO_SNDBUF] = k->sndbuf;
	mem[SK_MEMINFO_WMEM_QUEUED] = (uint32_t)unsent(k);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *val, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	struct ksock *k = ksock(fd, "getsockopt");

	enter();
	if (fault(world.faults.odd))
		return give_up(EPERM);
	if (level == SOL_SOCKET && name == SO_MEMINFO)
		return meminfo(k, val, len);
	if (level != SOL_SOCKET || name != SO_ERROR)
		return give_up(ENOPROTOOPT);
	memcpy(val, &k->err, sizeof(k->err));
	world.progress += !!k->err;
	k->err = 0;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *ifr;
	va_list ap;

	ksock(fd, "ioctl");
	va_start(ap, request);
	ifr = va_arg(ap, struct ifreq *);
	va_end(ap);
	if (request != SIOCGIFMTU)
		return give_up(ENOTTY);
	ifr->ifr_mtu = 1500;
	return 0;
}

/* --- data of the peer --- */

static void space_appears(unsigned fd, unsigned unused)
{
	struct ksock *k = ksock_any((int)fd);

	(void)unused;
	if (k->open && k->no_space && has_room(k)) {
		k->no_space = false;
		wake(k, EPOLLOUT);
	}
}

static void taken_bytes(struct ksock *k, const uint8_t *p, size_t len)
{
	const struct conn *c = &conns[k->conn];
	const struct stream *s = &c->stream[!k->end];

	if (k->taken + len > s->sent)
		fail("connection %u: bytes %llu to %llu go to end %u, but only "
		     "%llu were sent", k->conn, (unsigned long long)k->taken,
		     (unsigned long long)(k->taken + len), k->end,
		     (unsigned long long)s->sent);
	while (len) {
		size_t n = MIN(len, (size_t)PATTERN_MAX);

		if (memcmp(p, pattern(s->id, k->taken), n))
			fail("connection %u: wrong bytes for end %u, from %llu "
			     "on", k->conn, k->end,
			     (unsigned long long)k->taken);
		k->taken += n;
		counters->bytes += n;
		world.progress += n;
		p += n;
		len -= n;
	}
}

/* How many of @len bytes it takes now; -1 and errno. */
static ssize_t tcp_send_room(struct ksock *k, size_t len)
{
	uint64_t room;

	if (interrupted())
		return -1;
	if (k->state == T_CONNECTING)
		return give_up(EAGAIN);
	if (k->err) {
		errno = k->err;
		k->err = 0;
		return -1;
	}
	if (k->state != T_UP || k->reset || k->shut)
		return give_up(EPIPE);
	room = unsent(k) < k->sndbuf ? k->sndbuf - unsent(k) : 0;
	if (room && fault(world.faults.nobufs)) {
		static const int errors[] = { EAGAIN, ENOBUFS, ENOMEM };

		counters->nobufs++;
		k->no_space = true;
		at(world.now + rnd(2000) * US, space_appears,
		   (unsigned)fd_of(k), 0);
		return give_up(conn_is_tap(&conns[k->conn]) ? PICK(errors) :
			       EAGAIN);
	}
	if (!room) {
		k->no_space = true;
		return give_up(EAGAIN);
	}
	if (room > 1 && len > 1 && fault(world.faults.shorts)) {
		counters->shorts++;
		room = rnd_between(1, (uint32_t)MIN(room, len - 1));
		at(world.now + rnd(2000) * US, space_appears,
		   (unsigned)fd_of(k), 0);
	}
	if (room < len)
		k->no_space = true;
	return (ssize_t)MIN(room, len);
}

static ssize_t tcp_send(struct ksock *k, const struct iovec *iov, size_t cnt)
{
	size_t len = iov_len(iov, (unsigned)cnt), left;
	ssize_t n = tcp_send_room(k, len);

	T("connection %u: send(%d, %zu) = %zd%s%s", k->conn, fd_of(k), len, n,
	  n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
	if (n < 0)
		return n;
	left = (size_t)n;
	for (size_t i = 0; left; i++) {
		size_t here = MIN(left, iov[i].iov_len);

		taken_bytes(k, iov[i].iov_base, here);
		left -= here;
	}
	peer_may_read(&conns[k->conn], k->end);
	return n;
}

/* Bytes to be had now, from *from on; -1 and errno; 0: the end. */
static ssize_t tcp_recv_avail(struct ksock *k, int flags, uint64_t *from)
{
	if (interrupted())
		return -1;
	*from = k->read;
	if (flags & MSG_PEEK && k->peek_off > 0)
		*from += (uint64_t)k->peek_off;
	if (k->arrived > *from)
		return (ssize_t)(k->arrived - *from);
	if (k->err) {
		errno = k->err;
		k->err = 0;
		return -1;
	}
	if (k->peer_fin || k->reset)
		return 0;
	return give_up(EAGAIN);
}

static void tcp_consume(struct ksock *k, size_t n)
{
	struct conn *c = &conns[k->conn];

	k->read += n;
	world.progress += n;
	if (k->peek_off >= 0)
		k->peek_off = MAX(0, k->peek_off - (int64_t)n);
	if (conn_is_tap(c) && k->read > guest_received(c))
		fail("connection %u: byte %llu left the socket before the "
		     "guest had it", k->conn, (unsigned long long)k->read);
	peer_may_write(c, k->end);
}

static ssize_t tcp_recv(struct ksock *k, const struct iovec *iov, size_t cnt,
			int flags)
{
	uint32_t id = conns[k->conn].stream[k->end].id;
	size_t len = iov_len(iov, (unsigned)cnt), left;
	uint64_t pos;
	ssize_t n = tcp_recv_avail(k, flags, &pos);

	n = n > (ssize_t)len ? (ssize_t)len : n;
	T("connection %u: recv(%d, %zu%s%s) = %zd%s%s", k->conn, fd_of(k), len,
	  flags & MSG_PEEK ? ", PEEK" : "", flags & MSG_TRUNC ? ", TRUNC" : "",
	  n, n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
	if (n <= 0)
		return n;
	left = flags & MSG_TRUNC ? 0 : (size_t)n;
	for (size_t i = 0; left; i++) {
		uint8_t *p = iov[i].iov_base;

		for (size_t here = MIN(left, iov[i].iov_len); here;) {
			size_t part = MIN(here, (size_t)PATTERN_MAX);

			memcpy(p, pattern(id, pos), part);
			p += part;
			pos += part;
			here -= part;
			left -= part;
		}
	}
	if (!(flags & MSG_PEEK))
		tcp_consume(k, (size_t)n);
	else if (k->peek_off >= 0)
		k->peek_off += n;
	return n;
}

/* --- datagrams --- */

static void udp_arrives(struct ksock *k, const struct datagram *d)
{
	if (!k->open || k->queue_cnt == UDP_QUEUE)
		return;
	k->queue[(k->queue_first + k->queue_cnt++) % UDP_QUEUE] =
		(uint16_t)datagram_keep(d);
	wake(k, EPOLLIN);
}

void kernel_datagram_to_listener(const struct datagram *d, bool ns)
{
	for (unsigned i = 0; i < ksock_cnt; i++)
		if (ksocks[i].kind == K_UDP && ksocks[i].ns == ns &&
		    ksocks[i].local_port == RULE_PORT)
			udp_arrives(&ksocks[i], d);
}

void kernel_datagram_to_socket(const struct datagram *d, int fd)
{
	if (fd >= 0)
		udp_arrives(ksock_any(fd), d);
}

/* Of the control messages, the size of a train's datagrams. */
static size_t segment_size(const struct msghdr *m)
{
	struct msghdr copy = *m;
	uint16_t unit;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c;
	     c = CMSG_NXTHDR(&copy, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_SEGMENT)
			continue;
		memcpy(&unit, CMSG_DATA(c), sizeof(unit));
		return unit;
	}
	return 0;
}

static size_t gather(const struct msghdr *m, uint8_t *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *v = &m->msg_iov[i];

		if (len + v->iov_len > size)
			fail("a message of more than %zu bytes", size);
		if (v->iov_len)
			memcpy(out + len, v->iov_base, v->iov_len);
		len += v->iov_len;
	}
	return len;
}

static ssize_t udp_send(struct ksock *k, const struct msghdr *m)
{
	static const int errors[] = {
		EAGAIN, ENOBUFS, ENOMEM, ECONNREFUSED, EPERM, EHOSTUNREACH,
	};
	static uint8_t buf[2 * PATTERN_MAX];
	size_t len = gather(m, buf, sizeof(buf)), unit = segment_size(m);
	union sockaddr_any to;
	uint16_t port;
	struct addr dst;

	if (interrupted())
		return -1;
	if (fault(world.faults.nobufs))
		return give_up(PICK(errors));
	if (unit && fault(world.faults.nobufs))
		return give_up(chance(500) ? EIO : EINVAL);
	if (len > 65507 || (unit && len > unit * 64))
		return give_up(EMSGSIZE);
	memcpy(&to, m->msg_name, MIN(m->msg_namelen, sizeof(to)));
	addr_from_sockaddr(&dst, &port, &to);
	T("sendmsg(%d, %zu bytes by %zu, port %u)", fd_of(k), len, unit, port);
	for (size_t at = 0; at < len || !at; at += unit ? unit : len + 1)
		datagram_to_peer(fd_of(k), &dst, port, buf + at,
				 unit ? MIN(unit, len - at) : len);
	return (ssize_t)len;
}

static void put_control(struct msghdr *m, size_t *used, int level, int type,
			const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)m->msg_control +
					       *used);

	if (*used + CMSG_SPACE(len) > m->msg_controllen)
		fail("no room for control messages");
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	*used += CMSG_SPACE(len);
}

/* Where it was sent to: an address of the host, or loopback. */
static void put_info(const struct ksock *k, const struct datagram *d,
		     struct msghdr *m, size_t *used)
{
	struct in_pktinfo info4 = { 0 };
	struct in6_pktinfo info6 = { 0 };
	struct addr ours;

	addr_parse(&ours, d->fam == FAM4 ? "203.0.113.5" : "2001:db8:1::5");
	if (addr_is_loopback(&d->from))
		ours = addr_loopback(d->fam);
	if (d->fam == FAM4) {
		addr_put(&ours, (uint8_t *)&info4.ipi_addr);
		info4.ipi_spec_dst = info4.ipi_addr;
		put_control(m, used, IPPROTO_IP, IP_PKTINFO, &info4,
			    sizeof(info4));
	}
	if (k->fam == FAM6) {
		memcpy(&info6.ipi6_addr, ours.b, sizeof(ours.b));
		put_control(m, used, IPPROTO_IPV6, IPV6_PKTINFO, &info6,
			    sizeof(info6));
	}
}

static const struct datagram *udp_first(const struct ksock *k)
{
	return k->queue_cnt ? datagram_at(k->queue[k->queue_first]) : NULL;
}

static const struct datagram *udp_pop(struct ksock *k)
{
	const struct datagram *d = udp_first(k);

	k->queue_first = (k->queue_first + 1) % UDP_QUEUE;
	k->queue_cnt--;
	return d;
}

/* Whether the kernel makes a train of these. */
static bool joins(const struct datagram *a, const struct datagram *b,
		  size_t len)
{
	return b && a->talk == b->talk && a->dir == b->dir &&
	       a->len == b->len && a->len && len + b->len <= 65507;
}

static void udp_receive_one(struct ksock *k, struct mmsghdr *mm)
{
	struct msghdr *m = &mm->msg_hdr;
	const struct datagram *d = udp_pop(k);
	uint8_t *out = m->msg_iov->iov_base;
	bool train = chance(500);
	size_t used = 0, len = d->len;
	int unit = (int)d->len;
	union sockaddr_any from;

	if (m->msg_iov->iov_len < 65507)
		fail("a datagram would be cut");
	datagram_fill(d, out);
	while (train && joins(d, udp_first(k), len)) {
		datagram_fill(udp_pop(k), out + len);
		len += d->len;
	}
	mm->msg_len = (unsigned)len;
	m->msg_namelen = k->fam == FAM6 ?
			 addr_to_sockaddr6(&from, &d->from, d->from_port, 0) :
			 addr_to_sockaddr(&from, &d->from, d->from_port, 0);
	memcpy(m->msg_name, &from, m->msg_namelen);
	put_info(k, d, m, &used);
	if (len > d->len)
		put_control(m, &used, IPPROTO_UDP, UDP_GRO, &unit,
			    sizeof(unit));
	m->msg_controllen = used;
	T("datagram of talk %u from %d: %zu bytes by %d", d->talk, fd_of(k),
	  len, unit);
}

/* --- reading and writing --- */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct ksock *k = ksock(fd, "sendmsg");

	(void)flags;
	enter();
	if (k->kind == K_LINK)
		return interrupted() ? -1 : wire_stream_write(m->msg_iov,
							      m->msg_iovlen);
	return k->kind == K_UDP ? udp_send(k, m) :
				  tcp_send(k, m->msg_iov, m->msg_iovlen);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	struct msghdr m = {
		.msg_iov = &(struct iovec) { (void *)buf, len },
		.msg_iovlen = 1,
	};

	return __wrap_sendmsg(fd, &m, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct ksock *k = ksock(fd, "recvmsg");

	enter();
	if (k->kind == K_LINK)
		return interrupted() ? -1 :
		       wire_stream_read(m->msg_iov->iov_base,
					m->msg_iov->iov_len);
	if (k->kind != K_TCP)
		return give_up(EAGAIN);
	return tcp_recv(k, m->msg_iov, m->msg_iovlen, flags);
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
	struct msghdr m = {
		.msg_iov = &(struct iovec) { buf, len }, .msg_iovlen = 1,
	};

	return __wrap_recvmsg(fd, &m, flags);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned cnt, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned cnt, int flags)
{
	struct ksock *k = ksock(fd, "sendmmsg");
	unsigned n = 0;

	(void)flags;
	enter();
	for (; n < cnt && udp_send(k, &m[n].msg_hdr) >= 0; n++)
		if (fault(world.faults.shorts))
			return (int)n + 1;
	return n ? (int)n : -1;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned cnt, int flags,
		    struct timespec *ts);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned cnt, int flags,
		    struct timespec *ts)
{
	struct ksock *k = ksock(fd, "recvmmsg");
	unsigned n = 0;

	(void)flags;
	(void)ts;
	enter();
	if (interrupted())
		return -1;
	if (fault(world.faults.nobufs))
		return give_up(ECONNREFUSED);	/* to an earlier datagram */
	if (!k->queue_cnt)
		return give_up(EAGAIN);
	for (; n < cnt && k->queue_cnt; n++)
		udp_receive_one(k, &m[n]);
	world.progress += n;
	return (int)n;
}

/* --- pipes --- */

int __wrap_pipe2(int fd[2], int flags);
int __wrap_pipe2(int fd[2], int flags)
{
	(void)flags;
	enter();
	if (pipe_cnt == PIPES || fault(world.faults.no_pipe))
		return give_up(EMFILE);
	pipes[pipe_cnt].size = 65536;
	for (unsigned i = 0; i < 2; i++) {
		struct ksock *k = ksock_new(K_PIPE);

		k->pipe = pipe_cnt;
		k->is_reader = !i;
		fd[i] = fd_of(k);
	}
	pipe_cnt++;
	return 0;
}

int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...)
{
	struct kpipe *p = &pipes[ksock(fd, "fcntl")->pipe];
	va_list ap;
	int arg;

	enter();
	va_start(ap, cmd);
	arg = cmd == F_SETPIPE_SZ ? va_arg(ap, int) : 0;
	va_end(ap);
	if (cmd == F_GETPIPE_SZ)
		return (int)p->size;
	if (cmd != F_SETPIPE_SZ)
		fail("fcntl() of another kind");
	if (fault(world.faults.small_pipe)) {
		p->size = chance(500) ? 65536 : 8192;
		return give_up(EPERM);
	}
	p->size = MIN((uint32_t)arg, PIPE_BYTES);
	return (int)p->size;
}

/* glibc's name, where offsets in files have 64 bits. */
int __wrap_fcntl64(int fd, int cmd, ...)
	__attribute__((alias("__wrap_fcntl")));

static void pipe_put(struct kpipe *p, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p->buf[p->in++ % PIPE_BYTES] = data[i];
}

ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	struct ksock *k = ksock(fd, "write");
	struct kpipe *p = &pipes[k->pipe];

	enter();
	if (k->kind != K_PIPE || k->is_reader)
		fail("write() to what is no pipe");
	if (interrupted())
		return -1;
	len = MIN(len, p->size - (p->in - p->out));
	pipe_put(p, buf, len);
	return (ssize_t)len;
}

static ssize_t splice_in(struct ksock *k, struct kpipe *p, size_t len)
{
	uint64_t space = p->size - (p->in - p->out), pos;
	uint32_t id = conns[k->conn].stream[k->end].id;
	ssize_t n = tcp_recv_avail(k, 0, &pos);

	if (n <= 0)
		return n;
	len = MIN(MIN((size_t)n, len), space);
	if (!len)
		return give_up(EAGAIN);
	if (len > 1 && fault(world.faults.shorts))
		len = rnd_between(1, (uint32_t)len);
	for (size_t left = len; left;) {
		size_t part = MIN(left, (size_t)PATTERN_MAX);

		pipe_put(p, pattern(id, pos), part);
		pos += part;
		left -= part;
	}
	tcp_consume(k, len);
	return (ssize_t)len;
}

static ssize_t splice_out(struct ksock *k, struct kpipe *p, size_t len)
{
	ssize_t n;

	len = MIN(len, p->in - p->out);
	if (!len)
		return give_up(EAGAIN);
	n = tcp_send_room(k, len);
	for (ssize_t left = n; left > 0;) {
		uint64_t off = p->out % PIPE_BYTES;
		size_t part = MIN((size_t)left, PIPE_BYTES - off);

		taken_bytes(k, p->buf + off, part);
		p->out += part;
		left -= (ssize_t)part;
	}
	if (n > 0)
		peer_may_read(&conns[k->conn], k->end);
	return n;
}

ssize_t __wrap_splice(int in, off_t *in_off, int out, off_t *out_off,
		      size_t len, unsigned flags);
ssize_t __wrap_splice(int in, off_t *in_off, int out, off_t *out_off,
		      size_t len, unsigned flags)
{
	struct ksock *from = ksock(in, "splice"), *to = ksock(out, "splice");
	ssize_t n;

	(void)in_off;
	(void)out_off;
	(void)flags;
	enter();
	counters->splices++;
	if (from->kind == K_TCP)
		n = splice_in(from, &pipes[to->pipe], len);
	else
		n = splice_out(to, &pipes[from->pipe], len);
	T("splice(%d, %d, %zu) = %zd", in, out, len, n);
	return n;
}

/* --- the rest --- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ts->tv_sec = (time_t)(world.now / SECOND);
	ts->tv_nsec = (long)(world.now % SECOND);
	return 0;
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
	uint8_t *p = buf;

	(void)flags;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)rnd(256);
	return (ssize_t)len;
}

void kernel_start(void)
{
	struct ksock *k = ksock_new(K_LINK);

	k->writable = true;
	link_fd = fd_of(k);
}

int kernel_link_fd(void)
{
	return link_fd;
}

void kernel_link_readable(bool yes)
{
	struct ksock *k = ksock_any(link_fd);

	k->readable = yes;
	if (yes)
		wake(k, EPOLLIN);
}

void kernel_link_writable(bool yes)
{
	struct ksock *k = ksock_any(link_fd);

	k->writable = yes;
	if (yes)
		wake(k, EPOLLOUT);
}

uint64_t kernel_taken(const struct conn *c, unsigned end)
{
	return c->fd[end] < 0 ? 0 : ksock_any(c->fd[end])->taken;
}

/* Nothing waits to be accepted, or to be read by a peer. */
bool kernel_idle(void)
{
	for (unsigned i = 0; i < ksock_cnt; i++)
		if (ksocks[i].kind == K_LISTEN && ksocks[i].waiting_cnt)
			return false;
	return true;
}

void kernel_check_end(void)
{
	unsigned open_pipes = 0;

	for (unsigned i = 0; i < ksock_cnt; i++) {
		const struct ksock *k = &ksocks[i];

		if (!k->open)
			continue;
		if (k->kind == K_TCP ||
		    (k->kind == K_UDP && k->local_port != RULE_PORT))
			fail("socket %d leaks", FD_FIRST + (int)i);
		if (k->kind != K_PIPE)
			continue;
		open_pipes++;
		if (pipes[k->pipe].in != pipes[k->pipe].out)
			fail("pipe %u holds %llu bytes of nobody", k->pipe,
			     (unsigned long long)(pipes[k->pipe].in -
						  pipes[k->pipe].out));
	}
	if (open_pipes > 2 * PIPES_KEPT_MAX)
		fail("%u pipes are open at the end", open_pipes / 2);
}

/* --- the peer's half --- */

uint64_t kernel_peer_readable(int fd, bool *eof)
{
	const struct ksock *k = ksock_any(fd);

	*eof = k->shut && !k->reset;
	return unsent(k);
}

void kernel_peer_read(int fd, uint64_t n)
{
	struct ksock *k = ksock_any(fd);

	k->gone += n;
	space_appears((unsigned)fd, 0);
}

uint64_t kernel_peer_room(int fd)
{
	const struct ksock *k = ksock_any(fd);
	uint64_t used = k->arrived - k->read;

	return used < k->rcvbuf ? k->rcvbuf - used : 0;
}

void kernel_peer_wrote(int fd, uint64_t n)
{
	struct ksock *k = ksock_any(fd);

	k->arrived += n;
	wake(k, EPOLLIN);
}

void kernel_peer_fin(int fd)
{
	struct ksock *k = ksock_any(fd);

	k->peer_fin = true;
	wake(k, EPOLLIN | EPOLLRDHUP | (k->shut ? EPOLLHUP : 0u));
}

void kernel_peer_reset(int fd)
{
	struct ksock *k = ksock_any(fd);

	k->reset = true;
	k->err = k->shut && k->peer_fin ? EPIPE : ECONNRESET;
	wake(k, EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}
