#include "repo/repo.h"

#include <string.h>

#include "base/log.h"
#include "repo/key_slot.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

#define CONFIG "config"
#define ID_BYTES 16

struct Repo {
    Store *store;
    PackReader *packs;
    Keys *keys; /* NULL: plain */
    char id[2 * ID_BYTES + 1];
    /* The first feature that this program does not know of those needed to write, to delete. */
    char *unknown[2];
};

void repo_free(Repo *r)
{
    if (!r)
        return;
    pack_reader_free(r->packs);
    keys_free(r->keys);
    store_free(r->store);
    free(r->unknown[REPO_WRITE]);
    free(r->unknown[REPO_DELETE]);
    free(r);
}

Store *repo_store(Repo *r)
{
    return r->store;
}

const char *repo_id(const Repo *r)
{
    return r->id;
}

const char *repo_where(const Repo *r)
{
    return store_where(r->store);
}

const Keyring *repo_keys(const Repo *r)
{
    return r->keys ? keys_ring(r->keys) : NULL;
}

const Keys *repo_held(const Repo *r)
{
    return r->keys;
}

PackReader *repo_packs(Repo *r)
{
    return r->packs;
}

static Error *unsupported(const char *where, const char *what)
{
    return error_hint(ERROR_NEW(ERR_REPO_UNSUPPORTED,
                                "the repository %s needs %s, which this pgstow (%s) "
                                "does not know",
                                where, what, PGSTOW_VERSION),
                      "use a newer pgstow");
}

Error *repo_may(const Repo *r, RepoUse use)
{
    if (!r->unknown[use])
        return NULL;
    AUTO(char)
    what = mem_printf("the feature \"%s\" to %s", r->unknown[use],
                      use == REPO_WRITE ? "write into it" : "delete from it");
    return unsupported(repo_where(r), what);
}

/* -- the config ------------------------------------------------------------------------------ */

static void add_features(Doc *features, const char *use, bool encrypt)
{
    Doc *list = doc_array();
    if (encrypt)
        doc_push_str(list, FEATURE_ENCRYPTION);
    doc_set(features, use, list);
}

static Doc *new_config(bool encrypt)
{
    uint8_t id[ID_BYTES];
    char text[2 * ID_BYTES + 1], time[CLOCK_TEXT];
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, text);
    Doc *d = doc_object(), *chunk = doc_object(), *features = doc_object();
    doc_set_int(d, "format", FORMAT_VERSION);
    doc_set_str(d, "id", text);
    doc_set_str(d, "hash", "sha256");
    doc_set_int(chunk, "min", CHUNK_MIN);
    doc_set_int(chunk, "mean", 1 << CHUNK_MEAN_BITS);
    doc_set_int(chunk, "max", CHUNK_MAX);
    doc_set(d, "chunk", chunk);
    add_features(features, "read", encrypt);
    add_features(features, "write", encrypt);
    add_features(features, "delete", encrypt);
    doc_set(d, "features", features);
    doc_set_str(d, "created", clock_iso(clock_now(), time));
    return d;
}

/* The first feature that is needed for this and unknown here; encryption is all that is known. */
static const char *unknown_feature(const Doc *config, const char *use)
{
    const Doc *list = doc_get(doc_get(config, "features"), use);
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *name = doc_text(doc_at(list, i));
        if (!name)
            return "(without a name)";
        if (strcmp(name, FEATURE_ENCRYPTION) != 0)
            return name;
    }
    return NULL;
}

static Error *get_config(Store *s, Doc **out)
{
    Error *e = note_get_legible(s, CONFIG, out);
    if (e && (error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_LIMIT))
        e = error_hint(
            error_rekind(error_context(e, "the repository %s", store_where(s)), ERR_DAMAGED),
            "put the file \"config\" back from a copy of this repository; the backups themselves "
            "are not touched by this");
    return e;
}

static Error *check_config(Repo *r, const Doc *config)
{
    const char *where = repo_where(r), *id = doc_str(config, "id", "");
    uint8_t bytes[ID_BYTES];
    int64_t format = doc_int(config, "format", 0);
    if (format != FORMAT_VERSION) {
        AUTO(char) what = mem_printf("format %lld", (long long)format);
        return unsupported(where, what);
    }
    if (strcmp(doc_str(config, "hash", ""), "sha256") != 0)
        return unsupported(where, "another hash than SHA-256");
    const char *feature = unknown_feature(config, "read");
    if (feature) {
        AUTO(char) what = mem_printf("the feature \"%s\"", feature);
        return unsupported(where, what);
    }
    if (!text_unhex(id, bytes, sizeof bytes))
        FAIL(ERR_DAMAGED, "the config of the repository %s has no id", where);
    text_hex(bytes, sizeof bytes, r->id);
    r->unknown[REPO_WRITE] = mem_strdup(unknown_feature(config, "write"));
    r->unknown[REPO_DELETE] = mem_strdup(unknown_feature(config, "delete"));
    return NULL;
}

Error *repo_check_config(Repo *r)
{
    AUTO(Doc) config = NULL;
    Error *e = get_config(r->store, &config);
    if (e && error_kind(e) == ERR_NOT_FOUND)
        return error_rekind(e, ERR_DAMAGED);
    TRY(e);
    if (strcmp(doc_str(config, "id", ""), r->id) != 0)
        FAIL(ERR_DAMAGED, "config is now that of another repository");
    return r->keys ? keys_check_config(r->keys, config) : NULL;
}

/* -- opening --------------------------------------------------------------------------------- */

static Error *found_one(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    *(bool *)ctx = true;
    return ERROR_NEW(ERR_CANCELLED, "one is enough");
}

