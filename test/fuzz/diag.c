/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: diag addr buf util */
/* diag.c - whatever the answer, reading it ends, within its bounds
 *
 * The first four bytes are the sequence number asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ports p;
	uint32_t seq;
	int rc;

	if (size < sizeof(seq))
		return 0;
	memcpy(&seq, data, sizeof(seq));
	rc = diag_parse(data + sizeof(seq), size - sizeof(seq), seq, &p);
	if (rc > DIAG_MORE || rc < -4095)
		abort();
	return 0;
}
