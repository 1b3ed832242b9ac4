#include "pg/doctor.h"

#include <string.h>

#include "pg/doctor_access.h"
#include "pg/doctor_pooler.h"
#include "sql.h"

/* The row of doctor_facts.sql. */
typedef struct Facts {
    const char *encoding, *wal_level, *standby_delay; /* borrowed from the rows */
    uint64_t size;
    int64_t tables, indexes, unlogged, large_objects;
    int64_t locks_each, sessions; /* max_locks_per_transaction; connections and prepared ones */
    bool standby, feedback;
} Facts;

static void tell_server(const Conn *c, const Facts *f, FindingList *out)
{
    char size[32];
    AUTO(char)
    server = mem_printf("%s, wal_level %s%s: %s", conn_server_version_text(c), f->wal_level,
                        f->standby ? ", a standby" : "", conn_describe(c));
    if (conn_server_major(c) >= 14)
        finding_add(out, FINDING_OK, "server", server, NULL);
    else
        finding_add(out, FINDING_NOTE, "server", server,
                    "from PostgreSQL 14 on a large table is read by several connections at once");
    AUTO(char)
    database =
        mem_printf("%s, %lld tables, %lld large objects, encoding %s", text_size(f->size, size),
                   (long long)f->tables, (long long)f->large_objects, f->encoding);
    finding_add(out, FINDING_OK, "database", database, NULL);
}

/* A backup locks every table, twice (we and pg_dump), and once more with its indexes where its rows
 * are read. The server has room for so many locked objects, and for twice as many holders. */
static void tell_locks(const Facts *f, FindingList *out)
{
    int64_t room = f->locks_each * f->sessions;
    int64_t objects = f->tables + f->indexes, holders = (3 * f->tables + f->indexes) / 2;
    int64_t need = objects > holders ? objects : holders;
    /* Others lock too: four fifths of it at most. */
    if (need <= room / 5 * 4) {
        AUTO(char)
        fine = mem_printf("room for %lld, a backup takes up to %lld", (long long)room,
                          (long long)need);
        finding_add(out, FINDING_OK, "locks", fine, NULL);
        return;
    }
    int64_t each = (need * 5 / 4) / (f->sessions ? f->sessions : 1) + 1;
    AUTO(char)
    what = mem_printf("the server has room for %lld locks (max_locks_per_transaction %lld,"
                      " times %lld sessions), a backup takes up to %lld",
                      (long long)room, (long long)f->locks_each, (long long)f->sessions,
                      (long long)need);
    AUTO(char)
    remedy = mem_printf("set max_locks_per_transaction = %lld and restart the server",
                        (long long)(each + 63) / 64 * 64);
    finding_add(out, FINDING_WARNING, "locks", what, remedy);
}

static void tell_standby(const Conn *c, const Facts *f, FindingList *out)
{
    if (!f->standby)
        return;
    if (conn_server_major(c) < 10) {
        finding_add(out, FINDING_PROBLEM, "standby",
                    "a standby before PostgreSQL 10 cannot share a snapshot between connections",
                    "back up its primary");
        return;
    }
    if (!f->feedback && strcmp(f->standby_delay, "-1")) {
        AUTO(char)
        what = mem_printf("replay may end a backup that runs longer than "
                          "max_standby_streaming_delay (%s)",
                          f->standby_delay);
        finding_add(out, FINDING_WARNING, "standby", what,
                    "set hot_standby_feedback = on, or max_standby_streaming_delay = -1 while "
                    "backups run");
    } else {
        finding_add(out, FINDING_OK, "standby", "replay waits for a backup", NULL);
    }
    if (f->unlogged) {
        AUTO(char)
        what =
            mem_printf("%lld unlogged tables, which have no rows on a standby: a backup from here "
                       "has their definitions only",
                       (long long)f->unlogged);
        finding_add(out, FINDING_WARNING, "standby", what,
                    "back up the primary, if their rows matter");
    }
}

static Error *ask_facts(Conn *c, FindingList *out, uint64_t *database_size)
{
    AUTO(Rows) r = NULL;
    TRY(conn_query(c, sql_doctor_facts, 0, NULL, &r));
    if (rows_count(r) != 1)
        FAIL(ERR_DB, "%s is not among the server's databases", conn_describe(c));
    Facts f = {
        .encoding = rows_text(r, 0, 0),
        .size = (uint64_t)rows_int(r, 0, 1),
        .tables = rows_int(r, 0, 2),
        .indexes = rows_int(r, 0, 3),
        .unlogged = rows_int(r, 0, 4),
        .large_objects = rows_int(r, 0, 5),
        .standby = rows_bool(r, 0, 6),
        .wal_level = rows_text(r, 0, 7),
        .locks_each = rows_int(r, 0, 8),
        .sessions = rows_int(r, 0, 9),
        .feedback = rows_bool(r, 0, 10),
        .standby_delay = rows_text(r, 0, 11),
    };
    *database_size = f.size;
    tell_server(c, &f, out);
    tell_locks(&f, out);
    tell_standby(c, &f, out);
    return NULL;
}

/* A question that failed is a finding too, as long as more can be asked. */
static Error *settle(const Conn *c, FindingList *out, const char *title, Error *e)
{
    if (e && conn_broken(c))
        return e;
    if (e)
        finding_add_error(out, title, e);
    return NULL;
}

Error *doctor_ask_server(Conn *c, FindingList *out, uint64_t *database_size)
{
    *database_size = 0;
    TRY(settle(c, out, "server", ask_facts(c, out, database_size)));
    TRY(settle(c, out, "connection", doctor_ask_pooler(c, out)));
    return settle(c, out, "privileges", doctor_ask_access(c, out));
}
