/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - what this host is like, as far as it matters to a guest
 *
 * Fills struct host: which families there are, what the network looks like (by
 * netlink.c), the resolvers, the range of ports lent to outgoing connections,
 * how patient the kernel is, what it lets us do. Asked once, before the
 * sandbox closes.
 *
 * No file has to be there, or readable: security modules deny some of them,
 * containers lack others. What cannot be read has a default, so the only
 * thing that can fail is an interface the user named.
 *
 * resolv.conf(5) is read as resolvers read it: keyword at the start of a line,
 * blanks or tabs, comments from ';' or '#', the last of "search" and "domain"
 * counts.
 */
#include "setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sock.h"
#include "util.h"

/* --- resolv.conf --- */

/* The next word of a line, ended where @p stops; NULL when there is none. */
static const char *next_word(const char **p, size_t *len)
{
	const char *start = *p + strspn(*p, " \t\r");

	*len = strcspn(start, " \t\r\n;#");
	*p = start + *len;
	return *len ? start : NULL;
}

static void resolv_nameserver(struct host *h, const char *p)
{
	char text[ADDR_STRLEN];
	const char *word;
	struct addr a;
	size_t len;

	word = next_word(&p, &len);
	if (!word || h->nameserver_cnt == ARRAY_SIZE(h->nameserver))
		return;
	/* The zone of a link-local address is of no use to the guest. */
	for (size_t i = 0; i < len; i++)
		if (word[i] == '%')
			len = i;
	if (len >= sizeof(text))
		return;
	*(char *)mempcpy(text, word, len) = '\0';
	if (!addr_parse(&a, text))
		return;
	/* What connecting to it would reach. */
	if (addr_is_unspec(&a))
		a = addr_loopback(addr_fam(&a));
	h->nameserver[h->nameserver_cnt++] = a;
}

static void resolv_search(struct host *h, const char *p)
{
	const char *word;
	size_t len;

	h->search_cnt = 0;
	while ((word = next_word(&p, &len))) {
		if (word[len - 1] == '.')
			len--;
		if (!len || len > CONF_NAME_MAX)
			continue;
		if (h->search_cnt == CONF_SEARCH_MAX)
			return;
		*(char *)mempcpy(h->search[h->search_cnt++], word, len) = '\0';
	}
}

static void resolv_domain(struct host *h, const char *p)
{
	resolv_search(h, p);
	h->search_cnt = MIN(h->search_cnt, 1u);
}

void host_parse_resolv(struct host *h, const char *text)
{
	static const struct {
		const char *keyword;
		void (*take)(struct host *h, const char *p);
	} lines[] = {
		{ "nameserver", resolv_nameserver },
		{ "search", resolv_search },
		{ "domain", resolv_domain },
	};

	while (*text) {
		for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
			size_t len = strlen(lines[i].keyword);

			if (!strncmp(text, lines[i].keyword, len) &&
			    (text[len] == ' ' || text[len] == '\t'))
				lines[i].take(h, text + len);
		}
		text += strcspn(text, "\n");
		text += !!*text;
	}
}

static void snapshot_resolv(struct host *h)
{
	static char text[65536];

	if (read_file("/etc/resolv.conf", text, sizeof(text)) >= 0)
		host_parse_resolv(h, text);
}

/* --- numbers of the kernel --- */

static unsigned read_sysctl(const char *path, unsigned max, unsigned fallback)
{
	const char *end;
	char text[32];
	uint64_t v;

	if (read_file(path, text, sizeof(text)) < 0 ||
	    !parse_u64_prefix(text, &end, UINT32_MAX, &v) || *end != '\n')
		return fallback;
	return (unsigned)MIN(v, max);
}

