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
    --tag|-t)
        :
        return
        ;;
    --parent)
        _pgstow_ids
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
    --level|-l)
        COMPREPLY=($(compgen -W 'quick data rebuild' -- "$cur"))
        return
        ;;
    --format|-F)
        COMPREPLY=($(compgen -W 'custom' -- "$cur"))
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
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        doctor|backup|create|list|show|verify|restore|delete|export|guard|check|stats|config|help)
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
        flags='--compression --encrypt --exclude-table --exclude-table-data --schema --tag --parent --max-rate --lock-wait --timeout'
        ;;
    list)
        flags=''
        ;;
    show)
        flags='--tables'
        ;;
    verify)
        flags='--level'
        ;;
    restore)
        flags='--to-db --replace --in-place --keep-old --detach --at --dry-run --no-owner --no-privileges --no-tablespaces --no-analyze --role --timeout'
        ;;
    delete)
        flags='--ignore-missing'
        ;;
    export)
        flags='--format --output --overwrite'
        ;;
    guard)
        flags='--compression --encrypt --tag --parent --max-rate --lock-wait --timeout'
        ;;
    check)
        flags='--max-age'
        ;;
    stats)
        flags=''
        ;;
    config)
        flags=''
        ;;
    help)
        flags=''
        ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags --repo --db --jobs --yes --json --quiet --verbose --config --help --version" -- "$cur"))
        return
    fi
    case $command in
    '' | help)
        COMPREPLY=($(compgen -W 'doctor backup list show verify restore delete export guard check stats config help' -- "$cur"))
        ;;
    config)
        COMPREPLY=($(compgen -W 'check show sample' -- "$cur"))
        ;;
    show|verify|restore|delete|export)
        _pgstow_ids
        ;;
    guard)
        COMPREPLY=($(compgen -c -- "$cur"))
        ;;
    esac
}

complete -F _pgstow pgstow
