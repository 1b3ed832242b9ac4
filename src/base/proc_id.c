#include "base/proc_id.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* Fields 3 (state) and 22 (start) of /proc/<pid>/stat, counted from behind the command's closing
 * bracket: the command may have brackets and spaces itself. */
static bool read_stat(int64_t pid, char *state, int64_t *start)
{
    AUTO(char) path = mem_printf("/proc/%lld/stat", (long long)pid);
    AUTO_VALUE(Buf) text = {0};
    Error *e = file_read(path, 65536, &text);
    if (e || !text.data) {
        error_drop(e);
        return false;
    }
    const char *at = strrchr((const char *)text.data, ')');
    if (!at || sscanf(at, ") %c", state) != 1)
        return false;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    long long ticks = -1;
    if (!at || sscanf(at, " %lld", &ticks) != 1)
        return false;
    *start = ticks;
    return true;
}

int64_t proc_id_start(int64_t pid)
{
    char state;
    int64_t start;
    return read_stat(pid, &state, &start) ? start : -1;
}

char *proc_id_boot(void)
{
    AUTO_VALUE(Buf) id = {0};
    char space[64] = "";
    Error *e = file_read("/proc/sys/kernel/random/boot_id", 4096, &id);
    if (e || !id.data) {
        error_drop(e);
        return mem_strdup("");
    }
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = 0;
    return mem_printf("%.*s %s", (int)strcspn((const char *)id.data, "\n"), (const char *)id.data,
                      space);
}

bool proc_id_is_alive(int64_t pid, int64_t start)
{
    char state = 0;
    int64_t now = -1;
    if (pid <= 0 || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
        return false;
    if (!read_stat(pid, &state, &now))
        return true;
    return state != 'Z' && state != 'X' && (start < 0 || now == start);
}
