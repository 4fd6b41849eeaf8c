/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwd.h - who is reached where, as whom: the one policy point
 *
 * Pure functions from an initiating side to a target side. Everything they
 * depend on is in struct fwd_env; nothing else decides who may reach whom.
 */
#ifndef FWD_H
#define FWD_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "flow.h"

struct fwd_env {
	const struct conf *c;
	struct addr seen[FAM_COUNT];	/* last source address seen on the link */
	struct addr seen_ll;		/* last link-local source */
	struct addr dns_host[FAM_COUNT];	/* resolver; unspecified: none */
};

enum fwd_verdict {
	FWD_OK,
	FWD_REFUSED,		/* policy, or nothing to reach it by */
	FWD_BAD_ADDRESS,	/* not an address or port one can use */
};

/* All take side 0 complete, and fill side 1 complete except what only the
 * kernel can choose (our address or port left unspecified or zero). */

/* tgt->pif is always PIF_HOST. */
enum fwd_verdict fwd_from_tap(const struct fwd_env *env, uint8_t proto,
			      const struct side *ini, struct side *tgt);
/* ini->pif is PIF_HOST, @rule matched. tgt->pif: PIF_TAP or PIF_SPLICE.
 * For PIF_TAP tgt->ours is the source the guest is shown, tgt->theirs the
 * guest. */
enum fwd_verdict fwd_from_host(const struct fwd_env *env, uint8_t proto,
			       const struct fwd_rule *rule,
			       const struct side *ini, struct side *tgt);
/* From a listener in the namespace. */
enum fwd_verdict fwd_from_splice(const struct fwd_env *env, uint8_t proto,
				 const struct fwd_rule *rule,
				 const struct side *ini, struct side *tgt);
/* A host-side address as the guest knows it; false: cannot be shown.
 * For ICMP errors and neighbours. */
bool fwd_host_to_guest(const struct fwd_env *env, const struct addr *host,
		       struct addr *guest);
/* Nobody listens at @tgt, to which a connection to loopback was to go: whether
 * there is another way, of the other family, which @tgt then is. */
bool fwd_splice_again(const struct fwd_env *env, struct side *tgt);
/* The first rule that covers this, or NULL. */
const struct fwd_rule *fwd_match(const struct fwd_table *t, uint8_t proto,
				 const struct addr *ours, uint16_t port);

/* The process's own environment; seen addresses start as the assigned ones. */
void fwd_init(void);
/* The guest's side turned out to lack this family. */
void fwd_forget(enum fam fam);
const struct fwd_env *fwd_env(void);
/* A packet from the guest, already parsed: learn its source address. */
void fwd_guest_seen(const struct addr *src);
/* Redirected DNS goes there from now on. */
void fwd_set_resolver(enum fam fam, const struct addr *host);

/* "-t" and friends, as pasta(1) has them under PORT FORWARDING. Appends the
 * rules @spec stands for to @t. False: @errbuf says what is wrong, naming the
 * offending part. */
struct fwd_spec_ctx {
	const struct conf *c;	/* families, protocols, ephemeral range */
	uint8_t proto;
	bool outbound;		/* -T, -U */
	bool can_auto;		/* pasta */
	uint8_t spec;		/* number of this option */
};
bool fwd_parse_spec(struct fwd_table *t, const struct fwd_spec_ctx *ctx,
		    const char *spec, char *errbuf, size_t errlen);
/* Append a rule that somebody else made up, after the same checks; ctx->proto
 * is the rule's. */
bool fwd_rule_add(struct fwd_table *t, const struct fwd_spec_ctx *ctx,
		  const struct fwd_rule *r, char *errbuf, size_t errlen);
/* Whether both listen on the same address and interface, whatever the ports;
 * and whether they are equal in all that is ever told of them. */
bool fwd_rule_same_place(const struct fwd_rule *a, const struct fwd_rule *b);
bool fwd_rule_eq(const struct fwd_rule *a, const struct fwd_rule *b);
/* As the summary and pesto(1) show it. Returns @buf. */
const char *fwd_rule_str(const struct fwd_rule *r, char *buf, size_t len);

#endif
