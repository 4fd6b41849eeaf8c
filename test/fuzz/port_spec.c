/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_spec.c - any text as a port specification
 *
 * The first byte chooses the circumstances. Rules that come out have to be
 * sane, and readable as text.
 */
/* links: fwd_spec addr buf util */
#include "fwd.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

FUZZ(data, size)
{
	static struct fwd_table t;
	struct conf c = { .ephemeral_first = 32768, .ephemeral_last = 60999 };
	char text[1024], err[256], buf[160];
	struct fwd_spec_ctx ctx = { .c = &c };

	if (!size || size >= sizeof(text))
		return;
	c.net[FAM4].enabled = data[0] & 1;
	c.net[FAM6].enabled = data[0] & 2;
	c.can_bind_device = data[0] & 4;
	ctx.outbound = data[0] & 8;
	ctx.can_auto = data[0] & 16;
	ctx.proto = data[0] & 32 ? IPPROTO_TCP : IPPROTO_UDP;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';

	t.cnt = 0;
	*err = '\0';
	if (!fwd_parse_spec(&t, &ctx, text, err, sizeof(err))) {
		assert(*err && !t.cnt);
		return;
	}
	assert(t.cnt <= RULES_MAX);
	for (unsigned i = 0; i < t.cnt; i++) {
		const struct fwd_rule *r = &t.rule[i];

		assert(r->first && r->to && r->first <= r->last);
		assert(r->to + (r->last - r->first) <= UINT16_MAX);
		assert(strlen(fwd_rule_str(r, buf, sizeof(buf))) <
		       sizeof(buf) - 1);
	}
}
