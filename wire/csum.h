/* SPDX-License-Identifier: GPL-2.0-or-later */
/* csum.h - Internet checksum, RFC 1071 */
#ifndef CSUM_H
#define CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "addr.h"

/* Partial sums: add any number of pieces, fold once. Each piece but the last
 * must have an even length. Vectorised where the machine can. */
uint32_t csum_add(uint32_t sum, const void *p, size_t len);
/* Pieces of any length, odd ones included, @skip bytes into the first. */
uint32_t csum_iov(uint32_t sum, const struct iovec *iov, unsigned cnt,
		  size_t skip, size_t len);
/* Pseudo-header of RFC 9293 3.1 or RFC 8200 8.1. */
uint32_t csum_pseudo(const struct addr *src, const struct addr *dst,
		     uint8_t proto, uint32_t l4_len);
/* The field's value in host order; put_be16() it. */
uint16_t csum_fold(uint32_t sum);

#endif
