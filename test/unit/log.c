/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c (test) - sinks, stamps, rotation both ways, rate limits, drops
 *
 * Where messages go is decided once per process, so that most tests do their
 * logging in a child, which has its stderr in a file, and look at what it left
 * behind.
 */
/* links: log timer util */
/* wrap: fallocate64 pwrite64 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "timer.h"

#define LIMIT	40960

static char dir[] = "/tmp/passt-log-XXXXXX";
static char path[PATH_MAX], err_path[PATH_MAX];
static char text[LIMIT * 4];		/* what was read last */

int __real_fallocate64(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len);

ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t off);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t off);

static int pwrites_left = INT_MAX;	/* that work, before the disk is full */

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t off)
{
	if (pwrites_left-- > 0)
		return __real_pwrite64(fd, p, n, off);
	errno = ENOSPC;
	return -1;
}

static bool collapse_refused;
static unsigned collapse_calls;

int __wrap_fallocate64(int fd, int mode, off_t off, off_t len)
{
	collapse_calls++;
	if (!collapse_refused)
		return __real_fallocate64(fd, mode, off, len);
	errno = EOPNOTSUPP;
	return -1;
}

static void __attribute__((constructor)) make_dir(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(err_path, sizeof(err_path), "%s/stderr", dir);
}

static pid_t owner;

static void __attribute__((destructor)) remove_dir(void)
{
	if (owner && owner != getpid())
		return;
	unlink(path);
	unlink(err_path);
	rmdir(dir);
}

static const char *slurp(const char *file)
{
	ssize_t n = read_file(file, text, sizeof(text));

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Run @body in a child with stderr in a file; its exit status. */
static int in_child(void (*body)(void))
{
	int status;
	pid_t pid;

	owner = getpid();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		int fd = open(err_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND,
			      0600);

		dup2(fd, STDERR_FILENO);
		body();
		exit(test_failures ? 99 : 0);	/* for coverage, not _exit() */
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

static bool matches(const char *s, const char *pattern)
{
	regex_t re;
	bool ok;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE))
		return false;
	ok = !regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	if (!ok)
		printf("  \"%s\" does not match \"%s\"\n", s, pattern);
	return ok;
}

static struct log_config config(enum log_level level)
{
	return (struct log_config) { .ident = "pasta", .level = level };
}

static void say_everything(void)
{
	err("an error");
	warn("a warning");
	info("some information");
	debug("a detail");
	trace("a trace");
}

static void before_start(void)
{
	say_everything();
}

TEST(before_the_start_messages_go_to_stderr_as_they_are)
{
	EQ(in_child(before_start), 0);
	STREQ(slurp(err_path), "an error\na warning\nsome information\n");
}

static void quiet(void)
{
	struct log_config cfg = config(LOG_LVL_WARN);

	EQ(log_start(&cfg, "1.0"), 0);
	say_everything();
	log_detach();
	err("nobody hears this");
}

TEST(stderr_gets_what_the_level_lets_through_until_start_up_is_over)
{
	EQ(in_child(quiet), 0);
	STREQ(slurp(err_path), "an error\na warning\n");
}

static void foreground(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);

	cfg.to_stderr = true;
	EQ(log_start(&cfg, "1.0"), 0);
	info("first");
	log_detach();
	info("second");
}

TEST(stderr_stays_when_asked_for)
{
	EQ(in_child(foreground), 0);
	STREQ(slurp(err_path), "first\nsecond\n");
}

static void debugging(void)
{
	struct log_config cfg = config(LOG_LVL_DEBUG);

	EQ(log_start(&cfg, "1.0"), 0);
	say_everything();
}

TEST(stamps_are_on_stderr_when_debugging)
{
	EQ(in_child(debugging), 0);
	slurp(err_path);
	OK(matches(text, "^0\\.[0-9]{4}: an error$"));
	OK(matches(text, "^0\\.[0-9]{4}: a detail$"));
	OK(!strstr(text, "a trace"));
}

static void to_file(void)
{
	struct log_config cfg = config(LOG_LVL_TRACE);

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	say_everything();
	log_detach();
	info("only in the file");
	log_sync();
}

