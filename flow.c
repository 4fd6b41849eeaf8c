/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.c - the table of conversations: allocate, find, wake, free
 *
 * Owns the slots, the hash over their sides, and the lists of flows that want
 * to run. Never knows what a flow does: that is its type's row in flow_ops.
 * Never moves a slot, and keeps no pointer in one.
 *
 * All of it is static memory the kernel provides on first touch. Slots are
 * taken from the most recently recycled ones, else from the first never used,
 * so memory in use follows the largest number of flows there has been at once.
 *
 *   never used --alloc--> in use --free--> limbo --end of turn--> free
 *                           ^                                      |
 *                           +------------------alloc---------------+
 *
 * Limbo is what lets a handler hold on to a slot number for the rest of the
 * turn: it finds the flow, or a free slot, never somebody else's flow. Events
 * from later turns are told apart by the slot's generation.
 *
 * The hash is open addressing with linear probing, at most half full, and
 * deletion that closes the gap (Knuth 6.4, algorithm R), so that there are no
 * tombstones to sweep. An entry carries some bits of the hash besides the
 * reference: nearly all mismatches are settled without touching the flow.
 */
#include "flow.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "timer.h"
#include "util.h"

#define HASH_BITS	19
#define HASH_SIZE	(1u << HASH_BITS)
#define HASH_MASK	(HASH_SIZE - 1)
#define REF_BITS	18	/* slot << 1 | side */
#define REF_MASK	((1u << REF_BITS) - 1)

/* Heads of the lists: slots behind the last flow, so that unlinking a flow
 * need not know which list it is on. */
enum {
	LIST_READY = FLOW_MAX,	/* to be run at the end of this turn */
	LIST_RUNNING,		/* being run */
	LIST_LINK,		/* waiting for room on the link */
	LIST_END
};

enum { QUEUED_NOT, QUEUED_READY, QUEUED_LINK };

union slot {
	struct flow f;
	uint8_t bytes[FLOW_SLOT];
};

_Static_assert(FLOW_MAX == TIMER_FLOWS, "flow n owns timer n");
_Static_assert(FLOW_MAX << 1 <= 1u << REF_BITS, "a reference must fit");
_Static_assert(FLOW_MAX * 2 * 2 <= HASH_SIZE, "hash at most half full");
_Static_assert(sizeof(union slot) == FLOW_SLOT, "slot size");

static _Alignas(64) union slot table[LIST_END];
static uint32_t hash[HASH_SIZE];	/* 0: empty */

static const struct flow_ops *ops;
static struct siphash_key key;
static unsigned count[FLOW_TYPE_COUNT];

static uint32_t used_end;		/* no slot from here on was ever used */
static uint32_t free_first = FLOW_NONE;
static uint32_t limbo_first = FLOW_NONE, limbo_last = FLOW_NONE;

static const char *const type_name[FLOW_TYPE_COUNT] = {
#define X(name, text) [FLOW_##name] = text,
	FLOW_TYPES(X)
#undef X
};

static const uint8_t type_proto[] = {
	[FLOW_FREE] = 0,
	[FLOW_TCP] = IPPROTO_TCP,
	[FLOW_SPLICE] = IPPROTO_TCP,
	[FLOW_UDP] = IPPROTO_UDP,
	[FLOW_PING4] = IPPROTO_ICMP,
	[FLOW_PING6] = IPPROTO_ICMPV6,
};
_Static_assert(ARRAY_SIZE(type_proto) == FLOW_TYPE_COUNT, "one row a type");

static struct flow *slot(uint32_t idx)
{
	return &table[idx].f;
}

uint32_t flow_idx(const struct flow *f)
{
	return (uint32_t)((const union slot *)f - table);
}

struct flow *flow_at(uint32_t idx)
{
	if (idx >= used_end || slot(idx)->type == FLOW_FREE)
		return NULL;
	return slot(idx);
}

unsigned flow_count(enum flow_type type)
{
	return count[type];
}

/* --- lists --- */

static void list_init(uint32_t head)
{
	slot(head)->next = slot(head)->prev = head;
}

static void list_append(uint32_t head, struct flow *f)
{
	uint32_t idx = flow_idx(f), last = slot(head)->prev;

	f->next = head;
	f->prev = last;
	slot(last)->next = idx;
	slot(head)->prev = idx;
}

static void list_unlink(struct flow *f)
{
	slot(f->prev)->next = f->next;
	slot(f->next)->prev = f->prev;
	f->queued = QUEUED_NOT;
}

static bool list_empty(uint32_t head)
{
	return slot(head)->next == head;
}

