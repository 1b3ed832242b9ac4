/* The last state that backup and target had in common: the backup that was merged last. */
#include <string.h>

#include "base/log.h"
#include "op/merge_work.h"
#include "repo/merge_note.h"

static Error *ask_system(MergeWork *w)
{
    TRY(conn_value(w->conn,
                   "SELECT oid FROM pg_catalog.pg_database WHERE datname = "
                   "pg_catalog.current_database()",
                   0, NULL, &w->database_oid));
    /* Not everybody may ask for it. */
    Error *e = conn_value(w->conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()",
                          0, NULL, &w->system);
    if (e && conn_broken(w->conn))
        return e;
    error_free(e);
    return NULL;
}

/* *out NULL: it is not there any more. */
static Error *open_base(MergeWork *w, const char *id, const BackupRead **out)
{
    *out = NULL;
    if (!strcmp(id, w->backup.id)) {
        *out = &w->backup;
        return NULL;
    }
    for (size_t i = 0; i < w->base_count; i++)
        if (!strcmp(w->bases[i]->id, id)) {
            *out = w->bases[i];
            return NULL;
        }
    AUTO(Repo) repo = NULL;
    AUTO_VALUE(BackupRead) b = {0};
    TRY(op_open_repo(w->c, false, &repo));
    Error *e = backup_read_open_id(w->c, STEAL(repo), id, "merge", &b);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_free(e);
        return NULL;
    }
    TRY_CTX(e, "the base %s", id);
    e = backup_read_relations(&b);
    if (e && error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_free(e);
    mem_grow(w->bases, w->base_count, w->base_cap);
    BackupRead *kept = mem_new(BackupRead);
    *kept = b;
    b = (BackupRead){0};
    w->bases[w->base_count++] = kept;
    *out = kept;
    return NULL;
}

static bool same_lineage(const BackupInfo *a, const BackupInfo *b)
{
    return !strcmp(a->database, b->database) && !strcmp(a->system_identifier, b->system_identifier);
}

/* The base of one table by the notes; NULL: there is none. */
static Error *noted_base(MergeWork *w, const MergeNotes *notes, const MergeTable *t,
                         const BackupRead **out)
{
    *out = NULL;
    for (size_t i = 0; i < notes->count; i++) {
        const MergeNote *n = &notes->items[i];
        if (!n->all && !strlist_has(&n->tables, t->name))
            continue;
        const BackupRead *b;
        TRY(open_base(w, n->backup, &b));
        if (!b) {
            AUTO(char)
            text = mem_printf("backup %s, which was merged last, is not there any more: what the "
                              "target changed since cannot be told",
                              n->backup);
            if (!strlist_has(&w->warnings, text))
                strlist_own(&w->warnings, STEAL(text));
            return NULL;
        }
        if (same_lineage(&b->manifest->info, &w->backup.manifest->info)) {
            *out = b;
            return NULL;
        }
    }
    return NULL;
}

static bool same_stream(const MergeWork *w, const MergeTable *t, const MergeSource *base)
{
    for (size_t i = 0; i < w->sources.count; i++) {
        const MergeSource *s = &w->sources.items[i];
        if (s->base || s->table != t->number || strcmp(s->stream->name, base->stream->name) ||
            strcmp(s->stream->schema, base->stream->schema))
            continue;
        if (s->columns.count != base->columns.count)
            return false;
        for (size_t k = 0; k < s->columns.count; k++)
            if (strcmp(s->columns.items[k], base->columns.items[k]))
                return false;
        return !memcmp(s->stream->digest, base->stream->digest, sizeof base->stream->digest);
    }
    return false;
}

static bool has_key(const MergeTable *t, const StrList *columns)
{
    for (size_t i = 0; i < t->key->columns.count; i++)
        if (!strlist_has(columns, t->key->columns.items[i]))
            return false;
    return true;
}

/* Only what differs is merged, if it can be had. */
static void try_delta(MergeWork *w, MergeTable *t)
{
    const char *why = t->base == MERGE_BASE_SAME   ? NULL
                      : t->base == MERGE_BASE_NONE ? "the base has not its rows"
                                                   : merge_delta_unfit(w, t);
    if (why) {
        t->full_for = mem_strdup(why);
        return;
    }
    t->delta = true;
    t->idle = t->base == MERGE_BASE_SAME;
    w->delta_used = true;
}

