/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api.c - requests of slirp4netns' API and what they are answered
 *
 * Owns the list of forwarded ports: each has a number, which is never given to
 * another. A change is made on a copy, and kept if pasta takes it (rules.c).
 *
 * Words and order of members are those of slirp4netns 1.2.0, except:
 *
 *	an error of add_hostfwd goes on with the reason
 *	list_hostfwd		also the form that its manual describes
 *	ports beyond 1-65535	are errors; it listens on another port
 *	without "proto"		is an error; it crashes
 *	IPv6 addresses		are accepted, with --enable-ipv6
 */
#include "contrib/slirp4netns/api.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "contrib/slirp4netns/json.h"
#include "contrib/slirp4netns/rules.h"
#include "util.h"

#define WHY_MAX		1024

/* The rule of a number is at the same place in the other table. */
static struct forwards {
	unsigned id[RULES_MAX];
	struct fwd_table rules;
} now;
static unsigned last_id;
static struct addr default_guest[FAM_COUNT];

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
};

void api_init(const struct addr guest[FAM_COUNT])
{
	memcpy(default_guest, guest, sizeof(default_guest));
}

/* --- replies --- */

/* Those who made the words in @fmt and behind it see that nothing in there
 * needs to be escaped in JSON. */
static void error(char *reply, const char *fmt, ...) PRINTF(2, 3);

static void error(char *reply, const char *fmt, ...)
{
	char desc[2 * WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(desc, sizeof(desc), fmt, ap);
	va_end(ap);
	snprintf(reply, API_REPLY_MAX,
		 "{\"error\":{\"desc\":\"bad request: %s\"}}", desc);
}

static void make_plain(char *s)
{
	str_printable(s);
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			*s = '\'';
}

/* --- arguments --- */

static bool get_proto(const struct json *j, const struct json_node *args,
		      struct fwd_rule *r)
{
	const struct json_node *n = json_get(j, args, "proto", JSON_STRING);

	for (unsigned i = 0; n && i < ARRAY_SIZE(protos); i++) {
		if (strcmp(n->string, protos[i].name))
			continue;
		r->proto = protos[i].proto;
		return true;
	}
	return false;
}

/* Of another type it is as good as not there. */
static bool get_addr(const struct json *j, const struct json_node *args,
		     const char *key, struct addr *a)
{
	const struct json_node *n = json_get(j, args, key, JSON_STRING);

	if (!n || !*n->string)
		return true;
	return addr_parse(a, n->string) &&
	       !addr_is_unspec(&default_guest[addr_fam(a)]);
}

static uint16_t get_port(const struct json *j, const struct json_node *args,
			 const char *key)
{
	const struct json_node *n = json_get(j, args, key, JSON_NUMBER);

	return n && n->number >= 1 && n->number < UINT16_MAX + 1 ?
	       (uint16_t)n->number : 0;
}

/* NULL, or the name of what is wrong. */
static const char *get_rule(const struct json *j, const struct json_node *args,
			    struct fwd_rule *r)
{
	if (!get_proto(j, args, r))
		return "proto";
	r->listen = addr_any(FAM4);
	if (!get_addr(j, args, "host_addr", &r->listen))
		return "host_addr";
	r->first = r->last = get_port(j, args, "host_port");
	if (!r->first)
		return "host_port";
	r->target = default_guest[addr_fam(&r->listen)];
	if (!get_addr(j, args, "guest_addr", &r->target) ||
	    addr_fam(&r->target) != addr_fam(&r->listen) ||
	    !addr_is_unicast(&r->target))
		return "guest_addr";
	r->to = get_port(j, args, "guest_port");
	return r->to ? NULL : "guest_port";
}

/* --- requests --- */

static void add_hostfwd(const struct json *j, const struct json_node *args,
			char *reply)
{
	static struct forwards next;
	struct fwd_rule r = { 0 };
	const char *bad = get_rule(j, args, &r);
	char why[WHY_MAX];

	if (bad) {
		error(reply, "add_hostfwd: bad arguments.%s", bad);
		return;
	}
	if (now.rules.cnt == RULES_MAX) {
		error(reply, "add_hostfwd: slirp_add_hostfwd failed: %d ports "
		      "at most", RULES_MAX);
		return;
	}
	next = now;
	next.id[next.rules.cnt] = last_id + 1;
	next.rules.rule[next.rules.cnt++] = r;
	if (!rules_set(&next.rules, why, sizeof(why))) {
		make_plain(why);
		error(reply, "add_hostfwd: slirp_add_hostfwd failed: %s", why);
		return;
	}
	now = next;
	last_id++;
	snprintf(reply, API_REPLY_MAX, "{\"return\":{\"id\":%u}}", last_id);
}

static void remove_hostfwd(const struct json *j, const struct json_node *args,
			   char *reply)
{
	static struct forwards next;
	const struct json_node *n = json_get(j, args, "id", JSON_NUMBER);
	char why[WHY_MAX];
	unsigned i = 0, id = 0, left;

	if (n && n->number >= 1 && n->number <= last_id)
		id = (unsigned)n->number;
	while (i < now.rules.cnt && id != now.id[i])
		i++;
	if (i == now.rules.cnt) {
		error(reply, "remove_hostfwd: bad arguments.id");
		return;
	}
	next = now;
	left = --next.rules.cnt - i;
	memmove(&next.id[i], &next.id[i + 1], left * sizeof(*next.id));
	memmove(&next.rules.rule[i], &next.rules.rule[i + 1],
		left * sizeof(*next.rules.rule));
	if (!rules_set(&next.rules, why, sizeof(why))) {
		make_plain(why);
		error(reply, "remove_hostfwd: slirp_remove_hostfwd failed: %s",
		      why);
		return;
	}
	now = next;
	snprintf(reply, API_REPLY_MAX, "{\"return\":{}}");
}

static void put_entries(char *buf, size_t size)
{
	char host[ADDR_STRLEN], guest[ADDR_STRLEN];
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < now.rules.cnt; i++) {
		const struct fwd_rule *r = &now.rules.rule[i];

		len += (size_t)snprintf(buf + len, size - len,
			"%s{\"id\":%u,\"proto\":\"%s\",\"host_addr\":\"%s\","
			"\"host_port\":%u,\"guest_addr\":\"%s\","
			"\"guest_port\":%u}", i ? "," : "", now.id[i],
			protos[r->proto == IPPROTO_UDP].name,
			addr_str(&r->listen, host), r->first,
			addr_str(&r->target, guest), r->to);
	}
}

