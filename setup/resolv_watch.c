/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv_watch.c - resolv.conf is read again when it changes
 *
 * Laptops change networks, VPNs come and go: flows which start later shall ask
 * the resolvers of then. inotify(7) says that something happened, a moment of
 * quiet lets whoever writes finish, and then the file is read; if it was not
 * the end, there is another event. A file that names no resolver changes
 * nothing: it is about to be written, or the host is offline.
 *
 * By then there is no filesystem any more. What is kept of it, by necessity:
 *
 *	replaced by rename	a descriptor of the directory the file is really
 *				in; Landlock sees to it that nothing but files
 *				below can be opened, nothing above, and only for
 *				reading
 *	no Landlock, or what	a descriptor of the file, watched for being
 *	the directory has is	written to: of those that take its place
 *	not the file (mounts)	nothing is noticed
 *
 * A symbolic link is followed once, at start: it is the file's own directory
 * that is watched, not the one of the link. If no resolver of the host is asked
 * on behalf of the guest, or another one was named, nothing is kept at all.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "resolver.h"
#include "timer.h"
#include "util.h"

#define QUIET_MS	100

#define FILE_EVENTS	(IN_MODIFY | IN_CLOSE_WRITE)
#define DIR_EVENTS	(FILE_EVENTS | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
#define OPEN_FLAGS	(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

SYSCALLS(read, pread64, openat, close);

static int event_fd = -1;
static int dir_fd = -1;		/* one of these two, once confined */
static int file_fd = -1;
static int dir_watch = -1;
static char base[NAME_MAX + 1];	/* in dir_fd */

static bool wanted(void)
{
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (conf.net[fam].dns_from_file &&
		    !addr_is_unspec(&conf.net[fam].dns_match))
			return true;
	return false;
}

/* --- start --- */

/* A file that is not there yet may turn up where it should be. */
static bool find_directory(const char *path, char dir[PATH_MAX])
{
	char *slash;

	if (!realpath(path, dir) && !str_copy(dir, PATH_MAX, path))
		return false;
	slash = strrchr(dir, '/');
	if (!slash || !str_copy(base, sizeof(base), slash + 1))
		return false;
	slash[slash == dir] = '\0';
	return true;
}

static void watch_end(const char *what)
{
	debug("Changes of resolv.conf go unnoticed: %s: %s", what,
	      strerror(errno));
	close_keep_errno(&event_fd);
	close_keep_errno(&dir_fd);
	close_keep_errno(&file_fd);
}

void resolv_watch_open(const char *path)
{
	char dir[PATH_MAX];
	int rc;

	if (!wanted() || !find_directory(path, dir))
		return;
	event_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (event_fd < 0) {
		watch_end("inotify");
		return;
	}
	rc = loop_add(event_fd, EPOLLIN,
		      (struct ev) { .kind = EV_RESOLVER });
	if (rc) {
		errno = -rc;
		watch_end("epoll");
		return;
	}
	dir_watch = inotify_add_watch(event_fd, dir, DIR_EVENTS);
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* The path, not the name in the directory: see below. */
	file_fd = open(path, OPEN_FLAGS & ~O_NOFOLLOW);
	if (file_fd >= 0)
		inotify_add_watch(event_fd, path, FILE_EVENTS);
}

/* Whether the directory leads to the file, now that other files are gone. */
static bool directory_has_file(void)
{
	int fd = openat(dir_fd, base, OPEN_FLAGS);
	struct stat a, b;
	bool same;

	if (file_fd < 0)	/* it is yet to come */
		same = fd >= 0 || errno == ENOENT;
	else
		same = fd >= 0 && !fstat(fd, &a) && !fstat(file_fd, &b) &&
		       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	close_keep_errno(&fd);
	return same;
}

void resolv_watch_confine(void)
{
	int rc;

	if (event_fd < 0)
		return;
	/* It may have changed between the first look at it and the watch. */
	timer_set(TIMER_RESOLV_WATCH, clock_ms());
	rc = dir_watch < 0 || dir_fd < 0 ? -ENOENT :
					   sandbox_read_below(dir_fd);
	if (!rc && directory_has_file()) {
		close_keep_errno(&file_fd);
		return;
	}
	if (file_fd < 0) {
		timer_cancel(TIMER_RESOLV_WATCH);
		errno = rc ? -rc : ENOENT;
		watch_end("its directory");
		return;
	}
	debug("resolv.conf is read again when written to, not when replaced: "
	      "%s", rc ? strerror(-rc) : "it is not in its directory");
	if (dir_watch >= 0)
		inotify_rm_watch(event_fd, dir_watch);
	close_keep_errno(&dir_fd);
}

/* --- change --- */

/* With a name it is about something in the directory, without about the file;
 * which may be about to vanish, but then the other one follows. */
static bool concerns_file(const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		return true;
	return !(e->mask & IN_IGNORED) && (!e->len || !strcmp(e->name, base));
}

void resolv_watch_handle(struct ev ev, uint32_t events)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(event_fd, buf, sizeof(buf));

	(void)ev;
	(void)events;
	for (ssize_t off = 0; off < n;) {
		const struct inotify_event *e = (const void *)(buf + off);

		if (concerns_file(e))
			timer_set_earlier(TIMER_RESOLV_WATCH,
					  clock_ms() + QUIET_MS);
		off += (ssize_t)(sizeof(*e) + e->len);
	}
}

static bool read_text(int fd, char *text, size_t size)
{
	size_t len = 0;
	struct stat st;

	/* Whatever else bears that name, it is not for reading. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	while (len < size - 1) {
		ssize_t n = pread(fd, text + len, size - 1 - len, (off_t)len);

		if (n < 0)
			return false;
		if (!n)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return true;
}

static bool read_again(struct host *h)
{
	static char text[65536];
	int fd = dir_fd < 0 ? file_fd : openat(dir_fd, base, OPEN_FLAGS);
	bool ok = fd >= 0 && read_text(fd, text, sizeof(text));

	if (fd != file_fd)
		close_keep_errno(&fd);
	*h = (struct host) { 0 };
	if (ok)
		host_parse_resolv(h, text);
	return h->nameserver_cnt;
}

void resolv_watch_expire(void)
{
	static struct host host;

	if (!read_again(&host)) {
		debug("resolv.conf names no resolver, keeping what is known");
		return;
	}
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		struct addr list[CONF_DNS_MAX];
		unsigned cnt = host_nameservers(&host, fam, list);

		if (conf.net[fam].dns_from_file)
			resolver_replace(fam, list, cnt);
	}
}