TEST(the_file_has_a_header_stamps_and_levels)
{
	struct stat st;

	umask(0);
	EQ(in_child(to_file), 0);
	STREQ(slurp(err_path), "an error\na warning\nsome information\n"
			       "a detail\na trace\n");
	slurp(path);
	OK(matches(text, "^pasta .* [(][0-9]+[)]$"));
	OK(matches(text, "^pasta 1\\.0: /[^,]*, since 20[0-9]{2}-[0-9]{2}-"
			 "[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z [(][0-9]+[)]$"));
	OK(matches(text, "^0\\.[0-9]{4}: ERROR:   an error$"));
	OK(matches(text, "^0\\.[0-9]{4}: WARNING: a warning$"));
	OK(matches(text, "^0\\.[0-9]{4}: info:    some information$"));
	OK(matches(text, "^0\\.[0-9]{4}:          a detail$"));
	OK(matches(text, "^0\\.[0-9]{4}:          a trace$"));
	OK(matches(text, "^0\\.[0-9]{4}: info:    only in the file$"));
	EQ(stat(path, &st), 0);
	EQ(st.st_mode & 07777, 0600);
}

static void no_file(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);

	cfg.file = "/nonexistent/log";
	EQ(log_start(&cfg, "1.0"), -ENOENT);
	err("still heard");
}

TEST(a_file_that_cannot_be_opened_is_an_error_to_be_told)
{
	EQ(in_child(no_file), 0);
	STREQ(slurp(err_path), "still heard\n");
}

