/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: wire/frame wire/csum addr buf log timer util */
/* tcp_options.c - the input is the options of a SYN, up to 40 bytes */
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = MIN(size, (size_t)40);
	uint8_t *header = malloc(20 + n);	/* exact, for the sanitizer */
	struct packet p = { 0 };
	struct tcp_seg seg;

	memset(header, 0, 20);
	header[13] = TCP_FLAG_SYN;
	memcpy(header + 20, data, n);
	p.l4 = rd_init(header, 20 + n);
	frame_tcp_seg(&p, &seg);
	if (seg.wscale < -1 || seg.wscale > 14 || seg.len)
		abort();
	free(header);
	return 0;
}
