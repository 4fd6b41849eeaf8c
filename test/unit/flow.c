/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: flow addr log timer util */
/* flow.c - a slot is whose it is; what is hashed is found, and only that;
 * who is ready runs once
 */
#include "flow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/unit/test.h"
#include "timer.h"

#define MANY	100000u

/* --- a type of flow that notes what it is told --- */

static uint32_t ran[64];
static unsigned ran_cnt;
static bool again;
static struct flow *free_in_work;
static struct flow *got_in_work;
static bool wait_in_work, alloc_in_work;

static bool note_work(struct flow *f)
{
	ran[ran_cnt++ % 64] = flow_idx(f);
	if (wait_in_work)
		flow_wait_link(f);
	if (free_in_work) {
		struct flow *victim = free_in_work;

		free_in_work = NULL;
		flow_free(victim);
	}
	if (alloc_in_work)
		got_in_work = flow_alloc(FLOW_UDP);
	return again;
}

static unsigned events_seen, last_side, expired;
static uint32_t last_events;

static void note_event(struct flow *f, unsigned side, uint32_t events)
{
	(void)f;
	events_seen++;
	last_side = side;
	last_events = events;
}

static void note_expire(struct flow *f)
{
	(void)f;
	expired++;
}

static const struct flow_ops rows[FLOW_TYPE_COUNT] = {
	[FLOW_TCP] = { note_work, note_expire, note_event },
};

static void start(void)
{
	flow_init(rows);
	ran_cnt = events_seen = expired = 0;
	again = wait_in_work = alloc_in_work = false;
	free_in_work = NULL;
}

static unsigned live(void)
{
	unsigned n = 0;

	for (unsigned t = FLOW_FREE + 1; t < FLOW_TYPE_COUNT; t++)
		n += flow_count(t);
	return n;
}

/* The @n-th of many sides, in either family, all different. */
static struct side nth_side(enum fam fam, uint32_t n)
{
	struct side s = {
		.our_port = (uint16_t)(n >> 16 | 0x100),
		.their_port = (uint16_t)n, .pif = PIF_TAP,
	};

	if (fam == FAM4) {
		s.ours = addr4(0xc0000201);
		s.theirs = addr4(0x0a000000 | n % 251);
	} else {
		s.ours = (struct addr) { .b = { 0x20, 1, [15] = 1 } };
		s.theirs = (struct addr) { .b = { 0xfd, [15] = n % 251 } };
	}
	return s;
}

/* --- slots --- */

TEST(a_new_flow_is_zeroed_and_of_its_type)
{
	static const uint8_t zero[FLOW_SLOT];
	struct flow *f;

	start();
	f = flow_alloc(FLOW_UDP);
	memset((uint8_t *)f + sizeof(*f), 0xa5, FLOW_SLOT - sizeof(*f));
	flow_free(f);
	flow_run_ready();

	f = flow_alloc(FLOW_TCP);
	EQ(f->type, FLOW_TCP);
	EQ(f->hashed, 0);
	MEMEQ(f->side, zero, sizeof(f->side));
	MEMEQ((uint8_t *)f + sizeof(*f), zero, FLOW_SLOT - sizeof(*f));
	EQ(flow_count(FLOW_TCP), 1);
	EQ(flow_count(FLOW_UDP), 0);
	OK(flow_at(flow_idx(f)) == f);
	flow_free(f);
	OK(!flow_at(flow_idx(f)));
	flow_run_ready();
	EQ(live(), 0);
}

TEST(a_freed_slot_is_reused_in_the_next_turn_but_not_in_this_one)
{
	struct flow *a, *b;
	uint32_t idx;

	start();
	a = flow_alloc(FLOW_TCP);
	idx = flow_idx(a);
	flow_free(a);
	b = flow_alloc(FLOW_TCP);
	OK(flow_idx(b) != idx);
	flow_run_ready();
	a = flow_alloc(FLOW_TCP);
	EQ(flow_idx(a), idx);
	flow_free(a);
	flow_free(b);
	flow_run_ready();
}

