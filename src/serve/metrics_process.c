#include "serve/metrics_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void memory(Buf *out)
{
    unsigned long long pages[2];
    FILE *f = fopen("/proc/self/statm", "re");
    bool known = f && fscanf(f, "%llu %llu", &pages[0], &pages[1]) == 2;
    if (f)
        fclose(f);
    if (!known)
        return;
    int64_t page = sysconf(_SC_PAGESIZE);
    exposition_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
                   (int64_t)pages[0] * page);
    exposition_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
                   (int64_t)pages[1] * page);
}

static void files(Buf *out)
{
    struct rlimit limit;
    int64_t open = -3; /* ".", ".." and the folder itself */
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        open++;
    if (dir) {
        closedir(dir);
        exposition_one(out, "process_open_fds", "gauge", "Number of open file descriptors.", open);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        exposition_one(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
                       (int64_t)limit.rlim_cur);
}

static int64_t milliseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000 + t.tv_usec / 1000;
}

void metrics_process(Instant started, Buf *out)
{
    struct rusage used;
    exposition_family(out, "process_start_time_seconds", "gauge",
                      "Start time of the process since unix epoch in seconds.");
    exposition_seconds(out, "process_start_time_seconds", NULL, started);
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        exposition_family(out, "process_cpu_seconds_total", "counter",
                          "Total user and system CPU time spent in seconds, without that of jobs.");
        exposition_seconds(out, "process_cpu_seconds_total", NULL,
                           milliseconds(used.ru_utime) + milliseconds(used.ru_stime));
    }
    memory(out);
    files(out);
}
