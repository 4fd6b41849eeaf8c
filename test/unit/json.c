/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: contrib/slirp4netns/json addr buf util */
/* json.c - what is JSON and what is not, and what is found in it */
#include "contrib/slirp4netns/json.h"

#include "test/unit/test.h"
#include "util.h"

static struct json j;

static bool parses(const char *s)
{
	return json_parse(&j, s, strlen(s));
}

TEST(values_of_all_types_are_found_by_name)
{
	const struct json_node *root = &j.node[0], *in;

	OK(parses(" {\"a\" : \"x\", \"b\":-1.5e1,\"c\":true,\"d\":false,"
		  "\"e\":null,\"f\":[1,[],{}],\"g\":{\"a\":\"inner\"}}"));
	EQ(root->type, JSON_OBJECT);
	STREQ(json_get(&j, root, "a", JSON_STRING)->string, "x");
	OK(json_get(&j, root, "b", JSON_NUMBER)->number == -15);
	OK(json_get(&j, root, "c", JSON_TRUE));
	OK(json_get(&j, root, "d", JSON_FALSE));
	OK(json_get(&j, root, "e", JSON_NULL));
	OK(json_get(&j, root, "f", JSON_ARRAY));
	in = json_get(&j, root, "g", JSON_OBJECT);
	STREQ(json_get(&j, in, "a", JSON_STRING)->string, "inner");
}

TEST(what_is_not_there_or_of_another_type_is_not_found)
{
	OK(parses("{\"a\":\"1\",\"o\":{\"b\":1},\"l\":[{\"c\":1}]}"));
	OK(!json_get(&j, &j.node[0], "a", JSON_NUMBER));
	OK(!json_get(&j, &j.node[0], "b", JSON_NUMBER));
	OK(!json_get(&j, &j.node[0], "c", JSON_NUMBER));
	OK(!json_get(&j, &j.node[0], "", JSON_STRING));
	OK(!json_get(&j, NULL, "a", JSON_STRING));
}

TEST(escapes_become_what_they_stand_for)
{
	OK(parses("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20ac"
		  "\\ud83d\\ude00\"]"));
	STREQ(j.node[1].string, "\"\\/\b\f\n\r\tA\xc3\xa4\xe2\x82\xac"
	      "\xf0\x9f\x98\x80");
}

TEST(what_follows_the_value_is_not_looked_at)
{
	OK(parses("{\"a\":1}\n"));
	OK(parses("{} {"));
}

TEST(everything_else_is_refused)
{
	static const char *const wrong[] = {
		"", " ", "{", "[", "\"", "x", "nul", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "[1,]", "[1 2]",
		"[,]", "{]", "[}", "'a'", "[\"\\x\"]", "[\"\\u12\"]",
		"[\"\\u+123\"]", "[\"\\u0000\"]", "[\"\\ud800\"]",
		"[\"\\ud800x\"]", "[\"\\ud800\\u0041\"]", "[\"\\udc00\"]",
		"[\"a\nb\"]", "[01]", "[+1]", "[.5]", "[1.]", "[1e]", "[1e+]",
		"[--1]", "[-]", "[0x10]", "[1-1]", "[NaN]", "[Infinity]",
		"{\"a\":1,\"a\":2}", "[\"\\\"]",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		if (!OK(!parses(wrong[i])))
			printf("  %s\n", wrong[i]);
}

TEST(a_zero_byte_is_neither_blank_nor_part_of_a_number)
{
	OK(!json_parse(&j, "{\0}", 3));
	OK(!json_parse(&j, "[1\0]", 4));
	OK(!json_parse(&j, "[1\0,2]", 6));
}

TEST(every_beginning_of_a_text_is_refused)
{
	static const char text[] = "{\"execute\":\"a\\u00e4\",\"arguments\":"
				   "{\"n\":[1.5e3,true,null]}}";

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		OK(!json_parse(&j, text, len));
	OK(json_parse(&j, text, sizeof(text) - 1));
}

/* The first as many as fit, the second one more. */
static void fill(char *buf, const char *open, const char *each, unsigned cnt,
		 const char *close)
{
	strcpy(buf, open);
	for (unsigned i = 0; i < cnt; i++)
		strcat(buf, each);
	strcat(buf, close);
}

TEST(nodes_depth_and_digits_are_limited)
{
	char buf[512];

	fill(buf, "[0", ",0", JSON_NODES_MAX - 2, "]");
	OK(parses(buf));
	fill(buf, "[0", ",0", JSON_NODES_MAX - 1, "]");
	OK(!parses(buf));

	fill(buf, "", "[", JSON_DEPTH_MAX, "");
	strcat(buf, "]]]]]]]]");
	OK(parses(buf));
	fill(buf, "[", "[", JSON_DEPTH_MAX, "");
	strcat(buf, "]]]]]]]]]");
	OK(!parses(buf));

	fill(buf, "[1", "0", 62, "]");
	OK(parses(buf));
	fill(buf, "[1", "0", 63, "]");
	OK(!parses(buf));
}

TEST(strings_may_fill_all_the_room_and_no_more)
{
	static char buf[JSON_TEXT_MAX + 8];

	memset(buf, 'a', sizeof(buf));
	buf[0] = '"';
	buf[JSON_TEXT_MAX] = '"';
	OK(json_parse(&j, buf, sizeof(buf)));
	EQ(strlen(j.node[0].string), JSON_TEXT_MAX - 1);
	buf[JSON_TEXT_MAX] = 'a';
	buf[JSON_TEXT_MAX + 1] = '"';
	OK(!json_parse(&j, buf, sizeof(buf)));
}