TEST(a_slot_freed_by_work_is_not_reused_by_later_work_of_that_turn)
{
	struct flow *a, *b, *c;

	start();
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	flow_ready(b);
	free_in_work = a;
	alloc_in_work = true;
	flow_run_ready();
	OK(got_in_work != a);
	c = flow_alloc(FLOW_TCP);	/* the next turn */
	OK(c == a);

	/* nor one freed by an event before */
	flow_free(got_in_work);
	flow_ready(b);
	flow_free(c);
	flow_run_ready();
	OK(got_in_work != a);
	flow_free(b);
	flow_free(got_in_work);
	flow_run_ready();
	EQ(live(), 0);
}

TEST(free_slots_are_taken_last_in_first_out)
{
	struct flow *f[8] = { NULL };
	uint32_t idx;

	start();
	for (int i = 0; i < 8; i++)
		f[i] = flow_alloc(FLOW_TCP);
	flow_free(f[3]);
	flow_free(f[6]);
	idx = flow_idx(f[6]);
	flow_run_ready();
	f[6] = flow_alloc(FLOW_TCP);
	EQ(flow_idx(f[6]), idx);
	f[3] = flow_alloc(FLOW_TCP);
	for (int i = 0; i < 8; i++)
		flow_free(f[i]);
	flow_run_ready();
}

TEST(an_event_for_a_slot_reused_since_is_ignored)
{
	struct flow *f;
	struct ev old, new;

	start();
	f = flow_alloc(FLOW_TCP);
	old = flow_ev(f, EV_TCP, 1);
	EQ(old.kind, EV_TCP);
	flow_handle(old, 5);
	EQ(events_seen, 1);
	EQ(last_side, 1);
	EQ(last_events, 5);

	flow_free(f);
	flow_handle(old, 5);
	EQ(events_seen, 1);
	flow_run_ready();

	f = flow_alloc(FLOW_TCP);
	new = flow_ev(f, EV_TCP, 0);
	EQ(new.slot, old.slot);
	flow_handle(old, 5);
	EQ(events_seen, 1);
	flow_handle(new, 7);
	EQ(events_seen, 2);
	EQ(last_side, 0);
	flow_free(f);
	flow_run_ready();
}

TEST(generations_differ_from_use_to_use)
{
	uint16_t last = 0;

	start();
	for (int i = 0; i < 70000; i++) {
		struct flow *f = flow_alloc(FLOW_TCP);

		OK(!i || f->gen != last);
		last = f->gen;
		flow_free(f);
		flow_run_ready();
	}
}

TEST(numbers_out_of_range_are_nobody)
{
	start();
	OK(!flow_at(FLOW_MAX));
	OK(!flow_at(FLOW_MAX + 1));
	OK(!flow_at(FLOW_NONE));
	flow_handle((struct ev) { .kind = EV_TCP, .slot = FLOW_MAX }, 1);
	flow_expire(FLOW_MAX - 1);
	EQ(events_seen + expired, 0);
}

TEST(events_and_timers_of_types_that_do_not_care_are_ignored)
{
	struct flow *f;

	start();
	f = flow_alloc(FLOW_PING4);
	flow_handle(flow_ev(f, EV_PING, 0), 1);
	flow_expire(flow_idx(f));
	flow_ready(f);
	OK(!flow_run_ready());
	EQ(events_seen + expired + ran_cnt, 0);
	flow_free(f);
	flow_run_ready();
}

TEST(freeing_a_flow_cancels_its_timer)
{
	struct flow *f;

	start();
	clock_set(1000000000);
	f = flow_alloc(FLOW_TCP);
	timer_set(flow_idx(f), 5000);
	OK(timer_armed(flow_idx(f)));
	flow_free(f);
	OK(!timer_armed(flow_idx(f)));
	flow_run_ready();
}

/* --- hash --- */

static void found(struct flow *f, const struct side *s, unsigned side)
{
	unsigned at = 7;

	OK(flow_find(IPPROTO_TCP, s, &at) == f);
	EQ(at, side);
}

