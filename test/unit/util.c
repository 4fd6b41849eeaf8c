/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.c (test) - numbers, whole transfers over stuttering pipes, files */
/* links: util */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

TEST(numbers_are_read_up_to_their_limit)
{
	static const struct {
		const char *text;
		uint64_t max, want;
	} good[] = {
		{ "0", 0, 0 }, { "00", 0, 0 }, { "7", 7, 7 },
		{ "010", 100, 10 }, { "65535", 65535, 65535 },
		{ "0xff", 255, 255 }, { "0XfF", 255, 255 }, { "0x0", 0, 0 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX },
		{ "0xffffffffffffffff", UINT64_MAX, UINT64_MAX },
		{ "00000000000000000000000000000000000001", 1, 1 },
	};
	static const struct {
		const char *text;
		uint64_t max;
	} bad[] = {
		{ "", 9 }, { " ", 9 }, { " 1", 9 }, { "1 ", 9 }, { "+1", 9 },
		{ "-1", UINT64_MAX }, { "-0", 9 }, { "1x", 9 }, { "a", 99 },
		{ "0x", 9 }, { "0xg", 99 }, { "x1", 9 }, { "1,000", 9999 },
		{ "1.0", 9 }, { "8", 7 }, { "1", 0 }, { "65536", 65535 },
		{ "0x100", 255 }, { "18446744073709551616", UINT64_MAX },
		{ "0x10000000000000000", UINT64_MAX },
		{ "99999999999999999999999", UINT64_MAX },
	};
	uint64_t v;

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		v = 42;
		OK(parse_u64(good[i].text, good[i].max, &v));
		EQ(v, good[i].want);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		v = 42;
		if (!OK(!parse_u64(bad[i].text, bad[i].max, &v)))
			printf("  (\"%s\")\n", bad[i].text);
		EQ(v, 42);
	}
}

TEST(a_number_can_be_the_beginning_of_more)
{
	const char *end = NULL;
	uint64_t v;

	OK(parse_u64_prefix("80-90", &end, 65535, &v));
	EQ(v, 80);
	STREQ(end, "-90");
	OK(parse_u64_prefix(end + 1, &end, 65535, &v));
	EQ(v, 90);
	STREQ(end, "");

	end = "untouched";
	OK(!parse_u64_prefix("-90", &end, 65535, &v));
	OK(!parse_u64_prefix("70000-", &end, 65535, &v));
	STREQ(end, "untouched");
}

static void nothing(int sig)
{
	(void)sig;
}

/* Run @feed on the other end of a socket pair, in a process of its own, while
 * signals interrupt us all the time. */
static int with_peer(void (*feed)(int fd), pid_t *child)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval often = { { 0, 500 }, { 0, 500 } };
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		return -1;
	*child = fork();
	if (!*child) {
		close(s[0]);
		feed(s[1]);
		_exit(0);
	}
	close(s[1]);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	return s[0];
}

static int peer_done(int *fd, pid_t child)
{
	struct itimerval never = { 0 };
	int status;

	setitimer(ITIMER_REAL, &never, NULL);
	close_keep_errno(fd);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void feed_slowly(int fd)
{
	for (const char *p = "hello"; *p; p++) {
		usleep(3000);
		if (write(fd, p, 1) != 1)
			_exit(1);
	}
}

TEST(reading_goes_on_over_short_reads_and_signals_until_the_end)
{
	char buf[8] = "";
	pid_t child;
	int fd = with_peer(feed_slowly, &child);

	EQ(read_exact(fd, buf, 4), 0);
	STREQ(buf, "hell");
	EQ(read_exact(fd, buf, 2), -EPIPE);	/* there is one */
	EQ(read_exact(fd, buf, 0), 0);
	EQ(peer_done(&fd, child), 0);
	EQ(fd, -1);
}

#define LOTS	(1 << 20)

static void drain_slowly(int fd)
{
	static char buf[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++, sum++)
			if ((unsigned char)buf[i] != sum % 251)
				_exit(1);
		usleep(500);
	}
	_exit(sum == LOTS ? 0 : 2);
}

