/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_timer.c - every timeout of a TCP connection
 *
 *   ack      data from the guest waits for an ACK; data to the guest may carry
 *            it, so wait a little (RFC 9293 3.8.6.3), but not with much unacked
 *   discard  what the guest has acknowledged still sits in the host socket: it
 *            leaves in bulk, or when there is a pause
 *   resend   the guest owes an acknowledgement: SYN, data, FIN or window probe
 *            again, further and further apart (RFC 6298 5, RFC 9293 3.8.6.1)
 *   idle     the guest is silent: is it still there (RFC 9293 3.8.4)? After two
 *            hours of silence on both sides the connection is given up
 *
 * The rest of the engine says what happened, and only here that becomes a
 * deadline. A connection has one entry in the wheel, at or before its earliest
 * deadline; deadlines that move away leave it where it is, and an early expiry
 * looks again. So a busy connection touches the wheel about once a second.
 */
#include "conf.h"
#include "tcp.h"
#include "tcp_conn.h"
#include "timer.h"
#include "util.h"

#define ACK_DELAY_MS		2
#define DISCARD_PAUSE_MS	10
#define RTO_BASE_MS		1000u	/* RFC 6298 2 */
#define RTO_AFTER_SYN_MS	3000u	/* RFC 6298 5.7 */
#define RETRIES_MAX		7
#define KEEPALIVE_MS		30000u
/* Silent connections are looked at together, to wake up less often */
#define KEEPALIVE_ALIGN_MS	16384u
#define INACTIVE_MS		(2u * 3600 * 1000)

static void tcp_timer_arm(struct tcp_conn *c)
{
	uint64_t due = MIN(MIN(c->ack_due_ms, c->discard_due_ms),
			   MIN(c->resend_due_ms, c->idle_due_ms));

	if (due != TIMER_NEVER)
		timer_set_earlier(flow_idx(&c->flow), due);
}

/* How long to wait for an acknowledgement after @c->retries retransmissions. */
static uint64_t tcp_timer_rto(const struct tcp_conn *c)
{
	bool syn = c->state != TCP_ST_ESTABLISHED;
	unsigned linear = syn ? conf.syn_linear_timeouts : 0;
	uint64_t base = !syn && tcp_has(c, TCP_SYN_RETRIED) ? RTO_AFTER_SYN_MS :
							      RTO_BASE_MS;
	unsigned exp = c->retries > linear ? c->retries - linear : 0;

	return MIN(base << exp, (uint64_t)conf.rto_max_ms);
}

static void tcp_timer_resend_set(struct tcp_conn *c)
{
	c->resend_due_ms = clock_ms() + tcp_timer_rto(c);
	tcp_timer_arm(c);
}

static void tcp_timer_idle_set(struct tcp_conn *c)
{
	uint64_t due = clock_ms() + KEEPALIVE_MS;

	c->idle_due_ms = (due + KEEPALIVE_ALIGN_MS - 1) &
			 ~(uint64_t)(KEEPALIVE_ALIGN_MS - 1);
	tcp_timer_arm(c);
}

/* --- what happened ------------------------------------------------------ */

void tcp_timer_init(struct tcp_conn *c)
{
	c->ack_due_ms = c->discard_due_ms = TIMER_NEVER;
	c->resend_due_ms = c->idle_due_ms = TIMER_NEVER;
	c->active_ms = c->guest_ms = clock_ms();
}

void tcp_timer_syn_sent(struct tcp_conn *c)
{
	tcp_timer_resend_set(c);
}

void tcp_timer_established(struct tcp_conn *c)
{
	c->retries = 0;
	c->resend_due_ms = TIMER_NEVER;
	tcp_timer_idle_set(c);
}

void tcp_timer_data_sent(struct tcp_conn *c)
{
	if (c->resend_due_ms == TIMER_NEVER)
		tcp_timer_resend_set(c);
}

void tcp_timer_progress(struct tcp_conn *c)
{
	c->retries = 0;
	if (tcp_in_flight(c))
		tcp_timer_resend_set(c);
	else
		c->resend_due_ms = TIMER_NEVER;
}

