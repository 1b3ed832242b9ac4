#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "state/state_internal.h"

#define FILE_NAME "state.db"
#define HOST_FOLDER "/var/lib/pgstow" /* of the service that belongs to no person */
#define WAIT_MS 10000
#define WAL_KEPT (16 << 20) /* bytes that the write-ahead log may keep after a checkpoint */

/* The folder for states of this user's choice, or NULL. */
static const char *chosen_home(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    return state && *state == '/' ? state : NULL;
}

char *state_default_folder(void)
{
    const char *state = chosen_home(), *home = getenv("HOME");
    struct stat st;
    if (state)
        return file_join(state, "pgstow");
    if (lstat(HOST_FOLDER, &st) == 0 ? st.st_uid == geteuid() : geteuid() == 0)
        return mem_strdup(HOST_FOLDER);
    return home && *home == '/' ? mem_printf("%s/.local/state/pgstow", home) : NULL;
}

const char *state_path(const State *s)
{
    return s->path;
}

/* -- whom folder and file belong to -------------------------------------------------------------
 */

/* What others could write or put in its place is not ours to trust. */
static Error *check_owner(const char *path, const struct stat *st)
{
    if (st->st_uid != geteuid())
        return error_hint(
            ERROR_NEW(ERR_IO, "%s belongs to another user (%u, this one is %u)", path,
                      (unsigned)st->st_uid, (unsigned)geteuid()),
            "run as that user, or name a folder of your own (stateDir, XDG_STATE_HOME)");
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return error_hint(ERROR_NEW(ERR_IO, "others may write to %s (mode %04o)", path,
                                    (unsigned)st->st_mode & 07777),
                          "chmod go-w %s", path);
    return NULL;
}

/* Who has no state of his own means the service's where there is one: a token that he made in his
 * own would be good for nothing. */
static Error *check_default(const char *folder, bool existing)
{
    struct stat st;
    struct passwd entry, *owner = NULL;
    char room[4096];
    AUTO(char) file = file_join(folder, FILE_NAME);
    if (chosen_home() || lstat(file, &st) == 0 || lstat(HOST_FOLDER, &st) < 0 || st.st_uid == geteuid())
        return NULL;
    (void)getpwuid_r(st.st_uid, &entry, room, sizeof room, &owner);
    AUTO(char)
    name = owner ? mem_strdup(owner->pw_name) : mem_printf("#%u", (unsigned)st.st_uid);
    return error_hint(ERROR_NEW(existing ? ERR_NOT_FOUND : ERR_IO,
                                "the service's state, %s, belongs to another user: %s", HOST_FOLDER,
                                name),
                      "run it as that user: sudo -u %s pgstow ...; or name a folder of your own "
                      "(stateDir, XDG_STATE_HOME)",
                      name);
}

static Error *is_link(const char *path)
{
    AUTO(char) target = file_real_path(path);
    return error_hint(ERROR_NEW(ERR_IO, "%s is a symbolic link", path), "name what it leads to%s%s",
                      target ? ": " : "", target ? target : "");
}

static Error *open_folder(const char *folder, bool existing, Fd *fd)
{
    struct stat st;
    if (!existing)
        TRY(error_rekind(file_make_dir(folder, 0700), ERR_IO));
    if (lstat(folder, &st) == 0 && S_ISLNK(st.st_mode))
        return is_link(folder);
    fd->n = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd->n < 0 && errno == ENOENT)
        FAIL(ERR_NOT_FOUND, "there is no state in %s", folder);
    if (fd->n < 0 || fstat(fd->n, &st) < 0)
        return error_hint(error_errno(ERR_IO, ERR_IO, "cannot open the folder %s", folder),
                          "it must be a folder of this user's");
    return check_owner(folder, &st);
}

/* One opens at a time, so that nobody finds a half-made database, or migrates beside another. */
static Error *lock_folder(const State *s, int fd)
{
    int64_t until = clock_mono_ms() + s->wait_ms;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot lock %s", s->folder);
        if (clock_mono_ms() >= until)
            return error_hint(ERROR_NEW(ERR_TIMEOUT,
                                        "another process has been opening %s for %lld s", s->path,
                                        (long long)(s->wait_ms / 1000)),
                              "see who has the folder open (fuser -v %s)", s->folder);
        clock_sleep_ms(5);
    }
    return NULL;
}

/* The file is made here, for its mode. It is never opened where it exists: closing any descriptor
 * of it would take away the locks that other handles of this process have on it (POSIX). */
