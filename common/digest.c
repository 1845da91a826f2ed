/*
 * digest.c - content digests, and the only place that knows EVP.
 *
 * The algorithms are fetched from OpenSSL once and kept for the life of the
 * process: fetching takes longer than hashing a manifest.  OpenSSL fails here
 * only when memory is out; where no error can be returned, that aborts.
 */
#include "common/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct hasher {
	enum digest_alg alg;
	EVP_MD_CTX *sum;   /* owned; of all that was added */
	EVP_MD_CTX *spare; /* owned; where hasher_get() finishes a copy */
};

/* clang-format off */
static const struct {
	const char *name;
	const char *evp_name;
	size_t size; /* bytes */
} algs[] = {
	[DIGEST_SHA256] = { "sha256", "SHA2-256", 32 },
	[DIGEST_SHA512] = { "sha512", "SHA2-512", 64 },
};
/* clang-format on */

static EVP_MD *fetched[DIGEST_SHA512 + 1]; /* kept until the process ends */

static void
fetch_all(void)
{
	for (int alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
		fetched[alg] = EVP_MD_fetch(NULL, algs[alg].evp_name, NULL);
}

static const EVP_MD *
evp_of(enum digest_alg alg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	check(alg == DIGEST_SHA256 || alg == DIGEST_SHA512);
	check(pthread_once(&once, fetch_all) == 0);
	check(fetched[alg] != NULL);
	return fetched[alg];
}

/* ---- digests as values ------------------------------------------------- */

size_t
digest_size(const struct digest *d)
{
	check(d->alg == DIGEST_SHA256 || d->alg == DIGEST_SHA512);
	return algs[d->alg].size;
}

size_t
digest_key_size(const struct digest *d)
{
	return 1 + digest_size(d);
}

const char *
digest_alg_name(const struct digest *d)
{
	check(d->alg == DIGEST_SHA256 || d->alg == DIGEST_SHA512);
	return algs[d->alg].name;
}

bool
digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Of a digit 0-9 or a-f its value and DIGIT, of any other byte 0. */
#define DIGIT 0x10u
#define V(n) (DIGIT | (n))
/* clang-format off */
static const uint8_t hex_values[256] = {
	['0'] = V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9),
	['a'] = V(10), V(11), V(12), V(13), V(14), V(15),
};
/* clang-format on */
#undef V

/* HEX has two digits for each of the N bytes. */
static bool
hex_decode(const char *hex, uint8_t *out, size_t n)
{
	unsigned all = DIGIT;

	for (size_t i = 0; i < n; i++) {
		unsigned high = hex_values[(uint8_t)hex[2 * i]];
		unsigned low = hex_values[(uint8_t)hex[2 * i + 1]];

		all &= high & low;
		out[i] = (uint8_t)(high << 4 | (low & 15));
	}
	return all == DIGIT;
}

static bool
parse_alg(struct digest *d, struct str name, struct str hex)
{
	for (uint8_t alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
		if (!str_eqz(name, algs[alg].name))
			continue;
		d->alg = alg;
		return hex.n == 2 * algs[alg].size &&
		    hex_decode(hex.p, d->bytes, algs[alg].size);
	}
	return false;
}

int
digest_parse(struct digest *out, struct str s, struct err *err)
{
	struct digest d = { 0 };
	struct str rest = s;
	struct str name;
	char shown[160];

	if (str_cut(&rest, ':', &name) && parse_alg(&d, name, rest)) {
		*out = d;
		return 0;
	}
	return err_set(err, ERR_DIGEST_INVALID,
	    "\"%s\" is not a digest: it takes \"sha256:\" and 64, or "
	    "\"sha512:\" and 128 digits of 0-9 and a-f",
	    str_printable(s, shown, sizeof(shown)));
}

static void
hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

const char *
digest_hex(const struct digest *d, char out[DIGEST_TEXT_MAX])
{
	hex_encode(d->bytes, digest_size(d), out);
	return out;
}

const char *
digest_text(const struct digest *d, char out[DIGEST_TEXT_MAX])
{
	const char *name = digest_alg_name(d);
	size_t n = strlen(name);

	memcpy(out, name, n);
	out[n] = ':';
	hex_encode(d->bytes, digest_size(d), out + n + 1);
	return out;
}

/* ---- hashing ----------------------------------------------------------- */

struct hasher *
hasher_new(enum digest_alg alg)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->alg = alg;
	h->sum = EVP_MD_CTX_new();
	h->spare = EVP_MD_CTX_new();
	if (h->sum == NULL || h->spare == NULL ||
	    EVP_DigestInit_ex(h->sum, evp_of(alg), NULL) != 1) {
		hasher_free(h);
		return NULL;
	}
	return h;
}

void
hasher_free(struct hasher *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->sum);
	EVP_MD_CTX_free(h->spare);
	free(h);
}

void
hasher_reset(struct hasher *h)
{
	check(EVP_DigestInit_ex(h->sum, NULL, NULL) == 1);
}

void
hasher_add(struct hasher *h, const void *p, size_t n)
{
	check(EVP_DigestUpdate(h->sum, p, n) == 1);
}

void
hasher_get(const struct hasher *h, struct digest *out)
{
	*out = (struct digest){ .alg = (uint8_t)h->alg };
	check(EVP_MD_CTX_copy_ex(h->spare, h->sum) == 1);
	check(EVP_DigestFinal_ex(h->spare, out->bytes, NULL) == 1);
}

void
digest_of(enum digest_alg alg, const void *p, size_t n, struct digest *out)
{
	*out = (struct digest){ .alg = (uint8_t)alg };
	check(EVP_Digest(p, n, out->bytes, NULL, evp_of(alg), NULL) == 1);
}
