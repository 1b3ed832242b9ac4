#include "pg/load_objects.h"

#include <stdio.h>
#include <string.h>

enum { BETWEEN, IN_RECORD };
#define WRITE_BYTES (256u << 10) /* one lowrite */
#define COMMIT_BYTES (64u << 20) /* and one transaction */
#define COMMIT_OBJECTS 1000

Error *object_records_feed(ObjectRecords *r, const void *data, size_t n)
{
    const uint8_t *p = data, *end = p + n;
    while (p < end) {
        if (r->left) {
            size_t take = (size_t)(end - p) < r->left ? (size_t)(end - p) : r->left;
            TRY(r->bytes(r->ctx, p, take));
            r->left -= (uint32_t)take;
            p += take;
            continue;
        }
        r->word[r->have++] = *p++;
        if (r->have < sizeof r->word)
            continue;
        r->have = 0;
        uint32_t v = (uint32_t)r->word[0] | (uint32_t)r->word[1] << 8 | (uint32_t)r->word[2] << 16 |
                     (uint32_t)r->word[3] << 24;
        if (r->state == BETWEEN) {
            TRY(r->begin(r->ctx, v));
            r->state = IN_RECORD;
        } else if (v) {
            r->left = v;
        } else {
            TRY(r->end(r->ctx));
            r->state = BETWEEN;
        }
    }
    return NULL;
}

Error *object_records_end(const ObjectRecords *r)
{
    if (r->state != BETWEEN || r->have)
        FAIL(ERR_DAMAGED, "the large objects' stream ends inside an object");
    return NULL;
}

struct LoadObjects {
    Conn *c;
    ObjectRecords records;
    Buf pending; /* bytes of the object not sent yet */
    char oid[12], fd[12];
    bool in_transaction;
    bool within;                    /* the caller's */
    uint64_t count, objects, bytes; /* all; since the last commit */
};

static Error *flush(LoadObjects *lo)
{
    if (!lo->pending.len)
        return NULL;
    const char *params[] = {lo->fd};
    TRY_CTX(conn_exec_bytes(lo->c, "SELECT pg_catalog.lowrite($1::int4, $2)", 1, params,
                            lo->pending.data, lo->pending.len),
            "writing large object %s", lo->oid);
    lo->bytes += lo->pending.len;
    lo->pending.len = 0;
    return NULL;
}

static Error *commit(LoadObjects *lo)
{
    if (!lo->in_transaction)
        return NULL;
    lo->in_transaction = false;
    lo->objects = lo->bytes = 0;
    return conn_exec(lo->c, "COMMIT");
}

static Error *object_begin(void *ctx, uint32_t oid)
{
    LoadObjects *lo = ctx;
    if (!lo->in_transaction && !lo->within)
        TRY(conn_exec(lo->c, "BEGIN"));
    lo->in_transaction = !lo->within;
    snprintf(lo->oid, sizeof lo->oid, "%u", oid);
    const char *params[] = {lo->oid};
    AUTO(char) fd = NULL;
    TRY_CTX(conn_value(lo->c, "SELECT pg_catalog.lo_open($1::oid, 131072)", 1, params, &fd),
            "opening large object %s", lo->oid);
    snprintf(lo->fd, sizeof lo->fd, "%s", fd ? fd : "");
    return NULL;
}

static Error *object_bytes(void *ctx, const void *p, size_t n)
{
    LoadObjects *lo = ctx;
    for (size_t done = 0; done < n;) {
        size_t room = WRITE_BYTES - lo->pending.len;
        size_t take = n - done < room ? n - done : room;
        buf_add(&lo->pending, (const uint8_t *)p + done, take);
        done += take;
        if (lo->pending.len == WRITE_BYTES)
            TRY(flush(lo));
    }
    return NULL;
}

static Error *object_end(void *ctx)
{
    LoadObjects *lo = ctx;
    TRY(flush(lo));
    const char *params[] = {lo->fd};
    AUTO(char) closed = NULL;
    TRY_CTX(conn_value(lo->c, "SELECT pg_catalog.lo_close($1::int4)", 1, params, &closed),
            "closing large object %s", lo->oid);
    lo->count++;
    if (++lo->objects >= COMMIT_OBJECTS || lo->bytes >= COMMIT_BYTES)
        TRY(commit(lo));
    return NULL;
}

LoadObjects *load_objects_new(Conn *c)
{
    LoadObjects *lo = mem_new(LoadObjects);
    lo->c = c;
    lo->records =
        (ObjectRecords){.begin = object_begin, .bytes = object_bytes, .end = object_end, .ctx = lo};
    return lo;
}

LoadObjects *load_objects_within(Conn *c)
{
    LoadObjects *lo = load_objects_new(c);
    lo->within = true;
    return lo;
}

Error *load_objects_feed(LoadObjects *lo, const void *p, size_t n)
{
    return object_records_feed(&lo->records, p, n);
}

Error *load_objects_end(LoadObjects *lo, uint64_t *count)
{
    TRY(object_records_end(&lo->records));
    TRY(commit(lo));
    *count = lo->count;
    return NULL;
}

void load_objects_free(LoadObjects *lo)
{
    if (lo->in_transaction && !conn_broken(lo->c))
        error_drop(conn_exec(lo->c, "ROLLBACK"));
    buf_free(&lo->pending);
    free(lo);
}
