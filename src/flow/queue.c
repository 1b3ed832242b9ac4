#include "flow/queue.h"

#include <pthread.h>

typedef struct Item {
    void *item;
    size_t weight;
} Item;

struct Queue {
    pthread_mutex_t lock;
    pthread_cond_t room, filled;
    Item *ring; /* count items from `head` on, going round at cap */
    size_t head, count, cap;
    size_t weight, max_weight;
    bool closed, aborted;
    void (*free_item)(void *);
};

Queue *queue_new(size_t max_weight, void (*free_item)(void *))
{
    Queue *q = mem_new(Queue);
    q->max_weight = max_weight;
    q->free_item = free_item;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->room, NULL);
    pthread_cond_init(&q->filled, NULL);
    return q;
}

static Item take_first(Queue *q)
{
    Item first = q->ring[q->head];
    q->head = q->head + 1 == q->cap ? 0 : q->head + 1;
    q->count--;
    q->weight -= first.weight;
    return first;
}

void queue_free(Queue *q)
{
    if (!q)
        return;
    while (q->count) {
        Item left = take_first(q);
        if (q->free_item)
            q->free_item(left.item);
    }
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->room);
    pthread_cond_destroy(&q->filled);
    free(q->ring);
    free(q);
}

static void grow(Queue *q)
{
    size_t cap = q->cap ? q->cap * 2 : 16;
    Item *ring = mem_calloc(cap, sizeof *ring);
    for (size_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->head + i) % q->cap];
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
}

bool queue_push(Queue *q, void *item, size_t weight)
{
    /* Weightless items would make the queue boundless. */
    if (weight == 0)
        weight = 1;
    pthread_mutex_lock(&q->lock);
    while (!q->closed && q->count && q->weight >= q->max_weight)
        pthread_cond_wait(&q->room, &q->lock);
    bool open = !q->closed;
    if (open) {
        if (q->count == q->cap)
            grow(q);
        q->ring[(q->head + q->count) % q->cap] = (Item){item, weight};
        q->count++;
        q->weight += weight;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return open;
}

bool queue_pop(Queue *q, void **item)
{
    pthread_mutex_lock(&q->lock);
    while (!q->closed && !q->count)
        pthread_cond_wait(&q->filled, &q->lock);
    bool got = q->count && !q->aborted;
    if (got) {
        *item = take_first(q).item;
        /* All of them: one heavy item may make room for several light ones. */
        pthread_cond_broadcast(&q->room);
    }
    pthread_mutex_unlock(&q->lock);
    return got;
}

static void end(Queue *q, bool abort)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    if (abort)
        q->aborted = true;
    pthread_cond_broadcast(&q->room);
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

void queue_close(Queue *q)
{
    end(q, false);
}

void queue_abort(Queue *q)
{
    end(q, true);
}
