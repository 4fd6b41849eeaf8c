/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcap.c - a tee on the link: every frame into a capture file
 *
 * The classic format in the machine's byte order. What the guest sent is noted
 * before it is judged. Checksums which either end leaves to the other are
 * completed; frames that a kernel has yet to cut up appear as they crossed the
 * link, whole.
 *
 *	frame --copy--> buffer --write(2)--> file
 *	                  |       when full, and 100 ms after a first frame
 *	                  '-- header and bytes of each, back to back
 *
 * So a frame costs a copy, small ones share a system call, a capture that is
 * being watched is not far behind, and an idle link has nobody woken up.
 *
 * Owns file and buffer. Never stops traffic: when the file cannot be written,
 * the capture ends there, with a whole frame. A pipe whose reader is too slow
 * misses frames.
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
#include "timer.h"
#include "util.h"
#include "wire/csum.h"

SYSCALLS(pcap: write, ftruncate, fsync, close, clock_gettime);

#define PCAP_MAGIC	0xa1b2c3d4	/* timestamps in microseconds */
#define LINKTYPE_ETHERNET 1
#define SNAPLEN		65535
#define BUFFER_SIZE	(256 * 1024)
#define FLUSH_MS	100

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
static off_t file_end;		/* what the file has of earlier flushes */
static uint8_t buffer[BUFFER_SIZE];
static size_t used;

bool pcap_on(void)
{
	return pcap_fd >= 0;
}

/* Non-blocking, for pipes: one without a reader is an error. */
int pcap_open(const char *path)
{
	const struct pcap_file head = {
		.magic = PCAP_MAGIC, .major = 2, .minor = 4,
		.snaplen = SNAPLEN, .linktype = LINKTYPE_ETHERNET,
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
			    O_NONBLOCK | O_NOCTTY, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_exact(fd, &head, sizeof(head));
	if (rc) {
		close_keep_errno(&fd);
		return rc;
	}
	close_keep_errno(&pcap_fd);
	pcap_fd = fd;
	file_end = sizeof(head);
	used = 0;
	return 0;
}

/* --- buffer to file --- */

/* Of @len bytes of the buffer, those that belong to whole records. */
static size_t whole_records(size_t len)
{
	struct pcap_record rec;
	size_t at = 0, next = 0;

	while (next <= len) {
		at = next;
		if (len - at < sizeof(rec))
			break;
		memcpy(&rec, buffer + at, sizeof(rec));
		next = at + sizeof(rec) + rec.captured;
	}
	return at;
}

/* What the disk took of the last frame is cut off, where that can be. */
static void capture_ends(size_t done, int errnum)
{
	err("Writing the capture file failed: %s; the capture ends here",
	    strerror(errnum));
	if (ftruncate(pcap_fd, file_end + (off_t)whole_records(done)))
		debug("The last frame of the capture is incomplete");
	timer_cancel(TIMER_PCAP);
	close_keep_errno(&pcap_fd);
	used = 0;
}

void pcap_flush(void)
{
	size_t done = 0;

	while (pcap_on() && done < used) {
		ssize_t n = write(pcap_fd, buffer + done, used - done);

		if (n > 0)
			done += (size_t)n;
		else if (!n || (errno != EINTR && errno != EAGAIN))
			capture_ends(done, n ? errno : EIO);
		else if (errno == EAGAIN)
			break;
	}
	if (!pcap_on())
		return;
	/* Only of a pipe anything is left. */
	used -= done;
	file_end += (off_t)done;
	memmove(buffer, buffer + done, used);
	timer_set(TIMER_PCAP, used ? clock_ms() + FLUSH_MS : TIMER_NEVER);
}

void pcap_sync(void)
{
	pcap_flush();
	if (pcap_on())
		fsync(pcap_fd);
}

/* --- frame to buffer --- */

/* Room for a frame of @len bytes, behind a record header that is written here.
 * NULL: it will be missing. */
static uint8_t *record_begin(size_t len)
{
	struct pcap_record rec = {
		.captured = (uint32_t)MIN(len, (size_t)SNAPLEN),
		.original = (uint32_t)len,
	};
	size_t size = sizeof(rec) + rec.captured;
	struct timespec now = { 0 };
	uint8_t *start;

	if (used + size > sizeof(buffer))
		pcap_flush();
	if (!pcap_on())
		return NULL;
	if (used + size > sizeof(buffer)) {
		warn_limit("Frames are missing in the capture: its reader is "
			   "too slow");
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	rec.sec = (uint32_t)now.tv_sec;
	rec.usec = (uint32_t)(now.tv_nsec / 1000);
	start = buffer + used;
	memcpy(start, &rec, sizeof(rec));
	if (!timer_armed(TIMER_PCAP))
		timer_set(TIMER_PCAP, clock_ms() + FLUSH_MS);
	used += size;
	return start + sizeof(rec);
}

/* @start and @off come from the guest, for its own frames: where they point
 * outside, there is nothing to complete. */
static void csum_complete(uint8_t *frame, size_t len, size_t start, size_t off)
{
	uint16_t csum;

	if (start + off + sizeof(csum) > len)
		return;
	csum = csum_fold(csum_add(0, frame + start, len - start));
	/* RFC 768: zero means that there is none. */
	put_be16(frame + start + off, csum ? csum : 0xffff);
}

void pcap_in(const struct iovec *iov, unsigned cnt,
	     const struct frame_meta *meta)
{
	const struct view v = { iov, 0, iov_len(iov, cnt) };
	uint8_t *out = record_begin(v.len);

	if (!out)
		return;
	view_copy(&v, 0, out, MIN(v.len, (size_t)SNAPLEN));
	if (meta && meta->needs_csum && v.len <= SNAPLEN)
		csum_complete(out, v.len, meta->csum_start, meta->csum_offset);
}

void pcap_out(const struct frame *f)
{
	const struct view payload = { f->pay, 0, f->pay_len };
	size_t len = f->hdr_len + f->pay_len;
	uint8_t *out = record_begin(len);

	if (!out)
		return;
	memcpy(out, f->hdr, f->hdr_len);
	view_copy(&payload, 0, out + f->hdr_len,
		  MIN(len, (size_t)SNAPLEN) - f->hdr_len);
	if (f->needs_csum && len <= SNAPLEN)
		csum_complete(out, len, f->csum_start, f->csum_offset);
}
