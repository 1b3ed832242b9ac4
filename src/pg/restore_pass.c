#include "pg/restore_pass.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/text.h"
#include "pg/child.h"
#include "pg/toc_attach.h"

#define WAIT_MS 50 /* how often a cancellation is looked for while pg_restore runs */

bool restore_part_wants(RestorePart part, const TocEntry *e)
{
    if (toc_has_block(e))
        return false;
    bool object = toc_is(e, "BLOB") || toc_is(e, "BLOB METADATA");
    bool privileges = toc_is(e, "ACL") || toc_is(e, "DEFAULT ACL");
    bool before = object || (e->section == TOC_PRE_DATA && !privileges);
    return before == (part == RESTORE_BEFORE);
}

bool restore_server_has(int server_major, const TocEntry *e)
{
    return server_major >= 18 || !toc_is(e, "STATISTICS DATA");
}

static bool makes_public(const TocEntry *e)
{
    return toc_is(e, "SCHEMA") && !strcmp(e->tag, "public") &&
           text_starts(e->defn, "CREATE SCHEMA");
}

const TocEntry *restore_public(const Toc *toc)
{
    for (size_t i = 0; i < toc->count; i++)
        if (makes_public(&toc->entries[i]))
            return &toc->entries[i];
    return NULL;
}

typedef struct Choice {
    const Toc *toc;
    const RestoreWanted *wanted;
} Choice;

static bool is_wanted(void *ctx, const TocEntry *e)
{
    const Choice *c = ctx;
    const RestoreWanted *w = c->wanted;
    return restore_part_wants(w->part, e) && restore_server_has(w->server_major, e) &&
           !(w->public_there && makes_public(e)) && !(w->made && w->made[e - c->toc->entries]);
}

/* An Int of the archive, at `at` of raw. */
static Error *read_int(const Toc *t, size_t *at, int64_t *out)
{
    size_t width = (size_t)t->int_size;
    if (t->raw.len < *at || t->raw.len - *at < 1 + width)
        FAIL(ERR_ARCHIVE, "the archive's header is cut short");
    const uint8_t *p = t->raw.data + *at;
    uint64_t v = 0;
    for (size_t i = 0; i < width && i < sizeof v; i++)
        v |= (uint64_t)p[1 + i] << (8 * i);
    *at += 1 + width;
    *out = p[0] ? -(int64_t)v : (int64_t)v;
    return NULL;
}

/* Where the number of entries stands in raw: behind compression, seven Ints of time and three
 * strings. */
static Error *find_count(const Toc *t, size_t *at)
{
    int64_t n;
    *at = t->compression_at;
    if (t->minor >= 15)
        ++*at;
    else
        TRY(read_int(t, at, &n));
    for (int i = 0; i < 7; i++)
        TRY(read_int(t, at, &n));
    for (int i = 0; i < 3; i++) {
        TRY(read_int(t, at, &n));
        if (n > 0 && (uint64_t)n > t->raw.len - *at)
            FAIL(ERR_ARCHIVE, "the archive's header is cut short");
        if (n > 0)
            *at += (size_t)n;
    }
    return NULL;
}

Error *restore_part_cut(const Toc *t, const RestoreWanted *wanted, Buf *out)
{
    Choice want = {t, wanted};
    size_t count_at = 0, count = 0;
    TRY(find_count(t, &count_at));
    for (size_t i = 0; i < t->count; i++)
        count += is_wanted(&want, &t->entries[i]);
    buf_add(out, t->raw.data, count_at);
    buf_u8(out, 0);
    for (int i = 0; i < t->int_size; i++)
        buf_u8(out, i < 8 ? (uint8_t)((uint64_t)count >> (8 * i)) : 0);
    size_t start = count_at + 1 + (size_t)t->int_size;
    for (size_t i = 0; i < t->count; i++) {
        /* An entry ends with its Offset: a flag and off_size bytes. */
        size_t end = t->entries[i].offset_at + 1 + (size_t)t->off_size;
        if (end < start || end > t->raw.len)
            FAIL(ERR_ARCHIVE, "the archive's entries do not follow each other");
        if (is_wanted(&want, &t->entries[i]))
            buf_add(out, t->raw.data + start, end - start);
        start = end;
    }
    return NULL;
}

typedef struct Listener {
    RestoreSaid said;
    atomic_bool failed;
    const RestorePassOptions *o;
} Listener;

