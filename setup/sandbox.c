/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - giving things up, step by step
 *
 * Three moments, each a table of steps; what one takes away is not there for
 * the next:
 *
 *	initial   before any option acts: capabilities nobody needs, also from
 *	          the bounding set while that is still allowed; descriptors that
 *	          were none of our business
 *	identity  root of the host becomes somebody else; VM modes go on in a
 *	          user namespace of their own, where capabilities mean little
 *	final     set-up is complete: an empty read-only filesystem, no
 *	          capability in any set, none to be gained by execve(2), no
 *	          debugger
 *
 * Where mounting is not allowed (containers, security modules), Landlock keeps
 * files from being opened instead. Where that is missing as well, we say so
 * and go on: there is still no capability to open anything special with.
 *
 * The agent in the namespace ends up the same, except that it may bind low
 * ports there. What is left for an attacker: doc/security.md.
 */
#include "setup/setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define CAP(name)	((uint64_t)1 << CAP_##name)
#define NOBODY		65534u

/* Until set-up is complete. Most callers have none of them to start with. */
#define CAPS_SETUP (							\
	CAP(NET_BIND_SERVICE) |	/* low ports on the host */		\
	CAP(NET_ADMIN) | CAP(SYS_ADMIN) | /* namespaces without own user ns */ \
	CAP(SYS_PTRACE) |	/* namespaces of other users' processes */ \
	CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(DAC_OVERRIDE) |	\
	CAP(SYS_CHROOT) |	/* --chroot-fallback */			\
	CAP(SETFCAP))		/* mapping root, user_namespaces(7) */

struct caps {
	uint64_t permitted, effective, inheritable;
};

/* --- capabilities --- */

static int caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { 0 };

	int rc = syscall(SYS_capget, &h, d) ? -errno : 0;

	c->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	c->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	c->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return rc;
}

static int caps_set(const struct caps *c)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	for (unsigned i = 0; i < ARRAY_SIZE(d); i++) {
		d[i].permitted = (uint32_t)(c->permitted >> 32 * i);
		d[i].effective = (uint32_t)(c->effective >> 32 * i);
		d[i].inheritable = (uint32_t)(c->inheritable >> 32 * i);
	}
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

/* Of what we have, @keep stays, effective; none is inherited. */
static int caps_keep(uint64_t keep)
{
	struct caps c;
	int rc = caps_get(&c);

	if (rc)
		return rc;
	c.permitted &= keep;
	c.effective = c.permitted;
	c.inheritable = 0;
	return caps_set(&c);
}

/* Needs CAP_SETPCAP. Whoever lacks it is left with a bounding set that
 * no_new_privs makes meaningless later on. */
static int bounding_keep(uint64_t keep)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1 || prctl(PR_CAPBSET_READ, cap) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap))
			return -errno;
	}
	return 0;
}

static int ambient_clear(uint64_t keep)
{
	(void)keep;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ?
	       -errno : 0;
}

/* --- tables of steps --- */

struct step {
	const char *what;
	int (*take)(uint64_t keep);	/* 0, or -errno */
	uint64_t keep;			/* capabilities */
	bool required;
};

static void take_steps(const struct step *step, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++) {
		int rc = step[i].take(step[i].keep);

		if (!rc)
			continue;
		if (step[i].required)
			die("Sandbox: %s: %s", step[i].what, strerror(-rc));
		debug("Sandbox: %s: %s", step[i].what, strerror(-rc));
	}
}

/* --- initial --- */

static const struct step initial[] = {
	{ "ambient capabilities", ambient_clear, 0,	     false },
	{ "bounding set",	  bounding_keep, CAPS_SETUP, false },
	{ "capabilities",	  caps_keep,	 CAPS_SETUP, true },
};

/* Before Linux 5.9, or where a filter older than that is in force. Without
 * /proc to list them, those up to the limit. */
