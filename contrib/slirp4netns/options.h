/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - slirp4netns' command line, and what it means to pasta */
#ifndef CONTRIB_SLIRP4NETNS_OPTIONS_H
#define CONTRIB_SLIRP4NETNS_OPTIONS_H

#include "addr.h"
#include "util.h"

struct options {
	const char *api_socket;			/* or NULL */
	int exit_fd, ready_fd;			/* open, or -1 */
	struct addr guest[FAM_COUNT];		/* unspecified: not enabled */
};

/* Does not return if anything is wrong. */
const struct options *options_parse(int argc, char **argv);
/* pasta's argv. Without API there is no control socket: NULL. */
char **options_for_pasta(const char *control_path);
/* What slirp4netns tells about the network, on standard output. */
void options_banner(void);

_Noreturn void die(const char *fmt, ...) PRINTF(1, 2);

#endif
