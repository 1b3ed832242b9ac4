#include "repo/manifest.h"

#include <string.h>

#include "repo/repo_internal.h"

/* The strings of BackupInfo that the facts hold, with the names they have in JSON: one mapping for
 * writing, reading, copying and clearing. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
#define TEXT(name, field)                                                                          \
    {                                                                                              \
        name, offsetof(BackupInfo, field)                                                          \
    }
    TEXT("id", id),
    TEXT("key", key),
    TEXT("database", database),
    TEXT("databaseVersion", database_version),
    TEXT("toolVersion", tool_version),
    TEXT("pgstowVersion", pgstow_version),
    TEXT("server", server),
    TEXT("systemIdentifier", system_identifier),
    TEXT("encoding", encoding),
    TEXT("collate", collate),
    TEXT("ctype", ctype),
    TEXT("filter", filter),
    TEXT("parent", parent),
    TEXT("predecessorHash", predecessor_hash),
#undef TEXT
};
#define TEXTS (sizeof texts / sizeof *texts)

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
#define NUMBER(name, field)                                                                        \
    {                                                                                              \
        name, offsetof(BackupInfo, field)                                                          \
    }
    NUMBER("size", size),
    NUMBER("logicalSize", logical_size),
    NUMBER("newBytes", new_bytes),
    NUMBER("rewritten", rewritten),
    NUMBER("tables", tables),
    NUMBER("rows", rows),
    NUMBER("largeObjects", large_objects),
    NUMBER("sequence", sequence),
#undef NUMBER
};
#define NUMBERS (sizeof numbers / sizeof *numbers)

static char **text_of(const BackupInfo *i, size_t k)
{
    return (char **)((uintptr_t)i + texts[k].offset);
}

static uint64_t *number_of(const BackupInfo *i, size_t k)
{
    return (uint64_t *)((uintptr_t)i + numbers[k].offset);
}

void backup_info_clear(BackupInfo *i)
{
    for (size_t k = 0; k < TEXTS; k++)
        free(*text_of(i, k));
    strlist_free(&i->tags);
    strlist_free(&i->warnings);
    strlist_free(&i->masked);
    free(i->last_proof_level);
    free(i->checksum);
    free(i->copied_repository);
    free(i->copied_id);
    free(i->copied_checksum);
    *i = (BackupInfo){0};
}

void backup_info_copy(BackupInfo *to, const BackupInfo *from)
{
    *to = *from;
    for (size_t k = 0; k < TEXTS; k++)
        *text_of(to, k) = mem_strdup(*text_of(from, k));
    to->tags = to->warnings = to->masked = (StrList){0};
    strlist_copy(&to->tags, &from->tags);
    strlist_copy(&to->warnings, &from->warnings);
    strlist_copy(&to->masked, &from->masked);
    to->last_proof_level = mem_strdup(from->last_proof_level);
    to->checksum = mem_strdup(from->checksum);
    to->copied_repository = mem_strdup(from->copied_repository);
    to->copied_id = mem_strdup(from->copied_id);
    to->copied_checksum = mem_strdup(from->copied_checksum);
}

static void set_time(Doc *d, const char *key, Instant t)
{
    char text[CLOCK_TEXT];
    doc_set_str(d, key, clock_iso(t, text));
}

static Doc *tags_doc(const StrList *tags)
{
    Doc *d = doc_object();
    for (size_t k = 0; k < tags->count; k++) {
        const char *tag = tags->items[k], *equals = strchr(tag, '=');
        AUTO(char) key = equals ? mem_strndup(tag, (size_t)(equals - tag)) : mem_strdup(tag);
        doc_set_str(d, key, equals ? equals + 1 : "");
    }
    return d;
}

static void get_texts(const Doc *list, StrList *out)
{
    for (size_t k = 0; k < doc_count(list); k++) {
        const char *text = doc_text(doc_at(list, k));
        if (text)
            strlist_add(out, text);
    }
}

Doc *backup_info_facts(const BackupInfo *i)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", i->id);
    doc_set_str(d, "key", i->key);
    doc_set_str(d, "database", i->database);
    set_time(d, "timestamp", i->timestamp);
    for (size_t k = 0; k < NUMBERS; k++)
        doc_set_int(d, numbers[k].name, (int64_t)*number_of(i, k));
    doc_set_bool(d, "compressed", i->compressed);
    doc_set_bool(d, "encrypted", i->encrypted);
    for (size_t k = 0; k < TEXTS; k++)
        if (!doc_has(d, texts[k].name))
            doc_set_str(d, texts[k].name, *text_of(i, k) ? *text_of(i, k) : "");
    doc_set_int(d, "databaseOid", i->database_oid);
    set_time(d, "started", i->started);
    set_time(d, "finished", i->finished);
    doc_set_int(d, "duration", i->finished - i->started);
    doc_set(d, "tags", tags_doc(&i->tags));
    doc_set(d, "warnings", doc_texts(&i->warnings));
    if (i->copied_checksum) {
        Doc *copied = doc_object();
        doc_set_str(copied, "repository", i->copied_repository);
        doc_set_str(copied, "id", i->copied_id);
        doc_set_str(copied, "checksum", i->copied_checksum);
        doc_set(d, "copiedFrom", copied);
    }
    if (i->globals)
        doc_set_bool(d, "globals", true);
    if (i->role_passwords)
        doc_set_bool(d, "rolePasswords", true);
    if (i->masked.count)
        doc_set(d, "masked", doc_texts(&i->masked));
    return d;
}

Doc *backup_info_doc(const BackupInfo *i)
{
    Doc *d = backup_info_facts(i);
    doc_set_str(d, "checksum", i->checksum);
    doc_set_bool(d, "pinned", i->pinned);
    if (!i->last_proof_level) {
        doc_set_null(d, "lastProof");
        return d;
    }
    Doc *proof = doc_object();
    doc_set_str(proof, "level", i->last_proof_level);
    doc_set_bool(proof, "good", i->proven);
    set_time(proof, "time", i->last_proof);
    doc_set(d, "lastProof", proof);
    if (i->last_drill) {
        Doc *drill = doc_object();
        set_time(drill, "time", i->last_drill);
        doc_set_int(drill, "restoreTime", i->restore_ms);
        doc_set(d, "lastDrill", drill);
    }
    return d;
}

void backup_metadata_text(Doc *facts, const char *checksum, Buf *out)
{
    /* Legible, so of an encrypted backup nothing that tells of what is in it. */
    static const char *const secret[] = {"server",  "systemIdentifier", "databaseOid", "encoding",
                                         "collate", "ctype",            "filter",      "masked",
                                         "tags",    "warnings"};
    if (doc_bool(facts, "encrypted", false))
        for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
            doc_remove(facts, secret[i]);
    doc_set_str(facts, "checksum", checksum);
    AUTO(char) text = doc_print(facts, true);
    buf_printf(out, "%s\n", text);
}

