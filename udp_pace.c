/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_pace.c - sockets under load are looked at by the clock
 *
 * A sender and we run side by side: woken by a datagram, we find two or three,
 * pass them on, sleep, and are woken again. Waking up, and taking a frame
 * through the guest's stack, cost more than the datagrams do. So it is done as
 * network cards do: where many come and few go back, the socket's events are
 * switched off, and it is looked at every 50 us. What has come by then
 * crosses as one run (udp_tap.c), at a third of the cost.
 *
 *	events	--100 in 2 ms, and at most half as many out-->	by the clock
 *	events	<--next to nothing, 4 times in a row-----------	by the clock
 *
 * Questions and answers are never delayed: there are as many of the ones as of
 * the others. Nor are trains and large datagrams, of which a socket's buffer
 * holds few. Nobody else is delayed either: the wait between two looks is the
 * loop's, which any event ends. Errors are still events.
 *
 * Sockets are remembered by their tags, a few at a time: a bucket holds one.
 * One that is closed meanwhile is found to be gone at the next look. Owns that
 * table, and the loop's tick.
 */
#include "udp_flow.h"

#include "epoll_ctl.h"
#include "listen.h"
#include "timer.h"
#include "udp.h"
#include "util.h"

SYSCALLS(epoll_ctl);

#define BUCKETS		16u
#define WINDOW_NS	2000000u
#define BUSY		100u	/* datagrams in a window: 50,000 a second */
#define LOOK_US		50u
#define BATCHES_MAX	4u	/* of one socket, at one look */
#define LARGE		4096u	/* bytes */
#define FEW		2u	/* at a look: less than that is next to none */
#define IDLE_MAX	4u	/* such looks in a row */

static struct paced {
	struct ev ev;
	uint64_t since_ns;	/* the window began */
	unsigned in, out;	/* datagrams in that window */
	unsigned found;		/* at this look */
	unsigned idle;		/* looks in a row */
	bool large;		/* the last one was */
	bool by_clock;
} table[BUCKETS];

void udp_pace_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		table[i] = (struct paced) { 0 };
}

static struct paced *bucket_of(struct ev ev)
{
	return &table[(ev.slot + ev.kind) % BUCKETS];
}

static bool is_of(const struct paced *p, struct ev ev)
{
	return p->ev.kind == ev.kind && p->ev.slot == ev.slot &&
	       p->ev.gen == ev.gen;
}

void udp_pace_out(struct ev ev, unsigned n)
{
	struct paced *p = bucket_of(ev);

	if (is_of(p, ev))
		p->out += n;
}

static void note_in(struct paced *p, const struct udp_got *g, unsigned n)
{
	if (clock_ns() - p->since_ns > WINDOW_NS) {
		p->since_ns = clock_ns();
		p->in = p->out = 0;
	}
	p->in += n;
	p->found += n;
	p->large = n && g[n - 1].data.iov_len >= LARGE;
}

void udp_pace_in(int fd, struct ev ev, const struct udp_got *g, unsigned n)
{
	struct paced *p = bucket_of(ev);

	if (!is_of(p, ev)) {
		if (p->by_clock)
			return;
		*p = (struct paced) { .ev = ev };
	}
	note_in(p, g, n);
	if (p->by_clock || p->large || p->in < BUSY || p->out > p->in / 2 ||
	    loop_mod(fd, 0, ev))
		return;
	p->by_clock = true;
	p->idle = 0;
	loop_tick_in(LOOK_US);
}

/* -1: it is gone, and its registration with it. */
static int fd_of(struct ev ev)
{
	const struct udp_sock *s;
	const struct listener *l;

	if (ev.kind == EV_UDP) {
		s = udp_sock_of_event(ev);
		return s ? s->fd : -1;
	}
	l = listen_get(ev.slot);
	return l ? l->fd : -1;
}

/* Whether there may be more. */
static bool look(struct paced *p)
{
	ev_handler handle = p->ev.kind == EV_UDP ? udp_handle :
						   udp_listen_handle;
	bool full = true;

	p->found = 0;
	for (unsigned i = 0; full && i < BATCHES_MAX; i++) {
		unsigned before = p->found;

		handle(p->ev, EPOLLIN);
		full = p->found != before && udp_recv_full();
	}
	p->idle = p->found < FEW ? p->idle + 1 : 0;
	return full;
}

static void back_to_events(struct paced *p)
{
	int fd = fd_of(p->ev);

	p->by_clock = false;
	p->in = 0;
	if (fd >= 0)
		loop_mod(fd, EPOLLIN, p->ev);
}

void udp_tick(void)
{
	bool again = false, more = false;

	for (unsigned i = 0; i < BUCKETS; i++) {
		struct paced *p = &table[i];

		if (!p->by_clock)
			continue;
		more |= look(p);
		if (p->idle == IDLE_MAX || p->large)
			back_to_events(p);
		else
			again = true;
	}
	if (again)
		loop_tick_in(more ? 0 : LOOK_US);
}
