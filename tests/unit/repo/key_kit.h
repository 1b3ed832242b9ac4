/* For the tests of keys: encrypted repositories in folders of their own, and ways into them. */
#ifndef PGSTOW_TESTS_REPO_KEY_KIT_H
#define PGSTOW_TESTS_REPO_KEY_KIT_H

#include "kit.h"

#include "base/file.h"
#include "repo/key_chain.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

typedef struct Place {
    char *dir;
} Place;
static inline void place_clear(Place *p)
{
    OK(file_remove_tree(p->dir));
    free(p->dir);
}
DEFINE_AUTO_VALUE(Place, place_clear)

static inline Place place_new(void)
{
    Place p = {0};
    OK(file_temp_dir(&p.dir));
    return p;
}

static inline Store *place_store(const Place *p)
{
    Store *s;
    OK(store_open_dir(p->dir, true, &s));
    return s;
}

/* "file:" and 64 hexadecimal digits is a key file, all else a passphrase. */
static inline Error *give(void *ctx, KeyUse use, const char *where, Key *out)
{
    const char *text = ctx;
    (void)use;
    assert_non_null(where);
    if (!text)
        FAIL(ERR_KEY, "the test has no key");
    out->file = text_starts(text, "file:");
    if (out->file) {
        out->secret = secret_new(KEY_BYTES);
        assert_true(text_unhex(text + 5, secret_bytes(out->secret), KEY_BYTES));
    } else {
        out->secret = secret_copy(text, strlen(text));
    }
    out->from = mem_strdup("the test's key");
    return NULL;
}

#define FILE_A "file:1111111111111111111111111111111111111111111111111111111111111111"
#define FILE_B "file:2222222222222222222222222222222222222222222222222222222222222222"
#define FILE_C "file:3333333333333333333333333333333333333333333333333333333333333333"

static inline Error *try_open(const Place *p, const char *key, bool encrypt, Repo **out)
{
    KeySource source = {give, (void *)(uintptr_t)key};
    return repo_open(place_store(p),
                     &(RepoOptions){.create = true, .encrypt = encrypt, .keys = &source}, out);
}

static inline Repo *open_as(const Place *p, const char *key)
{
    Repo *r = NULL;
    OK(try_open(p, key, false, &r));
    assert_non_null(repo_keys(r));
    return r;
}

static inline Place place_encrypted(const char *key)
{
    Place p = place_new();
    AUTO(Repo) r = NULL;
    OK(try_open(&p, key, true, &r));
    assert_true(keyring_full(repo_keys(r)));
    return p;
}

static inline void add(const Place *p, const char *with, KeyKind kind, const char *name,
                       const char *database, const char *key)
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(Key) k = {0};
    AUTO_VALUE(StrList) databases = {0};
    AUTO_VALUE(KeySlotInfo) info = {0};
    if (database)
        strlist_add(&databases, database);
    OK(give((void *)(uintptr_t)key, KEY_TO_MAKE, "", &k));
    OK(keys_add(r, kind, name, database ? &databases : NULL, &k, &info));
    assert_string_equal(info.name, name);
}

static inline uint32_t rotate(const Place *p, const char *with)
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_rotate(r, &l));
    for (size_t i = 0; i < l.count; i++)
        assert_int_equal(l.items[i].state, KEY_SLOT_GOOD);
    return l.epoch;
}

static inline void cannot_open(const Place *p, const char *key, ErrorKind kind)
{
    Repo *r = NULL;
    FAILS(kind, try_open(p, key, false, &r));
}

/* The id of the slot of this name. */
static inline void slot_called(const Place *p, const char *with, const char *name,
                               char out[KEY_SLOT_TEXT])
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_list(r, &l));
    *out = '\0';
    for (size_t i = 0; i < l.count; i++)
        if (!strcmp(l.items[i].name, name))
            memcpy(out, l.items[i].id, KEY_SLOT_TEXT);
    assert_int_equal(strlen(out), KEY_SLOT_TEXT - 1);
}

#endif
