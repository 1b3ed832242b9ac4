#include "base/fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RULES 16
static struct Rule {
    char name[64], action[8];
    int at, seen;
} rules[RULES];
static size_t rule_count;
static int list_fd = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void load(void)
{
    const char *file = getenv("PGSTOW_FAULT_LIST"), *spec = getenv("PGSTOW_FAULT");
    if (file)
        list_fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    AUTO(char) copy = mem_strdup(spec ? spec : "");
    char *save = NULL;
    for (char *s = strtok_r(copy, ",", &save); s && rule_count < RULES;
         s = strtok_r(NULL, ",", &save)) {
        struct Rule *r = &rules[rule_count];
        r->at = 1;
        if (sscanf(s, "%63[^:]:%7[a-z]:%d", r->name, r->action, &r->at) < 2) {
            fprintf(stderr, "PGSTOW_FAULT: \"%s\" is not NAME:ACTION[:N]\n", s);
            abort();
        }
        rule_count++;
    }
}

Error *fault_reach(const char *name)
{
    pthread_once(&once, load);
    const char *action = NULL;
    pthread_mutex_lock(&lock);
    if (list_fd >= 0)
        dprintf(list_fd, "%s\n", name);
    for (size_t i = 0; i < rule_count; i++)
        if (!strcmp(rules[i].name, name) && ++rules[i].seen == rules[i].at)
            action = rules[i].action;
    pthread_mutex_unlock(&lock);
    if (!action)
        return NULL;
    if (!strcmp(action, "kill"))
        kill(getpid(), SIGKILL);
    if (!strcmp(action, "stop"))
        kill(getpid(), SIGSTOP);
    if (!strcmp(action, "error"))
        FAIL(ERR_IO, "fault point %s", name);
    return NULL;
}

const char *fault_setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}
