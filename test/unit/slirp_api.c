/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: contrib/slirp4netns/api contrib/slirp4netns/json addr buf util */
/* slirp_api.c - requests of slirp4netns' API, and a pasta that agrees or not
 *
 * Replies are what slirp4netns 1.2.0 has answered, except where api.c says. The
 * list of forwarded ports is one for the process: tests begin by emptying it.
 */
#include "contrib/slirp4netns/api.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "conf.h"
#include "contrib/slirp4netns/rules.h"
#include "test/unit/test.h"
#include "util.h"

static struct fwd_table in_force;
static const char *refusal;
static char reply[API_REPLY_MAX];

bool rules_set(const struct fwd_table *t, char *why, size_t size)
{
	if (refusal)
		str_copy(why, size, refusal);
	else
		in_force = *t;
	return !refusal;
}

static const char *ask(const char *request)
{
	if (!api_answer(request, strlen(request), true, reply))
		strcpy(reply, "(nothing)");
	return reply;
}

static const char *add(const char *args)
{
	char request[1024];

	snprintf(request, sizeof(request),
		 "{\"execute\":\"add_hostfwd\",\"arguments\":{%s}}", args);
	return ask(request);
}

static const char *take_away(const char *id)
{
	char request[1024];

	snprintf(request, sizeof(request), "{\"execute\":\"remove_hostfwd\","
		 "\"arguments\":{\"id\":%s}}", id);
	return ask(request);
}

static unsigned id_of(const char *answer)
{
	unsigned id = 0;

	return sscanf(answer, "{\"return\":{\"id\":%u}}", &id) == 1 ? id : 0;
}

static void begin(bool with_ipv6)
{
	struct addr guest[FAM_COUNT] = { 0 };
	char id[16];

	addr_parse(&guest[FAM4], "10.0.2.100");
	if (with_ipv6)
		addr_parse(&guest[FAM6], "fd00::100");
	api_init(guest);
	refusal = NULL;
	for (unsigned i = 1; in_force.cnt && i < 10000; i++) {
		snprintf(id, sizeof(id), "%u", i);
		take_away(id);
	}
}

#define BAD(what)	"{\"error\":{\"desc\":\"bad request: " what "\"}}"
#define PORTS		"\"host_port\":8080,\"guest_port\":80"

TEST(a_port_is_added_with_addresses_by_default)
{
	const struct fwd_rule *r = &in_force.rule[0];
	char text[ADDR_STRLEN];

	begin(false);
	OK(id_of(add("\"proto\":\"tcp\"," PORTS)));
	EQ(in_force.cnt, 1);
	EQ(r->proto, IPPROTO_TCP);
	STREQ(addr_str(&r->listen, text), "0.0.0.0");
	STREQ(addr_str(&r->target, text), "10.0.2.100");
	EQ(r->first, 8080);
	EQ(r->last, 8080);
	EQ(r->to, 80);
	EQ(r->flags, 0);
}

TEST(addresses_are_what_the_request_says)
{
	const struct fwd_rule *r = &in_force.rule[0];
	char text[ADDR_STRLEN];

	begin(false);
	OK(id_of(add("\"proto\":\"udp\",\"host_addr\":\"127.0.0.1\","
		     "\"guest_addr\":\"10.0.2.7\"," PORTS)));
	EQ(r->proto, IPPROTO_UDP);
	STREQ(addr_str(&r->listen, text), "127.0.0.1");
	STREQ(addr_str(&r->target, text), "10.0.2.7");
}

TEST(numbers_are_never_given_twice)
{
	unsigned id;
	char text[16];

	begin(false);
	id = id_of(add("\"proto\":\"tcp\"," PORTS));
	snprintf(text, sizeof(text), "%u", id);
	STREQ(take_away(text), "{\"return\":{}}");
	EQ(in_force.cnt, 0);
	EQ(id_of(add("\"proto\":\"tcp\"," PORTS)), id + 1);
	STREQ(take_away(text), BAD("remove_hostfwd: bad arguments.id"));
	EQ(in_force.cnt, 1);
}

