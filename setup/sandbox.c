/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - giving things up, step by step
 *
 * One table at the end of this file says what is given up, when, by which of
 * our processes, and what each keeps. What one step takes away is not there
 * for the next:
 *
 *	initial    before any option acts: capabilities nobody needs, also from
 *		   the bounding set while that is still allowed; descriptors
 *		   that were none of our business
 *	identity   root of the host becomes somebody else
 *	namespace  in a user namespace of our own, or the guest's: what making
 *		   and entering the others takes is left; in the background, a
 *		   PID namespace
 *	files      an empty read-only filesystem, nothing shared with others
 *	final      set-up is complete: no capability in any set, none to be
 *		   gained by execve(2), no path to any file, no debugger
 *	running    last thing before the loop: no system call but its own
 *
 * Surroundings may deny a step, containers and security modules do. Then the
 * others are taken all the same, and one line says what is missing: that is the
 * level reached. Required are only steps that nobody can deny.
 *
 * The agent in the namespace ends up the same, except that it may bind low
 * ports there; and so does the process that reads resolv.conf, except that it
 * may do that. What is left for an attacker: doc/security.md.
 */
#include "setup/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* For mounting, and for the bounding set. */
#define CAPS_MOUNT	(CAP(SYS_ADMIN) | CAP(SYS_CHROOT) | CAP(SETPCAP))
/* For the tap and its addresses, and for namespaces of other processes. */
#define CAPS_NETNS	(CAP(NET_ADMIN) | CAP(NET_BIND_SERVICE) | \
			 CAP(SYS_PTRACE))

/* What a step is told. */
struct task {
	const struct request *req;
	unsigned who;
	uint64_t keep;
};

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
static int caps_keep(const struct task *t)
{
	struct caps c;
	int rc = caps_get(&c);

	if (rc)
		return rc;
	c.permitted &= t->keep;
	c.effective = c.permitted;
	c.inheritable = 0;
	return caps_set(&c);
}

/* Needs CAP_SETPCAP. Whoever lacks it is left with a bounding set that
 * no_new_privs makes meaningless later on. */
static int bounding_keep(const struct task *t)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (t->keep >> cap & 1 || prctl(PR_CAPBSET_READ, cap) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap))
			return -errno;
	}
	return 0;
}

static int ambient_clear(const struct task *t)
{
	(void)t;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ?
	       -errno : 0;
}

/* --- descriptors --- */

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

