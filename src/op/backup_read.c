#include "op/backup_read.h"

#include <string.h>

#include "pg/encoding.h"
#include "pg/source.h"
#include "pg/sql_words.h"
#include "pg/toc_stray.h"
#include "repo/reader_ahead.h"

#define TOC_MAX ((size_t)1 << 30)       /* as toc_parse allows */
#define RELATIONS_MAX ((size_t)1 << 30) /* a million tables of a thousand bytes */
#define GLOBALS_MAX ((size_t)64 << 20)

void backup_read_clear(BackupRead *b)
{
    relation_list_clear(&b->relations);
    if (b->toc)
        toc_free(b->toc);
    if (b->manifest)
        manifest_free(b->manifest);
    if (b->session)
        read_session_close(b->session);
    if (b->repo)
        repo_free(b->repo);
    free(b->id);
    free(b->encoding);
    *b = (BackupRead){0};
}

Error *backup_read_open_id(const OpContext *c, Repo *repo, const char *id, const char *what,
                           BackupRead *out)
{
    AUTO_VALUE(BackupRead) b = {.c = c, .repo = repo, .id = mem_strdup(id)};
    AUTO_VALUE(Buf) bytes = {0};
    /* First the session, then the manifest: what it names then stays. */
    TRY(read_session_open(b.repo, b.id, what, &b.session));
    TRY(catalog_load(b.repo, b.id, &b.manifest));
    const Stream *toc = manifest_find_stream(b.manifest, STREAM_TOC, 0);
    if (!toc)
        FAIL(ERR_DAMAGED, "backup %s has no table of contents", b.id);
    TRY(stream_read_all(b.repo, b.manifest, toc, TOC_MAX, &bytes));
    TRY_CTX(toc_parse(bytes.data, bytes.len, &b.toc), "backup %s", b.id);
    toc_drop_stray(b.toc);
    b.encoding = toc_encoding(b.toc);
    b.fetched = b.manifest->info.manifest_size + bytes.len;
    *out = b;
    b = (BackupRead){0};
    return NULL;
}

Error *backup_read_open(const OpContext *c, const char *name, const char *what, BackupRead *out)
{
    AUTO(char) database = op_database_name(c);
    AUTO(Repo) repo = NULL;
    AUTO(char) id = NULL;
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_resolve(repo, name, database, &id));
    return backup_read_open_id(c, STEAL(repo), id, what, out);
}

Error *backup_read_relations(BackupRead *b)
{
    if (b->relations_read)
        return NULL;
    AUTO_VALUE(Buf) bytes = {0};
    const Stream *s = manifest_find_stream(b->manifest, STREAM_RELATIONS, 0);
    if (!s)
        return error_hint(
            ERROR_NEW(ERR_NOT_FOUND,
                      "backup %s does not record the columns and keys of its tables: it was made "
                      "by pgstow 0.1, or imported without a server",
                      b->id),
            "restore it into a database, and back that up");
    TRY(stream_read_all(b->repo, b->manifest, s, RELATIONS_MAX, &bytes));
    TRY_CTX(relation_list_decode(bytes.data, bytes.len, &b->relations), "backup %s", b->id);
    b->relations_read = true;
    return NULL;
}

Error *backup_read_globals(const BackupRead *b, Globals *out)
{
    AUTO_VALUE(Buf) bytes = {0};
    const Stream *s = manifest_find_stream(b->manifest, STREAM_GLOBALS, 0);
    if (!s)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "backup %s has no roles and tablespaces", b->id),
                          "backups made with backup --globals have them");
    TRY(stream_read_all(b->repo, b->manifest, s, GLOBALS_MAX, &bytes));
    TRY_CTX(globals_decode(bytes.data, bytes.len, out), "backup %s", b->id);
    return NULL;
}

const Stream *backup_read_table(const BackupRead *b, const char *schema, const char *name)
{
    for (size_t i = 0; i < b->manifest->stream_count; i++) {
        const Stream *s = &b->manifest->streams[i];
        if (s->kind == STREAM_TABLE && !strcmp(s->name, name) && !strcmp(s->schema, schema))
            return s;
    }
    return NULL;
}

Error *backup_read_columns(const BackupRead *b, const Stream *s, StrList *out)
{
    const TocEntry *e = toc_find(b->toc, (int)s->dump_id);
    if (!e || !e->copy_stmt)
        FAIL(ERR_DAMAGED, "backup %s: the rows of %s.%s have no place in its archive", b->id,
             s->schema, s->name);
    AUTO(Encoding) encoding = NULL;
    if (b->encoding && strcmp(b->encoding, "UTF8") && strcmp(b->encoding, "SQL_ASCII"))
        TRY(encoding_open(b->encoding, &encoding));
    AUTO(char) columns = source_columns(e->copy_stmt);
    const char *at = columns;
    for (SqlWord w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at)) {
        if (w.kind != SQL_WORD && w.kind != SQL_QUOTED)
            continue;
        AUTO(char) name = sql_word_text(&w);
        AUTO_VALUE(Buf) utf8 = {0};
        if (encoding) {
            TRY(encoding_to_utf8(encoding, name, strlen(name), &utf8));
            strlist_own(out, buf_steal_str(&utf8));
        } else {
            strlist_own(out, STEAL(name));
        }
    }
    return NULL;
}

Error *backup_read_stream(const BackupRead *b, const Stream *s, Cancel *cancel, StreamTake take,
                          void *to, uint64_t *fetched)
{
    AUTO(ReaderAhead) r = NULL;
    TRY(reader_ahead_open(b->repo, b->manifest, s, cancel, &r));
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(cancel_check(cancel));
        TRY(reader_ahead_next(r, &p, &n));
        if (!n)
            break;
        TRY(take(to, p, n));
        job_add_bytes(b->c->job, n);
    }
    if (fetched)
        *fetched += reader_ahead_fetched(r);
    return NULL;
}
