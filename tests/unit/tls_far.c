/* SPDX-License-Identifier: ISC */
#include "tests/unit/tls_far.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#define DAY 86400

struct authority {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

static void
must(int result)
{
	assert_int_equal(result, GNUTLS_E_SUCCESS);
}

static gnutls_x509_privkey_t
new_key(bool rsa)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key));
	if (rsa)
		must(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 2048, 0));
	else
		must(gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t
new_certificate(gnutls_x509_privkey_t key, const char *name, time_t since, time_t until)
{
	static unsigned char serial;
	gnutls_x509_crt_t made;

	serial++;
	must(gnutls_x509_crt_init(&made));
	must(gnutls_x509_crt_set_version(made, 3));
	must(gnutls_x509_crt_set_serial(made, &serial, 1));
	must(gnutls_x509_crt_set_key(made, key));
	must(gnutls_x509_crt_set_dn_by_oid(made, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					   (unsigned int)strlen(name)));
	must(gnutls_x509_crt_set_activation_time(made, since));
	must(gnutls_x509_crt_set_expiration_time(made, until));
	return made;
}

static struct authority
new_authority(const char *name)
{
	gnutls_x509_privkey_t key = new_key(false);
	gnutls_x509_crt_t made =
		new_certificate(key, name, time(NULL) - 100 * DAY, time(NULL) + 100 * DAY);

	must(gnutls_x509_crt_set_ca_status(made, 1));
	must(gnutls_x509_crt_set_key_usage(made, GNUTLS_KEY_KEY_CERT_SIGN));
	must(gnutls_x509_crt_sign2(made, made, key, GNUTLS_DIG_SHA256, 0));
	return (struct authority){made, key};
}

/* The one that the store names, and the one that it does not. */
static const struct authority *
authority(bool trusted)
{
	static struct authority both[2];

	if (!both[0].key) {
		must(gnutls_global_init());
		both[0] = new_authority("Other");
		both[1] = new_authority("Trusted");
	}
	return &both[trusted];
}

void
far_trust(struct trust *t)
{
	gnutls_datum_t pem;
	char path[32];
	int fd = memfd_create("trust", MFD_CLOEXEC);

	assert_true(fd >= 0);
	must(gnutls_x509_crt_export2(authority(true)->certificate, GNUTLS_X509_FMT_PEM, &pem));
	assert_int_equal(write(fd, pem.data, pem.size), pem.size);
	gnutls_free(pem.data);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(trust_map(t, path), 0);
	close(fd);
}

static void
add_name(gnutls_x509_crt_t made, const char *name)
{
	must(gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_DNSNAME, name,
						  (unsigned int)strlen(name), GNUTLS_FSAN_APPEND));
}

static void
add_names(gnutls_x509_crt_t made, enum far_fault fault)
{
	static const unsigned char ip[4] = {192, 0, 2, 9};
	static char many[40000];

	if (fault == FAR_COMMON_NAME)
		return;
	add_name(made, fault == FAR_OTHER_HOST       ? "other.example"
		       : fault == FAR_NUMBER_AS_NAME ? "192.0.2.9"
						     : FAR_HOST);
	if (fault == FAR_LONG_NAME) {
		memset(many, 'a', sizeof(many) - 1);
		add_name(made, many);
	}
	if (fault != FAR_OTHER_HOST && fault != FAR_NUMBER_AS_NAME)
		must(gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_IPADDRESS, ip,
							  sizeof(ip), GNUTLS_FSAN_APPEND));
}

/* --- keys without a private half ------------------------------------------------- */

#define KEY_MOST 12000

static size_t
key_bytes(enum far_fault fault)
{
	return fault == FAR_LARGE ? KEY_MOST : fault == FAR_EXPONENT ? 1024 : 0;
}

static int
sign_nothing(gnutls_privkey_t key, gnutls_sign_algorithm_t how, void *n, unsigned int flags,
	     const gnutls_datum_t *what, gnutls_datum_t *made)
{
	(void)key;
	(void)how;
	(void)flags;
	(void)what;
	made->size = *(unsigned int *)n;
	made->data = gnutls_malloc(made->size);
	assert_non_null(made->data);
	memset(made->data, 0x5a, made->size);
	return 0;
}

static int
about_key(gnutls_privkey_t key, unsigned int flags, void *n)
{
	gnutls_sign_algorithm_t how = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return GNUTLS_PK_RSA;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)(*(unsigned int *)n * 8);
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return how == GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
	return -1;
}