static void snapshot_sysctls(struct host *h)
{
	const struct {
		const char *path;
		unsigned *to;
		unsigned max, fallback;
	} sysctls[] = {
		/* Fallbacks: what Linux does where the file is missing. */
		{ "/proc/sys/net/ipv4/tcp_syn_retries",
		  &h->syn_retries, 127, 6 },
		{ "/proc/sys/net/ipv4/tcp_syn_linear_timeouts",
		  &h->syn_linear_timeouts, 127, 4 },
		{ "/proc/sys/net/ipv4/tcp_rto_max_ms",
		  &h->rto_max_ms, 120000, 120000 },
		{ "/proc/sys/net/netfilter/nf_conntrack_udp_timeout",
		  &h->udp_timeout_s, 86400, 30 },
		{ "/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream",
		  &h->udp_timeout_stream_s, 86400, 120 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(sysctls); i++)
		*sysctls[i].to = read_sysctl(sysctls[i].path, sysctls[i].max,
					     sysctls[i].fallback);
}

static bool parse_port_range(const char *p, uint64_t range[2])
{
	for (unsigned i = 0; i < 2; i++) {
		p += strspn(p, " \t");
		if (!parse_u64_prefix(p, &p, UINT16_MAX, &range[i]))
			return false;
	}
	return range[0] <= range[1];
}

static void snapshot_ephemeral(struct host *h)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
	uint64_t range[2];
	char text[32];

	/* RFC 6335 6 */
	h->ephemeral_first = 49152;
	h->ephemeral_last = UINT16_MAX;
	if (read_file(path, text, sizeof(text)) < 0 ||
	    !parse_port_range(text, range))
		return;
	h->ephemeral_first = (uint16_t)range[0];
	h->ephemeral_last = (uint16_t)range[1];
}

/* One line which maps every user to itself. */
static bool in_initial_userns(void)
{
	unsigned long inside, outside, count;
	char text[256];

	if (read_file("/proc/self/uid_map", text, sizeof(text)) < 0)
		return false;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers fit */
	return sscanf(text, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	       !inside && !outside && count == UINT32_MAX &&
	       !strchr(strchrnul(text, '\n'), ' ');
}

/* --- network --- */

/* A kernel without one of them is nothing unusual, and one which has it but no
 * socket for us is no reason to do without. */
static bool snapshot_family(struct host *h, enum fam fam, char err[ERR_MAX])
{
	int rc = sock_probe_family(fam);

	if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -ENOBUFS) {
		snprintf(err, ERR_MAX, "Couldn't create a socket for %s: %s",
			 fam_name(fam), strerror(-rc));
		return false;
	}
	if (rc && rc != -EAFNOSUPPORT)
		warn("No %s: %s", fam_name(fam), strerror(-rc));
	h->net[fam].supported = !rc;
	h->has_peek_off[fam] = !rc && sock_probe_peek_off(fam);
	return true;
}

static bool named_interface(const char *name, unsigned *ifindex,
			    char err[ERR_MAX])
{
	*ifindex = if_nametoindex(name);
	if (*ifindex)
		return true;
	snprintf(err, ERR_MAX, "Invalid interface name %s: %s; see 'ip link'",
		 name, strerror(errno));
	return false;
}

/* Which interface is meant for this family; *ifindex 0: look for one. One for
 * outgoing connections may yet appear, so it does not have to exist. */
static bool wanted_interface(const struct request *req, enum fam fam,
			     unsigned *ifindex, char err[ERR_MAX])
{
	const char *outbound = req->net[fam].outbound_if;

	*ifindex = 0;
	if (req->interface)
		return named_interface(req->interface, ifindex, err);
	if (!*outbound)
		return true;
	*ifindex = if_nametoindex(outbound);
	if (!*ifindex)
		warn("No interface %s for outgoing %s connections, so far",
		     outbound, fam_name(fam));
	return true;
}

static bool snapshot_network(struct host *h, const struct request *req,
			     char err[ERR_MAX])
{
	const bool unwanted[FAM_COUNT] = { req->ipv6_only, req->ipv4_only };

	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++) {
		unsigned ifindex;

		if (!wanted_interface(req, fam, &ifindex, err))
			return false;
		if (!h->net[fam].supported || unwanted[fam] ||
		    req->splice_only)
			continue;
		if (!netlink_template(h, fam, ifindex, err))
			return false;
	}
	return true;
}

bool host_snapshot(struct host *h, const struct request *req,
		   char err[ERR_MAX])
{
	*h = (struct host) { 0 };
	*err = '\0';
	for (enum fam fam = FAM4; fam < FAM_COUNT; fam++)
		if (!snapshot_family(h, fam, err))
			return false;
	h->can_bind_device = sock_probe_bind_device();
	h->initial_userns = in_initial_userns();
	snapshot_sysctls(h);
	snapshot_ephemeral(h);
	snapshot_resolv(h);
	return snapshot_network(h, req, err);
}
