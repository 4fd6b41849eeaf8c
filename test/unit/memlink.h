/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memlink.h - a link made of memory: what is sent is there to be looked at */
#ifndef MEMLINK_H
#define MEMLINK_H

#include <string.h>

#include "link/link.h"

#define MEM_MAX 16

static struct {
	struct { uint8_t b[66000]; size_t len; } sent[MEM_MAX];
	unsigned cnt;
	unsigned flushed;
	bool full;		/* refuse reservations */
	enum gso gso[MEM_MAX];
	bool needs_csum[MEM_MAX];
} mem;

static unsigned mem_reserve(struct frame *f, unsigned want, size_t hdr_len,
			    size_t room)
{
	static uint8_t arena[MEM_MAX][66000];

	if (mem.full)
		return 0;
	for (unsigned i = 0; i < want && i < MEM_MAX; i++) {
		memset(arena[i], 0xee, hdr_len + room);
		f[i] = (struct frame) {
			.hdr = arena[i], .hdr_len = hdr_len,
			.pay = { { arena[i] + hdr_len, room } },
			.pay_cnt = 1,
		};
	}
	return want < MEM_MAX ? want : MEM_MAX;
}

static void mem_commit(struct frame *f, unsigned n)
{
	for (unsigned i = 0; i < n && mem.cnt < MEM_MAX; i++, mem.cnt++) {
		size_t len = f[i].hdr_len + f[i].pay_len;

		memcpy(mem.sent[mem.cnt].b, f[i].hdr, len);
		mem.sent[mem.cnt].len = len;
		mem.gso[mem.cnt] = f[i].gso;
		mem.needs_csum[mem.cnt] = f[i].needs_csum;
	}
}

static void mem_flush(void)
{
	mem.flushed++;
}

static void mem_input(struct ev ev, uint32_t events)
{
	(void)ev;
	(void)events;
}

static const struct link_ops mem_ops = {
	mem_reserve, mem_commit, mem_flush, mem_input,
};

static inline void mem_start(const struct link_caps *caps,
			     const struct link_hooks *hooks)
{
	static const struct link_caps no_caps = { .max_payload = 65481 };
	static const struct link_hooks no_hooks;

	memset(&mem, 0, sizeof(mem));
	link_init(&mem_ops, caps ? caps : &no_caps, hooks ? hooks : &no_hooks);
	link_set_up(true);
}

#endif
