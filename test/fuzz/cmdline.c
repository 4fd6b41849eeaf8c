/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmdline.c - any words, and what is derived from them
 *
 * Words are separated by NUL. What is accepted has to lead to a configuration,
 * or to an error that says something.
 */
/* links: setup/cmdline setup/cmdline_value setup/derive fwd_spec addr buf util */
#include "setup/setup.h"

#include <assert.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

static const struct host host = {
	.net = {
		{ .supported = true, .ifindex = 2, .ifname = "eth0",
		  .addr.b = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
		  .prefix_len = 24 },
		{ .supported = true },
	},
	.nameserver = { { .b = { [15] = 1 } } }, .nameserver_cnt = 1,
	.ephemeral_first = 32768, .ephemeral_last = 60999,
};

FUZZ(data, size)
{
	static struct request req;
	static struct conf conf_;
	char text[4096], *argv[256], err[ERR_MAX];
	int argc = 0;

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *p = text; p < text + size && argc < 255;
	     p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;

	if (!cmdline_parse(&req, argc, argv, err) ||
	    (req.action == ACT_RUN && !derive_conf(&conf_, &req, &host, err)))
		assert(*err && strlen(err) < ERR_MAX);
}
