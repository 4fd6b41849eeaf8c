/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.c (test) - two names for one object, and the end of writing */
/* links: conf */
#include "conf.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static unsigned char neighbour = 1;	/* somewhere near in memory */

static unsigned get_mtu(void)
{
	return conf.mtu;
}

/* Volatile: as for code in another file, nothing is known about it here. */
static unsigned (*volatile read_mtu)(void) = get_mtu;

TEST(what_is_written_under_one_name_is_read_under_the_other)
{
	const void *volatile reader = &conf;	/* else known to differ */
	const void *volatile writer = &conf_writable;

	OK(reader == writer);
	EQ(read_mtu(), 0);
	conf_writable.mtu = 1280;
	EQ(read_mtu(), 1280);
	conf_writable.mtu = 1500;
	EQ(read_mtu(), 1500);
}

static int signal_of_writing(unsigned char *where)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);	/* no report by a sanitizer */
		*(volatile unsigned char *)where = 2;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(frozen_means_read_only_from_the_first_byte_to_the_last)
{
	unsigned char *p = (unsigned char *)&conf_writable;

	EQ(signal_of_writing(p), 0);
	conf_writable.mtu = 9000;
	EQ(conf_freeze(), 0);
	EQ(signal_of_writing(p), SIGSEGV);
	EQ(signal_of_writing(p + sizeof(conf) - 1), SIGSEGV);
	EQ(read_mtu(), 9000);
	EQ(signal_of_writing(&neighbour), 0);
}
