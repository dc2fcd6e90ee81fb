/* SPDX-License-Identifier: ISC */
#include "policy/report.h"

#include <stdarg.h>
#include <string.h>

/* Text of a policy goes to a terminal: no control codes, no broken UTF-8. */
static void
make_printable(char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7f)
			text[i] = '?';
	}
}

static void __attribute__((format(printf, 5, 0)))
add(struct report *report, bool note, struct place at, const char *hint, const char *format,
    va_list args)
{
	struct report_entry *entry;

	if (!note)
		report->errors++;
	if (report->n == REPORT_MOST)
		return;
	entry = &report->entries[report->n++];
	entry->at = at;
	entry->note = note;
	vsnprintf(entry->text, sizeof(entry->text), format, args);
	snprintf(entry->hint, sizeof(entry->hint), "%s", hint ? hint : "");
	make_printable(entry->text);
	make_printable(entry->hint);
}

void
report_error(struct report *report, struct place at, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, false, at, hint, format, args);
	va_end(args);
}

void
report_note(struct report *report, struct place at, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, true, at, hint, format, args);
	va_end(args);
}

static bool
before(struct place a, struct place b)
{
	return a.line < b.line || (a.line == b.line && a.column < b.column);
}

static void
print_entry(const struct report_entry *entry, const char *file, FILE *out)
{
	if (entry->at.line > 0)
		fprintf(out, "%s:%u:%u: ", file, entry->at.line, entry->at.column);
	else
		fprintf(out, "%s: ", file);
	fprintf(out, "%s: %s\n", entry->note ? "note" : "error", entry->text);
	if (entry->hint[0])
		fprintf(out, "  hint: %s\n", entry->hint);
}

void
report_print(const struct report *report, const char *file, FILE *out)
{
	bool printed[REPORT_MOST] = {false};

	for (size_t k = 0; k < report->n; k++) {
		size_t next = report->n;

		for (size_t i = 0; i < report->n; i++) {
			if (!printed[i] && (next == report->n || before(report->entries[i].at,
									report->entries[next].at)))
				next = i;
		}
		printed[next] = true;
		print_entry(&report->entries[next], file, out);
	}
	if (report->errors > REPORT_MOST)
		fprintf(out, "%s: error: and more: %zu errors in all\n", file, report->errors);
}
