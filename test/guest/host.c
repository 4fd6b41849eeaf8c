/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - the peer on the host: ordinary sockets on the loopback interface
 *
 * What it sends and receives is checked against the two streams of the
 * connection, byte by byte. Nothing here sleeps: a command which needs the
 * kernel or the daemon to move runs the daemon until it did, or fails.
 */
#include "guest.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"

#define CHUNK	65536

static size_t wanted;
static uint8_t buf[CHUNK];

unsigned host_fds(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONNS; i++) {
		const struct conn *c = &world.conn[i];

		if (c->used)
			n += (c->fd >= 0) + (c->listen_fd >= 0) +
			     (c->prev_fd >= 0);
	}
	return n;
}

static void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		fail("setsockopt: %s", strerror(errno));
}

static socklen_t loopback(union sockaddr_any *sa, uint16_t port)
{
	struct addr a = addr_loopback(world.fam);

	return addr_to_sockaddr(sa, &a, port, 0);
}

static int new_socket(void)
{
	int fd = socket(addr_af(world.fam), SOCK_STREAM | SOCK_CLOEXEC |
			SOCK_NONBLOCK, 0);

	if (fd < 0)
		fail("socket: %s", strerror(errno));
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

static uint16_t local_port(int fd)
{
	union sockaddr_any sa;
	socklen_t len = sizeof(sa);
	struct addr a;
	uint16_t port;

	if (getsockname(fd, &sa.sa, &len) < 0 ||
	    !addr_from_sockaddr(&a, &port, &sa))
		fail("getsockname: %s", strerror(errno));
	return port;
}

static void open_listener(struct conn *c, bool listening)
{
	union sockaddr_any sa;
	socklen_t len = loopback(&sa, 0);

	c->listen_fd = new_socket();
	if (bind(c->listen_fd, &sa.sa, len) < 0)
		fail("bind: %s", strerror(errno));
	c->there_port = local_port(c->listen_fd);
	if (listening && listen(c->listen_fd, 16) < 0)
		fail("listen: %s", strerror(errno));
}

/* --- streams --- */

static void push(struct conn *c)
{
	while (c->pending && c->fd >= 0) {
		ssize_t n = send(c->fd, c->sent.p + c->sent.len - c->pending,
				 c->pending, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			fail("host: send: %s", strerror(errno));
		if (n <= 0)
			return;
		c->pending -= (size_t)n;
		world.host_moves++;
	}
}

static void check_received(struct conn *c, const uint8_t *p, size_t len)
{
	if (c->received + len > c->guest_sent.len)
		fail("host: received %zu bytes, the guest sent %zu",
		     c->received + len, c->guest_sent.len);
	for (size_t i = 0; i < len; i++)
		if (p[i] != c->guest_sent.p[c->received + i])
			fail("host: wrong byte at offset %zu: %02x, not %02x",
			     c->received + i, p[i],
			     c->guest_sent.p[c->received + i]);
	c->received += len;
	world.host_moves++;
}

/* Up to @max bytes; how many, 0 for none yet. EOF and errors fail. */
static size_t pull(struct conn *c, size_t max)
{
	ssize_t n = recv(c->fd, buf, MIN(max, sizeof(buf)), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		fail("host: recv: %s", strerror(errno));
	if (!n)
		fail("host: end of file");
	if (n < 0)
		return 0;
	check_received(c, buf, (size_t)n);
	return (size_t)n;
}

static void drain(struct conn *c)
{
	while (c->sink && c->fd >= 0) {
		ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n <= 0)
			return;
		check_received(c, buf, (size_t)n);
	}
}

void host_turn(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &world.conn[i];

		if (!c->used)
			continue;
		push(c);
		drain(c);
	}
}

/* --- commands --- */

static void cmd_listen(char **tok)
{
	(void)tok;
	open_listener(conn_cur(), true);
}

/* A port that answers with a reset: bound, so that nobody else takes it. */
static void cmd_closed(char **tok)
{
	(void)tok;
	open_listener(conn_cur(), false);
}

static bool accepted(void)
{
	struct conn *c = conn_cur();

	c->fd = accept4(c->listen_fd, NULL, NULL,
			SOCK_CLOEXEC | SOCK_NONBLOCK);
	return c->fd >= 0;
}

static void cmd_accept(char **tok)
{
	struct conn *c = conn_cur();

	(void)tok;
	if (c->fd >= 0) {
		close_keep_errno(&c->prev_fd);
		c->prev_fd = c->fd;
	}
	if (!wait_real(accepted))
		fail("nothing to accept");
	set_int(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void cmd_connect(char **tok)
{
	struct conn *c = conn_cur();
	union sockaddr_any sa;
	socklen_t len = loopback(&sa, world.forward_port);

	(void)tok;
	c->fd = new_socket();
	if (connect(c->fd, &sa.sa, len) < 0 && errno != EINPROGRESS)
		fail("connect: %s", strerror(errno));
	c->there_port = local_port(c->fd);
	c->inbound = true;
}

static bool connected(void)
{
	union sockaddr_any sa;
	socklen_t len = sizeof(sa);

	return !getpeername(conn_cur()->fd, &sa.sa, &len);
}

static void cmd_connected(char **tok)
{
	(void)tok;
	if (!wait_real(connected))
		fail("not connected");
}

static void cmd_reset(char **tok)
{
	struct linger lin = { .l_onoff = 1 };
	struct conn *c = conn_cur();

	(void)tok;
	if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin)))
		fail("SO_LINGER: %s", strerror(errno));
	close_keep_errno(&c->fd);
	settle();
}

