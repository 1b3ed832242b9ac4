/* What copy did, as JSON and as an error. */
#include "op/copy.h"

Doc *copy_doc(const CopyResult *r)
{
    Doc *d = doc_object(), *copied = doc_array(), *there = doc_array(), *failed = doc_array();
    for (size_t i = 0; i < r->count; i++) {
        const CopyItem *item = &r->items[i];
        if (item->error) {
            Doc *one = doc_object();
            doc_set_str(one, "id", item->id);
            doc_set(one, "error", doc_error(item->error));
            doc_push(failed, one);
        } else if (item->outcome.state == COPY_THERE) {
            doc_push_str(there, item->outcome.info.id);
        } else {
            doc_push(copied, backup_info_doc(&item->outcome.info));
        }
    }
    doc_set(d, "copied", copied);
    doc_set(d, "there", there);
    doc_set(d, "failed", failed);
    return d;
}

Error *copy_failures(CopyResult *r)
{
    size_t failed = 0;
    for (size_t i = 0; i < r->count; i++)
        failed += r->items[i].error != NULL;
    if (!failed)
        return NULL;
    if (r->total == 1)
        return STEAL(r->items[0].error);
    return error_hint(
        ERROR_NEW(ERR_PARTIAL, "%zu of %zu backups could not be copied", failed, r->total),
        "%swhat is there already is passed over when this is run again",
        failed < r->total ? "the others are in the target; " : "");
}
