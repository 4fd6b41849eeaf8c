/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.h - the guest asks a service something; memlink.h has the answer */
#ifndef SERVED_H
#define SERVED_H

#include "log.h"
#include "test/unit/memlink.h"
#include "test/unit/packets.h"
#include "test/unit/test.h"
#include "wire/frame.h"

/* The question */
static struct raw r;

typedef void service_fn(const struct packet *p, unsigned n);

static inline void ask(service_fn *service)
{
	struct iovec iov = { r.b, r.len };
	struct packet p;

	if (OK(frame_parse(&p, &iov, 1, NULL)))
		service(&p, 1);
}

/* Whether there is no answer, and a packet counted as dropped for @reason */
static inline bool ask_in_vain(service_fn *service, enum drop_reason reason)
{
	uint64_t before = drop_count(reason);

	ask(service);
	return !mem.cnt && drop_count(reason) == before + 1;
}

#endif
