#include "serve/notice.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

void notice_send(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (!n || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (*path == '@') /* an abstract one */
        to.sun_path[0] = 0;
    AUTO_VALUE(Fd) s = {socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (s.n < 0 || sendto(s.n, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&to,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        log_debug("systemd could not be told: %s", lines);
}

void notice_reloading(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    AUTO(char)
    text = mem_printf("RELOADING=1\nMONOTONIC_USEC=%lld",
                      (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
    notice_send(text);
}

int64_t notice_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t n = 0, whose = getpid();
    AUTO(Error) e = usec ? text_parse_int(usec, 1, INT64_MAX, &n) : NULL;
    AUTO(Error) other = pid ? text_parse_int(pid, 1, INT64_MAX, &whose) : NULL;
    return e || other || whose != getpid() ? 0 : n / 2000;
}
