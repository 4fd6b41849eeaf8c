/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - one line per message, to whoever is listening
 *
 * A message is formatted once, on the stack, and made one line: control
 * characters (a guest may choose names that end up here) are written out as
 * \x1b. Then each open sink gets it in its own dress:
 *
 *	stderr	[12.3456: ]text		stamp at debug level, without file
 *	file	12.3456: WARNING: text	see below
 *	syslog	<28>pasta: text		one datagram, facility daemon
 *
 * The file opens with a line that names program, version, executable, the
 * wall-clock time that stamps count from, and the process. Before an entry
 * would reach the limit, the oldest third or so is cut off, between lines, and
 * that first line is written anew:
 *
 *	0                    cut                                 limit
 *	|header|line|line|li(ne|line)|line|line|line|line|line|line|
 *	                     |header  |line|line|line|line|line|line|
 *
 * It is put in place first, over lines that are about to go, blanks over what
 * remains of the last of them, and then the file begins there: whoever reads
 * finds whole lines at any time, and for tail(1) the file was truncated.
 * Where the filesystem can, it drops blocks without copying (fallocate(2),
 * FALLOC_FL_COLLAPSE_RANGE); otherwise what is kept is moved down.
 *
 * Owns the three sinks, opened once: nothing is looked up by name later, so
 * that logging goes on without a filesystem. Never allocates and never fails;
 * from log_detach() on never waits for a reader either. What a sink does not
 * take is counted, and it is told how much that was as soon as it takes
 * something again.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <poll.h>
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

SYSCALLS(poll, write, sendmsg);
SYSCALLS(log_file: writev, lseek, fallocate, fcntl, ftruncate, pread64, pwrite64,
	 fsync);

#define LINE_MAX_BYTES	2048
#define HEADER_MAX	(PATH_MAX + 256)
#define STAMP_MAX	32
#define WINDOW_MS	1000
#define WINDOW_MESSAGES	5

/* Until told otherwise, what somebody starting us by hand wants to see. */
enum log_level log_threshold = LOG_LVL_INFO;

struct message {
	enum log_level level;
	const char *when;	/* the stamp */
	struct iovec text;
};

static bool put_stderr(const struct message *m);
static bool put_file(const struct message *m);
static bool put_syslog(const struct message *m);

enum { SINK_STDERR, SINK_FILE, SINK_SYSLOG, SINK_COUNT };

static struct sink {
	int fd;				/* -1: not in use */
	bool (*put)(const struct message *m);	/* false: not taken */
	uint64_t lost;			/* messages, since it took one */
} sinks[SINK_COUNT] = {
	[SINK_STDERR]	= { STDERR_FILENO, put_stderr, 0 },
	[SINK_FILE]	= { -1, put_file, 0 },
	[SINK_SYSLOG]	= { -1, put_syslog, 0 },
};

static const char *ident;
static uint64_t start_ns;		/* stamps count from here */
static bool detached;			/* nobody's start waits for us */
static bool stderr_stays, stderr_stamp;

static bool file_rotates;	/* a regular file, neither pipe nor device */
static uint64_t file_limit;
static char header[HEADER_MAX];		/* first line, without a newline */

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
	uint64_t ns = boottime_ns() - start_ns;

	snprintf(out, STAMP_MAX, "%llu.%04u",
		 (unsigned long long)(ns / 1000000000u),
		 (unsigned)(ns % 1000000000u / 100000u));
}

static struct iovec piece(const char *s, size_t len)
{
	return (struct iovec) { (char *)s, len };
}

/* --- stderr --- */

/* A pipe nobody reads from must not stop the daemon. Nothing written here at
 * once is longer than what a pipe that is ready takes, pipe(7). */
static bool stderr_ready(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return !detached || (poll(&p, 1, 0) == 1 && p.revents & POLLOUT);
}

static bool put_stderr(const struct message *m)
{
	char line[STAMP_MAX + LINE_MAX_BYTES + 8];
	int len = snprintf(line, sizeof(line), "%s%s%.*s\n",
			   stderr_stamp ? m->when : "",
			   stderr_stamp ? ": " : "",
			   (int)m->text.iov_len, (char *)m->text.iov_base);

	return stderr_ready() && write(STDERR_FILENO, line, (size_t)len) > 0;
}

