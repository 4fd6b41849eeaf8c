/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: contrib/slirp4netns/api contrib/slirp4netns/json
 *	  contrib/slirp4netns/options contrib/slirp4netns/rules
 *	  control/control_wire addr buf util */
/* slirp4netns.c - pasta, for programs which know slirp4netns only
 *
 *	command line -> bind the API's socket -> run pasta -f as a child
 *	-> it is ready: banner, ready-fd -> requests, until something ends
 *
 * What ends it: pasta (the namespace is gone), anything on the exit-fd, a
 * signal. pasta ends with us whatever happens, by PR_SET_PDEATHSIG.
 *
 * Ready means that pasta has written its PID file, which is a pipe, its
 * standard output: nothing is left in the file system by us. Only for the API
 * there is a control socket, in a folder of its own, both of which are removed
 * as soon as pasta is ready: from then on we have the only way to it, a
 * descriptor of the nameless socket.
 *
 * Several clients of the API may be connected, so that one which says nothing
 * is in nobody's way; when there are too many, the one connected longest has to
 * go. Their requests are short, and answered one after the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addr.h"
#include "contrib/slirp4netns/api.h"
#include "contrib/slirp4netns/options.h"
#include "contrib/slirp4netns/rules.h"
#include "util.h"

#define CLIENTS_MAX	16u
#define PATIENCE_S	5		/* for pasta to end */
#define ACCEPT_AGAIN_MS	100

/* --- what there is while running --- */

static struct {
	int fd;
	size_t len;
	char request[API_REQUEST_MAX];
} client[CLIENTS_MAX];			/* in the order they came */
static unsigned client_cnt;

static const struct options *options;

static struct {
	pid_t pid;
	int ready_fd;			/* -1: it is ready */
	bool is_ready;
	int signal_fd, listen_fd;
	sigset_t mask;			/* as we were started */
	ino_t socket_ino;		/* of the API's socket */
	char folder[64], control[80];
} run = { .ready_fd = -1, .listen_fd = -1 };

/* --- the API's socket --- */

/* As long as the path leads to the socket we made. */
static void api_remove(void)
{
	struct stat st;

	if (run.listen_fd >= 0 && !lstat(options->api_socket, &st) &&
	    S_ISSOCK(st.st_mode) && st.st_ino == run.socket_ino)
		unlink(options->api_socket);
}

/* Left by somebody who has ended. */
static bool is_stale(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) &&
		       errno == ECONNREFUSED;
	struct stat st;

	close_keep_errno(&fd);
	return refused && !lstat(sa->sun_path, &st) && S_ISSOCK(st.st_mode);
}

static void api_listen(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const struct sockaddr *any = (const struct sockaddr *)&sa;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!*path || !str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		die("the specified API socket path is %s",
		    *path ? "too long (>= 108)" : "empty");
	if (is_stale(&sa))
		unlink(path);
	if (fd < 0 || bind(fd, any, sizeof(sa)) || lstat(path, &st))
		die("API socket %s: %s", path, strerror(errno));
	run.socket_ino = st.st_ino;
	run.listen_fd = fd;
	if (listen(fd, SOMAXCONN))
		die("API socket %s: %s", path, strerror(errno));
}

/* --- pasta's control socket --- */

static void control_path(void)
{
	const char *const where[] = { getenv("XDG_RUNTIME_DIR"), "/tmp" };

	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		if (!where[i] || *where[i] != '/' ||
		    snprintf(run.folder, sizeof(run.folder),
			     "%s/slirp4netns.XXXXXX", where[i]) >=
		    (int)sizeof(run.folder) || !mkdtemp(run.folder))
			continue;
		snprintf(run.control, sizeof(run.control), "%s/control",
			 run.folder);
		return;
	}
	*run.folder = '\0';
	die("no folder for pasta's control socket, neither XDG_RUNTIME_DIR nor "
	    "/tmp can be written to");
}

static void control_remove(void)
{
	if (!*run.folder)
		return;
	unlink(run.control);
	rmdir(run.folder);
	*run.folder = '\0';
}

static void control_take(void)
{
	char path[64];
	int fd = open(run.control, O_PATH | O_CLOEXEC);

	if (fd < 0)
		die("pasta's control socket %s: %s", run.control,
		    strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rules_init(path);
	control_remove();
}

/* --- start and end of pasta --- */

/* The one beside us, or the one in PATH. */
static _Noreturn void pasta_exec(char **argv)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char *slash;

	path[MAX(len, 0)] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash, "/pasta", sizeof("/pasta"));
		execv(path, argv);
	}
	execvp("pasta", argv);
	fprintf(stderr, "slirp4netns: cannot run pasta: %s\n", strerror(errno));
	_exit(127);
}

static void signals_take(void)
{
	const int taken[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	/* Were it ignored, there would be no exit status. */
	const struct sigaction chld = {
		.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP,
	};
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGCHLD, &chld, NULL);
	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &run.mask);
	run.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run.signal_fd < 0)
		die("signals: %s", strerror(errno));
}