void tcp_timer_window_closed(struct tcp_conn *c)
{
	tcp_timer_data_sent(c);
}

void tcp_timer_discard_left(struct tcp_conn *c)
{
	c->discard_due_ms = clock_ms() + DISCARD_PAUSE_MS;
	tcp_timer_arm(c);
}

void tcp_timer_data_received(struct tcp_conn *c)
{
	uint32_t owed = c->to_host.next - c->to_host.acked;

	if (owed >= MIN(2u * tcp_mss_ours(c), TCP_ACK_NOW_BYTES)) {
		c->flags |= TCP_ACK_NOW;
		return;
	}
	if (tcp_has(c, TCP_ACK_SOON))
		return;
	c->flags |= TCP_ACK_SOON;
	c->ack_due_ms = clock_ms() + ACK_DELAY_MS;
	tcp_timer_arm(c);
}

void tcp_timer_ack_sent(struct tcp_conn *c)
{
	c->flags &= ~(uint32_t)(TCP_ACK_NOW | TCP_ACK_SOON);
	c->ack_due_ms = TIMER_NEVER;
}

void tcp_timer_host_activity(struct tcp_conn *c)
{
	c->active_ms = clock_ms();
}

void tcp_timer_guest_activity(struct tcp_conn *c)
{
	c->active_ms = c->guest_ms = clock_ms();
}

/* --- what is due -------------------------------------------------------- */

/* False: aborted. */
static bool tcp_timer_resend_syn(struct tcp_conn *c)
{
	unsigned max = MIN(RETRIES_MAX, conf.syn_retries +
					conf.syn_linear_timeouts);

	if (c->retries >= max) {
		tcp_abort(c, TCP_WHY_TIMEOUT);
		return false;
	}
	c->retries++;
	c->flags |= TCP_SYN_RETRIED;
	tcp_out_syn(c);
	tcp_timer_resend_set(c);
	return true;
}

static bool tcp_timer_resend(struct tcp_conn *c)
{
	if (c->state != TCP_ST_ESTABLISHED)
		return tcp_timer_resend_syn(c);

	/* The window was closed, and what was to be sent is gone */
	if (!tcp_in_flight(c) && !tcp_has(c, TCP_READABLE)) {
		tcp_timer_progress(c);
		return true;
	}
	if (c->retries >= RETRIES_MAX) {
		tcp_abort(c, TCP_WHY_TIMEOUT);
		return false;
	}
	c->retries++;
	tcp_out_rewind(c);
	if (!c->to_guest.window)
		c->flags |= TCP_PROBING;
	tcp_timer_resend_set(c);
	flow_ready(&c->flow);
	return true;
}

static bool tcp_timer_idle(struct tcp_conn *c)
{
	if (clock_ms() - c->active_ms >= INACTIVE_MS) {
		tcp_abort(c, TCP_WHY_INACTIVE);
		return false;
	}
	/* What is sent again asks already */
	if (clock_ms() - c->guest_ms >= KEEPALIVE_MS &&
	    c->resend_due_ms == TIMER_NEVER)
		tcp_out_keepalive(c);
	tcp_timer_idle_set(c);
	return true;
}

static bool tcp_timer_ack(struct tcp_conn *c)
{
	c->ack_due_ms = TIMER_NEVER;
	c->flags |= TCP_ACK_NOW;
	flow_ready(&c->flow);
	return true;
}

static bool tcp_timer_discard(struct tcp_conn *c)
{
	c->discard_due_ms = TIMER_NEVER;
	return tcp_out_discard(c);
}

void tcp_expire(struct flow *f)
{
	struct tcp_conn *c = (struct tcp_conn *)f;
	uint64_t now = clock_ms();

	if (c->ack_due_ms <= now && !tcp_timer_ack(c))
		return;
	if (c->discard_due_ms <= now && !tcp_timer_discard(c))
		return;
	if (c->resend_due_ms <= now && !tcp_timer_resend(c))
		return;
	if (c->idle_due_ms <= now && !tcp_timer_idle(c))
		return;
	tcp_timer_arm(c);
}
