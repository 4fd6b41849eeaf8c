/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.c - replace the rules of a running pasta, over its control socket
 *
 * We are its only client, so what it has is what it was last given: its tables
 * are read to get past them. pasta keeps what is in both the old and the new
 * table as it is, listeners and connections, and takes all of an update or
 * nothing; if nothing, it says so in a line (control/control_wire.h).
 */
#include "contrib/slirp4netns/rules.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "control/control_wire.h"
#include "util.h"

#define PATIENCE_S	10
#define UPDATE_MAX	(CTL_MENTION + RULES_MAX * CTL_RULE + 1)

static struct sockaddr_un server = { .sun_family = AF_UNIX };

void rules_init(const char *path)
{
	str_copy(server.sun_path, sizeof(server.sun_path), path);
}

static int server_connect(void)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (const struct sockaddr *)&server, sizeof(server)))
		return fd;
	close_keep_errno(&fd);
	return -errno;
}

static int skip_table(int fd)
{
	uint8_t buf[CTL_TABLE - 1], rule[CTL_RULE];
	int rc = read_exact(fd, buf, sizeof(buf));
	struct rd r = rd_init(buf, sizeof(buf));
	struct ctl_table t;

	if (!rc && (!ctl_get_table(&r, &t) || t.cnt > RULES_MAX))
		rc = -EPROTO;
	for (uint32_t i = 0; !rc && i < t.cnt; i++)
		rc = read_exact(fd, rule, sizeof(rule));
	return rc;
}

static int skip_tables(int fd)
{
	uint8_t greeting[CTL_GREETING], pif = 0;
	int rc = read_exact(fd, greeting, sizeof(greeting));
	struct rd r = rd_init(greeting, sizeof(greeting));

	if (!rc && ctl_get_greeting(&r))
		rc = -EPROTO;
	while (!rc && !(rc = read_exact(fd, &pif, 1)) && pif)
		rc = skip_table(fd);
	return rc;
}

static int send_table(int fd, const struct fwd_table *t)
{
	static uint8_t buf[UPDATE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_put_update(&w, PIF_HOST, t);
	wr_u8(&w, 0);
	return write_exact(fd, buf, sizeof(buf) - w.left);
}

/* Length of what it has to say, which is nothing if all went well; or
 * -errno. */
static ssize_t read_verdict(int fd, char *why, size_t size)
{
	size_t len = 0;
	ssize_t n = 0;

	shutdown(fd, SHUT_WR);
	while (len < size - 1 &&
	       (n = read(fd, why + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return -errno;
	why[len] = '\0';
	why[strcspn(why, "\n")] = '\0';
	return (ssize_t)len;
}

bool rules_set(const struct fwd_table *t, char *why, size_t size)
{
	int fd = server_connect();
	ssize_t rc = fd;

	if (rc >= 0)
		rc = skip_tables(fd);
	if (!rc)
		rc = send_table(fd, t);
	if (!rc)
		rc = read_verdict(fd, why, size);
	close_keep_errno(&fd);
	if (rc < 0)
		snprintf(why, size, "pasta's control socket: %s",
			 strerror((int)-rc));
	return !rc;
}
