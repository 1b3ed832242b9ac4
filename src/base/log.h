/* Log: messages for whoever runs the program, which a face shows. Rooms below the faces never
 * print. Levels: debug (only with --verbose), info, warning. Failures are not logged but returned.
 * Thread-safe. */
#ifndef PGSTOW_BASE_LOG_H
#define PGSTOW_BASE_LOG_H

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING } LogLevel;
typedef void (*LogSink)(void *ctx, LogLevel level, const char *message);

/* Set once by a face before threads start. Without a sink messages are dropped. */
void log_set_sink(LogSink sink, void *ctx, LogLevel least);
void log_write(LogLevel level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)

#endif