static Error *has_objects(Store *s, const char *folder, bool *found)
{
    Error *e = store_list(s, folder, found_one, found);
    if (e && *found) {
        error_drop(e);
        return NULL;
    }
    return e;
}

static Error *lost_config(Store *s, Doc **out)
{
    Error *e = get_config(s, out);
    if (e && error_kind(e) == ERR_NOT_FOUND)
        e = error_hint(
            error_rekind(error_context(e, "the repository %s has lost its config", store_where(s)),
                         ERR_DAMAGED),
            "put the file \"config\" back from a copy of this repository");
    return e;
}

static Error *get_key(const char *where, const RepoOptions *options, KeyUse use, Key *out)
{
    if (options->keys)
        return options->keys->get(options->keys->ctx, use, where, out);
    FAIL(ERR_KEY, "the repository %s is encrypted, and there is no key at hand", where);
}

/* The key of an encrypted one. */
static Error *prepare_new(const char *where, const RepoOptions *options, Key *key)
{
    if (options->key_given && !options->encrypt)
        return error_hint(
            ERROR_NEW(ERR_CONFIG,
                      "a key is given, but the repository %s that is to be made would "
                      "not be encrypted",
                      where),
            "say --encrypt (BACKUP_ENCRYPTION=true), or take the key away");
    return options->encrypt ? get_key(where, options, KEY_TO_MAKE, key) : NULL;
}

Error *repo_check_new(const char *where, const RepoOptions *options)
{
    AUTO_VALUE(Key) key = {0};
    return prepare_new(where, options, &key);
}

/* Puts the config. Where another creator was faster, that one's stands. */
static Error *put_config(Repo *r, const Doc *config)
{
    AUTO(Doc) stands = NULL;
    Error *e = note_put_legible(r->store, CONFIG, config);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e ? error_context(e, "making the repository %s", repo_where(r)) : NULL;
    error_drop(e);
    TRY(get_config(r->store, &stands));
    if (r->keys && strcmp(doc_str(stands, "id", ""), doc_str(config, "id", "")) != 0) {
        keys_discard(r->store, r->keys);
        keys_free(STEAL(r->keys));
    }
    return NULL;
}

/* No config: a new repository, none at all, or one that has lost its config. That one must not get
 * a new identity, so its objects are looked for; but another creator may just have been faster. An
 * encrypted one of which nothing but keys is there was never finished. */
static Error *create_config(Repo *r, const RepoOptions *options, Key *key, Doc **out)
{
    Store *s = r->store;
    bool lost = false;
    TRY(has_objects(s, "backups/", &lost));
    if (!lost)
        TRY(has_objects(s, "packs/", &lost));
    if (!lost && !options->encrypt)
        TRY(has_objects(s, KEYS_FOLDER, &lost));
    if (lost)
        return lost_config(s, out);
    if (!options->create)
        return error_hint(
            ERROR_NEW(ERR_REPO_NOT_FOUND, "there is no repository in %s", store_where(s)),
            "name it with --repo; \"pgstow backup\" makes one on first use");
    TRY(prepare_new(store_where(s), options, key));
    AUTO(Doc) config = new_config(options->encrypt);
    if (options->encrypt)
        TRY(keys_create(s, config, key, &r->keys));
    TRY(put_config(r, config));
    return get_config(s, out);
}

/* -- encrypted or not ------------------------------------------------------------------------ */

static Error *check_plain(Repo *r, const RepoOptions *options)
{
    bool keys = false;
    TRY(has_objects(r->store, KEYS_FOLDER, &keys));
    if (keys)
        return error_hint(
            ERROR_NEW(ERR_DAMAGED,
                      "the config of the repository %s says that it is not encrypted, "
                      "but it has keys",
                      repo_where(r)),
            "put the file \"config\" back from a copy of this repository");
    if (options->encrypt)
        return error_hint(ERROR_NEW(ERR_CONFIG,
                                    "encryption is asked for, but the repository %s is there "
                                    "already and is not encrypted",
                                    repo_where(r)),
                          "pgstow copy --all --to NEW copies it into an encrypted one");
    if (!options->key_given)
        return NULL;
    /* Whoever gives a key expects it sealed: somebody may have put a plain one in its place. */
    if (options->create || options->writes)
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "a key is given, but the repository %s is not encrypted",
                      repo_where(r)),
            "take the key away if it is meant to be so; if it was encrypted, somebody "
            "has changed it");
    log_warning("a key is given, but the repository %s is not encrypted: whoever can write to it "
                "can have changed what it holds",
                repo_where(r));
    return NULL;
}

static Error *unlock(Repo *r, const Doc *config, const RepoOptions *options, Key *key)
{
    if (!keys_needed(config))
        return check_plain(r, options);
    if (r->keys)
        return NULL;
    if (!key->secret)
        TRY(get_key(repo_where(r), options, KEY_TO_OPEN, key));
    Error *e = keys_open(r->store, config, key, &r->keys);
    if (e && error_kind(e) == ERR_DAMAGED && !error_hint_text(e))
        e = error_hint(error_context(e, "the keys of the repository %s", repo_where(r)),
                       "put the folder \"keys\" back from a copy of this repository");
    return e;
}

Error *repo_open(Store *store, const RepoOptions *options, Repo **out)
{
    AUTO(Repo) r = mem_new(Repo);
    AUTO(Doc) config = NULL;
    AUTO_VALUE(Key) key = {0};
    r->store = store;
    Error *e = get_config(store, &config);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        e = create_config(r, options, &key, &config);
    }
    TRY(e);
    TRY(check_config(r, config));
    TRY(unlock(r, config, options, &key));
    r->packs = pack_reader_new(store, repo_keys(r));
    *out = STEAL(r);
    return NULL;
}
