/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timer.c (test) - the wheel against a plain array of deadlines
 *
 * The model test arms, moves and cancels timers at random while the clock goes
 * on by nothing, a little, or a day, and after every step compares what fired,
 * what is armed and how long to sleep with what the array says.
 */
/* links: timer */
#include "timer.h"

#include <stdlib.h>
#include <time.h>

#include "test.h"
#include "util.h"

#define MS	1000000ull
#define DAY_MS	86400000ull

static uint32_t fired[TIMER_COUNT];
static unsigned fired_cnt;

static void note(uint32_t id)
{
	fired[fired_cnt++] = id;
}

static unsigned run_at(uint64_t ms)
{
	clock_set(ms * MS);
	fired_cnt = 0;
	timer_run(note);
	return fired_cnt;
}

TEST(the_real_clock_moves_until_it_is_set)
{
	struct timespec ts, pause = { .tv_nsec = 2000000 };
	uint64_t before;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	clock_update();
	OK(clock_ms() >= (uint64_t)ts.tv_sec * 1000);
	OK(clock_ms() <= (uint64_t)ts.tv_sec * 1000 + 60000);
	before = clock_ns();
	EQ(clock_ms(), before / MS);
	nanosleep(&pause, NULL);
	EQ(clock_ns(), before);		/* only when told to look */
	clock_update();
	OK(clock_ns() >= before + 2 * MS);

	clock_set(123456789);
	clock_update();
	EQ(clock_ns(), 123456789);
	EQ(clock_ms(), 123);
}

TEST(without_timers_one_sleeps_for_ever)
{
	EQ(timer_timeout(), -1);
	EQ(run_at(1000), 0);
	OK(!timer_armed(0));
	OK(!timer_armed(TIMER_COUNT - 1));
}

TEST(a_distant_deadline_wakes_once)
{
	run_at(1000);
	timer_set(5, clock_ms() + 1000);
	EQ(timer_timeout(), 1000);
	timer_set(6, clock_ms() + 999);
	EQ(timer_timeout(), 999);
	timer_cancel(5);
	timer_cancel(6);
	EQ(timer_timeout(), -1);
}

TEST(a_timer_fires_once_at_its_deadline_not_before)
{
	run_at(1000);
	timer_set(7, 1010);
	OK(timer_armed(7));
	EQ(timer_timeout(), 10);
	EQ(run_at(1009), 0);
	EQ(timer_timeout(), 1);
	EQ(run_at(1010), 1);
	EQ(fired[0], 7);
	OK(!timer_armed(7));
	EQ(timer_timeout(), -1);
	EQ(run_at(1011), 0);
}

TEST(a_fraction_of_a_millisecond_rounds_the_sleep_up)
{
	clock_set(2000 * MS + 1);
	timer_run(note);
	timer_set(7, 2001);
	EQ(timer_timeout(), 1);
	clock_set(2001 * MS - 1);
	fired_cnt = 0;
	timer_run(note);
	EQ(fired_cnt, 0);
	EQ(timer_timeout(), 1);
	EQ(run_at(2001), 1);
}

TEST(a_deadline_in_the_past_fires_in_the_next_run)
{
	run_at(3000);
	timer_set(1, 3000);
	timer_set(2, 5);
	timer_set(3, 0);
	EQ(timer_timeout(), 0);
	EQ(run_at(3000), 3);
	EQ(timer_timeout(), -1);
}

TEST(an_overdue_timer_lets_nobody_sleep)
{
	run_at(3500);
	timer_set(1, 3501);
	timer_set(2, 3900);
	clock_set(3600 * MS);
	EQ(timer_timeout(), 0);
	EQ(run_at(3600), 1);
	OK(timer_timeout() <= 300);
	EQ(run_at(3900), 1);
}

TEST(setting_again_moves_the_deadline_either_way)
{
	run_at(4000);
	timer_set(1, 4100);
	timer_set(1, 4005);
	EQ(run_at(4005), 1);
	timer_set(1, 4010);
	timer_set(1, 4100);
	EQ(run_at(4099), 0);
	EQ(run_at(4100), 1);
}

