/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - one JSON text of limited size, read into a table (RFC 8259) */
#ifndef CONTRIB_SLIRP4NETNS_JSON_H
#define CONTRIB_SLIRP4NETNS_JSON_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_NODES_MAX	32u
#define JSON_DEPTH_MAX	8u
#define JSON_TEXT_MAX	4096u	/* what is decoded is never longer */

enum json_type {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_OBJECT,
	JSON_ARRAY,
};

struct json_node {
	enum json_type type;
	unsigned parent;	/* index; the root is its own */
	const char *key;	/* of a member of an object, or NULL */
	const char *string;
	double number;
};

struct json {
	unsigned cnt;
	struct json_node node[JSON_NODES_MAX];	/* the root comes first */
	size_t text_len;
	char text[JSON_TEXT_MAX];
};

/* False: not a value, not all of it, or too much. What follows the value is not
 * looked at. */
bool json_parse(struct json *j, const char *s, size_t len);
/* The member of that type of an object, or NULL. */
const struct json_node *json_get(const struct json *j,
				 const struct json_node *object,
				 const char *key, enum json_type type);

#endif
