#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/repo_internal.h"
#include "repo/writer_parts.h"

static Error *check_complete(const Writer *w)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        const StreamState *s = w->streams[i];
        if (!s->complete) {
            AUTO(char) label = stream_label(&s->s);
            FAIL(ERR_INTERNAL, "%s is not complete: %zu of %u pieces were written", label,
                 s->content_cut ? s->s.piece_count : s->done_count, s->pieces);
        }
    }
    return NULL;
}

/* -- the manifest ----------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const PackInfo *)a)->id, ((const PackInfo *)b)->id);
}

static const PackInfo *find_pack(const Writer *w, PackId id)
{
    PackInfo wanted = {.id = id};
    const PackInfo *own =
        w->own_count ? bsearch(&wanted, w->own, w->own_count, sizeof *w->own, by_id) : NULL;
    return own ? own : dedup_find_pack(w->dedup, id);
}

/* A pack's bytes in proportion to what is used of it. */
static uint64_t share(const PackInfo *p)
{
    return p->raw ? (uint64_t)((double)p->size * ((double)p->used / (double)p->raw)) : p->size;
}

/* The packs used, sorted as the uses are. */
static Error *list_packs(Writer *w, Manifest *m)
{
    mem_sort(w->own, w->own_count, sizeof *w->own, by_id);
    for (size_t i = 0; i < w->uses.count; i++) {
        const PackUse *use = &w->uses.items[i];
        const PackInfo *info = find_pack(w, use->pack);
        char name[NAME_TEXT];
        if (!info)
            FAIL(ERR_INTERNAL, "%s is used, but was never finished", name_pack(use->pack, name));
        mem_grow(m->packs, m->pack_count, m->pack_cap);
        PackInfo *p = &m->packs[m->pack_count++];
        *p = *info;
        /* A chunk may be referred to more than once. */
        p->used = use->bytes < p->raw ? use->bytes : p->raw;
        m->info.size += share(p);
    }
    for (size_t i = 0; i < w->own_count; i++)
        m->info.new_bytes += w->own[i].size;
    return NULL;
}

