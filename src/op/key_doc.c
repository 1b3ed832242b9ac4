/* What key shows of slots, as JSON. */
#include "op/key.h"

Doc *key_slot_doc(const KeySlotInfo *i)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", i->id);
    doc_set_str(d, "name", i->name);
    doc_set_str(d, "kind", key_kind_name(i->kind));
    doc_set_time(d, "created", i->created);
    doc_set(d, "databases", doc_texts(&i->databases));
    doc_set_str(d, "state", key_slot_state_name(i->state));
    doc_set_bool(d, "inUse", i->ours);
    return d;
}

Doc *key_slots_doc(const KeySlotList *l)
{
    Doc *d = doc_object(), *slots = doc_array();
    for (size_t i = 0; i < l->count; i++)
        doc_push(slots, key_slot_doc(&l->items[i]));
    doc_set_int(d, "epoch", l->epoch);
    doc_set(d, "keys", slots);
    return d;
}
