#include "repo/check.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "repo/check_work.h"
#include "repo/ledger.h"
#include "repo/origin.h"

#define METADATA_MAX (4u << 20)
#define MANIFEST ".manifest"
#define METADATA ".metadata.json"

const char *check_level_name(CheckLevel level)
{
    static const char *const names[] = {"quick", "data", "rebuild"};
    return names[level];
}

void check_report_clear(CheckReport *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->problems[i].object);
        free(r->problems[i].what);
        strlist_free(&r->problems[i].backups);
        strlist_free(&r->problems[i].streams);
    }
    free(r->problems);
    for (size_t i = 0; i < r->loss_count; i++) {
        free(r->losses[i].backup);
        strlist_free(&r->losses[i].streams);
    }
    free(r->losses);
    for (size_t i = 0; i < r->partly_count; i++)
        free(r->partly[i].backup);
    free(r->partly);
    strlist_free(&r->good);
    strlist_free(&r->bad);
    *r = (CheckReport){0};
}

/* -- findings -------------------------------------------------------------------------------- */

size_t check_problem(Check *c, const char *object, const char *what)
{
    /* Messages of the rooms below often begin with the object's name already. */
    size_t n = strlen(object);
    if (!strncmp(what, object, n) && !strncmp(what + n, ": ", 2))
        what += n + 2;
    AUTO(char) of = mem_printf(" of %s", object);
    const char *again = strstr(what, of);
    AUTO(char)
    text = again ? mem_printf("%.*s%s", (int)(again - what), what, again + strlen(of))
                 : mem_strdup(what);
    pthread_mutex_lock(&c->lock);
    CheckReport *r = c->report;
    mem_grow(r->problems, r->count, r->cap);
    r->problems[r->count] = (CheckProblem){.object = mem_strdup(object), .what = STEAL(text)};
    size_t place = r->count++;
    pthread_mutex_unlock(&c->lock);
    return place;
}

static void add_once(StrList *l, const char *s)
{
    if (!strlist_has(l, s))
        strlist_add(l, s);
}

void check_touch(Check *c, size_t problem, const char *backup, const char *stream)
{
    pthread_mutex_lock(&c->lock);
    CheckProblem *p = &c->report->problems[problem];
    add_once(&p->backups, backup);
    if (stream)
        add_once(&p->streams, stream);
    add_once(&c->bad, backup);
    check_lose(c, backup, stream);
    pthread_mutex_unlock(&c->lock);
}

bool check_touched(Check *c, const char *backup, const char *stream)
{
    bool touched = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->report->loss_count && !touched; i++) {
        const CheckLoss *l = &c->report->losses[i];
        touched = !strcmp(l->backup, backup) && strlist_has(&l->streams, stream);
    }
    pthread_mutex_unlock(&c->lock);
    return touched;
}

bool check_is_damage(const Error *e)
{
    switch (error_kind(e)) {
    case ERR_DAMAGED:
    case ERR_NOT_FOUND:
    case ERR_REPO_UNSUPPORTED: /* config says what is needed, so elsewhere it is a flipped bit */
    case ERR_REPO_PERMISSION:
    case ERR_LIMIT:
    case ERR_IO: /* a disk that cannot read its sectors */
        return true;
    default:
        return false;
    }
}

Error *check_left(Check *c, Error *e)
{
    if (!e || (error_kind(e) != ERR_REPO_PERMISSION && error_kind(e) != ERR_REPO_FULL))
        return e;
    pthread_mutex_lock(&c->lock);
    if (!c->read_only)
        log_warning("what was found cannot be noted in the repository: %s", error_message(e));
    c->read_only = true;
    pthread_mutex_unlock(&c->lock);
    error_free(e);
    return NULL;
}

/* Notes an object that cannot be read; an error that is no damage goes on. Takes e over. */
static Error *note_unreadable(Check *c, const char *object, Error *e)
{
    if (!e || !check_is_damage(e))
        return e;
    check_problem(c, object, error_message(e));
    error_free(e);
    return NULL;
}

