#include <string.h>
#include <sys/stat.h>

#include "base/doc.h"
#include "crypto/hash.h"
#include "op/import_work.h"

#define METADATA ".metadata.json"
#define METADATA_MAX ((size_t)1 << 20)
#define ID_MAX 200
#define READ_SIZE ((size_t)256 << 10)

void import_facts_clear(ImportFacts *f)
{
    free(f->id);
    free(f->database);
    free(f->checksum);
    free(f->database_version);
    free(f->tool_version);
    *f = (ImportFacts){0};
}

bool import_is_metadata(const char *name)
{
    return text_ends(name, METADATA);
}

/* Of DIR/NAME.sql.gz the metadata may be DIR/NAME.sql.gz.metadata.json or DIR/NAME.metadata.json:
 * the endings are taken off one after another. NULL where there is none; caller frees. */
static char *find_metadata(const char *path)
{
    AUTO(char) stem = mem_strdup(path);
    const char *slash = strrchr(path, '/');
    size_t name = slash ? (size_t)(slash - path) + 1 : 0;
    for (;;) {
        AUTO(char) candidate = mem_printf("%s" METADATA, stem);
        if (file_exists(candidate))
            return STEAL(candidate);
        char *dot = strrchr(stem + name, '.');
        if (!dot || dot == stem + name)
            return NULL;
        *dot = 0;
    }
}

Error *import_checksum(const char *path, char **hex)
{
    AUTO_VALUE(ImportInput) in = {.fd = {-1}};
    AUTO(Hash) h = hash_new();
    AUTO_VALUE(Buf) buf = {0};
    uint8_t digest[HASH_BYTES];
    TRY(import_input_open(path, &in)); /* for its checks; read as it is */
    TRY(buf_reserve(&buf, READ_SIZE, READ_SIZE));
    for (size_t got = 1; got;) {
        TRY(file_read_some(in.fd.n, buf.data, READ_SIZE, path, &got));
        hash_add(h, buf.data, got);
    }
    hash_end(h, digest);
    *hex = mem_zalloc(2 * HASH_BYTES + 1);
    text_hex(digest, HASH_BYTES, *hex);
    return NULL;
}

/* An id goes into file names and on command lines. */
static bool good_id(const char *id)
{
    size_t n = strlen(id);
    return n && n <= ID_MAX && *id != '-' && *id != '.' &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.%-") == n;
}

/* "sha256:..." or bare hex. */
static Error *get_checksum(const Doc *d, const char *metadata, char **out)
{
    const char *text = doc_str(d, "checksum", NULL);
    uint8_t bytes[HASH_BYTES];
    if (!text)
        return NULL;
    if (text_starts(text, "sha256:") || text_starts(text, "SHA256:"))
        text += strlen("sha256:");
    if (!text_unhex(text, bytes, sizeof bytes))
        FAIL(ERR_DAMAGED, "%s: its checksum is no SHA-256 in hex", metadata);
    *out = mem_zalloc(2 * HASH_BYTES + 1);
    text_hex(bytes, sizeof bytes, *out);
    return NULL;
}

/* ISO text, or milliseconds since 1970. */
static Error *get_time(const Doc *d, const char *metadata, ImportFacts *f)
{
    const char *text = doc_str(d, "timestamp", NULL);
    int64_t number = doc_int(d, "timestamp", 0);
    f->at_given = text || number > 0;
    f->at = number;
    if (text)
        TRY_CTX(error_rekind(clock_parse(text, &f->at), ERR_DAMAGED), "%s", metadata);
    return NULL;
}

static char *get_text(const Doc *d, const char *key)
{
    const char *text = doc_str(d, key, NULL);
    return text && *text ? mem_strdup(text) : NULL;
}

static Error *read_metadata(const char *metadata, ImportFacts *f)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Doc) d = NULL;
    TRY(file_read(metadata, METADATA_MAX, &bytes));
    TRY(doc_parse((const char *)bytes.data, bytes.len, metadata, &d));
    if (doc_bool(d, "encrypted", false))
        return error_hint(
            ERROR_NEW(ERR_REPO_UNSUPPORTED, "%s says that the dump is encrypted", metadata),
            "decrypt it by the program that made it, then import what comes out");
    f->id = get_text(d, "id");
    if (f->id && !good_id(f->id)) {
        AUTO(char) shown = text_printable(f->id);
        FAIL(ERR_DAMAGED, "%s: \"%s\" cannot be the id of a backup", metadata, shown);
    }
    f->database = get_text(d, "database");
    f->database_version = get_text(d, "databaseVersion");
    f->tool_version = get_text(d, "toolVersion");
    TRY(get_time(d, metadata, f));
    /* Our own metadata speak of what is stored in a repository, not of a file. */
    if (doc_has(d, "pgstowVersion"))
        return NULL;
    int64_t size = doc_int(d, "size", 0);
    f->size = size > 0 ? (uint64_t)size : 0;
    return get_checksum(d, metadata, &f->checksum);
}

static Error *test_file(const char *path, const ImportFacts *f)
{
    struct stat st;
    AUTO(char) hex = NULL;
    if (stat(path, &st) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot look at %s", path);
    if (S_ISDIR(st.st_mode))
        return NULL; /* one checksum says nothing of a folder */
    if (f->size && (uint64_t)st.st_size != f->size)
        FAIL(ERR_DAMAGED, "%s has %llu bytes, its metadata say %llu", path,
             (unsigned long long)st.st_size, (unsigned long long)f->size);
    if (!f->checksum)
        return NULL;
    TRY(import_checksum(path, &hex));
    if (strcmp(hex, f->checksum))
        FAIL(ERR_DAMAGED, "%s is not what it was: its SHA-256 is %s, its metadata say %s", path,
             hex, f->checksum);
    return NULL;
}

Error *import_facts_read(const char *path, ImportFacts *out)
{
    AUTO_VALUE(ImportFacts) f = {0};
    AUTO(char) metadata = find_metadata(path);
    if (metadata) {
        TRY(read_metadata(metadata, &f));
        TRY(test_file(path, &f));
    }
    *out = f;
    f = (ImportFacts){0};
    return NULL;
}
