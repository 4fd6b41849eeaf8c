/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - one line per message, to whoever is listening
 *
 * A message is formatted once, on the stack, and made one line: control
 * characters (a guest may choose names that end up here) become '?'. Then each
 * open sink gets it in its own dress:
 *
 *	stderr	[12.3456: ]text		stamp at debug level, without file
 *	file	12.3456: WARNING: text	see below
 *	syslog	<28>pasta: text		one datagram, facility daemon
 *
 * The file opens with a line that names program, version, executable, the
 * wall-clock time that stamps count from, and the process. Before an entry
 * would reach the limit, the oldest third or so is cut off, between lines, and
 * that first line is written anew. Where the filesystem can, it drops blocks
 * without copying (fallocate(2), FALLOC_FL_COLLAPSE_RANGE) and the remains of
 * a line are blanked; otherwise what is kept is moved down.
 *
 * Owns the three sinks, opened once: nothing is looked up by name later, so
 * that logging goes on without a filesystem. Never allocates, never waits for
 * a reader, never fails: a message that cannot be written is gone.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "timer.h"
#include "util.h"

SYSCALLS(writev, sendmsg, fsync);
/* Rotation */
SYSCALLS(lseek, fallocate, fcntl, ftruncate, pread64, pwrite64);

#define LINE_MAX_BYTES	2048
#define HEADER_MAX	(PATH_MAX + 256)
#define STAMP_MAX	32
#define WINDOW_MS	1000
#define WINDOW_MESSAGES	5

/* Until told otherwise, what somebody starting us by hand wants to see. */
enum log_level log_threshold = LOG_LVL_INFO;

static struct {
	const char *ident;
	bool to_stderr, stderr_stays, stderr_stamp;
	int syslog_fd, file_fd;
	bool file_rotates;	/* a regular file, neither pipe nor device */
	uint64_t file_limit;
	size_t header_len;	/* without a newline */
	char header[HEADER_MAX];
	uint64_t start_ns;	/* stamps count from here */
} sink = { .to_stderr = true, .syslog_fd = -1, .file_fd = -1 };

static const struct {
	int syslog;
	const char *file;
} level_words[] = {
	[LOG_LVL_ERR]	= { LOG_ERR,	 "ERROR:   " },
	[LOG_LVL_WARN]	= { LOG_WARNING, "WARNING: " },
	[LOG_LVL_INFO]	= { LOG_INFO,	 "info:    " },
	[LOG_LVL_DEBUG]	= { LOG_DEBUG,	 "         " },
	[LOG_LVL_TRACE]	= { LOG_DEBUG,	 "         " },
};

/* The program's clock stands still during a turn, these stamps should not. */
static uint64_t boottime_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void stamp(char out[STAMP_MAX])
{
	uint64_t ns = boottime_ns() - sink.start_ns;

	snprintf(out, STAMP_MAX, "%llu.%04u",
		 (unsigned long long)(ns / 1000000000u),
		 (unsigned)(ns % 1000000000u / 100000u));
}

static struct iovec piece(const char *s, size_t len)
{
	return (struct iovec) { (char *)s, len };
}

static void put_stderr(const char *when, const struct iovec *text)
{
	struct iovec iov[] = {
		piece(when, strlen(when)),
		piece(": ", 2),
		*text,
		piece("\n", 1),
	};
	unsigned skip = sink.stderr_stamp ? 0 : 2;
	ssize_t n = writev(STDERR_FILENO, iov + skip,
			   (int)(ARRAY_SIZE(iov) - skip));

	(void)n;	/* there is nobody left to tell */
}