static void pasta_start(char **argv)
{
	pid_t self = getpid();
	int ready[2];

	if (pipe2(ready, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	run.pid = fork();
	if (run.pid < 0)
		die("fork: %s", strerror(errno));
	if (!run.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(EXIT_FAILURE);
		dup2(ready[1], STDOUT_FILENO);
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &run.mask, NULL);
		pasta_exec(argv);
	}
	close(ready[1]);
	run.ready_fd = ready[0];
}

static void pasta_end(void)
{
	const struct timespec patience = { .tv_sec = PATIENCE_S };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	kill(run.pid, SIGTERM);
	if (sigtimedwait(&set, NULL, &patience) < 0)
		kill(run.pid, SIGKILL);
	waitpid(run.pid, NULL, 0);
	run.pid = 0;
}

/* Runs at exit(). */
static void clean_up(void)
{
	if (run.pid > 0)
		pasta_end();
	control_remove();
	api_remove();
}

static _Noreturn void end_by_signal(int number)
{
	sigset_t set;

	clean_up();
	sigemptyset(&set);
	sigaddset(&set, number);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);
}

/* If it could not start, it has said why. */
static void pasta_ended(void)
{
	int status;

	if (waitpid(run.pid, &status, WNOHANG) != run.pid)
		return;
	run.pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		exit(127);
	if (WIFSIGNALED(status))
		die("pasta was ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	exit(run.is_ready && !WEXITSTATUS(status) ? EXIT_SUCCESS :
						    EXIT_FAILURE);
}

/* Readable: it is ready, or has failed and ends. */
static void pasta_ready(void)
{
	char text[32];

	run.is_ready = read(run.ready_fd, text, sizeof(text)) > 0;
	close_keep_errno(&run.ready_fd);
	if (!run.is_ready)
		return;
	if (options->api_socket)
		control_take();
	options_banner();
	if (options->ready_fd < 0)
		return;
	if (write_exact(options->ready_fd, "1", 1))
		die("--ready-fd=%d: nobody waits there", options->ready_fd);
	close(options->ready_fd);
}

/* --- clients of the API --- */

static void client_remove(unsigned i)
{
	close(client[i].fd);
	memmove(&client[i], &client[i + 1],
		(--client_cnt - i) * sizeof(*client));
}

/* Out of descriptors, one that is connected makes room, or else it is tried
 * again a little later. */
static void client_new(void)
{
	int fd = accept4(run.listen_fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && client_cnt)
		client_remove(0);
	else if (fd < 0)
		poll(NULL, 0, ACCEPT_AGAIN_MS);
	if (fd < 0)
		return;
	if (client_cnt == CLIENTS_MAX)
		client_remove(0);
	client[client_cnt].fd = fd;
	client[client_cnt++].len = 0;
}

/* False: it stays. A request that is too long is read to its end: closed with
 * something unread, the connection would be reset. A reply fits into the
 * kernel's buffer. */
static bool client_served(unsigned i)
{
	static char reply[API_REPLY_MAX], rest[API_REQUEST_MAX];
	size_t room = sizeof(client[i].request) - client[i].len;
	ssize_t n = read(client[i].fd, room ? client[i].request + client[i].len
					    : rest, room ? room : sizeof(rest));

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (n && (size_t)n >= room) {
		client[i].len += room;
		return false;
	}
	client[i].len += (size_t)n;
	if (!api_answer(client[i].request, client[i].len, !n, reply))
		return false;
	send(client[i].fd, reply, strlen(reply), MSG_NOSIGNAL);
	return true;
}

/* --- the loop --- */

static void signal_take(void)
{
	struct signalfd_siginfo si;

	if (read(run.signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		pasta_ended();
	else
		end_by_signal((int)si.ssi_signo);
}

static void wait_for_events(void)
{
	enum { SIGNAL, EXIT, READY, API, CLIENT };
	struct pollfd p[CLIENT + CLIENTS_MAX] = {
		[SIGNAL] = { run.signal_fd, POLLIN, 0 },
		[EXIT] = { options->exit_fd, POLLIN, 0 },
		[READY] = { run.ready_fd, POLLIN, 0 },
		[API] = { run.is_ready ? run.listen_fd : -1, POLLIN, 0 },
	};

	for (unsigned i = 0; i < client_cnt; i++)
		p[CLIENT + i] = (struct pollfd) { client[i].fd, POLLIN, 0 };
	if (poll(p, CLIENT + client_cnt, -1) < 0)
		return;
	if (p[EXIT].revents)
		exit(EXIT_SUCCESS);
	if (p[SIGNAL].revents)
		signal_take();
	if (p[READY].revents)
		pasta_ready();
	for (unsigned i = client_cnt; i--; )
		if (p[CLIENT + i].revents && client_served(i))
			client_remove(i);
	if (p[API].revents)
		client_new();
}

int main(int argc, char **argv)
{
	options = options_parse(argc, argv);
	signals_take();
	atexit(clean_up);
	if (options->api_socket) {
		api_init(options->guest);
		api_listen(options->api_socket);
		control_path();
	}
	pasta_start(options_for_pasta(*run.control ? run.control : NULL));
	for (;;)
		wait_for_events();
}