static void queue(const char *what)
{
	struct conn *c = conn_cur();
	size_t len, at = c->sent.len;

	if (what[0] == '"') {
		len = unquote(what, buf, sizeof(buf));
		bytes_grow(&c->sent, at + len, pattern_host);
		memcpy(c->sent.p + at, buf, len);
	} else {
		len = (size_t)number(what);
		bytes_grow(&c->sent, at + len, pattern_host);
	}
	c->pending += len;
}

static void cmd_send(char **tok)
{
	queue(tok[0]);
	settle();
}

/* Data and a reset, before the daemon sees either. */
static void cmd_last(char **tok)
{
	struct conn *c = conn_cur();

	queue(tok[0]);
	push(c);
	if (c->pending)
		fail("host: last: too much for the socket");
	cmd_reset(tok);
}

static void cmd_urgent(char **tok)
{
	struct conn *c = conn_cur();
	size_t at = c->sent.len;

	if (c->pending)
		fail("host: data is still waiting");
	bytes_grow(&c->sent, at + 1, pattern_host);
	if (unquote(tok[0], buf, sizeof(buf)) != 1)
		fail("urgent: one byte");
	c->sent.p[at] = buf[0];
	if (send(c->fd, buf, 1, MSG_OOB | MSG_NOSIGNAL) != 1)
		fail("host: send: %s", strerror(errno));
	settle();
}

static bool got_wanted(void)
{
	struct conn *c = conn_cur();

	while (c->received < wanted)
		if (!pull(c, wanted - c->received))
			return false;
	return true;
}

static void recv_bytes(struct conn *c, size_t len)
{
	wanted = c->received + len;
	if (!wait_real(got_wanted))
		fail("host: received %zu of %zu bytes",
		     len - (wanted - c->received), len);
}

static void recv_text(struct conn *c, const char *tok)
{
	uint8_t text[CHUNK];
	size_t len = unquote(tok, text, sizeof(text)), at = c->received;

	recv_bytes(c, len);
	if (memcmp(c->guest_sent.p + at, text, len))
		fail("host: received other bytes");
}

static int last_errno;

static bool got_end(void)
{
	ssize_t n = recv(conn_cur()->fd, buf, 1, MSG_DONTWAIT | MSG_PEEK);

	if (n > 0)
		fail("host: data where an end was expected");
	last_errno = n < 0 ? errno : 0;
	return last_errno != EAGAIN;
}

static void recv_end(int expected, const char *name)
{
	if (!wait_real(got_end) || last_errno != expected)
		fail("host: %s expected, got %s", name,
		     last_errno ? strerror(last_errno) : "end of file");
}

