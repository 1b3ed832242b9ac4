#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "op/restore_work.h"
#include "pg/detach.h"
#include "pg/toc_make.h"
#include "pg/preflight.h"

#define LISTED 10 /* names told of a longer list */

/* "a, b and 3 more" */
static char *listed(const StrList *names)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < names->count && i < LISTED; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", names->items[i]);
    if (names->count > LISTED)
        buf_printf(&b, " and %zu more", names->count - LISTED);
    return buf_steal_str(&b);
}

/* One finding about a list of names; none where it is empty. */
void restore_add_names(FindingList *f, FindingLevel level, const char *title, const char *what,
                       const StrList *names, const char *remedy)
{
    if (!names->count)
        return;
    AUTO(char) list = listed(names);
    AUTO(char) detail = mem_printf("%s: %s", what, list);
    finding_add(f, level, title, detail, remedy);
}

static const char *acting_user(const RestoreWork *w)
{
    return w->o->role ? w->o->role : conn_user(w->admin);
}

static bool makes_database(const RestoreWork *w)
{
    return !w->exists || w->o->way != RESTORE_CREATE;
}

static void check_versions(RestoreWork *w, FindingList *f)
{
    int backup = atoi(w->backup.toc->server_version), server = conn_server_major(w->admin);
    if (backup > server) {
        AUTO(char)
        detail = mem_printf("the backup is of PostgreSQL %s, the server is %s: what only the "
                            "newer one knows fails",
                            w->backup.toc->server_version, conn_server_version_text(w->admin));
        finding_add(f, FINDING_WARNING, "older server", detail,
                    "restore into a server as new as that");
    }
    /* From 15 on only its owner may create in schema public; pg_dump 15 says nothing where that is
     * so, and on an older server it then is not. */
    if (server < 15 && atoi(w->backup.toc->dump_version) >= 15) {
        AUTO(char)
        detail = mem_printf("pg_dump %s, which made this backup, is newer than the server: "
                            "everybody may create objects in schema public unless the backup says "
                            "who may",
                            w->backup.toc->dump_version);
        finding_add(f, FINDING_WARNING, "newer pg_dump", detail,
                    "REVOKE CREATE ON SCHEMA public FROM PUBLIC; where that was so");
    }
}

/* Whether there are some that could be made. */
static bool has_globals(const RestoreWork *w)
{
    return !w->o->globals && w->backup.manifest->info.globals;
}

static Error *check_roles(RestoreWork *w, const Needs *needs, FindingList *f)
{
    const char *user = acting_user(w);
    ServerUser facts;
    TRY(preflight_user(w->admin, user, &facts));
    if (!facts.exists) {
        AUTO(char) detail = mem_printf("there is no role \"%s\"", user);
        finding_add(f, FINDING_PROBLEM, "--role", detail, "name one that exists");
        return NULL;
    }
    AUTO_VALUE(StrList) no_owners = {0};
    AUTO_VALUE(StrList) no_roles = {0};
    TRY(preflight_missing_roles(w->admin, &needs->owners, &no_owners));
    TRY(preflight_missing_roles(w->admin, &needs->roles, &no_roles));
    TRY(restore_globals_cover(w, "role", &no_owners));
    TRY(restore_globals_cover(w, "role", &no_roles));
    restore_add_names(f, FINDING_PROBLEM, "missing owners",
                      "roles that own something in the backup do not exist", &no_owners,
                      has_globals(w)
                          ? "--globals makes those that the backup has; or restore with --no-owner"
                          : "create them (CREATE ROLE), or restore with --no-owner");
    restore_add_names(
        f, FINDING_PROBLEM, "missing roles",
        "roles that privileges, policies or user mappings name do not exist", &no_roles,
        has_globals(w) ? "--globals makes those that the backup has; for privileges alone: "
                         "--no-privileges"
                       : "create them (CREATE ROLE); for privileges alone: --no-privileges");
    if (facts.superuser)
        return NULL;
    AUTO_VALUE(StrList) foreign = {0};
    TRY(preflight_foreign_roles(w->admin, user, &needs->owners, &foreign));
    AUTO(char) what = mem_printf("role \"%s\" may not give things to", user);
    restore_add_names(
        f, FINDING_PROBLEM, "owners", what, &foreign,
        "make it a member of them (GRANT), restore as a superuser, or with --no-owner");
    restore_add_names(f, FINDING_WARNING, "superuser", "only a superuser can make",
                      &needs->superuser, "restore as a superuser, if these fail");
    return NULL;
}

