# bash completion for p2pctl(1). Addresses and operations are asked of p2pd, if it answers.
# shellcheck shell=bash disable=SC2154  # _init_completion sets cur, prev, words, cword and split

# The first column of a list command, without its kind.
_p2pctl_ask() {
    p2pctl --no-legend --color=never --timeout=1 "$1" 2>/dev/null | awk '{ sub(/^[a-z-]+\//, "", $1); print $1 }'
}

# The words before the cursor that are neither options nor their values.
_p2pctl_operands() {
    local i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --color | --timeout | --fd-socket | --grpc-socket | --count) ((i++)) ;;
        -*) ;;
        *) echo "${words[i]}" ;;
        esac
    done
}

_p2pctl() {
    local cur prev words cword split
    _init_completion -s -n : || return
    local commands="status devices device sessions exports address-spaces mappings operations operation reset watch"
    local options="--json --no-legend --color --timeout --fd-socket --grpc-socket --version --help"
    local operands choices=""
    mapfile -t operands < <(_p2pctl_operands)

    case $prev in
    --color)
        mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur")
        return
        ;;
    --fd-socket | --grpc-socket)
        _filedir
        return
        ;;
    --timeout | --count)
        return
        ;;
    esac
    $split && return

    if [[ $cur == -* ]]; then
        [[ ${operands[0]} == watch ]] && options+=" --count --until-in-sync"
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    case "${operands[*]}" in
    "") choices=$commands ;;
    device | operation) choices=show ;;
    reset | "device show") choices=$(_p2pctl_ask devices) ;;
    "operation show") choices=$(_p2pctl_ask operations) ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
    __ltrim_colon_completions "$cur" # bash splits words at an address's colons
}

complete -F _p2pctl p2pctl
