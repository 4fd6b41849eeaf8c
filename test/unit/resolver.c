/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: resolver fwd conf addr util log timer */
/* resolver.c - who is asked after which failures, by a clock of our own
 *
 * Every story is told in both families.
 */
#include "resolver.h"

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

static const char *const text[FAM_COUNT][5] = {
	{ "192.0.2.1", "127.0.0.53", "198.51.100.1", "203.0.113.1",
	  "198.51.100.53" },
	{ "2001:db8::1", "::1", "2001:db8:1::1", "2001:db8:2::1",
	  "2001:db8:53::53" },
};
enum { MATCH = 4 };

static enum fam fam;
static uint64_t now_ms;

static struct addr S(unsigned n)
{
	struct addr a = { 0 };

	OK(addr_parse(&a, text[fam][n]));
	return a;
}

static void expire(uint32_t id)
{
	EQ(id, TIMER_RESOLVER);
	resolver_expire();
}

static void pass(uint64_t ms)
{
	now_ms += ms;
	clock_set(now_ms * 1000000);
	timer_run(expire);
}

/* The first @cnt of them, in a list which came from a file. */
static void start(unsigned cnt)
{
	log_threshold = LOG_LVL_WARN;
	conf_writable = (struct conf) { 0 };
	conf_writable.net[fam].dns_from_file = true;
	conf_writable.net[fam].dns_match = S(MATCH);
	for (unsigned i = 0; i < cnt; i++)
		conf_writable.net[fam].dns_hosts[i] = S(i);
	conf_writable.net[fam].dns_host_cnt = cnt;
	timer_cancel(TIMER_RESOLVER);
	pass(1000000);
	fwd_init();
	resolver_init();
}

static struct side host(unsigned n)
{
	return (struct side) {
		.theirs = S(n), .their_port = 53, .pif = PIF_HOST,
	};
}

static void asked(unsigned n)
{
	struct side s = host(n);

	resolver_asked(&s);
}

static void answered(unsigned n)
{
	struct side s = host(n);

	resolver_answered(&s);
}

static void failed(unsigned n)
{
	struct side s = host(n);

	resolver_failed(&s);
}

static bool current(unsigned n)
{
	struct addr a = resolver_current(fam), want = S(n);

	return addr_eq(&a, &want) && addr_eq(&fwd_env()->dns_host[fam], &want);
}

static bool moved(unsigned n)
{
	struct side side[2] = {
		{ .ours = S(MATCH), .our_port = 53, .pif = PIF_TAP },
		host(n),
	};

	return resolver_moved(side);
}

#define STORY(n)							\
	static void story_##n(void);					\
	TEST(n)								\
	{								\
		for (fam = FAM4; fam < FAM_COUNT; fam++)		\
			story_##n();					\
	}								\
	static void story_##n(void)

STORY(the_first_is_asked_as_long_as_it_answers)
{
	start(3);
	OK(current(0));
	for (unsigned i = 0; i < 10; i++) {
		asked(0);
		pass(1999);
		answered(0);
		pass(1);
		OK(current(0));
	}
	EQ(timer_timeout(), -1);
}

STORY(without_any_there_is_nobody_to_ask)
{
	struct addr a;

	start(0);
	a = resolver_current(fam);
	OK(addr_is_unspec(&a));
	OK(addr_is_unspec(&fwd_env()->dns_host[fam]));
	asked(0);
	failed(0);
	OK(!moved(0));
	EQ(timer_timeout(), -1);
}

STORY(one_that_refuses_is_passed_over_at_once)
{
	start(3);
	failed(0);
	OK(current(1));
	failed(1);
	OK(current(2));
}

STORY(one_that_is_silent_is_passed_over_after_two_seconds)
{
	start(2);
	asked(0);
	pass(1000);
	asked(0);
	pass(999);
	OK(current(0));
	pass(1);
	OK(current(1));
}

STORY(an_answer_to_any_query_is_a_sign_of_life)
{
	start(2);
	asked(0);
	asked(0);
	pass(1500);
	answered(0);
	pass(60000);
	OK(current(0));
}

STORY(the_first_gets_another_chance_later_and_later)
{
	uint64_t backoff_ms = 15000;

	start(2);
	for (unsigned i = 0; i < 10; i++) {
		failed(0);
		OK(current(1));
		asked(1);
		answered(1);
		pass(backoff_ms - 1);
		OK(current(1));
		pass(1);
		OK(current(0));
		backoff_ms = MIN(backoff_ms * 2, 900000u);
	}
	EQ(timer_timeout(), -1);
}