static void odd_messages(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	char longest[5000];

	EQ(log_start(&cfg, "1.0"), 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	errno = ENOANO;
	info("with a newline\n");
	info("name a\nb\033[1mc\x7f\xc3\xa9");
	info("\xc2\x9b" "2J\xc2\xab");
	info("%s", "");
	info("%s", longest);
	EQ(errno, ENOANO);
}

TEST(a_message_is_one_line_whatever_is_in_it)
{
	EQ(in_child(odd_messages), 0);
	slurp(err_path);
	OK(matches(text, "^with a newline$"));
	OK(matches(text, "^name a\\\\x0ab\\\\x1b\\[1mc\\\\x7f\xc3\xa9$"));
	OK(strstr(text, "\n\xc2\\x9b2J\xc2\xab\n\nxxx"));
	EQ(strspn(strstr(text, "xxx"), "x"), 2045);
	STREQ(strstr(text, "xxx") + 2045, "\n");
}

static bool evaluated;

static int evaluate(void)
{
	evaluated = true;
	return 0;
}

TEST(nothing_is_formatted_for_a_level_that_is_off)
{
	EQ(log_threshold, LOG_LVL_INFO);
	OK(log_on(LOG_LVL_INFO));
	OK(!log_on(LOG_LVL_DEBUG));
	debug("%d", evaluate());
	debug_limit("%d", evaluate());
	OK(!evaluated);
}

TEST(when_stamps_count_from_is_said_when_debugging)
{
	EQ(in_child(debugging), 0);
	OK(matches(slurp(err_path), "^0\\.0[0-9]{3}: pasta 1\\.0: .*, since "
				    "20[-0-9]*T[0-9:.]*Z [(][0-9]+[)]$"));
}

/* Nobody reads at the other end of stderr: from log_detach() on nothing waits.
 */
static void nobody_reads(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	unsigned lines = 0, told = 0;
	char got[65536];
	int pipefd[2];
	ssize_t n;

	EQ(pipe(pipefd), 0);
	dup2(pipefd[1], STDERR_FILENO);
	cfg.to_stderr = true;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	alarm(30);
	for (unsigned i = 0; i < 20000; i++)
		info("line");
	OK(!log_stderr_raw("raw\n", 4));
	n = read(pipefd[0], got, sizeof(got) - 1);
	got[MAX(n, 0)] = '\0';
	for (const char *p = got; (p = strstr(p, "line\n")); p++)
		lines++;
	EQ(lines * 5, n);

	info("again");
	OK(log_stderr_raw("raw\n", 4));
	n = read(pipefd[0], got, sizeof(got) - 1);
	got[MAX(n, 0)] = '\0';
	EQ(sscanf(got, "Messages lost before this one: %u\nagain\nraw\n",
		  &told), 1);
	EQ(lines + told, 20000);
}

TEST(a_reader_of_stderr_that_stops_does_not_stop_us)
{
	EQ(in_child(nobody_reads), 0);
}

static void disk_full(void)
{
	const struct rlimit full = { 300, RLIM_INFINITY };
	const struct rlimit room = { RLIM_INFINITY, RLIM_INFINITY };
	struct log_config cfg = config(LOG_LVL_INFO);
	unsigned last = 0, lost = 0;
	char *end;

	signal(SIGXFSZ, SIG_IGN);
	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	setrlimit(RLIMIT_FSIZE, &full);
	for (unsigned i = 1; i <= 100; i++)
		info("number %u", i);
	slurp(path);
	EQ(text[strlen(text) - 1], '\n');	/* not half a line */
	OK(strlen(text) <= 300);
	EQ(sscanf(strrchr(text, 'n'), "number %u", &last), 1);
	OK(last && last < 100);

	setrlimit(RLIMIT_FSIZE, &room);
	info("number 101");
	end = strstr(slurp(path), "WARNING: ");
	if (OK(end))
		EQ(sscanf(end, "WARNING: Messages lost before this one: %u\n",
			  &lost), 1);
	EQ(last + lost, 100);
	OK(matches(end, "^[0-9.]+: info:    number 101$"));
	info("number 102");
	OK(!strstr(strstr(slurp(path), "number 101"), "lost"));
}

TEST(what_a_full_disk_did_not_take_is_counted_and_told)
{
	EQ(in_child(disk_full), 0);
}

/* --- rotation --- */

static double stamp_of(const char *line)
{
	return strtod(line, NULL);
}

/* Header, then whole lines, stamps sorted, numbers without a gap up to the
 * last one written. */
static void check_file(unsigned last, bool rotated)
{
	char *line, *rest = text, *word;
	double before = 0;
	unsigned want = 0;

	slurp(path);
	EQ(text[strlen(text) - 1], '\n');
	line = strsep(&rest, "\n");
	if (rotated)
		OK(matches(line, "^pasta 1\\.0: .* [(][0-9]+[)] - log "
				 "truncated at [0-9]+\\.[0-9]{4} *$"));
	else
		OK(matches(line, "^pasta 1\\.0: .* [(][0-9]+[)]$"));
	while ((line = strsep(&rest, "\n")) && *line) {
		word = strstr(line, ": info:    number ");
		if (!OK(word)) {
			printf("  %s\n", line);
			return;
		}
		OK(stamp_of(line) >= before);
		before = stamp_of(line);
		word += strlen(": info:    number ");
		if (want)
			EQ(atoi(word), want);
		want = (unsigned)atoi(word) + 1;
	}
	OK(line && !rest);	/* nothing behind the last newline */
	EQ(want, last + 1);
}

static void write_a_lot(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	bool rotated = false, full = false;
	off_t was = 0;
	struct stat st;

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	for (unsigned i = 1; i <= 6000 && !test_failures; i++) {
		info("number %u %.*s", i, (int)(i * 7 % 200),
		     "----------------------------------------------------"
		     "----------------------------------------------------"
		     "----------------------------------------------------"
		     "----------------------------------------------------");
		EQ(stat(path, &st), 0);
		full |= st.st_size > LIMIT / 2;
		OK(st.st_size <= LIMIT);
		OK(!full || st.st_size >= LIMIT / 2);
		rotated |= st.st_size < was;
		if (st.st_size < was || i == 100)
			check_file(i, rotated);
		was = st.st_size;
	}
	OK(rotated);
	OK(collapse_calls > 10);
}

TEST(moving_lines_down_keeps_the_file_in_bounds_and_in_order)
{
	collapse_refused = true;
	EQ(in_child(write_a_lot), 0);
	collapse_refused = false;
}

static bool can_collapse(const char *where)
{
	char name[PATH_MAX], page[65536] = { 0 };
	bool ok = false;
	int fd;

	snprintf(name, sizeof(name), "%s/passt-collapse-XXXXXX", where);
	fd = mkstemp(name);
	if (fd < 0)
		return false;
	if (write(fd, page, sizeof(page)) == sizeof(page))
		ok = !__real_fallocate64(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 12288);
	close(fd);
	unlink(name);
	return ok;
}

TEST(dropping_blocks_keeps_the_file_in_bounds_and_in_order)
{
	static const char *const where[] = { "/tmp", ".", "/var/tmp" };
	char was[PATH_MAX];

	str_copy(was, sizeof(was), path);
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		if (!can_collapse(where[i]))
			continue;
		snprintf(path, sizeof(path), "%s/passt-log-%d", where[i],
			 (int)getpid());
		EQ(in_child(write_a_lot), 0);
		unlink(path);
		str_copy(path, sizeof(path), was);
		return;
	}
	SKIP("no filesystem with FALLOC_FL_COLLAPSE_RANGE here");
}

static void write_one_huge_line(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	char blob[LIMIT];
	int fd;

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	/* Somebody else's doing: no newline to cut at. */
	memset(blob, 'z', sizeof(blob));
	fd = open(path, O_WRONLY | O_APPEND);
	EQ(write(fd, blob, sizeof(blob)), sizeof(blob));
	close(fd);
	info("number 1");
	check_file(1, true);
}

