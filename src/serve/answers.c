#include "serve/answers.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct Kept {
    char tag[ANSWERS_TAG];
    char *text;
} Kept;

struct Answers {
    pthread_mutex_t lock;
    Kept items[ANSWERS_KEPT]; /* the one used last comes first */
};

Answers *answers_new(void)
{
    Answers *a = mem_new(Answers);
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void answers_free(Answers *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < ANSWERS_KEPT; i++)
        free(a->items[i].text);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* Under the lock: to the front. */
static void use(Answers *a, size_t i)
{
    Kept one = a->items[i];
    memmove(a->items + 1, a->items, i * sizeof *a->items);
    a->items[0] = one;
}

char *answers_find(Answers *a, const char *tag)
{
    char *text = NULL;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < ANSWERS_KEPT && !text; i++) {
        if (!a->items[i].text || strcmp(a->items[i].tag, tag) != 0)
            continue;
        use(a, i);
        text = mem_strdup(a->items[0].text);
    }
    pthread_mutex_unlock(&a->lock);
    return text;
}

void answers_keep(Answers *a, const char *tag, const char *text)
{
    if (strlen(tag) >= ANSWERS_TAG || strlen(text) > ANSWERS_BYTES)
        return;
    char *copy = mem_strdup(text);
    pthread_mutex_lock(&a->lock);
    use(a, ANSWERS_KEPT - 1);
    free(a->items[0].text);
    snprintf(a->items[0].tag, ANSWERS_TAG, "%s", tag);
    a->items[0].text = copy;
    pthread_mutex_unlock(&a->lock);
}
