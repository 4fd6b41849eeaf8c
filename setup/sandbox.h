/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - between sandbox.c and what it closes with */
#ifndef SETUP_SANDBOX_H
#define SETUP_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "setup/setup.h"

/* --- seccomp.c: lists of system calls --- */

/* Who is on a list; the same words, in small letters, are in markers. */
enum {
	PASST	 = 1 << 0,
	PASTA	 = 1 << 1,
	AGENT	 = 1 << 2,
	READER	 = 1 << 3,
	LOG_FILE = 1 << 4,	/* what a daemon that writes one needs more */
	PCAP	 = 1 << 5,
	DAEMON	 = PASST | PASTA,
	COMMAND	 = 1 << 6,	/* pasta: runs one */
	NETNS	 = 1 << 7,	/* pasta: joined one */
	TOOL	 = 1 << 8,	/* calls of sanitizers and the like */
	EVERYBODY = PASST | PASTA | AGENT | READER | TOOL,
};

#define CALLS_MAX	128	/* on any list */
#define FILTER_MAX	1024	/* instructions */

/* Names of the calls on the lists of @who. How many. */
unsigned seccomp_names(unsigned who, const char *name[CALLS_MAX]);
/* The filter for them, as the kernel takes it. How long it is. */
unsigned seccomp_program(unsigned who, struct sock_filter insn[FILTER_MAX]);
/* From here on any other call ends the process. 0, or -errno. */
int seccomp_close(unsigned who);
/* Whether that will work. 0, or -errno. */
int seccomp_probe(void);

/* seccomp_debug.c: what becomes of other calls, and preparing for it */
uint32_t seccomp_verdict(void);
void seccomp_prepare(void);

/* --- landlock.c --- */

/* No path leads to a file any more, no abstract socket or signal to a process
 * that is not as confined. 0, or -errno: no Landlock; -ENODATA: files only,
 * the kernel does not know of the rest. */
int landlock_close(void);

#endif
