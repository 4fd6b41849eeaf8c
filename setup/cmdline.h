/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline.h - one scan over the command line, as the files of cmdline share it
 *
 * cmdline.c walks over the words and judges what was said, cmdline_value.c
 * knows what values look like and where they go, cmdline_help.c tells of it.
 */
#ifndef SETUP_CMDLINE_H
#define SETUP_CMDLINE_H

#include "setup/setup.h"

#define MODE_SET(mode)	(1u << (mode))

enum opt_id {
#define OPT(id, ...) OPT_##id,
#include "setup/options.def"
	OPT_COUNT
};

struct opt;

struct scan {
	struct request *req;
	char *err;
	unsigned modes;			/* that are still possible */
	bool given[OPT_COUNT];
	bool prefix4_given;		/* any IPv4 --address with /PLEN */
	const char *value;
};

/* A row of options.def. */
struct opt {
	const char *name;
	char letter;
	struct { uint8_t valid, shown; } modes;	/* sets */
	bool (*take)(struct scan *s, const struct opt *o);
	struct dest {
		size_t off, size;
		size_t has_off;		/* 0: no such field */
	} dest;
	const char *arg;
	struct { uint64_t lo, hi; } lim;
	const char *help;
};

/* --- cmdline_value.c --- */

const struct opt *option(enum opt_id id);
/* What is wrong; false, always. */
bool refuse(struct scan *s, const char *fmt, ...) PRINTF(2, 3);

#endif