/* The lowest of them from @first on, or -1. */
static int next_kept(const int *keep, unsigned cnt, unsigned first)
{
	int next = -1;

	for (unsigned i = 0; i < cnt; i++)
		if (keep[i] >= (int)first && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

void sandbox_descriptors_but(const int *keep, unsigned cnt)
{
	unsigned first = STDERR_FILENO + 1;
	int rc = 0, next;

	while ((next = next_kept(keep, cnt, first)) >= 0) {
		rc = close_from(first, (unsigned)next - 1) ?: rc;
		first = (unsigned)next + 1;
	}
	rc = close_from(first, UINT_MAX) ?: rc;
	if (rc)
		warn("Couldn't close descriptors: %s", strerror(-rc));
}

void sandbox_descriptors(int keep, int keep2)
{
	const int both[] = { keep, keep2 };

	sandbox_descriptors_but(both, ARRAY_SIZE(both));
}

static int descriptors_close(const struct task *t)
{
	sandbox_descriptors(t->req->fd, -1);
	return 0;
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
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers fit */
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

/* Capabilities survive, for the namespaces we may be about to join. */
static int identity_change(const struct task *t)
{
	struct identity id = { geteuid(), getegid() };

	if (t->req->runas)
		identity_runas(&id, t->req->runas);
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
	return 0;
}

/* --- namespaces --- */

static int unshared(int flags)
{
	return unshare(flags) ? -errno : 0;
}

static int userns_new(const struct task *t)
{
	(void)t;
	return unshared(CLONE_NEWUSER);
}

/* Else one could make another one, and have all capabilities in it: much of the
 * kernel can be reached by nothing else. */
static int userns_last(const struct task *t)
{
	(void)t;
	return write_file("/proc/sys/user/max_user_namespaces", "0");
}

static int ipc_new(const struct task *t)
{
	(void)t;
	return unshared(CLONE_NEWIPC);
}

static int uts_new(const struct task *t)
{
	(void)t;
	return unshared(CLONE_NEWUTS);
}

/* Before it has children, and while it has what makes namespaces. */
static int pid_new(const struct task *t)
{
	(void)t;
	return background_pidns();
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

static int root_empty(const struct task *t)
{
	const char *where;
	int rc = unshared(CLONE_NEWNS);

	if (rc)
		return rc;
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
	return t->req->chroot_fallback ? root_move(where) : rc;
}

/* --- limits --- */

static bool writes_files(const struct request *req)
{
	struct stat st;

	return req->log_file || req->pcap ||
	       fstat(STDERR_FILENO, &st) || S_ISREG(st.st_mode);
}

/* Memory of the guest belongs in no file; there are no processes to be made;
 * and files do not grow unless we were told to write one. */
static int limits_lower(const struct task *t)
{
	const struct rlimit none = { 0, 0 };
	int rc = 0;

	if (setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_NPROC, &none))
		rc = -errno;
	if (!writes_files(t->req) && setrlimit(RLIMIT_FSIZE, &none))
		rc = -errno;
	return rc;
}

/* --- the rest --- */

static int landlock(const struct task *t)
{
	(void)t;
	return landlock_close();
}

static int no_new_privs(const struct task *t)
{
	(void)t;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int undumpable(const struct task *t)
{
	(void)t;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

static int calls_probe(const struct task *t)
{
	(void)t;
	return seccomp_probe();
}

/* Where it is not to be had, calls_probe() has said so. */
static int calls_keep(const struct task *t)
{
	unsigned lists = t->who;

	if (seccomp_probe())
		return 0;
	if (t->who & DAEMON && t->req->log_file)
		lists |= LOG_FILE;
	if (t->who & DAEMON && t->req->pcap)
		lists |= PCAP;
	if (t->who & PASTA)
		lists |= t->req->netns || t->req->pid ? NETNS : COMMAND;
	return seccomp_close(lists);
}

/* --- all steps --- */

enum must { REQUIRED, WELCOME };

/* Capabilities kept are those of each process; system calls kept are those
 * its files have named in SYSCALLS(). */
static const struct step {
	enum sandbox_stage stage;
	unsigned who;
	enum must must;
	const char *what;
	int (*take)(const struct task *t);	/* 0, or -errno */
	uint64_t keep;				/* capabilities */
} steps[] = {
	{ SANDBOX_INITIAL, DAEMON, WELCOME, "ambient capabilities",
	  ambient_clear, 0 },
	{ SANDBOX_INITIAL, DAEMON, WELCOME, "bounding set",
	  bounding_keep, CAPS_SETUP },
	{ SANDBOX_INITIAL, DAEMON, REQUIRED, "capabilities",
	  caps_keep, CAPS_SETUP },
	{ SANDBOX_INITIAL, DAEMON, REQUIRED, "inherited descriptors",
	  descriptors_close, 0 },

	{ SANDBOX_IDENTITY, DAEMON, REQUIRED, "user and group",
	  identity_change, 0 },
	{ SANDBOX_IDENTITY, DAEMON, REQUIRED, "capabilities",
	  caps_keep, CAPS_SETUP },

	/* pasta's: netns.c, as it may be somebody else's */
	{ SANDBOX_NAMESPACE, PASST, WELCOME, "user namespace",
	  userns_new, 0 },
	{ SANDBOX_NAMESPACE, PASST, WELCOME, "no more user namespaces",
	  userns_last, 0 },
	{ SANDBOX_NAMESPACE, PASST, REQUIRED, "capabilities",
	  caps_keep, CAPS_MOUNT },
	{ SANDBOX_NAMESPACE, PASTA, REQUIRED, "capabilities",
	  caps_keep, CAPS_MOUNT | CAPS_NETNS },
	{ SANDBOX_NAMESPACE, DAEMON, WELCOME, "PID namespace",
	  pid_new, 0 },

	{ SANDBOX_FILES, DAEMON | AGENT, WELCOME, "IPC namespace",
	  ipc_new, 0 },
	{ SANDBOX_FILES, DAEMON | AGENT, WELCOME, "UTS namespace",
	  uts_new, 0 },
	{ SANDBOX_FILES, DAEMON | AGENT, WELCOME, "empty root filesystem",
	  root_empty, 0 },

	{ SANDBOX_FINAL, EVERYBODY, WELCOME, "ambient capabilities",
	  ambient_clear, 0 },
	{ SANDBOX_FINAL, EVERYBODY, WELCOME, "bounding set",
	  bounding_keep, 0 },
	{ SANDBOX_FINAL, DAEMON | READER, REQUIRED, "capabilities",
	  caps_keep, 0 },
	{ SANDBOX_FINAL, AGENT, REQUIRED, "capabilities",
	  caps_keep, CAP(NET_BIND_SERVICE) },
	{ SANDBOX_FINAL, EVERYBODY, REQUIRED, "no_new_privs",
	  no_new_privs, 0 },
	/* The reader's: sandbox_read_below() */
	{ SANDBOX_FINAL, DAEMON | AGENT, WELCOME, "Landlock",
	  landlock, 0 },
	{ SANDBOX_FINAL, EVERYBODY, REQUIRED, "not dumpable",
	  undumpable, 0 },
	{ SANDBOX_FINAL, EVERYBODY, WELCOME, "system call filter",
	  calls_probe, 0 },

	/* Not before stderr is what it will be */
	{ SANDBOX_RUNNING, EVERYBODY, WELCOME, "limits",
	  limits_lower, 0 },
	{ SANDBOX_RUNNING, AGENT | READER, REQUIRED, "system call filter",
	  calls_keep, 0 },
	/* Our caller has been told that all is well. */
	{ SANDBOX_RUNNING, DAEMON, WELCOME, "system call filter",
	  calls_keep, 0 },
};

static char missing[512];	/* what was welcome and denied */

/* Whoever has no capability loses nothing by keeping bounds of it. */
static void step_denied(const struct step *s, int rc)
{
	size_t len = strlen(missing);

	debug("Sandbox: %s: %s", s->what, strerror(-rc));
	if (s->take == bounding_keep || s->take == ambient_clear)
		return;
	snprintf(missing + len, sizeof(missing) - len, "%s%s (%s)",
		 len ? ", " : "", s->what, strerror(-rc));
}

/* Whether something welcome was denied. */
static bool stage_take(enum sandbox_stage stage, unsigned who,
		       const struct request *req)
{
	bool denied = false;

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *s = &steps[i];
		const struct task task = { req, who, s->keep };
		int rc;

		if (s->stage != stage || !(s->who & who))
			continue;
		rc = s->take(&task);
		if (!rc)
			continue;
		if (s->must == REQUIRED)
			die("Sandbox: %s: %s", s->what, strerror(-rc));
		step_denied(s, rc);
		denied = true;
	}
	return denied;
}

static void report(enum sandbox_stage stage, bool denied)
{
	if (stage == SANDBOX_RUNNING && denied)
		err("Sandbox: running without: %s", missing);
	if (stage != SANDBOX_FINAL)
		return;
	if (*missing)
		info("Sandbox: closed, but without: %s", missing);
	else
		debug("Sandbox: closed, nothing missing");
}

void sandbox_take(enum sandbox_stage stage, const struct request *req)
{
	report(stage, stage_take(stage, req->mode == MODE_PASTA ? PASTA : PASST,
				 req));
}

void sandbox_agent(const struct request *req)
{
	stage_take(SANDBOX_FILES, AGENT, req);
	stage_take(SANDBOX_FINAL, AGENT, req);
	stage_take(SANDBOX_RUNNING, AGENT, req);
}

void sandbox_reader(void)
{
	const struct request none = { .fd = -1 };

	stage_take(SANDBOX_FINAL, READER, &none);
	stage_take(SANDBOX_RUNNING, READER, &none);
}
