/* SPDX-License-Identifier: ISC */
/*
 * A destination as a client wrote it, brought to the one spelling that the
 * broker takes; or, if it has none, to a text that the broker refuses and puts on
 * record. The broker checks either again and trusts none of it.
 */
#ifndef SOCKWARD_WORKER_NAME_H
#define SOCKWARD_WORKER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/messages.h"

/**
 * name_canonical() - a host's text in canonical form.
 * @text: a name (ASCII or UTF-8), dotted quad, IPv6 address, or that in
 *        brackets. Any bytes; NULs are refused. @length: its bytes.
 * @out: receives text, NUL-terminated and zero-filled behind the NUL;
 *       untouched on false.
 *
 * Numbers: dotted quad with four decimal parts without leading zeros; IPv6 as
 * in RFC 4291, without zone, answered as RFC 5952 writes it. Names: lower-case
 * A-labels by UTS 46 (non-transitional, STD3 rules); labels of 1 to 63 letters,
 * digits, hyphens (not at an end) and, in names that are plain ASCII,
 * underscores; at most 253 bytes; one trailing dot is dropped. A name whose
 * last label is all digits or starts with 0x is a number in disguise and refused.
 *
 * A-labels of a plain ASCII name are taken as they are: whether they mean
 * anything is for the name servers to say. Names beyond ASCII allocate, through
 * libidn2, a few KiB that are freed again; no file is opened.
 * Returns false when the text is none of these, or memory was short.
 */
bool name_canonical(const char *text, size_t length, char out[IPC_HOST]);

/**
 * name_for_record() - a text that name_canonical() refuses, as the broker is asked
 * for it all the same, so that its refusal is on record.
 * @text: what the client wrote; any bytes. @length: how many.
 * @out: receives them, NUL-terminated and zero-filled behind the NUL. A NUL among
 *       them becomes '?'. Of more than IPC_HOST - 1 bytes the beginning stays, with
 *       " ..." behind it; of none there is that alone, since the broker takes an
 *       empty name for a broken message.
 *
 * The result is refused by name_canonical() as well: nothing becomes a name or an
 * address by being cut.
 */
void name_for_record(const char *text, size_t length, char out[IPC_HOST]);

#endif