/* Databases have a provider of their own from 15 on. */
static void check_provider(const RestoreWork *w, FindingList *f)
{
    const TocEntry *e = toc_first(w->backup.toc, "DATABASE");
    if (conn_server_major(w->admin) >= 15 || !e ||
        (!strstr(e->defn, " LOCALE_PROVIDER = icu") &&
         !strstr(e->defn, " LOCALE_PROVIDER = builtin")))
        return;
    AUTO(char)
    detail = mem_printf("the backup's database does not sort by the operating system's locales; on "
                        "this server it will, by %s",
                        w->backup.manifest->info.collate);
    finding_add(f, FINDING_WARNING, "locale", detail,
                "restore into a server of version 15 or newer");
}

static Error *check_creation(RestoreWork *w, FindingList *f)
{
    if (!makes_database(w))
        return NULL;
    /* Databases are made as the connected user, whatever --role says. */
    const char *user = conn_user(w->admin);
    ServerUser facts;
    TRY(preflight_user(w->admin, user, &facts));
    if (!facts.createdb) {
        AUTO(char) detail = mem_printf("role \"%s\" may not create databases", user);
        finding_add(f, FINDING_PROBLEM, "privileges", detail,
                    "ALTER ROLE ... CREATEDB; or restore into an empty database that is there");
    }
    if (w->exists && !facts.superuser) {
        bool member;
        TRY(preflight_is_member(w->admin, user, w->old.owner, &member));
        if (!member) {
            AUTO(char)
            detail = mem_printf("database \"%s\" belongs to \"%s\", \"%s\" may not replace it",
                                w->database, w->old.owner, user);
            finding_add(f, FINDING_PROBLEM, "privileges", detail, "connect as its owner");
        }
    }
    check_provider(w, f);
    const BackupInfo *info = &w->backup.manifest->info;
    bool known;
    TRY(preflight_knows_locale(w->admin, info->collate, &known));
    if (!known && *info->collate) { /* an import may not say */
        AUTO(char)
        detail = mem_printf("the server may not have the backup's locale %s", info->collate);
        finding_add(f, FINDING_WARNING, "locale", detail,
                    "install it on the server, if creating fails");
    }
    if (w->exists && (strcmp(info->encoding, w->old.encoding) ||
                      strcmp(info->collate, w->old.collate) || strcmp(info->ctype, w->old.ctype))) {
        AUTO(char)
        detail = mem_printf("the backup has %s, %s, %s; the database that is there %s, %s, %s",
                            info->encoding, info->collate, info->ctype, w->old.encoding,
                            w->old.collate, w->old.ctype);
        finding_add(f, FINDING_NOTE, "encoding and locale", detail, NULL);
    }
    return NULL;
}

/* Rows alone need tables that are there. */
static void check_rows_only(const RestoreWork *w, FindingList *f)
{
    if (toc_is_rows_only(w->backup.toc) && !w->o->part.data_only)
        finding_add(f, FINDING_PROBLEM, "definitions",
                    "the backup has rows only, without the tables' definitions",
                    "restore it into tables that exist: --merge upsert; or --data-only, where they "
                    "are empty");
}

static void check_filter(const RestoreWork *w, FindingList *f)
{
    const char *filter = w->backup.manifest->info.filter;
    if (!filter || !*filter)
        return;
    bool loses = w->exists && w->o->way != RESTORE_CREATE;
    AUTO(char)
    detail = mem_printf("the backup is not of the whole database (%s)%s", filter,
                        loses ? ": what it left out will be lost" : "");
    finding_add(f, loses ? FINDING_WARNING : FINDING_NOTE, "filter", detail,
                loses ? "--keep-old NAME keeps the old database" : NULL);
    restore_add_names(f, loses ? FINDING_WARNING : FINDING_NOTE, "masked",
                      "other values stand in the backup in the place of those of",
                      &w->backup.manifest->info.masked,
                      loses ? "another backup may have the real ones (pgstow list)" : NULL);
}

