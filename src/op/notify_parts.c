/* Entries with all databases of a server: each database's own news, and yet one notification for
 * all of a kind. */
#include <string.h>

#include "op/job_part.h"
#include "op/notify_sample.h"
#include "op/notify_work.h"
#include "state/state_condition.h"

#define LINES_MOST 50 /* databases that one notification names */

/* What one notification tells of several databases. */
typedef struct News {
    NotifyEvent event;
    const char *what; /* for a title: "cannot be backed up" */
    size_t count;
    StrList lines;  /* "shop: why" */
    StrList names;  /* for the title */
    StrList causes; /* the conditions that begin with it */
    int64_t only;   /* the first one's job; 0 where it has none */
    Instant since;
} News;
static void news_clear(News *n)
{
    strlist_free(&n->lines);
    strlist_free(&n->names);
    strlist_free(&n->causes);
}
DEFINE_AUTO_VALUE(News, news_clear)

static void add_news(News *n, const char *database, const char *line, const char *cause,
                     int64_t job)
{
    AUTO(char) name = text_printable(database);
    if (!n->count++)
        n->only = job;
    if (n->count <= LINES_MOST) {
        strlist_own(&n->lines, mem_printf("%s: %s", name, line));
        strlist_add(&n->names, name);
    } else if (n->count == LINES_MOST + 1) {
        strlist_add(&n->lines, "and more");
        strlist_add(&n->names, "...");
    }
    if (cause)
        strlist_add(&n->causes, cause);
}

