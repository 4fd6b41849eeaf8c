/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.h - the harness: FUZZ(data, size) { one input, no result } */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool ok)
{
	if (!ok)
		abort();
}

#define FUZZ(data, size)						\
	static void fuzz_one(const uint8_t *data, size_t size);		\
	int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)		\
	{								\
		fuzz_one(d, n);						\
		return 0;						\
	}								\
	static void fuzz_one(const uint8_t *data, size_t size)

#endif
