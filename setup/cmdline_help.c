/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline_help.c - what --help prints
 *
 * A walk over options.def, in its order: those of the mode, by group, each with
 * all its names and its default; then how ports are written. Nothing here knows
 * any option.
 */
#include "setup/cmdline.h"

#include <stdio.h>
#include <string.h>

#include "util.h"

static const char usage_vm[] =
	"Usage: passt [OPTION]...\n"
	"Connect a virtual machine to the network, without privileges.\n";

static const char *const usage_forms[] = {
	[MODE_PASST] = usage_vm,
	[MODE_VHOST_USER] = usage_vm,
	[MODE_PASTA] =
	"Usage: pasta [OPTION]... [COMMAND [ARG]...]\n"
	"       pasta [OPTION]... PID\n"
	"       pasta [OPTION]... --netns PATH|NAME\n"
	"Connect a namespace to the network, without privileges: a new one in "
	"which\nCOMMAND or a login shell runs, that of process PID, or a named "
	"one.\n",
};

static const char usage_spec[] =
	"\nSPEC is none, or [[ADDR][%IFACE]/]PORTS, with PORTS a list, by "
	"commas, of\n"
	"  N or N-M             these ports\n"
	"  N:K or N-M:K-L       these ports, as other ports on the other side\n"
	"  N:ADDR or N:ADDR/K   this port, to another address\n"
	"  ~N or ~N-M           not these ports\n"
	"  all                  all ports that are not ephemeral\n"
	"  auto                 those the other side listens on (pasta only)\n"
	"for instance\n"
	"  -t 22                port 22, on any address\n"
	"  -t 2222:22           port 2222, to port 22\n"
	"  -t 8000-8009,443     eleven ports\n"
	"  -t 192.0.2.1/80      only what arrives at that address\n"
	"  -t %eth0/80          only what arrives at that interface\n"
	"  -t 0.0.0.0/80:192.0.2.9/8080  to another address; IPv4 only\n"
	"  -u all,~53           all but one, as far as they are free\n"
	"  -t none              nothing\n";

enum {
	TEXT_COLUMN = 29,
	WIDTH = 80,
};

/* All names of an option. */
static const struct alias {
	enum opt_id id;
	const char *name;
} aliases[] = {
#define ALIAS(id_, name_) { OPT_##id_, name_ },
#include "setup/options.def"
};

static const struct fallback {
	enum opt_id id;
	unsigned modes;
	const char *text;
} defaults[] = {
#define VM	(MODE_SET(MODE_PASST) | MODE_SET(MODE_VHOST_USER))
#define NS	MODE_SET(MODE_PASTA)
#define ALL	(VM | NS)
#define DEFAULT(id_, modes_, text_) { OPT_##id_, modes_, text_ },
#include "setup/options.def"
#undef VM
#undef NS
#undef ALL
};

/* "  -m, --mtu BYTES"; how many columns it takes. */
static int usage_names(enum opt_id id)
{
	const struct opt *o = option(id);
	int n = o->letter ? printf("  -%c, ", o->letter) : printf("      ");

	n += printf("--%s", o->name);
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (aliases[i].id == id)
			n += printf(", --%s", aliases[i].name);
	return n + (o->arg ? printf(" %s", o->arg) : 0);
}

/* Words, from @column on, in lines. Where the last one ends. */
static int usage_words(int column, const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > TEXT_COLUMN && column + 1 + len > WIDTH)
			column = 0;
		column += column ? printf(" ") :
				   printf("\n%*s", TEXT_COLUMN, "") - 1;
		column += printf("%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	return column;
}

static void usage_option(enum opt_id id, enum mode mode)
{
	int column = usage_names(id);

	column = column < TEXT_COLUMN ?
		 column + printf("%*s", TEXT_COLUMN - 1 - column, "") : 0;
	column = usage_words(column, option(id)->help);
	for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++) {
		char text[80];

		if (defaults[i].id != id ||
		    !(defaults[i].modes & MODE_SET(mode)))
			continue;
		snprintf(text, sizeof(text), "(default: %s)", defaults[i].text);
		if (column + 1 + (int)strlen(text) > WIDTH)
			column = 0;
		column = usage_words(column, text);
	}
	puts("");
}

/* The table in its own order, a heading before each group. */
static const struct row {
	const char *group;
	enum opt_id id;
} rows[] = {
#define GROUP(title) { .group = title },
#define OPT(id_, ...) { .id = OPT_##id_ },
#include "setup/options.def"
};

void cmdline_usage(enum mode mode)
{
	const char *group = NULL;

	fputs(usage_forms[mode], stdout);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt *o = option(rows[i].id);

		if (rows[i].group)
			group = rows[i].group;
		if (rows[i].group || !(o->modes.shown & MODE_SET(mode)))
			continue;
		if (group)
			printf("\n%s\n", group);
		group = NULL;
		usage_option(rows[i].id, mode);
	}
	fputs(usage_spec, stdout);
}