static char *names_of(const News *n)
{
    Buf all = {0};
    for (size_t i = 0; i < n->names.count; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", n->names.items[i]);
    return buf_steal_str(&all);
}

/* One database's is told as if it had been alone. */
static Error *tell_news(const Telling *c, News *n)
{
    AUTO(StateJob) only = NULL;
    Telling of = *c;
    bool told = false;
    if (!n->count || !c->t->on_failure)
        return NULL;
    AUTO(char) names = names_of(n);
    const char *of_whom = *c->t->entry ? c->t->entry : c->t->server;
    AUTO(char)
    many = mem_printf("%zu databases%s%s %s: %s", n->count, *of_whom ? " of " : "", of_whom,
                      n->what, names);
    AUTO(char)
    key =
        mem_printf("parts/%s/%lld/%s", c->t->entry, (long long)(c->job ? c->job->id : 0), n->what);
    NoteFacts f = {.event = n->event,
                   .kind = "backup",
                   .entry = c->t->entry,
                   .since = n->since,
                   .subject = n->event == NOTIFY_ANOMALY ? names : many,
                   .more = &n->lines};
    if (n->count == 1) {
        if (n->only)
            TRY(state_job_get(c->s, n->only, &only));
        of.job = only;
        f.database = names;
        f.subject = n->event == NOTIFY_ANOMALY ? n->lines.items[0] + strlen(names) + 2 : NULL;
        if (of.job && n->event != NOTIFY_ANOMALY)
            f.more = NULL; /* the job says it */
    } else if (n->event != NOTIFY_FAILURE) {
        of.job = NULL;
    }
    TRY(notify_tell(&of, key, c->now, &f, &told));
    for (size_t i = 0; told && i < n->causes.count; i++)
        TRY(state_condition_notified(c->s, n->causes.items[i], c->now));
    return NULL;
}

bool notify_is_of_all(const Telling *c)
{
    return c->t->all && c->job && !strcmp(c->job->kind, "backup") && !*c->job->database;
}

/* -- a run's end ----------------------------------------------------------------------------------
 */

typedef struct Parts {
    const Telling *c;
    bool again;
    News failed, recovered, unlike;
    StrList names;
    size_t failures;
} Parts;
static void parts_clear(Parts *p)
{
    news_clear(&p->failed);
    news_clear(&p->recovered);
    news_clear(&p->unlike);
    strlist_free(&p->names);
}
DEFINE_AUTO_VALUE(Parts, parts_clear)

static bool may_pass(const StateJob *j)
{
    for (ErrorKind k = 0; j->error_kind && k < ERROR_KINDS; k++)
        if (!strcmp(error_kind_info(k)->name, j->error_kind))
            return error_kind_info(k)->retryable;
    return false;
}

static Error *part_failed(Parts *p, const Telling *c)
{
    const StateJob *j = c->job;
    AUTO(char) thing = notify_thing("failing", j->kind, j->entry, j->database);
    AUTO(char) cause = notify_cause(c);
    const char *message = j->error_message ? j->error_message : "";
    bool began;
    p->failures++;
    if (p->again && may_pass(j))
        return NULL;
    TRY(notify_add_cause(c, thing, cause));
    if (notify_is_kind(j, ERR_DAMAGED))
        return notify_begin(c, cause, message, &(NoteFacts){.event = NOTIFY_DAMAGE});
    TRY(state_condition_set(c->s, cause, message, c->now, &began));
    if (began)
        add_news(&p->failed, j->database, message, cause, j->id);
    return NULL;
}

static Error *look_for_anomaly(Parts *p, const Telling *c)
{
    const StateJob *j = c->job;
    AUTO_VALUE(StateSamples) samples = {0};
    AUTO_VALUE(StrList) found = {0};
    AUTO(char) cause = notify_thing("anomaly", j->kind, j->entry, j->database);
    Instant unused = 0;
    bool began;
    TRY(state_job_samples(c->s, j->kind, j->entry, j->database, NOTIFY_SAMPLES + 1, &samples));
    notify_sample_judge(&samples, j->id, &found);
    if (!found.count)
        return notify_end(c, cause, &unused);
    TRY(state_condition_set(c->s, cause, found.items[0], c->now, &began));
    if (began)
        add_news(&p->unlike, j->database, found.items[0], cause, j->id);
    return NULL;
}

static Error *part_succeeded(Parts *p, const Telling *c)
{
    const StateJob *j = c->job;
    AUTO(char) thing = notify_thing("failing", j->kind, j->entry, j->database);
    Instant since = 0;
    char text[CLOCK_TEXT];
    TRY(notify_end_causes(c, thing, &since));
    if (since) {
        AUTO(char) line = mem_printf("it had failed since %s", clock_human(since, text));
        add_news(&p->recovered, j->database, line, NULL, j->id);
        if (!p->recovered.since || since < p->recovered.since)
            p->recovered.since = since;
    }
    return look_for_anomaly(p, c);
}

static Error *part_ended(void *ctx, const StateJob *part)
{
    Parts *p = ctx;
    Telling c = *p->c;
    c.job = part;
    strlist_add(&p->names, part->database);
    if (part->status == JOB_SUCCEEDED)
        return part_succeeded(p, &c);
    return part->status == JOB_FAILED ? part_failed(p, &c) : NULL;
}

/* What was wrong with a database that is no longer there is over. */
static Error *forget(const Telling *c, const char *database)
{
    AUTO(char) failing = notify_thing("failing", "backup", c->t->entry, database);
    AUTO(char) anomaly = notify_thing("anomaly", "backup", c->t->entry, database);
    Instant unused = 0;
    TRY(notify_end_causes(c, failing, &unused));
    return notify_end(c, anomaly, &unused);
}

/* Those that the last whole run had, and this one does not have any more. */
static Error *look_for_gone(Parts *p)
{
    AUTO_VALUE(StrList) before = {0};
    bool found;
    if (!parts_are_whole(p->c->job))
        return NULL;
    TRY(parts_known(p->c->s, p->c->t->entry, p->c->job->id, &before, &found));
    for (size_t i = 0; i < before.count; i++) {
        if (strlist_has(&p->names, before.items[i]))
            continue;
        TRY(forget(p->c, before.items[i]));
        add_news(&p->unlike, before.items[i],
                 "it is no longer among the databases of the server that are backed up", NULL, 0);
    }
    return NULL;
}

/* Whether all that failed are databases, and not patterns that none of them matches. */
static bool is_all_told(const Parts *p)
{
    const StateJob *j = p->c->job;
    AUTO(Doc) result = NULL;
    if (!notify_is_kind(j, ERR_PARTIAL))
        return false;
    if (j->result)
        error_drop(doc_parse(j->result, strlen(j->result), "a result", &result));
    return p->failures && p->failures >= doc_count(doc_get(result, "failed"));
}

Error *notify_parts(const Telling *c, bool again, bool *told_all)
{
    AUTO_VALUE(Parts)
    p = {.c = c,
         .again = again,
         .failed = {.event = NOTIFY_FAILURE, .what = "could not be backed up"},
         .recovered = {.event = NOTIFY_RECOVERED, .what = "are backed up again"},
         .unlike = {.event = NOTIFY_ANOMALY, .what = "are unlike before"}};
    TRY(parts_each(c->s, c->job->id, part_ended, &p));
    TRY(look_for_gone(&p));
    TRY(tell_news(c, &p.failed));
    TRY(tell_news(c, &p.recovered));
    TRY(tell_news(c, &p.unlike));
    *told_all = is_all_told(&p);
    return NULL;
}

/* -- no good backup for too long ------------------------------------------------------------------
 */

/* Where nothing was tried before, its time has not come. */
static Error *is_stale(const Telling *c, const char *database, Instant limit, Instant *since,
                       bool *stale)
{
    AUTO(StateJob) last = NULL;
    StateJobFilter before = {
        .kind = "backup", .entry = c->t->entry, .database = database, .until = limit};
    uint64_t tried = 0;
    TRY(state_job_last_success(c->s, "backup", c->t->entry, database, &last));
    if (!last)
        TRY(state_job_count(c->s, &before, &tried));
    *since = last ? last->ended : 0;
    *stale = last ? last->ended < limit : tried > 0;
    return NULL;
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = text; (p = strstr(p, line)); p += n)
        if ((p == text || p[-1] == '\n') && (p[n] == '\n' || !p[n]))
            return true;
    return false;
}

