/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwd_spec.c - the grammar of port forwarding, against the rules it makes
 *
 * Rows of a specification and the rules it stands for, in the text form of the
 * rules, joined by "; ". A row that must be refused has what the message has
 * to contain instead. The ephemeral range is 32768-60999 throughout.
 */
/* links: fwd_spec addr buf util */
#include "fwd.h"

#include <netinet/in.h>
#include <string.h>

#include "test/unit/test.h"
#include "util.h"

enum env { BOTH, ONLY4, ONLY6, NO_BIND };

static struct conf conf_for(enum env env)
{
	struct conf c = {
		.ephemeral_first = 32768, .ephemeral_last = 60999,
		.can_bind_device = env != NO_BIND,
	};

	c.net[FAM4].enabled = env != ONLY6;
	c.net[FAM6].enabled = env != ONLY4;
	return c;
}

struct row {
	enum env env;
	char letter;		/* as the option: t u T U */
	const char *spec;
	const char *rules;	/* or "!" and words of the message */
};

static struct fwd_table table;
static char err[512];

static bool add(const struct conf *c, char letter, const char *spec)
{
	struct fwd_spec_ctx ctx = {
		.c = c, .can_auto = true, .spec = 7,
		.proto = letter == 't' || letter == 'T' ? IPPROTO_TCP :
							  IPPROTO_UDP,
		.outbound = letter == 'T' || letter == 'U',
	};

	return fwd_parse_spec(&table, &ctx, spec, err, sizeof(err));
}

/* The whole table, as text. */
static const char *rules_str(void)
{
	static char all[32768];
	size_t used = 0;

	*all = '\0';
	for (unsigned i = 0; i < table.cnt; i++) {
		char one[160];

		used += (size_t)snprintf(all + used, sizeof(all) - used,
					 "%s%s", i ? "; " : "",
					 fwd_rule_str(&table.rule[i], one,
						      sizeof(one)));
	}
	return all;
}

static void check_row(const struct row *r)
{
	struct conf c = conf_for(r->env);
	bool ok;

	table.cnt = 0;
	ok = add(&c, r->letter, r->spec);
	if (*r->rules == '!') {
		if (ok || !strstr(err, r->rules + 1)) {
			printf("  -%c '%s': %s\n", r->letter, r->spec,
			       ok ? rules_str() : err);
			test_failures++;
		}
		EQ(table.cnt, 0);
		return;
	}
	if (!ok)
		printf("  -%c '%s': %s\n", r->letter, r->spec, err);
	if (OK(ok) && !STREQ(rules_str(), r->rules))
		printf("  for -%c '%s'\n", r->letter, r->spec);
}

static void check_rows(const struct row *rows, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++)
		check_row(&rows[i]);
}

#define CHECK(...)							\
	do {								\
		static const struct row rows_[] = { __VA_ARGS__ };	\
		check_rows(rows_, ARRAY_SIZE(rows_));			\
	} while (0)

TEST(ports_and_ranges_are_forwarded_as_they_are_or_elsewhere)
{
	CHECK({ BOTH, 't', "22", "TCP [*]:22  =>  22 " },
	      { BOTH, 'u', "53", "UDP [*]:53  =>  53 " },
	      { BOTH, 't', "80-82", "TCP [*]:80-82  =>  80-82 " },
	      { BOTH, 't', "80-80:60-60", "TCP [*]:80  =>  60 " },
	      { BOTH, 't', "8080:80", "TCP [*]:8080  =>  80 " },
	      { BOTH, 't', "80-82:180-182", "TCP [*]:80-82  =>  180-182 " },
	      { BOTH, 't', "22,80:81",
		"TCP [*]:22  =>  22 ; TCP [*]:80  =>  81 " },
	      { BOTH, 't', "65535", "TCP [*]:65535  =>  65535 " },
	      { BOTH, 't', "33000", "TCP [*]:33000  =>  33000 " },
	      { BOTH, 't', "80-82:180", "!'80-82:180'" },
	      { BOTH, 't', "80:180-181", "!'80:180-181'" });
}

