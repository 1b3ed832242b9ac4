#include "pg/restore_script.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "pg/toc_write.h"

#define SCRIPT_MAX ((size_t)1 << 30) /* an archive's definitions have that bound too */
#define READ_SIZE ((size_t)64 << 10)

void restore_script_clear(RestoreScript *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->steps[i].settings);
        free(s->steps[i].sql);
    }
    free(s->steps);
    *s = (RestoreScript){0};
}

/* -- taking the text apart -------------------------------------------------------------------- */

/* "--\n-- TOC entry 216 (class 1259 OID 16800)\n": the entry it names. A text in somebody's
 * function that looks so would have to know its numbers; that function then is no statement any
 * more, and the server refuses it. */
static const TocEntry *header_at(const Toc *toc, const char *p)
{
    char line[96]; /* sscanf would look for the end of the whole text */
    int id, end = 0;
    unsigned table_oid, oid;
    snprintf(line, sizeof line, "%.*s", (int)strnlen(p, sizeof line - 1), p);
    if (sscanf(line, "--\n-- TOC entry %d (class %u OID %u)%n", &id, &table_oid, &oid, &end) < 3 ||
        !end || line[end] != '\n')
        return NULL;
    const TocEntry *e = toc_find(toc, id);
    return e && e->table_oid == table_oid && e->oid == oid ? e : NULL;
}

static bool is_setting(const char *line, size_t n)
{
    static const char *const starts[] = {
        "SET default_tablespace = ", "SET default_table_access_method = ",
        "SET default_with_oids = ", "SET search_path = ",
        "SELECT pg_catalog.set_config('search_path', "};
    if (!n || line[n - 1] != ';')
        return false;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (n > strlen(starts[i]) && !memcmp(line, starts[i], strlen(starts[i])))
            return true;
    return false;
}

/* The settings that an entry is made under stand before its header: where they begin. */
static const char *settings_start(const char *from, const char *header)
{
    const char *start = header;
    for (const char *end = header; end > from;) {
        const char *line = --end; /* at the newline */
        while (line > from && line[-1] != '\n')
            line--;
        if (line < end && !is_setting(line, (size_t)(end - line)))
            break;
        if (line < end)
            start = line;
        end = line;
    }
    return start;
}

static const char *next_header(const Toc *toc, const char *from, const bool *seen,
                               const TocEntry **entry)
{
    for (const char *p = from; (p = strstr(p, "--\n-- TOC entry ")); p++) {
        *entry = p == from || p[-1] == '\n' ? header_at(toc, p) : NULL;
        if (*entry && !seen[*entry - toc->entries])
            return p;
    }
    return NULL;
}

void restore_script_split(const Toc *toc, const char *text, RestoreScript *out)
{
    static const char end_mark[] = "\n--\n-- PostgreSQL database dump complete\n";
    const char *end = text + strlen(text);
    for (const char *p = text; (p = strstr(p, end_mark)); p++)
        end = p; /* the last one */
    bool *seen = mem_calloc(toc->count + 1, sizeof *seen);
    const TocEntry *entry = NULL, *following = NULL;
    const char *header = next_header(toc, text, seen, &entry);
    const char *from = header ? settings_start(text, header) : NULL;
    while (header && header < end) {
        seen[entry - toc->entries] = true;
        const char *next = next_header(toc, header + 1, seen, &following);
        const char *stop = next && next < end ? settings_start(header, next) : end;
        mem_grow(out->steps, out->count, out->cap);
        out->steps[out->count++] = (RestoreStep){
            .entry = entry,
            .settings = mem_strndup(from, (size_t)(header - from)),
            .sql = mem_strndup(header, (size_t)(stop - header)),
        };
        from = stop;
        header = next;
        entry = following;
    }
    free(seen);
}

/* -- getting it ------------------------------------------------------------------------------- */

static Error *read_all(const RestorePassOptions *o, Proc *p, Buf *out)
{
    for (;;) {
        bool ready;
        TRY(cancel_poll(o->cancel, proc_out(p), POLLIN, -1, &ready));
        TRY(buf_reserve(out, READ_SIZE, SCRIPT_MAX));
        ssize_t r = read(proc_out(p), out->data + out->len, READ_SIZE);
        if (r < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (r < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot read from pg_restore");
        if (!r)
            return NULL;
        out->len += (size_t)r;
    }
}

static void hear(void *ctx, const char *line)
{
    restore_said_line(ctx, line);
}

static Error *run(const RestorePassOptions *o, TocWant want, void *ctx, RestoreSaid *said,
                  Buf *text)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(StrList) env = {0};
    AUTO_VALUE(Fd) archive = {-1};
    AUTO(Toc) cut = NULL;
    AUTO(Proc) p = NULL;
    TRY(toc_rewrite(o->toc, &(TocShape){.want = want, .ctx = ctx}, &cut));
    TRY(file_temp_with(&cut->raw, &archive));
    strlist_copy(&argv, &o->tool->argv);
    strlist_add(&argv, "--format=custom");
    strlist_add(&argv, "--verbose"); /* for the headers with numbers */
    if (o->no_owner)
        strlist_add(&argv, "--no-owner");
    if (o->no_privileges)
        strlist_add(&argv, "--no-privileges");
    if (o->no_tablespaces)
        strlist_add(&argv, "--no-tablespaces");
    if (o->tool->major >= 12) /* before, it prints where no database is named */
        strlist_add(&argv, "--file=-");
    strlist_add(&env, "LC_ALL=C");
    TRY(proc_start(&(ProcOptions){.argv = &argv,
                                  .env = &env,
                                  .pipe_out = true,
                                  .in_fd = archive.n,
                                  .line = hear,
                                  .ctx = said},
                   &p));
    TRY(read_all(o, p, text));
    int status;
    TRY(proc_wait(p, &status));
    return status ? restore_said_error(said, status) : NULL;
}

Error *restore_script_make(const RestorePassOptions *o, TocWant want, void *ctx, RestoreScript *out)
{
    RestoreSaid said = {0};
    AUTO_VALUE(Buf) text = {0};
    Error *e = run(o, want, ctx, &said, &text);
    restore_said_clear(&said);
    TRY(e);
    if (memchr(text.data ? text.data : (uint8_t *)"x", 0, text.len))
        FAIL(ERR_TOOL_FAILED, "pg_restore printed a zero byte");
    AUTO(char) all = buf_steal_str(&text);
    restore_script_split(o->toc, all, out);
    return NULL;
}
