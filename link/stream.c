/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - the link as a stream socket to a hypervisor (QEMU's "stream")
 *
 * Each frame is preceded by its length, four bytes, big-endian, both ways.
 * There is one client at a time; a listening socket waits for the next one, and
 * flows survive the change. A client that sends a length no frame can have is
 * out of step: nothing after that can be trusted, so it is disconnected.
 *
 * What is committed goes into one buffer, as it will be on the wire, and leaves
 * with one system call per turn. What the socket did not take stays, in order,
 * until EPOLLOUT, which is asked for only then. Meanwhile new frames wrap
 * around to the buffer's start; there are never more than two pieces:
 *
 *	0        second.end        first.start          first.end        size
 *	| second piece |   free    | first piece: leaves next |    free    |
 *
 * Owns the sockets and both buffers. Never waits, never loses part of a frame,
 * never leaves one half sent.
 */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"

SYSCALLS(passt: accept4, fcntl, recvfrom, sendmsg, shutdown, getsockopt,
	 setsockopt, close);

#define LEN_SIZE	4u
#define TX_SIZE		(1u << 20)
#define RX_SIZE		(1u << 19)
#define READS_AT_END	16	/* per event, once the client has hung up */
/* What a hypervisor leaves to us to cut exceeds any MTU, and what we send: as
 * much as an IPv6 header can tell (RFC 8200 3). */
#define RX_FRAME_MAX	(ETH_HLEN_ + 40 + 65535)

#define EV_CLIENT	((struct ev) { .kind = EV_LINK })
#define EV_SERVER	((struct ev) { .kind = EV_LINK_LISTEN })
#define EV_HANGUP	(EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static int listen_fd = -1;
static int client_fd = -1;
static int spare_fd[2] = { -1, -1 };	/* see client_accept() */
static bool last_client;	/* when it goes, so do we */

static uint8_t rx[RX_SIZE] __attribute__((aligned(4096)));
static size_t rx_len;
static struct iovec rx_iov[LINK_BATCH];

struct piece {
	size_t start, end;
};

static uint8_t tx[TX_SIZE] __attribute__((aligned(4096)));
static struct piece first, second;
static bool wrapped;		/* first ends too near to the buffer's end:
				 * new frames go to second */
static bool blocked;		/* waiting for EPOLLOUT */

static void tx_send(void);

/* --- towards the guest --- */

static void tx_clear(void)
{
	first = second = (struct piece) { 0 };
	wrapped = blocked = false;
}

/* Where the next frame goes, and how much fits there. */
static struct piece *tx_tail(size_t *space)
{
	struct piece *tail = wrapped ? &second : &first;

	*space = (wrapped ? first.start : TX_SIZE) - tail->end;
	return tail;
}

/* Room for @need bytes in one piece. */
static bool tx_room(size_t need)
{
	size_t space;

	tx_tail(&space);
	if (space >= need)
		return true;
	if (wrapped || first.start < need)
		return false;
	wrapped = true;
	return true;
}

static unsigned stream_reserve(struct frame *f, unsigned want, size_t hdr_len,
			       size_t room)
{
	size_t need, space;
	struct piece *tail;
	uint8_t *p;
	unsigned n;

	room = MIN(room, ETH_FRAME_MAX - hdr_len);
	need = LEN_SIZE + hdr_len + room;
	if (!tx_room(need)) {
		tx_send();
		if (!tx_room(need))
			return 0;
	}
	tail = tx_tail(&space);
	p = tx + tail->end;
	n = (unsigned)MIN(want, space / need);
	for (unsigned i = 0; i < n; i++, p += need) {
		f[i].hdr = p + LEN_SIZE;
		f[i].hdr_len = hdr_len;
		f[i].pay[0] = (struct iovec) { f[i].hdr + hdr_len, room };
		f[i].pay_cnt = 1;
		f[i].pay_len = 0;
	}
	return n;
}

/* Frames shorter than their room leave gaps, which are closed: the buffer is
 * what goes on the wire. All but the last of a bulk transfer are full, so that
 * next to nothing moves. */
static void stream_commit(struct frame *f, unsigned n)
{
	size_t space;
	struct piece *tail = tx_tail(&space);

	for (unsigned i = 0; i < n; i++) {
		size_t len = f[i].hdr_len + f[i].pay_len;
		uint8_t *p = tx + tail->end;

		if (f[i].hdr != p + LEN_SIZE)
			memmove(p + LEN_SIZE, f[i].hdr, len);
		put_be32(p, (uint32_t)len);
		tail->end += LEN_SIZE + len;
	}
}

static void tx_sent(size_t n)
{
	size_t part = MIN(n, first.end - first.start);

	first.start += part;
	second.start += n - part;
	if (first.start < first.end)
		return;
	first = wrapped ? second : (struct piece) { 0 };
	second = (struct piece) { 0 };
	wrapped = false;
	if (first.start == first.end)
		first = (struct piece) { 0 };
}

/* EPOLLOUT is wanted while something is left over. */
static void tx_wait(bool on)
{
	if (blocked == on)
		return;
	blocked = on;
	loop_mod(client_fd, EPOLLIN | EPOLLRDHUP | (on ? EPOLLOUT : 0),
		 EV_CLIENT);
}

/* The client takes nothing any more. It is let go where that is judged: by the
 * read which finds the end, behind what it still sent. */
static void tx_broken(int errnum)
{
	debug("Sending to the client failed: %s", strerror(errnum));
	shutdown(client_fd, SHUT_RDWR);
	tx_wait(false);
	tx_clear();
}

/* Send what there is; what is left waits for EPOLLOUT. */
static void tx_try(void)
{
	struct iovec iov[2] = {
		{ tx + first.start, first.end - first.start },
		{ tx + second.start, second.end - second.start },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = wrapped ? 2 : 1 };
	size_t all = iov[0].iov_len + iov[1].iov_len;
	ssize_t n;

	if (!all) {
		tx_wait(false);
		return;
	}
	do
		n = sendmsg(client_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
		tx_broken(errno);
		return;
	}
	if (n > 0)
		tx_sent((size_t)n);
	tx_wait(n < 0 || (size_t)n < all);
}

static void tx_send(void)
{
	if (client_fd >= 0 && !blocked)
		tx_try();
}

/* --- the client --- */

static int peer_pid(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.pid;
}

static int client_attach(int fd)
{
	const int most = INT_MAX / 2;	/* the kernel cuts it to its maximum */
	int rc = loop_add(fd, EPOLLIN | EPOLLRDHUP, EV_CLIENT);

	if (rc)
		return rc;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	client_fd = fd;
	rx_len = 0;
	tx_clear();
	info("Client with PID %i connected", peer_pid(fd));
	link_set_up(true);
	return 0;
}

/* For as many as there can be at once: a client, and one to be turned away. */
static void spares_take(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spare_fd); i++)
		if (spare_fd[i] < 0 && listen_fd >= 0)
			spare_fd[i] = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
}

