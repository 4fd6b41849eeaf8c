/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.c - the link as a tap device in the guest's network namespace
 *
 * One frame per read() and per write(). Where the kernel grants it, a
 * virtio_net_hdr precedes each frame and does the heavy work: checksums are
 * left to whoever needs them, and a TCP or UDP super-frame of up to 64 KiB
 * crosses whole, whatever the MTU, to be cut up by the guest's kernel, if ever.
 *
 * A write runs the guest's receive path before it returns, so what is committed
 * has left: there is nothing to flush, and one transmit arena, cut into frames
 * by each reservation, is enough:
 *
 *	| vnet | headers | payload (64-byte aligned) | vnet | headers | ...
 *	^ frame_start    ^ where recvmsg() puts bytes of a host socket
 *
 * Owns the descriptor and both arenas; of these, only what traffic uses is ever
 * touched. Never waits: the descriptor is non-blocking.
 *
 * virtio 1.2, 5.1.6 (network header); linux/if_tun.h.
 */
#include "link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"

SYSCALLS(pasta: read, write);

/* struct virtio_net_hdr_mrg_rxbuf, in the machine's byte order as tun has it
 * by default. */
struct vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

_Static_assert(sizeof(struct vnet_hdr) == 12, "TUNSETVNETHDRSZ");

enum {
	VNET_NEEDS_CSUM	= 1,

	VNET_GSO_TCP4	= 1,
	VNET_GSO_TCP6	= 4,
	VNET_GSO_UDP	= 5,	/* segments of UDP, not IP fragments */
	VNET_GSO_ECN	= 0x80,	/* may be set in any */
};

#define ALIGN		64u
#define ALIGN_UP(n)	(((n) + ALIGN - 1) & ~(size_t)(ALIGN - 1))

#define TX_LARGE	4		/* super-frames per reservation */
#define TX_ARENA	(TX_LARGE * (ALIGN_UP(ETH_FRAME_MAX) + 4 * ALIGN))

/* Never offer less than a whole frame: tun cuts silently. */
#define RX_SLOT		(ALIGN_UP(ETH_FRAME_MAX + sizeof(struct vnet_hdr)))
#define RX_SLOTS	16u

static int tap_fd = -1;
static size_t vnet_len;		/* of the header before each frame, or 0 */

static uint8_t tx_arena[TX_ARENA] __attribute__((aligned(4096)));
static uint8_t rx_arena[RX_SLOTS][RX_SLOT] __attribute__((aligned(4096)));
static struct iovec rx_iov[RX_SLOTS];

/* How much to read, see rx_budget(). */
static unsigned rx_expected;
static bool rx_cut;		/* the last event left frames unread, perhaps */
static unsigned turns_since_input;

/* --- towards the guest --- */

static unsigned tap_reserve(struct frame *f, unsigned want, size_t hdr_len,
			    size_t room)
{
	size_t lead = ALIGN_UP(vnet_len + hdr_len), stride;
	uint8_t *pay = tx_arena + lead;
	unsigned n;

	room = MIN(room, ETH_FRAME_MAX - hdr_len);
	stride = lead + ALIGN_UP(room);
	n = (unsigned)MIN(want, TX_ARENA / stride);
	for (unsigned i = 0; i < n; i++, pay += stride) {
		f[i].hdr = pay - hdr_len;
		f[i].hdr_len = hdr_len;
		f[i].pay[0] = (struct iovec) { pay, room };
		f[i].pay_cnt = 1;
		f[i].pay_len = 0;
	}
	return n;
}

static void vnet_put(uint8_t *out, const struct frame *f)
{
	static const uint8_t types[] = {
		[GSO_NONE]	= 0,
		[GSO_TCP4]	= VNET_GSO_TCP4,
		[GSO_TCP6]	= VNET_GSO_TCP6,
		[GSO_UDP]	= VNET_GSO_UDP,
	};
	struct vnet_hdr h = { 0 };

	if (f->needs_csum) {
		h.flags = VNET_NEEDS_CSUM;
		h.csum_start = f->csum_start;
		h.csum_offset = f->csum_offset;
	}
	if (f->gso != GSO_NONE) {
		h.gso_type = types[f->gso];
		h.gso_size = f->gso_size;
		h.hdr_len = (uint16_t)f->hdr_len;
	}
	memcpy(out, &h, vnet_len);
}

static void device_failed(const char *what, int errnum)
{
	err("%s the tap device failed: %s; giving up", what, strerror(errnum));
	loop_stop(EXIT_FAILURE);
}

