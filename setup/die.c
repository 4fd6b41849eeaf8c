/* SPDX-License-Identifier: GPL-2.0-or-later */
/* die.c - start-up failed: say why, once, and end
 *
 * Only setup/ may call this. The message goes wherever the log goes, which
 * before start-up is complete includes standard error, whatever the level.
 * Later stages return errors instead.
 */
#include "setup/setup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util.h"

void die(const char *fmt, ...)
{
	char text[2 * ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_printable(text);
	err("%s", text);
	log_sync();
	exit(EXIT_FAILURE);	/* not _exit(): see process.c */
}
