#include "op/delete.h"

Error *op_delete(const OpContext *c, const char *name, char **id)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) database = op_database_name(c);
    AUTO(char) found = NULL;
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_resolve(repo, name, database, &found));
    TRY(catalog_delete(repo, found));
    *id = STEAL(found);
    return NULL;
}
