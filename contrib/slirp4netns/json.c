/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - read one JSON text into a table
 *
 * For requests of a few members: what is larger than the table, or nested
 * deeper than anybody needs, is refused like what is malformed. Strings are
 * decoded into memory of the table, where they end in NUL, so that a NUL within
 * is refused; so are keys that appear twice. Whether strings are valid UTF-8 is
 * not looked at.
 *
 * RFC 8259.
 */
#include "contrib/slirp4netns/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "util.h"

#define NUMBER_MAX	63

static bool value(struct json *j, struct rd *r, unsigned parent,
		  const char *key, unsigned depth);

static int peek(const struct rd *r)
{
	return rd_more(r) ? *r->p : -1;
}

static bool next_is_one_of(const struct rd *r, const char *set)
{
	int c = peek(r);

	return c > 0 && strchr(set, c);
}

static void skip_blanks(struct rd *r)
{
	while (next_is_one_of(r, " \t\n\r"))
		rd_skip(r, 1);
}

static bool take(struct rd *r, char c)
{
	skip_blanks(r);
	if (peek(r) != c)
		return false;
	rd_skip(r, 1);
	return true;
}

/* --- strings --- */

static bool text_put(struct json *j, uint32_t byte)
{
	if (j->text_len == sizeof(j->text))
		return false;
	j->text[j->text_len++] = (char)byte;
	return true;
}

static bool text_put_utf8(struct json *j, uint32_t c)
{
	if (c < 0x80)
		return c && text_put(j, c);
	if (c < 0x800)
		return text_put(j, 0xc0 | c >> 6) &&
		       text_put(j, 0x80 | (c & 0x3f));
	if (c < 0x10000)
		return text_put(j, 0xe0 | c >> 12) &&
		       text_put(j, 0x80 | (c >> 6 & 0x3f)) &&
		       text_put(j, 0x80 | (c & 0x3f));
	return text_put(j, 0xf0 | c >> 18) &&
	       text_put(j, 0x80 | (c >> 12 & 0x3f)) &&
	       text_put(j, 0x80 | (c >> 6 & 0x3f)) &&
	       text_put(j, 0x80 | (c & 0x3f));
}

static bool hex4(struct rd *r, uint32_t *out)
{
	char digits[] = "0x0000";
	uint64_t n;

	rd_bytes(r, digits + 2, 4);
	if (!rd_ok(r) || !parse_u64(digits, UINT16_MAX, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

/* Beyond 16 bits as two halves, RFC 8259 7. */
static bool unicode(struct json *j, struct rd *r)
{
	uint32_t c, low;

	if (!hex4(r, &c) || (c >= 0xdc00 && c < 0xe000))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (rd_u8(r) != '\\' || rd_u8(r) != 'u' || !hex4(r, &low) ||
		    low < 0xdc00 || low >= 0xe000)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	}
	return text_put_utf8(j, c);
}

static bool escape(struct json *j, struct rd *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t c = rd_u8(r);
	const char *at = memchr(from, c, sizeof(from) - 1);

	if (c == 'u')
		return unicode(j, r);
	return at && text_put(j, (uint8_t)to[at - from]);
}

/* NULL: not a string. */
static const char *string(struct json *j, struct rd *r)
{
	const char *start = j->text + j->text_len;

	if (!take(r, '"'))
		return NULL;
	while (rd_more(r)) {
		uint8_t c = rd_u8(r);

		if (c == '"')
			return text_put(j, '\0') ? start : NULL;
		if (c < ' ' || !(c == '\\' ? escape(j, r) : text_put(j, c)))
			return NULL;
	}
	return NULL;
}

/* --- numbers --- */

/* RFC 8259 6; strtod() alone takes more. */
static bool is_number(const char *s)
{
	s += *s == '-';
	if (*s == '0')
		s++;
	else if (strspn(s, "0123456789"))
		s += strspn(s, "0123456789");
	else
		return false;
	if (*s == '.') {
		if (!strspn(s + 1, "0123456789"))
			return false;
		s += 1 + strspn(s + 1, "0123456789");
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		return *s && !s[strspn(s, "0123456789")];
	}
	return !*s;
}

static bool number(struct rd *r, double *out)
{
	char text[NUMBER_MAX + 1];
	size_t len = 0;

	while (next_is_one_of(r, "+-.0123456789eE")) {
		if (len == NUMBER_MAX)
			return false;
		text[len++] = (char)rd_u8(r);
	}
	text[len] = '\0';
	*out = strtod(text, NULL);
	return is_number(text);
}

/* --- values --- */

static const struct {
	const char *text;
	enum json_type type;
} words[] = {
	{ "null", JSON_NULL },
	{ "false", JSON_FALSE },
	{ "true", JSON_TRUE },
};

static bool word(struct rd *r, enum json_type *type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i].text);

		if (r->len < len || memcmp(r->p, words[i].text, len))
			continue;
		rd_skip(r, len);
		*type = words[i].type;
		return true;
	}
	return false;
}

static bool is_there(const struct json *j, unsigned parent, const char *key)
{
	for (unsigned i = 1; i < j->cnt; i++)
		if (j->node[i].parent == parent &&
		    !strcmp(j->node[i].key, key))
			return true;
	return false;
}

static bool object(struct json *j, struct rd *r, unsigned at, unsigned depth)
{
	if (take(r, '}'))
		return true;
	do {
		const char *key;

		skip_blanks(r);
		key = string(j, r);
		if (!key || is_there(j, at, key) || !take(r, ':') ||
		    !value(j, r, at, key, depth + 1))
			return false;
	} while (take(r, ','));
	return take(r, '}');
}

static bool array(struct json *j, struct rd *r, unsigned at, unsigned depth)
{
	if (take(r, ']'))
		return true;
	do {
		if (!value(j, r, at, NULL, depth + 1))
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

static bool value(struct json *j, struct rd *r, unsigned parent,
		  const char *key, unsigned depth)
{
	unsigned at = j->cnt;
	struct json_node *n = &j->node[at];

	if (at == JSON_NODES_MAX || depth == JSON_DEPTH_MAX)
		return false;
	*n = (struct json_node) { .parent = parent, .key = key };
	j->cnt++;

	skip_blanks(r);
	if (take(r, '{')) {
		n->type = JSON_OBJECT;
		return object(j, r, at, depth);
	}
	if (take(r, '[')) {
		n->type = JSON_ARRAY;
		return array(j, r, at, depth);
	}
	if (peek(r) == '"') {
		n->type = JSON_STRING;
		n->string = string(j, r);
		return n->string;
	}
	if (word(r, &n->type))
		return true;
	n->type = JSON_NUMBER;
	return number(r, &n->number);
}

bool json_parse(struct json *j, const char *s, size_t len)
{
	struct rd r = rd_init(s, len);

	j->cnt = 0;
	j->text_len = 0;
	return value(j, &r, 0, NULL, 0);
}

const struct json_node *json_get(const struct json *j,
				 const struct json_node *object,
				 const char *key, enum json_type type)
{
	for (unsigned i = 1; i < j->cnt; i++) {
		const struct json_node *n = &j->node[i];

		if (n->type == type && n->key &&
		    &j->node[n->parent] == object && !strcmp(n->key, key))
			return n;
	}
	return NULL;
}
