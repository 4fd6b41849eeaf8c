/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline_help.c - what is listed where, against options.def itself */
/* links: setup/cmdline_help setup/cmdline_value addr buf util */
#include "setup/setup.h"

#include <string.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "util.h"

/* What --help prints, caught on its way out. */
static const char *usage(enum mode mode)
{
	static char text[16384];
	FILE *f = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t len;

	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	cmdline_usage(mode);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	return text;
}

static bool lists(const char *text, const char *name)
{
	char word[64];
	const char *p;

	snprintf(word, sizeof(word), "--%s", name);
	p = strstr(text, word);
	while (p && p[strlen(word)] && !strchr(" ,\n", p[strlen(word)]))
		p = strstr(p + 1, word);
	return p;
}

/* Bits of enum mode; SHOWN where an option is listed. */
#define P		1
#define A		2
#define VM		P
#define VU		P
#define NS		A
#define ALL		(P | A)
#define ALL_VM		P
#define ALL_NS		A

static const struct {
	const char *name;
	unsigned shown;
} all[] = {
#define OPT(id, long_, letter, modes, ...) { long_, modes },
#include "setup/options.def"
};

TEST(every_option_is_listed_in_its_modes_and_in_no_other)
{
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		OK(lists(usage(MODE_PASST), all[i].name) ==
		   !!(all[i].shown & P));
		OK(lists(usage(MODE_VHOST_USER), all[i].name) ==
		   !!(all[i].shown & P));
		OK(lists(usage(MODE_PASTA), all[i].name) ==
		   !!(all[i].shown & A));
	}
	OK(lists(usage(MODE_PASST), "socket-path"));
}

TEST(groups_without_options_of_the_mode_have_no_heading)
{
	OK(strstr(usage(MODE_PASST), "\nPort forwarding\n"));
	OK(!strstr(usage(MODE_PASST), "\nNamespaces\n"));
	OK(strstr(usage(MODE_PASTA), "\nNamespaces\n"));
	OK(!strstr(usage(MODE_PASTA), "virtual machine\n"));
}

TEST(defaults_are_those_of_the_mode)
{
	const char *text = usage(MODE_PASST);

	OK(strstr(text, "  -m, --mtu BYTES            MTU announced to the "
			"guest (default: 65520)\n"));
	OK(strstr(text, "  -t, --tcp-ports SPEC       TCP ports of the host, "
			"forwarded to the guest\n"
			"                             (default: none)\n"));
	OK(!strstr(text, "(default: auto)"));
	OK(strstr(usage(MODE_PASTA), "(default: auto)"));
}

TEST(the_forms_and_the_ways_to_write_ports_are_there)
{
	OK(strstr(usage(MODE_PASST), "Usage: passt [OPTION]...\n"));
	OK(strstr(usage(MODE_PASTA), "Usage: pasta [OPTION]... [COMMAND"));
	OK(strstr(usage(MODE_PASST), "\n  ~N or ~N-M "));
	OK(strstr(usage(MODE_PASTA), "\n  -t 2222:22 "));
}

TEST(no_line_is_wider_than_a_terminal)
{
	for (enum mode mode = MODE_PASST; mode <= MODE_PASTA; mode++) {
		for (const char *p = usage(mode); *p; p++) {
			size_t len = strcspn(p, "\n");

			OK(len <= 80);
			OK(!len || p[len - 1] != ' ');
			p += len;
		}
	}
}
