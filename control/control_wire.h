/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_wire.h - bytes of the control protocol, version 2
 *
 *	server				client
 *	greeting
 *	{ table header, rules }...
 *	0				{ pif, count, rules }...
 *					0
 *	[ why not ]
 *	end of file
 *
 * The last text is ours: there is none if the update was taken. Clients that do
 * not know of it have gone by then.
 */
#ifndef CONTROL_WIRE_H
#define CONTROL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"

#define CTL_VERSION	2u
#define CTL_PIF_NAME	128u
#define CTL_TABLES_MAX	3u
#define CTL_GREETING	20u
#define CTL_TABLE	(1 + CTL_PIF_NAME + 4 + 4)
#define CTL_MENTION	(1 + 4)		/* head of a table in an update */
#define CTL_RULE	56u
#define CTL_WHY_MAX	1024u		/* bytes of the text at the end */

#define CTL_CAP_IPV4	1u
#define CTL_CAP_IPV6	2u
#define CTL_CAP_TCP	4u
#define CTL_CAP_UDP	8u
#define CTL_CAP_AUTO	16u
#define CTL_CAP_DEVICE	32u

struct ctl_table {			/* header; rules follow */
	uint8_t pif;			/* 0: there are no more */
	char name[CTL_PIF_NAME];
	uint32_t caps, cnt;
};

void ctl_put_greeting(struct wr *w);
void ctl_put_table(struct wr *w, const struct ctl_table *t);
void ctl_put_rule(struct wr *w, const struct fwd_rule *r);
/* One table of an update, rules and all. */
void ctl_put_update(struct wr *w, uint8_t pif, const struct fwd_table *t);

/* NULL, or what is wrong with it. */
const char *ctl_get_greeting(struct rd *r);
/* Without the number of the interface, which came before. False: the name does
 * not end, or has control characters. */
bool ctl_get_table(struct rd *r, struct ctl_table *t);
/* False: the name of the interface is none. Nothing else is judged. */
bool ctl_get_rule(struct rd *r, struct fwd_rule *rule);

#endif