bool log_stderr_raw(const char *text, size_t len)
{
	return stderr_ready() && write(STDERR_FILENO, text, len) > 0;
}

/* --- system logger --- */

static bool put_syslog(const struct message *m)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "<%d>%s: ",
			   LOG_DAEMON | level_words[m->level].syslog, ident);
	struct iovec iov[] = {
		piece(head, (size_t)len), m->text, piece("\n", 1),
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

	return sendmsg(sinks[SINK_SYSLOG].fd, &msg,
		       MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* --- file --- */

/* Where the first newline at or after @off is, or -1. */
static off_t file_find_newline(off_t off)
{
	char block[4096], *nl;
	ssize_t n;

	while ((n = pread(sinks[SINK_FILE].fd, block, sizeof(block), off)) > 0) {
		nl = memchr(block, '\n', (size_t)n);
		if (nl)
			return off + (nl - block);
		off += n;
	}
	return -1;
}

static bool file_write_at(const char *p, size_t len, off_t off)
{
	return pwrite(sinks[SINK_FILE].fd, p, len, off) == (ssize_t)len;
}

/* Asked each time: other processes of ours, and administrators, write to the
 * file as well. */
static off_t file_size(void)
{
	return MAX(lseek(sinks[SINK_FILE].fd, 0, SEEK_END), 0);
}

/* First line only: what to do when nothing can be kept. */
static void file_restart(const char *line, size_t len)
{
	if (!ftruncate(sinks[SINK_FILE].fd, 0) && file_write_at(line, len, 0))
		file_write_at("\n", 1, (off_t)len);
}

/* From @cut on it is to be a file of its own that begins with @line: that goes
 * over what is there, and blanks over the rest of the line it ends in. The
 * newline in front is for who reads at this moment. */
static bool file_prepare(off_t cut, const char *line, size_t len)
{
	off_t at = cut + (off_t)len, nl = file_find_newline(at);
	char blank[256];

	if (nl < 0 || !file_write_at("\n", 1, cut - 1) ||
	    !file_write_at(line, len, cut))
		return false;
	memset(blank, ' ', sizeof(blank));
	while (at < nl) {
		size_t n = (size_t)MIN(nl - at, (off_t)sizeof(blank));

		if (!file_write_at(blank, n, at))
			return false;
		at += (off_t)n;
	}
	return true;
}

/* What is at @from goes to the beginning, and the file ends behind it. */
static bool file_move_down(off_t from)
{
	off_t to = 0;
	char block[4096];
	ssize_t n;

	while ((n = pread(sinks[SINK_FILE].fd, block, sizeof(block),
			  from)) > 0) {
		if (!file_write_at(block, (size_t)n, to))
			return false;
		from += n;
		to += n;
	}
	return !n && !ftruncate(sinks[SINK_FILE].fd, to);
}

/* Thirty percent of the limit, in whole pages as COLLAPSE_RANGE asks for. */
static off_t file_cut(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t third = file_limit * 3 / 10;

	return (off_t)((third + page - 1) / page * page);
}

static void file_rotate(const char *when)
{
	char line[HEADER_MAX + STAMP_MAX + 32];
	size_t len = (size_t)snprintf(line, sizeof(line),
				      "%s - log truncated at %s", header,
				      when);
	int fd = sinks[SINK_FILE].fd, flags = fcntl(fd, F_GETFL);
	off_t cut = file_cut();

	/* With O_APPEND, pwrite(2) would go to the end. */
	fcntl(fd, F_SETFL, flags & ~O_APPEND);
	if (!file_prepare(cut, line, len) ||
	    (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, cut) &&
	     !file_move_down(cut)))
		file_restart(line, len);
	fcntl(fd, F_SETFL, flags);
}

/* A full disk may have room for half a line: no good to anybody. */
static bool file_append(struct iovec *iov, int cnt, size_t len)
{
	int fd = sinks[SINK_FILE].fd;
	ssize_t n = writev(fd, iov, cnt);

	if (n > 0 && (size_t)n < len && file_rotates &&
	    ftruncate(fd, file_size() - n))
		return true;	/* then half a line is what it got */
	return n == (ssize_t)len;
}

static bool put_file(const struct message *m)
{
	const char *word = level_words[m->level].file;
	struct iovec iov[] = {
		piece(m->when, strlen(m->when)),
		piece(": ", 2),
		piece(word, strlen(word)),
		m->text,
		piece("\n", 1),
	};
	size_t len = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(iov); i++)
		len += iov[i].iov_len;
	if (file_rotates && (uint64_t)file_size() + len >= file_limit)
		file_rotate(m->when);
	return file_append(iov, ARRAY_SIZE(iov), len);
}

