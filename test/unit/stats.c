/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: control/stats log timer util */
/* stats.c (test) - reports: when, and what is in them
 *
 * Everything that is counted is a stand-in; stderr is a file.
 */
#include "control/stats.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow.h"
#include "listen.h"
#include "tcp.h"
#include "tcp_splice.h"
#include "test/unit/test.h"
#include "timer.h"
#include "util.h"

static uint64_t event_counts[EV_COUNT], tcp_reset;
static unsigned open_now;

uint64_t loop_events(enum ev_kind kind)
{
	return event_counts[kind];
}

unsigned flow_count(enum flow_type type)
{
	return type == FLOW_UDP ? open_now : 0;
}

unsigned listen_count(void)
{
	return 77;
}

void flow_each(enum flow_type type, void (*fn)(struct flow *f))
{
	for (unsigned i = 0; type == FLOW_UDP && i < open_now; i++)
		fn(&(struct flow) { .type = FLOW_UDP });
}

void flow_log(const struct flow *f, enum log_level level, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(level, "%u %s", f->type, text);
}

bool tcp_end_counter(unsigned i, struct counter *out)
{
	*out = (struct counter) { "RESET", "somebody was rude", tcp_reset };
	return i < 1;
}

bool tcp_splice_end_counter(unsigned i, struct counter *out)
{
	(void)i;
	(void)out;
	return false;
}

static char said[65536];

static void stderr_to_file(void)
{
	static char path[] = "/tmp/stats-test-XXXXXX";
	static bool done;

	if (done)
		return;
	fflush(stdout);
	dup2(mkstemp(path), STDERR_FILENO);
	unlink(path);
	done = true;
}

/* What was printed since it was asked last. */
static const char *heard(void)
{
	ssize_t n = pread(STDERR_FILENO, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = '\0';
	if (ftruncate(STDERR_FILENO, 0) || lseek(STDERR_FILENO, 0, SEEK_SET))
		return "?";
	return said;
}

static void expire(uint32_t id)
{
	EQ(id, TIMER_STATS);
	stats_expire();
}

static void turn_at(uint64_t ms)
{
	clock_set(ms * 1000000u);
	timer_run(expire);
	stats_turn();
	timer_run(expire);
}

static void start_at(uint64_t ms, unsigned every_s)
{
	stderr_to_file();
	clock_set(ms * 1000000u);
	timer_cancel(TIMER_STATS);
	stats_start(every_s);
	heard();
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	while ((s = strchr(s, '\n'))) {
		s++;
		n++;
	}
	return n;
}

TEST(nothing_is_said_unless_asked_for)
{
	start_at(1000, 0);
	event_counts[EV_TCP]++;
	turn_at(2000);
	STREQ(heard(), "");
	EQ(timer_timeout(), -1);
}

TEST(a_staircase_names_the_columns_of_a_line_of_counters)
{
	unsigned columns = EV_COUNT + 4;
	char *line, *rest, *last = NULL;

	start_at(10000, 5);
	event_counts[EV_TCP] = 12;
	turn_at(10000);
	heard();
	EQ(lines(said), columns + 1);
	rest = said;
	for (unsigned row = 0; row < columns; row++) {
		line = strsep(&rest, "\n");
		EQ(strspn(line, " |"), 7 * row + 7);
		for (unsigned i = 0; i < row; i++)
			EQ(line[7 * i + 7], '|');
	}
	line = strsep(&rest, "\n");
	EQ(strlen(line), 1 + 7 * columns);
	OK(!strncmp(line, "       0      0     12", 22));
	for (unsigned i = 0; i < columns; i++) {
		OK(line[7 * i + 7] >= '0' && line[7 * i + 7] <= '9');
		last = line + 7 * i + 1;
	}
	STREQ(last, "     77");
}

TEST(reports_come_with_events_and_not_more_often_than_asked_for)
{
	start_at(20000, 5);
	turn_at(20000);
	STREQ(heard(), "");
	event_counts[EV_LINK]++;
	turn_at(21000);		/* the first one at once */
	OK(lines(heard()) > 1);
	EQ(timer_timeout(), -1);	/* no events, no waking up */
	event_counts[EV_LINK]++;
	turn_at(22000);
	event_counts[EV_LINK]++;
	turn_at(23000);
	STREQ(heard(), "");
	EQ(timer_timeout(), 3000);
	turn_at(26000);
	EQ(lines(heard()), 1);
	EQ(timer_timeout(), -1);
	turn_at(60000);
	STREQ(heard(), "");
	event_counts[EV_LINK]++;
	turn_at(60001);
	EQ(lines(heard()), 1);
}

TEST(the_staircase_comes_back_every_twenty_lines)
{
	start_at(100000, 1);
	for (unsigned i = 0; i < 45; i++) {
		event_counts[EV_PING]++;
		turn_at(100000 + i * 1000);
		EQ(lines(heard()) > 1, i % 20 == 0);
	}
}

TEST(reasons_are_told_when_they_have_changed)
{
	char *second;

	start_at(200000, 1);
	event_counts[EV_LINK]++;
	turn_at(200000);
	heard();
	drop(DROP_NO_FLOW);
	drop(DROP_NO_FLOW);
	drop(DROP_NDP);
	tcp_reset = 3;
	event_counts[EV_LINK]++;
	turn_at(201000);
	second = strchr(heard(), '\n');
	if (OK(second))
		STREQ(second, "\n  drops: NDP 1, NO_FLOW 2\n  TCP: RESET 3\n");
	drop(DROP_NO_FLOW);
	event_counts[EV_LINK]++;
	turn_at(202000);
	second = strchr(heard(), '\n');
	if (OK(second))
		STREQ(second, "\n  drops: NO_FLOW 3\n");
	event_counts[EV_LINK]++;
	turn_at(203000);
	EQ(lines(heard()), 1);
}

TEST(the_last_events_are_told_at_exit)
{
	start_at(300000, 60);
	event_counts[EV_LINK]++;
	turn_at(300000);
	event_counts[EV_LINK]++;
	turn_at(300001);
	heard();
	stats_exit();
	EQ(lines(heard()), 1);
	stats_exit();
	STREQ(heard(), "");
}

TEST(at_debug_level_everything_is_told_at_exit)
{
	start_at(400000, 0);
	log_threshold = LOG_LVL_DEBUG;
	drop(DROP_ARP);
	event_counts[EV_TCP] = 4711;
	open_now = 1000;
	stats_exit();
	log_threshold = LOG_LVL_INFO;
	open_now = 0;
	heard();
	OK(strstr(said, "Count: connected TCP: 4711\n"));
	OK(strstr(said, "Count: drops: ARP, ARP message we do not answer: 1\n"));
	OK(strstr(said, "Count: flow open now: 1000\n"));
	OK(strstr(said, "open at exit\n"));
	OK(!strstr(said, ": 0\n"));
	OK(lines(said) > 100 && lines(said) < 150);
}