static int close_each(unsigned first, unsigned last)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	if (!dir) {
		last = MIN(last, (unsigned)sysconf(_SC_OPEN_MAX));
		for (unsigned fd = first; fd <= last; fd++)
			close((int)fd);
		return 0;
	}
	while ((e = readdir(dir))) {
		uint64_t fd;

		if (parse_u64(e->d_name, last, &fd) && fd >= first &&
		    (int)fd != dirfd(dir))
			close((int)fd);
	}
	closedir(dir);
	return 0;
}

static int close_from(unsigned first, unsigned last)
{
	if (first > last || !syscall(SYS_close_range, first, last, 0))
		return 0;
	return errno == ENOSYS || errno == EPERM ? close_each(first, last) :
						   -errno;
}

void sandbox_descriptors(int keep, int keep2)
{
	int sorted[] = { MIN(keep, keep2), MAX(keep, keep2) };
	unsigned first = STDERR_FILENO + 1;
	int rc = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sorted); i++) {
		if (sorted[i] < (int)first)
			continue;
		rc = close_from(first, (unsigned)sorted[i] - 1);
		first = (unsigned)sorted[i] + 1;
	}
	rc = close_from(first, UINT_MAX) ?: rc;
	if (rc)
		warn("Couldn't close descriptors: %s", strerror(-rc));
}

void sandbox_initial(int keep_fd)
{
	take_steps(initial, ARRAY_SIZE(initial));
	sandbox_descriptors(keep_fd, -1);
}

/* --- identity --- */

struct identity {
	uid_t uid;
	gid_t gid;
};

/* The whole mapping of the first one, user_namespaces(7). */
static bool in_initial_userns(void)
{
	unsigned inside, outside, count;
	char map[128];

	if (read_file("/proc/self/uid_map", map, sizeof(map)) < 0)
		return false;
	return sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 &&
	       !inside && !outside && count == UINT_MAX;
}

static void identity_user(struct identity *id, const char *text)
{
	const struct passwd *pw;
	uint64_t n;

	if (parse_u64(text, UINT_MAX - 1, &n)) {
		id->uid = (uid_t)n;
		id->gid = (gid_t)n;
		return;
	}
	pw = getpwnam(text);
	if (!pw)
		die("--runas: there is no user '%s'; give one of 'getent "
		    "passwd', or a number", text);
	if (!pw->pw_uid)
		die("--runas: '%s' is root; if that is meant, say 0", text);
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
}

static void identity_group(struct identity *id, const char *text)
{
	const struct group *gr;
	uint64_t n;

	if (parse_u64(text, UINT_MAX - 1, &n)) {
		id->gid = (gid_t)n;
		return;
	}
	gr = getgrnam(text);
	if (!gr)
		die("--runas: there is no group '%s'; give one of 'getent "
		    "group', or a number", text);
	id->gid = gr->gr_gid;
}

static void identity_runas(struct identity *id, const char *runas)
{
	char user[256];
	const char *colon = strchr(runas, ':');
	size_t len = colon ? (size_t)(colon - runas) : strlen(runas);

	if (!len || len >= sizeof(user))
		die("--runas: '%s' is not a user", runas);
	memcpy(user, runas, len);
	user[len] = '\0';
	identity_user(id, user);
	if (colon)
		identity_group(id, colon + 1);
}

static void identity_nobody(struct identity *id)
{
	const struct passwd *pw = getpwnam("nobody");

	warn("Started as root, will change to nobody.");
	id->uid = pw ? pw->pw_uid : NOBODY;
	id->gid = pw ? pw->pw_gid : NOBODY;
}

/* Capabilities survive, for the namespaces we may be about to join: they go at
 * the latest in sandbox_final(). */
void sandbox_identity(const struct request *req)
{
	struct identity id = { geteuid(), getegid() };
	int rc;

	if (req->runas)
		identity_runas(&id, req->runas);
	else if (!id.uid && in_initial_userns())
		identity_nobody(&id);

	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setgroups(0, NULL) && errno != EPERM)
		die("Couldn't drop supplementary groups: %s", strerror(errno));
	if (setresgid(id.gid, id.gid, id.gid))
		die("Couldn't set GID to %u: %s%s", id.gid, strerror(errno),
		    hint(HINT_IDENTITY, errno));
	if (setresuid(id.uid, id.uid, id.uid))
		die("Couldn't set UID to %u: %s%s", id.uid, strerror(errno),
		    hint(HINT_IDENTITY, errno));
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	rc = caps_keep(CAPS_SETUP);
	if (rc)
		die("Couldn't keep capabilities: %s", strerror(-rc));
}

