# SPDX-License-Identifier: GPL-2.0-or-later
# links.awk - what test programs are linked with, as make rules
#
# A test says which modules it needs in a comment, over one line or more:
#	/* links: addr buf wire/csum */
#	/* wrap: sendmsg epoll_wait */
# The second kind replaces calls of a function by __wrap_FUNCTION().
# usage: awk -v O=build -f links.awk test/unit/*.c >build/links.mk

FNR == 1 { prog = FILENAME; sub(/\.c$/, "", prog); list = "" }
/^\/\* (links|wrap):/ { list = $2 }
list != "" {
	line = $0
	done = line ~ /\*\//
	sub(/^\/\* [a-z]+:/, "", line)
	sub(/^ \*/, "", line)
	sub(/\*\/.*/, "", line)
	n = split(line, word, " ")
	for (i = 1; i <= n; i++) {
		if (list == "links:")
			printf "%s/%s: %s/%s.o\n", O, prog, O, word[i]
		else
			printf "%s/%s: WRAP += -Wl,--wrap=%s\n", O, prog, \
				word[i]
	}
	if (done)
		list = ""
}
