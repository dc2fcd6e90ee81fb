/* SPDX-License-Identifier: ISC */
/* A destination's text: what comes out is canonical, and stays what it is. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/name.h"

static bool
is_address(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static void
check_name(const char *name, size_t length)
{
	size_t label = 0;
	const char *last = strrchr(name, '.');
	struct in_addr loose;

	CHECK(length && length <= 253);
	for (size_t i = 0; i <= length; i++) {
		char c = name[i];

		if (c == '.' || !c) {
			CHECK(label && label <= 63 && name[i - 1] != '-' && name[i - label] != '-');
			label = 0;
			continue;
		}
		CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
		label++;
	}
	last = last ? last + 1 : name;
	CHECK(last[strspn(last, "0123456789")] && strncmp(last, "0x", 2) != 0);
	CHECK(!inet_aton(name, &loose));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[IPC_HOST];
	char again[IPC_HOST];
	size_t length;

	memset(out, '#', sizeof(out));
	if (!name_canonical((const char *)data, size, out)) {
		for (size_t i = 0; i < sizeof(out); i++)
			CHECK(out[i] == '#');
		return 0;
	}
	length = strnlen(out, sizeof(out));
	for (size_t i = length; i < sizeof(out); i++)
		CHECK(!out[i]);
	if (!is_address(out))
		check_name(out, length);
	CHECK(name_canonical(out, length, again));
	CHECK(!strcmp(out, again));
	return 0;
}