static void list_hostfwd(const struct json *j, const struct json_node *args,
			 char *reply)
{
	static char entries[API_REPLY_MAX / 2 - 64];

	(void)j, (void)args;
	put_entries(entries, sizeof(entries));
	snprintf(reply, API_REPLY_MAX,
		 "{\"entries\":[%s],\"return\":{\"entries\":[%s]}}", entries,
		 entries);
}

static const struct {
	const char *name;
	void (*run)(const struct json *j, const struct json_node *args,
		    char *reply);
} requests[] = {
	{ "add_hostfwd", add_hostfwd },
	{ "list_hostfwd", list_hostfwd },
	{ "remove_hostfwd", remove_hostfwd },
};

static void run(const struct json *j, char *reply)
{
	const struct json_node *args, *n;

	if (j->node[0].type != JSON_OBJECT) {
		error(reply, "json_object() failed");
		return;
	}
	n = json_get(j, &j->node[0], "execute", JSON_STRING);
	if (!n) {
		error(reply, "no execute found");
		return;
	}
	args = json_get(j, &j->node[0], "arguments", JSON_OBJECT);
	for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
		if (strcmp(n->string, requests[i].name))
			continue;
		requests[i].run(j, args, reply);
		return;
	}
	error(reply, "unknown execute");
}

bool api_answer(const char *request, size_t len, bool is_all,
		char reply[API_REPLY_MAX])
{
	static struct json j;

	if (len >= API_REQUEST_MAX)
		error(reply, "too large message");
	else if (json_parse(&j, request, len))
		run(&j, reply);
	else if (is_all)
		error(reply, "cannot parse JSON");
	else
		return false;
	return true;
}