TEST(the_families_enabled_decide_where_a_bare_port_listens)
{
	CHECK({ ONLY4, 't', "22", "TCP [0.0.0.0]:22  =>  22 " },
	      { ONLY6, 't', "22", "TCP [::]:22  =>  22 " },
	      { ONLY4, 't', "*/22", "TCP [0.0.0.0]:22  =>  22 " },
	      { BOTH, 't', "*/22", "TCP [*]:22  =>  22 " },
	      { BOTH, 't', "/22", "TCP [*]:22  =>  22 " },
	      { ONLY4, 't', "auto", "TCP [0.0.0.0]:1-32767  =>  1-32767 "
		"(best effort) (auto-scan); TCP [0.0.0.0]:61000-65535  =>  "
		"61000-65535 (best effort) (auto-scan)" });
}

TEST(a_listen_part_may_be_an_address_an_interface_or_both)
{
	CHECK({ BOTH, 't', "0.0.0.0/22", "TCP [0.0.0.0]:22  =>  22 " },
	      { BOTH, 't', "::/22", "TCP [::]:22  =>  22 " },
	      { BOTH, 't', "[::]/8080", "TCP [::]:8080  =>  8080 " },
	      { BOTH, 't', "[127.0.0.1]/80", "TCP [127.0.0.1]:80  =>  80 " },
	      { BOTH, 't', "::1/5000-5000:80-80", "TCP [::1]:5000  =>  80 " },
	      { BOTH, 't', "::ffff:192.0.2.1/22",
		"TCP [192.0.2.1]:22  =>  22 " },
	      { BOTH, 't', "%eth0/22", "TCP [*]%eth0:22  =>  22 " },
	      { BOTH, 't', "*%eth0/22", "TCP [*]%eth0:22  =>  22 " },
	      { BOTH, 't', "127.0.0.1%lo/9000:9001",
		"TCP [127.0.0.1]%lo:9000  =>  9001 " },
	      { BOTH, 'u', "1.2.3.4%eth0/5000-5002,~5001",
		"UDP [1.2.3.4]%eth0:5000  =>  5000 ; "
		"UDP [1.2.3.4]%eth0:5002  =>  5002 " },
	      { BOTH, 't', "2001:db8:ac10:fd01::1:10/22:2022,1000-1050,~1020,"
		"~1030-1040",
		"TCP [2001:db8:ac10:fd01::1:10]:22  =>  2022 ; "
		"TCP [2001:db8:ac10:fd01::1:10]:1000-1019  =>  1000-1019 ; "
		"TCP [2001:db8:ac10:fd01::1:10]:1021-1029  =>  1021-1029 ; "
		"TCP [2001:db8:ac10:fd01::1:10]:1041-1050  =>  1041-1050 " },
	      { BOTH, 't', "%fifteencharacte/22",
		"TCP [*]%fifteencharacte:22  =>  22 " },
	      { BOTH, 't', "%a,b/22", "TCP [*]%a,b:22  =>  22 " },
	      { BOTH, 't', "%/22", "!'%/22'" },
	      { BOTH, 't', "%./22", "!'%./22'" },
	      { BOTH, 't', "%../22", "!'%../22'" },
	      { BOTH, 't', "%e th0/22", "!'%e th0/22'" },
	      { BOTH, 't', "%sixteencharacter/22", "!sixteencharacter" },
	      { NO_BIND, 't', "%eth0/22", "!eth0" },
	      { ONLY4, 't', "::1/22", "!IPv6 is disabled" },
	      { ONLY6, 't', "127.0.0.1/22", "!IPv4 is disabled" },
	      { BOTH, 't', "300.1.1.1/80", "!'300.1.1.1/80'" },
	      { BOTH, 't', "[::1/80", "!'[::1/80'" });
}

