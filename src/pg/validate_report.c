#include <string.h>

#include "pg/validate_rules.h"

void validate_report_clear(ValidateReport *r)
{
    for (size_t i = 0; i < r->count; i++) {
        ValidateFinding *f = &r->findings[i];
        for (size_t s = 0; s < f->sample_count * f->columns.count; s++)
            free(f->samples[s]);
        free(f->samples);
        strlist_free(&f->columns);
        free(f->schema);
        free(f->table);
        free(f->object);
        free(f->message);
    }
    for (size_t i = 0; i < r->left_count; i++) {
        free(r->left[i].schema);
        free(r->left[i].table);
        free(r->left[i].object);
        free(r->left[i].detail);
    }
    free(r->findings);
    free(r->left);
    free(r->database);
    free(r->server);
    *r = (ValidateReport){0};
}

static int by_place(const char *const *a, const char *const *b)
{
    for (int i = 0; i < 3; i++) {
        int order = strcmp(a[i], b[i]);
        if (order)
            return order;
    }
    return 0;
}

static int by_weight(const void *a, const void *b)
{
    const ValidateFinding *x = a, *y = b;
    if (x->error != y->error)
        return x->error ? -1 : 1;
    int order = by_place((const char *const[]){x->schema, x->table, x->object},
                         (const char *const[]){y->schema, y->table, y->object});
    return order ? order : (int)x->kind - (int)y->kind;
}

static int left_by_place(const void *a, const void *b)
{
    const ValidateLeft *x = a, *y = b;
    int order = by_place((const char *const[]){x->schema, x->table, x->object},
                         (const char *const[]){y->schema, y->table, y->object});
    return order ? order : (int)x->kind - (int)y->kind;
}

void validate_report_settle(ValidateReport *r)
{
    mem_sort(r->findings, r->count, sizeof *r->findings, by_weight);
    mem_sort(r->left, r->left_count, sizeof *r->left, left_by_place);
    r->errors = r->warnings = 0;
    for (size_t i = 0; i < r->count; i++)
        *(r->findings[i].error ? &r->errors : &r->warnings) += 1;
}

char *validate_line_bare(const ValidateFinding *f)
{
    return mem_printf("%s.%s: %s", f->schema, f->table, f->message);
}

char *validate_line(const ValidateFinding *f)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) bare = validate_line_bare(f);
    buf_add_str(&b, bare);
    for (size_t s = 0; s < f->sample_count; s++)
        for (size_t i = 0; i < f->columns.count; i++) {
            const char *value = f->samples[s * f->columns.count + i];
            buf_printf(&b, "%s%s = %s",
                       i   ? ", "
                       : s ? "; "
                           : " (",
                       f->columns.items[i], value ? value : "NULL");
        }
    if (f->sample_count && f->columns.count)
        buf_printf(&b, "%s)", f->count > (int64_t)f->sample_count ? "; ..." : "");
    return buf_steal_str(&b);
}

static Doc *samples_doc(const ValidateFinding *f)
{
    Doc *all = doc_array();
    for (size_t s = 0; s < f->sample_count; s++) {
        Doc *one = doc_object();
        for (size_t i = 0; i < f->columns.count; i++)
            doc_set_str(one, f->columns.items[i], f->samples[s * f->columns.count + i]);
        doc_push(all, one);
    }
    return all;
}

static Doc *findings_doc(const ValidateReport *r, bool errors)
{
    Doc *all = doc_array();
    for (size_t i = 0; i < r->count; i++) {
        const ValidateFinding *f = &r->findings[i];
        if (f->error != errors)
            continue;
        Doc *d = doc_object();
        doc_set_str(d, "check", validate_kind_name(f->kind));
        doc_set_str(d, "schema", f->schema);
        doc_set_str(d, "table", f->table);
        doc_set_str(d, "object", f->object);
        doc_set_str(d, "message", f->message);
        if (f->count >= 0)
            doc_set_int(d, "count", f->count);
        else
            doc_set_null(d, "count");
        doc_set(d, "samples", samples_doc(f));
        doc_push(all, d);
    }
    return all;
}

static Doc *left_doc(const ValidateReport *r)
{
    Doc *all = doc_array();
    for (size_t i = 0; i < r->left_count; i++) {
        const ValidateLeft *l = &r->left[i];
        Doc *d = doc_object();
        doc_set_str(d, "check", validate_kind_name(l->kind));
        doc_set_str(d, "schema", l->schema);
        doc_set_str(d, "table", l->table);
        doc_set_str(d, "object", l->object);
        doc_set_str(d, "reason", l->reason);
        doc_set_str(d, "detail", l->detail);
        doc_push(all, d);
    }
    return all;
}

static Doc *checks_doc(const ValidateReport *r)
{
    Doc *all = doc_array();
    for (int kind = 0; kind < VALIDATE_KINDS; kind++) {
        const ValidateSum *s = &r->sums[kind];
        Doc *d = doc_object();
        doc_set_str(d, "check", validate_kind_name((ValidateKind)kind));
        doc_set_bool(d, "available", !s->missing);
        doc_set_int(d, "rules", (int64_t)s->rules);
        doc_set_int(d, "done", (int64_t)s->done);
        doc_set_int(d, "duration", s->ms);
        doc_push(all, d);
    }
    return all;
}

Doc *validate_doc(const ValidateReport *r)
{
    Doc *d = doc_object(), *counts = doc_object();
    doc_set_str(d, "database", r->database);
    doc_set_str(d, "server", r->server);
    doc_set_bool(d, "isValid", !r->errors);
    doc_set_bool(d, "complete", !r->left_count);
    doc_set_int(counts, "errors", (int64_t)r->errors);
    doc_set_int(counts, "warnings", (int64_t)r->warnings);
    doc_set_int(counts, "leftOut", (int64_t)r->left_count);
    doc_set_int(counts, "tables", (int64_t)r->tables);
    doc_set(d, "counts", counts);
    doc_set(d, "errors", findings_doc(r, true));
    doc_set(d, "warnings", findings_doc(r, false));
    doc_set(d, "leftOut", left_doc(r));
    doc_set(d, "checks", checks_doc(r));
    doc_set_int(d, "duration", r->ms);
    return d;
}
