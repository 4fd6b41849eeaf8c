/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll_ctl.c - the event loop
 *
 *	wait -> read the clock -> handle the batch -> timers -> tick -> turn
 *	 ^                                                              hook
 *	 |                                                                |
 *	 '--- no longer than the wheel says, or the next tick; not at all -'
 *	      if the hook has more to do
 *
 * Owns the epoll descriptor and the counters of events. Knows no protocol and
 * no descriptor: a tag goes into the kernel with each and comes back with each
 * event, and the handler of its kind knows what it means.
 *
 * Handlers may add, remove and close descriptors. An event for one that was
 * closed earlier in the same batch is still delivered: it is for the owner to
 * recognise by the tag (generation) that it is too late.
 */
#include "epoll_ctl.h"

#include <assert.h>
#include <errno.h>
#include <linux/time_types.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "timer.h"
#include "util.h"

SYSCALLS(epoll_wait, epoll_ctl);

#define BATCH	64
#define NO_TICK	UINT64_MAX

static int epoll_fd = -1;
static bool more_to_do;		/* what the turn hook said last */
static bool stopped;
static int stop_status;
static uint64_t event_count[EV_COUNT];
static uint64_t tick_ns = NO_TICK;	/* when it is due */

_Static_assert(sizeof(struct ev) == sizeof(uint64_t), "a tag fits epoll_data");

static uint64_t ev_pack(struct ev ev)
{
	uint64_t tag;

	memcpy(&tag, &ev, sizeof(tag));
	return tag;
}

static struct ev ev_unpack(uint64_t tag)
{
	struct ev ev;

	memcpy(&ev, &tag, sizeof(ev));
	return ev;
}

int loop_init(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	clock_update();
	return 0;
}

static int loop_ctl(int op, int fd, uint32_t events, struct ev ev)
{
	struct epoll_event e = { .events = events, .data.u64 = ev_pack(ev) };

	return epoll_ctl(epoll_fd, op, fd, &e) ? -errno : 0;
}

int loop_add(int fd, uint32_t events, struct ev ev)
{
	return loop_ctl(EPOLL_CTL_ADD, fd, events, ev);
}

int loop_mod(int fd, uint32_t events, struct ev ev)
{
	return loop_ctl(EPOLL_CTL_MOD, fd, events, ev);
}

void loop_del(int fd)
{
	loop_ctl(EPOLL_CTL_DEL, fd, 0, (struct ev) { 0 });
}

static int loop_timeout(int max_wait_ms)
{
	int timeout_ms = more_to_do ? 0 : timer_timeout();

	if (max_wait_ms >= 0 && (timeout_ms < 0 || timeout_ms > max_wait_ms))
		return max_wait_ms;
	return timeout_ms;
}

void loop_tick_in(unsigned us)
{
	assert(us < 1000);
	tick_ns = MIN(tick_ns, clock_ns() + us * UINT64_C(1000));
}

SYSCALLS(epoll_pwait2);

#ifndef __GLIBC__
/* musl 1.2 has no such function. The kernel's time has 64 bits everywhere. */
static int epoll_pwait2(int fd, struct epoll_event *ev, int max,
			const struct timespec *timeout, const sigset_t *mask)
{
	const struct __kernel_timespec t = {
		.tv_sec = timeout->tv_sec, .tv_nsec = timeout->tv_nsec,
	};

	return (int)syscall(SYS_epoll_pwait2, fd, ev, max, &t, mask,
			    _NSIG / 8);
}
#endif

/* *tick: it is due by having waited for it. Where the kernel cannot wait so
 * shortly, as before 5.11, it is not waited for. */
static int wait_for_tick(struct epoll_event *batch, bool *tick)
{
	static bool cannot;
	const struct timespec left = {
		.tv_nsec = tick_ns > clock_ns() ? (long)(tick_ns - clock_ns()) :
						  0,
	};
	int n = -1;

	if (!cannot)
		n = epoll_pwait2(epoll_fd, batch, BATCH, &left, NULL);
	if (n < 0 && errno != EINTR) {
		cannot = true;
		n = epoll_wait(epoll_fd, batch, BATCH, 0);
	}
	*tick = !n;
	return n;
}

/* A tick is less than a millisecond away, always. */
static int wait(struct epoll_event *batch, int timeout_ms, bool *tick)
{
	*tick = false;
	if (tick_ns == NO_TICK || !timeout_ms)
		return epoll_wait(epoll_fd, batch, BATCH, timeout_ms);
	return wait_for_tick(batch, tick);
}

void loop_once(const struct loop_hooks *hooks, int max_wait_ms)
{
	struct epoll_event batch[BATCH];
	bool tick;
	int n = wait(batch, loop_timeout(max_wait_ms), &tick);

	if (n < 0 && errno != EINTR) {
		err("Waiting for events failed: %s; giving up",
		    strerror(errno));
		loop_stop(EXIT_FAILURE);
		return;
	}
	clock_update();

	for (int i = 0; i < n; i++) {
		struct ev ev = ev_unpack(batch[i].data.u64);

		assert(ev.kind < EV_COUNT && hooks->handler[ev.kind]);
		event_count[ev.kind]++;
		hooks->handler[ev.kind](ev, batch[i].events);
	}
	timer_run(hooks->expire);
	if (tick || clock_ns() >= tick_ns) {
		tick_ns = NO_TICK;
		hooks->tick();
	}
	more_to_do = hooks->turn && hooks->turn();
}

int loop_run(const struct loop_hooks *hooks)
{
	while (!stopped)
		loop_once(hooks, -1);
	stopped = false;
	return stop_status;
}

void loop_stop(int status)
{
	stopped = true;
	stop_status = status;
}

uint64_t loop_events(enum ev_kind kind)
{
	return event_count[kind];
}
