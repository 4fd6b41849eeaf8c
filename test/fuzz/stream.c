/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: link/stream link/link link/pcap wire/frame wire/frame_str wire/csum
 *	  addr buf conf epoll_ctl log timer util */
/* stream.c - a hypervisor that writes anything, in pieces of any size
 *
 * The first byte sizes the pieces. Packets that come out must be those which a
 * naive reader of length words finds, as many and as long.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/link.h"
#include "log.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t got_cnt, got_bytes, want_cnt, want_bytes;

static void sink(struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		got_bytes += p[i].payload.len;
	got_cnt += n;
}

static void expire(uint32_t id)
{
	(void)id;
}

static const struct link_hooks hooks = { .sink = sink };
static const struct loop_hooks loop = {
	.handler = { [EV_LINK] = link_handle }, .expire = expire,
};

#define LEN_MAX	(14 + 40 + 65535)	/* Ethernet, IPv6, and what that tells */

/* True: up to the end of the input, no length was wrong. */
static bool naive(const uint8_t *data, size_t size)
{
	while (size >= 4) {
		size_t len = get_be32(data);
		struct iovec iov;
		struct packet p;

		if (len < 14 || len > LEN_MAX)
			return false;
		if (len > size - 4)
			return true;
		iov = (struct iovec) { (void *)(data + 4), len };
		if (frame_parse(&p, &iov, 1, NULL)) {
			want_cnt++;
			want_bytes += p.payload.len;
		}
		data += 4 + len;
		size -= 4 + len;
	}
	return true;
}

static void start_once(void)
{
	const struct log_config quiet = { .ident = "fuzz" };
	static bool started;

	if (started)
		return;
	started = true;
	if (loop_init() || log_start(&quiet, ""))
		abort();
	log_detach();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;
	bool in_step;
	int s[2];

	if (!size || size > 100000)
		return 0;
	piece = (data[0] + 1u) * (data[0] & 1 ? 64 : 1);
	data++;
	size--;
	got_cnt = got_bytes = want_cnt = want_bytes = 0;
	in_step = naive(data, size);

	start_once();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) ||
	    stream_attach(-1, s[0], false, &hooks))
		abort();
	for (size_t at = 0; at < size && link_is_up(); at += piece) {
		if (send(s[1], data + at, MIN(piece, size - at),
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			abort();
		loop_once(&loop, 0);
	}
	if (link_is_up() != in_step || got_cnt != want_cnt ||
	    got_bytes != want_bytes)
		abort();
	close(s[1]);
	loop_once(&loop, 0);
	if (link_is_up())
		abort();
	return 0;
}