/* One condition for the entry, whose detail names those that were told of. */
static Error *set_stale(const Telling *c, const char *cause, const char *detail, News *news)
{
    bool began;
    Instant unused = 0;
    if (news->count)
        TRY(notify_end(c, cause, &unused));
    TRY(state_condition_set(c->s, cause, detail, c->now, &began));
    return tell_news(c, news);
}

static Error *end_stale(const Telling *c, const char *cause)
{
    Instant since = 0;
    bool told;
    TRY(notify_end(c, cause, &since));
    NoteFacts f = {.event = NOTIFY_RECOVERED,
                   .kind = "backup",
                   .entry = c->t->entry,
                   .subject = "all databases have recent backups again",
                   .since = since};
    return since && c->t->on_failure ? notify_tell(c, cause, since, &f, &told) : NULL;
}

Error *notify_stale_parts(const Telling *c, Instant limit, bool *known)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(News) news = {.event = NOTIFY_STALE, .what = "have no recent good backup"};
    AUTO(StateCondition) old = NULL;
    AUTO_VALUE(Buf) detail = {0};
    AUTO(char) cause = mem_printf("stale/%s", c->t->entry);
    TRY(parts_known(c->s, c->t->entry, 0, &names, known));
    TRY(state_condition_get(c->s, cause, &old));
    for (size_t i = 0; i < names.count; i++) {
        Instant since = 0;
        bool stale = false;
        char text[CLOCK_TEXT];
        TRY(is_stale(c, names.items[i], limit, &since, &stale));
        if (!stale)
            continue;
        AUTO(char) name = text_printable(names.items[i]);
        AUTO(char)
        line = since ? mem_printf("the last one is of %s", clock_human(since, text))
                     : mem_strdup("there is none yet");
        buf_printf(&detail, "%s%s", detail.len ? "\n" : "", name);
        if (old && has_line(old->detail ? old->detail : "", name))
            continue;
        add_news(&news, names.items[i], line, cause, 0);
        news.since = news.count == 1 ? since : 0;
    }
    AUTO(char) stale_now = buf_steal_str(&detail);
    if (*stale_now)
        return set_stale(c, cause, stale_now, &news);
    return *known && old ? end_stale(c, cause) : NULL;
}
