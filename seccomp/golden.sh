#!/bin/sh
# SPDX-License-Identifier: ISC
# The filters of this build against the texts that were reviewed. libseccomp's own
# view of the program (behind the first empty line) is that of x86-64 and is
# compared only there; it may differ between versions of libseccomp.
set -u
source=${SOCKWARD_SOURCE:-.}/seccomp/golden
build=${SOCKWARD_BUILD:-.}/seccomp
names="listener worker session broker resolver lookup authenticator auditor"

machine=$(uname -m)
n=0
failed=0
echo 1..8
for name in $names; do
	n=$((n + 1))
	if [ "$machine" = x86_64 ]; then
		difference=$(diff -u "$source/$name.txt" "$build/$name.txt" 2>&1)
	else
		sed '/^$/q' "$source/$name.txt" >"$build/$name.reviewed"
		difference=$(sed '/^$/q' "$build/$name.txt" | diff -u "$build/$name.reviewed" - 2>&1)
	fi
	if [ $? -eq 0 ]; then
		echo "ok $n - the filter of $name is the reviewed one"
	else
		failed=1
		echo "not ok $n - the filter of $name is the reviewed one"
		echo "$difference" | sed 's/^/# /'
		echo "# reviewed? then: make golden"
	fi
done
exit $failed
