/* Findings for people and as JSON: for doctor and restore. */
#ifndef PGSTOW_CLI_FINDINGS_H
#define PGSTOW_CLI_FINDINGS_H

#include "base/doc.h"
#include "base/finding.h"

void findings_print(const FindingList *l);
Doc *findings_doc(const FindingList *l);

#endif
