/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns_watch.c - notice at once that a namespace we joined is gone
 *
 * Whoever restarts a container wants its ports back now, so that polling is
 * the last resort. In this order:
 *
 *	named by			watched by
 *	a process, /proc/PID/ns/...	pidfd_open(2): its end, even unreaped
 *	a file				inotify(7) on the directory: removed,
 *					renamed, replaced
 *	the same, and the user has	fcntl(2), F_NOTIFY: a signal that the
 *	no inotify(7) left		directory has changed, and a look
 *	none of them works		a look once a second
 *
 * Users run out of inotify(7): a desktop and some dozen containers take the 128
 * instances that a user may have. The older interface has no such limit.
 *
 * What neither can tell is that the namespace was unmounted and the file it was
 * mounted on stays, or that the mount namespace it was known in has ended: so a
 * file is looked at all the same, now and then. To be the one that was there at
 * the start is what counts, not the name.
 *
 * The directory stays open: its entries can be looked at from a sandbox where
 * paths mean nothing any more. It holds no reference to the namespace, or to
 * the file that stands for it. Ports first: the listeners are closed before
 * anything else happens.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "timer.h"
#include "util.h"

#define POLL_MS		1000
#define LOOK_MS		2000	/* where events say nearly everything */

#define FILE_EVENTS	(IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define DIR_EVENTS	(DN_DELETE | DN_RENAME | DN_CREATE | DN_MULTISHOT)

SYSCALLS(netns: read, newfstatat);

enum watch { WATCH_NONE, WATCH_PROCESS, WATCH_FILE, WATCH_DIRECTORY,
	     WATCH_POLL };

static enum watch watch;
static int dir_fd = -1;
static int event_fd = -1;	/* pidfd, inotify, or signalfd for SIGIO */
static int watched_fd = -1;	/* the directory, for SIGIO */
static char base[NAME_MAX + 1];	/* of the path, in dir_fd */
static struct stat first_seen;
static bool lasting;		/* it is a file of its own, and not one that
				 * /proc makes up whenever it is asked */

static void netns_gone(void)
{
	listen_close_all();
	info("Network namespace is gone, exiting");
	loop_stop(EXIT_SUCCESS);
}

/* Does /proc number processes as we do? */
static bool proc_is_ours(void)
{
	char self[32], own[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	self[MAX(n, 0)] = '\0';
	snprintf(own, sizeof(own), "%d", (int)getpid());
	return !strcmp(self, own);
}

/* "/proc/123/ns/net": 123, else 0. */
static pid_t path_process(const char *path)
{
	static const char prefix[] = "/proc/";
	const char *end;
	uint64_t pid;

	if (strncmp(path, prefix, sizeof(prefix) - 1) ||
	    !parse_u64_prefix(path + sizeof(prefix) - 1, &end, INT32_MAX,
			      &pid) ||
	    strcmp(end, "/ns/net") || !proc_is_ours())
		return 0;
	return (pid_t)pid;
}

static bool process_watch(const char *path)
{
	pid_t pid = path_process(path);

	if (!pid)
		return false;
	event_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (event_fd < 0)
		debug("pidfd_open: %s; will look for the network namespace "
		      "every second", strerror(errno));
	return event_fd >= 0;
}

/* On these, inotify(7) works, and never says anything. */
static bool directory_is_silent(void)
{
	struct statfs st;

	return fstatfs(dir_fd, &st) || st.f_type == PROC_SUPER_MAGIC ||
	       st.f_type == SYSFS_MAGIC || st.f_type == DEVPTS_SUPER_MAGIC;
}

/* Exits: wrappers look for this text, and try --no-netns-quit. */
static void directory_open(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);

	if (len >= PATH_MAX || !str_copy(base, sizeof(base), slash + 1))
		die("Path %s is too long", path);
	memcpy(dir, path, len);
	str_copy(dir + len, PATH_MAX - len, len ? "" : "/");
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		die("netns dir open: %s, exiting", strerror(errno));
}