static void put_syslog(enum log_level level, const struct iovec *text)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "<%d>%s: ",
			   LOG_DAEMON | level_words[level].syslog, sink.ident);
	struct iovec iov[] = {
		piece(head, (size_t)len), *text, piece("\n", 1),
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

	sendmsg(sink.syslog_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Where the first newline at or after @off is, or -1. */
static off_t file_find_newline(off_t off)
{
	char block[4096], *nl;
	ssize_t n;

	while ((n = pread(sink.file_fd, block, sizeof(block), off)) > 0) {
		nl = memchr(block, '\n', (size_t)n);
		if (nl)
			return off + (nl - block);
		off += n;
	}
	return -1;
}

static bool file_write_at(const char *p, size_t len, off_t off)
{
	return pwrite(sink.file_fd, p, len, off) == (ssize_t)len;
}

/* Asked each time: other processes of ours, and administrators, write to the
 * file as well. */
static off_t file_size(void)
{
	return MAX(lseek(sink.file_fd, 0, SEEK_END), 0);
}

/* First line only: what to do when nothing can be kept. */
static void file_restart(const char *line, size_t len)
{
	if (!ftruncate(sink.file_fd, 0) && file_write_at(line, len, 0))
		file_write_at("\n", 1, (off_t)len);
}

/* The file begins in the middle of a line: @line goes over it, and blanks over
 * what remains until the next newline. */
static void file_overwrite_head(const char *line, size_t len)
{
	off_t nl = file_find_newline((off_t)len), at = (off_t)len;
	char blank[256];

	if (nl < 0 || !file_write_at(line, len, 0)) {
		file_restart(line, len);
		return;
	}
	memset(blank, ' ', sizeof(blank));
	while (at < nl) {
		size_t n = (size_t)MIN(nl - at, (off_t)sizeof(blank));

		if (!file_write_at(blank, n, at))
			return;
		at += (off_t)n;
	}
}

/* Write @line, and move down all lines that begin after @cut. */
static void file_move_down(const char *line, size_t len, off_t cut)
{
	off_t from = file_find_newline(cut + (off_t)len);
	off_t to = (off_t)len;
	char block[4096];
	ssize_t n;

	if (from < 0 || !file_write_at(line, len, 0)) {
		file_restart(line, len);
		return;
	}

	/* From the newline on: it ends our line. Ahead of us is never written,
	 * as the source is at least a line further down. */
	while ((n = pread(sink.file_fd, block, sizeof(block), from)) > 0) {
		if (!file_write_at(block, (size_t)n, to))
			return;
		from += n;
		to += n;
	}
	if (ftruncate(sink.file_fd, to))
		file_restart(line, len);
}

/* Thirty percent of the limit, in whole pages as COLLAPSE_RANGE asks for. */
static off_t file_cut(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t third = sink.file_limit * 3 / 10;

	return (off_t)((third + page - 1) / page * page);
}

static void file_rotate(const char *when)
{
	char line[HEADER_MAX + STAMP_MAX + 32];
	size_t len = (size_t)snprintf(line, sizeof(line),
				      "%s - log truncated at %s", sink.header,
				      when);
	int flags = fcntl(sink.file_fd, F_GETFL);
	off_t cut = file_cut();

	/* With O_APPEND, pwrite(2) would go to the end. */
	fcntl(sink.file_fd, F_SETFL, flags & ~O_APPEND);
	if (!fallocate(sink.file_fd, FALLOC_FL_COLLAPSE_RANGE, 0, cut))
		file_overwrite_head(line, len);
	else
		file_move_down(line, len, cut);
	fcntl(sink.file_fd, F_SETFL, flags);
}

static void put_file(const char *when, enum log_level level,
		     const struct iovec *text)
{
	const char *word = level_words[level].file;
	struct iovec iov[] = {
		piece(when, strlen(when)),
		piece(": ", 2),
		piece(word, strlen(word)),
		*text,
		piece("\n", 1),
	};
	uint64_t len = 0;
	ssize_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(iov); i++)
		len += iov[i].iov_len;
	if (sink.file_rotates &&
	    (uint64_t)file_size() + len >= sink.file_limit)
		file_rotate(when);
	n = writev(sink.file_fd, iov, ARRAY_SIZE(iov));
	(void)n;	/* a full disk must not stop us */
}

/* One line: no newline at the end, nothing odd inside. */
static size_t make_line(char *text, size_t len)
{
	while (len && text[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 127)
			text[i] = '?';
	}
	return len;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], when[STAMP_MAX];
	int saved = errno, len;
	struct iovec line;
	va_list ap;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	len = MIN(len, (int)sizeof(text) - 1);
	line = piece(text, make_line(text, (size_t)len));
	stamp(when);

	if (sink.to_stderr)
		put_stderr(when, &line);
	if (sink.file_fd >= 0)
		put_file(when, level, &line);
	if (sink.syslog_fd >= 0)
		put_syslog(level, &line);
	errno = saved;
}