STORY(an_answer_makes_up_for_the_past)
{
	start(2);
	for (unsigned i = 0; i < 3; i++) {
		failed(0);
		pass(60000);
	}
	asked(0);
	answered(0);
	failed(0);
	pass(14999);
	OK(current(1));
	pass(1);
	OK(current(0));
}

STORY(a_late_answer_brings_it_back_at_once)
{
	start(2);
	asked(0);
	pass(2000);
	OK(current(1));
	answered(0);
	OK(current(0));
	EQ(timer_timeout(), -1);
}

STORY(failures_of_older_flows_do_not_add_up)
{
	start(2);
	for (unsigned i = 0; i < 5; i++) {
		failed(0);
		asked(0);
		pass(2500);
	}
	OK(current(1));
	pass(2500);
	OK(current(0));
}

STORY(when_all_fail_the_first_is_as_good_as_any)
{
	start(3);
	failed(0);
	failed(1);
	failed(2);
	OK(current(0));
	OK(!moved(0));
	EQ(timer_timeout(), -1);
	failed(0);
	OK(current(1));
	pass(15000);
	OK(current(0));
}

STORY(a_single_one_is_asked_whatever_it_does)
{
	start(1);
	failed(0);
	asked(0);
	pass(5000);
	OK(current(0));
	EQ(timer_timeout(), -1);
}

STORY(other_ports_interfaces_and_hosts_say_nothing)
{
	struct side s;

	start(2);
	s = host(0);
	s.their_port = 853;
	resolver_failed(&s);
	resolver_asked(&s);
	s = host(0);
	s.pif = PIF_SPLICE;
	resolver_failed(&s);
	failed(2);
	asked(3);
	pass(5000);
	OK(current(0));
	EQ(timer_timeout(), -1);
}

STORY(a_repeated_query_leaves_a_resolver_that_fails)
{
	start(2);
	OK(!moved(0));
	failed(0);
	OK(moved(0));
	OK(!moved(1));
	/* The first is well again: those at the second stay there. */
	answered(0);
	OK(!moved(0));
	OK(!moved(1));
}

STORY(a_repeated_query_leaves_one_that_is_no_more)
{
	struct addr a;

	start(2);
	a = S(2);
	resolver_replace(fam, &a, 1);
	OK(moved(0));
	OK(!moved(2));
	resolver_replace(fam, NULL, 0);
	OK(!moved(0));	/* to nobody: no better */
}

STORY(flows_that_were_not_redirected_never_move)
{
	struct side side[2];

	start(2);
	failed(0);
	side[0] = (struct side) {
		.ours = S(0), .our_port = 53, .pif = PIF_TAP,
	};
	side[1] = host(0);
	OK(!resolver_moved(side));
	side[0].ours = S(MATCH);
	OK(resolver_moved(side));
	side[0].our_port = 853;
	OK(!resolver_moved(side));
}

STORY(a_new_list_is_followed_and_what_is_known_is_kept)
{
	struct addr list[4];

	start(2);
	failed(0);
	OK(current(1));
	list[0] = S(0);
	list[1] = S(2);
	list[2] = S(1);
	resolver_replace(fam, list, 3);
	OK(current(2));
	pass(15000);
	OK(current(0));
	list[0] = S(3);
	resolver_replace(fam, list, 1);
	OK(current(3));
	EQ(timer_timeout(), -1);
}

STORY(a_list_may_be_long_and_repeat_itself)
{
	struct addr list[] = { S(0), S(0), S(1), S(2), S(3) };

	start(0);
	resolver_replace(fam, list, ARRAY_SIZE(list));
	OK(current(0));
	failed(0);
	OK(current(1));
	failed(1);		/* the first three, one of them twice */
	OK(current(0));
}

STORY(the_other_family_is_not_concerned)
{
	enum fam other = fam == FAM4 ? FAM6 : FAM4;
	struct addr a, b;

	start(2);
	fam = other;
	a = S(0);
	b = S(1);
	fam = other == FAM4 ? FAM6 : FAM4;
	resolver_replace(other, (struct addr []) { a, b }, 2);
	failed(0);
	OK(current(1));
	b = resolver_current(other);
	OK(addr_eq(&a, &b));
	resolver_replace(other, NULL, 0);
	OK(current(1));
}
