/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix_sock.c - the sockets others connect to: the guest's, and for control
 *
 * A path may be ours to take, or not, whatever lies there:
 *
 *	nobody answers, nothing there	bind
 *	nobody answers, a socket	left by a process that died: replace
 *	nobody answers, anything else	somebody's file: never touched
 *	somebody answers		in use, and not disturbed by asking
 *
 * Without a path from the command line, /tmp/passt_1.socket to _99 are tried
 * in turn. Runs with the identity of our caller, who is to own the socket.
 * Never removes it at the end: the next one to start tells it is stale.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

#define PROBE_MAX	99

static int bind_listen(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		goto out;
	leftover_add(sa->sun_path);
	if (!listen(fd, 0))
		return fd;
out:
	rc = -errno;
	close_keep_errno(&fd);
	return rc;
}

/* 0: free, or stale; -EBUSY: in use; or another -errno. A socket of another
 * type is refused with EPROTOTYPE, and only if somebody has the path: who it is
 * does not take us for a client. */
static int somebody_there(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ||
	    (errno != ENOENT && errno != ECONNREFUSED && errno != EACCES))
		rc = -EBUSY;
	close_keep_errno(&fd);
	return rc;
}

static int take(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	int rc;

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return -ENAMETOOLONG;
	rc = somebody_there(&sa);
	if (rc)
		return rc;
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	return bind_listen(&sa);
}

static _Noreturn void die_not_taken(const char *path, int rc)
{
	if (rc == -EBUSY)
		die("Socket path %s already in use", path);
	die("Failed to bind UNIX domain socket: %s: %s%s", path, strerror(-rc),
	    hint(HINT_SOCKET, -rc));
}

static int probe(struct conf *c)
{
	for (unsigned i = 1; i <= PROBE_MAX; i++) {
		int fd;

		snprintf(c->socket_path, sizeof(c->socket_path),
			 "/tmp/passt_%u.socket", i);
		fd = take(c->socket_path);
		if (fd >= 0)
			return fd;
	}
	return -EADDRINUSE;
}

/* --fd: an open number is all the command line can be sure of. */
static void check_given(int fd)
{
	struct sockaddr_storage peer;
	socklen_t type_len = sizeof(int), peer_len = sizeof(peer);
	int type, rc = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len))
		rc = errno;
	else if (type != SOCK_STREAM)
		rc = EPROTOTYPE;
	if (rc)
		die("--fd %d: %s%s", fd, strerror(rc), hint(HINT_FD, rc));
}

int unix_sock_guest(struct conf *c)
{
	bool probing = !*c->socket_path;
	int fd;

	if (c->guest_fd >= 0)
		check_given(c->guest_fd);
	if (c->mode == MODE_PASTA || c->guest_fd >= 0)
		return -1;
	fd = probing ? probe(c) : take(c->socket_path);
	if (fd >= 0)
		return fd;
	if (probing)
		die("No free socket path in /tmp/passt_1.socket to "
		    "passt_%u.socket, give one with --socket", PROBE_MAX);
	die_not_taken(c->socket_path, fd);
}

int unix_sock_control(const struct request *req)
{
	int fd = req->control_path ? take(req->control_path) : -1;

	if (req->control_path && fd < 0)
		die_not_taken(req->control_path, fd);
	return fd;
}