Error *check_load(Check *c, const char *id, Manifest **out)
{
    Error *e = catalog_load(c->repo, id, out);
    if (!e || (!check_is_damage(e) && error_kind(e) != ERR_FENCED))
        return e;
    error_free(e);
    return NULL;
}

/* -- threads --------------------------------------------------------------------------------- */

Error *check_next(CheckTurns *t, size_t *i, bool *got)
{
    TRY(cancel_check(t->cancel));
    pthread_mutex_lock(&t->check->lock);
    *got = t->next < t->count;
    *i = t->next;
    t->next += *got;
    pthread_mutex_unlock(&t->check->lock);
    return NULL;
}

Error *check_parallel(Check *c, size_t count, GroupWork work, const void *ctx)
{
    AUTO(Group) g = NULL;
    TRY(group_new(job_cancel(c->job), &g));
    CheckTurns turns = {.check = c, .ctx = ctx, .cancel = group_cancel(g), .count = count};
    Error *e = NULL;
    for (size_t i = 0; i < c->jobs && i < count && !e; i++)
        e = group_start(g, work, &turns);
    group_fail(g, e);
    return group_join(g);
}

/* -- notes: config, sessions, trash, proofs and so on ----------------------------------------- */

static Error *check_session(Check *c, const char *name)
{
    AUTO_VALUE(SessionInfo) s = {0};
    return session_read(c->repo, name, &s);
}

/* A marker must be the one that its name says. */
/* A note of which one field says its name. */
static Error *check_named(Check *c, const char *name, const char *field,
                          char *(*name_of)(const char *, char *), const char *what)
{
    AUTO(Doc) d = NULL;
    char own[NAME_TEXT];
    TRY(note_get(c->repo, name, &d));
    if (strcmp(name_of(doc_str(d, field, ""), own), name) != 0)
        FAIL(ERR_DAMAGED, "%s", what);
    return NULL;
}

static Error *check_trash(Check *c, const char *name)
{
    return check_named(c, name, "backup", name_trash, "it is the marker of another backup");
}

static Error *check_proof(Check *c, const char *name)
{
    AUTO(Doc) d = NULL;
    PackId pack;
    uint32_t frame;
    TRY(note_get(c->repo, name, &d));
    if (name_parse_damage(name, &pack, &frame)) {
        char own[NAME_TEXT];
        int64_t number = frame == UINT32_MAX ? -1 : (int64_t)frame;
        if (strcmp(doc_str(d, "pack", ""), name_pack(pack, own)) != 0 ||
            doc_int(d, "frame", -2) != number)
            FAIL(ERR_DAMAGED, "it is the mark of another place");
        return NULL;
    }
    Instant when = 0;
    char time[CLOCK_TEXT];
    TRY(error_rekind(clock_parse(doc_str(d, "time", ""), &when), ERR_DAMAGED));
    AUTO(char)
    own = mem_printf("proofs/%s/%s-%s-%s-", doc_str(d, "backup", ""), clock_compact(when, time),
                     doc_str(d, "level", ""), doc_bool(d, "good", false) ? "good" : "bad");
    if (!text_starts(name, own))
        FAIL(ERR_DAMAGED, "it is the proof of something else");
    return NULL;
}

static Error *check_ledger(Check *c, const char *name)
{
    return ledger_check_note(c->repo, name);
}

static Error *check_origin(Check *c, const char *name)
{
    return origin_check(c->repo, name);
}

/* Which way a marker went. */
static Error *check_decision(Check *c, const char *name)
{
    return check_named(c, name, "by", name_decision, "it decides about another marker");
}

static Error *check_pin(Check *c, const char *name)
{
    return check_named(c, name, "backup", name_pin, "it is the pin of another backup");
}

static Error *check_lineage(Check *c, const char *name)
{
    AUTO(Doc) d = NULL;
    TRY(note_get(c->repo, name, &d));
    AUTO(char) own = mem_printf("/%lld-", (long long)doc_int(d, "sequence", -1));
    if (!strstr(name, own))
        FAIL(ERR_DAMAGED, "it says another number than its name");
    return NULL;
}

