/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.c - files nobody can open, even where they can be seen
 *
 * Landlock needs no capability and no namespace: where a container or a
 * security module denies those, it is what keeps files away from us; elsewhere
 * it is a second lock on the same door. What it is asked for is everything the
 * kernel at hand knows, landlock(7):
 *
 *	version		files				besides
 *	1		13 rights
 *	2		+ moving between folders
 *	3		+ truncating
 *	5		+ ioctl() of devices
 *	6						abstract sockets and
 *							signals to others
 *
 * Its rights about TCP ports are left alone: connecting is what we are for.
 * Descriptors that are open keep what they were opened for.
 */
#include "setup/sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

#define SCOPE_VERSION	6
#define SCOPE_ALL	3u	/* abstract UNIX sockets, signals */

/* As of version 6: the header may be older. The kernel takes a longer one than
 * it knows, if the rest is zero. */
struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

static int version(void)
{
	int v = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			     LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? -errno : v;
}

/* All that this kernel's version knows of is denied. fd, or -errno. */
static int ruleset(void)
{
	static const uint8_t rights[] = { 0, 13, 14, 15, 15, 16 };
	struct ruleset_attr attr = { 0 };
	int v = version(), fd;

	if (v < 1)
		return v < 0 ? v : -ENOSYS;
	attr.handled_access_fs =
		((uint64_t)1 << rights[MIN(v, (int)ARRAY_SIZE(rights) - 1)]) - 1;
	if (v >= SCOPE_VERSION)
		attr.scoped = SCOPE_ALL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return fd < 0 ? -errno : fd;
}

/* Of one that could not be made, its error. */
static int enforce(int fd)
{
	int rc = 0;

	if (fd < 0)
		return fd;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, fd, 0))
		rc = -errno;
	close_keep_errno(&fd);
	return rc;
}

int landlock_close(void)
{
	int rc = enforce(ruleset());

	if (rc)
		return rc;
	return version() < SCOPE_VERSION ? -ENODATA : 0;
}

int sandbox_read_below(int dir_fd)
{
	struct landlock_path_beneath_attr below = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = dir_fd,
	};
	int fd = ruleset(), rc;

	if (fd < 0)
		return fd;
	if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH,
		    &below, 0)) {
		rc = -errno;
		close_keep_errno(&fd);
		return rc;
	}
	return enforce(fd);
}