/* The frame is lost, the device is not: interface down, queue or memory full,
 * or a header this kernel does not take. */
static bool lost_only(int errnum)
{
	static const int harmless[] = {
		EAGAIN, EIO, ENOBUFS, ENOSPC, ENOMEM, EINVAL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		if (harmless[i] == errnum)
			return true;
	}
	return false;
}

static void send_frame(const struct frame *f)
{
	uint8_t *start = f->hdr - vnet_len;
	size_t len = vnet_len + f->hdr_len + f->pay_len;
	ssize_t n;

	vnet_put(start, f);
	do
		n = write(tap_fd, start, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return;
	if (!lost_only(errno)) {
		device_failed("Writing to", errno);
		return;
	}
	debug_limit("The tap device refused a frame of %zu bytes: %s",
		    f->hdr_len + f->pay_len, strerror(errno));
	drop(DROP_LINK_ERROR);
}

static void tap_commit(struct frame *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_frame(&f[i]);
}

static void tap_flush(void)
{
	if (turns_since_input < 2)
		turns_since_input++;
}

/* --- from the guest --- */

static struct frame_meta vnet_get(const uint8_t *in)
{
	static const uint8_t kinds[] = {
		[VNET_GSO_TCP4]	= GSO_TCP4,
		[VNET_GSO_TCP6]	= GSO_TCP6,
		[VNET_GSO_UDP]	= GSO_UDP,
	};
	struct vnet_hdr h = { 0 };
	uint8_t type;

	memcpy(&h, in, vnet_len);
	type = h.gso_type & (uint8_t)~VNET_GSO_ECN;
	return (struct frame_meta) {
		.gso = type < ARRAY_SIZE(kinds) ? kinds[type] : GSO_NONE,
		.gso_size = h.gso_size,
		.needs_csum = h.flags & VNET_NEEDS_CSUM,
		.csum_start = h.csum_start,
		.csum_offset = h.csum_offset,
	};
}

static void take_frame(struct iovec *iov, uint8_t *slot, size_t len)
{
	struct frame_meta meta;

	if (len < vnet_len) {
		drop(DROP_SHORT);
		return;
	}
	meta = vnet_get(slot);
	*iov = (struct iovec) { slot + vnet_len, len - vnet_len };
	link_input(iov, 1, &meta);
}

/* Length of the frame read, 0 when there is none. */
static size_t read_frame(uint8_t *slot)
{
	ssize_t n;

	do
		n = read(tap_fd, slot, RX_SLOT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (!n || errno != EAGAIN)
		device_failed("Reading from", n ? errno : ENODATA);
	return 0;
}

/* Reading until there is no more costs a read() that finds nothing. Under load
 * it is one in sixteen; for a guest that sends a request and waits it is every
 * other system call here. So only as many frames are read as the event before
 * had, and the level-triggered event tells if there are more: it then comes
 * back in the very next turn, and reading goes on until the queue is empty. A
 * request is at least a turn away from the one before, as its answer needs one.
 */
static unsigned rx_budget(void)
{
	return rx_cut && turns_since_input <= 1 ? RX_SLOTS : rx_expected;
}

static void tap_input(struct ev ev, uint32_t events)
{
	unsigned budget = rx_budget(), n;

	(void)ev;
	if (!(events & EPOLLIN)) {
		device_failed("Waiting for", ENODEV);
		return;
	}
	for (n = 0; n < budget; n++) {
		size_t len = read_frame(rx_arena[n]);

		if (!len)
			break;
		take_frame(&rx_iov[n], rx_arena[n], len);
	}
	rx_expected = MAX(n, 1);
	rx_cut = n == budget;
	turns_since_input = 0;
	link_input_done();
}

static const struct link_ops tap_ops = {
	.reserve	= tap_reserve,
	.commit		= tap_commit,
	.flush		= tap_flush,
	.input		= tap_input,
};

int tap_attach(int fd, bool vnet, const struct link_caps *caps,
	       const struct link_hooks *hooks)
{
	int rc;

	tap_fd = fd;
	vnet_len = vnet ? sizeof(struct vnet_hdr) : 0;
	rx_expected = RX_SLOTS;
	rx_cut = false;
	turns_since_input = 0;
	link_init(&tap_ops, caps, hooks);
	rc = loop_add(fd, EPOLLIN, (struct ev) { .kind = EV_LINK });
	if (!rc)
		link_set_up(true);
	return rc;
}