/* Those whose names say nothing of what they hold. */
static Error *check_other(Check *c, const char *name)
{
    AUTO(Doc) d = NULL;
    return note_get(c->repo, name, &d);
}

/* One that is gone since it was listed was ended, purged or replaced meanwhile. */
static Error *check_each(Check *c, const char *prefix, Error *(*check)(Check *, const char *))
{
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(repo_store(c->repo), prefix, &names));
    for (size_t i = 0; i < names.count; i++) {
        TRY(cancel_check(job_cancel(c->job)));
        Error *e = check(c, names.items[i]);
        if (e && error_kind(e) == ERR_NOT_FOUND)
            error_free(e);
        else
            TRY(note_unreadable(c, names.items[i], e));
    }
    return NULL;
}

static Error *check_notes(Check *c)
{
    TRY(note_unreadable(c, "config", repo_check_config(c->repo)));
    TRY(check_each(c, "sessions/", check_session));
    TRY(check_each(c, "trash/", check_trash));
    TRY(check_each(c, "ledger/", check_ledger));
    TRY(check_each(c, "origins/", check_origin));
    TRY(check_each(c, "pins/", check_pin));
    TRY(check_each(c, "purges/", check_decision));
    TRY(check_each(c, "merges/", check_other));
    TRY(check_each(c, "lineages/", check_lineage));
    return check_each(c, "proofs/", check_proof);
}

/* -- backups --------------------------------------------------------------------------------- */

/* Of a database that a write-only key is not for: nothing to look at. */
static bool is_closed(Check *c, const char *id)
{
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    uint64_t size;
    if (!repo_keys(c->repo) || keyring_full(repo_keys(c->repo)))
        return false;
    Error *e = store_size(repo_store(c->repo), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_info(c->repo, id, size, &info);
    bool closed = e && error_kind(e) == ERR_KEY;
    error_drop(e); /* all else is found when it is looked at */
    return closed;
}

static Error *list_backups(Check *c, StrList *out)
{
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(repo_store(c->repo), "backups/", &names));
    for (size_t i = 0; i < names.count; i++) {
        AUTO(char) id = catalog_id_of(names.items[i], MANIFEST);
        bool deleted = false;
        if (id)
            TRY(catalog_is_deleted(c->repo, id, &deleted));
        if (id && !deleted && !is_closed(c, id))
            strlist_own(out, STEAL(id));
    }
    return NULL;
}

/* A description without its manifest: that has been lost (a writer puts it first, and a purge
 * takes the marker away last). */
static Error *check_orphans(Check *c)
{
    AUTO_VALUE(StrList) names = {0};
    Store *s = repo_store(c->repo);
    TRY(note_names(s, "backups/", &names));
    for (size_t i = 0; i < names.count; i++) {
        AUTO(char) id = catalog_id_of(names.items[i], METADATA);
        char name[NAME_TEXT];
        bool there = true, deleted = false, metadata = false;
        if (id)
            TRY(store_exists(s, name_manifest(id, name), &there));
        if (!there)
            TRY(catalog_is_deleted(c->repo, id, &deleted));
        /* Purged since it was listed: the marker goes last. */
        if (!there && !deleted)
            TRY(store_exists(s, names.items[i], &metadata));
        if (there || deleted || !metadata)
            continue;
        check_touch(c,
                    check_problem(c, name,
                                  "the manifest is missing, but its metadata.json is "
                                  "there"),
                    id, NULL);
    }
    return NULL;
}

