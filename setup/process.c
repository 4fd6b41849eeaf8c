/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - how our caller sees us: start, signals, PID file, end
 *
 * In background mode the fork comes first, and everything is set up by the
 * child, which still has the caller's stderr. Halfway, when it may, it goes on
 * as the first process of a PID namespace, which takes another fork:
 *
 *	caller    parent               child                daemon
 *	  |-------> fork -------------> begins to set up
 *	  |          waits              fork ------------->  goes on; sandbox
 *	  |            :                waits                setsid, no stdio
 *	  |          writes PID file  <-- its number -----  ready
 *	  |            :              -- 'g' ------------->  go: the loop
 *	  |          ends its side --> exits
 *	  | <- 0 --- exits
 *
 * Whichever of them fails, the others see the end of the socket pair and give
 * up, or are made to: there is no half-started daemon, no file without a
 * process. The child ends as the daemon did, for the parent to know how.
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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
	int fd;			/* -1: there was no child */
} parent = { .fd = -1 };
static pid_t *daemon_number;	/* if it is not the child: all of them see it */
static pid_t own_number;	/* as our caller's namespace has it */

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

/* Not before background_pidns(): a signal descriptor in an epoll set reports
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

/* Runs at exit(), which in the parent means that start-up failed. Root may not
 * be allowed to kill who is somebody else by now: they see their socket end. */
static void parent_clean_up(void)
{
	if (parent.self != getpid())
		return;
	if (parent.fd >= 0)
		shutdown(parent.fd, SHUT_RDWR);
	if (parent.child) {
		kill(parent.child, SIGKILL);
		waitpid(parent.child, NULL, 0);
	}
	/* It ends with the child, and is ours to wait for if that did not. */
	if (*daemon_number)
		waitpid(*daemon_number, NULL, 0);
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
	pid_t daemon;
	int rc;

	while (poll(pfd, ARRAY_SIZE(pfd), -1) < 0 && errno == EINTR)
		;
	if (pfd[1].revents)
		exit(EXIT_SUCCESS);
	rc = read_exact(fd, &daemon, sizeof(daemon));
	if (rc)
		parent_give_up(rc);
	pid_file_write(daemon);
	rc = write_exact(fd, "g", 1);
	if (rc)
		parent_give_up(rc);
	if (daemon != parent.child) {
		shutdown(fd, SHUT_WR);
		waitpid(parent.child, NULL, 0);
	}
	_exit(EXIT_SUCCESS);
}

static pid_t *shared_number(void)
{
	void *p = mmap(NULL, sizeof(pid_t), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("Couldn't map memory: %s", strerror(errno));
	return p;
}

void background_start(const struct request *req)
{
	int pair[2];
	bool foreground = req->foreground || process_spawns(req);
	pid_t child;

	leftover_init(!foreground);
	if (!foreground) {
		daemon_number = shared_number();
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
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	child = process_fork();
	if (child) {
		close_keep_errno(&pair[1]);
		parent.child = child;
		parent.fd = pair[0];
		parent_wait(pair[0]);
	}
	/* A number that may be ours as well, in a namespace. */
	parent.self = 0;
	close_keep_errno(&pair[0]);
	close_keep_errno(&pid_file.fd);
	parent_fd = pair[1];
	own_number = getpid();
}

/* 0: @daemon has ended, and how; -EPIPE: the parent needs us no more. */
static int child_wait(pid_t daemon, int *status)
{
	struct pollfd pfd[] = {
		{ .fd = parent_fd, .events = POLLRDHUP },
		{ .events = POLLIN },
	};
	struct signalfd_siginfo si;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pfd[1].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pfd[1].fd < 0)
		die("Couldn't watch child processes: %s", strerror(errno));
	while (waitpid(daemon, status, WNOHANG) != daemon) {
		if (poll(pfd, ARRAY_SIZE(pfd), -1) > 0 && pfd[0].revents)
			return -EPIPE;
		(void)!read(pfd[1].fd, &si, sizeof(si));
	}
	return 0;
}

/* Until the parent has heard that all is well, or is gone: how the daemon ends
 * is how it ends. */
static _Noreturn void child_stand_in(pid_t daemon, int fd)
{
	const struct rlimit none = { 0, 0 };
	int status = 0, rc;

	*daemon_number = daemon;
	rc = write_exact(fd, &daemon, sizeof(daemon));
	if (rc)
		die("Couldn't speak with the process in a PID namespace: %s",
		    strerror(-rc));
	sandbox_descriptors(fd, parent_fd);
	if (child_wait(daemon, &status))
		_exit(EXIT_SUCCESS);
	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	process_signals_restore();
	signal(WTERMSIG(status), SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	kill(getpid(), WTERMSIG(status));
	_exit(EXIT_FAILURE);
}

/* From here on its end is ours. It may have come before that was said: as the
 * other end of the pipe. */
static void daemon_go_on(int fd)
{
	struct pollfd gone = { .fd = fd };
	int rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("Couldn't ask for a death signal: %s", strerror(errno));
	rc = read_exact(fd, &own_number, sizeof(own_number));
	if (rc == -EPIPE || poll(&gone, 1, 0) > 0)
		_exit(EXIT_FAILURE);
	if (rc)
		die("Couldn't hear which process this is: %s", strerror(-rc));
}

/* In the foreground our caller expects the process it started to be the daemon,
 * and that cannot leave the namespace it is in. */
int background_pidns(void)
{
	int fd[2];
	pid_t daemon;

	if (parent_fd < 0)
		return 0;
	if (pipe2(fd, O_CLOEXEC))
		die("Couldn't create pipe: %s", strerror(errno));
	if (unshare(CLONE_NEWPID)) {
		int rc = -errno;

		close_keep_errno(&fd[0]);
		close_keep_errno(&fd[1]);
		return rc;
	}
	daemon = process_fork();
	if (daemon)
		child_stand_in(daemon, fd[1]);
	close_keep_errno(&fd[1]);
	daemon_go_on(fd[0]);
	close_keep_errno(&fd[0]);
	return 0;
}

void background_ready(void)
{
	char go;
	int rc;

	if (parent_fd < 0) {
		pid_file_write(getpid());
		return;
	}
	if (prctl(PR_SET_PDEATHSIG, 0))
		die("Couldn't do without a death signal: %s", strerror(errno));
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	process_stdio_drop();
	if (write_exact(parent_fd, &own_number, sizeof(own_number)))
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
