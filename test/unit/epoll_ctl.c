/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll_ctl.c (test) - tags that come back, batches, sleeping, stopping */
/* links: epoll_ctl timer log util */
/* wrap: epoll_wait epoll_pwait2 epoll_create1 */
#include "epoll_ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "timer.h"
#include "util.h"

int __real_epoll_wait(int fd, struct epoll_event *ev, int max, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *ev, int max, int timeout);
int __real_epoll_pwait2(int fd, struct epoll_event *ev, int max,
			const struct timespec *timeout, const sigset_t *mask);
int __wrap_epoll_pwait2(int fd, struct epoll_event *ev, int max,
			const struct timespec *timeout, const sigset_t *mask);
int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);

static int fail_with;		/* errno of the kernel's next answers */

int __wrap_epoll_wait(int fd, struct epoll_event *ev, int max, int timeout)
{
	errno = fail_with;
	return fail_with ? -1 : __real_epoll_wait(fd, ev, max, timeout);
}

static bool no_pwait2;

int __wrap_epoll_pwait2(int fd, struct epoll_event *ev, int max,
			const struct timespec *timeout, const sigset_t *mask)
{
	errno = ENOSYS;
	return no_pwait2 ? -1 :
			   __real_epoll_pwait2(fd, ev, max, timeout, mask);
}

int __wrap_epoll_create1(int flags)
{
	errno = fail_with;
	return fail_with ? -1 : __real_epoll_create1(flags);
}

static char order[32];		/* what happened, a letter each */

static void did(char c)
{
	size_t n = strlen(order);

	if (n < sizeof(order) - 1)
		order[n] = c;
}

static void forget(void)
{
	memset(order, 0, sizeof(order));
}

static struct ev last;
static uint32_t last_events;
static unsigned handled, turns_wanted;
static bool stop_on_event;

static void on_event(struct ev ev, uint32_t events)
{
	last = ev;
	last_events = events;
	handled++;
	did('e');
	if (stop_on_event)
		loop_stop(3);
}

static void on_link(struct ev ev, uint32_t events)
{
	(void)ev;
	(void)events;
	did('L');
}

static void on_expire(uint32_t id)
{
	(void)id;
	did('t');
}

static void on_tick(void)
{
	did('k');
}

static bool on_turn(void)
{
	did('.');
	return turns_wanted && turns_wanted--;
}

static const struct loop_hooks hooks = {
	.handler = { [EV_TCP] = on_event, [EV_LINK] = on_link },
	.expire = on_expire,
	.tick = on_tick,
	.turn = on_turn,
};

static uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* An eventfd that is readable, in the loop. */
static int ready_fd(struct ev ev, uint32_t events)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	EQ(loop_add(fd, events, ev), 0);
	return fd;
}

TEST(no_descriptor_left_for_the_loop_is_an_error)
{
	fail_with = EMFILE;
	EQ(loop_init(), -EMFILE);
	fail_with = 0;
}

TEST(a_tag_comes_back_as_it_went_in)
{
	struct ev tag = { EV_TCP, 1, 0xfedc, 0x89abcdef };
	int fd;

	EQ(loop_init(), 0);
	OK(clock_ms() > 0);
	fd = ready_fd(tag, EPOLLIN | EPOLLET);
	forget();
	loop_once(&hooks, 0);
	STREQ(order, "e.");
	EQ(last.kind, EV_TCP);
	EQ(last.side, 1);
	EQ(last.gen, 0xfedc);
	EQ(last.slot, 0x89abcdef);
	EQ(last_events, EPOLLIN);
	EQ(loop_events(EV_TCP), 1);
	EQ(loop_events(EV_LINK), 0);
	close(fd);
}

TEST(descriptors_can_be_changed_and_taken_out)
{
	struct ev tag = { .kind = EV_TCP, .slot = 1 };
	int fd = ready_fd(tag, EPOLLIN);

	EQ(loop_add(fd, EPOLLIN, tag), -EEXIST);
	tag.slot = 2;
	EQ(loop_mod(fd, EPOLLOUT, tag), 0);
	loop_once(&hooks, 0);
	EQ(last.slot, 2);
	EQ(last_events, EPOLLOUT);
	loop_del(fd);
	loop_del(fd);
	forget();
	loop_once(&hooks, 0);
	STREQ(order, ".");
	EQ(loop_mod(fd, EPOLLIN, tag), -ENOENT);
	EQ(loop_add(-1, EPOLLIN, tag), -EBADF);
	close(fd);
}

TEST(edge_triggered_events_come_once)
{
	int fd = ready_fd((struct ev) { .kind = EV_TCP }, EPOLLIN | EPOLLET);

	handled = 0;
	loop_once(&hooks, 0);
	loop_once(&hooks, 0);
	EQ(handled, 1);
	close(fd);
}