/* The base's streams of one table: known to be the same, or to be staged. */
static Error *use_base(MergeWork *w, MergeTable *t, const BackupRead *b, bool delta)
{
    const Manifest *m = b->manifest;
    size_t first = w->sources.count, sources = 0;
    bool same = true;
    for (size_t i = 0; i < first; i++)
        sources += !w->sources.items[i].base && w->sources.items[i].table == t->number;
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *stream = &m->streams[i];
        if (stream->kind != STREAM_TABLE || merge_find_target(w, b, stream) != t->target)
            continue;
        MergeSource *s = merge_sources_add(&w->sources);
        *s = (MergeSource){.backup = b, .stream = stream, .table = t->number, .base = true};
        TRY(backup_read_columns(b, stream, &s->columns));
        same = same && same_stream(w, t, s);
    }
    size_t count = w->sources.count - first;
    const StrList *columns = count ? &w->sources.items[first].columns : NULL;
    bool usable = count && t->key && has_key(t, columns);
    for (size_t i = first; i < w->sources.count; i++)
        usable = usable && w->sources.items[i].columns.count == columns->count;
    t->base = !usable                    ? MERGE_BASE_NONE
              : same && count == sources ? MERGE_BASE_SAME
                                         : MERGE_BASE_STAGED;
    /* Rows without a key have no base; but what is the same need not be looked at. */
    if (delta && !t->key && same && count == sources)
        t->delta = t->idle = w->delta_used = true;
    else if (delta && !t->key)
        t->full_for = mem_strdup("it has no key");
    else if (delta)
        try_delta(w, t);
    if (t->base == MERGE_BASE_STAGED && !t->delta && !merge_delta_unfit(w, t))
        t->base = MERGE_BASE_CHANGES; /* the others are the source's */
    if (t->base != MERGE_BASE_SAME && t->base != MERGE_BASE_NONE) {
        strlist_copy(&t->base_columns, columns);
    } else {
        for (size_t i = first; i < w->sources.count; i++)
            strlist_free(&w->sources.items[i].columns);
        w->sources.count = first;
    }
    if (usable)
        w->table_bases[t->number] = b->id;
    return NULL;
}

/* The backup that the target names as merged last; *out NULL: it names none that is there. */
static Error *kept_base(MergeWork *w, const BackupRead **out)
{
    *out = NULL;
    if (!w->kept_found) {
        w->full_for = mem_strdup("the target names no backup that was merged last");
        return NULL;
    }
    const BackupRead *b;
    TRY(open_base(w, w->kept.backup, &b));
    if (!b)
        w->full_for = mem_printf("backup %s, which was merged last, is not in the repository",
                                 w->kept.backup);
    else if (!merge_is_kept(w, b->manifest))
        w->full_for = mem_printf("backup %s of the repository is not the one that was merged last",
                                 w->kept.backup);
    else
        *out = b;
    return NULL;
}

static Error *named_base(MergeWork *w, const BackupRead **out)
{
    AUTO(char) id = NULL;
    TRY(catalog_resolve(w->backup.repo, w->o->base, w->backup.manifest->info.database, &id));
    TRY(open_base(w, id, out));
    if (!*out)
        FAIL(ERR_NOT_FOUND, "the base %s is not there", id);
    return NULL;
}

/* Which base a table has: the one that is named, or the target itself names, or the notes. */
static Error *find_base(MergeWork *w, MergeTable *t, const BackupRead *named,
                        const BackupRead *kept, const MergeNotes *notes)
{
    bool covered = kept && (!w->kept.tables.count || strlist_has(&w->kept.tables, t->name));
    const BackupRead *b = named ? named : covered ? kept : NULL;
    bool delta = w->o->delta && b && !w->full_for;
    if (w->o->delta && !delta && !w->full_for)
        t->full_for = mem_strdup("the last merge left it out");
    if (!b && t->key)
        TRY(noted_base(w, notes, t, &b));
    return b && (t->key || delta) ? use_base(w, t, b, delta) : NULL;
}

Error *merge_find_bases(MergeWork *w)
{
    AUTO_VALUE(MergeNotes) notes = {0};
    const BackupRead *named = NULL, *kept = NULL;
    w->table_bases = mem_calloc(w->tables.count + 1, sizeof *w->table_bases);
    TRY(ask_system(w));
    if (w->o->base && !strcmp(w->o->base, "none"))
        return NULL;
    if (w->o->base) {
        TRY(named_base(w, &named));
    } else {
        TRY(kept_base(w, &kept));
        if (kept && merge_kept_unfit(w))
            w->full_for = mem_strdup(merge_kept_unfit(w));
    }
    if (!named && w->system) {
        TRY(merge_notes_read(w->backup.repo, w->system, w->database_oid, &notes));
    } else if (!named && !kept) {
        strlist_add(&w->warnings,
                    "the server does not tell its identifier to this user, so the backup that was "
                    "merged last is not known: name it by --base");
    }
    for (size_t i = 0; i < w->tables.count; i++)
        TRY(find_base(w, &w->tables.items[i], named, kept, &notes));
    return NULL;
}

Error *merge_remember(MergeWork *w)
{
    AUTO_VALUE(StrList) tables = {0};
    if (!w->system)
        return NULL;
    bool all = !w->selected && !w->left_out.count;
    for (size_t i = 0; !all && i < w->tables.count; i++)
        strlist_add(&tables, w->tables.items[i].name);
    const MergeNote note = {
        .backup = w->backup.id, .time = clock_now(), .all = all, .tables = tables};
    return merge_note_put(w->backup.repo, w->system, w->database_oid, conn_dbname(w->conn), &note);
}
