#include "base/fault.h"

Error *fault_reach(const char *name)
{
    (void)name;
    return NULL;
}