static void recv_nothing(void)
{
	settle();
	if (got_end())
		fail("host: the connection ended");
}

static void cmd_recv(char **tok)
{
	struct conn *c = conn_cur();

	if (tok[0][0] == '"')
		recv_text(c, tok[0]);
	else if (!strcmp(tok[0], "eof"))
		recv_end(0, "end of file");
	else if (!strcmp(tok[0], "reset"))
		recv_end(ECONNRESET, "reset");
	else if (!strcmp(tok[0], "nothing"))
		recv_nothing();
	else
		recv_bytes(c, (size_t)number(tok[0]));
}

static bool got_total(void)
{
	return conn_cur()->received >= wanted;
}

/* What "host sink" has read since the connection began. */
static void cmd_received(char **tok)
{
	wanted = (size_t)number(tok[0]);
	if (!wait_real(got_total) || conn_cur()->received != wanted)
		fail("host: received %zu bytes", conn_cur()->received);
}

static void cmd_sink(char **tok)
{
	conn_cur()->sink = strcmp(tok[0], "off");
	settle();
}

static void cmd_shutdown(char **tok)
{
	struct conn *c = conn_cur();

	(void)tok;
	if (c->pending)
		fail("host: data is still waiting");
	c->host_fin = true;
	if (shutdown(c->fd, SHUT_WR) < 0)
		fail("shutdown: %s", strerror(errno));
	settle();
}

static void cmd_close(char **tok)
{
	(void)tok;
	conn_cur()->host_fin = true;
	close_keep_errno(&conn_cur()->fd);
	settle();
}

/* On the listener, too: inherited by what it accepts. */
static void cmd_rcvbuf(char **tok)
{
	struct conn *c = conn_cur();

	set_int(c->fd >= 0 ? c->fd : c->listen_fd, SOL_SOCKET, SO_RCVBUF,
		(int)number(tok[0]));
}

/* The peer hears nothing any more: the kernel drops all that arrives. */
static void cmd_deaf(char **tok)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { 1, &code };
	struct conn *c = conn_cur();

	(void)tok;
	if (setsockopt(c->fd >= 0 ? c->fd : c->listen_fd, SOL_SOCKET,
		       SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		fail("SO_ATTACH_FILTER: %s", strerror(errno));
}

static void cmd_hear(char **tok)
{
	struct conn *c = conn_cur();

	(void)tok;
	set_int(c->fd >= 0 ? c->fd : c->listen_fd, SOL_SOCKET,
		SO_DETACH_FILTER, 0);
}

/* The connection accepted before this one; and back. */
static void cmd_swap(char **tok)
{
	struct conn *c = conn_cur();
	int fd = c->fd;

	(void)tok;
	c->fd = c->prev_fd;
	c->prev_fd = fd;
}

static const struct {
	const char *name;
	unsigned args;
	void (*run)(char **tok);
} commands[] = {
	{ "listen",	0, cmd_listen },
	{ "closed",	0, cmd_closed },
	{ "accept",	0, cmd_accept },
	{ "connect",	0, cmd_connect },
	{ "connected",	0, cmd_connected },
	{ "send",	1, cmd_send },
	{ "last",	1, cmd_last },
	{ "urgent",	1, cmd_urgent },
	{ "recv",	1, cmd_recv },
	{ "received",	1, cmd_received },
	{ "sink",	1, cmd_sink },
	{ "shutdown",	0, cmd_shutdown },
	{ "close",	0, cmd_close },
	{ "reset",	0, cmd_reset },
	{ "rcvbuf",	1, cmd_rcvbuf },
	{ "deaf",	0, cmd_deaf },
	{ "hear",	0, cmd_hear },
	{ "swap",	0, cmd_swap },
};

void host_command(char **tok)
{
	const char *what = tok[0] ? tok[0] : "";

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		unsigned args = 0;

		if (strcmp(what, commands[i].name))
			continue;
		while (tok[1 + args])
			args++;
		if (args != commands[i].args)
			fail("host %s: %u arguments", what, commands[i].args);
		commands[i].run(tok + 1);
		return;
	}
	fail("host %s: no such command", what);
}
