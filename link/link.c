/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - what all links have in common
 *
 * Between the back-end that moves bytes and everybody who has packets: batches
 * of what the guest sent, the guest's hardware address, and what must be true
 * of every frame that leaves (not too short, checksum complete where the other
 * end cannot do that, in the capture).
 *
 *	back-end --link_input--> frame_parse -> batch --sink--> dispatch
 *	back-end <--ops.commit-- pad, checksum, capture <--link_commit-- all
 *
 * Owns the one batch and the one reservation there can be. Never waits, keeps
 * no frame: without a guest they are lost, as on a wire.
 *
 * IEEE 802.3 3.2.7 (minimum length); RFC 1071.
 */
#include "link/link.h"

#include <assert.h>
#include <string.h>

#include "log.h"
#include "util.h"

static const struct link_ops *ops;
static struct link_caps caps;
static struct link_hooks hooks;
static struct mac guest_mac = { { 255, 255, 255, 255, 255, 255 } };
static bool guest_up;
static bool starved;		/* somebody was told to wait for room */
static unsigned reserved;	/* frames out for filling */

static struct packet batch[LINK_BATCH];
static unsigned batch_len;

void link_init(const struct link_ops *new_ops, const struct link_caps *new_caps,
	       const struct link_hooks *new_hooks)
{
	ops = new_ops;
	caps = *new_caps;
	hooks = *new_hooks;
	guest_up = false;
	starved = false;
	reserved = 0;
	batch_len = 0;
}

const struct link_caps *link_caps(void)
{
	return &caps;
}

/* --- towards the guest --- */

unsigned link_reserve(struct frame *f, unsigned want, size_t hdr_len,
		      size_t room)
{
	size_t least = FRAME_MIN - MIN(hdr_len, (size_t)FRAME_MIN);

	assert(!reserved);
	reserved = ops->reserve(f, want, hdr_len, MAX(room, least));
	if (!reserved)
		starved = true;
	/* What padding needs is out of the writer's sight. */
	for (unsigned i = 0; room < least && i < reserved; i++)
		f[i].pay[0].iov_len = room;
	return reserved;
}

bool link_reserve_one(struct frame *f, size_t hdr_len, size_t len)
{
	assert(len <= LINK_ONE_PIECE);
	if (!link_reserve(f, 1, hdr_len, len))
		return drop(DROP_LINK_FULL);
	f->pay_len = len;
	return true;
}

/* A frame short of the minimum is short of room in pay[0] only where
 * link_reserve() hid some. */
static void pad(struct frame *f)
{
	size_t len = f->hdr_len + f->pay_len;

	if (len >= FRAME_MIN)
		return;
	memset((uint8_t *)f->pay[0].iov_base + f->pay_len, 0, FRAME_MIN - len);
	f->pay_len = FRAME_MIN - f->hdr_len;
	f->pay[0].iov_len = MAX(f->pay[0].iov_len, f->pay_len);
}

static void trace_frame(const char *way, const struct view *v)
{
	char text[FRAME_STRLEN];

	trace("%s guest, %zu bytes: %s", way, v->len, frame_str(v, text));
}

static void trace_out(const struct frame *f)
{
	struct iovec iov[1 + FRAME_IOV] = { { f->hdr, f->hdr_len } };
	const struct view payload = { f->pay, 0, f->pay_len };

	view_iov(&payload, iov + 1, FRAME_IOV);
	trace_frame("To", &(struct view) { iov, 0, f->hdr_len + f->pay_len });
}

static void finish(struct frame *f)
{
	assert(caps.csum || f->gso == GSO_NONE);
	if (!caps.csum)
		frame_csum_finish(f);
	pad(f);
	if (pcap_on())
		pcap_out(f);
	if (log_on(LOG_LVL_TRACE))
		trace_out(f);
}

void link_commit(struct frame *f, unsigned n)
{
	assert(n <= reserved);
	reserved = 0;
	if (!guest_up) {
		for (unsigned i = 0; i < n; i++)
			drop(DROP_LINK_DOWN);
		n = 0;
	}
	for (unsigned i = 0; i < n; i++)
		finish(&f[i]);
	ops->commit(f, n);
}

void link_flush(void)
{
	ops->flush();
}

void link_writable(void)
{
	if (!starved)
		return;
	starved = false;
	if (hooks.writable)
		hooks.writable();
}

/* --- the guest --- */

bool link_is_up(void)
{
	return guest_up;
}

void link_set_up(bool up)
{
	bool attached = up && !guest_up;

	guest_up = up;
	if (attached && hooks.up)
		hooks.up();
}

struct mac link_guest_mac(void)
{
	return guest_mac;
}

void link_set_guest_mac(const struct mac *m)
{
	guest_mac = *m;
}

/* The link is point-to-point: whoever speaks is the guest. But a group address
 * or none at all is nobody's, and frames to it would reach nobody. */
static void learn_mac(const struct mac *m)
{
	static const struct mac none;
	char text[MAC_STRLEN];

	if (!memcmp(m, &guest_mac, sizeof(*m)))
		return;
	if (m->b[0] & 1 || !memcmp(m, &none, sizeof(*m)))
		return;
	guest_mac = *m;
	LOG_LIMIT(LOG_LVL_INFO, "The guest's MAC address is %s",
		  mac_str(m, text));
}

/* --- from the guest --- */

void link_handle(struct ev ev, uint32_t events)
{
	ops->input(ev, events);
}

void link_input_done(void)
{
	unsigned n = batch_len;

	if (!n)
		return;
	batch_len = 0;
	hooks.sink(batch, n);
}

void link_input(const struct iovec *iov, unsigned cnt,
		const struct frame_meta *meta)
{
	struct packet *p = &batch[batch_len];

	if (pcap_on())
		pcap_in(iov, cnt, meta);
	if (log_on(LOG_LVL_TRACE))
		trace_frame("From",
			    &(struct view) { iov, 0, iov_len(iov, cnt) });
	if (!frame_parse(p, iov, cnt, meta))
		return;
	learn_mac(&p->smac);
	if (++batch_len == LINK_BATCH)
		link_input_done();
}
