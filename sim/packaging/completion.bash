# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of rpmsg-sim, rpmsg-ctl and rpmsg-host for bash. Options, methods, parameters and names
# are asked from the programs, so that this file knows none of them.

# _rpmsg_split: sets word to the whole word before the cursor and words to those before it. Bash
# itself takes words apart at = and :.
_rpmsg_split() {
	local line=${COMP_LINE:0:COMP_POINT}
	read -r -a words <<<"$line"
	word=
	if [[ $line != *[[:space:]] ]]; then
		word=${words[-1]}
		unset 'words[-1]'
	fi
	program=${words[0]/#\~/$HOME}
}

# _rpmsg_offer CANDIDATE...: those that begin with word, less what bash has taken off it.
_rpmsg_offer() {
	local tail=${word##*[=:]} candidate
	local head=${word%"$tail"}
	COMPREPLY=()
	for candidate in "$@"; do
		[[ $candidate != "$word"* ]] || COMPREPLY+=("${candidate#"$head"}")
	done
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace 2>/dev/null
	fi
}

# _rpmsg_offer_values PREFIX: candidates from standard input, each behind PREFIX.
_rpmsg_offer_values() {
	local values
	mapfile -t values
	_rpmsg_offer "${values[@]/#/$1}"
}

# _rpmsg_files PREFIX: names of files, after PREFIX in word.
_rpmsg_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "${word#"$1"}")
}

_rpmsg_options() {
	"$program" --help 2>/dev/null | sed -n 's/^  \(--[a-z][a-z0-9-]*\).*/\1/p'
}

# _rpmsg_choices OPTION: a|b|c, when that is how --help shows its value.
_rpmsg_choices() {
	"$program" --help 2>/dev/null |
		sed -n "s/^  $1[ =]\[\{0,1\}\([a-z]*|[a-z|]*\).*/\1/p" | tr '|' '\n'
}

# _rpmsg_list SECTION: first words of the lines under a heading of rpmsg-sim --help.
_rpmsg_list() {
	local sim=${program%/*}/rpmsg-sim
	[ -x "$sim" ] || sim=rpmsg-sim
	"$sim" --help 2>/dev/null | sed -n "/^$1:/,/^\$/s/^  \([a-z0-9][a-z0-9_-]*\).*/\1/p"
}

# _rpmsg_table OPTION: first words of the lines that rpmsg-sim OPTION prints.
_rpmsg_table() {
	"$program" "$1" 2>/dev/null | sed -n 's/^ *\([a-z][a-z0-9]*-[a-z0-9-]*\|[a-z][a-z0-9]*\)\( .*\|\)$/\1/p'
}

# _rpmsg_value OPTION PREFIX: values of an option of any of the programs.
_rpmsg_value() {
	case $1 in
	--log-level) _rpmsg_offer_values "$2" < <(printf '%s\n' error warn info debug trace) ;;
	--service)
		[[ $word != *=* || $word == *,* ]] ||
			_rpmsg_offer_values "${word%=*}=" < <(_rpmsg_list 'kinds of service')
		;;
	--fault) _rpmsg_offer_values "$2" < <(_rpmsg_table --list-faults) ;;
	--profile) _rpmsg_offer_values "$2" < <(_rpmsg_table --list-profiles) ;;
	*-path | --capture | --scenario | --file) _rpmsg_files "$2" ;;
	*) _rpmsg_offer_values "$2" < <(_rpmsg_choices "$1") ;;
	esac
}

# _rpmsg_takes_value OPTION: does --help show a value behind it?
_rpmsg_takes_value() {
	"$program" --help 2>/dev/null | grep -q -- "^  $1 [^ ]"
}

# _rpmsg_option: completes an option or its value; false when word is neither.
_rpmsg_option() {
	local last=${words[-1]} options
	if [[ $word == --*=* ]]; then
		_rpmsg_value "${word%%=*}" "${word%%=*}="
	elif [[ $last == --* && $last != *=* ]] && _rpmsg_takes_value "$last"; then
		_rpmsg_value "$last" ''
	elif [[ $word == -* ]]; then
		mapfile -t options < <(_rpmsg_options)
		_rpmsg_offer "${options[@]}"
	else
		return 1
	fi
}

_rpmsg_sim() {
	local word words program
	_rpmsg_split
	COMPREPLY=()
	_rpmsg_option || { mapfile -t words < <(_rpmsg_options) && _rpmsg_offer "${words[@]}"; }
}

# _rpmsg_host_commands: of --help.
_rpmsg_host() {
	local word words program
	_rpmsg_split
	COMPREPLY=()
	_rpmsg_option || _rpmsg_offer_values '' < <(_rpmsg_list_commands)
}

_rpmsg_list_commands() {
	"$program" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p'
}

# _rpmsg_ask WORD...: names that rpmsg-ctl prints.
_rpmsg_ask() {
	"$program" --timeout 2 "${socket[@]}" --names "$@" 2>/dev/null
}

_rpmsg_event_types() {
	"$program" --timeout 2 "${socket[@]}" help 2>/dev/null |
		sed -n '/^types of event:/,/^$/s/^  \(.*\)/\1/p' | tr -d ' ' | tr ',' '\n'
}

# _rpmsg_parameter METHOD: a parameter of a method, or its value.
_rpmsg_parameter() {
	local key=${word%%=*}
	if [[ $word != *=* ]]; then
		local names
		mapfile -t names < <(_rpmsg_ask help "$1")
		_rpmsg_offer "${names[@]/%/=}"
		return
	fi
	case $1.$key in
	*.kind) _rpmsg_offer_values kind= < <(_rpmsg_list 'kinds of service') ;;
	fault*.name) _rpmsg_offer_values name= < <(_rpmsg_ask faults) ;;
	withdraw.name) _rpmsg_offer_values name= < <(_rpmsg_ask stats | sort -u) ;;
	*.remote) _rpmsg_offer_values remote= < <(_rpmsg_ask remotes) ;;
	*.file) _rpmsg_files file= ;;
	esac
}

_rpmsg_ctl() {
	local word words program socket=() command='' i
	_rpmsg_split
	COMPREPLY=()
	for ((i = 1; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		--control-path)
			socket=(--control-path "${words[i + 1]/#\~/$HOME}")
			((i++))
			;;
		--control-path=*) socket=(--control-path "${words[i]#*=}") ;;
		--remote | --timeout | --interval) ((i++)) ;;
		-*) ;;
		*) command=${command:-${words[i]}} ;;
		esac
	done
	if [[ ${words[-1]} == --remote ]]; then
		_rpmsg_offer_values '' < <(_rpmsg_ask remotes)
		return
	fi
	_rpmsg_option && return
	case $command in
	'') _rpmsg_offer_values '' < <({ _rpmsg_ask help; printf '%s\n' events watch; } | sort -u) ;;
	help) _rpmsg_offer_values '' < <(_rpmsg_ask help) ;;
	events) _rpmsg_offer_values '' < <(_rpmsg_event_types) ;;
	watch) ;;
	*) _rpmsg_parameter "$command" ;;
	esac
}

complete -F _rpmsg_sim rpmsg-sim
complete -F _rpmsg_ctl rpmsg-ctl
complete -F _rpmsg_host rpmsg-host
