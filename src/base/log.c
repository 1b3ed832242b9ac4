#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static LogSink sink;
static void *sink_ctx;
static LogLevel sink_least;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void log_set_sink(LogSink s, void *ctx, LogLevel least)
{
    pthread_mutex_lock(&lock);
    sink = s;
    sink_ctx = ctx;
    sink_least = least;
    pthread_mutex_unlock(&lock);
}

void log_write(LogLevel level, const char *fmt, ...)
{
    pthread_mutex_lock(&lock);
    if (sink && level >= sink_least) {
        va_list args;
        char *text = NULL;
        va_start(args, fmt);
        int n = vasprintf(&text, fmt, args);
        va_end(args);
        if (n >= 0) {
            sink(sink_ctx, level, text);
            free(text);
        }
    }
    pthread_mutex_unlock(&lock);
}