TEST(setting_earlier_never_makes_it_later)
{
	run_at(5000);
	timer_set_earlier(1, 5100);
	timer_set_earlier(1, 5200);
	timer_set_earlier(1, 5050);
	EQ(run_at(5049), 0);
	EQ(run_at(5050), 1);
	EQ(run_at(5300), 0);
}

TEST(cancelled_timers_and_those_set_to_never_are_silent)
{
	run_at(6000);
	timer_cancel(1);		/* not armed: nothing to do */
	timer_set(1, 6010);
	timer_set(2, 6010);
	timer_set(3, 1);		/* due already */
	timer_cancel(1);
	timer_set(2, TIMER_NEVER);
	timer_cancel(3);
	OK(!timer_armed(1) && !timer_armed(2) && !timer_armed(3));
	EQ(timer_timeout(), -1);
	EQ(run_at(7000), 0);
}

TEST(timers_of_one_deadline_fire_in_the_order_they_were_set)
{
	run_at(8000);
	for (uint32_t i = 0; i < 5; i++)
		timer_set(50 - i, 8003);
	EQ(run_at(8010), 5);
	for (uint32_t i = 0; i < 5; i++)
		EQ(fired[i], 50 - i);
}

static void again_at_once(uint32_t id)
{
	fired_cnt++;
	timer_set(id, clock_ms());
}

TEST(arming_in_the_past_from_a_callback_waits_for_the_next_run)
{
	run_at(9000);
	timer_set(1, 9000);
	timer_set(2, 8000);
	for (unsigned i = 0; i < 3; i++) {
		fired_cnt = 0;
		timer_run(again_at_once);
		EQ(fired_cnt, 2);
		EQ(timer_timeout(), 0);
	}
	timer_cancel(1);
	timer_cancel(2);
	EQ(timer_timeout(), -1);
}

static void cancel_the_others(uint32_t id)
{
	note(id);
	for (uint32_t i = 10; i < 20; i++)
		timer_cancel(i);
	timer_set(20, clock_ms() + 5);	/* due in this run, moved away */
}

TEST(a_callback_may_cancel_and_move_those_not_yet_fired)
{
	run_at(10000);
	for (uint32_t i = 10; i <= 20; i++)
		timer_set(i, 10001);
	clock_set(10001 * MS);
	fired_cnt = 0;
	timer_run(cancel_the_others);
	EQ(fired_cnt, 1);
	EQ(fired[0], 10);
	EQ(run_at(10005), 0);
	EQ(run_at(10006), 1);
	EQ(fired[0], 20);
}

TEST(every_number_can_be_used)
{
	run_at(11000);
	for (uint32_t i = 0; i < TIMER_COUNT; i++)
		timer_set(i, 11000 + i % 1000 + 1);
	EQ(run_at(11500), TIMER_COUNT / 1000 * 500 +
			  MIN(TIMER_COUNT % 1000, 500u));
	fired_cnt = 0;
	EQ(run_at(12000), TIMER_COUNT - (TIMER_COUNT / 1000 * 500 +
					 MIN(TIMER_COUNT % 1000, 500u)));
	EQ(timer_timeout(), -1);
}

/* Sleep as told from @from on, and count how often that is too early. */
static unsigned wakeups_until_fired(uint64_t from)
{
	uint64_t now = from;

	for (unsigned n = 1;; n++) {
		int sleep_ms = timer_timeout();

		if (sleep_ms < 0 || n > 100)
			return 0;
		now += (unsigned)sleep_ms;
		if (run_at(now))
			return n;
	}
}

TEST(waking_up_early_happens_once_per_level_at_most)
{
	static const uint64_t in_ms[] = {
		1, 63, 64, 65, 4095, 4096, 262144, DAY_MS, 30 * DAY_MS,
		1000 * DAY_MS,
	};
	uint64_t start = clock_ms() + 1;

	for (unsigned i = 0; i < ARRAY_SIZE(in_ms); i++) {
		unsigned n;

		run_at(start);
		timer_set(3, start + in_ms[i]);
		n = wakeups_until_fired(start);
		OK(n >= 1 && n <= 11 + in_ms[i] / INT32_MAX);
		EQ(clock_ms(), start + in_ms[i]);
		start = clock_ms() + 12345;
	}
}

