# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bash completion for ktracectl(1)

# Runs ktracectl for its own completion, with the options that say which daemon to ask.
__ktracectl_ask() {
        ktracectl --no-pager --no-legend --no-ask-password "${__ktracectl_target[@]}" "$@" 2>/dev/null
}

__ktracectl_sessions() {
        __ktracectl_ask session list | awk '{ print $1; if ($2 != "-") print $2 }'
}

__ktracectl_captures() {
        __ktracectl_ask capture list | awk '{ print $1 }'
}

__ktracectl_systems_and_events() {
        __ktracectl_ask list events | awk -F: '{ print $0; if (!seen[$1]++) print $1 }'
}

# Those that begin with $1, since there are tens of thousands.
__ktracectl_functions() {
        [[ -n $1 ]] && __ktracectl_ask list functions "$1*" | awk '{ if (!seen[$1]++) print $1 }'
}

__ktracectl_profiles() {
        __ktracectl_ask list profiles | awk '{ print $1 }'
}

# Those that can have processes and run. A backslash in a name is quoted for compgen, and for the command line.
__ktracectl_units() {
        systemctl list-units --no-legend --no-pager --plain --full --type=service,scope,slice --state=active 2>/dev/null |
                awk '{ print $1 }' | sed 's/\\/&&&&/g'
}