/* A warning only: who has no other backup may want to try. */
static void check_proof(const RestoreWork *w, FindingList *f)
{
    BackupInfo *info = &w->backup.manifest->info;
    error_drop(
        catalog_add_proof(w->backup.repo, info)); /* an aid only, which a restore can do without */
    if (!info->last_proof_level || info->proven)
        return;
    char when[CLOCK_TEXT];
    /* A drill also fails by an assertion, which is no damage. */
    bool drill = !strcmp(info->last_proof_level, "drill");
    clock_human(info->last_proof, when);
    AUTO(char)
    detail = drill ? mem_printf("its last drill failed (%s)", when)
                   : mem_printf("verify found the backup damaged (%s, %s)", info->last_proof_level,
                                when);
    finding_add(f, FINDING_WARNING, "damage", detail,
                "`pgstow list` shows whether another one is whole");
}

/* Only where the server's disk is ours to look at. */
static Error *check_space(RestoreWork *w, FindingList *f)
{
    uint64_t logical = w->part.whole ? w->part.bytes : w->backup.manifest->info.logical_size;
    uint64_t need = logical * 3 / 2, have = 0;
    char need_text[32], have_text[32];
    text_size(need, need_text);
    const char *host = conn_host(w->admin);
    bool local = *host == '/' || !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1") ||
                 !strcmp(host, "::1");
    AUTO(char) folder = local ? preflight_data_directory(w->admin) : NULL;
    Error *e = folder && file_exists(folder) ? file_free_space(folder, &have) : NULL;
    if (e || !have) {
        error_drop(e);
        AUTO(char)
        detail = mem_printf("about %s are needed on the server; how much is free is not known "
                            "here",
                            need_text);
        finding_add(f, FINDING_NOTE, "space", detail, NULL);
        return NULL;
    }
    if (w->exists && w->o->way == RESTORE_IN_PLACE)
        have += preflight_database_size(w->admin, w->database);
    AUTO(char)
    detail = mem_printf("about %s are needed on the server, %s are free", need_text,
                        text_size(have, have_text));
    finding_add(f, have < need ? FINDING_WARNING : FINDING_OK, "space", detail,
                have < need ? "make room on the server's disk" : NULL);
    return NULL;
}

Error *restore_check_archive(RestoreWork *w, FindingList *f)
{
    AUTO_VALUE(Needs) needs = {0};
    AUTO_VALUE(StrList) extensions = {0};
    AUTO_VALUE(StrList) tablespaces = {0};
    preflight_needs(w->backup.toc,
                    &(NeedsOptions){.no_owner = w->o->no_owner,
                                    .no_privileges = w->o->no_privileges,
                                    .no_tablespaces = w->o->no_tablespaces,
                                    .new_database = !w->exists},
                    &needs);
    /* Names in the archive are in its encoding. */
    AUTO(char) encoding = w->backup.encoding ? text_sql_literal(w->backup.encoding) : NULL;
    if (encoding)
        TRY(conn_execf(w->admin, "SET client_encoding = %s", encoding));
    check_versions(w, f);
    TRY(check_roles(w, &needs, f));
    TRY(preflight_missing_extensions(w->admin, &needs.extensions, &extensions));
    restore_add_names(f, FINDING_PROBLEM, "missing extensions", "the server does not have",
                      &extensions, "install their packages on the server");
    TRY(preflight_missing_tablespaces(w->admin, &needs.tablespaces, &tablespaces));
    TRY(restore_globals_cover(w, "tablespace", &tablespaces));
    restore_add_names(
        f, FINDING_PROBLEM, "missing tablespaces", "the server does not have", &tablespaces,
        has_globals(w)
            ? "--globals makes those that the backup has, where their folders are there; or "
              "restore with --no-tablespaces"
            : "create them (CREATE TABLESPACE), or restore with --no-tablespaces");
    TRY(conn_use_utf8(w->admin));
    check_rows_only(w, f);
    check_filter(w, f);
    check_proof(w, f);
    TRY(restore_globals_check(w, f));
    TRY(check_creation(w, f));
    return check_space(w, f);
}

/* ---- the database that is there */