static void both_sides_are_found(enum fam fam)
{
	struct flow *f;
	struct side s;

	start();
	f = flow_alloc(FLOW_TCP);
	f->side[0] = nth_side(fam, 1);
	f->side[1] = nth_side(fam, 2);
	flow_hash_insert(f, 0);
	flow_hash_insert(f, 1);
	found(f, &f->side[0], 0);
	found(f, &f->side[1], 1);
	OK(flow_find(IPPROTO_TCP, &f->side[0], NULL) == f);

	/* Anything else about it is somebody else */
	OK(!flow_find(IPPROTO_UDP, &f->side[0], NULL));
	s = f->side[0];
	s.our_port ^= 1;
	OK(!flow_find(IPPROTO_TCP, &s, NULL));
	s = f->side[0];
	s.their_port ^= 0x100;
	OK(!flow_find(IPPROTO_TCP, &s, NULL));
	s = f->side[0];
	s.pif = PIF_HOST;
	OK(!flow_find(IPPROTO_TCP, &s, NULL));
	s = f->side[0];
	s.ours.b[15] ^= 1;
	OK(!flow_find(IPPROTO_TCP, &s, NULL));
	s = f->side[0];
	s.theirs.b[12] ^= 1;
	OK(!flow_find(IPPROTO_TCP, &s, NULL));

	flow_hash_remove(f, 0);
	OK(!flow_find(IPPROTO_TCP, &f->side[0], NULL));
	found(f, &f->side[1], 1);
	s = f->side[1];
	flow_free(f);
	OK(!flow_find(IPPROTO_TCP, &s, NULL));
	flow_run_ready();
}

TEST(both_sides_are_found_and_nothing_else)
{
	both_sides_are_found(FAM4);
	both_sides_are_found(FAM6);
}

TEST(padding_of_a_side_does_not_matter)
{
	struct flow *f;
	struct side s, t = nth_side(FAM6, 9);

	start();
	memset(&s, 0xff, sizeof(s));
	s.ours = t.ours;
	s.theirs = t.theirs;
	s.our_port = t.our_port;
	s.their_port = t.their_port;
	s.pif = t.pif;
	f = flow_alloc(FLOW_TCP);
	f->side[0] = t;
	flow_hash_insert(f, 0);
	OK(flow_find(IPPROTO_TCP, &s, NULL) == f);
	EQ(flow_hash(IPPROTO_TCP, &s), flow_hash(IPPROTO_TCP, &t));
	flow_free(f);
	flow_run_ready();
}

TEST(echo_identifier_zero_is_found)
{
	struct flow *f;
	struct side s = nth_side(FAM4, 0);

	start();
	s.our_port = s.their_port = 0;
	f = flow_alloc(FLOW_PING4);
	f->side[0] = s;
	flow_hash_insert(f, 0);
	OK(flow_find(IPPROTO_ICMP, &s, NULL) == f);
	OK(!flow_find(IPPROTO_ICMPV6, &s, NULL));
	flow_free(f);
	flow_run_ready();
}

/* 100k flows, both sides hashed, half of them removed and put back in random
 * order: all that is there is found, nothing that is gone. */
static struct flow *many[MANY];
static bool gone[MANY];

static unsigned mistakes(enum fam fam)
{
	unsigned wrong = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		struct side s = nth_side(fam, i), t = s;
		unsigned side = 9;

		t.pif = PIF_HOST;
		wrong += flow_find(IPPROTO_UDP, &s, NULL) !=
			 (gone[i] ? NULL : many[i]);
		wrong += flow_find(IPPROTO_UDP, &t, &side) !=
			 (gone[i] ? NULL : many[i]);
		wrong += !gone[i] && side != 1;
	}
	return wrong;
}

