/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - any bytes as an update, in pieces of any size
 *
 * The first byte chooses the circumstances, the second how long the pieces are,
 * of both what is said and what is heard.
 * Tables that are taken have to hold rules which are sane.
 */
/* links: control/control control/control_wire fwd_spec conf timer log addr buf
 *	  util */
/* wrap: accept4 recv send poll */
#include "control/control.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "conf.h"
#include "fwd.h"
#include "listen.h"
#include "test/fuzz/fuzz.h"
#include "util.h"

static const uint8_t *left;
static size_t left_len, piece_len;
static bool waiting, others, interrupted, silent, unwatched;

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t len, int flags);
int __wrap_poll(struct pollfd *p, nfds_t cnt, int timeout);

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	(void)fd, (void)sa, (void)len, (void)flags;
	errno = EAGAIN;
	if (!waiting)
		return -1;
	waiting = false;
	return 1000000;
}

ssize_t __wrap_recv(int fd, void *p, size_t len, int flags)
{
	size_t n = MIN(MIN(len, piece_len), left_len);

	(void)fd, (void)flags;
	errno = interrupted ? EINTR : EAGAIN;
	if (interrupted || (silent && !n)) {
		interrupted = false;
		return -1;
	}
	memcpy(p, left, n);
	left += n;
	left_len -= n;
	return (ssize_t)n;
}

ssize_t __wrap_send(int fd, const void *p, size_t len, int flags)
{
	static unsigned turn;

	(void)fd, (void)p, (void)flags;
	errno = turn & 1 ? EAGAIN : EINTR;
	if (silent && ++turn % 3)
		return -1;
	return (ssize_t)MIN(len, silent ? piece_len : len);
}

int __wrap_poll(struct pollfd *p, nfds_t cnt, int timeout)
{
	(void)p, (void)cnt, (void)timeout;
	return others;
}

int loop_add(int fd, uint32_t events, struct ev ev)
{
	(void)fd, (void)events, (void)ev;
	return unwatched ? -ENOSPC : 0;
}

void loop_del(int fd)
{
	(void)fd;
}

const struct fwd_table *listen_rules(uint8_t pif)
{
	static const struct fwd_table none;

	(void)pif;
	return &none;
}

static void sane(const struct fwd_table *t)
{
	char text[256];

	assert(t->cnt <= RULES_MAX);
	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *r = &t->rule[i];

		assert(r->first && r->to && r->first <= r->last);
		assert(r->to + (r->last - r->first) <= UINT16_MAX);
		assert(r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP);
		assert(!(r->flags & ~RULE_FLAGS));
		assert(memchr(r->ifname, 0, sizeof(r->ifname)));
		assert(strlen(fwd_rule_str(r, text, sizeof(text))) <
		       sizeof(text) - 1);
	}
}

bool listen_update(const struct fwd_table *inbound,
		   const struct fwd_table *outbound, char *errbuf,
		   size_t errlen)
{
	(void)errbuf, (void)errlen;
	assert(conf.mode == MODE_PASTA || !outbound->cnt);
	sane(inbound);
	sane(outbound);
	return true;
}

FUZZ(data, size)
{
	if (size < 2)
		return;
	conf_writable.mode = data[0] & 1 ? MODE_PASTA : MODE_PASST;
	conf_writable.net[FAM4].enabled = data[0] & 2;
	conf_writable.net[FAM6].enabled = data[0] & 4;
	conf_writable.no_udp = data[0] & 8;
	interrupted = data[0] & 16;
	silent = data[0] & 32;
	others = data[0] & 64;
	unwatched = data[0] & 128;
	piece_len = data[1] + 1u;
	left = data + 2;
	left_len = size - 2;
	waiting = true;
	control_start(999999);
	control_handle((struct ev) { .kind = EV_CONTROL }, EPOLLIN);
	for (unsigned i = 0; i < 8 && silent; i++)
		control_handle((struct ev) { .kind = EV_CONTROL }, EPOLLIN);
	others = true;
	control_expire();
	assert(!waiting);
}