TEST(a_target_may_be_an_address_a_port_or_both)
{
	CHECK({ BOTH, 't', "0.0.0.0/22:198.51.100.9/23",
		"TCP [0.0.0.0]:22  =>  198.51.100.9:23 " },
	      { BOTH, 't', "0.0.0.0/5000:192.0.2.5/6000",
		"TCP [0.0.0.0]:5000  =>  192.0.2.5:6000 " },
	      { BOTH, 't', "0.0.0.0/22:198.51.100.9",
		"TCP [0.0.0.0]:22  =>  198.51.100.9:22 " },
	      { BOTH, 't', "[::]/8080:fd00::2/80",
		"TCP [::]:8080  =>  fd00::2:80 " },
	      { BOTH, 't', "[::]/8080:[fd00::2]/80",
		"TCP [::]:8080  =>  fd00::2:80 " },
	      { BOTH, 't', "[::]/80:fd00::2",
		"TCP [::]:80  =>  fd00::2:80 " },
	      { ONLY4, 't', "22:198.51.100.9/23",
		"TCP [0.0.0.0]:22  =>  198.51.100.9:23 " },
	      { ONLY4, 't', "22-23:198.51.100.9",
		"TCP [0.0.0.0]:22-23  =>  198.51.100.9:22-23 " },
	      { BOTH, 't', "22:0.0.0.0/23", "TCP [*]:22  =>  23 " },
	      { BOTH, 't', "22:::/23", "TCP [*]:22  =>  23 " },
	      { BOTH, 't', "22:198.51.100.9", "!0.0.0.0/" },
	      { BOTH, 't', "::/22:198.51.100.9", "!another family" },
	      { BOTH, 't', "0.0.0.0/22:fd00::2", "!another family" },
	      { BOTH, 't', "0.0.0.0/22:224.0.0.1", "!not unicast" },
	      { BOTH, 't', "0.0.0.0/22:255.255.255.255", "!not unicast" },
	      { BOTH, 't', "::/22:ff02::1", "!not unicast" },
	      /* Brackets decide what else reads as an address to listen on. */
	      { ONLY6, 't', "22:fd00::2/23", "TCP [22:fd00::2]:23  =>  23 " },
	      { ONLY6, 't', "22:[fd00::2]/23", "TCP [::]:22  =>  fd00::2:23 " },
	      { BOTH, 't', "22:", "!'22:'" },
	      { BOTH, 't', "22:x", "!'22:x'" },
	      { BOTH, 't', "22:1.2.3.4/", "!'22:1.2.3.4/'" },
	      { BOTH, 't', "auto:1.2.3.4", "!'auto:1.2.3.4'" });
}

TEST(exclusions_cut_ranges_and_stand_for_all_the_rest)
{
	CHECK({ BOTH, 't', "80-90,~85", "TCP [*]:80-84  =>  80-84 ; "
		"TCP [*]:86-90  =>  86-90 " },
	      { BOTH, 't', "~85,80-90:180-190", "TCP [*]:80-84  =>  180-184 ; "
		"TCP [*]:86-90  =>  186-190 " },
	      { BOTH, 't', "80,~80", "" },
	      { BOTH, 't', "~25", "TCP [*]:1-24  =>  1-24 (best effort); "
		"TCP [*]:26-32767  =>  26-32767 (best effort); "
		"TCP [*]:61000-65535  =>  61000-65535 (best effort)" },
	      { BOTH, 't', "all", "TCP [*]:1-32767  =>  1-32767 "
		"(best effort); TCP [*]:61000-65535  =>  61000-65535 "
		"(best effort)" },
	      { BOTH, 't', "all,~1-32000",
		"TCP [*]:32001-32767  =>  32001-32767 (best effort); "
		"TCP [*]:61000-65535  =>  61000-65535 (best effort)" },
	      { ONLY4, 'u', "all:192.0.2.5",
		"UDP [0.0.0.0]:1-32767  =>  192.0.2.5:1-32767 (best effort); "
		"UDP [0.0.0.0]:61000-65535  =>  192.0.2.5:61000-65535 "
		"(best effort)" },
	      { BOTH, 't', "~", "!'~'" }, { BOTH, 't', "~x", "!'~x'" },
	      { BOTH, 't', "all:x", "!'all:x'" },
	      { BOTH, 't', "all:", "!'all:'" });
}