/* Puts an RSA key of so many bytes into a certificate. */
static void
set_key(gnutls_x509_crt_t made, enum far_fault fault)
{
	static unsigned char bytes[KEY_MOST];
	unsigned int n = (unsigned int)key_bytes(fault);
	const gnutls_datum_t modulus = {bytes, n};
	const gnutls_datum_t exponent = {bytes, fault == FAR_EXPONENT ? n - 1 : 1};
	gnutls_pubkey_t key;

	memset(bytes, 0xa5, sizeof(bytes));
	must(gnutls_pubkey_init(&key));
	must(gnutls_pubkey_import_rsa_raw(key, &modulus, &exponent));
	must(gnutls_x509_crt_set_pubkey(made, key));
	gnutls_pubkey_deinit(key);
}

static void
use_without_key(struct far *far, gnutls_x509_crt_t made, enum far_fault fault)
{
	static unsigned int n;
	gnutls_privkey_t key;
	gnutls_pcert_st *chain = gnutls_calloc(1, sizeof(*chain));

	n = (unsigned int)key_bytes(fault);
	assert_non_null(chain);
	must(gnutls_pcert_import_x509(chain, made, 0));
	must(gnutls_privkey_init(&key));
	must(gnutls_privkey_import_ext4(key, &n, sign_nothing, sign_nothing, NULL, NULL, about_key,
					0));
	gnutls_certificate_set_flags(far->credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	/* Both are its from now on, but for the memory of the list. */
	must(gnutls_certificate_set_key(far->credentials, NULL, 0, chain, 1, key));
	gnutls_free(chain);
}

void
far_begin(struct far *far, int fd, enum far_fault fault, const char *priority)
{
	const struct authority *by = authority(fault != FAR_UNKNOWN);
	gnutls_x509_privkey_t key = new_key(fault == FAR_RSA);
	time_t since = time(NULL) + (fault == FAR_NOT_YET ? DAY : -20 * DAY);
	time_t until = time(NULL) + (fault == FAR_EXPIRED ? -DAY : 20 * DAY);
	gnutls_x509_crt_t made =
		new_certificate(key, fault == FAR_COMMON_NAME ? FAR_HOST : "leaf", since, until);

	add_names(made, fault);
	must(gnutls_x509_crt_set_key_purpose_oid(
		made, fault == FAR_CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER,
		0));
	if (key_bytes(fault))
		set_key(made, fault);
	must(gnutls_x509_crt_sign2(made, by->certificate, by->key, GNUTLS_DIG_SHA256, 0));
	gnutls_datum_t tickets;

	*far = (struct far){.fd = fd};
	must(gnutls_certificate_allocate_credentials(&far->credentials));
	if (key_bytes(fault))
		use_without_key(far, made, fault);
	else
		must(gnutls_certificate_set_x509_key(far->credentials, &made, 1, key));
	must(gnutls_init(&far->session, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	must(gnutls_priority_set_direct(far->session, priority ? priority : "NORMAL", NULL));
	must(gnutls_credentials_set(far->session, GNUTLS_CRD_CERTIFICATE, far->credentials));
	must(gnutls_session_ticket_key_generate(&tickets));
	must(gnutls_session_ticket_enable_server(far->session, &tickets));
	gnutls_free(tickets.data);
	gnutls_transport_set_int(far->session, fd);
	gnutls_x509_crt_deinit(made);
	gnutls_x509_privkey_deinit(key);
}

int
far_run(struct far *far)
{
	int result = gnutls_handshake(far->session);

	if (result < 0 && gnutls_error_is_fatal(result))
		(void)gnutls_alert_send_appropriate(far->session, result);
	far->ready = result == GNUTLS_E_SUCCESS;
	return result;
}

void
far_write(struct far *far, const void *bytes, size_t n)
{
	const char *from = bytes;

	while (n) {
		ssize_t wrote = gnutls_record_send(far->session, from, n);

		assert_true(wrote > 0);
		from += wrote;
		n -= (size_t)wrote;
	}
}

ssize_t
far_read(struct far *far, void *bytes, size_t size)
{
	return gnutls_record_recv(far->session, bytes, size);
}

void
far_end(struct far *far)
{
	gnutls_deinit(far->session);
	gnutls_certificate_free_credentials(far->credentials);
	if (far->fd >= 0)
		close(far->fd);
}
