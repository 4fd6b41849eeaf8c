/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expect.c - lines of a diary that say what the guest receives
 *
 * Each takes the next segment of the connection, waiting for it as long as its
 * time allows and moving the clock meanwhile, and compares it with what the
 * line says; what the line does not say is not compared.
 */
#include "guest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "wire/frame.h"

#define TEXT_MAX	4096

struct want {			/* what a "<" line says of a segment */
	uint64_t from_ms, to_ms;
	uint8_t flags;
	bool psh, has_seq, has_ack, no_ws;
	uint32_t seq, end, ack;
	long mss, ws, seg_len;	/* -1: not said */
	long win_min, win_max, bytes_min, bytes_max;
	const char *text;
};

bool expect_have_frame(void)
{
	return conn_cur()->inbox;
}

static bool wait_frame(uint64_t to_ms)
{
	return expect_have_frame() || advance(to_ms, expect_have_frame) ||
	       wait_real(expect_have_frame);
}

static void parse_bounds(const char *word, size_t skip_len, long *min,
			 long *max, char ***tok)
{
	const char *op = word + skip_len;

	if (!strcmp(op, ">="))
		*min = number(tok_next(tok));
	else if (!strcmp(op, "<="))
		*max = number(tok_next(tok));
	else if (!*op)
		*min = *max = number(tok_next(tok));
	else
		fail("unexpected: %s", word);
}

/* What the MTU leaves for a segment. */
static long mss_auto(void)
{
	return (long)conf.mtu - (world.fam == FAM4 ? 40 : 60);
}

static void parse_want_option(struct want *x, char ***tok)
{
	const char *word = tok_next(tok);

	if (*word == '"') {
		x->text = word;
	} else if (!strcmp(word, "ack")) {
		x->has_ack = true;
		x->ack = (uint32_t)number(tok_next(tok));
	} else if (!strcmp(word, "mss")) {
		x->mss = tok_take(tok, "auto") ? mss_auto() : number(tok_next(tok));
	} else if (!strcmp(word, "ws")) {
		x->ws = number(tok_next(tok));
	} else if (!strcmp(word, "nows")) {
		x->no_ws = true;
	} else if (!strcmp(word, "psh")) {
		x->psh = true;
	} else if (!strcmp(word, "seglen")) {
		x->seg_len = tok_take(tok, "auto") ? mss_auto() :
			     number(tok_next(tok));
	} else if (!strncmp(word, "win", 3)) {
		parse_bounds(word, 3, &x->win_min, &x->win_max, tok);
	} else if (!strncmp(word, "bytes", 5)) {
		parse_bounds(word, 5, &x->bytes_min, &x->bytes_max, tok);
	} else {
		fail("unexpected: %s", word);
	}
}

static void parse_want(struct want *x, char **tok)
{
	while (*tok)
		parse_want_option(x, &tok);
}

static long window_bytes(const struct conn *c, const struct seg *s)
{
	if (s->flags & TCP_FLAG_SYN || c->ws < 0 || c->peer_ws < 0)
		return s->win;
	return (long)s->win << c->peer_ws;
}

static bool out_of(long v, long min, long max)
{
	return (min >= 0 && v < min) || (max >= 0 && v > max);
}

/* The first thing wrong with it, or NULL. */
static const char *differs(const struct want *x, const struct seg *s)
{
	uint8_t scratch[TEXT_MAX];
	long bytes = window_bytes(conn_cur(), s);
	uint8_t flags = s->flags & (uint8_t)~TCP_FLAG_PSH;

	if (flags != (x->flags & ~TCP_FLAG_PSH))
		return "flags";
	if ((x->psh || x->flags & TCP_FLAG_PSH) && !(s->flags & TCP_FLAG_PSH))
		return "no PSH";
	if (x->has_seq && (s->seq != x->seq || s->seq + s->len != x->end))
		return "sequence";
	if (x->has_ack && s->ack != x->ack)
		return "acknowledgement";
	if (x->mss >= 0 && s->mss != x->mss)
		return "MSS";
	if ((x->ws >= 0 && s->ws != x->ws) || (x->no_ws && s->ws >= 0))
		return "window scale";
	if (out_of(s->win, x->win_min, x->win_max) ||
	    out_of(bytes, x->bytes_min, x->bytes_max))
		return "window";
	if (x->text && (unquote(x->text, scratch, sizeof(scratch)) != s->len ||
			memcmp(scratch, s->data, s->len)))
		return "payload";
	if (s->at_ms < x->from_ms || s->at_ms > x->to_ms)
		return "time";
	return NULL;
}