TEST(a_file_without_lines_to_keep_starts_afresh)
{
	EQ(in_child(write_one_huge_line), 0);
	collapse_refused = true;
	EQ(in_child(write_one_huge_line), 0);
	collapse_refused = false;
}

static void write_to_device(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);

	cfg.file = "/dev/null";
	cfg.file_limit = 100;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	for (unsigned i = 0; i < 100; i++)
		info("number %u", i);
	EQ(collapse_calls, 0);
}

TEST(what_is_no_regular_file_is_never_rotated)
{
	EQ(in_child(write_to_device), 0);
}

static void truncated_by_others(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	for (unsigned i = 1; i < 100; i++)
		info("number %u", i);
	EQ(truncate(path, 0), 0);
	info("number 100");
	EQ(strlen(slurp(path)), strlen("0.0000: info:    number 100\n"));
}

TEST(a_file_emptied_by_its_administrator_has_no_hole)
{
	EQ(in_child(truncated_by_others), 0);
}

static void with_sibling(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	unsigned lines = 0;
	pid_t pid;

	cfg.file = path;
	cfg.file_limit = LIMIT * 100;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	pid = fork();
	for (unsigned i = 0; i < 500; i++)
		info("%s", pid ? "parent" : "child");
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	slurp(path);
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	EQ(lines, 1001);
}

TEST(two_processes_do_not_overwrite_each_other)
{
	EQ(in_child(with_sibling), 0);
}

static void rotate_on_full_disk(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	const char *end;

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	for (unsigned i = 1; i < 3000; i++) {
		pwrites_left = (int)(i % 4);
		info("number %u", i);
	}
	slurp(path);
	end = strstr(text, ": info:    number 2999\n");
	OK(end && !end[strlen(": info:    number 2999\n")]);
	OK(strlen(text) < LIMIT + 100);
}

TEST(a_disk_that_fills_up_while_rotating_does_not_stop_the_log)
{
	EQ(in_child(rotate_on_full_disk), 0);
	collapse_refused = true;
	EQ(in_child(rotate_on_full_disk), 0);
	collapse_refused = false;
}

/* --- system logger, and life without a filesystem --- */

#define NO_NAMESPACES	77

