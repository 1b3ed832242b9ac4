#include <string.h>

#include "repo/check_work.h"

/* What each damaged backup has lost: exactly the streams that touch what is damaged. A problem's
 * own lists cannot say that: two backups may use different tables of one pack. */

void check_lose(Check *c, const char *backup, const char *stream)
{
    CheckReport *r = c->report;
    CheckLoss *l = NULL;
    for (size_t i = 0; i < r->loss_count && !l; i++)
        if (!strcmp(r->losses[i].backup, backup))
            l = &r->losses[i];
    if (!l) {
        mem_grow(r->losses, r->loss_count, r->loss_cap);
        l = &r->losses[r->loss_count++];
        *l = (CheckLoss){.backup = mem_strdup(backup)};
    }
    if (stream && !strlist_has(&l->streams, stream))
        strlist_add(&l->streams, stream);
}

static Error *sum_up(Check *c, CheckLoss *l)
{
    AUTO(Manifest) m = NULL;
    TRY(check_load(c, l->backup, &m));
    l->readable = m != NULL;
    for (size_t i = 0; m && i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        AUTO(char) label = stream_label(s);
        bool lost = strlist_has(&l->streams, label);
        l->definitions = l->definitions || (lost && s->kind == STREAM_TOC);
        l->tables += s->kind == STREAM_TABLE;
        l->tables_lost += lost && s->kind == STREAM_TABLE;
    }
    strlist_sort(&l->streams);
    return NULL;
}

static int by_backup(const void *a, const void *b)
{
    return strcmp(((const CheckLoss *)a)->backup, ((const CheckLoss *)b)->backup);
}

Error *check_sum_losses(Check *c)
{
    CheckReport *r = c->report;
    for (size_t i = 0; i < r->loss_count; i++)
        TRY(sum_up(c, &r->losses[i]));
    mem_sort(r->losses, r->loss_count, sizeof *r->losses, by_backup);
    return NULL;
}