static void hear(void *ctx, const char *line)
{
    static const char making[] = "pg_restore: creating ";
    Listener *l = ctx;
    restore_said_line(&l->said, line);
    if (l->said.error)
        atomic_store(&l->failed, true);
    if (l->o->object && text_starts(line, making))
        l->o->object(l->o->ctx, line + sizeof making - 1);
}

static Error *wait_cancellable(Proc *p, Listener *l, int *status)
{
    bool ended = false;
    Silence silence = {0};
    for (bool done = false; !done;) {
        TRY(proc_wait_for(p, WAIT_MS, &done, status));
        /* Where these fail the caller's proc_free ends the child. */
        if (!done)
            TRY(cancel_check(l->o->cancel));
        if (!done)
            TRY(conn_watch_child(l->o->server, &silence));
        if (!done && !ended && l->said.old_server && atomic_load(&l->failed)) {
            proc_signal(p, SIGTERM); /* it would go on */
            ended = true;
        }
    }
    return NULL;
}

static void add_flags(const RestorePassOptions *o, bool old_server, StrList *argv)
{
    if (!old_server)
        strlist_add(argv, "--exit-on-error");
    strlist_add(argv, "--verbose"); /* or it does not say at which entry it failed */
    strlist_add(argv, "--no-password");
    if (o->no_owner)
        strlist_add(argv, "--no-owner");
    if (o->no_privileges)
        strlist_add(argv, "--no-privileges");
    if (o->no_tablespaces)
        strlist_add(argv, "--no-tablespaces");
    if (o->role)
        strlist_own(argv, mem_printf("--role=%s", o->role));
}

/* Settings of the database or the role that would be in the way are beaten by these; and commits do
 * not wait for the disk (whoever calls ends with one that does). */
#define SETTINGS                                                                                   \
    "-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed "      \
    "-c synchronous_commit=off"

static Error *run(const RestorePassOptions *o, RestorePart part, Listener *l)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(StrList) env = {0};
    AUTO_VALUE(Fd) archive = {-1};
    AUTO_VALUE(Fd) list = {-1};
    AUTO_VALUE(Buf) bytes = {0};
    AUTO_VALUE(Buf) apart = {0};
    AUTO(Proc) p = NULL;
    ProcOptions options = {.argv = &argv, .env = &env, .line = hear, .ctx = l};
    /* Of its own, before and behind the jobs, whose errors it does not count. */
    int sessions = o->jobs > 1 && part == RESTORE_BEHIND && !o->tool->is_command ? 2 : 1;
    RestoreWanted wanted = {part, conn_server_major(o->server), o->public_there, o->made};
    Choice want = {o->toc, &wanted};

    strlist_copy(&argv, &o->tool->argv);
    strlist_add(&argv, "--format=custom");
    l->said.old_server = o->tool->major >= 17 && conn_server_major(o->server) < 17;
    add_flags(o, l->said.old_server, &argv);
    TRY(child_env(o->server, o->dbname, SETTINGS, &env, &argv));
    if (o->tool->is_command) {
        TRY(restore_part_cut(o->toc, &wanted, &bytes));
        TRY(file_temp_with(&bytes, &archive));
        options.in_fd = archive.n;
    } else {
        toc_list(o->toc, is_wanted, &want, &bytes);
        if (sessions > 1)
            TRY(toc_attach_alone(o->toc, &apart));
        TRY(file_temp_with(&bytes, &list));
        TRY(file_temp_with(apart.len ? &apart : &o->toc->raw, &archive));
        strlist_add(&argv, "--use-list=/dev/stdin");
        if (sessions > 1)
            strlist_own(&argv, mem_printf("--jobs=%u", o->jobs));
        strlist_own(&argv, mem_printf("/dev/fd/%d", archive.n));
        options.in_fd = list.n;
        options.pass_fd = archive.n;
    }
    TRY(proc_start(&options, &p));
    int status = 0;
    TRY(wait_cancellable(p, l, &status));
    if (status == 1 && restore_said_only_refused(&l->said, sessions))
        return NULL;
    return status ? restore_said_error(&l->said, status) : NULL;
}

Error *restore_pass_run(const RestorePassOptions *o, RestorePart part, StrList *warnings)
{
    Listener l = {.o = o};
    Error *e = run(o, part, &l);
    if (!e)
        strlist_copy(warnings, &l.said.warnings);
    restore_said_clear(&l.said);
    return e;
}
