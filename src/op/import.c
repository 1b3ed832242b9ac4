#include "op/import.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "op/import_work.h"

#define CHECKSUM_TAG "sha256="

void import_result_clear(ImportResult *r)
{
    for (size_t i = 0; i < r->count; i++) {
        ImportItem *item = &r->items[i];
        free(item->path);
        backup_info_clear(&item->info);
        strlist_free(&item->notes);
        error_free(item->error);
    }
    free(r->items);
    *r = (ImportResult){0};
}

static void work_clear(ImportWork *w)
{
    import_input_clear(&w->input);
    import_facts_clear(&w->facts);
    if (w->cancel)
        cancel_free(w->cancel);
}
DEFINE_AUTO_VALUE(ImportWork, work_clear)

/* -- which dumps ------------------------------------------------------------------------------ */

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_directory_dump(const char *path)
{
    AUTO(char) toc = file_join(path, "toc.dat");
    return is_folder(path) && file_exists(toc);
}

/* The dumps in a folder, by name. Other folders in it are left alone. */
static Error *list_folder(const char *path, StrList *out)
{
    AUTO_VALUE(StrList) names = {0};
    DIR *dir = opendir(path);
    if (!dir)
        return error_errno(ERR_IO, ERR_IO, "cannot read folder %s", path);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        AUTO(char) whole = file_join(path, entry->d_name);
        if (*entry->d_name != '.' && !import_is_metadata(entry->d_name) &&
            (!is_folder(whole) || is_directory_dump(whole)))
            strlist_own(&names, STEAL(whole));
    }
    int failed = errno;
    closedir(dir);
    if (failed) {
        errno = failed;
        return error_errno(ERR_IO, ERR_IO, "cannot read folder %s", path);
    }
    if (!names.count)
        FAIL(ERR_NOT_FOUND, "there is no dump in %s", path);
    strlist_sort(&names);
    strlist_copy(out, &names);
    return NULL;
}

static Error *list_dumps(const ImportOptions *o, StrList *out)
{
    for (const char *const *path = o->paths; *path; path++) {
        if (is_folder(*path) && !is_directory_dump(*path))
            TRY(list_folder(*path, out));
        else
            strlist_add(out, *path);
    }
    return NULL;
}

/* -- one dump --------------------------------------------------------------------------------- */

static char *base_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t start = n;
    while (start && path[start - 1] != '/')
        start--;
    return mem_strndup(path + start, n - start);
}

static Error *open_input(ImportWork *w)
{
    if (is_folder(w->path)) {
        w->form = DUMP_DIRECTORY;
        return NULL;
    }
    TRY(import_input_open(w->path, &w->input));
    TRY(import_input_form(&w->input, &w->form));
    if (w->form == DUMP_UNKNOWN)
        return error_hint(
            ERROR_NEW(ERR_ARCHIVE, "%s is no dump of PostgreSQL that could be told", w->path),
            "known are pg_dump's custom, directory, tar and plain formats, also compressed by "
            "gzip, zstd or lz4");
    return NULL;
}

/* A dump is known again by its bytes; of a folder, by its table of contents. */
static Error *checksum(ImportWork *w)
{
    if (w->facts.checksum)
        return NULL;
    AUTO(char) toc = file_join(w->path, "toc.dat");
    return import_checksum(w->form == DUMP_DIRECTORY ? toc : w->path, &w->facts.checksum);
}

/* In the repository before, or by this very run. */
static void find_earlier(const BackupList *there, const ImportResult *run, const char *tag,
                         ImportItem *item)
{
    const BackupInfo *found = NULL;
    for (size_t i = 0; i < there->count && !found; i++)
        if (strlist_has(&there->items[i].tags, tag))
            found = &there->items[i];
    for (size_t i = 0; i < run->count && !found; i++)
        if (run->items[i].state == IMPORT_DONE && strlist_has(&run->items[i].info.tags, tag))
            found = &run->items[i].info;
    if (!found)
        return;
    item->state = IMPORT_THERE;
    backup_info_copy(&item->info, found);
}

static Error *import_one(const OpContext *c, const ImportOptions *o, const BackupList *there,
                         const ImportResult *run, ImportItem *item)
{
    ImportOptions own = *o;
    AUTO_VALUE(StrList) tags = {0};
    AUTO_VALUE(ImportWork) w = {.c = c, .o = &own, .path = item->path, .input = {.fd = {-1}}};
    AUTO(char) name = base_name(item->path);
    TRY(cancel_new(job_cancel(c->job), &w.cancel));
    if (o->timeout_ms)
        cancel_deadline(w.cancel, o->timeout_ms);
    job_phase(c->job, "looking at the dump", 0, 0);
    TRY(import_facts_read(item->path, &w.facts));
    TRY(open_input(&w));
    item->form = dump_form_name(w.form);
    TRY(checksum(&w));
    if (o->database) {
        free(w.facts.database);
        w.facts.database = mem_strdup(o->database);
    }
    if (o->at_given) {
        w.facts.at_given = true;
        w.facts.at = o->at;
    }
    strlist_copy(&tags, &o->tags);
    strlist_own(&tags, mem_printf("imported=%s", name));
    strlist_own(&tags, mem_printf(CHECKSUM_TAG "%s", w.facts.checksum));
    find_earlier(there, run, tags.items[tags.count - 1], item);
    if (item->state == IMPORT_THERE)
        return NULL;
    own.tags = tags;
    bool fits = false;
    if (w.form == DUMP_CUSTOM || w.form == DUMP_DIRECTORY)
        TRY(import_archive(&w, &fits, &item->info));
    if (!fits)
        TRY(import_sql(&w, &item->notes, &item->info));
    item->state = IMPORT_DONE;
    return NULL;
}

static Error *list_there(const OpContext *c, BackupList *out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_expect_repo(c, &repo));
    return repo ? catalog_list(repo, NULL, out) : NULL;
}

Error *op_import(const OpContext *c, const ImportOptions *o, ImportResult *out)
{
    AUTO_VALUE(StrList) dumps = {0};
    AUTO_VALUE(BackupList) there = {0};
    TRY(list_dumps(o, &dumps));
    TRY(list_there(c, &there));
    for (size_t i = 0; i < dumps.count; i++) {
        mem_grow(out->items, out->count, out->cap);
        ImportItem *item = &out->items[out->count++];
        *item =
            (ImportItem){.path = mem_strdup(dumps.items[i]), .form = dump_form_name(DUMP_UNKNOWN)};
        item->error = import_one(c, o, &there, out, item);
        if (item->error)
            item->state = IMPORT_FAILED;
        TRY(cancel_check(job_cancel(c->job)));
    }
    return NULL;
}
