/* SPDX-License-Identifier: ISC */
/*
 * A PROXY header: the first byte says how it is cut. However it is cut the outcome is
 * the same, what is behind changes nothing, and nothing is waited for too long.
 */
#include <string.h>

#include "tests/fuzz/check.h"
#include "worker/proxy.h"

static void
check_done(const uint8_t *bytes, const struct proxy_header *header)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct ipc_addr *told = &header->told;
	struct proxy_header again = {0};

	CHECK(header->length >= 15 && header->length <= PROXY_MOST);
	CHECK(told->family == 0 || told->family == 4 || told->family == 6);
	CHECK(!told->proxy && (told->family || !told->port));
	for (size_t i = told->family == 6 ? 16 : told->family; i < sizeof(told->ip); i++)
		CHECK(!told->ip[i]);
	CHECK(told->family != 6 || memcmp(told->ip, mapped, sizeof(mapped)) != 0);
	if (bytes[0] == 'P')
		CHECK(header->length <= PROXY_LINE_MOST &&
		      !memcmp(bytes + header->length - 2, "\r\n", 2));
	/* Without what is behind. */
	CHECK(proxy_parse(bytes, header->length, &again) == PROXY_DONE);
	CHECK(!memcmp(&again, header, sizeof(again)));
	CHECK(proxy_parse(bytes, header->length - 1, &again) == PROXY_MORE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole = {0};
	struct proxy_header cut = {0};
	enum proxy_result result;
	enum proxy_result cut_result = PROXY_MORE;
	size_t step;

	if (!size)
		return 0;
	size--;
	step = 1 + data[0] % 16;
	data++;
	result = proxy_parse(data, size, &whole);
	for (size_t n = 0; cut_result == PROXY_MORE; n = n + step < size ? n + step : size) {
		cut_result = proxy_parse(data, n, &cut);
		if (n == size)
			break;
	}
	CHECK(result == cut_result);
	CHECK(!memcmp(&whole, &cut, sizeof(whole)));
	CHECK(result != PROXY_MORE || size < PROXY_MOST);
	if (result == PROXY_DONE)
		check_done(data, &whole);
	else
		CHECK(!whole.length && !whole.told.family);
	return 0;
}
