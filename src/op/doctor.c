#include "op/doctor.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "pg/doctor.h"
#include "store/store.h"

static void add(FindingList *out, FindingLevel level, const char *title, const char *remedy,
                char *detail)
{
    finding_add(out, level, title, detail, remedy);
    free(detail);
}

static void ask_tool(const OpContext *c, ToolName name, int server_version, FindingList *out)
{
    AUTO(Tool) tool = NULL;
    Error *e = tools_find(&c->tools, name, server_version, 0, &tool);
    if (e) {
        finding_add_error(out, tools_name(name), e);
        return;
    }
    AUTO_VALUE(Buf) command = {0};
    for (size_t i = 0; i < tool->argv.count; i++)
        buf_printf(&command, "%s%s", i ? " " : "", tool->argv.items[i]);
    AUTO(char) text = buf_steal_str(&command);
    add(out, FINDING_OK, tools_name(name), NULL, mem_printf("%s (%s)", text, tool->text));
}

/* The newest backup of this database, or that there is none. */
static void ask_newest(Repo *repo, const char *database, FindingList *out)
{
    AUTO_VALUE(BackupList) list = {0};
    Error *e = catalog_list(repo, NULL, &list);
    if (e) {
        finding_add_error(out, "backups", e);
        return;
    }
    for (size_t i = 0; i < list.damaged.count; i++)
        finding_add(out, FINDING_PROBLEM, "backups", list.damaged.items[i],
                    "`pgstow verify` says what else it touches; restore from another one");
    const BackupInfo *newest = NULL;
    for (size_t i = 0; i < list.count; i++)
        if (!database || !strcmp(list.items[i].database, database))
            if (!newest || list.items[i].timestamp > newest->timestamp)
                newest = &list.items[i];
    if (!newest) {
        finding_add(out, FINDING_NOTE, "backups", "none of this database yet",
                    "run `pgstow backup`");
        return;
    }
    char age[32];
    add(out, FINDING_OK, "backups", NULL,
        mem_printf("the newest is %s, %s old", newest->id,
                   text_duration(clock_now() - newest->timestamp, age)));
}

/* Put-if-absent, twice: a store that lets the second one through would lose backups. */
static Error *try_store(Store *store)
{
    uint8_t random[8];
    char hex[17];
    bool exists;
    AUTO_VALUE(Buf) back = {0};
    random_bytes(random, sizeof random);
    text_hex(random, sizeof random, hex);
    AUTO(char) name = mem_printf("proofs/doctor-%s", hex);
    TRY(store_put(store, name, "pgstow", 6));
    AUTO(Error) second = store_put(store, name, "pgstow", 6);
    TRY(store_get_all(store, name, 64, &back));
    TRY(store_delete(store, name));
    TRY(store_exists(store, name, &exists));
    if (!second || error_kind(second) != ERR_EXISTS)
        return error_hint(
            ERROR_NEW(ERR_IO, "%s let the same name be written twice", store_where(store)),
            "this file system does not keep its word: use another one for the repository");
    if (back.len != 6 || memcmp(back.data, "pgstow", 6) != 0)
        FAIL(ERR_DAMAGED, "%s gave back other bytes than were written", store_where(store));
    if (exists)
        FAIL(ERR_IO, "%s still shows a name that was deleted", store_where(store));
    return NULL;
}

static void ask_repo(const OpContext *c, const char *database, uint64_t database_size,
                     FindingList *out)
{
    const char *dir = op_repo_dir(c);
    AUTO(Repo) repo = NULL;
    Error *e = op_open_repo(c, false, &repo);
    if (e && error_kind(e) == ERR_REPO_NOT_FOUND) {
        error_free(e);
        add(out, FINDING_NOTE, "repository", "the first `pgstow backup` makes it",
            mem_printf("none in %s yet", dir));
        return;
    }
    if (e) {
        finding_add_error(out, "repository", e);
        return;
    }
    e = try_store(repo_store(repo));
    if (e) {
        finding_add_error(out, "repository", e);
        return;
    }
    add(out, FINDING_OK, "repository", NULL,
        mem_printf("%s can be read and written", repo_where(repo)));
    uint64_t space = 0;
    char have[32], need[32];
    e = store_free_space(repo_store(repo), &space);
    if (e)
        finding_add_error(out, "space", e);
    else if (space < database_size / 3)
        add(out, FINDING_WARNING, "space", "make room, or use another folder with --repo",
            mem_printf("%s free; the database has %s, a first backup takes about a third of it",
                       text_size(space, have), text_size(database_size, need)));
    else
        add(out, FINDING_OK, "space", NULL, mem_printf("%s free", text_size(space, have)));
    ask_newest(repo, database, out);
}

Error *op_doctor(const OpContext *c, FindingList *out)
{
    AUTO(Conn) conn = NULL;
    uint64_t database_size = 0;
    Error *e = op_connect(c, NULL, &conn);
    if (e && (error_kind(e) == ERR_CANCELLED || error_kind(e) == ERR_TIMEOUT))
        return e;
    if (e)
        finding_add_error(out, "server", e);
    else
        TRY(doctor_ask_server(conn, out, &database_size));
    for (int name = 0; name < TOOL_NAMES; name++)
        ask_tool(c, (ToolName)name, conn ? conn_server_version(conn) : 0, out);
    AUTO(char) named = op_database_name(c);
    ask_repo(c, conn ? conn_dbname(conn) : named, database_size, out);
    return NULL;
}
