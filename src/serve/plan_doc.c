#include "serve/plan_doc.h"

#include "base/doc.h"

Instant plan_next(const Plan *p, Instant after)
{
    int64_t jitter = schedule_jitter(&p->rule);
    Instant next = cron_next(p->cron, p->zone, after - jitter);
    return next == CRON_NEVER ? 0 : next + jitter;
}

Doc *plan_doc(const Plan *p, const StateSchedule *row, Instant now)
{
    Doc *d = doc_object();
    doc_set_str(d, "name", p->name);
    doc_set_str(d, "kind", p->kind);
    doc_set_str(d, "entry", p->entry->name);
    doc_set_str(d, "database", p->entry->database);
    doc_set_str(d, "schedule", p->text);
    doc_set(d, "words", doc_texts(&p->words));
    doc_set_time(d, "next", plan_next(p, now));
    doc_set_time(d, "lastDue", row ? row->last_due : 0);
    doc_set_time(d, "lastStarted", row ? row->last_started : 0);
    if (row && row->last_job)
        doc_set_int(d, "lastJob", row->last_job);
    else
        doc_set_null(d, "lastJob");
    doc_set_str(d, "lastResult", row ? row->last_result : NULL);
    return d;
}
