/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fragment.h - datagrams larger than what the guest's interface takes */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

/* Whether @l4_len bytes behind the template's IP header are too many for one
 * packet to the guest. */
bool fragment_needed(const struct frame_tmpl *t, size_t l4_len);
/* Send them in several: L4 header and payload, the checksum complete. */
void fragment_to_guest(const struct frame_tmpl *t, const uint8_t *l4,
		       size_t l4_len);

#endif