/* A /dev of our own, with a datagram socket as its log. */
static int private_dev_log(void)
{
	static const struct sockaddr_un sun = { AF_UNIX, "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (geteuid() ? unshare(CLONE_NEWUSER | CLONE_NEWNS) :
			unshare(CLONE_NEWNS))
		_exit(NO_NAMESPACES);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL))
		_exit(NO_NAMESPACES);
	EQ(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void expect_datagram(int fd, const char *want)
{
	char got[512];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	STREQ(got, want);
}

static void expect_header(int fd)
{
	char got[512];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	OK(matches(got, "^<31>pasta: pasta 1\\.0: .*, since .*Z"));
}

static void with_syslog(void)
{
	struct log_config cfg = config(LOG_LVL_DEBUG);
	int fd = private_dev_log();
	unsigned taken = 0;
	char head[64];

	cfg.to_syslog = true;
	EQ(log_start(&cfg, "1.0"), 0);
	expect_header(fd);
	say_everything();
	log_detach();
	expect_datagram(fd, "<27>pasta: an error\n");
	expect_datagram(fd, "<28>pasta: a warning\n");
	expect_datagram(fd, "<30>pasta: some information\n");
	expect_datagram(fd, "<31>pasta: a detail\n");
	expect_datagram(fd, "");

	EQ(chroot("/proc/self/fdinfo"), 0);
	info("from nowhere");
	expect_datagram(fd, "<30>pasta: from nowhere\n");

	/* A logger that does not read must not stop us, nor one that died. */
	for (unsigned i = 0; i < 5000; i++)
		info("flood");
	while (recv(fd, head, sizeof(head), MSG_DONTWAIT) > 0)
		taken++;
	info("awake");
	snprintf(head, sizeof(head), "<28>pasta: Messages lost before this "
		 "one: %u\n", 5000 - taken);
	expect_datagram(fd, head);
	expect_datagram(fd, "<30>pasta: awake\n");
	close(fd);
	info("gone");
	_exit(test_failures ? 99 : 0);	/* a sanitizer would miss /proc */
}

TEST(the_system_logger_gets_one_datagram_with_the_daemon_facility)
{
	int rc = in_child(with_syslog);

	if (rc == NO_NAMESPACES)
		SKIP("no namespaces for a /dev/log of our own");
	EQ(rc, 0);
}

static void without_syslog(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	int fd = private_dev_log();

	unlink("/dev/log");
	cfg.to_syslog = true;
	EQ(log_start(&cfg, "1.0"), 0);
	info("on stderr");
	expect_datagram(fd, "");
}

TEST(a_missing_system_logger_is_passed_over_in_silence)
{
	int rc = in_child(without_syslog);

	if (rc == NO_NAMESPACES)
		SKIP("no namespaces for a /dev/log of our own");
	EQ(rc, 0);
	STREQ(slurp(err_path), "on stderr\n");
}

static void rotate_without_names(void)
{
	struct log_config cfg = config(LOG_LVL_INFO);
	char proc[64];
	int fd;

	cfg.file = path;
	cfg.file_limit = LIMIT;
	EQ(log_start(&cfg, "1.0"), 0);
	log_detach();
	fd = open(path, O_RDONLY);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	unlink(path);
	for (unsigned i = 1; i < 3000; i++)
		info("number %u", i);
	str_copy(path, sizeof(path), proc);
	check_file(2999, true);
}

TEST(rotation_needs_no_file_names)
{
	EQ(in_child(rotate_without_names), 0);
}

/* --- rate limit --- */

static void shout(unsigned times, const char *what)
{
	static struct log_limit limit;

	while (times--)
		if (log_allow(&limit, LOG_LVL_WARN))
			warn("%s", what);
}

static void windows(void)
{
	clock_set(5000000000ull);
	shout(5, "first");
	clock_set(6000000000ull);	/* not more than a second */
	shout(3, "late");
	clock_set(6000999999ull);
	shout(1, "later");
	clock_set(6001000000ull);
	shout(1, "second");
	clock_set(9000000000ull);
	shout(2, "third");
}

TEST(five_messages_a_second_then_one_to_say_so_and_a_count)
{
	EQ(in_child(windows), 0);
	STREQ(slurp(err_path),
	      "first\nfirst\nfirst\nfirst\nfirst\n"
	      "(suppressing further similar messages)\n"
	      "(4 similar messages suppressed)\n"
	      "second\nthird\nthird\n");
}

static void two_sites(void)
{
	clock_set(5000000000ull);
	for (unsigned i = 0; i < 7; i++) {
		warn_limit("one");
		err_limit("two");
	}
}

TEST(call_sites_are_limited_each_for_itself)
{
	unsigned one = 0, two = 0;

	EQ(in_child(two_sites), 0);
	slurp(err_path);
	for (const char *p = text; (p = strstr(p, "one\n")); p++)
		one++;
	for (const char *p = text; (p = strstr(p, "two\n")); p++)
		two++;
	EQ(one, 5);
	EQ(two, 5);
}

static void flood(void)
{
	struct log_limit limit = { .window_ms = 5000, .count = UINT_MAX - 1 };

	clock_set(5000000000ull);
	for (unsigned i = 0; i < 20; i++)
		OK(!log_allow(&limit, LOG_LVL_WARN));
}

TEST(a_flood_of_four_billion_messages_stays_suppressed)
{
	EQ(in_child(flood), 0);
	STREQ(slurp(err_path), "");
}

/* --- drops --- */

static void drop_some(void)
{
	log_threshold = LOG_LVL_TRACE;
	OK(!drop(DROP_ARP));
	OK(!drop(DROP_ARP));
	OK(!drop(DROP_SHORT));
	EQ(drop_count(DROP_ARP), 2);
	EQ(drop_count(DROP_SHORT), 1);
	EQ(drop_count(DROP_NDP), 0);
}

TEST(drops_are_counted_and_told_at_trace_level)
{
	EQ(in_child(drop_some), 0);
	STREQ(slurp(err_path),
	      "Packet dropped: ARP message we do not answer\n"
	      "Packet dropped: ARP message we do not answer\n"
	      "Packet dropped: frame shorter than its headers\n");
	drop(DROP_ARP);
	EQ(drop_count(DROP_ARP), 1);
}

TEST(every_drop_reason_has_a_name)
{
	struct counter c;

	OK(drop_counter(DROP_SHORT, &c));
	STREQ(c.name, "SHORT");
	STREQ(c.text, "frame shorter than its headers");
	EQ(c.count, 0);
	drop(DROP_SERVICE);
	OK(drop_counter(DROP_SERVICE, &c));
	STREQ(c.name, "SERVICE");
	EQ(c.count, 1);
	for (unsigned i = 0; i < DROP_COUNT; i++)
		OK(drop_counter(i, &c) && *c.name && *c.text);
	OK(!drop_counter(DROP_COUNT, &c));
}
