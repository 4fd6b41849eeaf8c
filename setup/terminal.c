/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c - whose keyboard it is: ours, the shell's in the namespace, ours
 *
 * A command runs in our process group, as if it had been started instead of
 * us: what is typed to interrupt it reaches us both. It needs that, as the
 * first process of a PID namespace does not hear signals it has no handler for.
 *
 * For a shell that is not enough. It remembers which group had the terminal and
 * gives it back when it ends, and our group has no number in its PID namespace:
 * dash then fails with "Cannot set tty process group", and status 2. So a shell
 * gets a group of its own, and the terminal with it, as its own jobs will.
 *
 *	our caller	pasta			shell		its jobs
 *	foreground ---> our group ------------> its own <-----> theirs
 *			  <-------------------- ends
 *	  <------------ ends
 *
 * Whatever had the terminal when the command ended, a shell or one of its jobs,
 * is dead with the PID namespace: then it is our group's again, or the script
 * that started us could not read from it any more. If it belongs to somebody
 * alive, our caller's shell has put us into the background: nothing is done.
 */
#include "setup/setup.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "util.h"

SYSCALLS(command: ioctl);	/* TIOCGPGRP, TIOCSPGRP */

static int tty_fd = -1;		/* one of stdio; -1: we are not in foreground */
static pid_t our_group;

void terminal_find(void)
{
	our_group = getpgrp();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (tcgetpgrp(fd) != our_group)
			continue;
		tty_fd = fd;
		return;
	}
}

/* Nobody's command line for it: a shell by its name, and only options, but for
 * the one that has a command follow. */
static bool is_interactive_shell(char **command)
{
	const char *slash, *name;
	size_t len;

	if (!command)
		return true;
	slash = strrchr(command[0], '/');
	name = slash ? slash + 1 : command[0];
	len = strlen(name);
	if (len < 2 || strcmp(name + len - 2, "sh"))
		return false;
	for (char **arg = command + 1; *arg; arg++) {
		if ((*arg)[0] != '-')
			return false;
		if ((*arg)[1] != '-' && strchr(*arg, 'c'))
			return false;
	}
	return true;
}

/* SIGTTOU, which this causes, is ignored: process.c. */
void terminal_give(char **command)
{
	if (tty_fd < 0 || !is_interactive_shell(command) || setpgid(0, 0))
		return;
	tcsetpgrp(tty_fd, getpid());
}

/* Whether there is such a group the terminal knows itself: it is asked to give
 * the foreground to the one that has it. */
void terminal_take_back(void)
{
	pid_t group = tty_fd < 0 ? -1 : tcgetpgrp(tty_fd);

	if (group > 0 && group != our_group && tcsetpgrp(tty_fd, group) &&
	    errno == ESRCH)
		tcsetpgrp(tty_fd, our_group);
}
