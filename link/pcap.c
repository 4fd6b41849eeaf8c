/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcap.c - a tee on the link: every frame into a capture file
 *
 * The classic format in the machine's byte order, one write per frame. What the
 * guest sent is written before it is judged. What it gets is written with the
 * checksum completed, although the link may leave that to the other end; frames
 * which the guest's kernel will cut up appear as they left, whole.
 *
 * Owns the file. Never stops traffic: when the file cannot be written, the
 * capture ends there.
 *
 * Format: draft-ietf-opsawg-pcap.
 */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

SYSCALLS(writev, fsync, close, clock_gettime);

#define PCAP_MAGIC	0xa1b2c3d4	/* timestamps in microseconds */
#define LINKTYPE_ETHERNET 1
#define SNAPLEN		65535
#define PIECES_MAX	16		/* of one frame */

struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2];
	uint32_t snaplen;
	uint32_t linktype;
};

struct pcap_record {
	uint32_t sec, usec;
	uint32_t captured, original;
};

_Static_assert(sizeof(struct pcap_file) == 24, "as in the file");
_Static_assert(sizeof(struct pcap_record) == 16, "as in the file");

static int pcap_fd = -1;

bool pcap_on(void)
{
	return pcap_fd >= 0;
}

int pcap_open(const char *path)
{
	const struct pcap_file head = {
		.magic = PCAP_MAGIC, .major = 2, .minor = 4,
		.snaplen = SNAPLEN, .linktype = LINKTYPE_ETHERNET,
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_exact(fd, &head, sizeof(head));
	if (rc)
		close_keep_errno(&fd);
	else
		pcap_fd = fd;
	return rc;
}

static bool write_all(struct iovec *iov, unsigned cnt)
{
	while (cnt) {
		ssize_t n = writev(pcap_fd, iov, (int)cnt);
		unsigned done;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done = iov_advance(iov, cnt, (size_t)n);
		iov += done;
		cnt -= done;
	}
	return true;
}

/* @iov[0] is left free for the record's header. */
static void record(struct iovec *iov, unsigned cnt)
{
	uint32_t len = (uint32_t)iov_len(iov + 1, cnt - 1);
	struct pcap_record rec = { .captured = len, .original = len };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	rec.sec = (uint32_t)now.tv_sec;
	rec.usec = (uint32_t)(now.tv_nsec / 1000);
	iov[0] = (struct iovec) { &rec, sizeof(rec) };
	if (write_all(iov, cnt))
		return;
	err("Writing the capture file failed: %s; the capture ends here",
	    strerror(errno));
	close_keep_errno(&pcap_fd);
}

void pcap_in(const struct iovec *iov, unsigned cnt)
{
	struct view v = { iov, 0, iov_len(iov, cnt) };
	struct iovec out[1 + PIECES_MAX] = { 0 };
	unsigned n;

	if (!pcap_on())
		return;
	view_truncate(&v, SNAPLEN);
	n = view_iov(&v, out + 1, PIECES_MAX);
	if (n)
		record(out, n + 1);
}

void pcap_out(const struct frame *f)
{
	struct iovec out[2 + FRAME_IOV] = { 0 };
	uint8_t hdr[FRAME_HDR_MAX];
	struct frame whole = *f;
	struct view v = { whole.pay, 0, whole.pay_len };

	if (!pcap_on())
		return;
	memcpy(hdr, f->hdr, f->hdr_len);
	whole.hdr = hdr;
	frame_csum_finish(&whole);
	out[1] = (struct iovec) { hdr, f->hdr_len };
	record(out, 2 + view_iov(&v, out + 2, FRAME_IOV));
}

void pcap_sync(void)
{
	if (pcap_on())
		fsync(pcap_fd);
}
