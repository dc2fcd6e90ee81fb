/* SPDX-License-Identifier: ISC */
/*
 * What a person types, read strictly: addresses, durations, URLs. Pure
 * functions; nothing is guessed and no name is looked up.
 */
#ifndef SOCKWARD_CLI_PARSE_H
#define SOCKWARD_CLI_PARSE_H

#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT 64
#define URL_HOST     256
#define URL_PATH     2048

/* A ws:// URL in its parts. */
struct ws_url {
	char host[URL_HOST]; /* without brackets */
	char port[8];
	char authority[URL_HOST + 16]; /* for the Host header: brackets, and the port as written */
	char path[URL_PATH];           /* with the query; begins with a slash */
};

/**
 * parse_listen() - read "127.0.0.1:8086" or "[::1]:8086".
 * @text: an IPv4 address in dotted quad or an IPv6 address in brackets, and a
 *        port from 0 to 65535; 0 lets the kernel choose.
 * @out: set on success. @length: set to the length of what is in @out.
 *
 * Returns NULL, or what is wrong and what to write, as a constant sentence.
 */
const char *parse_listen(const char *text, struct sockaddr_storage *out, socklen_t *length);

/**
 * show_address() - an IPv4 or IPv6 socket address as parse_listen() reads it.
 * @out: receives the text, NUL-terminated.
 */
void show_address(const struct sockaddr_storage *addr, char out[ADDRESS_TEXT]);

/**
 * parse_duration() - read "250ms", "10s", "5m", "1h".
 * @text: a whole decimal number and a unit.
 * @ms: set on success, milliseconds; at most 24 hours.
 *
 * Returns NULL, or what is wrong, as a constant sentence.
 */
const char *parse_duration(const char *text, uint32_t *ms);

/**
 * parse_number() - read a whole decimal number without sign or spaces.
 * @most: the largest that is taken. @out: set on success.
 *
 * Returns 0, or -1.
 */
int parse_number(const char *text, uint64_t most, uint64_t *out);

/**
 * parse_ws_url() - take a ws:// URL apart.
 * @text: ws://HOST[:PORT]/PATH[?QUERY]; the port is 80 where none is given.
 * @url: set on success.
 *
 * Refuses wss:// (TLS is not built in), user names, fragments, and every
 * character that does not belong into a request line. Returns NULL, or what is
 * wrong and what to do, as a constant sentence.
 */
const char *parse_ws_url(const char *text, struct ws_url *url);

#endif
