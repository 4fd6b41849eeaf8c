/* SPDX-License-Identifier: GPL-2.0-or-later */
/* about.c - the options that run nothing: help, version, capabilities
 *
 * All of it goes to standard output, and is meant to be read by programs as
 * well: the first line of the version, and the JSON object that vhost-user
 * front-ends ask for. Output that could not be written is a failure.
 */
#include "setup/setup.h"

#include <stdio.h>
#include <stdlib.h>

const char *about_program(const struct request *req)
{
	return req->mode == MODE_PASTA ? "pasta" : "passt";
}

static void print_version(const struct request *req, const char *version)
{
	printf("%s %s\n"
	       "Copyright the passt authors\n"
	       "GNU General Public License, version 2 or later\n"
	       "  <https://www.gnu.org/licenses/old-licenses/gpl-2.0.html>\n"
	       "This is free software: you are free to change and redistribute "
	       "it.\nThere is NO WARRANTY, to the extent permitted by law.\n\n",
	       about_program(req), version);
}

void about(const struct request *req, const char *version)
{
	switch (req->action) {
	case ACT_RUN:
		return;
	case ACT_HELP:
		cmdline_usage(req->mode);
		break;
	case ACT_VERSION:
		print_version(req, version);
		break;
	case ACT_CAPABILITIES:
		printf("{\n  \"type\": \"net\"\n}\n");
		break;
	}
	/* Some of it may have been written, or not, before. */
	exit(fflush(stdout) || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}
