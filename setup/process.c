/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - how our caller sees us: start, signals, PID file, end
 *
 * In background mode the fork comes first, and everything is set up by the
 * child, which still has the caller's stderr:
 *
 *	caller    parent                         child
 *	  |-------> fork ---------------------->   set up, sandbox
 *	  |          waits                         setsid, stdio to /dev/null
 *	  |          writes PID file   <-- 'r' --  ready
 *	  | <- 0 --- exits             -- 'g' -->  go: the loop
 *
 * Whichever of the two fails, the other sees the end of the socket pair and
 * gives up, or is made to: there is no half-started daemon, no file without a
 * process.
 *
 * Signals that end us in an orderly way are blocked from the start and read
 * from a descriptor. No handler ever runs. SIGINT and SIGHUP keep what our
 * caller chose, except that a daemon has nobody who could mean them.
 *
 * Owns the PID file, the socket pair, the signal descriptor. Knows nothing of
 * networks.
 */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define FILES_MIN	64	/* descriptors that start-up may take */
#define EXIT_UNHEARD	2	/* of the child: it has no stderr any more */

static struct {
	const char *path;	/* NULL: none wanted */
	int fd;
} pid_file = { .fd = -1 };

static int signal_fd = -1;
static int null_fd = -1;
static int parent_fd = -1;	/* child's end; -1: no parent waits */
static struct {			/* what our caller wants us to get if it dies */
	int number;		/* 0: nothing */
	pid_t caller;
} death;
static struct {			/* in background mode */
	pid_t self;
	pid_t child;		/* 0: reaped */
} parent;

/* What they are set to while we run, and what our caller had chosen. */
static struct {
	int number;
	void (*handler)(int);
	struct sigaction inherited;
} dispositions[] = {
	{ .number = SIGPIPE, .handler = SIG_IGN },	/* write() tells us */
	{ .number = SIGXFSZ, .handler = SIG_IGN },	/* the same */
	{ .number = SIGTTOU, .handler = SIG_IGN },	/* see terminal.c */
	{ .number = SIGTERM, .handler = SIG_DFL },
	{ .number = SIGQUIT, .handler = SIG_DFL },
	/* Were it ignored, exit statuses would be lost. */
	{ .number = SIGCHLD, .handler = SIG_DFL },
};
static sigset_t mask_inherited;

SYSCALLS(read, exit_group);

/* --- the PID file --- */

static void pid_file_open(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;

	pid_file.path = path;
	if (!path)
		return;
	pid_file.fd = open(path, flags | O_EXCL, 0600);
	if (pid_file.fd >= 0)
		leftover_add(path);
	/* It may well exist, be a link, or a pipe one waits at. */
	if (pid_file.fd < 0)
		pid_file.fd = open(path, flags, 0600);
	if (pid_file.fd < 0)
		die("Couldn't open PID file %s: %s", path, strerror(errno));
}

static void pid_file_write(pid_t pid)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)pid), rc;

	if (pid_file.fd < 0)
		return;
	rc = ftruncate(pid_file.fd, 0) && errno != EINVAL ? -errno : 0;
	if (!rc)
		rc = write_exact(pid_file.fd, text, (size_t)len);
	if (rc)
		die("Couldn't write PID file %s: %s", pid_file.path,
		    strerror(-rc));
	close_keep_errno(&pid_file.fd);
}

/* --- descriptors and limits --- */

/* Were one missing, the next file we open would be somebody's stdout. */
static void stdio_fill(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close_keep_errno(&fd);
}

static void files_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	/* One error here, instead of another one each time at the call that
	 * happens to be the first to fail. */
	if (limit.rlim_max < FILES_MIN)
		die("No more than %llu descriptors allowed (RLIMIT_NOFILE, "
		    "ulimit -n), %u needed at least",
		    (unsigned long long)limit.rlim_max, FILES_MIN);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

pid_t process_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("Couldn't create process: %s%s", strerror(errno),
		    hint(HINT_FORK, errno));
	return pid;
}

void process_stdio_drop(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	close_keep_errno(&null_fd);
}

/* --- signals --- */

static void signals_init(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &mask_inherited);

	for (unsigned i = 0; i < ARRAY_SIZE(dispositions); i++) {
		struct sigaction sa = { .sa_handler = dispositions[i].handler };

		sigaction(dispositions[i].number, &sa,
			  &dispositions[i].inherited);
	}
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		die("Couldn't watch signals: %s", strerror(errno));
}

