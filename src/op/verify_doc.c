/* What verify found, as JSON. */
#include "op/verify.h"

static Doc *partly_doc(const CheckReport *r)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < r->partly_count; i++) {
        Doc *d = doc_object();
        doc_set_str(d, "id", r->partly[i].backup);
        doc_set_int(d, "packs", (int64_t)r->partly[i].packs);
        doc_set_int(d, "unread", (int64_t)r->partly[i].unread);
        doc_push(list, d);
    }
    return list;
}

static bool is_hopeless(const CheckLoss *l)
{
    return !l->readable || l->definitions;
}

static Doc *losses_doc(const CheckReport *r)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < r->loss_count; i++) {
        const CheckLoss *l = &r->losses[i];
        Doc *d = doc_object();
        doc_set_str(d, "id", l->backup);
        doc_set(d, "streams", doc_texts(&l->streams));
        doc_set_int(d, "tables", (int64_t)l->tables);
        doc_set_int(d, "tablesLost", (int64_t)l->tables_lost);
        doc_set_bool(d, "salvageable", !is_hopeless(l));
        doc_push(list, d);
    }
    return list;
}

Doc *verify_doc(const VerifyOptions *o, const CheckReport *r)
{
    Doc *d = doc_object(), *problems = doc_array();
    doc_set_str(d, "level", check_level_name(o->level));
    doc_set_bool(d, "whole", verify_is_whole(o, r));
    doc_set_int(d, "backups", (int64_t)r->backups);
    doc_set_int(d, "packs", (int64_t)r->packs);
    doc_set_int(d, "packsRead", (int64_t)r->packs_read);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set(d, "good", doc_texts(&r->good));
    doc_set(d, "bad", doc_texts(&r->bad));
    doc_set(d, "partly", partly_doc(r));
    doc_set(d, "lost", losses_doc(r));
    for (size_t i = 0; i < r->count; i++) {
        Doc *p = doc_object();
        doc_set_str(p, "object", r->problems[i].object);
        doc_set_str(p, "what", r->problems[i].what);
        doc_set(p, "backups", doc_texts(&r->problems[i].backups));
        doc_set(p, "tables", doc_texts(&r->problems[i].streams));
        doc_push(problems, p);
    }
    doc_set(d, "problems", problems);
    return d;
}
