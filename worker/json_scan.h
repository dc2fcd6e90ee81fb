/* SPDX-License-Identifier: ISC */
/*
 * The grammar of RFC 8259, checked before json-c sees a message. json-c 0.16
 * takes, even when strict: single quotes, NaN, Infinity, -01, "1.", control
 * characters in strings, some overlong UTF-8; it replaces half surrogate pairs,
 * cuts member names at a NUL, and overwrites members of the same name.
 */
#ifndef SOCKWARD_WORKER_JSON_SCAN_H
#define SOCKWARD_WORKER_JSON_SCAN_H

#include <stddef.h>

#include "worker/json.h"

/* What a message holds; names that occur twice count twice. */
struct json_counts {
	size_t values;
	size_t members; /* of all objects together */
};

/**
 * json_scan() - is it one JSON object, within JSON_DEPTH_MOST and JSON_VALUES_MOST?
 * @text: @length bytes.
 * @counts: untouched but when JSON_FINE.
 *
 * One pass, no recursion, no allocation. Does not look for duplicates.
 */
enum json_result json_scan(const char *text, size_t length, struct json_counts *counts);

#endif