static bool file_watch(const char *dir)
{
	event_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (event_fd >= 0 && inotify_add_watch(event_fd, dir, FILE_EVENTS) >= 0)
		return true;
	debug("inotify: %s; will ask for signals", strerror(errno));
	close_keep_errno(&event_fd);
	return false;
}

static bool no_events(void)
{
	info("No events from the directory of %s: %s; will look for the "
	     "network namespace every second", base, strerror(errno));
	close_keep_errno(&event_fd);
	close_keep_errno(&watched_fd);
	return false;
}

/* The descriptor that is watched stays open, or the watch would end. */
static bool directory_watch(const char *dir)
{
	sigset_t set;

	watched_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	event_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return (watched_fd >= 0 && event_fd >= 0) || no_events();
}

/* The signals are for the process that asks, which may be another one than that
 * which could open the directory. */
static bool directory_notify(void)
{
	return !fcntl(watched_fd, F_NOTIFY, DIR_EVENTS) || no_events();
}

int netns_watch_open(const char *path, const struct request *req)
{
	char dir[PATH_MAX];

	if (!path || req->no_netns_quit)
		return -1;
	if (process_watch(path)) {
		watch = WATCH_PROCESS;
		return event_fd;
	}
	directory_open(path, dir);
	lasting = !directory_is_silent();
	watch = !lasting ? WATCH_POLL :
		file_watch(dir) ? WATCH_FILE :
		directory_watch(dir) ? WATCH_DIRECTORY : WATCH_POLL;
	if (lasting && fstatat(dir_fd, base, &first_seen, AT_SYMLINK_NOFOLLOW))
		die("Couldn't look at network namespace %s: %s", path,
		    strerror(errno));
	return event_fd;
}

void netns_watch_start(int fd)
{
	int rc;

	if (watch == WATCH_DIRECTORY && !directory_notify()) {
		watch = WATCH_POLL;
		fd = -1;
	}
	if (watch != WATCH_NONE && watch != WATCH_PROCESS)
		netns_watch_expire(TIMER_NETNS_WATCH);
	if (fd < 0)
		return;
	rc = loop_add(fd, EPOLLIN, (struct ev) { .kind = EV_NETNS });
	if (rc)
		die("Couldn't watch network namespace: %s", strerror(-rc));
}

/* No permission to look at it any more is no sign of its absence. A link is not
 * followed, as it may lead to where we see nothing any more, but for those of
 * /proc: they lead nowhere when the process has ended. */
static bool file_is_there(void)
{
	struct stat st;

	if (fstatat(dir_fd, base, &st, lasting ? AT_SYMLINK_NOFOLLOW : 0))
		return errno == EACCES;
	return !lasting || (st.st_dev == first_seen.st_dev &&
			    st.st_ino == first_seen.st_ino);
}

void netns_watch_expire(uint32_t timer_id)
{
	if (file_is_there())
		timer_set(timer_id, clock_ms() +
				    (watch == WATCH_POLL ? POLL_MS : LOOK_MS));
	else
		netns_gone();
}

/* A file of that name which is there again is another namespace: the event
 * counts. When events were lost, the file does. */
static bool file_event_is_end(const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		return !file_is_there();
	return e->len && !strcmp(e->name, base);
}

static bool file_events(void)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(event_fd, buf, sizeof(buf));

	for (ssize_t off = 0; off < n;) {
		const struct inotify_event *e = (const void *)(buf + off);

		if (file_event_is_end(e))
			return true;
		off += (ssize_t)(sizeof(*e) + e->len);
	}
	return false;
}

static bool directory_events(void)
{
	struct signalfd_siginfo si;

	while (read(event_fd, &si, sizeof(si)) > 0)
		;
	return !file_is_there();
}

void netns_watch_handle(struct ev ev, uint32_t events)
{
	(void)ev;
	(void)events;
	if (watch == WATCH_PROCESS ||
	    (watch == WATCH_DIRECTORY ? directory_events() : file_events()))
		netns_gone();
}
