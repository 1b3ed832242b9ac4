#include "op/sync_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "op/sync_contents.h"
#include "op/sync_spool_file.h"
#include "state/state_session.h"

#define ROOM_LEFT ((uint64_t)8 << 20) /* bytes that stay free on the disk */

SyncSpoolState sync_spool_state(const SyncSpool *s)
{
    return (SyncSpoolState){.attempt = s->last.attempt,
                            .seq = s->last.seq,
                            .tables = s->last.tables,
                            .rows = s->last.rows,
                            .bytes = s->last.bytes,
                            .complete = s->last.complete};
}

/* -- reading ----------------------------------------------------------------------------------- */

Error *sync_spool_read(SyncSpool *s, const SyncSpoolReader *to)
{
    AUTO_VALUE(SyncRecord) r = {0};
    for (uint64_t at = s->base; at < s->end; at = r.next) {
        bool good;
        AUTO(Doc) head = NULL;
        TRY(sync_record_read(s, at, s->end, &r, &good));
        if (!good)
            FAIL(ERR_DAMAGED, "%s is damaged at its byte %llu", s->path, (unsigned long long)at);
        TRY(doc_parse((const char *)r.head, r.head_n, s->path, &head));
        if (to->batch)
            TRY(to->batch(to->ctx, head));
        if (to->text && (r.text_n || r.tail.own_rows))
            TRY(to->text(to->ctx, r.text, r.text_n, r.tail.own_rows));
    }
    return NULL;
}

/* -- taking ------------------------------------------------------------------------------------ */

static void table_digest(const SyncSpool *s, const Doc *table, uint8_t out[HASH_BYTES])
{
    AUTO_VALUE(Buf) text = {0};
    const Doc *columns = doc_get(table, "columns");
    buf_block_str(&text, doc_str(table, "schema", ""));
    buf_block_str(&text, doc_str(table, "name", ""));
    for (size_t i = 0; i < doc_count(columns); i++)
        buf_block_str(&text, doc_text(doc_at(columns, i)));
    hash_once(s->hash, text.data, text.len, out);
}

/* One that is there already: as it came then? */
static Error *again(const SyncSpool *s, uint64_t seq, const uint8_t body[HASH_BYTES])
{
    AUTO_VALUE(SyncRecord) r = {0};
    bool good = true;
    for (uint64_t at = s->base; at < s->end && good; at = r.next) {
        if (seq == s->last.seq)
            at = s->last_at;
        TRY(sync_record_read(s, at, s->end, &r, &good));
        if (!good || r.tail.seq != seq)
            continue;
        if (hash_equal(r.tail.body, body, HASH_BYTES))
            return NULL;
        return error_hint(ERROR_NEW(ERR_USAGE,
                                    "batch %llu of session %s is here already, with other contents",
                                    (unsigned long long)seq, s->session),
                          "whoever reads the rows anew begins with seq 1 of a higher \"attempt\"");
    }
    FAIL(ERR_DAMAGED, "%s is damaged: batch %llu is not in it", s->path, (unsigned long long)seq);
}

/* *next: it is the one that is to be written; otherwise it is there already. */
static Error *place(SyncSpool *s, const SyncBatch *b, const uint8_t body[HASH_BYTES], bool *next)
{
    const SyncTail *l = &s->last;
    *next = false;
    if (strcmp(b->session, s->session))
        FAIL(ERR_USAGE, "the batch is of another session");
    if (b->attempt < l->attempt)
        FAIL(ERR_FENCED, "attempt %llu of session %s is over: attempt %llu has begun",
             (unsigned long long)b->attempt, s->session, (unsigned long long)l->attempt);
    if (b->attempt == l->attempt && b->seq <= l->seq)
        return again(s, b->seq, body);
    uint64_t expected = b->attempt == l->attempt ? l->seq + 1 : 1;
    if (b->seq != expected)
        return error_hint(
            ERROR_NEW(ERR_USAGE, "batch %llu of session %s came, and %llu is the next",
                      (unsigned long long)b->seq, s->session, (unsigned long long)expected),
            "GET /api/sync/receive?sessionId=... says what is here");
    if (b->attempt == l->attempt && l->complete)
        FAIL(ERR_USAGE, "the rows of session %s are complete: nothing can follow", s->session);
    *next = true;
    return NULL;
}

static Error *enough_room(const SyncSpool *s, size_t n)
{
    uint64_t room;
    TRY(file_free_space(s->path, &room));
    if (room >= ROOM_LEFT + 2 * n)
        return NULL;
    return error_hint(ERROR_NEW(ERR_REPO_FULL, "there is no room for more rows in %s", s->path),
                      "free some space, or choose another folder by server.stateDir");
}

/* Against the tables that the batches say, before the last one is taken. */
static Error *check_all(SyncSpool *s, const SyncBatch *b, const Buf *text, uint64_t rows)
{
    AUTO_VALUE(SyncContents) all = {0};
    TRY(sync_spool_read(
        s,
        &(SyncSpoolReader){.batch = sync_contents_batch, .text = sync_contents_text, .ctx = &all}));
    TRY(sync_contents_batch(&all, b->head));
    TRY(sync_contents_text(&all, text->data, text->len, rows));
    return sync_contents_end(&all);
}

