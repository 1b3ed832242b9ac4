/* A store under test: it hands every call on to another one, counts them, and lets one of them go
 * wrong. Nothing of it is in the program that people install: there store_under_test gives back
 * what it gets (faulty_off.c). The tests' build obeys
 *
 *   PGSTOW_STORE_FAULT=N:KIND  the N-th call (from 1) goes wrong in this way
 *   PGSTOW_STORE_LIST=FILE     a line for each call is appended: its number, what, of which object
 *
 * begin, write, finish (of a pack), put (the end of a whole object), adopt, barrier, get, get_all,
 * size, delete, list and space are calls.
 */
#ifndef PGSTOW_STORE_FAULTY_H
#define PGSTOW_STORE_FAULTY_H

#include "store/store.h"

typedef enum StoreFaultKind {
    STORE_FAULT_NONE,
    /* Nothing is carried out, and an error is returned. */
    STORE_FAULT_IO,
    STORE_FAULT_DENIED,
    STORE_FAULT_FULL,
    STORE_FAULT_SHORT,  /* half of what is written, read or listed, then ERR_IO */
    STORE_FAULT_LATE,   /* carried out, but ERR_IO is returned */
    STORE_FAULT_EXISTS, /* a put that is carried out, then repeated below: ERR_EXISTS */
    STORE_FAULT_GONE,   /* ERR_IO, and so is every later call: the store has vanished */
    STORE_FAULT_LOST,   /* carried out, and then gone */
    STORE_FAULT_KILL,   /* the process ends before it is carried out */
    STORE_FAULT_KILLED  /* the process ends afterwards */
} StoreFaultKind;

/* For store_open_dir. Takes the store over and gives another one, or the same. */
Store *store_under_test(Store *s);

/* For unit tests: takes `inner` over. From then on `at` counts from 1; 0: never. */
Store *store_faulty(Store *inner, uint64_t at, StoreFaultKind kind);
/* Sets the count back to nothing and plans another fault; what was gone is there again. */
void store_faulty_plan(Store *s, uint64_t at, StoreFaultKind kind);
uint64_t store_faulty_calls(Store *s); /* since it was planned */
bool store_faulty_reached(Store *s);   /* the fault has happened */
const char *store_faulty_name(StoreFaultKind kind);

#endif