TEST(all_adds_what_explicit_mappings_leave)
{
	CHECK({ BOTH, 't', "22:2222,all", "TCP [*]:22  =>  2222 ; "
		"TCP [*]:1-21  =>  1-21 (best effort); "
		"TCP [*]:23-32767  =>  23-32767 (best effort); "
		"TCP [*]:61000-65535  =>  61000-65535 (best effort)" });
}

TEST(auto_applies_to_the_whole_specification)
{
	CHECK({ BOTH, 't', "8000-8010,auto",
		"TCP [*]:8000-8010  =>  8000-8010  (auto-scan)" },
	      { BOTH, 't', "auto,8000:8001",
		"TCP [*]:8000  =>  8001  (auto-scan)" },
	      { BOTH, 't', "auto,~1-32767", "TCP [*]:61000-65535  =>  "
		"61000-65535 (best effort) (auto-scan)" });
}

TEST(only_pasta_can_see_what_is_listened_on)
{
	struct conf c = conf_for(BOTH);
	struct fwd_spec_ctx ctx = { .c = &c, .proto = IPPROTO_TCP };

	table.cnt = 0;
	OK(!fwd_parse_spec(&table, &ctx, "auto", err, sizeof(err)));
	OK(strstr(err, "auto"));
}

TEST(outbound_rules_listen_on_loopback_only)
{
	CHECK({ BOTH, 'T', "5201", "TCP [*]%lo:5201  =>  5201 " },
	      { BOTH, 'U', "53:5353", "UDP [*]%lo:53  =>  5353 " },
	      { ONLY4, 'T', "5201", "TCP [0.0.0.0]%lo:5201  =>  5201 " },
	      { ONLY6, 'T', "5201", "TCP [::]%lo:5201  =>  5201 " },
	      { NO_BIND, 'T', "5201", "TCP [127.0.0.1]:5201  =>  5201 ; "
		"TCP [::1]:5201  =>  5201 " },
	      { BOTH, 'T', "none", "" },
	      { BOTH, 'T', "127.0.0.1/22", "!127.0.0.1/22" },
	      { BOTH, 'T', "%eth0/22", "!%eth0/22" },
	      { BOTH, 'T', "/22", "!/22" },
	      { BOTH, 'T', "22:192.0.2.1", "!Target address" },
	      { ONLY4, 'T', "22:192.0.2.1", "!Target address" },
	      { ONLY6, 'U', "22:[fd00::2]/23", "!Target address" });
}

TEST(what_is_no_specification_is_refused)
{
	CHECK({ BOTH, 't', "", "!empty" }, { BOTH, 't', ",", "!empty" },
	      { BOTH, 't', "22,", "!empty" }, { BOTH, 't', ",22", "!empty" },
	      { BOTH, 't', "22,,23", "!empty" },
	      { BOTH, 't', "22x", "!'22x'" }, { BOTH, 't', "x", "!'x'" },
	      { BOTH, 't', "0x16", "!'0x16'" }, { BOTH, 't', " 22", "!' 22'" },
	      { BOTH, 't', "+22", "!'+22'" }, { BOTH, 't', "-22", "!'-22'" },
	      { BOTH, 't', "22-", "!'22-'" }, { BOTH, 't', "23-22", "!'23-22'" },
	      { BOTH, 't', "1-2-3", "!'1-2-3'" },
	      { BOTH, 't', "65536", "!Invalid port specifier '65536'" },
	      { BOTH, 't', "99999999999", "!'99999999999'" },
	      { BOTH, 't', "All", "!'All'" }, { BOTH, 't', "AUTO", "!'AUTO'" },
	      { BOTH, 't', "none,22", "!'none'" },
	      { BOTH, 't', "22,none", "!'none'" },
	      { BOTH, 't', "0.0.0.0/none", "!'none'" },
	      { BOTH, 't', "allx", "!'allx'" },
	      { BOTH, 't', "0", "!Port 0" }, { BOTH, 't', "0-5", "!Port 0" },
	      { BOTH, 't', "22:0", "!Port 0" },
	      { BOTH, 't', "0-1,~0", "!Port 0" },
	      { BOTH, 't', "0.0.0.0/", "!empty" });
}

