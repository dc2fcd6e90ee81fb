/* SPDX-License-Identifier: ISC */
/*
 * The hash chain of an audit file. Each line ends in the members "prev" and
 * "hash", in that order:
 *
 *   {"seq":7, ... ,"prev":"<64 hex digits>","hash":"<64 hex digits>"}\n
 *
 * hash is the SHA-256 (FIPS 180-4) of the line without its hash member and
 * without its newline, that is, of all bytes before ,"hash": and a closing brace.
 * prev is the hash of the line before; of the first line it is 64 zeros. seq
 * counts lines from 1. So a change, a removal, an insertion or an exchange of
 * lines breaks the chain; cutting off whole lines at the end does not, and shows
 * only against a hash that is kept elsewhere (the journal has each one).
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_CHAIN_H
#define SOCKWARD_HELPERS_AUDITOR_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_HEX  64
#define CHAIN_TAIL 75 /* bytes of ,"hash":"<64 digits>"} */

/* The last line of a file. */
struct chain {
	uint64_t seq; /* 0: the file is empty */
	char hash[CHAIN_HEX + 1];
};

/**
 * chain_start() - the chain of an empty file.
 */
void chain_start(struct chain *chain);

/**
 * chain_hash() - the hash of a line.
 * @body: the bytes before ,"hash": and not the brace. @length: how many.
 * @hex: receives 64 lower-case digits and a NUL.
 */
void chain_hash(const char *body, size_t length, char hex[CHAIN_HEX + 1]);

/**
 * chain_seal() - end a line: hash member, brace, newline, and a NUL behind.
 * @line: @length bytes, from the first brace to the end of the prev member;
 *        @size bytes of room, of which CHAIN_TAIL + 2 must be free.
 * @hash: receives the line's hash, as chain_hash().
 *
 * Returns the new length, without the NUL.
 */
size_t chain_seal(char *line, size_t length, size_t size, char hash[CHAIN_HEX + 1]);

/**
 * chain_sound() - does a line hold its own hash?
 * @line: without its newline. @length: its bytes.
 */
bool chain_sound(const char *line, size_t length);

#endif
