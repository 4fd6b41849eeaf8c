/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftover.c - a start that fails leaves no file behind
 *
 * The PID file and sockets are made early, with our caller's identity. If
 * start-up fails later, we may have neither that identity any more nor the
 * filesystem they are in. So somebody else removes them, who has both:
 *
 *	background	our parent, who waits for us anyway
 *	foreground	a process made for it, with the first file
 *
 * What there is to remove is in memory which all of them share. The process
 * made for it waits at a socket: a byte means that all is well, the end of
 * file that it is needed. It is nobody's child, so that nobody has to wait for
 * it; but whoever exits waits until the files are gone: our caller finds none.
 *
 * Only what was not there before is noted here, or a socket nobody listened on.
 */
#include "setup/setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util.h"

#define FILES_MAX	4

static struct files {
	unsigned cnt;
	char path[FILES_MAX][PATH_MAX];
} *files;

static bool parent_waits;
static pid_t owner;		/* of what follows */
static int janitor_fd = -1;

void leftover_remove(void)
{
	for (unsigned i = 0; files && i < files->cnt; i++)
		unlink(files->path[i]);
}

static _Noreturn void janitor_main(int fd)
{
	char well;

	/* What ends the others is what it is for. */
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	if (read_exact(fd, &well, 1) == -EPIPE)
		leftover_remove();
	_exit(EXIT_SUCCESS);
}

/* The descriptor may have been inherited by others of ours: closing it would
 * not be enough to be heard. */
static void janitor_finish(void)
{
	char end;

	if (owner != getpid())
		return;
	if (janitor_fd < 0) {	/* it could not be made */
		leftover_remove();
		return;
	}
	shutdown(janitor_fd, SHUT_WR);
	read_exact(janitor_fd, &end, 1);
}

static void janitor_start(void)
{
	int pair[2], status;
	pid_t child;

	owner = getpid();
	atexit(janitor_finish);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("Couldn't create socket pair: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("Couldn't create process: %s%s", strerror(errno),
		    hint(HINT_FORK, errno));
	if (!child) {
		child = fork();
		if (child)
			_exit(child < 0 ? errno : EXIT_SUCCESS);
		close(pair[0]);
		janitor_main(pair[1]);
	}
	close(pair[1]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("Couldn't wait for a process: %s", strerror(errno));
	if (status)
		die("Couldn't create a second process: %s%s",
		    strerror(WEXITSTATUS(status)),
		    hint(HINT_FORK, WEXITSTATUS(status)));
	janitor_fd = pair[0];
}

void leftover_init(bool parent)
{
	void *p = mmap(NULL, sizeof(*files), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("Couldn't map memory: %s", strerror(errno));
	files = p;
	parent_waits = parent;
}

void leftover_add(const char *path)
{
	if (!files || files->cnt == FILES_MAX ||
	    !str_copy(files->path[files->cnt], PATH_MAX, path))
		return;
	files->cnt++;
	if (!parent_waits && janitor_fd < 0)
		janitor_start();
}

void leftover_keep(void)
{
	if (files)
		files->cnt = 0;
	if (janitor_fd < 0)
		return;
	write_exact(janitor_fd, "k", 1);
	close_keep_errno(&janitor_fd);
}
