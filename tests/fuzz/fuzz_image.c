/* SPDX-License-Identifier: ISC */
/* An image with any content behind its head: refused, or safe to judge by. */
#include <string.h>

#include "policy/check.h"
#include "tests/fuzz/check.h"

static void
judge(const struct policy *policy, uint32_t grant)
{
	static const char *const names[] = {"a.example", "db.internal", NULL};
	struct ipc_addr addr = {.family = 4, .port = 443, .ip = {10, 0, 0, 1}};
	struct policy_verdict verdict;

	for (size_t i = 0; i < 6; i++) {
		struct policy_question question = {names[i % 3], i < 3 ? &addr : NULL, 443,
						   PROTOCOL_TCP};

		policy_judge(policy, grant, &question, &verdict);
		CHECK(verdict.rule == IMAGE_NONE ||
		      strlen(policy->rules[verdict.rule].text) < IPC_RULE);
	}
	CHECK(strlen(policy->grants[grant].name) < IPC_GRANT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t summed = offsetof(struct image_header, limits);
	struct image_header *header;
	struct policy policy;
	char *image;

	if (size < sizeof(*header) || size > 65536)
		return 0;
	image = malloc(size);
	CHECK(image);
	memcpy(image, data, size);
	/* What a fuzzer would have to guess is made right. */
	header = (void *)image;
	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	header->size = (uint32_t)size;
	header->checksum = image_checksum(image + summed, size - summed);
	if (!image_open(&policy, image, size)) {
		for (uint32_t i = 0; i < header->grants && i < 8; i++)
			judge(&policy, i);
		CHECK(policy_grant(&policy, "no such grant") == IMAGE_NONE ||
		      policy.header->grants > 0);
	}
	free(image);
	return 0;
}
