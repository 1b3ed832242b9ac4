/* The header and table of contents (TOC) of a pg_dump custom archive, versions 1.12 to 1.16.
 *
 * pg_dump -Fc writes them before any data, also into a pipe; they are kept as they came (raw), so
 * that nothing that pg_dump knows is lost. Everything read is bounded: a string by 256 MiB, the
 * whole by 1 GiB, the entries by 10 million. ERR_ARCHIVE says at which byte and entry.
 */
#ifndef PGSTOW_PG_ARCHIVE_H
#define PGSTOW_PG_ARCHIVE_H

#include "base/buf.h"
#include "base/text.h"

typedef enum TocSection { /* as in the file */
                          TOC_NONE = 1,
                          TOC_PRE_DATA,
                          TOC_DATA,
                          TOC_POST_DATA
} TocSection;

typedef enum TocOffset { /* as in the file */
                         TOC_OFFSET_UNSET = 1,
                         TOC_OFFSET_SET,
                         TOC_OFFSET_NO_DATA
} TocOffset;

/* Strings are borrowed from the Toc and never NULL: pg_dump's NULL is "" here (pg_restore takes
 * both for the same), except that copy_stmt NULL is kept. */
typedef struct TocEntry {
    int dump_id;
    bool had_dumper;
    uint32_t table_oid, oid; /* catalog table, and the object in it; 0 where it has none */
    const char *tag, *desc;  /* "orders", "TABLE DATA" */
    TocSection section;
    const char *defn, *drop, *copy_stmt;
    const char *schema, *tablespace;
    const char *tableam; /* "" before 1.14 */
    char relkind;        /* 0 before 1.16 */
    const char *owner;
    const int *deps; /* dump ids */
    size_t dep_count;
    TocOffset offset_flag;
    uint64_t offset; /* where its block is, with TOC_OFFSET_SET */
    /* Where in raw it begins, and where its relkind (from 1.16; before, the same place as owner),
     * owner and Offset stand: it is copied and patched by these. */
    size_t at, relkind_at, owner_at, offset_at;
} TocEntry;

typedef struct Toc {
    int major, minor, rev; /* 1, 14, 0 */
    int int_size, off_size;
    int compression;       /* 1.15 on: 0 none, 1 gzip, 2 lz4, 3 zstd; before: a gzip level, or -1 */
    size_t format_at;      /* where the format stands in raw */
    size_t compression_at; /* the compression; behind it the time of the dump */
    size_t time_at;
    int time[7];     /* of the dump, as in struct tm (sec ... year, isdst), in its host's zone */
    size_t count_at; /* the number of entries */
    const char *dbname, *server_version, *dump_version; /* "15.18 (Debian ...)" */
    TocEntry *entries;
    size_t count;
    Buf raw;  /* header and TOC as they came, nothing more */
    Buf rest; /* what the source gave beyond them */

    TocEntry **by_id; /* sorted by dump_id */
    char *arena;      /* the strings */
    int *deps;
} Toc;
void toc_free(Toc *t);
DEFINE_AUTO(Toc, toc_free)

/* Up to n bytes, as read(2): at least one, 0 at the end. */
typedef Error *(*TocRead)(void *ctx, void *p, size_t n, size_t *got);
/* Reads no further than needed (what one read gives beyond the TOC stays in rest). */
Error *toc_read(TocRead read, void *ctx, Toc **out) MUST_CHECK;
/* Exactly a header and a TOC: bytes left over are an error. */
Error *toc_parse(const void *p, size_t n, Toc **out) MUST_CHECK;
/* The toc.dat of the directory format, as the TOC of a custom archive; `files` gets for each entry
 * the name of the file that its data lie in (without the ending of compressed ones), or "". */
Error *toc_parse_directory(const void *p, size_t n, StrList *files, Toc **out) MUST_CHECK;
/* As from a pipe: no position is known. */
void toc_forget_offsets(Toc *t);

/* The major of the oldest pg_restore that reads such an archive: 17 for 1.16, 16 for 1.15, ... */
int toc_restore_major(const Toc *t);
const TocEntry *toc_find(const Toc *t, int dump_id);       /* NULL where there is none */
const TocEntry *toc_first(const Toc *t, const char *desc); /* the first of a kind, or NULL */
bool toc_is(const TocEntry *e, const char *desc);
bool toc_is_table_data(const TocEntry *e);
/* Whether a block of data belongs to it (TABLE DATA, BLOBS). */
bool toc_has_block(const TocEntry *e);
/* "UTF8" out of the ENCODING entry, or NULL; caller frees. */
char *toc_encoding(const Toc *t);

/* A list file for pg_restore -L: the entries for which `want` is true, in TOC order. */
typedef bool (*TocWant)(void *ctx, const TocEntry *e);
void toc_list(const Toc *t, TocWant want, void *ctx, Buf *out);

#endif
