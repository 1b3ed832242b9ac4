#include "op/sync_spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "state/state.h"

#define FOLDER "rows"
#define FILE_MAGIC "PGSTOWR1"
#define MAGIC_BYTES 8
#define SESSION_MAX 255
#define FRONT_MAGIC 0x42575253u
#define FRONT_BYTES 12
#define TAIL_BYTES (7 * 8 + 2 * 4 + 3 * HASH_BYTES)
#define LOCK_WAIT_MS 1000
#define LOCK_LOOK_MS 20

void sync_spool_free(SyncSpool *s)
{
    fd_close(&s->fd);
    free(s->path);
    free(s->session);
    hash_free(s->hash);
    free(s);
}

/* -- bytes ------------------------------------------------------------------------------------- */

Error *sync_file_failed(const SyncSpool *s, const char *what)
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
            return sync_file_failed(s, "read");
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
            return sync_file_failed(s, "write");
        done += (size_t)some;
    }
    return NULL;
}

static Error *make_durable(const SyncSpool *s)
{
    return fdatasync(s->fd.n) < 0 ? sync_file_failed(s, "sync") : NULL;
}

Error *sync_file_cut(SyncSpool *s, uint64_t end)
{
    if (ftruncate(s->fd.n, (off_t)end) < 0)
        return sync_file_failed(s, "cut");
    return make_durable(s);
}

static void put_tail(const SyncTail *t, Buf *out)
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

static Error *get_tail(Reader *r, SyncTail *t)
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

void sync_record_clear(SyncRecord *r)
{
    buf_free(&r->bytes);
}

/* How long the record at a place is; 0 where there is none. */
static Error *record_length(const SyncSpool *s, uint64_t at, uint64_t size, SyncRecord *r,
                            uint64_t *n)
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

Error *sync_record_read(const SyncSpool *s, uint64_t at, uint64_t size, SyncRecord *r, bool *good)
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

Error *sync_file_append(SyncSpool *s, const char *head, const Buf *text, SyncTail *t)
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

Error *sync_file_folder(const char *state_dir, char **out)
{
    AUTO(char) own = state_dir ? mem_strdup(state_dir) : state_default_folder();
    if (!own)
        return error_hint(ERROR_NEW(ERR_CONFIG, "there is no folder for the state"),
                          "name one by server.stateDir");
    *out = file_join(own, FOLDER);
    return NULL;
}

Error *sync_file_path(const char *state_dir, const char *session, char **out)
{
    AUTO(char) folder = NULL;
    uint8_t digest[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    AUTO(Hash) h = hash_new();
    hash_once(h, session, strlen(session), digest);
    text_hex(digest, HASH_BYTES / 2, hex);
    TRY(sync_file_folder(state_dir, &folder));
    *out = mem_printf("%s/%s" SYNC_FILE_ENDING, folder, hex);
    return NULL;
}

Error *sync_file_lock(const SyncSpool *s, bool wait, bool *gone)
{
    struct stat st;
    int64_t until = clock_mono_ms() + LOCK_WAIT_MS;
    while (flock(s->fd.n, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return sync_file_failed(s, "lock");
        if (!wait || clock_mono_ms() > until)
            return error_hint(ERROR_NEW(ERR_BUSY,
                                        "the rows of session %s are in use by another "
                                        "process or request",
                                        s->session),
                              "try again when it is done");
        clock_sleep_ms(LOCK_LOOK_MS);
    }
    if (fstat(s->fd.n, &st) < 0)
        return sync_file_failed(s, "look at");
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
            return sync_file_failed(s, "open");
        TRY(sync_file_lock(s, true, &gone));
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

Error *sync_file_session(const SyncSpool *s, char **session)
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

Error *sync_file_begin(SyncSpool *s)
{
    AUTO_VALUE(Buf) head = {0};
    put_file_head(s->session, s->hash, &head);
    if (ftruncate(s->fd.n, 0) < 0)
        return sync_file_failed(s, "empty");
    TRY(write_at(s, 0, head.data, head.len));
    TRY(make_durable(s));
    s->base = s->end = s->last_at = head.len;
    s->last = (SyncTail){0};
    return file_sync_folder_of(s->path);
}

/* By the tail that the file ends with; *good: it is a whole record's. */
static Error *try_last(SyncSpool *s, uint64_t size, bool *good)
{
    AUTO_VALUE(SyncRecord) r = {0};
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
    TRY(sync_record_read(s, size - length, size, &r, good));
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
    AUTO_VALUE(SyncRecord) r = {0};
    for (bool good = true; good && s->end < size;) {
        TRY(sync_record_read(s, s->end, size, &r, &good));
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
    return sync_file_cut(s, s->end);
}

static Error *find_end(SyncSpool *s)
{
    struct stat st;
    bool good;
    AUTO(char) session = NULL;
    TRY(sync_file_session(s, &session));
    if (!session || strcmp(session, s->session))
        return sync_file_begin(s);
    if (fstat(s->fd.n, &st) < 0)
        return sync_file_failed(s, "look at");
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
    TRY(sync_file_path(state_dir, session, &s->path));
    if (create) {
        AUTO(char) folder = NULL;
        TRY(sync_file_folder(state_dir, &folder));
        TRY(file_make_dir(folder, 0700));
    }
    TRY(open_locked(s, create));
    TRY(find_end(s));
    *out = STEAL(s);
    return NULL;
}
