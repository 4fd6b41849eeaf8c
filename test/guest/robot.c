/* SPDX-License-Identifier: GPL-2.0-or-later */
/* robot.c - the guest by itself: bulk data, in whatever segments it takes
 *
 * For diaries in which the single segment does not matter. The robot keeps to
 * the windows, acknowledges what arrives, and never sends a byte twice: data
 * that is not acknowledged is a failure, not a reason to send again.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

#define PATIENCE_MS	20000	/* without progress, by the diary's clock */

static void robot_ack(struct conn *c)
{
	struct seg s = {
		.flags = TCP_FLAG_ACK, .seq = c->snd_nxt, .ack = c->rcv_nxt,
		.win = c->win, .mss = -1, .ws = -1, .doff = -1,
	};

	wire_queue(c, &s);
}

static void robot_take_all(struct conn *c)
{
	struct seg *s;

	while ((s = wire_pop(c))) {
		if (s->flags & (TCP_FLAG_RST | TCP_FLAG_SYN))
			expect_not("unexpected", s);
		if (s->len || seq_lt(s->seq, c->rcv_nxt))
			robot_ack(c);
		seg_free(s);
	}
	wire_write();
}

/* For a kernel that may take its time: the wall clock is asked before the
 * diary's moves on.
 */
static bool wait_patiently(uint64_t until)
{
	while (now_ms() < until) {
		uint64_t real_until = real_ms() + 100;

		if (expect_have_frame() || advance(now_ms() + SOON_MS, expect_have_frame))
			return true;
		while (!expect_have_frame() && real_ms() < real_until)
			pump(5);
		if (expect_have_frame() || advance(now_ms() + 1000, expect_have_frame))
			return true;
	}
	return false;
}

/* Take and acknowledge that much, whatever the window. */
static void robot_recv(struct conn *c, uint32_t len)
{
	uint32_t end = c->rcv_nxt + len, before = c->rcv_nxt;
	uint64_t until = now_ms() + PATIENCE_MS;

	while (seq_lt(c->rcv_nxt, end)) {
		if (!wait_patiently(until))
			fail("%u bytes did not come", end - c->rcv_nxt);
		robot_take_all(c);
		if (c->rcv_nxt != before)
			until = now_ms() + PATIENCE_MS;
		before = c->rcv_nxt;
	}
	settle();
}

static uint32_t robot_room(const struct conn *c)
{
	return seq_lt(c->snd_nxt, c->peer_right) ? c->peer_right - c->snd_nxt :
	       0;
}

/* Send that much, never beyond the daemon's window, never twice; until all of
 * it is acknowledged. */
static void robot_send(struct conn *c, uint32_t len)
{
	uint32_t end = c->snd_nxt + len;
	uint64_t until = 0;

	while (seq_lt(c->peer_ack, end)) {
		uint32_t n = MIN(end - c->snd_nxt, robot_room(c));
		struct seg s = {
			.flags = TCP_FLAG_ACK, .seq = c->snd_nxt,
			.ack = c->rcv_nxt, .win = c->win, .mss = -1,
			.ws = -1, .doff = -1, .len = MIN(n, c->peer_mss),
		};

		if (!n) {
			if (!until)
				until = now_ms() + PATIENCE_MS;
			if (!wait_patiently(until))
				fail("%u bytes not acknowledged",
				     end - c->peer_ack);
			robot_take_all(c);
			continue;
		}
		until = 0;
		wire_fill(c, &s, NULL);
		wire_queue(c, &s);
		free(s.data);
		wire_write();
		pump(0);
		robot_take_all(c);
	}
	settle();
	robot_take_all(c);
}

/* Send all that the daemon's window allows, @len bytes at a time, and leave it
 * at that.
 */
static void robot_flood(struct conn *c, uint32_t len)
{
	do {
		uint32_t room = robot_room(c);

		while (room) {
			struct seg s = {
				.flags = TCP_FLAG_ACK, .seq = c->snd_nxt,
				.ack = c->rcv_nxt, .win = c->win, .mss = -1,
				.ws = -1, .doff = -1,
				.len = MIN(room, len),
			};

			wire_fill(c, &s, NULL);
			wire_queue(c, &s);
			free(s.data);
			wire_write();
			pump(0);
			robot_take_all(c);
			room -= s.len;
		}
		advance(now_ms() + SOON_MS, NULL);
		robot_take_all(c);
	} while (robot_room(c));
}

/* What came in the meantime were acknowledgements and keep-alives only. */
static void robot_ignore(struct conn *c)
{
	struct seg *s;

	while ((s = wire_pop(c))) {
		if (!seg_pure_ack(s))
			expect_not("unexpected", s);
		seg_free(s);
	}
}

/* One segment, from what the daemon has acknowledged. */
static void robot_resend(struct conn *c, uint32_t len)
{
	struct seg s = {
		.flags = TCP_FLAG_ACK, .seq = c->peer_ack, .ack = c->rcv_nxt,
		.win = c->win, .mss = -1, .ws = -1, .doff = -1, .len = len,
	};

	wire_fill(c, &s, NULL);
	wire_queue(c, &s);
	free(s.data);
	wire_write();
	settle();
}

void robot_command(char **tok)
{
	struct conn *c = conn_cur();
	const char *word = tok_next(&tok);

	if (!strcmp(word, "to")) {
		const char *a[FAM_COUNT] = { tok_next(&tok), tok_next(&tok) };

		if (!addr_parse(&c->there, a[world.fam]))
			fail("not an address: %s", a[world.fam]);
		c->there_port = (uint16_t)number(tok_next(&tok));
	} else if (!strcmp(word, "flood")) {
		robot_flood(c, *tok ? (uint32_t)number(tok_next(&tok)) :
			       c->peer_mss);
	} else if (!strcmp(word, "resend")) {
		robot_resend(c, (uint32_t)number(tok_next(&tok)));
	} else if (!strcmp(word, "ignore")) {
		robot_ignore(c);
	} else if (!strcmp(word, "send")) {
		robot_send(c, (uint32_t)number(tok_next(&tok)));
	} else if (!strcmp(word, "recv")) {
		robot_recv(c, (uint32_t)number(tok_next(&tok)));
	} else {
		fail("guest %s: no such command", word);
	}
	tok_end(tok);
}

