#include "crypto/salted.h"

#include "crypto/hash.h"

static const uint8_t no_nonce[NONCE_BYTES];

void salted_close(const uint8_t key[KEY_BYTES], const char *label, const Buf *aad, const Secret *s,
                  Buf *out)
{
    uint8_t salt[SALTED_SALT_BYTES], once[KEY_BYTES], tag[TAG_BYTES];
    size_t n = secret_length(s);
    random_bytes(salt, sizeof salt);
    key_derive(key, label, salt, sizeof salt, once);
    buf_add(out, salt, sizeof salt);
    /* Sealed in its own memory: what a growing buffer leaves behind must not be the secret. */
    AUTO(Secret) sealed = secret_copy(secret_look(s), n);
    seal_close(SEAL_CHACHA20_POLY1305, once, no_nonce, aad->data, aad->len, secret_look(s), n,
               secret_bytes(sealed), tag);
    buf_add(out, secret_look(sealed), n);
    buf_add(out, tag, sizeof tag);
    secret_wipe(once, sizeof once);
}

bool salted_open(const uint8_t key[KEY_BYTES], const char *label, const Buf *aad, const void *p,
                 size_t n, Secret **out)
{
    const uint8_t *from = p;
    uint8_t once[KEY_BYTES];
    if (n < SALTED_EXTRA)
        return false;
    key_derive(key, label, from, SALTED_SALT_BYTES, once);
    AUTO(Secret) opened = secret_new(n - SALTED_EXTRA);
    bool good = seal_open(SEAL_CHACHA20_POLY1305, once, no_nonce, aad->data, aad->len,
                          from + SALTED_SALT_BYTES, n - SALTED_EXTRA, from + n - TAG_BYTES,
                          secret_bytes(opened));
    secret_wipe(once, sizeof once);
    if (good)
        *out = STEAL(opened);
    return good;
}
