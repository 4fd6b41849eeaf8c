/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name.c - domain names as DNS writes them: labels behind their lengths
 *
 *	"lab.example"	->	3 l a b 7 e x a m p l e 0
 *
 * Names come from the command line or from the host's resolv.conf. A dot at
 * the end is the same name; what is no name at all (empty labels, labels above
 * 63 bytes) is refused whole, as half of it would be another name.
 *
 * Compressed, the tail of a name that occurred before is a pointer to it,
 * counted from where the caller says its option begins.
 *
 * RFC 1035 3.1, 4.1.4; RFC 3397 2.
 */
#include "services/services.h"

#include <string.h>

#define LABEL_MAX	63
#define NAME_MAX_	255	/* bytes on the wire, root included */
#define POINTER		0xc000u	/* the upper two bits of a length */
#define POINTER_MAX	0x3fffu

static bool encode(struct wr *w, const char *name)
{
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!len || len > LABEL_MAX)
			return false;
		wr_u8(w, (uint8_t)len);
		wr_bytes(w, name, len);
		name += len;
		if (*name == '.')
			name++;
		if (!*name)
			break;
	}
	wr_u8(w, 0);
	return wr_ok(w);
}

/* Length on the wire, or 0. */
static size_t name_encode(uint8_t out[NAME_MAX_], const char *name)
{
	struct wr w = wr_init(out, NAME_MAX_);

	return encode(&w, name) ? NAME_MAX_ - w.left : 0;
}

bool name_put(struct wr *w, const char *name)
{
	uint8_t wire[NAME_MAX_];
	size_t len = name_encode(wire, name);

	if (len)
		wr_bytes(w, wire, len);
	return len;
}

/* Whether the name at @at, which may end in a pointer, is @tail. What is in
 * @base was written here: pointers lead backwards, and to names. */
static bool same_tail(const uint8_t *base, size_t at, const uint8_t *tail)
{
	for (;;) {
		size_t len;

		while (base[at] > LABEL_MAX)
			at = get_be16(base + at) & POINTER_MAX;
		len = base[at] + 1u;
		if (base[at] != *tail || memcmp(base + at, tail, len))
			return false;
		if (len == 1)
			return true;
		at += len;
		tail += len;
	}
}

/* Where @tail occurs among the names of @base, or @size. */
static size_t find_tail(const uint8_t *base, size_t size, const uint8_t *tail)
{
	size_t at = 0;

	while (at < size && at <= POINTER_MAX) {
		uint8_t len = base[at];

		if (len > LABEL_MAX) {
			at += 2;
			continue;
		}
		if (len && same_tail(base, at, tail))
			return at;
		at += len + 1u;
	}
	return size;
}

bool name_put_compressed(struct wr *w, const uint8_t *base, const char *name)
{
	size_t size = (size_t)(w->p - base), len, at;
	uint8_t wire[NAME_MAX_];
	const uint8_t *tail = wire;

	len = name_encode(wire, name);
	if (!len || !wr_ok(w))
		return false;
	while (*tail) {
		at = find_tail(base, size, tail);
		if (at < size) {
			wr_bytes(w, wire, (size_t)(tail - wire));
			wr_be16(w, (uint16_t)(POINTER | at));
			return true;
		}
		tail += *tail + 1u;
	}
	wr_bytes(w, wire, len);
	return true;
}