TEST(the_list_is_in_the_order_of_numbers)
{
	char expected[1024];
	unsigned id;

	begin(true);
	STREQ(ask("{\"execute\":\"list_hostfwd\"}"),
	      "{\"entries\":[],\"return\":{\"entries\":[]}}");
	id = id_of(add("\"proto\":\"tcp\"," PORTS));
	EQ(id_of(add("\"proto\":\"udp\",\"host_addr\":\"::1\"," PORTS)),
	   id + 1);
	snprintf(expected, sizeof(expected), "{\"entries\":["
		 "{\"id\":%u,\"proto\":\"tcp\",\"host_addr\":\"0.0.0.0\","
		 "\"host_port\":8080,\"guest_addr\":\"10.0.2.100\","
		 "\"guest_port\":80},"
		 "{\"id\":%u,\"proto\":\"udp\",\"host_addr\":\"::1\","
		 "\"host_port\":8080,\"guest_addr\":\"fd00::100\","
		 "\"guest_port\":80}],", id, id + 1);
	OK(!strncmp(ask("{\"execute\":\"list_hostfwd\",\"arguments\":5}"),
		    expected, strlen(expected)));
}

TEST(the_right_one_is_removed)
{
	char text[16];
	unsigned id;

	begin(false);
	id = id_of(add("\"proto\":\"tcp\",\"host_port\":1,\"guest_port\":1"));
	add("\"proto\":\"tcp\",\"host_port\":2,\"guest_port\":2");
	add("\"proto\":\"tcp\",\"host_port\":3,\"guest_port\":3");
	snprintf(text, sizeof(text), "%u.9", id + 1);
	STREQ(take_away(text), "{\"return\":{}}");
	EQ(in_force.cnt, 2);
	EQ(in_force.rule[0].first, 1);
	EQ(in_force.rule[1].first, 3);
	snprintf(text, sizeof(text), "%u", id + 2);
	STREQ(take_away(text), "{\"return\":{}}");
	EQ(in_force.rule[0].first, 1);
}

TEST(arguments_that_are_wrong_are_named)
{
	static const struct {
		const char *args, *name;
	} wrong[] = {
		{ PORTS, "proto" },
		{ "\"proto\":5," PORTS, "proto" },
		{ "\"proto\":\"TCP\"," PORTS, "proto" },
		{ "\"proto\":\"sctp\"," PORTS, "proto" },
		{ "\"proto\":\"tcp\",\"guest_port\":80", "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":80", "guest_port" },
		{ "\"proto\":\"tcp\",\"host_port\":\"1\",\"guest_port\":1",
		  "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":0,\"guest_port\":1",
		  "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":-5,\"guest_port\":1",
		  "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":65536,\"guest_port\":1",
		  "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":1e999,\"guest_port\":1",
		  "host_port" },
		{ "\"proto\":\"tcp\",\"host_port\":1,\"guest_port\":0.9",
		  "guest_port" },
		{ "\"proto\":\"tcp\",\"host_addr\":\"bogus\"," PORTS,
		  "host_addr" },
		{ "\"proto\":\"tcp\",\"host_addr\":\"::\"," PORTS,
		  "host_addr" },
		{ "\"proto\":\"tcp\",\"guest_addr\":\"bogus\"," PORTS,
		  "guest_addr" },
		{ "\"proto\":\"tcp\",\"guest_addr\":\"0.0.0.0\"," PORTS,
		  "guest_addr" },
	};

	begin(false);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected),
			 BAD("add_hostfwd: bad arguments.%s"), wrong[i].name);
		STREQ(add(wrong[i].args), expected);
	}
	EQ(in_force.cnt, 0);
}

TEST(arguments_of_another_type_are_as_if_not_there)
{
	begin(false);
	OK(id_of(add("\"proto\":\"tcp\",\"host_addr\":5,\"guest_addr\":null,"
		     "\"host_port\":8080.7,\"guest_port\":80")));
	EQ(in_force.rule[0].first, 8080);
}

