/* For the tests of copying: repositories in memory, and what they hold. */
#ifndef PGSTOW_TESTS_REPO_COPY_KIT_H
#define PGSTOW_TESTS_REPO_COPY_KIT_H

#include "kit.h"

static inline Error *copy_kit_key(void *ctx, KeyUse use, const char *where, Key *out)
{
    (void)ctx;
    (void)use;
    (void)where;
    *out = (Key){.file = true,
                 .secret = secret_copy("fedcba9876543210fedcba9876543210", KEY_BYTES),
                 .from = mem_strdup("the tests")};
    return NULL;
}

static const KeySource copy_kit_keys = {copy_kit_key, NULL};

static inline Repo *copy_kit_repo(bool encrypted, const KeySource *keys)
{
    Repo *r = NULL;
    RepoOptions o = {.create = true, .encrypt = encrypted, .keys = keys};
    OK(repo_open(store_open_memory(), &o, &r));
    return r;
}

static inline Error *copy_kit_add(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    *(uint64_t *)ctx += size;
    return NULL;
}

static inline uint64_t copy_kit_pack_bytes(Repo *r)
{
    uint64_t bytes = 0;
    OK(store_list(repo_store(r), "packs/", copy_kit_add, &bytes));
    return bytes;
}

#endif