/* What there is with it. */
static Error *follow(const SyncSpool *s, const SyncBatch *b, Buf *text, SyncTail *t)
{
    const SyncTail *l = &s->last;
    bool first = b->attempt != l->attempt;
    t->open = first ? SYNC_BATCH_CLOSED : l->open;
    if (b->table)
        table_digest(s, b->table, t->table);
    else if (!first)
        memcpy(t->table, l->table, HASH_BYTES);
    bool same = !first && hash_equal(t->table, l->table, HASH_BYTES);
    if (t->open != SYNC_BATCH_CLOSED && !same)
        FAIL(ERR_USAGE, "the batch before it ends inside a value, which does not go on here");
    TRY(sync_batch_rows(b, &t->open, text, &t->own_rows));
    t->tables = (first ? 0 : l->tables) + (b->table && !same);
    t->rows = (first ? 0 : l->rows) + t->own_rows;
    return NULL;
}

Error *sync_spool_put(SyncSpool *s, const SyncBatch *b, const void *body, size_t n)
{
    AUTO_VALUE(Buf) text = {0};
    SyncTail t = {0};
    bool next;
    hash_once(s->hash, body, n, t.body);
    TRY(place(s, b, t.body, &next));
    if (!next)
        return NULL;
    TRY(follow(s, b, &text, &t));
    TRY(enough_room(s, n));
    t.bytes = (b->seq == 1 ? 0 : s->last.bytes) + n;
    t.attempt = b->attempt;
    t.seq = b->seq;
    t.complete = b->last;
    if (b->seq == 1)
        TRY(sync_file_begin(s));
    if (b->last)
        TRY(check_all(s, b, &text, t.own_rows));
    AUTO(char) head = doc_print(b->head, false);
    uint64_t end = s->end;
    Error *e = sync_file_append(s, head, &text, &t);
    if (e)
        error_drop(sync_file_cut(s, end));
    return e;
}

Error *sync_spool_take(SyncSpool *s, const void *body, size_t n)
{
    AUTO_VALUE(SyncBatch) b = {0};
    TRY(sync_batch_read(body, n, &b));
    return sync_spool_put(s, &b, body, n);
}

/* -- removing ---------------------------------------------------------------------------------- */

Error *sync_spool_remove(const char *state_dir, const char *session)
{
    AUTO(char) path = NULL;
    TRY(sync_file_path(state_dir, session, &path));
    if (unlink(path) == 0 || errno == ENOENT)
        return NULL;
    return error_errno(ERR_IO, ERR_IO, "cannot remove %s", path);
}

/* Only what nobody has open: who opens it meanwhile finds that it has no name any more. */
static Error *sweep_one(const char *path, bool (*wanted)(void *ctx, const char *session), void *ctx)
{
    AUTO(SyncSpool) s = mem_new(SyncSpool);
    AUTO(char) session = NULL;
    bool gone;
    s->hash = hash_new();
    s->session = mem_strdup("");
    s->path = mem_strdup(path);
    s->fd.n = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd.n < 0)
        return errno == ENOENT ? NULL : sync_file_failed(s, "open");
    Error *e = sync_file_lock(s, false, &gone);
    if (e) {
        if (error_kind(e) != ERR_BUSY)
            return e;
        error_free(e);
        return NULL;
    }
    TRY(sync_file_session(s, &session));
    if (gone || (session && wanted(ctx, session)))
        return NULL;
    log_info("removing %s: nobody waits for its rows any more", path);
    return unlink(path) == 0 || errno == ENOENT ? NULL : sync_file_failed(s, "remove");
}

Error *sync_spool_sweep(const char *state_dir, bool (*wanted)(void *ctx, const char *session),
                        void *ctx)
{
    AUTO(char) folder = NULL;
    Error *first = NULL;
    TRY(sync_file_folder(state_dir, &folder));
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? NULL
                               : error_errno(ERR_IO, ERR_IO, "cannot read the folder %s", folder);
    for (struct dirent *e; (e = readdir(d));) {
        if (!text_ends(e->d_name, SYNC_FILE_ENDING))
            continue;
        AUTO(char) path = file_join(folder, e->d_name);
        first = error_first(first, sweep_one(path, wanted, ctx));
    }
    closedir(d);
    return first;
}

/* -- whose sessions have ended ----------------------------------------------------------------- */

/* While nobody can tell it is kept. */
static bool is_live(void *ctx, const char *session)
{
    for (SyncRole role = 0; role < SYNC_ROLES; role++) {
        AUTO(StateSession) row = NULL;
        AUTO(Error) e = state_session_get(ctx, session, role, &row);
        if (e ? error_kind(e) != ERR_NOT_FOUND : (SYNC_LIVE & 1u << row->status) != 0)
            return true;
    }
    return false;
}

Error *sync_spool_sweep_ended(const char *state_dir, State *state)
{
    return sync_spool_sweep(state_dir, is_live, state);
}