TEST(both_addresses_are_of_one_family)
{
	begin(true);
	STREQ(add("\"proto\":\"tcp\",\"host_addr\":\"::\","
		  "\"guest_addr\":\"10.0.2.100\"," PORTS),
	      BAD("add_hostfwd: bad arguments.guest_addr"));
	STREQ(add("\"proto\":\"tcp\",\"guest_addr\":\"fd00::100\"," PORTS),
	      BAD("add_hostfwd: bad arguments.guest_addr"));
}

TEST(what_pasta_refuses_has_not_happened_and_says_why)
{
	unsigned id;
	char text[16];

	begin(false);
	id = id_of(add("\"proto\":\"tcp\"," PORTS));
	refusal = "say \"no\" \\ \n";
	STREQ(add("\"proto\":\"udp\"," PORTS),
	      BAD("add_hostfwd: slirp_add_hostfwd failed: say 'no' ' ?"));
	snprintf(text, sizeof(text), "%u", id);
	STREQ(take_away(text),
	      BAD("remove_hostfwd: slirp_remove_hostfwd failed: "
		  "say 'no' ' ?"));
	refusal = NULL;
	EQ(in_force.cnt, 1);
	EQ(id_of(add("\"proto\":\"udp\"," PORTS)), id + 1);
	EQ(in_force.cnt, 2);
}

TEST(as_many_ports_as_pasta_has_rules_and_all_are_listed)
{
	char args[128];
	size_t len;

	begin(false);
	for (unsigned i = 1; i <= RULES_MAX; i++) {
		snprintf(args, sizeof(args), "\"proto\":\"tcp\",\"host_addr\":"
			 "\"127.100.100.%u\",\"host_port\":%u,"
			 "\"guest_port\":65000", i % 250, 65000 + i);
		OK(id_of(add(args)));
	}
	STREQ(add("\"proto\":\"tcp\"," PORTS),
	      BAD("add_hostfwd: slirp_add_hostfwd failed: 255 ports at most"));
	len = strlen(ask("{\"execute\":\"list_hostfwd\"}"));
	OK(len > 5 && !strcmp(reply + len - 4, "}]}}"));
}

TEST(what_is_no_request_is_told_so)
{
	STREQ(ask("{\"execute\":\"bogus\"}"), BAD("unknown execute"));
	STREQ(ask("{\"execute\":\"bo\\\"gus\"}"), BAD("unknown execute"));
	STREQ(ask("{\"execute\":5}"), BAD("no execute found"));
	STREQ(ask("{\"EXECUTE\":\"list_hostfwd\"}"), BAD("no execute found"));
	STREQ(ask("{}"), BAD("no execute found"));
	STREQ(ask("[]"), BAD("json_object() failed"));
	STREQ(ask(""), BAD("cannot parse JSON"));
	STREQ(ask("{\"execute\":\"list_hostfwd\""), BAD("cannot parse JSON"));
	STREQ(ask("{\"execute\":\"remove_hostfwd\"}"),
	      BAD("remove_hostfwd: bad arguments.id"));
	STREQ(ask("{\"execute\":\"add_hostfwd\",\"arguments\":5}"),
	      BAD("add_hostfwd: bad arguments.proto"));
	STREQ(take_away("\"1\""), BAD("remove_hostfwd: bad arguments.id"));
	STREQ(take_away("-2"), BAD("remove_hostfwd: bad arguments.id"));
	STREQ(take_away("1e300"), BAD("remove_hostfwd: bad arguments.id"));
}

TEST(half_a_request_waits_for_the_rest)
{
	static const char half[] = "{\"execute\":";

	OK(!api_answer(half, sizeof(half) - 1, false, reply));
	OK(api_answer("{}", 2, false, reply));
}

TEST(less_than_4096_bytes_is_short_enough)
{
	static char request[API_REQUEST_MAX + 1];
	static const char text[] = "{\"execute\":\"bogus\"}";

	memset(request, ' ', API_REQUEST_MAX);
	memcpy(request + API_REQUEST_MAX - sizeof(text), text,
	       sizeof(text) - 1);
	request[API_REQUEST_MAX - 1] = '\0';
	STREQ(ask(request), BAD("unknown execute"));
	request[API_REQUEST_MAX - 1] = ' ';
	STREQ(ask(request), BAD("too large message"));
}
