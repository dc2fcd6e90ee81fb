/* SPDX-License-Identifier: ISC */
/* A policy's text: what is read has an image, and the image can be judged by. */
#include <string.h>

#include "policy/check.h"
#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/read.h"
#include "tests/fuzz/check.h"

static void
judge(const struct policy *policy, uint32_t grant)
{
	static const char *const hosts[] = {"a.example:443",  "localhost:80",
					    "127.0.0.1:8087", "[::ffff:7f00:1]:1",
					    "8.8.8.8:53/udp", "x.internal:443/tls"};
	struct policy_verdict verdict;
	struct destination to;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		CHECK(!destination_read(hosts[i], &to));
		explain_judge(policy, grant, &to, &verdict);
		CHECK(verdict.reason < REASON_COUNT);
		CHECK(verdict.rule == IMAGE_NONE || verdict.rule < policy->header->rules);
		CHECK(verdict.reason != REASON_NONE || verdict.rule != IMAGE_NONE);
		/* Nothing opens a form that embeds IPv4. */
		CHECK(i != 3 || verdict.reason != REASON_NONE);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct report report;
	struct policy_source *source;
	struct policy policy;
	size_t length;
	void *image;

	memset(&report, 0, sizeof(report));
	source = policy_read((const char *)data, size, &report);
	CHECK((source == NULL) == (report.errors > 0));
	if (!source)
		return 0;
	CHECK(policy_compile(source, &image, &length) == 0);
	CHECK(!image_open(&policy, image, length));
	CHECK(policy.header->grants == source->n_grants);
	for (uint32_t i = 0; i < policy.header->grants; i++) {
		CHECK(policy_grant(&policy, source->grants[i].name) == i);
		judge(&policy, i);
	}
	free(image);
	policy_free(source);
	return 0;
}
