/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_debug.c - what happens to a system call that is on no list
 *
 * The kernel ends the process, which leaves no trace but a line in its audit
 * log. In a build with SECCOMP_DEBUG=1 the process is told instead, says the
 * name of the call where log messages go, and ends itself.
 */
#include "setup/sandbox.h"

#include <linux/seccomp.h>

#ifdef SECCOMP_DEBUG

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

#define NAME(name)	{ #name, __NR_##name },
static const struct {
	const char *name;
	int nr;
} names[] = {
#include "seccomp_names.h"
};
#undef NAME

/* Nothing was interrupted: the process asked for it, at a place where it may
 * log. */
static void forbidden(int number, siginfo_t *si, void *context)
{
	const char *name = "?";

	(void)context;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].nr == si->si_syscall)
			name = names[i].name;
	err("Sandbox: system call %s (%d) is not allowed, or not with these "
	    "arguments", name, si->si_syscall);
	_exit(128 + number);
}

uint32_t seccomp_verdict(void)
{
	return SECCOMP_RET_TRAP;
}

void seccomp_prepare(void)
{
	struct sigaction sa = {
		.sa_sigaction = forbidden, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGSYS, &sa, NULL);
}

#else

uint32_t seccomp_verdict(void)
{
	return SECCOMP_RET_KILL_PROCESS;
}

void seccomp_prepare(void)
{
}

#endif
