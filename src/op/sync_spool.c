/* The file: its head (what it is, whose), then records, one a batch: a front with the lengths, the
 * batch without its rows, the rows as COPY has them, and a tail that says what there is so far. The
 * tail stands last, so the end of the file is enough to go on from; its hash covers the record. */
#include "op/sync_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "op/sync_contents.h"
#include "state/state.h"

#define FOLDER "rows"
#define ENDING ".rows"
#define FILE_MAGIC "PGSTOWR1"
#define MAGIC_BYTES 8
#define SESSION_MAX 255
#define FRONT_MAGIC 0x42575253u
#define FRONT_BYTES 12
#define TAIL_BYTES (7 * 8 + 2 * 4 + 3 * HASH_BYTES)
#define ROOM_LEFT ((uint64_t)8 << 20) /* bytes that stay free on the disk */
#define LOCK_WAIT_MS 1000
#define LOCK_LOOK_MS 20

typedef struct Tail {
    uint64_t length;                            /* of the record */
    uint64_t attempt, seq, tables, rows, bytes; /* so far */
    uint64_t own_rows;                          /* of this batch */
    uint32_t open;                              /* column, or SYNC_BATCH_CLOSED */
    uint32_t complete;
    uint8_t table[HASH_BYTES]; /* which one the last rows are of; zeros: none */
    uint8_t body[HASH_BYTES];  /* of the batch as it came */
} Tail;

struct SyncSpool {
    Fd fd;
    char *path, *session;
    uint64_t base, end, last_at; /* of the head; of all; where the last record begins */
    Tail last;                   /* zeros: there is none */
    Hash *hash;
};

void sync_spool_free(SyncSpool *s)
{
    fd_close(&s->fd);
    free(s->path);
    free(s->session);
    hash_free(s->hash);
    free(s);
}

SyncSpoolState sync_spool_state(const SyncSpool *s)
{
    return (SyncSpoolState){.attempt = s->last.attempt,
                            .seq = s->last.seq,
                            .tables = s->last.tables,
                            .rows = s->last.rows,
                            .bytes = s->last.bytes,
                            .complete = s->last.complete};
}

/* -- bytes ------------------------------------------------------------------------------------- */

static Error *failed(const SyncSpool *s, const char *what)
{
    return error_errno(ERR_REPO_FULL, ERR_IO, "cannot %s %s", what, s->path);
}