void process_signals_restore(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(dispositions); i++)
		sigaction(dispositions[i].number, &dispositions[i].inherited,
			  NULL);
	sigprocmask(SIG_SETMASK, &mask_inherited, NULL);
}

/* Not before background_start(): a signal descriptor in an epoll set reports
 * the signals of the process that put it there. */
int process_signals_watch(void)
{
	return loop_add(signal_fd, EPOLLIN, (struct ev) { .kind = EV_SIGNAL });
}

bool process_told_to_end(void)
{
	struct pollfd pfd = { .fd = signal_fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

void process_signal_handle(struct ev ev, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)ev;
	(void)events;
	if (read(signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	debug("Signal %u from process %u: exiting", si.ssi_signo, si.ssi_pid);
	loop_stop(EXIT_SUCCESS);
}

void process_init(void)
{
	stdio_fill();
	files_limit_raise();
	signals_init();
	prctl(PR_GET_PDEATHSIG, &death.number);
	death.caller = getppid();
}

/* In the background we are nobody's. */
void process_death_signal(void)
{
	if (!death.number || parent_fd >= 0)
		return;
	prctl(PR_SET_PDEATHSIG, death.number);
	if (getppid() != death.caller)
		raise(death.number);
}

/* --- background --- */

bool process_spawns(const struct request *req)
{
	return req->mode == MODE_PASTA && !req->pid && !req->netns;
}

/* Runs at exit(), which in the parent means that start-up failed. */
static void parent_clean_up(void)
{
	if (parent.self != getpid())
		return;
	if (parent.child) {
		kill(parent.child, SIGKILL);
		waitpid(parent.child, NULL, 0);
	}
	leftover_remove();
}

/* With EPIPE, the child is gone. Mostly it has said why, on the stderr we
 * share. */
static _Noreturn void parent_give_up(int rc)
{
	pid_t child = parent.child;
	int status;

	if (rc != -EPIPE)
		die("Couldn't speak with the process in the background: %s",
		    strerror(-rc));
	parent.child = 0;
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		die("Start-up was ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNHEARD)
		die("The process in the background couldn't tell that it is "
		    "ready");
	exit(EXIT_FAILURE);
}

static _Noreturn void parent_wait(int fd)
{
	struct pollfd pfd[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	char ready;
	int rc;

	while (poll(pfd, ARRAY_SIZE(pfd), -1) < 0 && errno == EINTR)
		;
	if (pfd[1].revents)
		exit(EXIT_SUCCESS);
	rc = read_exact(fd, &ready, 1);
	if (rc)
		parent_give_up(rc);
	pid_file_write(parent.child);
	rc = write_exact(fd, "g", 1);
	if (rc)
		parent_give_up(rc);
	_exit(EXIT_SUCCESS);
}

void background_start(const struct request *req)
{
	int pair[2];
	bool foreground = req->foreground || process_spawns(req);
	pid_t child;

	leftover_init(!foreground);
	if (!foreground) {
		parent.self = getpid();
		atexit(parent_clean_up);
	}
	pid_file_open(req->pid_file);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		die("Couldn't open /dev/null: %s", strerror(errno));
	if (foreground)
		return;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("Couldn't create socket pair: %s", strerror(errno));
	child = process_fork();
	if (child) {
		close_keep_errno(&pair[1]);
		parent.child = child;
		parent_wait(pair[0]);
	}
	close_keep_errno(&pair[0]);
	close_keep_errno(&pid_file.fd);
	parent_fd = pair[1];
}

void background_ready(void)
{
	char go;
	int rc;

	if (parent_fd < 0) {
		pid_file_write(getpid());
		return;
	}
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	process_stdio_drop();
	if (write_exact(parent_fd, "r", 1))
		_exit(EXIT_UNHEARD);
	rc = read_exact(parent_fd, &go, 1);
	/* The end, or a reset: it is gone, and has not read what we wrote. */
	if (rc == -EPIPE || rc == -ECONNRESET)
		_exit(EXIT_FAILURE);
	/* That reading failed does not mean that it gave up: it may yet write,
	 * and must not see an end then. */
	if (!rc)
		close_keep_errno(&parent_fd);
}