static void churn(enum fam fam)
{
	start();
	srandom(fam + 1);
	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = flow_alloc(FLOW_UDP);
		many[i]->side[0] = many[i]->side[1] = nth_side(fam, i);
		many[i]->side[1].pif = PIF_HOST;
		flow_hash_insert(many[i], 0);
		flow_hash_insert(many[i], 1);
		gone[i] = false;
	}
	EQ(mistakes(fam), 0);
	for (uint32_t n = 0; n < MANY / 2; n++) {
		uint32_t i = (uint32_t)random() % MANY;

		if (gone[i])
			continue;
		flow_free(many[i]);
		gone[i] = true;
	}
	EQ(mistakes(fam), 0);
	flow_run_ready();
	for (uint32_t i = 0; i < MANY; i++) {
		if (!gone[i])
			continue;
		many[i] = flow_alloc(FLOW_UDP);
		many[i]->side[0] = many[i]->side[1] = nth_side(fam, i);
		many[i]->side[1].pif = PIF_HOST;
		flow_hash_insert(many[i], 0);
		flow_hash_insert(many[i], 1);
		gone[i] = false;
	}
	EQ(mistakes(fam), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		flow_free(many[i]);
		gone[i] = true;
	}
	EQ(mistakes(fam), 0);
	EQ(live(), 0);
	flow_run_ready();
}

TEST(a_hundred_thousand_flows_are_found_through_any_churn)
{
	churn(FAM4);
	churn(FAM6);
}

/* --- who runs --- */

TEST(ready_flows_run_once_a_turn_in_order)
{
	struct flow *a, *b;

	start();
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	flow_ready(b);
	flow_ready(a);
	flow_ready(b);
	OK(!flow_run_ready());
	EQ(ran_cnt, 2);
	EQ(ran[0], flow_idx(b));
	EQ(ran[1], flow_idx(a));
	OK(!flow_run_ready());
	EQ(ran_cnt, 2);
	flow_free(a);
	flow_free(b);
	flow_run_ready();
}

TEST(work_that_wants_more_runs_again_behind_the_others)
{
	struct flow *a, *b;

	start();
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	flow_ready(a);
	again = true;
	OK(flow_run_ready());
	EQ(ran_cnt, 1);		/* not until it has had enough */
	flow_ready(b);
	again = false;
	OK(!flow_run_ready());
	EQ(ran_cnt, 3);
	EQ(ran[1], flow_idx(a));
	EQ(ran[2], flow_idx(b));
	flow_free(a);
	flow_free(b);
	flow_run_ready();
}

TEST(work_may_free_its_own_flow_or_the_next_one)
{
	struct flow *a, *b;

	start();
	a = flow_alloc(FLOW_TCP);
	again = true;		/* "more", of a flow that is gone */
	flow_ready(a);
	free_in_work = a;
	OK(!flow_run_ready());
	EQ(ran_cnt, 1);

	again = false;
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	flow_ready(a);
	flow_ready(b);
	free_in_work = b;
	OK(!flow_run_ready());
	EQ(ran_cnt, 2);
	flow_free(a);
	flow_run_ready();
	EQ(live(), 0);
}

TEST(a_flow_waiting_for_the_link_runs_when_there_is_room)
{
	struct flow *a, *b;

	start();
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	wait_in_work = true;
	flow_ready(a);
	flow_ready(b);
	OK(!flow_run_ready());
	OK(!flow_run_ready());
	EQ(ran_cnt, 2);

	wait_in_work = false;
	flow_link_writable();
	OK(!flow_run_ready());
	EQ(ran_cnt, 4);
	EQ(ran[2], flow_idx(a));
	EQ(ran[3], flow_idx(b));
	flow_link_writable();	/* nobody */
	OK(!flow_run_ready());
	EQ(ran_cnt, 4);
	flow_free(a);
	flow_free(b);
	flow_run_ready();
}

TEST(other_news_wakes_a_flow_that_waits_for_the_link_once)
{
	struct flow *f;

	start();
	f = flow_alloc(FLOW_TCP);
	flow_wait_link(f);
	flow_wait_link(f);
	flow_ready(f);
	flow_link_writable();
	OK(!flow_run_ready());
	EQ(ran_cnt, 1);
	flow_free(f);
	flow_run_ready();
}

