/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver.h - which of the host's resolvers is asked at the moment
 *
 * What fwd.c redirects DNS to. Whoever moves datagrams or connections says what
 * became of them; flows to anything else than the current resolver's port 53
 * may be told about as well, they make no difference.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "flow.h"

/* From conf; tells fwd.c, now and whenever the answer changes. */
void resolver_init(void);
/* The host's list has changed: new flows go by the new one. */
void resolver_replace(enum fam fam, const struct addr *list, unsigned cnt);

/* Unspecified: there is none. */
struct addr resolver_current(enum fam fam);

/* @host: the host's side of a flow; any flow will do. */
void resolver_asked(const struct side *host);	/* query sent, SYN sent */
void resolver_answered(const struct side *host); /* datagram, or connected */
void resolver_failed(const struct side *host);	/* refused, unreachable */
/* A redirected flow (its two sides) leads to a resolver that does not answer,
 * or is none any more, while there is another: what the guest sends next had
 * better start a new flow. */
bool resolver_moved(const struct side side[2]);

void resolver_expire(void);			/* TIMER_RESOLVER */

#endif