static void client_gone(void)
{
	info("Client closed the connection");
	link_set_up(false);
	loop_del(client_fd);
	close_keep_errno(&client_fd);
	spares_take();
	tx_clear();
	link_writable();
	if (last_client)
		loop_stop(EXIT_SUCCESS);
}

/* --- from the guest --- */

/* Hands over one frame; false: not all of it is here. */
static bool rx_frame(struct rd *r, struct iovec *iov)
{
	struct rd look = *r;
	uint32_t len = rd_be32(&look);
	const uint8_t *frame = rd_ptr(&look, len);

	if (!frame)
		return false;
	*r = look;
	*iov = (struct iovec) { (void *)frame, len };
	link_input(iov, 1, NULL);
	return true;
}

static bool rx_in_step(const struct rd *r)
{
	struct rd look = *r;
	uint32_t len = rd_be32(&look);

	if (!rd_ok(&look) || (len >= ETH_HLEN_ && len <= RX_FRAME_MAX))
		return true;
	err_limit("Client sent a frame of %u bytes: out of step, closing",
		  len);
	return false;
}

/* Judges what is in the buffer and keeps the tail that is not a whole frame. */
static bool rx_frames(void)
{
	struct rd r = rd_init(rx, rx_len);
	unsigned n = 0;
	bool in_step;

	while ((in_step = rx_in_step(&r)) && rx_frame(&r, &rx_iov[n])) {
		if (++n < LINK_BATCH)
			continue;
		link_input_done();
		n = 0;
	}
	link_input_done();
	rx_len = r.len;
	if (r.p != rx)
		memmove(rx, r.p, rx_len);
	return in_step;
}