TEST(sixty_four_events_are_one_batch)
{
	int fd[65];

	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = ready_fd((struct ev) { .kind = EV_TCP, .slot = i },
				 EPOLLIN | EPOLLET);
	handled = 0;
	loop_once(&hooks, 0);
	EQ(handled, 64);
	loop_once(&hooks, 0);
	EQ(handled, 65);
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

TEST(a_turn_is_events_then_timers_then_the_hook)
{
	int fd = ready_fd((struct ev) { .kind = EV_LINK }, EPOLLIN | EPOLLET);

	timer_set(1, 0);
	forget();
	loop_once(&hooks, -1);
	STREQ(order, "Lt.");
	close(fd);
}

TEST(a_due_timer_does_not_wait_and_does_not_starve_events)
{
	int fd = ready_fd((struct ev) { .kind = EV_LINK }, EPOLLIN);
	uint64_t t = real_ms();

	forget();
	for (unsigned i = 0; i < 3; i++) {
		timer_set(1, 0);
		EQ(timer_timeout(), 0);
		loop_once(&hooks, -1);
	}
	STREQ(order, "Lt.Lt.Lt.");
	OK(real_ms() - t < 1000);
	close(fd);
}

TEST(sleep_ends_when_a_timer_is_due)
{
	uint64_t t = real_ms();

	clock_update();
	timer_set(1, clock_ms() + 30);
	forget();
	while (timer_armed(1))
		loop_once(&hooks, -1);
	OK(strchr(order, 't'));
	OK(real_ms() - t >= 29);
	OK(real_ms() - t < 2000);
}

TEST(more_to_do_means_no_sleep)
{
	uint64_t t = real_ms();

	clock_update();
	timer_set(1, clock_ms() + 3600000);
	turns_wanted = 3;
	forget();
	loop_once(&hooks, 0);		/* more */
	loop_once(&hooks, -1);		/* more */
	loop_once(&hooks, -1);		/* more */
	loop_once(&hooks, -1);		/* and no more, but asked before it */
	STREQ(order, "....");
	OK(real_ms() - t < 1000);

	t = real_ms();
	loop_once(&hooks, 20);		/* nothing left: sleeps */
	OK(real_ms() - t >= 19);
	timer_cancel(1);
}

TEST(a_tick_comes_once_and_soon)
{
	uint64_t t = real_ms();

	clock_update();
	timer_set(1, clock_ms() + 3600000);
	loop_tick_in(200);
	forget();
	loop_once(&hooks, -1);
	STREQ(order, "k.");
	loop_once(&hooks, 5);
	STREQ(order, "k..");
	OK(real_ms() - t < 1000);
	timer_cancel(1);
}

TEST(a_tick_does_not_keep_events_waiting_nor_they_the_tick)
{
	int fd = ready_fd((struct ev) { .kind = EV_LINK }, EPOLLIN);
	uint64_t t = real_ms();

	clock_update();
	loop_tick_in(999);
	forget();
	loop_once(&hooks, -1);
	OK(order[0] == 'L');
	while (!strchr(order, 'k') && real_ms() - t < 1000) {
		forget();
		loop_once(&hooks, -1);
	}
	OK(strstr(order, "Lk."));
	close(fd);
}

TEST(a_tick_comes_where_the_kernel_cannot_wait_for_it)
{
	uint64_t t = real_ms();

	clock_update();
	no_pwait2 = true;
	loop_tick_in(200);
	forget();
	loop_once(&hooks, -1);
	STREQ(order, "k.");
	no_pwait2 = false;
	OK(real_ms() - t < 1000);
}

static void alarm_rings(int sig)
{
	(void)sig;
	did('s');
}

TEST(a_signal_ends_the_wait_and_harms_nothing)
{
	struct sigaction sa = { .sa_handler = alarm_rings };
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct itimerval never = { 0 };
	uint64_t t = real_ms();

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	forget();
	loop_once(&hooks, 5000);
	setitimer(ITIMER_REAL, &never, NULL);
	STREQ(order, "s.");
	OK(real_ms() - t < 4000);
}

TEST(the_loop_runs_until_it_is_stopped_and_can_run_again)
{
	for (unsigned i = 0; i < 2; i++) {
		int fd = ready_fd((struct ev) { .kind = EV_TCP }, EPOLLIN);

		stop_on_event = true;
		forget();
		EQ(loop_run(&hooks), 3);
		STREQ(order, "e.");	/* the turn is finished */
		stop_on_event = false;
		close(fd);
	}
	loop_stop(5);
	forget();
	EQ(loop_run(&hooks), 5);	/* stopped before it began */
	STREQ(order, "");
}

TEST(a_loop_that_cannot_wait_ends_with_a_failure)
{
	EQ(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO);
	fail_with = EBADF;
	forget();
	EQ(loop_run(&hooks), EXIT_FAILURE);
	STREQ(order, "");
	fail_with = 0;
}
