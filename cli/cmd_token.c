/* SPDX-License-Identifier: ISC */
#include "cli/cmd_token.h"

#include <errno.h>
#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ipc/messages.h"

#define RANDOM_BYTES 32

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: sockward token new\n"
	"       sockward token hash <FILE\n"
	"\n"
	"  new   print a fresh token, and its hash for \"tokens\" of a policy\n"
	"  hash  read a token, one line, and print its hash\n"
	"\n"
	"A token is a secret of its user: give it out once, and keep only the hash.\n";

static void
print_hash(const char *token)
{
	struct sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hex[2 * SHA256_DIGEST_SIZE + 1];

	sha256_init(&context);
	sha256_update(&context, strlen(token), (const uint8_t *)token);
	sha256_digest(&context, sizeof(digest), digest);
	base16_encode_update(hex, sizeof(digest), digest);
	hex[sizeof(hex) - 1] = '\0';
	printf("sha256:%s\n", hex);
}

static int
new_token(void)
{
	struct base64_encode_ctx encoder;
	uint8_t bytes[RANDOM_BYTES];
	char text[BASE64_ENCODE_LENGTH(RANDOM_BYTES) + BASE64_ENCODE_FINAL_LENGTH + 1];
	size_t n;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		fprintf(stderr, "sockward token: no random bytes: %s\n", strerror(errno));
		return EXIT_BAD;
	}
	base64url_encode_init(&encoder);
	n = base64_encode_update(&encoder, text, sizeof(bytes), bytes);
	n += base64_encode_final(&encoder, text + n);
	text[n] = '\0';
	/* No padding: it would have to be escaped in a URL. */
	text[strcspn(text, "=")] = '\0';
	puts(text);
	print_hash(text);
	return EXIT_GOOD;
}

static int
hash_token(void)
{
	char token[IPC_TOKEN + 1];
	size_t n;

	if (!fgets(token, sizeof(token), stdin))
		token[0] = '\0';
	n = strcspn(token, "\n");
	token[n] = '\0';
	if (n == 0 || n >= IPC_TOKEN) {
		fprintf(stderr, "sockward token: a token has 1 to %d bytes\n", IPC_TOKEN - 1);
		return EXIT_BAD;
	}
	for (size_t i = 0; i < n; i++) {
		if (token[i] <= ' ' || token[i] > '~') {
			fputs("sockward token: a token has no blanks and no control or non-ASCII "
			      "characters\n",
			      stderr);
			return EXIT_BAD;
		}
	}
	print_hash(token);
	explicit_bzero(token, sizeof(token));
	return EXIT_GOOD;
}

int
cmd_token(int argc, char **argv)
{
	int status;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_GOOD;
	}
	if (argc == 2 && strcmp(argv[1], "new") == 0) {
		status = new_token();
	} else if (argc == 2 && strcmp(argv[1], "hash") == 0) {
		status = hash_token();
	} else {
		fputs("sockward token: new or hash?\nTry `sockward token --help`.\n", stderr);
		return EXIT_USAGE;
	}
	return fflush(stdout) == 0 ? status : EXIT_BAD;
}
