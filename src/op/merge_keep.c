/* The base that a target keeps in itself: the backup that was merged into it last. */
#include <string.h>

#include "crypto/hash.h"
#include "op/merge_work.h"
#include "pg/load.h"

/* Over what the tables of a backup had, whatever the repository: two backups of one id in different
 * repositories need not be the same. */
static char *content_of(const Manifest *m)
{
    AUTO(Hash) h = hash_new();
    uint8_t whole[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (s->kind != STREAM_TABLE)
            continue;
        hash_add(h, s->schema, strlen(s->schema) + 1);
        hash_add(h, s->name, strlen(s->name) + 1);
        hash_add(h, s->digest, sizeof s->digest);
    }
    hash_end(h, whole);
    text_hex(whole, HASH_BYTES, hex);
    return mem_strdup(hex);
}

Error *merge_read_kept(MergeWork *w)
{
    const BackupInfo *i = &w->backup.manifest->info;
    Error *e = sync_base_read(w->conn, i->system_identifier, i->database, &w->kept, &w->kept_found);
    if (!e || conn_broken(w->conn) || w->o->keep_base || error_kind(e) != ERR_DB_PERMISSION)
        return e;
    error_free(e); /* a merge that is nobody's base: merge_keep_base has the last word */
    return NULL;
}

/* Whether a backup is the one that the target names. */
bool merge_is_kept(const MergeWork *w, const Manifest *m)
{
    AUTO(char) content = content_of(m);
    return w->kept_found && !strcmp(w->kept.content, content);
}

static const char *mode_of(MergeMode mode)
{
    static const char *const words[] = {
        [MERGE_UPSERT] = "upsert", [MERGE_MIRROR] = "mirror", [MERGE_INSERT] = "insert"};
    return words[mode];
}

static char *conflict_of(const MergeRules *r)
{
    static const char *const words[] = {[MERGE_CONFLICT_SOURCE] = "source",
                                        [MERGE_CONFLICT_TARGET] = "target",
                                        [MERGE_CONFLICT_NEWEST] = "newest",
                                        [MERGE_CONFLICT_FAIL] = "fail"};
    return r->conflict == MERGE_CONFLICT_NEWEST ? mem_printf("newest:%s", r->newest)
                                                : mem_strdup(words[r->conflict]);
}

const char *merge_kept_unfit(const MergeWork *w)
{
    const MergeRules *r = &w->o->rules;
    AUTO(char) conflict = conflict_of(r);
    const char *mode = w->kept.mode;
    bool mirror = !strcmp(mode, "mirror"), insert = !strcmp(mode, "insert");
    if ((r->mode == MERGE_MIRROR && !mirror) || (r->mode == MERGE_UPSERT && insert))
        return "the last merge did less than this one is to do";
    if (w->kept.kept && strcmp(w->kept.conflict, conflict) != 0)
        return "the last merge left rows as the target had them";
    return NULL;
}

static Error *write_base(Conn *c, const BackupRead *b, SyncBase *base, bool make, bool *done)
{
    const BackupInfo *i = &b->manifest->info;
    base->system = mem_strdup(i->system_identifier);
    base->source = mem_strdup(i->database);
    base->repository = mem_strdup(repo_id(b->repo));
    base->backup = mem_strdup(b->id);
    base->content = content_of(b->manifest);
    return sync_base_write(c, base, make, done);
}

Error *merge_keep_base(MergeWork *w)
{
    AUTO_VALUE(SyncBase)
    base = {.mode = mem_strdup(mode_of(w->o->rules.mode)),
            .conflict = conflict_of(&w->o->rules),
            .session = mem_strdup(w->o->session)};
    bool all = !w->selected && !w->left_out.count;
    for (size_t i = 0; i < w->tables.count; i++) {
        const MergeTable *t = &w->tables.items[i];
        base.kept += (int64_t)(t->counts.kept + t->counts.skipped);
        if (!all)
            strlist_add(&base.tables, t->name);
    }
    if (w->delta_used)
        base.kept += w->kept.kept;
    /* A merge of nothing leaves nothing to start from. */
    if (!all && !base.tables.count)
        return NULL;
    TRY(conn_exec(w->conn, "SAVEPOINT pgstow_base"));
    Error *e = write_base(w->conn, &w->backup, &base, w->o->keep_base, &w->base_kept);
    if (!e || conn_broken(w->conn) || w->o->keep_base || error_kind(e) != ERR_DB_PERMISSION)
        return e;
    strlist_own(&w->warnings,
                mem_printf("the database still names %s as merged last: %s",
                           w->kept_found ? w->kept.backup : "another backup", error_message(e)));
    error_free(e);
    w->base_kept = false;
    return conn_exec(w->conn, "ROLLBACK TO SAVEPOINT pgstow_base");
}

Error *op_merge_keep_base(const OpContext *c, const char *backup, const char *to_db,
                          const char *session)
{
    AUTO_VALUE(BackupRead) b = {0};
    AUTO(Conn) conn = NULL;
    bool done = false;
    AUTO_VALUE(SyncBase)
    base = {.mode = mem_strdup(mode_of(MERGE_MIRROR)),
            .conflict = mem_strdup("source"),
            .session = mem_strdup(session)};
    TRY(backup_read_open(c, backup, "merge", &b));
    TRY(op_connect(c, to_db, &conn));
    TRY(load_session(conn, NULL, NULL));
    TRY(conn_use_utf8(conn));
    TRY(conn_exec(conn, "BEGIN"));
    TRY(write_base(conn, &b, &base, true, &done));
    return conn_exec(conn, "COMMIT");
}