static Error *prepare_file(const State *s, int folder, bool existing)
{
    struct stat st;
    if (fstatat(folder, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return error_errno(ERR_IO, ERR_IO, "cannot look at %s", s->path);
        if (existing)
            FAIL(ERR_NOT_FOUND, "there is no state in %s", s->folder);
        AUTO_VALUE(Fd)
        fd = {openat(folder, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        if (fd.n < 0 || fchmod(fd.n, 0600) < 0 || fsync(folder) < 0)
            return error_hint(error_errno(ERR_IO, ERR_IO, "cannot make %s", s->path),
                              "%s must be writable by this user, and have room", s->folder);
        return NULL;
    }
    if (S_ISLNK(st.st_mode))
        return is_link(s->path);
    if (!S_ISREG(st.st_mode))
        return error_hint(ERROR_NEW(ERR_IO, "%s is no file", s->path), "move it away");
    TRY(check_owner(s->path, &st));
    if ((st.st_mode & 0777) != 0600 && fchmodat(folder, FILE_NAME, 0600, 0) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot set the mode of %s", s->path);
    return NULL;
}

/* -- the database -------------------------------------------------------------------------------
 */

static Error *pragma(State *s, const char *name, long long value)
{
    AUTO(char) sql = mem_printf("PRAGMA %s = %lld", name, value);
    return state_exec(s, sql);
}

static Error *begin_wal(State *s)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, "PRAGMA journal_mode = WAL", &q));
    TRY(query_row(&q, &more));
    AUTO(char) mode = more ? query_get_text(&q) : NULL;
    if (mode && !strcmp(mode, "wal"))
        return NULL;
    return error_hint(ERROR_NEW(ERR_IO, "the file system of %s cannot keep the state", s->folder),
                      "name a folder on a local disk");
}

/* First only what reads: a database that is not ours stays as it is. */
static Error *set_up(State *s, const StateOptions *o)
{
    int64_t pages;
    sqlite3_busy_timeout(s->db, (int)s->wait_ms);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    TRY(pragma(s, "cell_size_check", 1));
    TRY(state_check_version(s));
    TRY(state_number(s, "PRAGMA page_count", &pages));
    if (pages == 0)
        TRY(state_exec(s, "PRAGMA auto_vacuum = INCREMENTAL"));
    TRY(begin_wal(s));
    TRY(state_exec(s, "PRAGMA synchronous = FULL"));
    TRY(pragma(s, "foreign_keys", 1));
    TRY(pragma(s, "secure_delete", 1));
    /* Or REPLACE would delete without the triggers of the audit log. */
    TRY(pragma(s, "recursive_triggers", 1));
    TRY(pragma(s, "journal_size_limit", WAL_KEPT));
    TRY(state_exec(s, "PRAGMA temp_store = MEMORY"));
    if (o->max_pages)
        TRY(pragma(s, "max_page_count", o->max_pages));
    return state_migrate(s);
}

static State *state_new(const char *folder, const StateOptions *o)
{
    State *s = mem_new(State);
    pthread_mutexattr_t recursive;
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') /* or a link would not be seen as one */
        n--;
    s->folder = mem_strndup(folder, n);
    s->path = file_join(s->folder, FILE_NAME);
    s->wait_ms = o->wait_ms > 0 ? o->wait_ms : WAIT_MS;
    s->mutex = mem_new(pthread_mutex_t);
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(s->mutex, &recursive);
    pthread_mutexattr_destroy(&recursive);
    return s;
}

Error *state_open(const char *folder, const StateOptions *options, State **out)
{
    static const StateOptions usual = {0};
    const StateOptions *o = options ? options : &usual;
    AUTO(char) standard = folder ? NULL : state_default_folder();
    if (!folder && !standard)
        return error_hint(ERROR_NEW(o->existing ? ERR_NOT_FOUND : ERR_CONFIG,
                                    "this user has no folder for the service's state"),
                          "set server.stateDir");
    if (!folder)
        TRY(check_default(standard, o->existing));
    AUTO(State) s = state_new(folder ? folder : standard, o);
    AUTO_VALUE(Fd) fd = {-1};
    TRY(open_folder(s->folder, o->existing, &fd));
    TRY(lock_folder(s, fd.n));
    TRY(prepare_file(s, fd.n, o->existing));
    AUTO(char) real = file_real_path(s->folder);
    if (!real)
        return error_errno(ERR_IO, ERR_IO, "cannot find %s", s->folder);
    AUTO(char) path = file_join(real, FILE_NAME);
    int rc = sqlite3_open_v2(path, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!s->db)
        FAIL(ERR_MEMORY, "cannot open %s: no memory", s->path);
    if (rc != SQLITE_OK)
        return state_failure(s, rc, "opening the state");
    TRY(set_up(s, o));
    *out = STEAL(s);
    return NULL;
}

void state_close(State *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    pthread_mutex_destroy(s->mutex);
    free(s->mutex);
    free(s->folder);
    free(s->path);
    free(s);
}

static Error *found(State *s, const char *sql)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, sql, &q));
    TRY(query_row(&q, &more));
    AUTO(char) said = more ? query_get_text(&q) : NULL;
    if (!said || !strcmp(said, "ok"))
        return NULL;
    return error_hint(ERROR_NEW(ERR_DAMAGED, "%s is damaged: %s", s->path, said),
                      "move it away, with what stands beside it (-wal, -shm): backups are not in "
                      "it");
}

Error *state_check(State *s)
{
    TRY(found(s, "PRAGMA quick_check(1)"));
    return found(s, "PRAGMA foreign_key_check");
}
