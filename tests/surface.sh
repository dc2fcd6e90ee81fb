#!/bin/sh
# SPDX-License-Identifier: ISC
# The limits of the audit surface hold, and the check that says so can say no.
set -u
source=${SOCKWARD_SOURCE:-.}
build=${SOCKWARD_BUILD:-.}
surface="$source/seccomp/surface.sh"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

n=0
failed=0
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		sed 's/^/# /' "$scratch/out"
	fi
}

check() {
	sh "$surface" --source "$source" --build "$1" --check --lines "$2" >"$scratch/out" 2>&1
}

# A copy of what the check reads, to be spoilt.
fresh() {
	rm -rf "$scratch/b"
	mkdir -p "$scratch/b/broker" "$scratch/b/seccomp"
	cp "$build/broker/sockward-broker.map" "$scratch/b/broker/"
	cp "$build"/seccomp/*.txt "$build"/seccomp/filter_*.c "$scratch/b/seccomp/"
	for made in $(find "$build/policy" "$build/broker" "$build/ipc" -name '*.c' 2>/dev/null); do
		mkdir -p "$scratch/b/$(dirname "${made#"$build"/}")"
		cp "$made" "$scratch/b/${made#"$build"/}"
	done
}

echo 1..8
check "$build" 1500
result $? "broker at most 1,500 own lines; worker 28, broker 30 calls, none forbidden"

fresh
check "$scratch/b" 1500
result $? "a copy of the build passes as well"
check "$scratch/b" 100
[ $? -ne 0 ] && grep -q 'own code lines; 100 is the limit' "$scratch/out"
result $? "a broker over the limit is refused"
sed -i 's/^allow  futex.*/allow  prctl/' "$scratch/b/seccomp/worker.txt"
check "$scratch/b" 1500
[ $? -ne 0 ] && grep -q 'not even the template may call prctl' "$scratch/out"
result $? "a forbidden call in the worker's table is refused"

fresh
sed -i '/^kill   sendmsg /d' "$scratch/b/seccomp/session.txt"
check "$scratch/b" 1500
[ $? -ne 0 ] && grep -q 'a session may call sendmsg' "$scratch/out"
result $? "a call of the template that sessions keep is refused"

fresh
sed -i 's/^allow  read$/allow  read\nallow  pread64\nallow  pwrite64/' "$scratch/b/seccomp/worker.txt"
check "$scratch/b" 1500
[ $? -ne 0 ] && grep -q "the worker's filter allows 30 calls" "$scratch/out"
result $? "a worker's table over its limit is refused"

fresh
: >"$scratch/b/broker/sockward-broker.map"
check "$scratch/b" 1500
[ $? -ne 0 ]
result $? "an empty link map is refused"

sh "$surface" --source "$source" --build "$build" >"$scratch/out" 2>&1 &&
	grep -q '^sockward-broker .* none .* own' "$scratch/out"
result $? "the table names the broker"
exit $failed
