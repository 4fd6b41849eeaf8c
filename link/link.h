/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - the guest's wire, whatever it is made of
 *
 * Frames out: reserve room for some, fill them, commit them, and once per turn
 * flush. Committed means it leaves, or is lost as on a wire (counted); nobody
 * above has to remember it. Reserve returning 0 means the wire is busy: wait
 * for the writable hook. Frames in: batches of packets, handed to the sink.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "epoll_ctl.h"
#include "wire/frame.h"

struct link_caps {
	bool csum;		/* the other end completes checksums */
	bool tso4, tso6, uso;	/* and cuts super-frames */
	uint32_t max_payload;	/* largest L4 payload of one frame, whole
				 * super-frame included: what fits in 65535
				 * bytes */
};

#define LINK_ONE_PIECE	2048	/* smaller rooms are never scattered */

/* A back-end. All state is its own; one is active per process. reserve() gives
 * rooms of up to LINK_ONE_PIECE bytes in one piece, pay[0], and may refuse only
 * what a later link_writable() will mend. flush() comes once per turn, also
 * when nothing was committed. */
struct link_ops {
	unsigned (*reserve)(struct frame *f, unsigned want, size_t hdr_len,
			    size_t room);
	void (*commit)(struct frame *f, unsigned n);
	void (*flush)(void);
	void (*input)(struct ev ev, uint32_t events);
};

typedef void (*link_sink)(struct packet *p, unsigned n);

struct link_hooks {
	link_sink sink;		/* packets of one batch, in order of arrival */
	void (*writable)(void);	/* reserve() failed before, now try again */
	void (*up)(void);	/* a guest has attached */
};

void link_init(const struct link_ops *ops, const struct link_caps *caps,
	       const struct link_hooks *hooks);

const struct link_caps *link_caps(void);
/* Up to @want frames, each with @hdr_len bytes of header and @room bytes of
 * payload room. Returns how many; the frames are valid until commit. Only one
 * reservation at a time. @room beyond what the back-end has: fewer bytes, see
 * f->pay. */
unsigned link_reserve(struct frame *f, unsigned want, size_t hdr_len,
		      size_t room);
/* The first @n of the reservation leave, the rest goes back (n may be 0). */
void link_commit(struct frame *f, unsigned n);
void link_flush(void);
bool link_is_up(void);		/* a guest is there to receive */

/* One small frame, built by @fill into f->hdr (@hdr_len) and @len bytes of
 * contiguous payload at f->pay[0]. For services. False: no room, counted. */
bool link_reserve_one(struct frame *f, size_t hdr_len, size_t len);

struct mac link_guest_mac(void);	/* broadcast until learned */
void link_set_guest_mac(const struct mac *m);
/* EV_LINK, EV_LINK_LISTEN */
void link_handle(struct ev ev, uint32_t events);

#define LINK_BATCH	64	/* packets */

/* For back-ends: judge one received frame and put it in the batch; batches are
 * handed on by link_input_done(), or when they hold LINK_BATCH packets. Learns
 * the guest's MAC. @iov must stay valid until then. */
void link_input(const struct iovec *iov, unsigned cnt,
		const struct frame_meta *meta);
void link_input_done(void);
void link_set_up(bool up);
void link_writable(void);

/* tap.c: @fd is a tun/tap descriptor; @caps what the kernel granted; @vnet
 * whether frames carry a virtio_net_hdr (12 bytes: TUNSETVNETHDRSZ). */
int tap_attach(int fd, bool vnet, const struct link_caps *caps,
	       const struct link_hooks *hooks);
/* stream.c: one of the two is -1. A listening socket accepts one client at a
 * time; a connected one is the only client there will be. */
int stream_attach(int server, int fd, bool one_off,
		  const struct link_hooks *hooks);

/* pcap.c: 0, or -errno. Checksums are complete in the capture. */
int pcap_open(const char *path);
bool pcap_on(void);		/* only then: */
void pcap_in(const struct iovec *iov, unsigned cnt,
	     const struct frame_meta *meta);	/* may be NULL */
void pcap_out(const struct frame *f);
void pcap_flush(void);		/* TIMER_PCAP */
void pcap_sync(void);		/* at exit */

#endif
