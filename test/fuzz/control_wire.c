/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: control/control_wire addr buf util */
/* control_wire.c - a server that says anything, as pesto reads it
 *
 * What is taken for a greeting is one; names end, and can be printed.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_wire.h"
#include "test/fuzz/fuzz.h"

static bool is_printable(const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)name[i]))
			return false;
	return len < size;
}

FUZZ(data, size)
{
	uint8_t *copy = malloc(size + !size), again[CTL_GREETING];
	struct wr w = wr_init(again, sizeof(again));
	struct rd r;
	struct ctl_table t;
	struct fwd_rule rule;
	const char *wrong;

	memcpy(copy, data, size);
	r = rd_init(copy, size);
	wrong = ctl_get_greeting(&r);
	assert(!wrong || *wrong);
	ctl_put_greeting(&w);
	assert(wrong || (rd_ok(&r) && !memcmp(copy, again, 8)));
	while (rd_more(&r) && rd_u8(&r)) {
		if (!ctl_get_table(&r, &t))
			break;
		assert(!rd_ok(&r) || is_printable(t.name, sizeof(t.name)));
		for (unsigned i = 0; i < t.cnt && rd_more(&r); i++)
			if (ctl_get_rule(&r, &rule))
				assert(memchr(rule.ifname, 0,
					      sizeof(rule.ifname)));
	}
	free(copy);
}
