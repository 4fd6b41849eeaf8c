/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test.h - the harness: each TEST is a sentence, run in order, in one process
 *
 *	TEST(an_empty_cursor_fails_at_once)
 *	{
 *		struct rd r = rd_init("", 0);
 *
 *		EQ(rd_u8(&r), 0);
 *		OK(!rd_ok(&r));
 *	}
 *
 * Failed checks say what they saw and go on; the program then exits 1. Include
 * it once per program: main() is here.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static const char *test_skipped;
static unsigned test_failures;

#define TEST(n)								\
	static void test_##n(void);					\
	static void __attribute__((constructor)) test_add_##n(void)	\
	{								\
		static struct test t = { #n, test_##n, NULL };		\
		*test_last = &t;					\
		test_last = &t.next;					\
	}								\
	static void test_##n(void)

#define OK(cond)	test_ok(cond, #cond, __FILE__, __LINE__)
/* Integers; both are shown when they differ. */
#define EQ(a, b)							\
	test_eq((long long)(a), (long long)(b), #a " == " #b, __FILE__,	\
		__LINE__)
#define STREQ(a, b)	test_streq(a, b, #a, __FILE__, __LINE__)
#define MEMEQ(a, b, n)	test_ok(!memcmp(a, b, n), #a " is " #b, __FILE__, \
				__LINE__)
/* Leave the test, and say why it cannot run here. */
#define SKIP(why)							\
	do {								\
		test_skipped = (why);					\
		return;							\
	} while (0)

static inline bool test_ok(bool ok, const char *what, const char *file,
			   int line)
{
	if (!ok) {
		printf("  %s:%d: not true: %s\n", file, line, what);
		test_failures++;
	}
	return ok;
}

static inline bool test_eq(long long a, long long b, const char *what,
			   const char *file, int line)
{
	if (a == b)
		return true;
	printf("  %s:%d: %s: %lld (%#llx), not %lld (%#llx)\n", file, line,
	       what, a, (unsigned long long)a, b, (unsigned long long)b);
	test_failures++;
	return false;
}

static inline bool test_streq(const char *a, const char *b, const char *what,
			      const char *file, int line)
{
	if (a && b && !strcmp(a, b))
		return true;
	printf("  %s:%d: %s: \"%s\", not \"%s\"\n", file, line, what,
	       a ? a : "(null)", b ? b : "(null)");
	test_failures++;
	return false;
}

int main(int argc, char **argv)
{
	unsigned run = 0, failed = 0, skipped = 0;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = test_first; t; t = t->next) {
		test_failures = 0;
		test_skipped = NULL;
		t->run();
		run++;
		failed += !!test_failures;
		skipped += !!test_skipped;
		printf("%-7s %s%s%s\n", test_failures ? "FAILED" :
		       test_skipped ? "skipped" : "ok", t->name,
		       test_skipped ? ": " : "",
		       test_skipped ? test_skipped : "");
	}
	printf("%s: %u tests, %u failed, %u skipped\n", argv[0], run, failed,
	       skipped);
	return failed || !run;
}

#endif
