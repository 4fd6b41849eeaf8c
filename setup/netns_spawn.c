/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns_spawn.c - the command pasta was asked to run, until it is executed
 *
 * Called in the agent, inside the new network namespace. The new process is
 * the first of a PID namespace, and has mount, IPC and UTS namespaces of its
 * own; CLONE_PARENT makes it the daemon's child, clone(2). It prepares what
 * only it can (its /proc, ping for its root user, a host name), then waits at
 * a pipe until the daemon says that the network is there.
 *
 * From our caller it has what any command has: terminal (terminal.c), session
 * and process group, working directory, environment, signal dispositions and
 * mask; no descriptor but stdio. Failing to prepare is worth a warning, not
 * more: many commands need none of it.
 */
#include "setup/setup.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define HOST_NAME_LEN	64	/* UTS namespaces hold no more */

#ifndef CLOSE_RANGE_CLOEXEC	/* Linux 5.11 */
#define CLOSE_RANGE_CLOEXEC	4
#endif

/* clone(2) without a stack, as fork(): the order of the first two arguments
 * is a matter of taste. */
#if defined(__s390__) || defined(__CRIS__)
#define CLONE(flags)	syscall(SYS_clone, NULL, flags, NULL, NULL, 0)
#else
#define CLONE(flags)	syscall(SYS_clone, flags, NULL, NULL, NULL, 0)
#endif

static void host_name_set(const char *wanted)
{
	char ours[HOST_NAME_LEN + 1] = "pasta-";
	const char *name = wanted && *wanted ? wanted : ours;

	/* What does not fit is left out. */
	gethostname(ours + strlen(ours), HOST_NAME_LEN - strlen(ours));
	if (sethostname(name, strlen(name)))
		warn("Couldn't set host name %s: %s", name, strerror(errno));
}

static void proc_mount(void)
{
	/* Where no user namespace is in between, not for the host to see. */
	mount("", "/", "", MS_SLAVE | MS_REC, NULL);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL))
		warn("Couldn't mount /proc: %s", strerror(errno));
}

static void ping_allow(void)
{
	int rc = write_file("/proc/sys/net/ipv4/ping_group_range", "0 0");

	if (rc)
		warn("Couldn't set ping_group_range: %s", strerror(-rc));
}

static _Noreturn void shell_exec(void)
{
	const char *shell = getenv("SHELL");
	char name[PATH_MAX + 1];

	if (!shell || !*shell)
		shell = "/bin/sh";
	if ((size_t)snprintf(name, sizeof(name), "-%s", shell) >= sizeof(name))
		err("$SHELL is too long");
	else if (execlp(shell, name, NULL))
		err("Couldn't run shell %s: %s", shell, strerror(errno));
	_exit(EXIT_FAILURE);
}

static _Noreturn void command_exec(char **command)
{
	if (!command)
		shell_exec();
	execvp(command[0], command);
	err("Couldn't run %s: %s", command[0], strerror(errno));
	_exit(EXIT_FAILURE);
}

static _Noreturn void command_main(const struct request *req, int barrier)
{
	char go;
	int rc;

	proc_mount();
	ping_allow();
	host_name_set(req->hostname);
	rc = read_exact(barrier, &go, 1);
	if (rc && rc != -EPIPE)
		err("Couldn't wait for the network: %s", strerror(-rc));
	if (rc)
		_exit(EXIT_FAILURE);	/* set-up failed, and it was said why */

	terminal_give(req->command);
	process_signals_restore();
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, 0);
	command_exec(req->command);
}

pid_t netns_spawn(const struct request *req, const int barrier[2], int sock)
{
	long pid = CLONE(CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS |
			 CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD);

	if (pid < 0)
		return -errno;
	if (pid)
		return (pid_t)pid;

	/* Of the daemon. If that has ended already, so has the pipe. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(barrier[1]);
	/* Whoever waits for the agent must see its end. */
	close(sock);
	command_main(req, barrier[0]);
}
