/* The name of an export's bytes: what they depend on, hashed. */
#include <string.h>

#include "codec/gzip.h"
#include "crypto/hash.h"
#include "op/export.h"
#include "pg/toc_write.h"

static void add(Hash *h, const char *text)
{
    hash_add(h, text, strlen(text) + 1);
}

/* Plain SQL is as the pg_restore at hand prints it: the one that export_plain takes. Where there is
 * none the export says so. */
static Error *add_tool(const OpContext *c, const BackupInfo *b, const ExportOptions *o, Hash *h)
{
    AUTO(Tool) tool = NULL;
    int server = o->restore_major
                     ? o->restore_major
                     : atoi(b->database_version + strcspn(b->database_version, "0123456789"));
    Toc of_dump = {.minor = toc_minor_for(atoi(b->tool_version))};
    Error *e =
        tools_find(&c->tools, TOOL_PG_RESTORE, server * 10000, toc_restore_major(&of_dump), &tool);
    if (e && error_kind(e) != ERR_TOOL_MISSING && error_kind(e) != ERR_TOOL_VERSION)
        return e;
    error_free(e);
    add(h, tool ? tool->text : "none");
    for (size_t i = 0; tool && i < tool->argv.count; i++)
        add(h, tool->argv.items[i]);
    return NULL;
}

Error *op_export_tag(const OpContext *c, const BackupInfo *b, const ExportOptions *o, char **hex)
{
    AUTO(Hash) h = hash_new();
    AUTO(Repo) repo = NULL;
    AUTO(char) checksum = NULL;
    AUTO(char) wishes = mem_printf("%d %d", o->compression, o->restore_major);
    uint8_t digest[HASH_BYTES];
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_checksum(repo, b->id, &checksum));
    add(h, PGSTOW_VERSION);
    add(h, gzip_version());
    add(h, export_format_name(o->format));
    add(h, wishes);
    add(h, checksum);
    if (o->format == EXPORT_PLAIN)
        TRY(add_tool(c, b, o, h));
    hash_end(h, digest);
    *hex = mem_zalloc(2 * HASH_BYTES + 1);
    text_hex(digest, HASH_BYTES, *hex);
    return NULL;
}