static Error *read_at(const SyncSpool *s, uint64_t at, void *p, size_t n, size_t *got)
{
    for (*got = 0; *got < n;) {
        ssize_t some = pread(s->fd.n, (uint8_t *)p + *got, n - *got, (off_t)(at + *got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return failed(s, "read");
        if (!some)
            return NULL;
        *got += (size_t)some;
    }
    return NULL;
}

static Error *write_at(const SyncSpool *s, uint64_t at, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t some = pwrite(s->fd.n, (const uint8_t *)p + done, n - done, (off_t)(at + done));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return failed(s, "write");
        done += (size_t)some;
    }
    return NULL;
}

static Error *make_durable(const SyncSpool *s)
{
    return fdatasync(s->fd.n) < 0 ? failed(s, "sync") : NULL;
}

static Error *cut_at(SyncSpool *s, uint64_t end)
{
    if (ftruncate(s->fd.n, (off_t)end) < 0)
        return failed(s, "cut");
    return make_durable(s);
}

static void put_tail(const Tail *t, Buf *out)
{
    buf_u64(out, t->length);
    buf_u64(out, t->attempt);
    buf_u64(out, t->seq);
    buf_u64(out, t->tables);
    buf_u64(out, t->rows);
    buf_u64(out, t->bytes);
    buf_u64(out, t->own_rows);
    buf_u32(out, t->open);
    buf_u32(out, t->complete);
    buf_add(out, t->table, HASH_BYTES);
    buf_add(out, t->body, HASH_BYTES);
}

static Error *get_hash(Reader *r, uint8_t out[HASH_BYTES])
{
    const uint8_t *p;
    TRY(reader_bytes(r, HASH_BYTES, &p));
    memcpy(out, p, HASH_BYTES);
    return NULL;
}

static Error *get_tail(Reader *r, Tail *t)
{
    TRY(reader_u64(r, &t->length));
    TRY(reader_u64(r, &t->attempt));
    TRY(reader_u64(r, &t->seq));
    TRY(reader_u64(r, &t->tables));
    TRY(reader_u64(r, &t->rows));
    TRY(reader_u64(r, &t->bytes));
    TRY(reader_u64(r, &t->own_rows));
    TRY(reader_u32(r, &t->open));
    TRY(reader_u32(r, &t->complete));
    TRY(get_hash(r, t->table));
    return get_hash(r, t->body);
}

/* -- a record ---------------------------------------------------------------------------------- */

typedef struct Record {
    Buf bytes;
    const uint8_t *head, *text;
    size_t head_n, text_n;
    Tail tail;
    uint64_t next; /* where the one behind it begins */
} Record;

static void record_clear(Record *r)
{
    buf_free(&r->bytes);
}
DEFINE_AUTO_VALUE(Record, record_clear)

/* How long the record at a place is; 0 where there is none. */
static Error *record_length(const SyncSpool *s, uint64_t at, uint64_t size, Record *r, uint64_t *n)
{
    uint8_t front[FRONT_BYTES];
    size_t got;
    uint32_t magic, head, text;
    *n = 0;
    TRY(read_at(s, at, front, sizeof front, &got));
    if (got < sizeof front)
        return NULL;
    Reader reader = reader_over(front, sizeof front, s->path);
    TRY(reader_u32(&reader, &magic));
    TRY(reader_u32(&reader, &head));
    TRY(reader_u32(&reader, &text));
    uint64_t all = (uint64_t)FRONT_BYTES + head + text + TAIL_BYTES;
    if (magic != FRONT_MAGIC || head > 2 * SYNC_BATCH_MAX || text > SYNC_BATCH_MAX + 16 ||
        all > size - at)
        return NULL;
    r->head_n = head;
    r->text_n = text;
    *n = all;
    return NULL;
}

/* *good: there is a whole one. */
static Error *record_read(const SyncSpool *s, uint64_t at, uint64_t size, Record *r, bool *good)
{
    uint64_t n;
    size_t got;
    uint8_t hash[HASH_BYTES];
    *good = false;
    TRY(record_length(s, at, size, r, &n));
    if (!n)
        return NULL;
    r->bytes.len = 0;
    TRY(buf_reserve(&r->bytes, n, 4 * SYNC_BATCH_MAX));
    TRY(read_at(s, at, r->bytes.data, n, &got));
    if (got < n)
        return NULL;
    r->bytes.len = n;
    size_t covered = n - HASH_BYTES;
    hash_once(s->hash, r->bytes.data, covered, hash);
    if (!hash_equal(hash, r->bytes.data + covered, HASH_BYTES))
        return NULL;
    r->head = r->bytes.data + FRONT_BYTES;
    r->text = r->head + r->head_n;
    Reader reader = reader_over(r->text + r->text_n, TAIL_BYTES - HASH_BYTES, s->path);
    TRY(get_tail(&reader, &r->tail));
    r->next = at + n;
    *good = true;
    return NULL;
}

static Error *record_write(SyncSpool *s, const char *head, const Buf *text, Tail *t)
{
    AUTO_VALUE(Buf) front = {0};
    AUTO_VALUE(Buf) tail = {0};
    uint8_t hash[HASH_BYTES];
    size_t head_n = strlen(head);
    t->length = (uint64_t)FRONT_BYTES + head_n + text->len + TAIL_BYTES;
    uint64_t at = s->end;
    buf_u32(&front, FRONT_MAGIC);
    buf_u32(&front, (uint32_t)head_n);
    buf_u32(&front, (uint32_t)text->len);
    put_tail(t, &tail);
    hash_add(s->hash, front.data, front.len);
    hash_add(s->hash, head, head_n);
    if (text->len)
        hash_add(s->hash, text->data, text->len);
    hash_add(s->hash, tail.data, tail.len);
    hash_end(s->hash, hash);
    buf_add(&tail, hash, HASH_BYTES);
    TRY(write_at(s, at, front.data, front.len));
    at += front.len;
    TRY(write_at(s, at, head, head_n));
    at += head_n;
    TRY(write_at(s, at, text->data, text->len));
    at += text->len;
    TRY(write_at(s, at, tail.data, tail.len));
    FAULT_POINT("sync.rows.written");
    TRY(make_durable(s));
    s->last_at = s->end;
    s->end = at + tail.len;
    s->last = *t;
    return NULL;
}

/* -- opening ----------------------------------------------------------------------------------- */

static Error *folder_of(const char *state_dir, char **out)
{
    AUTO(char) own = state_dir ? mem_strdup(state_dir) : state_default_folder();
    if (!own)
        return error_hint(ERROR_NEW(ERR_CONFIG, "there is no folder for the state"),
                          "name one by server.stateDir");
    *out = file_join(own, FOLDER);
    return NULL;
}

static Error *path_of(const char *state_dir, const char *session, char **out)
{
    AUTO(char) folder = NULL;
    uint8_t digest[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    AUTO(Hash) h = hash_new();
    hash_once(h, session, strlen(session), digest);
    text_hex(digest, HASH_BYTES / 2, hex);
    TRY(folder_of(state_dir, &folder));
    *out = mem_printf("%s/%s" ENDING, folder, hex);
    return NULL;
}

/* Under the lock of a file that still has its name. *gone: it has none. */
static Error *lock(const SyncSpool *s, bool wait, bool *gone)
{
    struct stat st;
    int64_t until = clock_mono_ms() + LOCK_WAIT_MS;
    while (flock(s->fd.n, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return failed(s, "lock");
        if (!wait || clock_mono_ms() > until)
            return error_hint(ERROR_NEW(ERR_BUSY,
                                        "the rows of session %s are in use by another "
                                        "process or request",
                                        s->session),
                              "try again when it is done");
        clock_sleep_ms(LOCK_LOOK_MS);
    }
    if (fstat(s->fd.n, &st) < 0)
        return failed(s, "look at");
    *gone = st.st_nlink == 0;
    return NULL;
}

static Error *open_locked(SyncSpool *s, bool create)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
    for (bool gone = true; gone;) {
        fd_close(&s->fd);
        s->fd.n = open(s->path, flags, 0600);
        if (s->fd.n < 0 && errno == ENOENT && !create)
            FAIL(ERR_NOT_FOUND, "there are no rows of session %s", s->session);
        if (s->fd.n < 0)
            return failed(s, "open");
        TRY(lock(s, true, &gone));
    }
    return NULL;
}

static void put_file_head(const char *session, Hash *h, Buf *out)
{
    uint8_t hash[HASH_BYTES];
    buf_add(out, FILE_MAGIC, MAGIC_BYTES);
    buf_u32(out, (uint32_t)strlen(session));
    buf_add_str(out, session);
    hash_once(h, out->data, out->len, hash);
    buf_add(out, hash, HASH_BYTES);
}

/* *session stays NULL where the file has no whole head. Caller frees. */
static Error *read_file_head(const SyncSpool *s, char **session)
{
    uint8_t bytes[MAGIC_BYTES + 4 + SESSION_MAX + HASH_BYTES];
    size_t got;
    uint32_t n;
    TRY(read_at(s, 0, bytes, sizeof bytes, &got));
    if (got < MAGIC_BYTES + 4 || memcmp(bytes, FILE_MAGIC, MAGIC_BYTES))
        return NULL;
    Reader r = reader_over(bytes + MAGIC_BYTES, 4, s->path);
    TRY(reader_u32(&r, &n));
    if (n > SESSION_MAX || got < MAGIC_BYTES + 4 + n + HASH_BYTES)
        return NULL;
    AUTO(char) text = mem_strndup((const char *)bytes + MAGIC_BYTES + 4, n);
    AUTO_VALUE(Buf) whole = {0};
    put_file_head(text, s->hash, &whole);
    if (whole.len == MAGIC_BYTES + 4 + n + HASH_BYTES && !memcmp(whole.data, bytes, whole.len))
        *session = STEAL(text);
    return NULL;
}

/* The file has nothing in it but its head. */
static Error *begin(SyncSpool *s)
{
    AUTO_VALUE(Buf) head = {0};
    put_file_head(s->session, s->hash, &head);
    if (ftruncate(s->fd.n, 0) < 0)
        return failed(s, "empty");
    TRY(write_at(s, 0, head.data, head.len));
    TRY(make_durable(s));
    s->base = s->end = s->last_at = head.len;
    s->last = (Tail){0};
    return file_sync_folder_of(s->path);
}

/* By the tail that the file ends with; *good: it is a whole record's. */
static Error *try_last(SyncSpool *s, uint64_t size, bool *good)
{
    AUTO_VALUE(Record) r = {0};
    uint8_t bytes[8];
    uint64_t length;
    size_t got;
    *good = size == s->base;
    if (size < s->base + FRONT_BYTES + TAIL_BYTES)
        return NULL;
    TRY(read_at(s, size - TAIL_BYTES, bytes, sizeof bytes, &got));
    Reader reader = reader_over(bytes, got, s->path);
    TRY(reader_u64(&reader, &length));
    if (length > size - s->base)
        return NULL;
    TRY(record_read(s, size - length, size, &r, good));
    *good = *good && r.next == size;
    if (*good) {
        s->last = r.tail;
        s->last_at = size - length;
        s->end = size;
    }
    return NULL;
}

/* From the beginning: the last record that is whole, with all before it. */
static Error *find_last(SyncSpool *s, uint64_t size)
{
    AUTO_VALUE(Record) r = {0};
    for (bool good = true; good && s->end < size;) {
        TRY(record_read(s, s->end, size, &r, &good));
        if (!good)
            break;
        s->last = r.tail;
        s->last_at = s->end;
        s->end = r.next;
    }
    if (s->end == size)
        return NULL;
    log_info("%s: %llu bytes at its end are no whole batch, and are cut off", s->path,
             (unsigned long long)(size - s->end));
    return cut_at(s, s->end);
}

static Error *find_end(SyncSpool *s)
{
    struct stat st;
    bool good;
    AUTO(char) session = NULL;
    TRY(read_file_head(s, &session));
    if (!session || strcmp(session, s->session))
        return begin(s);
    if (fstat(s->fd.n, &st) < 0)
        return failed(s, "look at");
    s->base = s->end = s->last_at = MAGIC_BYTES + 4 + strlen(session) + HASH_BYTES;
    TRY(try_last(s, (uint64_t)st.st_size, &good));
    return good ? NULL : find_last(s, (uint64_t)st.st_size);
}

Error *sync_spool_open(const char *state_dir, const char *session, bool create, SyncSpool **out)
{
    AUTO(SyncSpool) s = mem_new(SyncSpool);
    s->fd.n = -1;
    s->hash = hash_new();
    s->session = mem_strdup(session);
    if (!*session || strlen(session) > SESSION_MAX)
        FAIL(ERR_USAGE, "a session's id has 1 to %d bytes", SESSION_MAX);
    TRY(path_of(state_dir, session, &s->path));
    if (create) {
        AUTO(char) folder = NULL;
        TRY(folder_of(state_dir, &folder));
        TRY(file_make_dir(folder, 0700));
    }
    TRY(open_locked(s, create));
    TRY(find_end(s));
    *out = STEAL(s);
    return NULL;
}

/* -- reading ----------------------------------------------------------------------------------- */

Error *sync_spool_read(SyncSpool *s, const SyncSpoolReader *to)
{
    AUTO_VALUE(Record) r = {0};
    for (uint64_t at = s->base; at < s->end; at = r.next) {
        bool good;
        AUTO(Doc) head = NULL;
        TRY(record_read(s, at, s->end, &r, &good));
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
    AUTO_VALUE(Record) r = {0};
    bool good = true;
    for (uint64_t at = s->base; at < s->end && good; at = r.next) {
        if (seq == s->last.seq)
            at = s->last_at;
        TRY(record_read(s, at, s->end, &r, &good));
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
    const Tail *l = &s->last;
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
static Error *follow(const SyncSpool *s, const SyncBatch *b, Buf *text, Tail *t)
{
    const Tail *l = &s->last;
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

Error *sync_spool_take(SyncSpool *s, const void *body, size_t n)
{
    AUTO_VALUE(SyncBatch) b = {0};
    AUTO_VALUE(Buf) text = {0};
    Tail t = {0};
    bool next;
    TRY(sync_batch_read(body, n, &b));
    hash_once(s->hash, body, n, t.body);
    TRY(place(s, &b, t.body, &next));
    if (!next)
        return NULL;
    TRY(follow(s, &b, &text, &t));
    TRY(enough_room(s, n));
    t.bytes = (b.seq == 1 ? 0 : s->last.bytes) + n;
    t.attempt = b.attempt;
    t.seq = b.seq;
    t.complete = b.last;
    if (b.seq == 1)
        TRY(begin(s));
    if (b.last)
        TRY(check_all(s, &b, &text, t.own_rows));
    AUTO(char) head = doc_print(b.head, false);
    uint64_t end = s->end;
    Error *e = record_write(s, head, &text, &t);
    if (e) {
        hash_once(s->hash, "", 0, t.body); /* drops what was added of it */
        error_drop(cut_at(s, end));
    }
    return e;
}

/* -- removing ---------------------------------------------------------------------------------- */

Error *sync_spool_remove(const char *state_dir, const char *session)
{
    AUTO(char) path = NULL;
    TRY(path_of(state_dir, session, &path));
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
        return errno == ENOENT ? NULL : failed(s, "open");
    Error *e = lock(s, false, &gone);
    if (e) {
        if (error_kind(e) != ERR_BUSY)
            return e;
        error_free(e);
        return NULL;
    }
    TRY(read_file_head(s, &session));
    if (gone || (session && wanted(ctx, session)))
        return NULL;
    log_info("removing %s: nobody waits for its rows any more", path);
    return unlink(path) == 0 || errno == ENOENT ? NULL : failed(s, "remove");
}

Error *sync_spool_sweep(const char *state_dir, bool (*wanted)(void *ctx, const char *session),
                        void *ctx)
{
    AUTO(char) folder = NULL;
    Error *first = NULL;
    TRY(folder_of(state_dir, &folder));
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? NULL
                               : error_errno(ERR_IO, ERR_IO, "cannot read the folder %s", folder);
    for (struct dirent *e; (e = readdir(d));) {
        if (!text_ends(e->d_name, ENDING))
            continue;
        AUTO(char) path = file_join(folder, e->d_name);
        first = error_first(first, sweep_one(path, wanted, ctx));
    }
    closedir(d);
    return first;
}