/* "pasta 1.0: /usr/bin/pasta, since 2026-01-31T12:00:00Z (1234)" */
static void make_header(const char *version)
{
	time_t now = time(NULL);
	char exe[PATH_MAX], date[32];
	struct tm tm;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int len;

	exe[MAX(n, 0)] = '\0';
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	len = snprintf(sink.header, sizeof(sink.header),
		       "%s %s: %s, since %s (%d)", sink.ident, version,
		       n > 0 ? exe : "unknown", date, (int)getpid());
	sink.header_len = (size_t)MIN(len, (int)sizeof(sink.header) - 1);
}

static int file_open(const struct log_config *cfg)
{
	struct iovec iov[2];
	struct stat st;
	ssize_t n;
	int fd = open(cfg->file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND |
				 O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	iov[0] = piece(sink.header, sink.header_len);
	iov[1] = piece("\n", 1);
	n = writev(fd, iov, 2);
	(void)n;	/* as any other message */
	sink.file_rotates = !fstat(fd, &st) && S_ISREG(st.st_mode);
	sink.file_limit = cfg->file_limit;
	sink.file_fd = fd;
	return 0;
}

/* Without a system logger there is none: not worth a message. */
static void syslog_open(void)
{
	static const struct sockaddr_un log_socket = {
		.sun_family = AF_UNIX, .sun_path = "/dev/log",
	};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&log_socket,
		    sizeof(log_socket)))
		close_keep_errno(&fd);
	sink.syslog_fd = fd;
}

int log_start(const struct log_config *cfg, const char *version)
{
	int rc;

	sink.ident = cfg->ident;
	sink.start_ns = boottime_ns();
	make_header(version);
	if (cfg->file) {
		rc = file_open(cfg);
		if (rc)
			return rc;
	}
	if (cfg->to_syslog)
		syslog_open();
	sink.stderr_stays = cfg->to_stderr;
	sink.stderr_stamp = cfg->level >= LOG_LVL_DEBUG && !cfg->file;
	log_threshold = cfg->level;
	return 0;
}

void log_detach(void)
{
	sink.to_stderr = sink.stderr_stays;
}

void log_sync(void)
{
	if (sink.file_fd >= 0)
		fsync(sink.file_fd);
}

bool log_allow(struct log_limit *l, enum log_level level)
{
	uint64_t now_ms = clock_ms();

	if (now_ms - l->window_ms > WINDOW_MS) {
		unsigned held = l->count > WINDOW_MESSAGES ?
				l->count - WINDOW_MESSAGES : 0;

		*l = (struct log_limit) { .window_ms = now_ms };
		if (held)
			log_msg(level, "(%u similar messages suppressed)",
				held);
	}
	if (l->count < UINT_MAX)
		l->count++;
	if (l->count == WINDOW_MESSAGES + 1)
		log_msg(level, "(suppressing further similar messages)");
	return l->count <= WINDOW_MESSAGES;
}

static const struct {
	const char *name, *text;
} drops[] = {
#define X(name, text) [DROP_##name] = { #name, text },
	DROP_REASONS(X)
#undef X
};
static uint64_t drop_counts[DROP_COUNT];

bool drop(enum drop_reason why)
{
	drop_counts[why]++;
	trace("Packet dropped: %s", drops[why].text);
	return false;
}

uint64_t drop_count(enum drop_reason why)
{
	return drop_counts[why];
}

const char *drop_name(enum drop_reason why)
{
	return drops[why].name;
}
