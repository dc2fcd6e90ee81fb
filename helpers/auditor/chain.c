/* SPDX-License-Identifier: ISC */
#include "helpers/auditor/chain.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <string.h>

#include "common/log.h"

#define MEMBER ",\"hash\":\""

void
chain_start(struct chain *chain)
{
	chain->seq = 0;
	memset(chain->hash, '0', CHAIN_HEX);
	chain->hash[CHAIN_HEX] = '\0';
}

void
chain_hash(const char *body, size_t length, char hex[CHAIN_HEX + 1])
{
	struct sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&context);
	sha256_update(&context, length, (const uint8_t *)body);
	sha256_update(&context, 1, (const uint8_t *)"}");
	sha256_digest(&context, sizeof(digest), digest);
	base16_encode_update(hex, sizeof(digest), digest);
	hex[CHAIN_HEX] = '\0';
}

size_t
chain_seal(char *line, size_t length, size_t size, char hash[CHAIN_HEX + 1])
{
	if (size < length + CHAIN_TAIL + 2)
		bug("no room for the hash of a line");
	chain_hash(line, length, hash);
	memcpy(line + length, MEMBER, strlen(MEMBER));
	length += strlen(MEMBER);
	memcpy(line + length, hash, CHAIN_HEX);
	length += CHAIN_HEX;
	memcpy(line + length, "\"}\n", 4);
	return length + 3;
}

bool
chain_sound(const char *line, size_t length)
{
	char tail[CHAIN_TAIL + 1];
	char hex[CHAIN_HEX + 1];

	if (length <= CHAIN_TAIL)
		return false;
	length -= CHAIN_TAIL;
	chain_hash(line, length, hex);
	memcpy(tail, MEMBER, strlen(MEMBER));
	memcpy(tail + strlen(MEMBER), hex, CHAIN_HEX);
	memcpy(tail + strlen(MEMBER) + CHAIN_HEX, "\"}", 3);
	return memcmp(line + length, tail, CHAIN_TAIL) == 0;
}
