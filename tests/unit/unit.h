/* What every unit test includes: cmocka and the checks for errors as values. */
#ifndef PGSTOW_TESTS_UNIT_H
#define PGSTOW_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

/* The call must succeed; otherwise the error's text is shown. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        Error *ok_error_ = (call);                                                                 \
        if (ok_error_) {                                                                           \
            print_error("%s: %s (%s)\n", #call, error_message(ok_error_), error_place(ok_error_)); \
            error_free(ok_error_);                                                                 \
            fail();                                                                                \
        }                                                                                          \
    } while (0)
/* The call must fail with this kind. */
#define FAILS(expected, call)                                                                      \
    do {                                                                                           \
        Error *failed_ = (call);                                                                   \
        if (!failed_)                                                                              \
            print_error("%s succeeded\n", #call);                                                  \
        assert_non_null(failed_);                                                                  \
        if (error_kind(failed_) != (expected))                                                     \
            print_error("%s: %s (%s)\n", #call, error_message(failed_), error_place(failed_));     \
        ErrorKind got_ = error_kind(failed_);                                                      \
        error_free(failed_);                                                                       \
        assert_int_equal(got_, (expected));                                                        \
    } while (0)

#endif
