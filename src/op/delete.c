#include "op/delete.h"

#include "repo/trash.h"

Error *op_delete(const OpContext *c, const char *name, char **id)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) database = op_database_name(c);
    AUTO(char) found = NULL;
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_resolve(repo, name, database, &found));
    TRY(trash_put(repo, found));
    *id = STEAL(found);
    return NULL;
}
