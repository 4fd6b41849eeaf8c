/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slirp_api.c - any bytes as a request of slirp4netns' API
 *
 * The first byte chooses the circumstances. What pasta is given has to be sane,
 * and every reply a JSON object which is either an error or not.
 */
/* links: contrib/slirp4netns/api contrib/slirp4netns/json addr buf util */
#include "contrib/slirp4netns/api.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "conf.h"
#include "contrib/slirp4netns/json.h"
#include "contrib/slirp4netns/rules.h"
#include "test/fuzz/fuzz.h"
#include "util.h"

static bool refuses;

bool rules_set(const struct fwd_table *t, char *why, size_t size)
{
	assert(t->cnt <= RULES_MAX);
	for (unsigned i = 0; i < t->cnt; i++) {
		const struct fwd_rule *r = &t->rule[i];

		assert(r->first && r->first == r->last && r->to);
		assert(r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP);
		assert(addr_fam(&r->listen) == addr_fam(&r->target));
		assert(addr_is_unicast(&r->target) && !r->flags && !*r->ifname);
	}
	return refuses ? !str_copy(why, size, "\"no\\\n") : true;
}

/* Lists may be longer than what our own reader is for. */
static void sane(const char *reply)
{
	static struct json j;
	size_t len = strlen(reply);

	assert(len && len < API_REPLY_MAX - 1);
	assert(reply[0] == '{' && reply[len - 1] == '}');
	assert(!strncmp(reply, "{\"entries\":", 11) ||
	       json_parse(&j, reply, len));
}

FUZZ(data, size)
{
	static char reply[API_REPLY_MAX];
	struct addr guest[FAM_COUNT] = { 0 };
	const char *request = (const char *)data + 1;

	if (!size)
		return;
	addr_parse(&guest[FAM4], "10.0.2.100");
	if (data[0] & 1)
		addr_parse(&guest[FAM6], "fd00::100");
	api_init(guest);
	refuses = data[0] & 2;
	if (api_answer(request, size - 1, false, reply))
		sane(reply);
	assert(api_answer(request, size - 1, true, reply));
	sane(reply);
}