/* Moves the streams over. */
static void list_streams(Writer *w, Manifest *m)
{
    for (size_t i = 0; i < w->stream_count; i++) {
        Stream *s = manifest_add_stream(m);
        *s = w->streams[i]->s;
        w->streams[i]->s = (Stream){0};
        for (size_t k = 0; k < s->piece_count; k++) {
            s->rows += s->pieces[k].rows;
            s->bytes += s->pieces[k].bytes;
        }
        piece_digest_all(s->pieces, s->piece_count, s->digest);
        m->info.logical_size += s->bytes;
        if (s->kind == STREAM_TABLE)
            m->info.rows += s->rows;
    }
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

static void fill_facts(Writer *w, const BackupInfo *facts, BackupInfo *i)
{
    char key[CLOCK_TEXT];
    backup_info_copy(i, facts);
    set_text(&i->id, w->session.backup_id);
    set_text(&i->key, clock_key(w->timestamp, key));
    set_text(&i->database, w->session.database);
    set_text(&i->server, w->session.server);
    set_text(&i->system_identifier, w->system_identifier);
    if (!w->copy_id)
        set_text(&i->pgstow_version, PGSTOW_VERSION);
    set_text(&i->filter, w->filter);
    set_text(&i->parent, w->parent_id);
    set_text(&i->predecessor_hash, w->predecessor_hash);
    i->database_oid = w->session.database_oid;
    i->sequence = w->sequence;
    i->timestamp = w->timestamp;
    i->rewritten = atomic_load(&w->rewritten);
    /* A copy is as old as the backup, and compressed as that. */
    if (!w->copy_id) {
        i->finished = clock_now();
        i->compressed = w->level != 0;
    }
    i->encrypted = repo_keys(w->repo) != NULL;
    i->logical_size = i->size = i->new_bytes = i->rows = 0;
}

/* The manifest counts itself: its length is that of a first encoding, in which the sums are still
 * without it, so it may be off by the few bytes that their digits differ in. */
static Error *encode(Writer *w, Manifest *m, Buf *out)
{
    TRY(manifest_encode(m, repo_id(w->repo), repo_keys(w->repo), out));
    m->info.size += out->len;
    m->info.new_bytes += out->len;
    out->len = 0;
    return manifest_encode(m, repo_id(w->repo), repo_keys(w->repo), out);
}

static Error *build_manifest(Writer *w, const BackupInfo *facts, Manifest **out, Buf *bytes)
{
    AUTO(Manifest) m = manifest_new();
    fill_facts(w, facts, &m->info);
    TRY(list_packs(w, m));
    list_streams(w, m);
    TRY(encode(w, m, bytes));
    AUTO(Hash) hash = hash_new();
    uint8_t sha256[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    hash_once(hash, bytes->data, bytes->len, sha256);
    text_hex(sha256, HASH_BYTES, hex);
    set_text(&m->info.checksum, hex);
    m->info.manifest_size = bytes->len;
    *out = STEAL(m);
    return NULL;
}

/* -- the commit ------------------------------------------------------------------------------- */

/* Something stands at our manifest's name. A put that was carried out although its answer was lost
 * left our own bytes there; a tombstone says that we were given up. */
static Error *explain_existing(const Writer *w, const Buf *ours)
{
    AUTO_VALUE(Buf) there = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    size_t more;
    TRY(store_get_all(repo_store(w->repo), name_manifest(w->session.backup_id, name), SIZE_MAX / 2,
                      &there));
    if (there.len == ours->len && memcmp(there.data, ours->data, ours->len) == 0)
        return NULL;
    Error *e = manifest_decode_info(repo_keys(w->repo), there.data, there.len, w->session.backup_id,
                                    &info, &more);
    if (e && error_kind(e) == ERR_FENCED) {
        error_drop(e);
        return error_hint(ERROR_NEW(ERR_FENCED,
                                    "%s was declared dead by another run while it was being made; "
                                    "nothing was committed",
                                    w->session.backup_id),
                          "make the backup again: it continues from what is stored");
    }
    error_drop(e);
    FAIL(ERR_EXISTS, "%s is there already, made by somebody else; nothing was committed", name);
}

static Error *put_manifest(const Writer *w, const Buf *bytes)
{
    char name[NAME_TEXT];
    Error *e = store_put(repo_store(w->repo), name_manifest(w->session.backup_id, name),
                         bytes->data, bytes->len);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    error_drop(e);
    return explain_existing(w, bytes);
}

/* The backup stands; what fails from here on can only be told. */
static void tell(Error *e, const char *what, const char *id)
{
    if (e)
        log_warning("%s is complete, but %s: %s", id, what, error_message(e));
    error_drop(e);
}

static void end_sessions(Writer *w, bool own)
{
    if (own)
        tell(session_end(w->repo, w->session.id), "its session could not be ended",
             w->session.backup_id);
    for (size_t i = 0; i < w->dead_count; i++)
        tell(session_end(w->repo, w->dead[i].id),
             "the session that it continued could not be ended", w->session.backup_id);
}

Error *writer_commit(Writer *w, const BackupInfo *facts, BackupInfo *out)
{
    AUTO(Manifest) m = NULL;
    AUTO_VALUE(Buf) bytes = {0};
    TRY(check_complete(w));
    FAULT_POINT("writer.commit.packs");
    TRY(packer_finish(w->data));
    FAULT_POINT("writer.commit.barrier");
    TRY(store_barrier(repo_store(w->repo)));
    FAULT_POINT("writer.commit.recipes");
    TRY(packer_finish(w->recipes));
    TRY(store_barrier(repo_store(w->repo)));
    if (w->copy_id)
        TRY(writer_take_name(w));
    TRY(build_manifest(w, facts, &m, &bytes));
    TRY(cancel_check(job_cancel(w->job)));
    FAULT_POINT("writer.commit.manifest");
    w->committing = true;
    TRY(put_manifest(w, &bytes));
    w->committed = true;
    FAULT_POINT("writer.commit.committed");
    Error *e = catalog_put_metadata(w->repo, &m->info);
    /* While the session is there its absence is no damage, and the next backup makes it good. */
    bool described = !e;
    tell(e, "its metadata.json could not be written", w->session.backup_id);
    FAULT_POINT("writer.commit.metadata");
    end_sessions(w, described);
    store_keep_reserve(repo_store(w->repo));
    FAULT_POINT("writer.commit.end");
    backup_info_copy(out, &m->info);
    return NULL;
}