TEST(a_flow_freed_while_queued_does_not_run)
{
	struct flow *a, *b;

	start();
	a = flow_alloc(FLOW_TCP);
	b = flow_alloc(FLOW_TCP);
	flow_ready(a);
	flow_wait_link(b);
	flow_free(a);
	flow_free(b);
	flow_link_writable();
	OK(!flow_run_ready());
	EQ(ran_cnt, 0);
}

static unsigned walked;

static void walk(struct flow *f)
{
	EQ(f->type, FLOW_TCP);
	walked++;
	flow_free(f);
}

TEST(a_walk_visits_each_flow_of_its_type_and_may_free_it)
{
	struct flow *udp;

	start();
	walked = 0;
	for (int i = 0; i < 10; i++)
		flow_alloc(FLOW_TCP);
	udp = flow_alloc(FLOW_UDP);
	flow_each(FLOW_TCP, walk);
	EQ(walked, 10);
	EQ(flow_count(FLOW_TCP), 0);
	EQ(flow_count(FLOW_UDP), 1);
	flow_free(udp);
	flow_run_ready();
}

/* --- logs --- */

/* Runs @f with standard error in @out. */
static void captured(void (*f)(struct flow *flow), struct flow *flow, char *out,
		     size_t size)
{
	int fds[2], keep = dup(STDERR_FILENO);
	ssize_t n;

	if (pipe(fds))
		abort();
	dup2(fds[1], STDERR_FILENO);
	f(flow);
	dup2(keep, STDERR_FILENO);
	close(fds[1]);
	close(keep);
	n = read(fds[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	close(fds[0]);
}

static void warn_of(struct flow *f)
{
	flow_warn(f, "number %d", 7);
}

TEST(a_warning_names_the_flow_and_then_both_its_sides)
{
	struct flow *f;
	char out[1024], want[64];

	start();
	f = flow_alloc(FLOW_TCP);
	f->side[0] = (struct side) {
		.ours = addr4(0xc0000201), .theirs = addr4(0x0a000001),
		.our_port = 80, .their_port = 4000, .pif = PIF_TAP,
	};
	captured(warn_of, f, out, sizeof(out));
	snprintf(want, sizeof(want), "Flow %u (TCP connection): number 7\n",
		 flow_idx(f));
	OK(strstr(out, want));
	OK(strstr(out, "    TAP [10.0.0.1]:4000 -> [192.0.2.1]:80 => ?\n"));

	f->side[1] = (struct side) {
		.theirs = addr_loopback(FAM6), .our_port = 9, .their_port = 81,
		.pif = PIF_HOST,
	};
	captured(warn_of, f, out, sizeof(out));
	OK(strstr(out, "    TAP [10.0.0.1]:4000 -> [192.0.2.1]:80 => "
		       "HOST [::]:9 -> [::1]:81\n"));
	flow_free(f);
	flow_run_ready();
}

/* --- last, as it touches all there is --- */

TEST(a_full_table_says_no_and_goes_on_once_there_is_room)
{
	uint64_t full = drop_count(DROP_TABLE_FULL);
	unsigned got = 0;

	start();
	while (flow_alloc(FLOW_TCP))
		got++;
	EQ(got, FLOW_MAX);
	EQ(flow_count(FLOW_TCP), FLOW_MAX);
	EQ(drop_count(DROP_TABLE_FULL), full + 1);
	OK(flow_at(FLOW_MAX - 1));
	OK(!flow_at(FLOW_MAX));

	flow_free(flow_at(77));
	OK(!flow_alloc(FLOW_TCP));
	flow_run_ready();
	EQ(flow_idx(flow_alloc(FLOW_TCP)), 77);
	walked = 0;
	flow_each(FLOW_TCP, walk);
	EQ(walked, FLOW_MAX);
	flow_run_ready();
	EQ(live(), 0);
}
