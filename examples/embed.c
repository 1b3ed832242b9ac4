/* A program that keeps its own database safe: a backup, a restore of it into another database, and
 * a delete by key.
 *
 *   cc embed.c $(pkg-config --cflags --libs pgstow) -o embed
 *   ./embed postgresql:///shop ./backups shop_copy
 */
#include <pgstow.h>
#include <stdio.h>

static int failed(const char *what, pgstow_error *e)
{
    if (!e)
        return 0;
    fprintf(stderr, "%s: %s (%s)\n", what, pgstow_error_message(e), pgstow_error_kind(e));
    if (pgstow_error_hint(e))
        fprintf(stderr, "hint: %s\n", pgstow_error_hint(e));
    pgstow_error_free(e);
    return 1;
}

static void progress(void *ctx, const pgstow_progress *now)
{
    (void)ctx;
    if (*now->phase)
        fprintf(stderr, "%s %s: %llu bytes\n", now->phase, now->object,
                (unsigned long long)now->bytes_done);
}

static int work(pgstow *p, const char *to_db)
{
    char *version = NULL;
    if (failed("pg_dump", pgstow_find_tool(p, PGSTOW_PG_DUMP, &version))) {
        char *hint = pgstow_install_hint(0);
        fprintf(stderr, "%s\n", hint);
        pgstow_free(hint);
        return 1;
    }
    printf("pg_dump %s\n", version);
    pgstow_free(version);

    pgstow_backup_info *backup = NULL;
    if (failed("backup", pgstow_backup(p, NULL, &backup)))
        return 1;
    printf("backup %s: %llu rows of %llu tables, %llu bytes new\n", backup->id,
           (unsigned long long)backup->rows, (unsigned long long)backup->tables,
           (unsigned long long)backup->new_bytes);

    pgstow_restore_options restore = PGSTOW_RESTORE_OPTIONS_INIT;
    restore.to_db = to_db;
    int status = failed("verify", pgstow_verify(p, backup->id, PGSTOW_DATA)) ||
                 failed("restore", pgstow_restore(p, backup->id, &restore)) ||
                 failed("delete", pgstow_delete(p, backup->key, 0)) ||
                 failed("delete again", pgstow_delete(p, backup->key, 1));
    if (!status)
        printf("restored into %s, then deleted %s\n", to_db, backup->key);
    pgstow_backup_info_free(backup);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s DATABASE_URL REPOSITORY NEW_DATABASE\n", argv[0]);
        return 2;
    }
    pgstow_options options = PGSTOW_OPTIONS_INIT;
    options.database = argv[1];
    options.repo = argv[2];
    options.progress = progress;
    pgstow *p = NULL;
    if (failed("open", pgstow_open(&options, &p)))
        return 1;
    int status = work(p, argv[3]);
    pgstow_close(p);
    return status;
}
