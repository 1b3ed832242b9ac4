#include "repo/key_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define VERSION 1
#define BYTES (1 + KEY_BYTES + 2) /* 280 bits: 56 characters, and 8 to check them */
#define CHARACTERS 64
#define BLOCK 8 /* with its check */
#define BITS 5

/* The remainder of the seven characters as a polynomial over GF(32): no single wrong one, and no
 * two that changed places, give the same. */
static uint8_t block_check(const uint8_t digits[BLOCK - 1], uint8_t block)
{
    uint8_t check = block;
    for (int i = 0; i < BLOCK - 1; i++) {
        check = (uint8_t)(check << 1 ^ (check & 16 ? 0x25 : 0));
        check ^= digits[i];
    }
    return check;
}

static void whole_check(const uint8_t *bytes, uint8_t out[2])
{
    AUTO(Hash) h = hash_new();
    uint8_t hash[HASH_BYTES];
    hash_add(h, KEY_TEXT_MARK, strlen(KEY_TEXT_MARK));
    hash_add(h, bytes, 1 + KEY_BYTES);
    hash_end(h, hash);
    memcpy(out, hash, 2);
}

char *key_text_write(const Secret *key)
{
    AUTO(Secret) bytes = secret_new(BYTES);
    AUTO(Secret) digits = secret_new(CHARACTERS);
    uint8_t *b = secret_bytes(bytes), *d = secret_bytes(digits);
    b[0] = VERSION;
    memcpy(b + 1, secret_look(key), KEY_BYTES);
    whole_check(b, b + 1 + KEY_BYTES);
    size_t bit = 0;
    for (uint8_t block = 0; block < CHARACTERS / BLOCK; block++) {
        uint8_t *at = d + block * BLOCK;
        for (int i = 0; i < BLOCK - 1; i++) {
            at[i] = 0;
            for (int k = 0; k < BITS; k++, bit++)
                at[i] = (uint8_t)(at[i] << 1 | (b[bit / 8] >> (7 - bit % 8) & 1));
        }
        at[BLOCK - 1] = block_check(at, block);
    }
    /* Room at once: what grows leaves copies behind. */
    char *out = mem_zalloc(strlen(KEY_TEXT_MARK) + 2 + CHARACTERS + CHARACTERS / 4 + 1), *p = out;
    p += sprintf(p, "%s\n", KEY_TEXT_MARK);
    for (size_t i = 0; i < CHARACTERS; i++) {
        *p++ = alphabet[d[i]];
        if (i % 16 == 15)
            *p++ = '\n';
        else if (i % 4 == 3)
            *p++ = '-';
    }
    return out;
}

/* The characters alone, as numbers. */
static Error *collect(const char *text, size_t n, uint8_t *digits, size_t *count)
{
    bool comment = false, fresh = true;
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        char c = (char)toupper((unsigned char)text[i]);
        if (fresh && n - i >= strlen(KEY_TEXT_MARK) && !*count &&
            !strncasecmp(text + i, KEY_TEXT_MARK, strlen(KEY_TEXT_MARK))) {
            i += strlen(KEY_TEXT_MARK) - 1;
            fresh = false;
            continue;
        }
        comment = c == '\n' ? false : comment || (fresh && c == '#');
        fresh = c == '\n' || (fresh && isspace((unsigned char)c));
        if (comment || isspace((unsigned char)c) || c == '-')
            continue;
        c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
        const char *found = c ? strchr(alphabet, c) : NULL;
        if (!found || *count == CHARACTERS)
            FAIL(ERR_KEY,
                 found ? "it is longer than a key" : "character %zu is none that a key has",
                 *count + 1);
        digits[(*count)++] = (uint8_t)(found - alphabet);
    }
    if (*count != CHARACTERS)
        FAIL(ERR_KEY, "it has %zu characters, and a key has %d", *count, CHARACTERS);
    return NULL;
}

static Error *decode(const uint8_t *digits, uint8_t *bytes)
{
    size_t bit = 0;
    for (uint8_t block = 0; block < CHARACTERS / BLOCK; block++) {
        const uint8_t *at = digits + block * BLOCK;
        if (block_check(at, block) != at[BLOCK - 1])
            FAIL(ERR_KEY, "there is a slip in groups %d and %d (line %d)", block * 2 + 1,
                 block * 2 + 2, block / 2 + 1);
        for (int i = 0; i < BLOCK - 1; i++)
            for (int k = BITS - 1; k >= 0; k--, bit++)
                bytes[bit / 8] = (uint8_t)(bytes[bit / 8] << 1 | (at[i] >> k & 1));
    }
    return NULL;
}

Error *key_text_read(const char *text, size_t n, Secret **key)
{
    AUTO(Secret) digits = secret_new(CHARACTERS);
    AUTO(Secret) bytes = secret_new(BYTES);
    uint8_t *b = secret_bytes(bytes), check[2];
    size_t count;
    TRY(collect(text, n, secret_bytes(digits), &count));
    TRY(decode(secret_look(digits), b));
    if (b[0] != VERSION)
        return error_hint(ERROR_NEW(ERR_KEY, "it is a key of version %u", b[0]),
                          "use a newer pgstow");
    whole_check(b, check);
    if (!hash_equal(check, b + 1 + KEY_BYTES, sizeof check))
        FAIL(ERR_KEY, "its lines do not belong together");
    *key = secret_copy(b + 1, KEY_BYTES);
    return NULL;
}