TEST(writing_goes_on_over_short_writes_and_signals)
{
	static unsigned char lots[LOTS];
	pid_t child;
	int fd = with_peer(drain_slowly, &child);

	for (size_t i = 0; i < LOTS; i++)
		lots[i] = (unsigned char)(i % 251);
	EQ(write_exact(fd, lots, LOTS), 0);
	EQ(peer_done(&fd, child), 0);
}

TEST(transfers_report_what_went_wrong)
{
	char c = 0;
	int s[2];

	EQ(read_exact(-1, &c, 1), -EBADF);
	EQ(write_exact(-1, &c, 1), -EBADF);

	signal(SIGPIPE, SIG_IGN);
	EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	close(s[1]);
	EQ(write_exact(s[0], &c, 1), -EPIPE);
	EQ(read_exact(s[0], &c, 1), -EPIPE);
	close(s[0]);
}

TEST(small_files_are_read_whole_or_not_at_all)
{
	char path[] = "/tmp/passt-util-XXXXXX", buf[8];
	int fd = mkstemp(path);

	OK(fd >= 0);
	EQ(write_file(path, "a longer text"), 0);
	EQ(write_file(path, "1234567"), 0);
	EQ(read_file(path, buf, sizeof(buf)), 7);
	STREQ(buf, "1234567");
	EQ(read_file(path, buf, 7), -EFBIG);
	EQ(write_file(path, ""), 0);
	EQ(read_file(path, buf, sizeof(buf)), 0);
	STREQ(buf, "");
	close(fd);
	unlink(path);
	EQ(read_file(path, buf, sizeof(buf)), -ENOENT);
	EQ(write_file(path, "x"), -ENOENT);
	EQ(read_file("/", buf, sizeof(buf)), -EISDIR);
}

TEST(files_without_a_size_are_read_too)
{
	char buf[8192], own[32];

	snprintf(own, sizeof(own), "Pid:\t%d\n", (int)getpid());
	OK(read_file("/proc/self/status", buf, sizeof(buf)) > 0);
	OK(strstr(buf, own));
}

TEST(closing_keeps_errno_and_forgets_the_descriptor)
{
	int fd = open("/dev/null", O_RDONLY), was = fd;

	errno = ENOANO;
	close_keep_errno(&fd);
	EQ(fd, -1);
	EQ(errno, ENOANO);
	EQ(fcntl(was, F_GETFD), -1);
	errno = ENOANO;
	close_keep_errno(&fd);
	EQ(errno, ENOANO);
}

TEST(copying_says_when_it_had_to_cut)
{
	char buf[4];

	OK(str_copy(buf, sizeof(buf), ""));
	STREQ(buf, "");
	OK(str_copy(buf, sizeof(buf), "abc"));
	STREQ(buf, "abc");
	OK(!str_copy(buf, sizeof(buf), "defg"));
	STREQ(buf, "def");
	OK(!str_copy(buf, 1, "x"));
	STREQ(buf, "");
	buf[0] = '!';
	OK(!str_copy(buf, 0, "x"));
	EQ(buf[0], '!');
}

TEST(sequence_numbers_compare_across_the_wrap)
{
	OK(seq_lt(1, 2));
	OK(!seq_lt(2, 2));
	OK(!seq_lt(3, 2));
	OK(seq_le(2, 2));
	OK(seq_lt(0xffffffff, 0));
	OK(seq_le(0xfffffff0, 0x10));
	OK(!seq_lt(0x10, 0xfffffff0));
	OK(seq_lt(0, 0x7fffffff));
	OK(!seq_le(0x7fffffff, 0));
}

TEST(control_characters_do_not_get_into_messages)
{
	char text[] = "a\nb\tc\x7f d\xc3\xa4\r";

	str_printable(text);
	STREQ(text, "a?b?c? d\xc3\xa4?");
}