/* Bytes read, 0 when there are none, -errno when there will be none any more.
 */
static ssize_t rx_more(void)
{
	ssize_t n;

	do
		n = recv(client_fd, rx + rx_len, RX_SIZE - rx_len,
			 MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (!n)
		return -EPIPE;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	rx_len += (size_t)n;
	return n;
}

/* One read per event: what is left comes with the next. But a peer that has
 * hung up cannot send more, so then everything is read before it is let go.
 * Its going is believed to recv() alone: an event may be one for a client that
 * is no longer this one. */
static void client_read(unsigned times)
{
	ssize_t n;

	do {
		n = rx_more();
		if (n < 0 || (n > 0 && !rx_frames())) {
			client_gone();
			return;
		}
	} while (n > 0 && --times);
}

/* --- events --- */

static void client_refuse(int fd)
{
	LOG_LIMIT(LOG_LVL_INFO, "Another client, with PID %i, is turned away",
		  peer_pid(fd));
	close(fd);
}

/* Flows, which outlive their client, may have used up all descriptors, and who
 * is not accepted would be announced again without end: spares make room. */
static int client_accept(void)
{
	int fd = -1;

	for (size_t i = 0; fd < 0 && i <= ARRAY_SIZE(spare_fd); i++) {
		fd = accept4(listen_fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 || errno != EMFILE)
			break;
		if (i < ARRAY_SIZE(spare_fd))
			close_keep_errno(&spare_fd[i]);
	}
	return fd;
}

static void server_input(void)
{
	int fd = client_accept();

	if (fd < 0)
		return;
	/* A hypervisor that comes back may be quicker than the event which says
	 * that it went. */
	if (client_fd >= 0)
		client_read(READS_AT_END);
	if (client_fd >= 0)
		client_refuse(fd);
	else if (client_attach(fd))
		close(fd);
	spares_take();
}

static void stream_input(struct ev ev, uint32_t events)
{
	if (ev.kind == EV_LINK_LISTEN) {
		server_input();
		return;
	}
	if (client_fd >= 0 && events & EPOLLOUT) {
		tx_try();
		link_writable();
	}
	if (client_fd >= 0 && events & ~(uint32_t)EPOLLOUT)
		client_read(events & EV_HANGUP ? READS_AT_END : 1);
}

static const struct link_ops stream_ops = {
	.reserve	= stream_reserve,
	.commit		= stream_commit,
	.flush		= tx_send,
	.input		= stream_input,
};

int stream_attach(int server, int fd, bool one_off,
		  const struct link_hooks *hooks)
{
	static const struct link_caps caps = {
		.max_payload = ETH_FRAME_MAX - ETH_HLEN_ - 20 - 20,
	};

	listen_fd = server;
	last_client = one_off || fd >= 0;
	link_init(&stream_ops, &caps, hooks);
	if (fd >= 0)
		return client_attach(fd);
	spares_take();
	return loop_add(server, EPOLLIN, EV_SERVER);
}
