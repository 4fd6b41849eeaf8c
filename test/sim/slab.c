/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slab.c - backlog.c as it is, with a window in: what is in use, and less of
 * it, so that schedules can use it up
 */
#include "backlog.c"

#include "test/sim/sim.h"

static uint32_t hidden;

unsigned slab_in_use(void)
{
	return in_use - hidden;
}

void slab_limit(unsigned left)
{
	hidden = BACKLOG_CHUNKS - left;
	untouched = in_use = hidden;
}
