/* SPDX-License-Identifier: ISC */
#include "tests/unit/policy_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/compile.h"
#include "policy/read.h"

void *
policy_make(const char *text, struct policy *policy, size_t *size)
{
	static struct report report;
	struct policy_source *source;
	void *image = NULL;
	size_t n = 0;

	memset(&report, 0, sizeof(report));
	source = policy_read(text, strlen(text), &report);
	report_print(&report, "test", stderr);
	assert_non_null(source);
	assert_int_equal(policy_compile(source, &image, &n), 0);
	policy_free(source);
	assert_null(image_open(policy, image, n));
	if (size)
		*size = n;
	return image;
}
