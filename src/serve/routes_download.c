/* The data of backups: downloads in three forms. */
#include <string.h>

#include "op/export.h"
#include "serve/api_internal.h"

#define TAG_HEX 32 /* of an ETag */

typedef struct Form {
    const char *ending, *format, *type;
    ExportOptions options; /* of these the format and the compression */
} Form;
static const Form forms[] = {
    {".dump", "custom", "application/octet-stream", {.format = EXPORT_CUSTOM}},
    {".sql.gz", "plain", "application/gzip", {.format = EXPORT_PLAIN, .compression = 6}},
    {".json", "json", "application/x-ndjson", {.format = EXPORT_JSON}},
};
#define FORM_JSON 2

static const Form *form_of(const char *name)
{
    size_t i = 0;
    while (i < FORM_JSON && !text_ends(name, forms[i].ending))
        i++;
    return &forms[i];
}

/* The ETag, with its quotes. */
static Error *make_tag(Ask *a, const ApiBackup *b, const Form *f, char out[TAG_HEX + 3])
{
    AUTO(char) hex = NULL;
    OpContext op = shelf_op(b->entry->shelf);
    op.tools.setting[TOOL_PG_RESTORE] = config_str(b->entry->config, SETTING_PG_RESTORE);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_export_tag(&op, &b->info, &f->options, &hex);
    pthread_mutex_unlock(&a->api->repository);
    TRY(e);
    out[0] = '"';
    memcpy(out + 1, hex, TAG_HEX);
    memcpy(out + 1 + TAG_HEX, "\"", 2);
    return NULL;
}

/* Not of the newest one: the rest may be another one's by then. */
static bool has_parts(const Ask *a)
{
    return a->part != NULL;
}

static void add_headers(Ask *a, const Form *f, const char *tag)
{

    AUTO(char) disposition = mem_printf("attachment; filename=\"%s\"", a->object);
    http_reply_header(a->reply, "ETag", tag);
    http_reply_header(a->reply, "Content-Type", f->type);
    http_reply_header(a->reply, "Content-Disposition", disposition);
    http_reply_header(a->reply, "Accept-Ranges", has_parts(a) ? "bytes" : "none");
}

/* What a HEAD gets: it costs no export. */
static void reply_head(Ask *a, const Form *f, const char *tag)
{
    HttpStream nothing = {.length = download_length(a->api->downloads, tag)};
    add_headers(a, f, tag);
    http_reply_stream(a->reply, 200, &nothing);
}

static Error *crowded(Ask *a)
{
    AUTO(Error)
    e = error_hint(ERROR_NEW(ERR_BUSY, "too many downloads wait already"), "try again later");
    http_reply_error(a->reply, e);
    a->reply->status = 503;
    http_reply_header(a->reply, "Retry-After", "30");
    return NULL;
}

static Error *beyond(Ask *a, const Download *d)
{
    AUTO(char) total = mem_printf("bytes */%llu", (unsigned long long)d->total);
    http_reply_header(a->reply, "Content-Range", total);
    FAIL(ERR_RANGE, "the whole has %llu bytes", (unsigned long long)d->total);
}

static void reply_download(Ask *a, const Form *f, const char *tag, const Download *d)
{
    add_headers(a, f, tag);
    if (d->partial) {
        AUTO(char)
        range = mem_printf("bytes %llu-%llu/%llu", (unsigned long long)d->from,
                           (unsigned long long)d->to - 1, (unsigned long long)d->total);
        http_reply_header(a->reply, "Content-Range", range);
    }
    http_reply_stream(a->reply, d->partial ? 206 : 200, &d->stream);
}

/* The part that is asked for; false: the whole. */
static bool wanted_range(const Ask *a, const char *tag, HttpRange *out)
{
    if (!has_parts(a))
        return false;
    const char *range = http_call_header(a->call, "Range");
    const char *only_of = http_call_header(a->call, "If-Range");
    return range && (!only_of || !strcmp(only_of, tag)) && http_range_parse(range, out);
}

static Error *send(Ask *a, const ApiBackup *b, const Form *form)
{
    Form wanted = *form, *f = &wanted;
    char tag[TAG_HEX + 3];
    AUTO_VALUE(StrList) words = {0};
    HttpRange range;
    Download download;
    f->options.compression = (int)api_int(a, "compression", f->options.compression);
    a->object = mem_printf("%s%s", b->info.id, f->ending);
    TRY(make_tag(a, b, f, tag));
    if (http_tag_listed(http_call_header(a->call, "If-None-Match"), tag)) {
        a->reply->status = 304;
        http_reply_header(a->reply, "ETag", tag);
        return NULL;
    }
    if (a->call->head) {
        reply_head(a, f, tag);
        return NULL;
    }
    strlist_add(&words, "export");
    strlist_add(&words, b->info.id);
    strlist_own(&words, mem_printf("--format=%s", f->format));
    strlist_own(&words, mem_printf("--compression=%d", f->options.compression));
    strlist_add(&words, "--output=-");
    TRY(download_begin(a->api->downloads,
                       &(DownloadRequest){
                           .entry = b->entry->name,
                           .words = &words,
                           .tag = tag,
                           .range = wanted_range(a, tag, &range) ? &range : NULL,
                           .socket = http_call_socket(a->call),
                           .who = &(StateAuditNew){.actor = a->who->name,
                                                   .role = state_role_name(a->who->role),
                                                   .origin = a->call->remote,
                                                   .action = "backup.download",
                                                   .object = a->object},
                       },
                       &download));
    if (download.crowded)
        return crowded(a);
    if (download.beyond)
        return beyond(a, &download);
    reply_download(a, f, tag, &download);
    return NULL;
}

Error *api_download(Ask *a)
{
    AUTO_VALUE(ApiBackup) b = {0};
    TRY(api_find_backup(a, a->part, &b));
    return send(a, &b, form_of(a->part));
}

/* Of type "full", which is the only one. */
Error *api_rows(Ask *a)
{
    AUTO_VALUE(ApiBackup) b = {0};
    const ServiceEntry *entry;
    TRY(api_asked_entry(a, &entry));
    TRY(api_newest_backup(a, entry, &b));
    return send(a, &b, &forms[FORM_JSON]);
}