void backup_info_metadata(const BackupInfo *i, Buf *out)
{
    AUTO(Doc) facts = backup_info_facts(i);
    backup_metadata_text(facts, i->checksum, out);
}

/* -- reading --------------------------------------------------------------------------------- */

static Error *get_time(const Doc *d, const char *key, Instant *out)
{
    const char *text = doc_str(d, key, NULL);
    Error *e = text ? clock_parse(text, out) : ERROR_NEW(ERR_DAMAGED, "it is missing");
    return error_rekind(error_context(e, "the facts' \"%s\"", key), ERR_DAMAGED);
}

Error *backup_info_parse(const Doc *d, BackupInfo *out)
{
    for (size_t k = 0; k < TEXTS; k++) {
        const char *text = doc_str(d, texts[k].name, NULL);
        if (!text)
            FAIL(ERR_DAMAGED, "the facts' \"%s\" is missing", texts[k].name);
        *text_of(out, k) = mem_strdup(text);
    }
    for (size_t k = 0; k < NUMBERS; k++) {
        int64_t n = doc_int(d, numbers[k].name, -1);
        if (n < 0)
            FAIL(ERR_DAMAGED, "the facts' \"%s\" is missing or negative", numbers[k].name);
        *number_of(out, k) = (uint64_t)n;
    }
    TRY(get_time(d, "timestamp", &out->timestamp));
    TRY(get_time(d, "started", &out->started));
    TRY(get_time(d, "finished", &out->finished));
    out->database_oid = (uint32_t)doc_int(d, "databaseOid", 0);
    out->compressed = doc_bool(d, "compressed", false);
    out->encrypted = doc_bool(d, "encrypted", false);
    out->globals = doc_bool(d, "globals", false);
    out->role_passwords = doc_bool(d, "rolePasswords", false);
    const Doc *tags = doc_get(d, "tags");
    for (size_t k = 0; k < doc_count(tags); k++) {
        const char *key = doc_key_at(tags, k);
        if (key)
            strlist_own(&out->tags, mem_printf("%s=%s", key, doc_str(tags, key, "")));
    }
    const Doc *copied = doc_get(d, "copiedFrom");
    if (copied) {
        out->copied_repository = mem_strdup(doc_str(copied, "repository", ""));
        out->copied_id = mem_strdup(doc_str(copied, "id", ""));
        out->copied_checksum = mem_strdup(doc_str(copied, "checksum", ""));
    }
    get_texts(doc_get(d, "warnings"), &out->warnings);
    get_texts(doc_get(d, "masked"), &out->masked);
    return NULL;
}
