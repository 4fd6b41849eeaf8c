/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.c - numbers from text, whole transfers, small files, descriptors
 *
 * What the C library offers with sharp edges: strtoul() takes blanks, signs
 * and rubbish behind the number; read() and write() may stop half-way; close()
 * loses errno. Each is made safe here, once.
 *
 * Owns nothing, keeps no state, says nothing: callers know what a failure
 * means and whom to tell. Only for things where blocking is fine, such as
 * start-up, or where it cannot happen.
 */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

SYSCALLS(read, write, close);

static int digit(char c, unsigned base)
{
	int v = -1;

	if (c >= '0' && c <= '9')
		v = c - '0';
	else if (c >= 'a' && c <= 'f')
		v = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		v = c - 'A' + 10;
	return v < (int)base ? v : -1;
}

bool parse_u64_prefix(const char *s, const char **end, uint64_t max,
		      uint64_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned base = hex ? 16 : 10;
	uint64_t v = 0;

	s += hex ? 2 : 0;
	if (digit(*s, base) < 0)
		return false;
	for (; digit(*s, base) >= 0; s++) {
		uint64_t d = (uint64_t)digit(*s, base);

		if (d > max || v > (max - d) / base)
			return false;
		v = v * base + d;
	}
	*out = v;
	*end = s;
	return true;
}

bool parse_u64(const char *s, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t v;

	if (!parse_u64_prefix(s, &end, max, &v) || *end)
		return false;
	*out = v;
	return true;
}

int read_exact(int fd, void *buf, size_t len)
{
	for (char *p = buf; len;) {
		ssize_t n = read(fd, p, len);

		if (!n)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int write_exact(int fd, const void *buf, size_t len)
{
	for (const char *p = buf; len;) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Up to @size bytes, fewer at the end of the file only. */
static ssize_t read_up_to(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (!n)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	}
	return (ssize_t)len;
}

ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_up_to(fd, buf, size);
	close_keep_errno(&fd);
	if (n < 0)
		return n;
	if ((size_t)n == size)
		return -EFBIG;	/* no room left for the NUL */
	buf[n] = '\0';
	return n;
}

int write_file(const char *path, const char *text)
{
	/* Not created: the files in question are the kernel's. */
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_exact(fd, text, strlen(text));
	close_keep_errno(&fd);
	return rc;
}

void close_keep_errno(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);
	size_t n = MIN(len, size - 1);

	if (!size)
		return false;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return n == len;
}

void str_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}
