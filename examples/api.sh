#!/bin/sh
# A backup through the API of `pgstow serve`, with curl and jq: asks for one, waits for its job, and
# prints the backup's id.
#
#   PGSTOW_TOKEN=pgstow_... ./api.sh [ENTRY]     the token of an operator: pgstow token add
#   PGSTOW_URL=https://backup.example.com        where the service is, if not on this host
#
# ENTRY is a name of `databases:`, where the service has several.
set -eu

# api METHOD PATH [OPTION OF CURL...]: $answer is what it says. The token comes by standard input, for
# ps shows arguments.
api() {
    method=$1
    path=$2
    shift 2
    answer=$(printf 'header = "Authorization: Bearer %s"\n' "$PGSTOW_TOKEN" |
        curl --config - --silent --show-error --fail-with-body --request "$method" "$@" \
            "${PGSTOW_URL:-http://127.0.0.1:8080}/api/v1/$path") || {
        get '.error | "\(.kind): \(.message)"' >&2
        exit 1
    }
}
get() {
    printf '%s' "$answer" | jq -r "$1"
}

body='{}'
[ $# -eq 0 ] || body=$(jq -n --arg entry "$1" '{$entry}')
api POST backups --data "$body"
job=$(get .job)

status=queued
while [ "$status" = queued ] || [ "$status" = running ]; do
    sleep 1
    api GET "jobs/$job"
    status=$(get .status)
done
if [ "$status" != succeeded ]; then
    get '"job \(.id) \(.status): \(.error.message // "")"' >&2
    exit 1
fi
get .backup
