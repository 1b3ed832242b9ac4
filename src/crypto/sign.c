#include "crypto/sign.h"

#include <string.h>

#include "base/text.h"

#define FIRST_LINE "pgstow-sync-1\n"
#define TARGET_MAX 8192
#define TIME_MAX 18 /* digits */

static bool all_of(const char *s, const char *set, size_t least, size_t most)
{
    size_t n = strspn(s, set);
    return !s[n] && n >= least && n <= most;
}

#define DIGITS "0123456789"
#define HEX_DIGITS DIGITS "abcdef"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool sign_is_node(const char *s)
{
    return all_of(s, LETTERS DIGITS "_-.:", 1, SIGN_NODE_MAX) && strchr(LETTERS DIGITS, *s);
}

static bool is_target(const char *s)
{
    size_t n = strlen(s);
    if (*s != '/' || n > TARGET_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 127)
            return false;
    return true;
}

bool sign_is_sane(const SignParts *p)
{
    return all_of(p->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1, 10) && is_target(p->target) &&
           all_of(p->body, HEX_DIGITS, SIGN_HEX - 1, SIGN_HEX - 1) &&
           all_of(p->time, DIGITS, 1, TIME_MAX) &&
           all_of(p->nonce, HEX_DIGITS, SIGN_NONCE_HEX - 1, SIGN_NONCE_HEX - 1) &&
           sign_is_node(p->node);
}

static void make(const Secret *key, const SignParts *p, uint8_t out[HASH_BYTES])
{
    AUTO_VALUE(Buf) text = {0};
    const char *const lines[] = {p->method, p->target, p->body, p->time, p->nonce};
    buf_add_str(&text, FIRST_LINE);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        buf_add_str(&text, lines[i]);
        buf_u8(&text, '\n');
    }
    buf_add_str(&text, p->node);
    hash_sign(secret_look(key), secret_length(key), text.data, text.len, out);
}

void sign_make(const Secret *key, const SignParts *p, char out[SIGN_HEX])
{
    uint8_t sum[HASH_BYTES];
    make(key, p, sum);
    text_hex(sum, sizeof sum, out);
}

bool sign_check(const Secret *key, const SignParts *p, const char *signature)
{
    uint8_t given[HASH_BYTES], wanted[HASH_BYTES];
    if (!secret_length(key) || !sign_is_sane(p) || !text_unhex(signature, given, sizeof given))
        return false;
    make(key, p, wanted);
    return hash_equal(given, wanted, sizeof wanted);
}

static void sum_of(const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    AUTO(Hash) h = hash_new();
    hash_once(h, p, n, out);
}

void sign_body(const void *p, size_t n, char out[SIGN_HEX])
{
    uint8_t sum[HASH_BYTES];
    sum_of(n ? p : "", n, sum);
    text_hex(sum, sizeof sum, out);
}

void sign_nonce(char out[SIGN_NONCE_HEX])
{
    uint8_t bytes[(SIGN_NONCE_HEX - 1) / 2];
    random_bytes(bytes, sizeof bytes);
    text_hex(bytes, sizeof bytes, out);
}

void sign_registration(const Secret *key, char out[SIGN_HEX])
{
    sign_body(secret_look(key), secret_length(key), out);
}

bool sign_registration_check(const Secret *key, const char *hash)
{
    uint8_t given[HASH_BYTES], wanted[HASH_BYTES];
    if (!secret_length(key) || !text_unhex(hash, given, sizeof given))
        return false;
    sum_of(secret_look(key), secret_length(key), wanted);
    return hash_equal(given, wanted, sizeof wanted);
}
