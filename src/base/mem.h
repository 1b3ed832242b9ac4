/* Memory: allocation that aborts for small fixed things, and ownership that shows.
 *
 * `AUTO(Type) x = NULL;` declares a `Type *` that is freed at the end of its scope; `STEAL(x)`
 * gives it away (x becomes NULL). `AUTO_VALUE(Type) v = {0};` does the same for a struct held by
 * value. A type joins by DEFINE_AUTO(Type, free_function) or DEFINE_AUTO_VALUE(Type,
 * free_function).
 */
#ifndef PGSTOW_BASE_MEM_H
#define PGSTOW_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* "unused": clang warns otherwise of a variable that is there only to be freed. */
#define AUTO(Type) __attribute__((cleanup(auto_##Type), unused)) Type *
#define AUTO_VALUE(Type) __attribute__((cleanup(auto_value_##Type), unused)) Type
#define DEFINE_AUTO(Type, free_function)                                                           \
    static inline __attribute__((unused)) void auto_##Type(Type **p)                               \
    {                                                                                              \
        if (*p)                                                                                    \
            free_function(*p);                                                                     \
    }
#define DEFINE_AUTO_VALUE(Type, free_function)                                                     \
    static inline __attribute__((unused)) void auto_value_##Type(Type *p)                          \
    {                                                                                              \
        free_function(p);                                                                          \
    }
#define STEAL(x)                                                                                   \
    ({                                                                                             \
        __typeof__(x) steal_ = (x);                                                                \
        (x) = NULL;                                                                                \
        steal_;                                                                                    \
    })

/* For strings: AUTO(char) s = mem_printf(...). */
DEFINE_AUTO(char, free)

/* These abort when memory is gone: only for small things whose size no peer or file decides. */
void *mem_zalloc(size_t size);
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *p, size_t count, size_t size);
char *mem_strdup(const char *s); /* NULL stays NULL */
char *mem_strndup(const char *s, size_t n);
void *mem_dup(const void *p, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define mem_new(Type) ((Type *)mem_zalloc(sizeof(Type)))

/* qsort, for which an empty array may be NULL. */
static inline void mem_sort(void *p, size_t count, size_t size,
                            int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(p, count, size, compare);
}

/* Grows a vector (pointer, count, capacity) so that one more fits; aborts when memory is gone. */
void *mem_grow_(void *p, size_t count, size_t *cap, size_t elem);
#define mem_grow(vec, count, cap) ((vec) = mem_grow_((vec), (count), &(cap), sizeof *(vec)))

#endif