static Error *check_contents(RestoreWork *w, FindingList *f)
{
    AUTO(Conn) inside = NULL;
    TRY(conn_open_like(w->admin, w->database, w->cancel, &inside));
    TRY(preflight_is_empty(inside, &w->empty));
    if (w->empty && strcmp(w->old.encoding, w->backup.manifest->info.encoding)) {
        AUTO(char)
        detail = mem_printf("the backup is in %s, the database in %s: not every text may fit",
                            w->backup.manifest->info.encoding, w->old.encoding);
        finding_add(f, FINDING_WARNING, "encoding", detail, NULL);
    }
    if (w->part.whole && w->o->way == RESTORE_CREATE)
        return restore_check_part(w, inside, f);
    if (w->empty || (w->o->way != RESTORE_CREATE && !w->o->only_empty))
        return NULL;
    AUTO(char) detail = mem_printf("database \"%s\" exists and is not empty", w->database);
    finding_add(f, FINDING_PROBLEM, "contents", detail,
                "--replace puts the backup in its place (the old one stays until the new one is "
                "complete), --in-place where there is no room for both, --to-db NAME restores into "
                "another database");
    return NULL;
}

static Error *check_bindings(RestoreWork *w, FindingList *f)
{
    AUTO_VALUE(Bindings) b = {0};
    AUTO(Conn) inside = NULL;
    if (w->old.allow_connections)
        TRY(conn_open_like(w->admin, w->database, w->cancel, &inside));
    TRY(detach_find(w->admin, inside, w->database, &b));
    FindingLevel level = w->o->detach ? FINDING_WARNING : FINDING_PROBLEM;
    restore_add_names(f, level, "replication slots",
                      "these belong to the old database and go with it", &b.slots,
                      w->o->detach ? NULL : "drop them, or go on without them with --detach");
    restore_add_names(f, level, "subscriptions", "these belong to the old database and go with it",
                      &b.subscriptions,
                      w->o->detach ? NULL : "drop them, or go on without them with --detach");
    restore_add_names(f, level, "extensions",
                      "these run for the database by its name and lose their state", &b.extensions,
                      w->o->detach ? NULL : "stop them, or go on regardless with --detach");
    restore_add_names(f, FINDING_PROBLEM, "prepared transactions",
                      "these are open in the old database", &b.prepared,
                      "COMMIT PREPARED or ROLLBACK PREPARED them");
    return NULL;
}

static Error *check_sessions(RestoreWork *w, FindingList *f)
{
    int64_t all, untouchable;
    TRY(preflight_sessions(w->admin, w->database, &all, &untouchable));
    if (untouchable) {
        AUTO(char)
        detail = mem_printf("%" PRId64 " connections to database \"%s\" belong to roles whose "
                            "sessions you may not end",
                            untouchable, w->database);
        finding_add(f, FINDING_PROBLEM, "connections", detail,
                    "close them, or GRANT pg_signal_backend");
    } else if (all) {
        AUTO(char)
        detail = mem_printf("%" PRId64 " to database \"%s\" will be closed", all, w->database);
        finding_add(f, FINDING_NOTE, "connections", detail, NULL);
    }
    return NULL;
}

static Error *check_keep_old(RestoreWork *w, FindingList *f)
{
    const char *name = w->o->keep_old;
    if (!name)
        return NULL;
    bool taken = false;
    if (strlen(name) <= 63)
        TRY(preflight_database_exists(w->admin, name, &taken));
    if (!taken && *name && strlen(name) <= 63)
        return NULL;
    AUTO(char)
    detail = taken ? mem_printf("a database \"%s\" exists already", name)
                   : mem_printf("\"%s\" cannot be the name of a database", name);
    finding_add(f, FINDING_PROBLEM, "--keep-old", detail, "choose another name");
    return NULL;
}

Error *restore_check_existing(RestoreWork *w, FindingList *f)
{
    if (!w->exists) {
        AUTO(char) detail = mem_printf("\"%s\" does not exist and will be created", w->database);
        finding_add(f, FINDING_OK, "database", detail, NULL);
        restore_check_part_alone(w, f);
        return NULL;
    }
    if (!strcmp(w->database, "template0") || !strcmp(w->database, "template1")) {
        finding_add(f, FINDING_PROBLEM, "database", "the server's own templates are not restored",
                    "restore into another database with --to-db");
        return NULL;
    }
    if (w->old.allow_connections) {
        TRY(check_contents(w, f));
    } else if (w->o->way == RESTORE_CREATE) {
        AUTO(char)
        detail = mem_printf("database \"%s\" exists and allows no connections", w->database);
        finding_add(f, FINDING_PROBLEM, "database", detail,
                    "ALTER DATABASE ... ALLOW_CONNECTIONS true");
    }
    if (w->o->way == RESTORE_CREATE)
        return NULL;
    TRY(check_bindings(w, f));
    TRY(check_sessions(w, f));
    return check_keep_old(w, f);
}
