/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: services/reassembly wire/frame wire/csum addr buf conf log timer
 *	  util */
/* reassembly.c - fragments in any order, of any size, at any time
 *
 * Five bytes of input are one fragment: flags (family, identification, more to
 * follow, time passing), offset, with more of the identification and whether
 * there is another header in its low bits, length. What byte of which datagram
 * goes where is known: so whatever comes out whole must consist of the right ones, end
 * where a last fragment had ended, and never be a fragment.
 */
#include <string.h>

#include "icmp.h"
#include "services/services.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/packets.h"
#include "timer.h"
#include "util.h"

#define PROTO		200	/* no header to be judged */
#define PRIME		251
#define IDS		64		/* more than are kept, in two families */
#define DEST_OPTIONS	60

static struct raw r;
static bool ends[FAM_COUNT][IDS][65536];
static bool *end_set[4096];	/* to be cleared before the next input */
static unsigned end_cnt;

static void end_note(bool *end)
{
	*end = true;
	end_set[end_cnt++] = end;
}

static uint8_t content(unsigned fam, unsigned id, size_t off)
{
	return (uint8_t)(off % PRIME + (id * 2 + fam) * 37);
}

/* What the guest is told is about a first fragment, and that is as it was. */
void icmp_error_about(const struct packet *p, const struct icmp_error *e)
{
	static uint8_t got[65536];
	uint8_t start;

	check(e->code == 1 && p->payload.len);
	check(view_copy(&p->payload, 0, got, p->payload.len));
	start = got[0];
	for (size_t i = 0; i < p->payload.len; i++)
		check(got[i] == (uint8_t)(start + i % PRIME));
}

static void check_whole(const struct packet *w, unsigned fam, unsigned id)
{
	static uint8_t got[65536];
	size_t len = w->payload.len;

	check(!w->fragment && w->proto == PROTO && len < sizeof(got));
	check(addr_fam(&w->src) == fam && ends[fam][id][len]);
	check(view_copy(&w->payload, 0, got, len));
	for (size_t i = 0; i < len; i++)
		check(got[i] == content(fam, id, i));
}

/* IPv6: behind another header, if @chain. */
static void fragment(unsigned fam, unsigned id, size_t off, size_t len,
		     bool more, bool chain)
{
	static const uint8_t options[] = { IPPROTO_FRAGMENT, 0, 1, 4 };
	uint8_t next = fam == FAM4 ? PROTO :
		       chain ? DEST_OPTIONS : IPPROTO_FRAGMENT;

	raw_ip(&r, fam, raw_src(fam), raw_dst(fam), next,
	       len + (fam == FAM4 ? 0 : chain ? 16 : 8));
	if (fam == FAM6 && chain) {
		raw_add(&r, options, sizeof(options));
		raw_be32(&r, 0);
	}
	if (fam == FAM4) {
		put_be16(r.b + 18, (uint16_t)id);
		put_be16(r.b + 20, (uint16_t)(off / 8 | (more ? 0x2000 : 0)));
	} else {
		raw_be16(&r, PROTO << 8);
		raw_be16(&r, (unsigned)(off | more));
		raw_be32(&r, id);
	}
	for (size_t i = 0; i < len; i++)
		r.b[r.len++] = content(fam, id, off + i);
}

FUZZ(data, size)
{
	static uint64_t now_ms = 1000;
	struct rd in = rd_init(data, size);

	while (end_cnt)
		*end_set[--end_cnt] = false;
	now_ms += 10000;		/* nothing is left of the last input */
	clock_set(now_ms * 1000000);
	timer_run(reassembly_expire);

	while (rd_more(&in) && end_cnt < ARRAY_SIZE(end_set)) {
		uint8_t flags = rd_u8(&in);
		unsigned place = rd_be16(&in);
		size_t off = place & 0xfff8, len = rd_be16(&in);
		unsigned fam = flags & 1, id = flags >> 4 | (place & 3) << 4;
		bool more = flags & 2;
		struct iovec iov = { r.b, 0 };
		struct packet p, whole;

		if (!rd_ok(&in))
			return;
		if ((flags & 12) == 12) {
			now_ms += 700;
			clock_set(now_ms * 1000000);
			timer_run(reassembly_expire);
		}
		len %= flags & 4 ? 65000 : 64;
		fragment(fam, id, off, len, more, place & 4);
		if (!more && off + len <= 65535)
			end_note(&ends[fam][id][off + len]);
		iov.iov_len = r.len;
		if (!frame_parse(&p, &iov, 1, NULL) || !p.fragment)
			continue;
		if (reassembly_add(&p, &whole))
			check_whole(&whole, fam, id);
	}
}
