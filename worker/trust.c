/* SPDX-License-Identifier: ISC */
#include "worker/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "worker/keys.h"

/* GnuTLS prepares itself when it is loaded, unless there is this. */
GNUTLS_SKIP_GLOBAL_INIT

/*
 * TLS 1.3 and 1.2, with forward secrecy and authenticated encryption alone, and keys and
 * signatures of 112 bits at least. All of it is named, so that it is the same on every
 * host; there are no groups of finite fields, whose primes a far end could choose.
 */
#define PRIORITY                                                                       \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"                                   \
	":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"                                             \
	":-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305"                    \
	":-MAC-ALL:+AEAD"                                                              \
	":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1" \
	":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%PROFILE_MEDIUM"

int
trust_map(struct trust *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *bytes = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return -1;
	errno = EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= (off_t)TRUST_BYTES)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd); /* which keeps errno when it succeeds */
	if (bytes == MAP_FAILED)
		return -1;
	t->bytes = bytes;
	t->length = (size_t)st.st_size;
	return 0;
}

static void
unmap(struct trust *t)
{
	if (t->bytes)
		(void)munmap(t->bytes, t->length);
	t->bytes = NULL;
	t->length = 0;
}

/* For GnuTLS: time(2) is no call of the worker's filter, should the vDSO not have it. */
static time_t
wall_clock(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
trust_read(struct trust *t)
{
	const gnutls_datum_t pem = {t->bytes, (unsigned int)t->length};

	if (!t->bytes)
		return -1;
	if (gnutls_global_init() < 0)
		goto fail;
	gnutls_global_set_time_function(wall_clock);
	if (gnutls_certificate_allocate_credentials(&t->credentials) < 0)
		goto fail;
	if (gnutls_certificate_set_x509_trust_mem(t->credentials, &pem, GNUTLS_X509_FMT_PEM) <= 0 ||
	    gnutls_priority_init(&t->priority, PRIORITY, NULL) < 0)
		goto fail_credentials;
	gnutls_certificate_set_verify_limits(t->credentials, KEYS_BITS, KEYS_CHAIN);
	unmap(t);
	return 0;
fail_credentials:
	gnutls_certificate_free_credentials(t->credentials);
fail:
	t->credentials = NULL;
	unmap(t);
	return -1;
}

bool
trust_ready(struct trust *t)
{
	if (!t->credentials && trust_read(t) < 0)
		return false;
	if (!t->fresh)
		gnutls_rnd_refresh();
	t->fresh = true;
	return true;
}

void
trust_free(struct trust *t)
{
	unmap(t);
	if (!t->credentials)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	gnutls_priority_deinit(t->priority);
	t->credentials = NULL;
}
