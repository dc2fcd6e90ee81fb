/* SPDX-License-Identifier: ISC */
/*
 * Policies of other programs as policies of sockward. What is written is never
 * looser than what was read, but for what a note tells; where it must be stricter, or
 * something has no counterpart, a note says so.
 */
#ifndef SOCKWARD_POLICY_IMPORT_H
#define SOCKWARD_POLICY_IMPORT_H

#include <stddef.h>
#include <stdio.h>

/**
 * import_wasmnet() - the TOML that wasmnet-server takes with --policy, as of 0.2.0.
 * @text: any bytes. @size: how many.
 * @file: its name, for errors and notes.
 * @out: receives the policy, which policy_read() takes; nothing on failure.
 * @notes: receives errors, and for each thing that changes a line `FILE:LINE: note: ...'.
 *
 * Returns 0, or -1 when it is not understood, or a rule that denies cannot be carried over.
 */
int import_wasmnet(const char *text, size_t size, const char *file, FILE *out, FILE *notes);

/**
 * import_webnetstack() - the same for webnetstack's manifest, which is JSON.
 *
 * Returns 0, or -1 when it is not understood, or has no token, or one that everybody knows.
 */
int import_webnetstack(const char *text, size_t size, const char *file, FILE *out, FILE *notes);

#endif