/* Whether a writer of this backup has not ended yet (or died before it wrote all). */
static Error *has_session(Check *c, const char *id, bool *found)
{
    AUTO_VALUE(StrList) names = {0};
    *found = false;
    TRY(note_names(repo_store(c->repo), "sessions/", &names));
    for (size_t i = 0; i < names.count && !*found; i++) {
        AUTO_VALUE(SessionInfo) s = {0};
        Error *e = session_read(c->repo, names.items[i], &s);
        *found = !e && s.kind == SESSION_WRITER && !strcmp(s.backup_id, id);
        if (e && !check_is_damage(e))
            return e;
        error_free(e);
    }
    return NULL;
}

/* metadata.json must be what the manifest's facts make it, byte for byte. A backup can be restored
 * without it, so the backup stays good. */
static Error *check_metadata(Check *c, const char *id, const Buf *manifest, const char *checksum)
{
    AUTO(Doc) facts = NULL;
    AUTO_VALUE(Buf) wanted = {0};
    AUTO_VALUE(Buf) found = {0};
    char name[NAME_TEXT];
    bool writing;
    TRY(manifest_facts(repo_keys(c->repo), manifest->data, manifest->len, id, &facts));
    backup_metadata_text(facts, checksum, &wanted);
    /* First the sessions, then the object: a writer puts it before its session ends. */
    TRY(has_session(c, id, &writing));
    Error *e = store_get_all(repo_store(c->repo), name_metadata(id, name), METADATA_MAX, &found);
    if (e && error_kind(e) == ERR_NOT_FOUND && writing) {
        error_free(e);
        return NULL;
    }
    if (!e && (found.len != wanted.len || memcmp(found.data, wanted.data, found.len) != 0))
        e = ERROR_NEW(ERR_DAMAGED, "it does not say what the manifest says");
    if (!e || !check_is_damage(e))
        return e;
    size_t problem = check_problem(c, name, error_message(e));
    strlist_add(&c->report->problems[problem].backups, id);
    error_free(e);
    return NULL;
}

static Error *read_backup(Check *c, const char *id)
{
    AUTO(Manifest) m = NULL;
    AUTO_VALUE(Buf) b = {0};
    char name[NAME_TEXT];
    TRY(catalog_get(c->repo, id, &b, &m));
    check_add_packs(c, m, name_manifest(id, name));
    strlist_add(&c->readable, id);
    return check_metadata(c, id, &b, m->info.checksum);
}

static Error *check_backup(Check *c, const char *id, bool listed)
{
    char name[NAME_TEXT];
    AUTO(Error) e = read_backup(c, id);
    if (!e) {
        c->report->backups++;
        return NULL;
    }
    /* The tombstone of a run that never ended, or a backup purged since it was listed. */
    if (listed && (error_kind(e) == ERR_FENCED || error_kind(e) == ERR_NOT_FOUND))
        return NULL;
    if (!check_is_damage(e) || (!listed && error_kind(e) == ERR_NOT_FOUND))
        return STEAL(e);
    c->report->backups++;
    check_touch(c, check_problem(c, name_manifest(id, name), error_message(e)), id, NULL);
    return NULL;
}

static Error *check_backups(Check *c, const StrList *ids)
{
    AUTO_VALUE(StrList) all = {0};
    bool listed = !ids || !ids->count;
    TRY(list_backups(c, &all));
    if (listed)
        TRY(check_orphans(c));
    const StrList *wanted = listed ? &all : ids;
    job_phase(c->job, "manifests", 0, wanted->count);
    for (size_t i = 0; i < wanted->count; i++) {
        TRY(cancel_check(job_cancel(c->job)));
        TRY(check_backup(c, wanted->items[i], listed));
        job_add_items(c->job, 1);
    }
    for (size_t i = 0; i < all.count; i++)
        if (!listed && !strlist_has(ids, all.items[i]))
            strlist_add(&c->others, all.items[i]);
    return NULL;
}

/* -- the whole ------------------------------------------------------------------------------- */

static const char *why_bad(const CheckReport *r, const char *id, char **text)
{
    for (size_t i = 0; i < r->count; i++)
        if (strlist_has(&r->problems[i].backups, id)) {
            *text = mem_printf("%s: %s", r->problems[i].object, r->problems[i].what);
            break;
        }
    return *text;
}

