/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftover.c - starts that fail, succeed or are killed, and what stays */
/* links: setup/leftover setup/process setup/sandbox setup/seccomp
 *	  setup/seccomp_debug setup/landlock setup/die setup/hint epoll_ctl log
 *	  timer util */
#include "setup/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "util.h"

static char dir[] = "/tmp/leftover.XXXXXX", one[64], two[64];

static void names(void)
{
	if (!*one)
		OK(mkdtemp(dir));
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
}

static void make(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static bool there(const char *path) { return !access(path, F_OK); }

/* Of somebody killed, nobody waits for the removal. */
static bool soon_gone(void)
{
	for (int i = 0; i < 500 && (there(one) || there(two)); i++)
		usleep(10000);
	return !there(one) && !there(two);
}

/* A start with two files, in a process of its own; its status. */
static int started(void (*end)(void))
{
	int status = -1;
	pid_t pid;

	names();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		leftover_init(false);
		make(one);
		leftover_add(one);
		make(two);
		leftover_add(two);
		if (chdir("/"))
			_exit(99);
		end();
		_exit(98);
	}
	EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static void end_failing(void) { exit(1); }
static void end_killed(void) { raise(SIGKILL); }

static void end_well(void)
{
	leftover_keep();
	exit(0);
}

/* One that was born meanwhile, with copies of all descriptors. */
static void end_with_others(void)
{
	if (!fork()) {
		sleep(5);
		exit(0);
	}
	exit(1);
}

static void end_of_another_first(void)
{
	pid_t pid = fork();

	if (!pid)
		exit(1);
	waitpid(pid, NULL, 0);
	_exit(there(one) && there(two) ? 0 : 1);
}

TEST(of_a_start_that_fails_nothing_is_left_when_it_has_exited)
{
	EQ(WEXITSTATUS(started(end_failing)), 1);
	OK(!there(one) && !there(two));
}

TEST(of_a_start_that_is_killed_nothing_stays_either)
{
	EQ(WTERMSIG(started(end_killed)), SIGKILL);
	OK(soon_gone());
}

TEST(of_a_start_that_succeeds_all_files_stay)
{
	EQ(started(end_well), 0);
	usleep(20000);	/* for whoever would remove them wrongly */
	OK(there(one) && there(two));
	unlink(one);
	unlink(two);
}

TEST(processes_that_hold_our_descriptors_do_not_delay_it)
{
	EQ(WEXITSTATUS(started(end_with_others)), 1);
	OK(!there(one) && !there(two));
}

TEST(the_exit_of_another_process_of_ours_removes_nothing)
{
	EQ(started(end_of_another_first), 0);
	OK(soon_gone());
}

TEST(a_parent_that_waits_removes_what_the_child_has_noted)
{
	pid_t pid;

	names();
	fflush(stdout);
	leftover_init(true);
	pid = fork();
	if (!pid) {
		make(one);
		leftover_add(one);
		exit(1);
	}
	EQ(waitpid(pid, NULL, 0), pid);
	OK(there(one));
	leftover_remove();
	OK(!there(one));
	rmdir(dir);
}
