/* Stands in for hashes that no fuzzer can guess (the linker puts these in their place): a check is
 * sixteen stars, a hash zeros. So what lies behind them is reached, as by somebody who
 * makes damaged objects with sound checks. */
#include <string.h>

#include "repo/recipe.h"
#include "repo/repo_internal.h"

void __wrap_part_close(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                       uint8_t check[CHECK_BYTES]);
void __wrap_part_close(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                       uint8_t check[CHECK_BYTES])
{
    (void)k;
    (void)part;
    (void)hash;
    (void)p;
    (void)n;
    memset(check, '*', CHECK_BYTES);
}

Error *__wrap_part_open(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                        const uint8_t check[CHECK_BYTES], const char *what);
Error *__wrap_part_open(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                        const uint8_t check[CHECK_BYTES], const char *what)
{
    (void)k;
    (void)part;
    (void)hash;
    (void)p;
    (void)n;
    for (size_t i = 0; i < CHECK_BYTES; i++)
        if (check[i] != '*')
            FAIL(ERR_DAMAGED, "%s is damaged", what);
    return NULL;
}

void __wrap_piece_digest_all(const Piece *pieces, size_t count, uint8_t out[HASH_BYTES]);
void __wrap_piece_digest_all(const Piece *pieces, size_t count, uint8_t out[HASH_BYTES])
{
    (void)pieces;
    (void)count;
    memset(out, 0, HASH_BYTES);
}

void __wrap_hash_once(Hash *h, const void *p, size_t n, uint8_t out[HASH_BYTES]);
void __wrap_hash_once(Hash *h, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    (void)h;
    (void)p;
    (void)n;
    memset(out, 0, HASH_BYTES);
}
