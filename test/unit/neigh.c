/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: neigh fwd conf addr util log timer */
/* neigh.c - who is shown with which hardware address, in both families */
#include "neigh.h"

#include "conf.h"
#include "fwd.h"
#include "test/unit/test.h"
#include "util.h"

enum who { GUEST, GW, MAPLO, MAPGUEST, LO, STATION, OTHER, OURS };

static const char *const text[][FAM_COUNT] = {
	[GUEST] = { "192.0.2.10", "2001:db8::10" },
	[GW] = { "192.0.2.1", "fe80::1" },
	[MAPLO] = { "192.0.2.2", "2001:db8::2" },
	[MAPGUEST] = { "192.0.2.3", "2001:db8::3" },
	[LO] = { "127.0.0.1", "::1" },
	[STATION] = { "192.0.2.77", "2001:db8::77" },
	[OTHER] = { "198.51.100.1", "2001:db8:1::1" },
	[OURS] = { "192.0.2.1", "fe80::1" },
};

static const struct mac ours = MAC_OURS_DEFAULT;
static const struct mac router = { { 0x52, 0x54, 0, 0, 0, 1 } };
static const struct mac station = { { 0x52, 0x54, 0, 0, 0, 0x77 } };
static const struct mac changed = { { 0x52, 0x54, 0, 0, 0, 0x78 } };

static enum fam fam;

static struct addr A(enum who who)
{
	struct addr a = { 0 };

	OK(addr_parse(&a, text[who][fam]));
	return a;
}

static void start(bool map_gw)
{
	conf_writable = (struct conf) { .our_mac = ours };
	conf_writable.net[fam] = (struct conf_net) {
		.enabled = true, .guest = A(GUEST), .gw = A(GW),
		.our_tap = A(OURS),
	};
	if (map_gw)
		conf_writable.net[fam].map_loopback = A(GW);
	fwd_init();
	neigh_init();
}

static bool shown(enum who who, const struct mac *mac)
{
	struct addr a = A(who);
	struct mac m = neigh_mac(&a);

	return !memcmp(&m, mac, sizeof(m));
}

/* Whether the guest is to be told. */
static bool add(enum who who, const struct mac *mac)
{
	struct addr a = A(who), guest;

	return neigh_add(&a, mac, &guest);
}

static void removed(enum who who)
{
	struct addr a = A(who);

	neigh_remove(&a);
}

#define BOTH(n)								\
	static void both_##n(void);					\
	TEST(n)								\
	{								\
		for (fam = FAM4; fam < FAM_COUNT; fam++)		\
			both_##n();					\
	}								\
	static void both_##n(void)

BOTH(who_is_not_known_has_our_address)
{
	start(true);
	OK(shown(STATION, &ours));
	OK(shown(GW, &ours));
	OK(shown(OTHER, &ours));
	start(false);
	OK(shown(STATION, &ours));
	OK(shown(GW, &ours));
}

BOTH(a_neighbour_has_its_own_until_it_is_gone)
{
	start(true);
	OK(add(STATION, &station));
	OK(shown(STATION, &station));
	OK(shown(OTHER, &ours));
	removed(STATION);
	OK(shown(STATION, &ours));
	removed(STATION);
	OK(add(STATION, &station));	/* news again */
}

BOTH(a_change_is_shown_and_not_announced)
{
	start(true);
	OK(add(STATION, &station));
	OK(!add(STATION, &station));
	OK(!add(STATION, &changed));
	OK(shown(STATION, &changed));
}

BOTH(the_gateways_address_means_us_by_default)
{
	start(true);
	OK(!add(GW, &router));
	OK(shown(GW, &ours));
	OK(shown(OTHER, &ours));
	removed(GW);
	neigh_forget();
	OK(!add(GW, &router));
	OK(shown(GW, &ours));
}

BOTH(else_strangers_come_from_the_gateway)
{
	start(false);
	OK(add(GW, &router));
	OK(shown(GW, &router));
	OK(shown(OTHER, &router));
	OK(shown(STATION, &router));
	OK(add(STATION, &station));
	OK(shown(STATION, &station));
	removed(GW);
	OK(shown(OTHER, &ours));
}

BOTH(mapped_addresses_are_ours_for_good)
{
	start(false);
	conf_writable.net[fam].map_loopback = A(MAPLO);
	conf_writable.net[fam].map_guest = A(MAPGUEST);
	neigh_init();
	OK(!add(MAPLO, &station));
	OK(!add(MAPGUEST, &station));
	removed(MAPLO);
	OK(add(GW, &router));
	OK(shown(MAPLO, &ours));
	OK(shown(MAPGUEST, &ours));
}

/* A bridge on the host may have a neighbour with the guest's address. */
BOTH(a_neighbour_goes_by_the_name_the_guest_has_for_it)
{
	struct addr a, guest, want;

	start(true);
	OK(!add(GUEST, &station));	/* cannot be shown */
	OK(!add(LO, &station));
	conf_writable.net[fam].map_guest = A(MAPGUEST);
	a = A(GUEST);
	OK(neigh_add(&a, &station, &guest));	/* pinned at start only */
	want = A(MAPGUEST);
	OK(addr_eq(&guest, &want));
	OK(shown(MAPGUEST, &station));
	OK(shown(GUEST, &ours));
	neigh_remove(&a);
	OK(shown(MAPGUEST, &ours));
}

BOTH(the_generation_changes_with_the_answers_only)
{
	uint32_t was;

	start(true);
	was = neigh_generation();
	add(STATION, &station);
	OK(neigh_generation() != was);
	was = neigh_generation();
	add(STATION, &station);
	add(GW, &router);
	removed(OTHER);
	EQ(neigh_generation(), was);
	add(STATION, &changed);
	OK(neigh_generation() != was);
	was = neigh_generation();
	removed(STATION);
	OK(neigh_generation() != was);
}

static struct addr nth(unsigned n)
{
	struct addr a = A(OTHER);

	a.b[14] = (uint8_t)(n >> 8);
	a.b[15] = (uint8_t)n;
	return a;
}

static struct mac nth_mac(unsigned n)
{
	return (struct mac) { { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

static bool nth_shown(unsigned n)
{
	struct addr a = nth(n);
	struct mac m = neigh_mac(&a), want = nth_mac(n);

	return !memcmp(&m, &want, sizeof(m));
}

static bool nth_add(unsigned n)
{
	struct addr a = nth(n), guest;
	struct mac m = nth_mac(n);

	return neigh_add(&a, &m, &guest);
}

BOTH(as_many_as_there_is_room_for_and_then_no_more)
{
	unsigned added = 0;

	start(true);
	for (unsigned i = 0; i < 600; i++)
		added += nth_add(i);
	EQ(added, 511);		/* and the gateway, which is us */
	for (unsigned i = 0; i < 600; i++)
		OK(nth_shown(i) == (i < 511));

	/* Room made is room used, and everybody else stays found. */
	for (unsigned i = 0; i < 511; i += 3) {
		struct addr a = nth(i);

		neigh_remove(&a);
	}
	for (unsigned i = 0; i < 511; i++)
		OK(nth_shown(i) == !!(i % 3));
	added = 0;
	for (unsigned i = 600; i < 900; i++)
		added += nth_add(i);
	EQ(added, 171);

	neigh_forget();
	for (unsigned i = 0; i < 900; i++)
		OK(!nth_shown(i));
	OK(shown(GW, &ours));
	OK(nth_add(1));
}
