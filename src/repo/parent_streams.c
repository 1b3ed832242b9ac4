#include "repo/parent_streams.h"

#include <string.h>

struct ParentStreams {
    const Manifest *manifest;
    const Stream **by_oid, **by_name; /* of tables, sorted; by_oid is empty in another database */
    size_t oid_count, name_count;
};

static const char *text(const char *s)
{
    return s ? s : "";
}

/* Of streams that are the same otherwise the manifest's first stands first. */
static int by_place(const Stream *a, const Stream *b)
{
    return (a > b) - (a < b);
}

static int compare_oid(const void *a, const void *b)
{
    const Stream *x = *(const Stream *const *)a, *y = *(const Stream *const *)b;
    return x->oid != y->oid ? (x->oid < y->oid ? -1 : 1) : by_place(x, y);
}

static int compare_names(const Stream *x, const char *schema, const char *name)
{
    int order = strcmp(text(x->name), text(name));
    return order ? order : strcmp(text(x->schema), text(schema));
}

static int compare_name(const void *a, const void *b)
{
    const Stream *x = *(const Stream *const *)a, *y = *(const Stream *const *)b;
    int order = compare_names(x, y->schema, y->name);
    return order ? order : by_place(x, y);
}

ParentStreams *parent_streams_new(const Manifest *m, bool same_database)
{
    ParentStreams *p = mem_new(ParentStreams);
    p->manifest = m;
    if (!m)
        return p;
    p->by_oid = mem_calloc(m->stream_count, sizeof(Stream *));
    p->by_name = mem_calloc(m->stream_count, sizeof(Stream *));
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (s->kind != STREAM_TABLE)
            continue;
        p->by_name[p->name_count++] = s;
        if (same_database && s->oid)
            p->by_oid[p->oid_count++] = s;
    }
    mem_sort(p->by_oid, p->oid_count, sizeof *p->by_oid, compare_oid);
    mem_sort(p->by_name, p->name_count, sizeof *p->by_name, compare_name);
    return p;
}

void parent_streams_free(ParentStreams *p)
{
    free(p->by_oid);
    free(p->by_name);
    free(p);
}

static const Stream *find_oid(const ParentStreams *p, uint32_t oid)
{
    size_t low = 0, high = p->oid_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->by_oid[middle]->oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->oid_count && p->by_oid[low]->oid == oid ? p->by_oid[low] : NULL;
}

static const Stream *find_name(const ParentStreams *p, const char *schema, const char *name)
{
    size_t low = 0, high = p->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(p->by_name[middle], schema, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->name_count && !compare_names(p->by_name[low], schema, name) ? p->by_name[low]
                                                                                : NULL;
}

const Stream *parent_streams_table(const ParentStreams *p, uint32_t oid, const char *schema,
                                   const char *name)
{
    const Stream *s = oid ? find_oid(p, oid) : NULL;
    return s ? s : find_name(p, schema, name);
}

const Stream *parent_streams_nth(const ParentStreams *p, StreamKind kind, size_t nth)
{
    for (size_t i = 0; p->manifest && i < p->manifest->stream_count; i++)
        if (p->manifest->streams[i].kind == kind && nth-- == 0)
            return &p->manifest->streams[i];
    return NULL;
}
