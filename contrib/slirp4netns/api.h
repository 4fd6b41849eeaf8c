/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api.h - requests of slirp4netns' API and what they are answered */
#ifndef CONTRIB_SLIRP4NETNS_API_H
#define CONTRIB_SLIRP4NETNS_API_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

#define API_REQUEST_MAX	4096u	/* this long is too long */
#define API_REPLY_MAX	131072u	/* RULES_MAX entries, named twice */

/* Where a port leads if the request does not say. Unspecified: requests of this
 * family are refused. */
void api_init(const struct addr guest[FAM_COUNT]);
/* False: not a complete request, and more may come. The reply ends in NUL. */
bool api_answer(const char *request, size_t len, bool is_all,
		char reply[API_REPLY_MAX]);

#endif
