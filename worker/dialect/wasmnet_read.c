/* SPDX-License-Identifier: ISC */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "worker/dialect/wasmnet.h"
#include "worker/json.h"

/* What a request has beside its id. */
#define HAS_PEER    1U /* addr and port */
#define HAS_DATA    2U
#define HAS_NAME    4U
#define HAS_BACKLOG 8U

static const struct {
	const char *word;
	unsigned int has;
} ops[] = {
	[WASMNET_CONNECT] = {"connect", HAS_PEER},
	[WASMNET_BIND] = {"bind", HAS_PEER},
	[WASMNET_LISTEN] = {"listen", HAS_BACKLOG},
	[WASMNET_SEND] = {"send", HAS_DATA},
	[WASMNET_CLOSE] = {"close", 0},
	[WASMNET_CONNECT_UDP] = {"connect_udp", HAS_PEER},
	[WASMNET_SEND_TO] = {"send_to", HAS_PEER | HAS_DATA},
	[WASMNET_RESOLVE] = {"resolve", HAS_NAME},
	[WASMNET_CONNECT_TLS] = {"connect_tls", HAS_PEER},
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

void
wasmnet_release(struct wasmnet_request *request)
{
	json_release(request->object);
	free(request->decoded);
}

/* --- text messages ------------------------------------------------------------------ */

static const char *
read_op(const struct json_object *object, struct wasmnet_request *request)
{
	const char *text;
	size_t length;

	if (json_string(object, "op", SIZE_MAX, &text, &length) != JSON_RIGHT)
		return "op must be a string";
	for (size_t i = 1; i < OPS; i++) {
		if (strlen(ops[i].word) == length && memcmp(ops[i].word, text, length) == 0) {
			request->op = (enum wasmnet_op)i;
			return NULL;
		}
	}
	return "there is no such op";
}

/* Ids are the client's, of 64 bits: more than json_unsigned() takes for exact. */
static const char *
read_id(const struct json_object *object, struct wasmnet_request *request)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, "id", &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
	    /* what stands for everything above as well */
	    json_object_get_uint64(value) > WASMNET_ID_MOST)
		return "id must be a whole number from 0 to 2^64 - 2";
	request->id = json_object_get_uint64(value);
	return NULL;
}

static const char *
read_peer(const struct json_object *object, struct wasmnet_request *request)
{
	uint64_t port;

	if (json_string(object, "addr", SIZE_MAX, &request->host, &request->host_length) !=
	    JSON_RIGHT)
		return "addr must be a string";
	if (json_unsigned(object, "port", 0, UINT16_MAX, &port) != JSON_RIGHT)
		return "port must be a whole number from 0 to 65535";
	request->port = (uint16_t)port;
	return NULL;
}

static const char *
read_backlog(const struct json_object *object)
{
	uint64_t backlog;
	enum json_member is = json_unsigned(object, "backlog", 0, UINT32_MAX, &backlog);

	return is == JSON_RIGHT || is == JSON_ABSENT
		       ? NULL
		       : "backlog must be a whole number from 0 to 4294967295";
}

/* The members of an op, in its table's order; NULL when all are right. */
static const char *
read_members(const struct json_object *object, struct wasmnet_request *request)
{
	unsigned int has = ops[request->op].has;
	const char *wrong = read_id(object, request);

	if (!wrong && has & HAS_PEER)
		wrong = read_peer(object, request);
	if (!wrong && has & HAS_BACKLOG)
		wrong = read_backlog(object);
	if (!wrong && has & HAS_NAME &&
	    json_string(object, "name", SIZE_MAX, &request->host, &request->host_length) !=
		    JSON_RIGHT)
		wrong = "name must be a string";
	return wrong;
}

static enum wasmnet_read
read_data(const struct json_object *object, struct wasmnet_request *request, const char **wrong)
{
	const char *text;
	size_t length;

	if (json_string(object, "data", SIZE_MAX, &text, &length) != JSON_RIGHT) {
		*wrong = "data must be a string";
		return WASMNET_WRONG;
	}
	request->decoded = malloc(BASE64_DECODED(length));
	if (!request->decoded)
		return WASMNET_NO_MEMORY;
	request->no_bytes =
		!base64_decode(text, length, request->decoded, BASE64_DECODED(length), &request->n);
	request->bytes = request->decoded;
	return WASMNET_READ;
}

enum wasmnet_read
wasmnet_read_json(const char *text, size_t n, size_t most, struct wasmnet_request *request,
		  const char **wrong)
{
	enum json_result result = json_read(text, n, most, &request->object);
	const char *found;

	if (result == JSON_NO_MEMORY)
		return WASMNET_NO_MEMORY;
	if (result != JSON_FINE) {
		*wrong = json_sentence(result);
		return WASMNET_WRONG;
	}
	found = read_op(request->object, request);
	if (!found)
		found = read_members(request->object, request);
	if (found) {
		*wrong = found;
		return WASMNET_WRONG;
	}
	return ops[request->op].has & HAS_DATA ? read_data(request->object, request, wrong)
					       : WASMNET_READ;
}

/* --- binary messages ------------------------------------------------------------------ */

static uint64_t
number(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* addr is what is left; or, where data follows, has its length before it. */
static const char *
read_payload(const uint8_t *payload, size_t n, struct wasmnet_request *request)
{
	unsigned int has = ops[request->op].has;
	size_t at = has & HAS_PEER ? has & HAS_DATA ? 4U : 2U : 0U;
	size_t length = n - at;

	if (n < at)
		return "it ends before its address";
	if (has & HAS_PEER)
		request->port = (uint16_t)number(payload, 2);
	if (at == 4)
		length = (size_t)number(payload + 2, 2);
	if (length > n - at)
		return "its address is longer than the rest of it";
	if (has & (HAS_PEER | HAS_NAME)) {
		request->host = (const char *)payload + at;
		request->host_length = length;
		at += length;
	}
	request->bytes = payload + at;
	request->n = n - at;
	return NULL;
}

enum wasmnet_read
wasmnet_read_binary(const uint8_t *frame, size_t n, struct wasmnet_request *request,
		    const char **wrong)
{
	const char *found = NULL;

	if (n < WASMNET_HEAD)
		found = "it is shorter than 9 bytes";
	else if (!frame[0] || frame[0] >= OPS)
		found = "there is no such type";
	else if (number(frame + 1, 8) > WASMNET_ID_MOST)
		found = "its id is over 2^64 - 2";
	if (!found) {
		request->op = (enum wasmnet_op)frame[0];
		request->id = number(frame + 1, 8);
		found = read_payload(frame + WASMNET_HEAD, n - WASMNET_HEAD, request);
	}
	if (!found)
		return WASMNET_READ;
	*wrong = found;
	return WASMNET_WRONG;
}
