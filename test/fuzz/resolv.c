/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv.c - any text as resolv.conf */
/* links: setup/host setup/netlink setup/netlink_msg sock agent addr buf util
 *	  log conf epoll_ctl timer */
#include "setup/setup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "test/fuzz/fuzz.h"
#include "util.h"

FUZZ(data, size)
{
	/* On the heap, so that reading beyond its end is noticed. */
	char *text = malloc(size + 1);
	struct host h = { 0 };

	memcpy(text, data, size);
	text[size] = '\0';
	host_parse_resolv(&h, text);
	assert(h.nameserver_cnt <= ARRAY_SIZE(h.nameserver));
	for (unsigned i = 0; i < h.nameserver_cnt; i++)
		assert(!addr_is_unspec(&h.nameserver[i]));
	assert(h.search_cnt <= CONF_SEARCH_MAX);
	for (unsigned i = 0; i < h.search_cnt; i++)
		assert(*h.search[i] && !strpbrk(h.search[i], " \t\r\n"));
	free(text);
}