/* Says of each backup looked at whether it is good, here and in proofs/. */
static Error *conclude(Check *c, const StrList *looked_at)
{
    const char *level = check_level_name(c->level);
    for (size_t i = 0; i < looked_at->count; i++) {
        const char *id = looked_at->items[i];
        AUTO(char) text = NULL;
        bool bad = strlist_has(&c->bad, id);
        const CheckScope *scope = c->scopes && i < c->readable.count ? &c->scopes[i] : NULL;
        Proof proof = {.level = level, .good = !bad};
        if (!bad && scope && scope->unread) {
            CheckReport *r = c->report;
            mem_grow(r->partly, r->partly_count, r->partly_cap);
            r->partly[r->partly_count++] =
                (CheckPartly){mem_strdup(id), scope->packs, scope->unread};
            continue;
        }
        strlist_add(bad ? &c->report->bad : &c->report->good, id);
        if (c->read_only || (!bad && scope && scope->proven))
            continue;
        if (scope && !bad)
            proof.since = scope->oldest;
        proof.detail = bad ? why_bad(c->report, id, &text) : "";
        TRY(check_left(c, proof_put_whole(c->repo, id, &proof)));
    }
    return NULL;
}

static int by_object(const void *a, const void *b)
{
    const CheckProblem *x = a, *y = b;
    int order = strcmp(x->object, y->object);
    return order ? order : strcmp(x->what, y->what);
}

static Error *run(Check *c, const StrList *ids)
{
    AUTO_VALUE(StrList) looked_at = {0};
    bool all = !ids || !ids->count;
    job_phase(c->job, "listing", 0, 0);
    if (all)
        TRY(check_notes(c));
    TRY(check_backups(c, ids));
    TRY(check_choose(c));
    Error *e = check_packs(c);
    /* What was read before it ended need not be read again. */
    e = error_first(e, check_put_ledger(c));
    TRY(e);
    TRY(check_scopes(c));
    TRY(check_recipes(c));
    if (c->level >= CHECK_REBUILD)
        TRY(check_streams(c));
    strlist_copy(&looked_at, &c->readable);
    for (size_t i = 0; i < c->bad.count; i++)
        if (!strlist_has(&c->others, c->bad.items[i]))
            add_once(&looked_at, c->bad.items[i]);
    TRY(check_sum_losses(c));
    TRY(conclude(c, &looked_at));
    if (all)
        TRY(check_tidy_ledger(c));
    mem_sort(c->report->problems, c->report->count, sizeof *c->report->problems, by_object);
    return NULL;
}

static void check_clear(Check *c)
{
    for (size_t i = 0; i < c->pack_count; i++) {
        free(c->packs[i].frames);
        free(c->packs[i].bad);
    }
    free(c->packs);
    free(c->table);
    free(c->whole);
    free(c->scopes);
    strlist_free(&c->readable);
    strlist_free(&c->others);
    strlist_free(&c->bad);
    pthread_mutex_destroy(&c->lock);
}

Error *check_run(Repo *r, const StrList *ids, CheckLevel level, unsigned jobs, Job *job,
                 CheckReport *out)
{
    return check_run_part(r, ids, level, NULL, jobs, job, out);
}

Error *check_run_part(Repo *r, const StrList *ids, CheckLevel level, const CheckChoice *choice,
                      unsigned jobs, Job *job, CheckReport *out)
{
    AUTO(ReadSession) session = NULL;
    /* One session protects one backup by name; an empty name protects all. */
    const char *protect = ids && ids->count == 1 ? ids->items[0] : "";
    TRY(read_session_open(r, protect, "verify", &session));
    Check c = {.repo = r,
               .job = job,
               .level = level,
               .choice = choice,
               .started = clock_now(),
               .jobs = jobs ? jobs : 1,
               .report = out};
    pthread_mutex_init(&c.lock, NULL);
    Error *e = run(&c, ids);
    check_clear(&c);
    return e;
}
