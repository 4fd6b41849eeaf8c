/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h - the rules of a running pasta, over its control socket */
#ifndef CONTRIB_SLIRP4NETNS_RULES_H
#define CONTRIB_SLIRP4NETNS_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

/* The path has to stay good. */
void rules_init(const char *control_path);
/* All that is forwarded to the namespace, from now on; nothing is the other
 * way. False: nothing has changed, @why says why. */
bool rules_set(const struct fwd_table *t, char *why, size_t size);

#endif