/* Everything on @from goes behind what is on @to. */
static void list_move(uint32_t to, uint32_t from)
{
	uint32_t first = slot(from)->next, last = slot(from)->prev;

	if (list_empty(from))
		return;
	slot(first)->prev = slot(to)->prev;
	slot(slot(to)->prev)->next = first;
	slot(last)->next = to;
	slot(to)->prev = last;
	list_init(from);
}

void flow_ready(struct flow *f)
{
	if (f->queued == QUEUED_READY)
		return;
	if (f->queued == QUEUED_LINK)
		list_unlink(f);
	f->queued = QUEUED_READY;
	list_append(LIST_READY, f);
}

/* One that is to run anyway will find out for itself. */
void flow_wait_link(struct flow *f)
{
	if (f->queued != QUEUED_NOT)
		return;
	f->queued = QUEUED_LINK;
	list_append(LIST_LINK, f);
}

void flow_link_writable(void)
{
	for (uint32_t i = slot(LIST_LINK)->next; i != LIST_LINK;
	     i = slot(i)->next)
		slot(i)->queued = QUEUED_READY;
	list_move(LIST_READY, LIST_LINK);
}

/* Slots freed during this turn can be used in the next. */
static void limbo_recycle(void)
{
	if (limbo_first == FLOW_NONE)
		return;
	slot(limbo_last)->next = free_first;
	free_first = limbo_first;
	limbo_first = limbo_last = FLOW_NONE;
}

/* What becomes ready from here on, by this very work too, waits for the next
 * turn: events come first. */
bool flow_run_ready(void)
{
	list_move(LIST_RUNNING, LIST_READY);
	while (!list_empty(LIST_RUNNING)) {
		struct flow *f = slot(slot(LIST_RUNNING)->next);

		list_unlink(f);
		if (ops[f->type].work && ops[f->type].work(f) &&
		    f->type != FLOW_FREE)
			flow_ready(f);
	}
	limbo_recycle();
	return !list_empty(LIST_READY);
}

/* --- life --- */

int flow_init(const struct flow_ops rows[FLOW_TYPE_COUNT])
{
	ops = rows;
	for (uint32_t head = LIST_READY; head < LIST_END; head++)
		list_init(head);
	/* Without a secret, who knows our addresses could fill one bucket, and
	 * guess sequence numbers: not a state to go on in. */
	return getrandom(&key, sizeof(key), 0) == sizeof(key) ? 0 : -errno;
}

struct flow *flow_alloc(enum flow_type type)
{
	uint32_t idx = free_first;
	struct flow *f;
	uint16_t gen;

	assert(type != FLOW_FREE);
	if (idx != FLOW_NONE) {
		free_first = slot(idx)->next;
	} else if (used_end < FLOW_MAX) {
		idx = used_end++;
	} else {
		drop(DROP_TABLE_FULL);
		return NULL;
	}

	f = slot(idx);
	gen = f->gen;
	memset(&table[idx], 0, sizeof(table[idx]));
	f->gen = (uint16_t)(gen + 1);
	f->type = (uint8_t)type;
	count[type]++;
	return f;
}

void flow_free(struct flow *f)
{
	uint32_t idx = flow_idx(f);

	assert(f->type != FLOW_FREE);
	for (unsigned side = 0; side < 2; side++)
		if (f->hashed & 1u << side)
			flow_hash_remove(f, side);
	if (f->queued != QUEUED_NOT)
		list_unlink(f);
	timer_cancel(idx);
	count[f->type]--;
	f->type = FLOW_FREE;

	f->next = limbo_first;
	if (limbo_first == FLOW_NONE)
		limbo_last = idx;
	limbo_first = idx;
}

void flow_each(enum flow_type type, void (*fn)(struct flow *f))
{
	for (uint32_t idx = 0; idx < used_end; idx++)
		if (slot(idx)->type == type)
			fn(slot(idx));
}

/* --- finding --- */

uint64_t flow_hash(uint8_t proto, const struct side *s)
{
	const uint64_t words[] = {
		s->ours.q[0], s->ours.q[1], s->theirs.q[0], s->theirs.q[1],
		(uint64_t)proto << 40 | (uint64_t)s->pif << 32 |
		(uint32_t)s->our_port << 16 | s->their_port,
	};

	return siphash(&key, words, ARRAY_SIZE(words));
}

static uint32_t hash_home(uint64_t h)
{
	return (uint32_t)h & HASH_MASK;
}

/* Bits that did not choose the place, above the reference; never all zero, so
 * that an entry differs from an empty one. */
static uint32_t hash_tag(uint64_t h)
{
	uint32_t tag = (uint32_t)(h >> 32) & ~REF_MASK;

	return tag ? tag : 1u << REF_BITS;
}

static struct flow *entry_flow(uint32_t entry)
{
	return slot((entry & REF_MASK) >> 1);
}

