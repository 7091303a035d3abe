# bash completion for p2pctl(1). Objects are asked of p2pd, if it answers.
# shellcheck shell=bash disable=SC2154  # _init_completion sets cur, prev, words, cword and split

# The names in a list: sessions/7, exports/12; a device's is its address.
_p2pctl_names() {
    p2pctl --no-legend --color=never --timeout=1 "$1" 2>/dev/null | awk '{ print $1 }'
}

# Likewise, without the kind.
_p2pctl_ask() {
    _p2pctl_names "$1" | sed 's|^[a-z-]*/||'
}

# The words before the cursor that are neither options nor their values.
_p2pctl_operands() {
    local i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --color | --timeout | --fd-socket | --grpc-socket | --count | --for | --acquire | --drive | --reason) ((i++)) ;;
        --scope | --progress | --time-to-live) ((i++)) ;;
        --user | --unit | --label | --session | --exporter | --window | --importer | --access) ((i++)) ;;
        -*) ;;
        *) echo "${words[i]}" ;;
        esac
    done
}

# The options of the command whose words are "$*".
_p2pctl_options() {
    case "$*" in
    ping) echo --count ;;
    watch) echo --count --until-in-sync ;;
    topology*) echo --tree --matrix --dot ;;
    operations) echo --follow ;;
    acquire*) echo --for --raw --time-to-live ;;
    run) echo --acquire --drive --quiesce ;;
    "device recover"*) echo --progress ;;
    reset*) echo --scope --progress ;;
    revoke*) echo --reason --progress ;;
    "policy reload") echo --dry-run --once ;;
    "policy explain"*) echo --user --unit --label --session --exporter --window --importer --access ;;
    esac
}

# What may stand where an operand is due, after the operands "$*".
_p2pctl_choices() {
    case "$*" in
    "") echo "$commands" ;;
    device) echo show recover ;;
    session | export | operation) echo show ;;
    reset | topology | "topology "* | "device show" | "device recover") _p2pctl_ask devices ;;
    renew | release | "session show") _p2pctl_ask sessions ;;
    "export show") _p2pctl_ask exports ;;
    "operation show") _p2pctl_ask operations ;;
    revoke) _p2pctl_names sessions && _p2pctl_names exports ;;
    acquire) _p2pctl_windows ;;
    log-level) echo error warning notice info debug ;;
    policy) echo check test reload explain ;;
    "policy explain") echo OBSERVE EXPORT EXPORT_CONTROL RECEIVE_FD MAP MAP_MEMORY DRIVE RESET ADMIN ;;
    esac
}

# How a window begins: 0000:01:00.0/
_p2pctl_windows() {
    _p2pctl_ask devices | sed 's|$|/|'
}

_p2pctl() {
    local cur prev words cword split
    _init_completion -s -n : || return
    local commands="status ping log-level devices device topology sessions session exports export offers address-spaces"
    commands+=" mappings operations operation watch acquire renew release run reset revoke policy"
    local options="--json --no-legend --color --timeout --fd-socket --grpc-socket --version --help"
    local operands choices i
    for ((i = 1; i < cword; i++)); do
        if [[ ${words[i]} == -- ]]; then
            _command_offset $((i + 1))
            return
        fi
    done
    mapfile -t operands < <(_p2pctl_operands)

    case $prev in
    --color | --progress) choices="auto always never" ;;
    --scope) choices="function bus" ;;
    --for | --drive | --exporter | --importer) choices=$(_p2pctl_ask devices) ;;
    --acquire | --window) choices=$(_p2pctl_windows) ;;
    --access) choices="READ WRITE READ_WRITE" ;;
    --user) choices=$(compgen -u) ;;
    --session) choices=$(_p2pctl_ask sessions) ;;
    --fd-socket | --grpc-socket)
        _filedir
        return
        ;;
    --timeout | --count | --reason | --time-to-live | --unit | --label) return ;;
    *)
        $split && return
        if [[ $cur == -* ]]; then
            choices="$options $(_p2pctl_options "${operands[@]}")"
        elif [[ "${operands[*]}" == "policy check"* || "${operands[*]}" == "policy test"* ]]; then
            _filedir
            return
        else
            choices=$(_p2pctl_choices "${operands[@]}")
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
    [[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    __ltrim_colon_completions "$cur" # bash splits words at an address's colons
}

complete -F _p2pctl p2pctl