TEST(a_deadline_at_the_end_of_time_is_kept)
{
	uint64_t start = clock_ms() + 1;

	run_at(start);
	timer_set(3, TIMER_NEVER - 1);
	OK(timer_armed(3));
	EQ(timer_timeout(), INT32_MAX);
	EQ(run_at(start + 1000 * DAY_MS), 0);
	OK(timer_armed(3));
	timer_cancel(3);
	EQ(timer_timeout(), -1);
}

TEST(a_jump_of_a_day_costs_no_more_than_the_timers_in_it)
{
	uint64_t start = clock_ms() + 1;
	struct timespec a, b;
	long long ns;

	run_at(start);
	for (uint32_t i = 0; i < 1000; i++)
		timer_set(i, start + 1 + i * (DAY_MS / 1000));
	clock_gettime(CLOCK_MONOTONIC, &a);
	EQ(run_at(start + DAY_MS), 1000);
	for (unsigned day = 2; day < 1000; day++)
		run_at(start + day * DAY_MS);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec;
	/* A step per millisecond of those days would take minutes. */
	OK(ns < 500000000);
}

/* --- the model --- */

#define MODEL_TIMERS	300
#define MODEL_STEPS	200000

static uint64_t model[MODEL_TIMERS];	/* deadlines, or TIMER_NEVER */
static unsigned model_early, model_missing;

static uint64_t rnd(uint64_t below)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s % below;
}

static uint64_t rnd_span_ms(void)
{
	static const uint64_t span[] = {
		1, 5, 64, 100, 4096, 10000, 262144, 3600000, DAY_MS,
		20 * DAY_MS, 4000 * DAY_MS,
	};

	return rnd(span[rnd(ARRAY_SIZE(span))]);
}

static void model_change(uint64_t now)
{
	uint32_t id = (uint32_t)rnd(MODEL_TIMERS);
	uint64_t deadline = now + rnd_span_ms();

	switch (rnd(8)) {
	case 0:
		timer_cancel(id);
		model[id] = TIMER_NEVER;
		break;
	case 1:
		timer_set(id, rnd(now + 1));
		model[id] = MIN(now, 1);	/* some time in the past */
		break;
	case 2:
		timer_set_earlier(id, deadline);
		model[id] = MIN(model[id], deadline);
		break;
	default:
		timer_set(id, deadline);
		model[id] = deadline;
	}
}

static void model_fire(uint32_t id)
{
	model_early += model[id] > clock_ms();
	model[id] = TIMER_NEVER;
}

static void model_check(uint64_t now)
{
	uint64_t next = TIMER_NEVER;
	int sleep_ms = timer_timeout();

	for (uint32_t i = 0; i < MODEL_TIMERS; i++) {
		model_missing += model[i] <= now;
		if (timer_armed(i) != (model[i] != TIMER_NEVER))
			EQ(i, -1);
		next = MIN(next, model[i]);
	}
	if (next == TIMER_NEVER)
		EQ(sleep_ms, -1);
	else
		OK(sleep_ms >= 0 && (uint64_t)sleep_ms <= next - now);
}

TEST(the_wheel_agrees_with_a_plain_array)
{
	uint64_t now = clock_ms() + 1;

	run_at(now);
	for (unsigned i = 0; i < MODEL_TIMERS; i++)
		model[i] = TIMER_NEVER;
	for (unsigned step = 0; step < MODEL_STEPS && !test_failures; step++) {
		unsigned changes = (unsigned)rnd(4);

		while (changes--)
			model_change(now);
		now += rnd(3) ? rnd(80) : rnd(200) ? rnd(300000) : DAY_MS;
		clock_set(now * MS + rnd(MS));
		timer_run(model_fire);
		model_check(now);
	}
	EQ(model_early, 0);
	EQ(model_missing, 0);
	for (uint32_t i = 0; i < MODEL_TIMERS; i++)
		timer_cancel(i);
	EQ(timer_timeout(), -1);
}