static uint32_t entry_home(uint32_t entry)
{
	const struct flow *f = entry_flow(entry);

	return hash_home(flow_hash(type_proto[f->type], &f->side[entry & 1]));
}

static bool side_eq(const struct side *a, const struct side *b)
{
	return a->our_port == b->our_port && a->their_port == b->their_port &&
	       a->pif == b->pif && addr_eq(&a->theirs, &b->theirs) &&
	       addr_eq(&a->ours, &b->ours);
}

void flow_hash_insert(struct flow *f, unsigned side)
{
	uint64_t h = flow_hash(type_proto[f->type], &f->side[side]);
	uint32_t i = hash_home(h);

	assert(!(f->hashed & 1u << side));
	while (hash[i])
		i = (i + 1) & HASH_MASK;
	hash[i] = hash_tag(h) | flow_idx(f) << 1 | side;
	f->hashed |= (uint8_t)(1u << side);
}

/* Close the gap at @gap: an entry further on may move into it unless that is
 * before the place it would like best. */
static void hash_close_gap(uint32_t gap)
{
	for (uint32_t i = (gap + 1) & HASH_MASK; hash[i];
	     i = (i + 1) & HASH_MASK) {
		uint32_t home = entry_home(hash[i]);

		if (((i - home) & HASH_MASK) < ((i - gap) & HASH_MASK))
			continue;
		hash[gap] = hash[i];
		gap = i;
	}
	hash[gap] = 0;
}

void flow_hash_remove(struct flow *f, unsigned side)
{
	uint64_t h = flow_hash(type_proto[f->type], &f->side[side]);
	uint32_t entry = hash_tag(h) | flow_idx(f) << 1 | side;
	uint32_t i = hash_home(h);

	assert(f->hashed & 1u << side);
	while (hash[i] != entry) {
		assert(hash[i]);	/* a side changed while hashed */
		i = (i + 1) & HASH_MASK;
	}
	hash_close_gap(i);
	f->hashed &= (uint8_t)~(1u << side);
}

struct flow *flow_find(uint8_t proto, const struct side *want, unsigned *side)
{
	uint64_t h = flow_hash(proto, want);
	uint32_t tag = hash_tag(h);

	for (uint32_t i = hash_home(h); hash[i]; i = (i + 1) & HASH_MASK) {
		struct flow *f = entry_flow(hash[i]);
		unsigned s = hash[i] & 1;

		if ((hash[i] & ~REF_MASK) != tag ||
		    type_proto[f->type] != proto ||
		    !side_eq(&f->side[s], want))
			continue;
		if (side)
			*side = s;
		return f;
	}
	return NULL;
}

/* --- events --- */

struct ev flow_ev(const struct flow *f, enum ev_kind kind, unsigned side)
{
	return (struct ev) {
		.kind = (uint8_t)kind,
		.side = (uint8_t)side,
		.gen = f->gen,
		.slot = flow_idx(f),
	};
}

void flow_handle(struct ev ev, uint32_t events)
{
	struct flow *f = flow_at(ev.slot);

	if (f && f->gen == ev.gen && ops[f->type].event)
		ops[f->type].event(f, ev.side, events);
}

void flow_expire(uint32_t timer_id)
{
	struct flow *f = flow_at(timer_id);

	if (f && ops[f->type].expire)
		ops[f->type].expire(f);
}

/* --- names in logs --- */

static const char *const pif_name[PIF_COUNT] = {
	[PIF_NONE] = "?",
	[PIF_HOST] = "HOST",
	[PIF_TAP] = "TAP",
	[PIF_SPLICE] = "SPLICE",
};

/* Endpoint, our end there => our end on the other side, endpoint there. */
static void log_sides(const struct flow *f, enum log_level level)
{
	const struct side *ini = &f->side[SIDE_INI], *tgt = &f->side[SIDE_TGT];
	char a[4][ADDR_PORT_STRLEN];

	addr_port_str(&ini->theirs, ini->their_port, a[0]);
	addr_port_str(&ini->ours, ini->our_port, a[1]);
	if (tgt->pif == PIF_NONE) {
		log_msg(level, "    %s %s -> %s => ?", pif_name[ini->pif],
			a[0], a[1]);
		return;
	}
	addr_port_str(&tgt->ours, tgt->our_port, a[2]);
	addr_port_str(&tgt->theirs, tgt->their_port, a[3]);
	log_msg(level, "    %s %s -> %s => %s %s -> %s", pif_name[ini->pif],
		a[0], a[1], pif_name[tgt->pif], a[2], a[3]);
}

void flow_log(const struct flow *f, enum log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(level, "Flow %u (%s): %s", flow_idx(f), type_name[f->type],
		text);
	if (level <= LOG_LVL_DEBUG)
		log_sides(f, level);
}
