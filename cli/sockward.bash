# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# bash completion for sockward(1)

# Tenants by their policies, which only root sees, and by their directories.
_sockward_tenants()
{
	local file

	for file in /etc/sockward/*.json /run/sockward/*; do
		[[ -e $file ]] || continue
		file=${file##*/}
		file=${file%.json}
		[[ $file =~ ^[a-z0-9]{1,16}$ ]] && printf '%s\n' "$file"
	done
}

_sockward()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} words=

	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		words='run connect status metrics sessions kill drain reload audit policy token help
			--version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	case $before in
	--policy | --audit | --trust | --file | -o | --output)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--runtime-dir)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--spawn) words='fork exec' ;;
	--tenant | units)
		mapfile -t COMPREPLY < <(compgen -W "$(_sockward_tenants)" -- "$word")
		[[ $before == units && ${#COMPREPLY[@]} -eq 0 ]] || return
		;;
	esac
	if [[ -z $words ]]; then
		case $command in
		run) words='--listen --policy --audit --runtime-dir --spawn --trust' ;;
		connect) words='--token --origin' ;;
		status | sessions) words='--tenant --runtime-dir --json' ;;
		metrics) words='--tenant --runtime-dir --http' ;;
		kill | reload) words='--tenant --runtime-dir' ;;
		drain) words='--tenant --runtime-dir --deadline' ;;
		audit) words='show verify' ;;
		token) words='new hash' ;;
		policy) words='check compile explain import stage units' ;;
		help) words='run connect status metrics sessions kill drain reload audit policy token' ;;
		esac
		if [[ $command == audit || $command == policy ]] && [[ $COMP_CWORD -gt 2 ]]; then
			words='--grant --to'
			[[ $command == audit ]] && words='--tenant --session --event --json --last'
			[[ $word == -* ]] || words=
			compopt -o filenames 2>/dev/null
			[[ $words ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
		fi
	fi
	[[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _sockward sockward
