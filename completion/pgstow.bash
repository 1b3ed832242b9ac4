# bash completion for pgstow. Generated from src/spec: change the rows there.

# The ids in the repository that the line names, or in the usual one.
_pgstow_ids()
{
    local i repo=${BACKUP_DIR:-./backups} ids=latest file
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --repo|-r) repo=${COMP_WORDS[i + 1]} ;;
        esac
    done
    for file in "$repo"/backups/*.manifest; do
        [ -e "$file" ] || continue
        file=${file##*/} file=${file%.manifest}
        [ -e "$repo/trash/$file" ] || ids+=" $file"
    done
    COMPREPLY=($(compgen -W "$ids" -- "$cur"))
}

_pgstow()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local i command='' flags=''
    COMPREPLY=()
    case $prev in
    --repo|-r)
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    --db|-d)
        :
        return
        ;;
    --jobs|-j)
        :
        return
        ;;
    --config|-c)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --entry|-e)
        :
        return
        ;;
    --events)
        :
        return
        ;;
    --key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --passphrase-command)
        :
        return
        ;;
    --new-key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --database)
        :
        return
        ;;
    --to)
        COMPREPLY=($(compgen -d -- "$cur"))
        return
        ;;
    --to-key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --to-passphrase-command)
        :
        return
        ;;
    --name)
        :
        return
        ;;
    --compression)
        COMPREPLY=($(compgen -W 'false true 1 2 3 4 5 6 7 8 9' -- "$cur"))
        return
        ;;
    --exclude-table|-T)
        :
        return
        ;;
    --exclude-table-data)
        :
        return
        ;;
    --schema|-n)
        :
        return
        ;;
    --where)
        :
        return
        ;;
    --mask)
        :
        return
        ;;
    --include-database)
        :
        return
        ;;
    --exclude-database)
        :
        return
        ;;
    --tag|-t)
        :
        return
        ;;
    --parent)
        _pgstow_ids
        return
        ;;
    --fallback)
        COMPREPLY=($(compgen -W 'none json' -- "$cur"))
        return
        ;;
    --max-rate)
        :
        return
        ;;
    --lock-wait)
        :
        return
        ;;
    --timeout)
        :
        return
        ;;
    --validate)
        COMPREPLY=($(compgen -W 'off warn strict' -- "$cur"))
        return
        ;;
    --validate-seconds)
        :
        return
        ;;
    --to-db)
        :
        return
        ;;
    --keep-old)
        :
        return
        ;;
    --at)
        :
        return
        ;;
    --role)
        :
        return
        ;;
    --search-path)
        :
        return
        ;;
    --merge)
        COMPREPLY=($(compgen -W 'no upsert mirror insert' -- "$cur"))
        return
        ;;
    --key)
        :
        return
        ;;
    --keyless)
        COMPREPLY=($(compgen -W 'fail replace skip' -- "$cur"))
        return
        ;;
    --on-conflict)
        :
        return
        ;;
    --on-unique-conflict)
        COMPREPLY=($(compgen -W 'fail replace skip' -- "$cur"))
        return
        ;;
    --base)
        _pgstow_ids
        return
        ;;
    --url)
        :
        return
        ;;
    --node)
        _pgstow_ids
        return
        ;;
    --peer-key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --peer-key-command)
        :
        return
        ;;
    --registration-key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --legacy-header)
        :
        return
        ;;
    --ca-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --peer-repo-key-file)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --peer-repo-passphrase-command)
        :
        return
        ;;
    --peer-entry)
        :
        return
        ;;
    --method)
        COMPREPLY=($(compgen -W 'auto backup http' -- "$cur"))
        return
        ;;
    --session)
        _pgstow_ids
        return
        ;;
    --idle-for)
        :
        return
        ;;
    --phase)
        COMPREPLY=($(compgen -W 'all backup transfer restore' -- "$cur"))
        return
        ;;
    --table)
        :
        return
        ;;
    --as)
        :
        return
        ;;
    --level|-l)
        COMPREPLY=($(compgen -W 'quick data rebuild drill' -- "$cur"))
        return
        ;;
    --older-than)
        :
        return
        ;;
    --sample)
        :
        return
        ;;
    --drill-db)
        :
        return
        ;;
    --assert)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --report)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --limit)
        :
        return
        ;;
    --expires)
        :
        return
        ;;
    --max-seconds)
        :
        return
        ;;
    --format|-F)
        COMPREPLY=($(compgen -W 'auto custom directory plain upsert json csv globals' -- "$cur"))
        return
        ;;
    --for-pg-restore)
        COMPREPLY=($(compgen -W 'any 12 13 14 15 16 17 18' -- "$cur"))
        return
        ;;
    --output|-o)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    --max-age)
        :
        return
        ;;
    --retention-days)
        :
        return
        ;;
    --keep-last)
        :
        return
        ;;
    --keep-hourly)
        :
        return
        ;;
    --keep-daily)
        :
        return
        ;;
    --keep-weekly)
        :
        return
        ;;
    --keep-monthly)
        :
        return
        ;;
    --keep-yearly)
        :
        return
        ;;
    --keep-within)
        :
        return
        ;;
    --keep-tag)
        :
        return
        ;;
    --group-by-tag)
        :
        return
        ;;
    --time-zone)
        :
        return
        ;;
    --trash-days)
        :
        return
        ;;
    --dead-after)
        :
        return
        ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        doctor|backup|create|list|show|verify|restore|delete|undelete|cleanup|pin|unpin|export|import|guard|validate|diff|check|stats|copy|sync|peer|key|config|serve|schedule|jobs|token|notify|help)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $command in
    doctor)
        flags=''
        ;;
    backup|create)
        flags='--accept-older --compression --encrypt --exclude-table --exclude-table-data --schema --where --cascade --mask --all-databases --include-database --exclude-database --globals --role-passwords --tag --parent --fallback --max-rate --lock-wait --timeout --validate --validate-seconds --no-cleanup'
        ;;
    list)
        flags='--trash-days --deleted'
        ;;
    show)
        flags='--tables'
        ;;
    verify)
        flags='--search-path --timeout --level --older-than --sample --drill-db --assert --report --validate'
        ;;
    restore)
        flags='--validate-seconds --validate --to-db --replace --in-place --keep-old --detach --at --dry-run --globals --no-owner --no-privileges --no-tablespaces --salvage --no-analyze --keep-order --role --search-path --timeout --merge --key --keyless --on-conflict --on-unique-conflict --base --triggers --delta --verify-merge --ignore-extra-columns --lock-wait --table --schema --exclude-table --data-only --schema-only'
        ;;
    delete)
        flags='--ignore-missing'
        ;;
    undelete)
        flags=''
        ;;
    cleanup)
        flags='--dry-run --retention-days --keep-last --keep-hourly --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-within --keep-tag --group-by-tag --time-zone --trash-days --dead-after --prune-only'
        ;;
    pin)
        flags=''
        ;;
    unpin)
        flags=''
        ;;
    export)
        flags='--table --schema --exclude-table --data-only --schema-only --format --where --cascade --mask --compression --for-pg-restore --output --overwrite'
        ;;
    import)
        flags='--accept-older --compression --encrypt --tag --parent --max-rate --no-owner --no-privileges --timeout --as --at'
        ;;
    guard)
        flags='--accept-older --compression --encrypt --tag --parent --max-rate --lock-wait --timeout --validate --validate-seconds'
        ;;
    validate)
        flags='--max-seconds --heapallindexed --run-functions'
        ;;
    diff)
        flags='--table --schema --rows --limit --exit-code'
        ;;
    check)
        flags='--max-age'
        ;;
    stats)
        flags=''
        ;;
    copy)
        flags='--to --to-key-file --to-passphrase-command --all --accept-older --encrypt --max-rate'
        ;;
    sync)
        flags='--dry-run --timeout --key --keyless --on-conflict --on-unique-conflict --lock-wait --peer-entry --merge --method --delta --where --mask --cascade --ignore-extra-columns --no-safety-backup --no-verify --no-compress --max-rate --session --idle-for --phase --push --exclude-table --limit'
        ;;
    peer)
        flags='--url --node --peer-key-file --peer-key-command --registration-key-file --legacy-header --ca-file --insecure --peer-repo-key-file --peer-repo-passphrase-command --peer-entry'
        ;;
    key)
        flags='--new-key-file --write-only --database --name --output'
        ;;
    config)
        flags=''
        ;;
    serve)
        flags=''
        ;;
    schedule)
        flags=''
        ;;
    jobs)
        flags='--limit --cancel'
        ;;
    token)
        flags='--role --expires'
        ;;
    notify)
        flags=''
        ;;
    help)
        flags=''
        ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags --repo --db --jobs --yes --json --quiet --verbose --config --entry --events --key-file --passphrase-command --help --version" -- "$cur"))
        return
    fi
    case $command in
    '' | help)
        COMPREPLY=($(compgen -W 'doctor backup list show verify restore delete undelete cleanup pin unpin export import guard validate diff check stats copy sync peer key config serve schedule jobs token notify help' -- "$cur"))
        ;;
    config)
        COMPREPLY=($(compgen -W 'check show sample' -- "$cur"))
        ;;
    show|verify|restore|delete|undelete|pin|unpin|export|copy|jobs)
        _pgstow_ids
        ;;
    guard)
        COMPREPLY=($(compgen -c -- "$cur"))
        ;;
    esac
}

complete -F _pgstow pgstow
