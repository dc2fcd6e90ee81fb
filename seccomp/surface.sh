#!/bin/sh
# SPDX-License-Identifier: ISC
# The audit surface, measured: for each program what the linker put into it (the
# link map, PROGRAM.map), counted in lines of C that are neither blank nor comment,
# the libraries that it needs, and the calls that its filter allows.
#
#   surface.sh [--source DIR] [--build DIR] [--files] [--check] [--lines N]
#
# --files lists each program's own files. --check prints only what is over a limit
# and fails then: the broker's own code (1,500 lines, or --lines), its filter (30
# calls), the worker's filter (28 calls, and calls that no session may have).
set -u
LC_ALL=C
export LC_ALL
source=. build=. files=no check=no lines=1500
while [ $# -gt 0 ]; do
	case $1 in
	--source | --build | --lines)
		[ $# -gt 1 ] || exit 2
		case $1 in
		--source) source=$2 ;;
		--build) build=$2 ;;
		--lines) lines=$2 ;;
		esac
		shift
		;;
	--files) files=yes ;;
	--check) check=yes ;;
	*)
		echo "usage: surface.sh [--source DIR] [--build DIR] [--files] [--check] [--lines N]" >&2
		exit 2
		;;
	esac
	shift
done

# program, its filter's table, its uid
programs="
listener/sockward-listener listener
worker/sockward-worker worker
broker/sockward-broker broker
helpers/resolver/sockward-resolver resolver
helpers/authenticator/sockward-authenticator authenticator
helpers/auditor/sockward-auditor auditor
sockward -
"
# What a session must not have. Those that only the template has, session.def takes away.
never="socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg setsockopt
getsockopt ioctl open openat openat2 creat execve execveat clone clone3 fork vfork io_uring_setup
io_uring_enter io_uring_register ptrace process_vm_readv process_vm_writev pidfd_open
pidfd_getfd pidfd_send_signal prctl bpf mount unshare setns fcntl kill tkill tgkill seccomp"

# Own objects of a link map: members of own archives, and what was named itself.
objects() {
	awk '
	/^Removed property|^Merging|^[^ ]*\.so/ { next }
	/^[^ \/][^ ]*\.a\([^) ]*\.o\)/ { sub(/\).*/, ")"); print; next }
	/^LOAD [^\/ ][^ ]*\.o$/ { print $2 }
	' "$1" | sort -u
}

# Where a C file of that name is: in the folder of its library, else anywhere, since
# a library may borrow a file of another folder.
find_source() {
	for top in "$source" "$build"; do
		[ -d "$top/$1" ] || continue
		[ ! -f "$top/$1/$2.c" ] || echo "$top/$1/$2.c"
		[ -f "$top/$1/$2.c" ] || find "$top/$1" -name "$2.c" -type f
	done | sort -u | head -n 2 | grep . || find "$source"/[a-z]*/ -name "$2.c" -type f
}

# The source of an object: automake puts TARGET- before its name where it has flags.
source_of() {
	case $1 in
	*.a\(*) folder=${1%/*} name=${1##*\(} name=${name%.o\)} ;;
	*) folder=${1%/*} name=${1##*/} name=${name%.o} ;;
	esac
	[ "$folder" != "$1" ] || folder=.
	found=$(find_source "$folder" "$name")
	while [ -z "$found" ] && [ "$name" != "${name#*-}" ]; do
		name=${name#*-}
		found=$(find_source "$folder" "$name")
	done
	if [ -z "$found" ] || [ "$(echo "$found" | wc -l)" -ne 1 ]; then
		echo "surface: no one source of $1: $found" >&2
		return 1
	fi
	echo "$found"
}

code_lines() {
	awk '
	{
		line = $0; out = ""
		while (line != "") {
			if (inside) {
				at = index(line, "*/")
				if (!at) break
				line = substr(line, at + 2); inside = 0
			} else {
				at = index(line, "/*")
				if (!at) { out = out line; break }
				out = out substr(line, 1, at - 1)
				line = substr(line, at + 2); inside = 1
			}
		}
		sub(/\/\/.*/, "", out)
		if (out ~ /[^ \t\r]/) n++
	}
	END { print n + 0 }' "$1"
}

# Generated files are data: they say so in their first lines, and are counted apart.
generated() {
	head -n 3 "$1" | grep -qiE 'generated|made by'
}

allowed() {
	sed '/^$/q' "$build/seccomp/$1.txt" | awk '$1 == "allow" { print $2 }' | sort -u
}

count_allowed() {
	allowed "$1" | grep -c .
}

libraries() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sed 's/\.so.*//' | sort | tr '\n' ' '
}

# Sets own, data, confined and list of one program.
measure() {
	own=0 data=0 confined=no list=
	for object in $(objects "$build/$1.map"); do
		file=$(source_of "$object") || return 1
		n=$(code_lines "$file")
		case $object in *confine.o*) confined=yes ;; esac
		if generated "$file"; then
			data=$((data + n))
		else
			own=$((own + n))
			list="$list$n ${file#"$source"/}
"
		fi
	done
	[ "$own" -gt 0 ] || {
		echo "surface: nothing in $build/$1.map" >&2
		return 1
	}
}

table() {
	format='%-24s %6s %6s  %-6s %-13s %-7s %s\n'
	printf "$format" program code tables calls capabilities uid libraries
	echo "$programs" | while read -r program filter; do
		[ -n "$program" ] || continue
		[ -f "$build/$program.map" ] || continue
		measure "$program" || exit 1
		calls=any capabilities=its\ user\'s uid=user
		if [ "$filter" != - ]; then
			calls=$(count_allowed "$filter")
			uid=own
		fi
		[ $confined = no ] || capabilities=none
		printf "$format" "${program##*/}" $own $data "$calls" "$capabilities" $uid \
			"$(libraries "$build/$program")"
		[ $files = no ] || printf '%s' "$list" | sort -k2 | awk '{ printf "%31d  %s\n", $1, $2 }'
	done || exit 1
	echo
	echo "code: own lines of C that are linked, neither blank nor comment; tables: generated data."
	echo "calls: allowed by the filter, with or without a condition. The worker's sessions lose" \
		"$(sed '/^$/q' "$build/seccomp/session.txt" | awk '$1 == "kill" { n++ } END { print n + 0 }') more."
}

over=0
complain() {
	echo "surface: $*" >&2
	over=1
}

limits() {
	measure broker/sockward-broker || exit 1
	[ $own -le "$lines" ] || complain "the broker has $own own code lines; $lines is the limit"
	n=$(count_allowed broker)
	[ "$n" -gt 0 ] && [ "$n" -le 30 ] || complain "the broker's filter allows $n calls; 30 is the limit"
	n=$(count_allowed worker)
	[ "$n" -gt 0 ] && [ "$n" -le 28 ] || complain "the worker's filter allows $n calls; 28 is the limit"
	for call in $never; do
		allowed worker | grep -qx "$call" || continue
		sed '/^$/q' "$build/seccomp/session.txt" | grep -q "^kill   $call " ||
			complain "a session may call $call"
		case $call in
		sendmsg | clone | seccomp) ;;
		*) complain "not even the template may call $call" ;;
		esac
	done
	[ $confined = yes ] || complain "the broker does not link its confinement"
	return $over
}

if [ $check = yes ]; then limits; else table; fi
