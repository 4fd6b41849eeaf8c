/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv_watch.c - resolv.conf is read again when it changes
 *
 * Laptops change networks, VPNs come and go: flows which start later shall ask
 * the resolvers of then. That takes opening a file, which the daemon must not
 * be able to: a small process does it, and sends the addresses it finds.
 *
 *	daemon				reader
 *	fork ------------------------->	confined, see below
 *					inotify(7): something happened
 *					a moment of quiet, for the writer to end
 *	resolver_replace() <-- list ---	read, parse
 *
 * If that was not the end, there is another event. A file that names no
 * resolver changes nothing: it is about to be written, or the host is offline.
 *
 * The reader can make no system call but those for that, and has no path to
 * any file. What it keeps, by necessity:
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
 * on behalf of the guest, or another one was named, there is no reader. It ends
 * with the daemon; should it end before, the list stays as it is.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "resolver.h"
#include "util.h"

#define QUIET_MS	100

#define FILE_EVENTS	(IN_MODIFY | IN_CLOSE_WRITE)
#define DIR_EVENTS	(FILE_EVENTS | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
#define OPEN_FLAGS	(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

SYSCALLS(recvfrom, close);
SYSCALLS(reader: poll, read, openat, pread64, close, sendto, exit_group);

/* Both are the same program: no layout to agree on. */
struct list {
	unsigned cnt;
	struct addr addr[ARRAY_SIZE(((struct host *)0)->nameserver)];
};

static int reader_fd = -1;	/* daemon's end of the socket pair */

/* The reader's, open from the start. */
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

/* --- start, and the reader's first steps --- */

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

	if (!wanted() || !find_directory(path, dir))
		return;
	event_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (event_fd < 0) {
		watch_end("inotify");
		return;
	}
	dir_watch = inotify_add_watch(event_fd, dir, DIR_EVENTS);
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* The path, not the name in the directory: see below. */
	file_fd = open(path, OPEN_FLAGS & ~O_NOFOLLOW);
	if (file_fd >= 0)
		inotify_add_watch(event_fd, path, FILE_EVENTS);
}

/* Whether the directory leads to the file, now that other mounts are gone. */
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

/* Whether there is anything left to watch. */
static bool reader_confine(bool by_directory)
{
	int rc = by_directory ? sandbox_read_below(dir_fd) : -ENOENT;

	if (!rc) {
		close_keep_errno(&file_fd);
		return true;
	}
	if (file_fd < 0) {
		errno = -rc;
		watch_end("its directory");
		return false;
	}
	debug("resolv.conf is read again when written to, not when replaced: "
	      "%s", strerror(-rc));
	if (dir_watch >= 0)
		inotify_rm_watch(event_fd, dir_watch);
	close_keep_errno(&dir_fd);
	return true;
}

/* --- in the reader: change --- */

/* With a name it is about something in the directory, without about the file;
 * which may be about to vanish, but then the other one follows. */
static bool concerns_file(const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		return true;
	return !(e->mask & IN_IGNORED) && (!e->len || !strcmp(e->name, base));
}

/* All there are. Whether one is about the file. */
static bool events_take(void)
{
	char buf[4096] __attribute__((aligned(8)));
	bool concerned = false;
	ssize_t n;

	while ((n = read(event_fd, buf, sizeof(buf))) > 0) {
		for (ssize_t off = 0; off < n;) {
			const struct inotify_event *e = (void *)(buf + off);

			concerned = concerned || concerns_file(e);
			off += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	return concerned;
}

/* pread(2) fails on what is no file, whatever bears that name. */
static bool read_text(int fd, char *text, size_t size)
{
	size_t len = 0;

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

static void read_again(struct host *h)
{
	static char text[65536];
	int fd = dir_fd < 0 ? file_fd : openat(dir_fd, base, OPEN_FLAGS);
	bool ok = fd >= 0 && read_text(fd, text, sizeof(text));

	if (fd != file_fd)
		close_keep_errno(&fd);
	*h = (struct host) { 0 };
	if (ok)
		host_parse_resolv(h, text);
}

static void list_send(int sock)
{
	static struct host h;
	struct list list;

	read_again(&h);
	memset(&list, 0, sizeof(list));	/* padding too */
	list.cnt = h.nameserver_cnt;
	memcpy(list.addr, h.nameserver, sizeof(list.addr));
	if (send(sock, &list, sizeof(list), MSG_NOSIGNAL) < 0)
		_exit(EXIT_SUCCESS);
}

/* Until there are events, or for so long. The daemon never sends anything: if
 * its end is readable, it is gone. */
static void reader_wait(int sock, bool for_events, int timeout_ms)
{
	struct pollfd p[] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = for_events ? event_fd : -1, .events = POLLIN },
	};

	if (poll(p, ARRAY_SIZE(p), timeout_ms) > 0 && p[0].revents)
		_exit(EXIT_SUCCESS);
}

static _Noreturn void reader_main(int sock, bool by_directory)
{
	const int keep[] = { sock, event_fd, dir_fd, file_fd };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "resolv-reader");
	setsid();	/* what the terminal sends is not for us */
	if (!reader_confine(by_directory))
		_exit(EXIT_FAILURE);
	process_stdio_drop();
	sandbox_descriptors_but(keep, ARRAY_SIZE(keep));
	sandbox_reader();

	/* It may have changed between the first look at it and the watch. */
	list_send(sock);
	for (;;) {
		reader_wait(sock, true, -1);
		if (!events_take())
			continue;
		reader_wait(sock, false, QUIET_MS);
		events_take();
		list_send(sock);
	}
}

/* --- in the daemon --- */

/* Which file the directory has is looked at here: until the reader gets to it,
 * it may be another one already, and that must not go unnoticed. */
static int reader_start(void)
{
	bool by_directory = dir_watch >= 0 && dir_fd >= 0 &&
			    directory_has_file();
	int pair[2], rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (!pid)
		reader_main(pair[1], by_directory);
	rc = pid < 0 ? -errno : 0;
	close_keep_errno(&pair[1]);
	reader_fd = pair[0];
	if (!rc)
		rc = loop_add(reader_fd, EPOLLIN,
			      (struct ev) { .kind = EV_RESOLVER });
	if (rc)
		close_keep_errno(&reader_fd);
	return rc;
}

void resolv_watch_confine(void)
{
	int rc;

	if (event_fd < 0)
		return;
	rc = reader_start();
	if (rc) {
		errno = -rc;
		watch_end("process");
	}
	close_keep_errno(&event_fd);
	close_keep_errno(&dir_fd);
	close_keep_errno(&file_fd);
}

static void reader_gone(void)
{
	debug("Changes of resolv.conf go unnoticed from now on");
	loop_del(reader_fd);
	close_keep_errno(&reader_fd);
}

static void list_take(const struct list *list)
{
	static struct host host;

	if (!list->cnt) {
		debug("resolv.conf names no resolver, keeping what is known");
		return;
	}
	host.nameserver_cnt = list->cnt;
	memcpy(host.nameserver, list->addr, sizeof(list->addr));
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		struct addr found[CONF_DNS_MAX];
		unsigned cnt = host_nameservers(&host, fam, found);

		if (conf.net[fam].dns_from_file)
			resolver_replace(fam, found, cnt);
	}
}

void resolv_watch_handle(struct ev ev, uint32_t events)
{
	struct list list;
	ssize_t n = recv(reader_fd, &list, sizeof(list), MSG_DONTWAIT);

	(void)ev;
	(void)events;
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		reader_gone();
	else if (n == sizeof(list) && list.cnt <= ARRAY_SIZE(list.addr))
		list_take(&list);
}
