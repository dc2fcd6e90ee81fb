/* SPDX-License-Identifier: ISC */
#include "tests/unit/policy_wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct report report;

struct policy_source *
read_text(const char *text)
{
	char *copy = strdup(text);
	struct policy_source *source;

	assert_non_null(copy);
	for (char *at = copy; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	memset(&report, 0, sizeof(report));
	source = policy_read(copy, strlen(copy), &report);
	free(copy);
	return source;
}

bool
is_said(const struct wrong *wrong)
{
	for (size_t i = 0; i < report.n; i++) {
		const struct report_entry *entry = &report.entries[i];

		if (!entry->note && entry->at.line == wrong->line &&
		    entry->at.column == wrong->column && strstr(entry->text, wrong->says) &&
		    strstr(entry->hint, wrong->hints))
			return true;
	}
	return false;
}

void
check(const struct wrong *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_null(read_text(wrong[i].text));
		if (is_said(&wrong[i]) && report.errors == 1)
			continue;
		fprintf(stderr, "case %zu: %s\nexpected %u:%u %s (%s), one error; there are:\n", i,
			wrong[i].text, wrong[i].line, wrong[i].column, wrong[i].says,
			wrong[i].hints);
		report_print(&report, "test", stderr);
		fail();
	}
}