# Sets COMPREPLY from the words of standard input. After a comma in $1 only the last part is completed.
__ktracectl_reply() {
        local cur=$1 head=
        local -a found

        if [[ $2 == list && $cur == *,* ]]; then
                head=${cur%,*},
                cur=${cur##*,}
        fi
        mapfile -t found < <(compgen -W "$(cat)" -- "$cur")
        COMPREPLY=("${found[@]/#/$head}")
        if declare -F __ltrim_colon_completions >/dev/null; then
                __ltrim_colon_completions "$1"
        fi
}

__ktracectl_files() {
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_ktracectl() {
        local cur prev words cword verb='' sub='' i
        local -a __ktracectl_target=()
        local globals='-h --help --version -q --quiet --json -j --no-pager --no-legend --no-ask-password -H --host
                --embedded'
        local spec='-e --event -f --filter -v --exclude --profile -P --pid -c --children -M --cpus -C --clock -O
                --option -b --buffer-size --duration -R --trigger --hist --sql --synthetic --watch --unit --user --probe --ring-size --window --segment-size --segment-age --segments
                --scope --max-event-rate --max-cpu-share --overhead-grace --overhead-policy --dry-run --symbols -p --tracer -l --function -n --notrace -g --graph-function --graph-notrace --max-graph-depth
                --all-functions --func-stack -T --stacktrace --user-stack'
        local report='-e --event -M --cpu -P --pid --comm -f --filter -S --since -U --until --first --last --summary
                --top -t --nanoseconds'
        local show='-e --event -M --cpu -P --pid --comm -f --filter -n --lines --duration -t --nanoseconds'

        if declare -F _init_completion >/dev/null; then
                _init_completion -n := || return
        else
                words=("${COMP_WORDS[@]}")
                cword=$COMP_CWORD
                cur=${words[cword]}
                prev=${words[cword - 1]}
        fi

        for ((i = 1; i < cword; i++)); do
                case ${words[i]} in
                -H | --host)
                        __ktracectl_target+=("${words[i]}" "${words[++i]}")
                        ;;
                --host=* | --embedded)
                        __ktracectl_target+=("${words[i]}")
                        ;;
                --)
                        # What follows is a command line of its own.
                        if declare -F _command_offset >/dev/null; then
                                _command_offset $((i + 1))
                        else
                                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
                        fi
                        return
                        ;;
                -*) ;;
                *)
                        if [[ -z $verb ]]; then
                                verb=${words[i]}
                        elif [[ -z $sub ]]; then
                                sub=${words[i]}
                        fi
                        ;;
                esac
        done

        case $prev in
        -e | --event)
                __ktracectl_reply "$cur" list < <(__ktracectl_systems_and_events)
                return
                ;;
        --profile)
                __ktracectl_reply "$cur" one < <(__ktracectl_profiles)
                return
                ;;
        -C | --clock)
                __ktracectl_reply "$cur" one < <(__ktracectl_ask list clocks)
                return
                ;;
        -O | --option)
                __ktracectl_reply "$cur" list < <(__ktracectl_ask list options)
                return
                ;;
        -p | --tracer)
                __ktracectl_reply "$cur" one < <(__ktracectl_ask list tracers)
                return
                ;;
        -l | --function | -n | --notrace)
                [[ $verb == show ]] && return
                __ktracectl_reply "$cur" list < <(__ktracectl_functions "${cur##*,}")
                return
                ;;
        -P | --pid)
                __ktracectl_reply "$cur" list < <(ps -A -o pid=)
                return
                ;;
        --overhead-policy)
                __ktracectl_reply "$cur" one <<<'warn thin stop'
                return
                ;;
        --unit)
                __ktracectl_reply "$cur" one < <(__ktracectl_units)
                return
                ;;
        --user)
                __ktracectl_reply "$cur" one < <(compgen -u)
                return
                ;;
        -o | --output)
                __ktracectl_files "$cur"
                return
                ;;
        -H | --host)
                if declare -F _known_hosts_real >/dev/null; then
                        _known_hosts_real -- "$cur"
                fi
                return
                ;;
        -f | --filter | -M | --cpu | --cpus | -b | --buffer-size | --duration | --ring-size | --window | --max-event-rate | --max-cpu-share | --overhead-grace | --segment* | --comm | -S | --since | \
                -U | --until | --first | --last | --lines | --top | --name)
                return
                ;;
        esac

        if [[ $cur == --scope=* ]]; then
                __ktracectl_reply "${cur#*=}" one <<<'self system'
                return
        fi
        if [[ $cur == --overhead-policy=* ]]; then
                __ktracectl_reply "${cur#*=}" one <<<'warn thin stop'
                return
        fi
        if [[ $cur == --unit=* ]]; then
                __ktracectl_reply "${cur#*=}" one < <(__ktracectl_units)
                return
        fi
        if [[ $cur == --user=* ]]; then
                __ktracectl_reply "${cur#*=}" one < <(compgen -u)
                return
        fi
        if [[ $cur == --json=* ]]; then
                __ktracectl_reply "${cur#*=}" one <<<'pretty short off'
                return
        fi
        if [[ $cur == -* ]]; then
                case $verb/$sub in
                record/*) __ktracectl_reply "$cur" one <<<"$globals $spec -F --follow -o --output --name" ;;
                session/start | session/create) __ktracectl_reply "$cur" one <<<"$globals $spec" ;;
                report/*) __ktracectl_reply "$cur" one <<<"$globals $report" ;;
                show/*) __ktracectl_reply "$cur" one <<<"$globals $show" ;;
                capture/list)
                        __ktracectl_reply "$cur" one <<<"$globals --since --until --owner --reason --state --sort --reverse"
                        ;;
                capture/open | capture/export) __ktracectl_reply "$cur" one <<<"$globals --segment" ;;
                list/events) __ktracectl_reply "$cur" one <<<"$globals --rate --duration" ;;
                *) __ktracectl_reply "$cur" one <<<"$globals" ;;
                esac
                return
        fi

        case $verb/$sub in
        /*) __ktracectl_reply "$cur" one <<<'status session record show hist mark report capture list probe monitor reload' ;;
        show/* | mark/* | hist/*) __ktracectl_reply "$cur" one < <(__ktracectl_sessions) ;;
        session/) __ktracectl_reply "$cur" one <<<'list show create start stop run reload rotate snapshot clear remove attach' ;;
        session/attach) __ktracectl_reply "$cur" one < <(__ktracectl_sessions; ps -A -o pid=) ;;
        session/list | session/create | session/run) ;;
        session/*) __ktracectl_reply "$cur" one < <(__ktracectl_sessions) ;;
        capture/) __ktracectl_reply "$cur" one <<<'list show open export pin unpin vacuum delete' ;;
        capture/list) __ktracectl_reply "$cur" one < <(__ktracectl_sessions) ;;
        capture/export)
                if [[ $prev == export || $prev == --segment=* ]]; then
                        __ktracectl_reply "$cur" one < <(__ktracectl_captures)
                else
                        __ktracectl_files "$cur"
                fi
                ;;
        capture/*) __ktracectl_reply "$cur" one < <(__ktracectl_captures) ;;
        probe/) __ktracectl_reply "$cur" one <<<'list try' ;;
        list/) __ktracectl_reply "$cur" one <<<'events event functions tracers profiles profile options clocks' ;;
        list/event*) __ktracectl_reply "$cur" one < <(__ktracectl_systems_and_events) ;;
        list/functions) __ktracectl_reply "$cur" one < <(__ktracectl_functions "$cur") ;;
        list/profile) __ktracectl_reply "$cur" one < <(__ktracectl_profiles) ;;
        report/*)
                __ktracectl_files "$cur"
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
                        compgen -W "$(__ktracectl_captures; __ktracectl_sessions)" -- "$cur"
                )
                ;;
        esac
}

complete -F _ktracectl ktracectl
