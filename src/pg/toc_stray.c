#include "pg/toc_stray.h"

#include <string.h>

#define SET " SET ("
#define OPTION "pg_attver="
/* No longer than SET OPTION and a digit; where nothing is set, nothing is reset. */
#define NOTHING " RESET(n_distinct)"

/* Overwrites one list of options, from SET to the parenthesis. Returns whether it had to. */
static bool blank(char *set)
{
    char *list = set + strlen(SET), *end = strchr(list, ')');
    if (!end)
        return false;
    char *at = list;
    while (at < end && !text_starts(at, OPTION)) {
        char *comma = strstr(at, ", ");
        at = comma && comma < end ? comma + 2 : end;
    }
    if (at == end)
        return false;
    char *stop = at + strlen(OPTION);
    size_t digits = strspn(stop, "0123456789");
    stop += digits;
    bool first = at == list, last = stop == end;
    if (!digits || (!last && !text_starts(stop, ", ")))
        return false;
    if (first && last) {
        memset(set, ' ', (size_t)(end + 1 - set));
        memcpy(set, NOTHING, strlen(NOTHING));
    } else if (first) {
        memset(at, ' ', (size_t)(stop + 2 - at));
    } else {
        memset(at - 2, ' ', (size_t)(stop - at) + 2);
    }
    return true;
}

/* Outside of quoted names and texts only. */
static size_t drop_from(char *defn)
{
    size_t dropped = 0;
    char quote = 0;
    for (char *p = defn; *p; p++) {
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (*p == ' ' && text_starts(p, SET))
            dropped += blank(p);
    }
    return dropped;
}

static bool has_columns(const TocEntry *e)
{
    return toc_is(e, "TABLE") || toc_is(e, "FOREIGN TABLE") || toc_is(e, "MATERIALIZED VIEW");
}

size_t toc_drop_stray(Toc *t)
{
    size_t dropped = 0;
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        size_t n = strlen(e->defn);
        if (!has_columns(e) || !strstr(e->defn, OPTION))
            continue;
        void *raw = memmem(t->raw.data + e->at, e->relkind_at - e->at, e->defn, n);
        if (!raw)
            continue;
        dropped += drop_from(t->arena + (e->defn - t->arena));
        memcpy(raw, e->defn, n);
    }
    return dropped;
}
