/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neigh.c - which hardware address stands for an address on the guest's link
 *
 * To the guest, the host's network looks as it does to the host: stations there
 * have the hardware addresses they really have, in answers to ARP and neighbour
 * solicitations and as sources of frames. Who is not known has the gateway's,
 * as if routed by it, and where that is not known, or is us, ours. All frames
 * reach us whatever the guest writes on them.
 *
 * Addresses under which the guest reaches the host itself, by mapping, are
 * ours for good: neighbours cannot take them. As the gateway's address is such
 * a one by default, strangers then have our hardware address.
 *
 * Neighbours come from whoever is on the host's network, and say what they
 * like: the table is of one size, hashed with a secret, and full is full.
 * Listening to the kernel is setup/neigh_watch.c's.
 *
 * Owns the table: address as the guest knows it -> hardware address. What the
 * host knows it as was translated by fwd.c, as sources of flows are.
 */
#include "neigh.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "conf.h"
#include "fwd.h"
#include "log.h"
#include "siphash.h"
#include "util.h"

#define ENTRIES		512u
#define BUCKETS		512u

struct entry {
	struct addr addr;
	struct mac mac;
	uint16_t next;		/* of the bucket, or free: number plus one */
	bool used;
	bool pinned;		/* us */
};

static struct entry table[ENTRIES];
static uint16_t bucket[BUCKETS];	/* number plus one; 0: empty */
static uint16_t free_first;
static struct siphash_key key;
static uint32_t generation;

/* --- the table --- */

static uint16_t *bucket_of(const struct addr *a)
{
	return &bucket[siphash(&key, a->q, ARRAY_SIZE(a->q)) % BUCKETS];
}

/* What points at it, and is 0 if there is none. */
static uint16_t *find(const struct addr *a)
{
	uint16_t *n = bucket_of(a);

	while (*n && !addr_eq(&table[*n - 1].addr, a))
		n = &table[*n - 1].next;
	return n;
}

static struct entry *lookup(const struct addr *a)
{
	uint16_t n = *find(a);

	return n ? &table[n - 1] : NULL;
}

static struct entry *insert(const struct addr *a, const struct mac *mac)
{
	uint16_t *head = bucket_of(a), n = free_first;
	struct entry *e;

	if (!n)
		return NULL;
	e = &table[n - 1];
	free_first = e->next;
	*e = (struct entry) {
		.addr = *a, .mac = *mac, .next = *head, .used = true,
	};
	*head = n;
	generation++;
	return e;
}

static void delete(const struct addr *a)
{
	uint16_t *at = find(a), n = *at;

	if (!n || table[n - 1].pinned)
		return;
	*at = table[n - 1].next;
	table[n - 1] = (struct entry) { .next = free_first };
	free_first = n;
	generation++;
}

/* --- us --- */

static void pin(const struct addr *a)
{
	struct entry *e;

	if (addr_is_unspec(a) || lookup(a))
		return;
	e = insert(a, &conf.our_mac);
	assert(e);	/* these are the first */
	e->pinned = true;
}

int neigh_init(void)
{
	/* As for flows: a table that others can fill a bucket of is worse than
	 * none. */
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -errno;
	memset(bucket, 0, sizeof(bucket));
	free_first = 1;
	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = (struct entry) {
			.next = (uint16_t)(i + 1 < ENTRIES ? i + 2 : 0),
		};
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		pin(&conf.net[fam].map_loopback);
		pin(&conf.net[fam].map_guest);
	}
	return 0;
}

/* --- questions --- */

struct mac neigh_mac(const struct addr *guest_visible)
{
	const struct entry *e = lookup(guest_visible);

	if (!e)
		e = lookup(&conf.net[addr_fam(guest_visible)].gw);
	return e ? e->mac : conf.our_mac;
}

uint32_t neigh_generation(void)
{
	return generation;
}

/* --- news --- */

bool neigh_add(const struct addr *host, const struct mac *mac,
	       struct addr *guest)
{
	char a[ADDR_STRLEN], m[MAC_STRLEN];
	struct entry *e;

	if (!fwd_host_to_guest(fwd_env(), host, guest))
		return false;
	e = lookup(guest);
	if (e) {
		if (e->pinned || !memcmp(&e->mac, mac, sizeof(*mac)))
			return false;
		e->mac = *mac;
		generation++;
	} else if (!insert(guest, mac)) {
		debug_limit("Neighbour %s: table full", addr_str(guest, a));
		return false;
	}
	debug_limit("Neighbour %s is at %s", addr_str(guest, a),
		    mac_str(mac, m));
	return !e;
}

void neigh_remove(const struct addr *host)
{
	struct addr guest;

	if (fwd_host_to_guest(fwd_env(), host, &guest))
		delete(&guest);
}

void neigh_forget(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (table[i].used)
			delete(&table[i].addr);
}
