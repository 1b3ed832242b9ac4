#include "pg/doctor.h"

static Error *ask_database(Conn *c, FindingList *out, uint64_t *database_size)
{
    AUTO(Rows) rows = NULL;
    char size[32];
    TRY(conn_query(c,
                   "SELECT pg_catalog.pg_database_size(pg_catalog.current_database()), "
                   "pg_catalog.pg_is_in_recovery()",
                   0, NULL, &rows));
    *database_size = (uint64_t)rows_int(rows, 0, 0);
    AUTO(char)
    text = mem_printf("%s, %s, %s%s", conn_describe(c), conn_server_version_text(c),
                      text_size(*database_size, size), rows_bool(rows, 0, 1) ? ", a standby" : "");
    finding_add(out, FINDING_OK, "server", text, NULL);
    return NULL;
}

Error *doctor_ask_server(Conn *c, FindingList *out, uint64_t *database_size)
{
    return ask_database(c, out, database_size);
}
