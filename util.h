/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.h - small things everybody needs: numbers, exact I/O, descriptors */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi)	MAX(lo, MIN(v, hi))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

/* The system calls a file makes in the steady state, for the sandbox: others end
 * the process. Empty in C; tools/mkseccomp collects it. A word before a name,
 * as in "pasta: splice, pipe2", says who makes these, if not the daemon in all
 * modes. Arguments: setup/seccomp.c. */
#define SYSCALLS(...)	_Static_assert(1, "")

/* Digits only (base 10, or 16 after 0x): no blanks, signs, or trailing text.
 * False when not a number or above @max. */
bool parse_u64(const char *s, uint64_t max, uint64_t *out);
/* Like parse_u64(), but stops at the first other character, left in *end. */
bool parse_u64_prefix(const char *s, const char **end, uint64_t max,
		      uint64_t *out);

/* Whole or nothing: retry EINTR and short transfers. 0, or -errno; -EPIPE for
 * an early end of file. */
int read_exact(int fd, void *buf, size_t len);
int write_exact(int fd, const void *buf, size_t len);
/* Read a whole small file into @buf, NUL-terminated; length or -errno. */
ssize_t read_file(const char *path, char *buf, size_t size);
int write_file(const char *path, const char *text);	/* 0, or -errno */

/* Close *fd unless it is -1, set it to -1, leave errno alone. */
void close_keep_errno(int *fd);

/* strlcpy(): false when @src did not fit. */
bool str_copy(char *dst, size_t size, const char *src);
/* Control characters become "?": what users wrote, quoted in one line. */
void str_printable(char *s);

/* Whether a sequence number lies before another, RFC 9293 3.4. */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

#endif
