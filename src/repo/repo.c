#include "repo/repo.h"

#include <string.h>

#include "repo/repo_internal.h"

#define CONFIG "config"
#define ID_BYTES 16

struct Repo {
    Store *store;
    PackReader *packs;
    char id[2 * ID_BYTES + 1];
    /* The first feature that this program does not know of those needed to write, to delete. */
    char *unknown[2];
};

void repo_free(Repo *r)
{
    if (!r)
        return;
    pack_reader_free(r->packs);
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

static Doc *new_config(void)
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
    doc_set(features, "read", doc_array());
    doc_set(features, "write", doc_array());
    doc_set(features, "delete", doc_array());
    doc_set(d, "features", features);
    doc_set_str(d, "created", clock_iso(clock_now(), time));
    return d;
}

/* This format has no features yet: any that is named is unknown. */
static const char *unknown_feature(const Doc *config, const char *use)
{
    const Doc *list = doc_get(doc_get(config, "features"), use);
    const char *name = doc_text(doc_at(list, 0));
    return name || !doc_count(list) ? name : "(without a name)";
}

static Error *get_config(Store *s, Doc **out)
{
    Error *e = note_get(s, CONFIG, out);
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
    if (!e && strcmp(doc_str(config, "id", ""), r->id) != 0)
        FAIL(ERR_DAMAGED, "config is now that of another repository");
    return e;
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

/* No config: a new repository, none at all, or one that has lost its config. That one must not get
 * a new identity, so its objects are looked for; but another creator may just have been faster. */
static Error *create_config(Store *s, bool create, Doc **out)
{
    bool lost = false;
    TRY(has_objects(s, "backups/", &lost));
    if (!lost)
        TRY(has_objects(s, "packs/", &lost));
    if (lost) {
        Error *e = get_config(s, out);
        if (e && error_kind(e) == ERR_NOT_FOUND)
            e = error_hint(error_rekind(error_context(e, "the repository %s has lost its config",
                                                      store_where(s)),
                                        ERR_DAMAGED),
                           "put the file \"config\" back from a copy of this repository");
        return e;
    }
    if (!create)
        return error_hint(
            ERROR_NEW(ERR_REPO_NOT_FOUND, "there is no repository in %s", store_where(s)),
            "name it with --repo; \"pgstow backup\" makes one on first use");
    AUTO(Doc) config = new_config();
    Error *e = note_put(s, CONFIG, config);
    if (e && error_kind(e) != ERR_EXISTS)
        return error_context(e, "making the repository %s", store_where(s));
    error_drop(e);
    return get_config(s, out);
}

Error *repo_open(Store *store, bool create, Repo **out)
{
    AUTO(Repo) r = mem_new(Repo);
    AUTO(Doc) config = NULL;
    r->store = store;
    Error *e = get_config(store, &config);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        e = create_config(store, create, &config);
    }
    TRY(e);
    TRY(check_config(r, config));
    r->packs = pack_reader_new(store);
    *out = STEAL(r);
    return NULL;
}