void sandbox_userns(void)
{
	if (unshare(CLONE_NEWUSER))
		debug("Sandbox: user namespace: %s", strerror(errno));
}

/* --- filesystem --- */

/* A place to mount on: replaced by what is mounted there. */
static const char *const mount_points[] = { "/tmp", "/proc", "/sys" };

static int mount_empty(const char **where)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mount_points); i++) {
		*where = mount_points[i];
		if (!mount("", *where, "tmpfs",
			   MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_RDONLY,
			   "nr_inodes=2,nr_blocks=1"))
			return 0;
	}
	return -errno;
}

/* For filesystems that cannot be pivoted away from, such as an initramfs. */
static int root_move(const char *where)
{
	if (mount(where, "/", "", MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return -errno;
	return 0;
}

static int root_empty(const struct request *req)
{
	const char *where;
	int rc;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS))
		return -errno;
	/* What we do here stays here. */
	if (mount("", "/", "", MS_PRIVATE | MS_REC, NULL))
		return -errno;
	rc = mount_empty(&where);
	if (rc)
		return rc;
	if (chdir(where))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", "."))
		return umount2(".", MNT_DETACH) ? -errno : 0;
	rc = -errno;
	return req->chroot_fallback ? root_move(where) : rc;
}

/* Everything the first version could name, so that any kernel that has
 * Landlock takes it: no file is opened any more. */
static int landlock_files(void)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
			      0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, fd, 0))
		rc = -errno;
	close_keep_errno(&fd);
	return rc;
}

void sandbox_filesystem(const struct request *req)
{
	int rc = root_empty(req), landlock;

	if (!rc)
		return;
	debug("Sandbox: empty root filesystem: %s", strerror(-rc));
	landlock = landlock_files();
	if (!landlock)
		return;
	debug("Sandbox: Landlock: %s; the filesystem stays visible",
	      strerror(-landlock));
}

/* All that this kernel's version knows of is denied, but for one thing. */
int sandbox_read_below(int dir_fd)
{
	static const uint8_t rights[] = { 0, 13, 14, 15, 15, 16 };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { 0 };
	struct landlock_path_beneath_attr below = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = dir_fd,
	};
	int fd, rc = 0;

	if (abi < 1)
		return -errno;
	abi = MIN(abi, (int)ARRAY_SIZE(rights) - 1);
	attr.handled_access_fs = ((uint64_t)1 << rights[abi]) - 1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr,
			  sizeof(attr.handled_access_fs), 0);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH,
		    &below, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, fd, 0))
		rc = -errno;
	close_keep_errno(&fd);
	return rc;
}

/* --- final --- */

static int no_new_privs(uint64_t keep)
{
	(void)keep;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int undumpable(uint64_t keep)
{
	(void)keep;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

static const struct step final[] = {
	{ "ambient capabilities", ambient_clear, 0, false },
	{ "bounding set",	  bounding_keep, 0, false },
	{ "capabilities",	  caps_keep,	 0, true },
	{ "no_new_privs",	  no_new_privs,	 0, true },
	{ "not dumpable",	  undumpable,	 0, true },
};

static const struct step agent[] = {
	{ "ambient capabilities", ambient_clear, 0, false },
	{ "bounding set",	  bounding_keep, 0, false },
	{ "capabilities",	  caps_keep, CAP(NET_BIND_SERVICE), true },
	{ "no_new_privs",	  no_new_privs,	 0, true },
	{ "not dumpable",	  undumpable,	 0, true },
};

void sandbox_final(void)
{
	take_steps(final, ARRAY_SIZE(final));
}

void sandbox_agent(const struct request *req)
{
	sandbox_filesystem(req);
	take_steps(agent, ARRAY_SIZE(agent));
}