/* One after the other into the same table; the last one is judged. */
static void sequence(const char *specs, bool accepted)
{
	struct conf c = conf_for(BOTH);
	char text[256];
	bool ok = true;

	str_copy(text, sizeof(text), specs);
	table.cnt = 0;
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
		if (!ok)
			printf("  refused early: %s: %s\n", specs, err);
		OK(ok);
		ok = add(&c, w[0], w + 1);
	}
	if (ok != accepted)
		printf("  %s: %s\n", specs, ok ? "accepted" : err);
	EQ(ok, accepted);
}

TEST(rules_of_one_table_do_not_overlap)
{
	sequence("t8000-9000 t8001", false);
	OK(strstr(err, "Forwarding configuration conflict: TCP [*]:8001  =>  "
		       "8001  versus TCP [*]:8000-9000  =>  8000-9000"));
	sequence("t80 u80", true);
	sequence("t80 t80", false);
	sequence("t80 t81", true);
	sequence("t80,80", false);
	sequence("t0.0.0.0/80 t127.0.0.1/80", false);
	sequence("t127.0.0.1/80 t0.0.0.0/80", false);
	sequence("t0.0.0.0/80 t::/80", true);
	sequence("t127.0.0.1/80 t::/80", true);
	sequence("t127.0.0.1/80 t127.0.0.2/80", true);
	sequence("t::1/80 t80", false);
	sequence("t127.0.0.1/80 t80", false);
	sequence("t%eth0/80 t%eth1/80", false);
	sequence("tauto t8000", false);
	sequence("tall t80", false);
}

TEST(none_comes_first_or_not_at_all)
{
	sequence("tnone t80", true);
	sequence("t80 tnone", false);
	OK(strstr(err, "none conflicts with previous options"));
	sequence("u80 tnone", true);
	sequence("tnone tnone", true);
}

TEST(a_refused_specification_leaves_the_table_as_it_was)
{
	sequence("t80 t100,101,80", false);
	EQ(table.cnt, 1);
	sequence("t80 t79-81", false);
	EQ(table.cnt, 1);
}

TEST(a_protocol_that_is_off_takes_none_and_nothing_else)
{
	struct conf c = conf_for(BOTH);

	table.cnt = 0;
	c.no_tcp = true;
	OK(!add(&c, 't', "22"));
	OK(strstr(err, "TCP is disabled"));
	OK(add(&c, 't', "none"));
	OK(add(&c, 'u', "22"));
	c.no_udp = true;
	OK(!add(&c, 'U', "auto"));
}

TEST(rules_of_one_specification_share_its_number)
{
	struct conf c = conf_for(BOTH);

	table.cnt = 0;
	OK(add(&c, 't', "~25,~80"));
	EQ(table.cnt, 4);
	for (unsigned i = 0; i < table.cnt; i++)
		EQ(table.rule[i].spec, 7);
}

TEST(a_table_has_room_for_as_many_rules_as_it_says)
{
	struct conf c = conf_for(BOTH);
	char spec[RULES_MAX * 8], *p = spec;

	for (unsigned i = 0; i < RULES_MAX; i++)
		p += sprintf(p, "%s%u", i ? "," : "", 1000 + i * 2);
	table.cnt = 0;
	OK(add(&c, 't', spec));
	EQ(table.cnt, RULES_MAX);
	OK(!add(&c, 't', "1"));
	EQ(table.cnt, RULES_MAX);
	sprintf(p, ",1");
	table.cnt = 0;
	OK(!add(&c, 't', spec));
	EQ(table.cnt, 0);
}

TEST(a_table_stands_for_so_many_sockets_and_no_more)
{
	struct conf c = conf_for(BOTH);
	char spec[64];

	table.cnt = 0;
	for (unsigned i = 1; i <= 6; i++) {
		sprintf(spec, "127.0.0.%u/1-65535", i);
		/* 327680 sockets are five times 65535, and five more. */
		EQ(add(&c, 't', spec), i < 6);
	}
	OK(add(&c, 't', "127.0.0.9/1-5"));
	OK(!add(&c, 't', "127.0.0.9/6"));
}
