#include "pg/large_object.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define BATCH 32

void large_object_oids(const char *p, uint32_t **oids, size_t *count, size_t *cap)
{
    while (p && *p) {
        if (!isdigit((unsigned char)*p)) {
            p++;
            continue;
        }
        char *end;
        unsigned long long v = strtoull(p, &end, 10);
        if (v > 0 && v <= UINT32_MAX) {
            mem_grow(*oids, *count, *cap);
            (*oids)[(*count)++] = (uint32_t)v;
        }
        p = end;
    }
}

Error *large_object_list(Conn *c, const Toc *toc, const TocEntry *blobs, uint32_t **oids,
                         size_t *count)
{
    size_t cap = 0;
    *oids = NULL;
    *count = 0;
    if (toc->minor >= 16) {
        for (size_t i = 0; i < blobs->dep_count; i++) {
            const TocEntry *group = toc_find(toc, blobs->deps[i]);
            if (group && toc_is(group, "BLOB METADATA"))
                large_object_oids(group->defn, oids, count, &cap);
        }
        return NULL;
    }
    AUTO(Rows) rows = NULL;
    TRY_CTX(conn_query(c, "SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid", 0,
                       NULL, &rows),
            "listing the large objects");
    *count = rows_count(rows);
    *oids = mem_calloc(*count, sizeof **oids);
    for (size_t i = 0; i < *count; i++)
        (*oids)[i] = rows_oid(rows, i, 0);
    return NULL;
}

static Error *emit(LargeObjectSink sink, void *ctx, const void *p, size_t n)
{
    uint8_t head[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    TRY(sink(ctx, head, 4));
    return n ? sink(ctx, p, n) : NULL;
}

static Error *read_rest(Conn *c, uint32_t oid, LargeObjectSink sink, void *ctx)
{
    for (uint64_t at = LARGE_OBJECT_FIRST;; at += LARGE_OBJECT_NEXT) {
        char id[16], offset[24];
        snprintf(id, sizeof id, "%u", oid);
        snprintf(offset, sizeof offset, "%llu", (unsigned long long)at);
        const char *params[] = {id, offset};
        AUTO(Rows) rows = NULL;
        TRY(conn_query_binary(c, "SELECT pg_catalog.lo_get($1::oid, $2::bigint, 1048576)", 2,
                              params, &rows));
        size_t n;
        const void *p = rows_bytes(rows, 0, 0, &n);
        if (n)
            TRY(emit(sink, ctx, p, n));
        if (n < LARGE_OBJECT_NEXT)
            return NULL;
    }
}

Error *large_object_read(Conn *c, const uint32_t *oids, size_t count, LargeObjectSink sink,
                         void *ctx)
{
    for (size_t from = 0; from < count; from += BATCH) {
        size_t to = from + BATCH < count ? from + BATCH : count;
        AUTO_VALUE(Buf) list = {0};
        for (size_t i = from; i < to; i++)
            buf_printf(&list, "%s%u", i > from ? "," : "{", oids[i]);
        buf_add_str(&list, "}");
        buf_u8(&list, 0);
        const char *params[] = {(const char *)list.data};
        AUTO(Rows) rows = NULL;
        TRY_CTX(conn_query_binary(
                    c,
                    "SELECT pg_catalog.lo_get(o, 0, 65536) FROM "
                    "pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY u(o, i) ORDER BY i",
                    1, params, &rows),
                "reading large objects %u to %u", oids[from], oids[to - 1]);
        for (size_t i = from; i < to; i++) {
            size_t n;
            const void *p = rows_bytes(rows, i - from, 0, &n);
            uint8_t id[4] = {(uint8_t)oids[i], (uint8_t)(oids[i] >> 8), (uint8_t)(oids[i] >> 16),
                             (uint8_t)(oids[i] >> 24)};
            TRY(sink(ctx, id, 4));
            if (n)
                TRY(emit(sink, ctx, p, n));
            if (n == LARGE_OBJECT_FIRST)
                TRY_CTX(read_rest(c, oids[i], sink, ctx), "reading large object %u", oids[i]);
            TRY(emit(sink, ctx, NULL, 0));
        }
    }
    return NULL;
}
