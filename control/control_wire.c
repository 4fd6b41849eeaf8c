/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_wire.c - rules and tables as bytes, and back
 *
 * Integers are big-endian, names are padded with zeroes, addresses are those of
 * struct addr. Sizes never vary, so a reader knows what to wait for. There is
 * no length in front of anything and no room for more fields: whoever wants
 * some makes a version 3.
 *
 * Pure. What a rule says is judged by fwd_rule_add(); here only what could not
 * even be held: a name without an end, or one that would not print as a line.
 */
#include "control/control_wire.h"

#include <string.h>

static const uint8_t magic[8] = "basil:s";

void ctl_put_greeting(struct wr *w)
{
	wr_bytes(w, magic, sizeof(magic));
	wr_be32(w, CTL_VERSION);
	wr_be32(w, CTL_PIF_NAME);
	wr_be32(w, IFNAMSIZ);
}

const char *ctl_get_greeting(struct rd *r)
{
	uint8_t theirs[sizeof(magic)];
	uint32_t version, pif_name, if_name;

	rd_bytes(r, theirs, sizeof(theirs));
	version = rd_be32(r);
	pif_name = rd_be32(r);
	if_name = rd_be32(r);
	if (!rd_ok(r) || memcmp(theirs, magic, sizeof(magic)))
		return "not a control socket";
	if (!version || version > CTL_VERSION)
		return "it speaks another version of the protocol";
	if (pif_name != CTL_PIF_NAME || if_name != IFNAMSIZ)
		return "its names have other sizes";
	return NULL;
}

void ctl_put_table(struct wr *w, const struct ctl_table *t)
{
	size_t len = strnlen(t->name, sizeof(t->name) - 1);

	wr_u8(w, t->pif);
	wr_bytes(w, t->name, len);
	wr_zero(w, CTL_PIF_NAME - len);
	wr_be32(w, t->caps);
	wr_be32(w, t->cnt);
}

/* Whether it would print as a part of a line. */
static bool is_line(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

bool ctl_get_table(struct rd *r, struct ctl_table *t)
{
	rd_bytes(r, t->name, sizeof(t->name));
	t->caps = rd_be32(r);
	t->cnt = rd_be32(r);
	return rd_ok(r) && memchr(t->name, 0, sizeof(t->name)) &&
	       is_line(t->name);
}

void ctl_put_rule(struct wr *w, const struct fwd_rule *r)
{
	size_t len = strnlen(r->ifname, sizeof(r->ifname) - 1);

	wr_bytes(w, r->listen.b, sizeof(r->listen.b));
	wr_bytes(w, r->target.b, sizeof(r->target.b));
	wr_bytes(w, r->ifname, len);
	wr_zero(w, IFNAMSIZ - len);
	wr_be16(w, r->first);
	wr_be16(w, r->last);
	wr_be16(w, r->to);
	wr_u8(w, r->proto);
	wr_u8(w, r->flags);
}

/* Names of interfaces may well be UTF-8. */
static bool ifname_ok(const char *name)
{
	return strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/') &&
	       !strchr(name, ' ') && is_line(name);
}

bool ctl_get_rule(struct rd *r, struct fwd_rule *rule)
{
	char name[IFNAMSIZ] = "";

	*rule = (struct fwd_rule) { 0 };
	rd_bytes(r, rule->listen.b, sizeof(rule->listen.b));
	rd_bytes(r, rule->target.b, sizeof(rule->target.b));
	rd_bytes(r, name, sizeof(name));
	rule->first = rd_be16(r);
	rule->last = rd_be16(r);
	rule->to = rd_be16(r);
	rule->proto = rd_u8(r);
	rule->flags = rd_u8(r);
	if (!rd_ok(r) || name[IFNAMSIZ - 1] || !ifname_ok(name))
		return false;
	memcpy(rule->ifname, name, strlen(name));
	return true;
}

void ctl_put_update(struct wr *w, uint8_t pif, const struct fwd_table *t)
{
	wr_u8(w, pif);
	wr_be32(w, t->cnt);
	for (unsigned i = 0; i < t->cnt; i++)
		ctl_put_rule(w, &t->rule[i]);
}
