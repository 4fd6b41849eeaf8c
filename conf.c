/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.c - the storage of struct conf, and the end of writing to it
 *
 * One object has two names. setup/ fills it in as conf_writable; everybody
 * else sees it as conf, which is const to the compiler from the start, and to
 * the processor from conf_freeze() on: a stray or malicious write to what
 * decides about addresses, ports and privileges then ends the process.
 *
 * The object has pages of its own. Their size is known at run time only, so
 * that alignment and padding are those of the largest one Linux uses on any
 * architecture; untouched padding costs address space, not memory.
 *
 * Because conf is const, code that writes conf_writable must also read it by
 * that name: the compiler may have read conf earlier.
 */
#include "conf.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE_MAX	65536u

union conf_pages {
	struct conf conf;
	uint8_t pages[(sizeof(struct conf) + PAGE_MAX - 1) / PAGE_MAX *
		      PAGE_MAX];
};

static union conf_pages storage __attribute__((aligned(PAGE_MAX), used));

extern struct conf conf_writable __attribute__((alias("storage")));
extern const struct conf conf __attribute__((alias("storage")));

int conf_freeze(void)
{
	return mprotect(&storage, sizeof(storage), PROT_READ) ? -errno : 0;
}