void expect_not(const char *how, const struct seg *s)
{
	char text[200];

	fail("got at %+" PRId64 " ms (%s): %s",
	     (int64_t)(s->at_ms - now_ms()), how,
	     seg_str(s, text, sizeof(text)));
}

/* The next one that counts. Waiting for something more than an acknowledgement,
 * plain ones that come before it may be there or not. */
static struct seg *next_seg(const struct want *x, bool skip_acks)
{
	struct seg *s;

	for (;;) {
		if (!wait_frame(x->to_ms))
			fail("nothing came");
		s = wire_pop(conn_cur());
		if (!skip_acks || !seg_pure_ack(s) ||
		    s->seq != conn_cur()->rcv_nxt)
			return s;
		seg_free(s);
	}
}

static void expect_seg(struct want *x, char **tok)
{
	bool pure;
	struct seg *s;
	const char *how;

	x->flags = tok_flags(tok_next(&tok));
	if (tok_is_number(*tok)) {
		x->has_seq = true;
		tok_range(tok_next(&tok), &x->seq, &x->end);
	}
	parse_want(x, tok);
	pure = (x->flags & ~TCP_FLAG_PSH) == TCP_FLAG_ACK && x->end == x->seq;
	s = next_seg(x, !pure);
	how = differs(x, s);
	if (how)
		expect_not(how, s);
	seg_free(s);
}

/* A stretch of the stream, however it is cut. */
static void expect_data(struct want *x, char **tok)
{
	uint32_t end;
	bool psh = false;

	x->flags = TCP_FLAG_ACK;
	tok_range(tok_next(&tok), &x->seq, &end);
	parse_want(x, tok);
	psh = x->psh;
	x->has_seq = true;
	while (x->seq != end) {
		struct seg *s = next_seg(x, true);
		const char *how;

		x->end = x->seq + s->len;
		x->psh = psh && x->end == end;
		how = differs(x, s);
		if (!how && (!s->len || seq_lt(end, x->end)))
			how = "length";
		if (!how && x->seg_len >= 0 && x->end != end &&
		    s->len != x->seg_len)
			how = "length";
		if (how)
			expect_not(how, s);
		x->seq = x->end;
		seg_free(s);
	}
}

static bool ack_covers(const struct seg *s, uint32_t ack)
{
	return s->flags & TCP_FLAG_ACK && seq_le(ack, s->ack);
}

/* Segments without payload are used up, others stay for the lines to come. */
static bool find_ack(uint32_t ack)
{
	struct conn *c = conn_cur();

	for (struct seg *s = c->inbox; s; s = c->inbox) {
		bool found = ack_covers(s, ack);

		if (!seg_pure_ack(s)) {
			for (; s && !found; s = s->next)
				found = ack_covers(s, ack);
			return found;
		}
		seg_free(wire_pop(c));
		if (found)
			return true;
	}
	return false;
}

static uint32_t ack_wanted;

static bool ack_came(void)
{
	return find_ack(ack_wanted);
}

static void expect_ack(struct want *x, char **tok)
{
	ack_wanted = (uint32_t)number(tok_next(&tok));
	tok_end(tok);
	if (!advance(x->to_ms, ack_came) && !wait_real(ack_came))
		fail("no acknowledgement of %u", ack_wanted);
}

static void drop_pure_acks(void)
{
	struct conn *c = conn_cur();

	while (c->inbox && seg_pure_ack(c->inbox) &&
	       c->inbox->seq == c->rcv_nxt)
		seg_free(wire_pop(c));
}

static bool have_more_than_ack(void)
{
	drop_pure_acks();
	return expect_have_frame();
}

/* "none": not a frame. "nodata": plain acknowledgements may come. */
static void expect_none(char **tok, bool (*unwanted)(void))
{
	uint64_t ms = 0;

	if (tok_take(&tok, "for"))
		ms = (uint64_t)number(tok_next(&tok));
	tok_end(tok);
	if (!unwanted() && !advance(now_ms() + ms, unwanted) && !unwanted())
		return;
	expect_not("unexpected", conn_cur()->inbox);
}

void expect_line(uint64_t from_ms, uint64_t to_ms, char **tok)
{
	struct want x = {
		.from_ms = from_ms, .to_ms = to_ms, .mss = -1, .ws = -1,
		.seg_len = -1, .win_min = -1, .win_max = -1, .bytes_min = -1,
		.bytes_max = -1,
	};

	if (tok_take(&tok, "none"))
		expect_none(tok, expect_have_frame);
	else if (tok_take(&tok, "nodata"))
		expect_none(tok, have_more_than_ack);
	else if (tok_take(&tok, "data"))
		expect_data(&x, tok);
	else if (tok_take(&tok, "ack"))
		expect_ack(&x, tok);
	else
		expect_seg(&x, tok);
}