/* --- all of them --- */

/* The second kind are those beyond ASCII, in UTF-8. */
static bool is_control(unsigned char before, unsigned char c)
{
	return c < ' ' || c == 127 || (before == 0xc2 && c >= 0x80 && c < 0xa0);
}

/* @text as one line: no newline at the end, nothing odd inside. Its length,
 * at most @size. */
static size_t make_line(char *line, size_t size, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t end = strlen(text), len = 0;
	unsigned char c = 0, before;

	while (end && text[end - 1] == '\n')
		end--;
	for (size_t i = 0; i < end && len + 4 <= size; i++) {
		before = c;
		c = (unsigned char)text[i];
		if (!is_control(before, c)) {
			line[len++] = text[i];
			continue;
		}
		line[len++] = '\\';
		line[len++] = 'x';
		line[len++] = digits[c >> 4];
		line[len++] = digits[c & 15];
	}
	return len;
}

/* The message, and before it how many there were that could not be told. */
static void sink_put(struct sink *s, const struct message *m)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "Messages lost before this one: "
			   "%llu", (unsigned long long)s->lost);
	const struct message note = {
		LOG_LVL_WARN, m->when, piece(text, (size_t)len),
	};

	if (s->lost && s->put(&note))
		s->lost = 0;
	if (s->lost || !s->put(m))
		s->lost++;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES], when[STAMP_MAX];
	struct message m = { level, when, { 0 } };
	int saved = errno, len;
	va_list ap;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	m.text = piece(line, make_line(line, sizeof(line), text));
	stamp(when);
	for (unsigned i = 0; i < SINK_COUNT; i++)
		if (sinks[i].fd >= 0)
			sink_put(&sinks[i], &m);
	errno = saved;
}

/* "pasta 1.0: /usr/bin/pasta, since 2026-01-31T12:00:00.123Z (1234)" */
static void make_header(const char *version)
{
	char exe[PATH_MAX], date[32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct timespec now = { 0 };
	struct tm tm;

	exe[MAX(n, 0)] = '\0';
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(header, sizeof(header), "%s %s: %s, since %s.%03uZ (%d)",
		 ident, version, n > 0 ? exe : "unknown", date,
		 (unsigned)(now.tv_nsec / 1000000), (int)getpid());
}

static int file_open(const struct log_config *cfg)
{
	struct iovec iov[2];
	struct stat st;
	int fd = open(cfg->file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND |
				 O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	sinks[SINK_FILE].fd = fd;
	file_rotates = !fstat(fd, &st) && S_ISREG(st.st_mode);
	file_limit = cfg->file_limit;
	iov[0] = piece(header, strlen(header));
	iov[1] = piece("\n", 1);
	file_append(iov, 2, iov[0].iov_len + 1);	/* as any other line */
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
	sinks[SINK_SYSLOG].fd = fd;
}

int log_start(const struct log_config *cfg, const char *version)
{
	int rc;

	ident = cfg->ident;
	start_ns = boottime_ns();
	make_header(version);
	if (cfg->file) {
		rc = file_open(cfg);
		if (rc)
			return rc;
	}
	if (cfg->to_syslog)
		syslog_open();
	stderr_stays = cfg->to_stderr;
	stderr_stamp = cfg->level >= LOG_LVL_DEBUG && !cfg->file;
	log_threshold = cfg->level;
	if (!cfg->file)
		debug("%s", header);
	return 0;
}

void log_detach(void)
{
	detached = true;
	if (!stderr_stays)
		sinks[SINK_STDERR].fd = -1;
}

void log_sync(void)
{
	if (sinks[SINK_FILE].fd >= 0)
		fsync(sinks[SINK_FILE].fd);
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

bool drop_counter(unsigned i, struct counter *out)
{
	if (i >= DROP_COUNT)
		return false;
	*out = (struct counter) { drops[i].name, drops[i].text,
				  drop_counts[i] };
	return true;
}
