/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - programs beyond the sockets of the host, and what all programs do
 *
 * A program writes so much, so often, and closes when it has written all, or
 * when the other end has closed. It reads so much, so often, and may stop for a
 * while, or be killed. What it reads was compared when the daemon wrote it
 * (kernel.c); here ends are judged.
 */
#include "test/sim/sim.h"

static void turn_write(unsigned idx, unsigned end);
static void turn_read(unsigned idx, unsigned end);

/* --- all programs --- */

uint64_t program_read(struct conn *c, unsigned end, uint64_t avail)
{
	struct program *p = &c->program[end];
	struct stream *s = &c->stream[!end];
	uint64_t n = MIN(avail, p->read_chunk);

	if (s->got < p->pause_at)
		n = MIN(n, p->pause_at - s->got);
	s->got += n;
	world.progress += n;
	return n;
}

/* Until it reads again. */
uint64_t program_read_gap(struct conn *c, unsigned end)
{
	struct program *p = &c->program[end];
	uint64_t gap = p->read_gap;

	if (c->stream[!end].got == p->pause_at) {
		p->pause_at = NEVER;
		gap += p->pause;
	}
	return gap;
}

uint64_t program_write(struct conn *c, unsigned end, uint64_t room)
{
	struct stream *s = &c->stream[end];
	uint64_t n = MIN(MIN(room, c->program[end].write_chunk),
			 s->total - s->sent);

	s->sent += n;
	return n;
}

bool program_done_writing(const struct conn *c, unsigned end)
{
	return c->stream[end].sent == c->stream[end].total &&
	       (!c->program[end].fin_after_eof || c->stream[!end].fin_got);
}

/* --- beyond a socket --- */

static void turn_fin(unsigned idx, unsigned end)
{
	struct conn *c = &conns[idx];

	if (c->program[end].gone || c->stream[end].fin_sent)
		return;
	T("peer %u.%u: FIN at %llu", idx, end,
	  (unsigned long long)c->stream[end].sent);
	c->stream[end].fin_sent = true;
	kernel_peer_fin(c->fd[end]);
}

static void turn_kill(unsigned idx, unsigned end)
{
	struct conn *c = &conns[idx];

	if (c->program[end].gone || !c->program[end].started ||
	    (c->stream[0].fin_got && c->stream[1].fin_got) || c->fd[end] < 0)
		return;
	T("peer %u.%u: reset", idx, end);
	c->program[end].gone = true;
	c->cause |= CAUSE_HOST_RESET;
	counters->resets++;
	kernel_peer_reset(c->fd[end]);
}

static void maybe_fin(struct conn *c, unsigned end)
{
	if (program_done_writing(c, end) && !c->stream[end].fin_sent)
		at(world.now + c->program[end].fin_delay, turn_fin,
		   conn_idx(c), end);
}

void peer_may_write(struct conn *c, unsigned end)
{
	struct program *p = &c->program[end];

	if (p->writing || p->gone || c->stream[end].fin_sent)
		return;
	p->writing = true;
	at(world.now + p->write_gap, turn_write, conn_idx(c), end);
}

static void turn_write(unsigned idx, unsigned end)
{
	struct conn *c = &conns[idx];
	struct program *p = &c->program[end];
	uint64_t n;

	p->writing = false;
	if (p->gone)
		return;
	n = program_write(c, end, kernel_peer_room(c->fd[end]));
	if (n) {
		T("peer %u.%u: wrote %llu, to %llu", idx, end,
		  (unsigned long long)n,
		  (unsigned long long)c->stream[end].sent);
		kernel_peer_wrote(c->fd[end], n);
		if (c->stream[end].sent < c->stream[end].total)
			peer_may_write(c, end);
	}
	maybe_fin(c, end);
}

void peer_may_read(struct conn *c, unsigned end)
{
	struct program *p = &c->program[end];

	if (p->reading || p->gone || !p->started)
		return;
	p->reading = true;
	at(world.now + program_read_gap(c, end), turn_read, conn_idx(c), end);
}

static void got_eof(struct conn *c, unsigned end)
{
	struct stream *s = &c->stream[!end];

	if (s->fin_got)
		return;
	T("peer %u.%u: end of file", conn_idx(c), end);
	if (!s->fin_sent)
		fail("connection %u: end %u got an end of file nobody sent",
		     conn_idx(c), end);
	if (s->got != s->sent)
		fail("connection %u: end %u got an end of file after %llu of "
		     "%llu bytes", conn_idx(c), end,
		     (unsigned long long)s->got, (unsigned long long)s->sent);
	s->fin_got = true;
	world.progress++;
	maybe_fin(c, end);
}

static void turn_read(unsigned idx, unsigned end)
{
	struct conn *c = &conns[idx];
	struct program *p = &c->program[end];
	uint64_t avail, n;
	bool eof;

	p->reading = false;
	if (p->gone)
		return;
	avail = kernel_peer_readable(c->fd[end], &eof);
	n = program_read(c, end, avail);
	if (n)
		kernel_peer_read(c->fd[end], n);
	if (n < avail)
		peer_may_read(c, end);
	else if (eof)
		got_eof(c, end);
}

void peer_was_reset(struct conn *c, unsigned end)
{
	T("peer %u.%u: was reset", conn_idx(c), end);
	if (!c->cause && !c->program[end].gone)
		fail("connection %u: end %u reset without a cause",
		     conn_idx(c), end);
	c->program[end].gone = true;
	world.progress++;
}

void peer_start(struct conn *c, unsigned end)
{
	struct program *p = &c->program[end];

	p->started = true;
	peer_may_write(c, end);
	if (p->reset_at != NEVER)
		at(world.now + p->reset_at, turn_kill, conn_idx(c), end);
}
