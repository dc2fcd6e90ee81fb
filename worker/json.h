/* SPDX-License-Identifier: ISC */
/*
 * Messages that are one JSON object (RFC 8259), read with json-c behind a
 * scanner of our own that closes what json-c leaves open: it holds the grammar,
 * UTF-8, the depth, the number of values, and finds member names that occur
 * twice, before json-c allocates anything.
 *
 * Replies are written straight into the caller's buffer.
 */
#ifndef SOCKWARD_WORKER_JSON_H
#define SOCKWARD_WORKER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MOST   31           /* objects and arrays inside each other */
#define JSON_VALUES_MOST  4096         /* values in one message, of any kind */
#define JSON_INTEGER_MOST (1ULL << 53) /* beyond, JavaScript's numbers are not exact */

struct json_object; /* json-c's */

enum json_result {
	JSON_FINE,
	JSON_TOO_LONG,  /* over the caller's size, or JSON_VALUES_MOST */
	JSON_MALFORMED, /* not JSON, or not UTF-8, or half a surrogate pair, or a NUL in a name */
	JSON_TOO_DEEP,  /* over JSON_DEPTH_MOST */
	JSON_NO_OBJECT, /* JSON, but not an object */
	JSON_DUPLICATE, /* a member name occurs twice in one object */
	JSON_NO_MEMORY,
};

enum json_member {
	JSON_RIGHT,
	JSON_ABSENT,
	JSON_WRONG_TYPE, /* among it numbers with a fraction or an exponent */
	JSON_OUT_OF_RANGE,
};

/* Private to the functions below. */
struct json_writer {
	char *text;
	size_t size;
	size_t length;
	bool full;
};

/**
 * json_prepare() - have json-c do at once what it does on first use.
 *
 * It seeds its hash, for which it may open a file and ends the process if it
 * cannot: so call this before the process is confined. Returns false when
 * memory was short.
 */
bool json_prepare(void);

/**
 * json_read() - read a message.
 * @text: @length bytes, not NUL-terminated.
 * @most: longest message that is taken, in bytes; at most INT32_MAX.
 * @out: receives the object, to be given back with json_release(); untouched
 *       but when JSON_FINE.
 *
 * While it reads, it allocates at most 16 KiB, four times @length and 1 KiB for
 * each value, and makes sure of that much before it begins.
 * A number that is written -0 is refused as malformed, since it has no exact reading.
 */
enum json_result json_read(const char *text, size_t length, size_t most, struct json_object **out);

/**
 * json_release() - free what json_read() gave; NULL does nothing.
 */
void json_release(struct json_object *object);

/**
 * json_sentence() - a result of json_read() as a sentence for a person; a constant.
 */
const char *json_sentence(enum json_result result);

/**
 * json_count() - how many members the object has.
 */
size_t json_count(const struct json_object *object);

/**
 * json_unsigned() - a member that is a whole number, written as one.
 * @name: NUL-terminated.
 * @low, @high: range that is taken, both included; @high is at most JSON_INTEGER_MOST.
 * @out: untouched but when JSON_RIGHT.
 *
 * 443.0, 4.43e2, "443" and null are JSON_WRONG_TYPE; -1 and 2^64 are JSON_OUT_OF_RANGE.
 */
enum json_member json_unsigned(const struct json_object *object, const char *name, uint64_t low,
			       uint64_t high, uint64_t *out);

/**
 * json_string() - a member that is a string.
 * @most: longest that is taken, in bytes of UTF-8.
 * @text: receives its bytes, which live as long as the object. They may hold
 *        NULs, and a NUL follows them. @length: receives how many.
 *
 * The outputs are untouched but when JSON_RIGHT.
 */
enum json_member json_string(const struct json_object *object, const char *name, size_t most,
			     const char **text, size_t *length);

/**
 * json_boolean() - a member that is true or false.
 */
enum json_member json_boolean(const struct json_object *object, const char *name, bool *out);

/**
 * json_begin() - begin an object in a buffer of @size bytes.
 */
void json_begin(struct json_writer *writer, char *buffer, size_t size);

/**
 * json_put_string() - add a string. @name: plain ASCII, a constant of the program.
 * @text: @length bytes; escaped where JSON needs it; what is not UTF-8 becomes
 *        U+FFFD, byte by byte.
 */
void json_put_string(struct json_writer *writer, const char *name, const char *text, size_t length);

/**
 * json_put_unsigned() - add a whole number.
 */
void json_put_unsigned(struct json_writer *writer, const char *name, uint64_t value);

/**
 * json_put_base64() - add bytes as a string in base64.
 */
void json_put_base64(struct json_writer *writer, const char *name, const uint8_t *bytes,
		     size_t length);

/**
 * json_end() - end the object.
 *
 * Returns the length of the text in bytes, or 0 when it did not fit the buffer.
 */
size_t json_end(struct json_writer *writer);

#endif
