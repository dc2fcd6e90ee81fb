# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# What ./run and ./test have in common: Debian's packages, and the build.
# Sourced, with the source tree as the working directory. All words go to
# standard error.

# shellcheck disable=SC2034 # both are used where this is sourced
BUILD_PACKAGES=(build-essential automake autoconf pkg-config libseccomp-dev libcap-ng-dev
	libwslay-dev libgnutls28-dev libjson-c-dev nettle-dev libidn2-dev libc-ares-dev
	libcmocka-dev python3)
# shellcheck disable=SC2034
TEST_PACKAGES=(python3-websockets python3-cryptography websockify iproute2 procps mandoc
	valgrind openssl haproxy nginx libnginx-mod-stream
	debhelper lintian systemd systemd-container dbus)

note()
{
	printf 'sockward: %s\n' "$*" >&2
}

stop()
{
	note "$@"
	exit 1
}

# missing PACKAGE... - those that are not installed, one a line.
missing()
{
	local package status

	for package; do
		# shellcheck disable=SC2016 # dpkg-query's own variables
		status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null)
		[[ $status == *installed* && $status != *not-installed* ]] || printf '%s\n' "$package"
	done
}

# missing_commands - packages of commands that may also come from elsewhere.
missing_commands()
{
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
	if ! command -v chromium-headless-shell >/dev/null && ! command -v chromium >/dev/null; then
		if apt-cache show chromium-headless-shell >/dev/null 2>&1; then
			echo chromium-headless-shell
		else
			echo chromium
		fi
	fi
}

# as_root COMMAND... - with sudo only where it is needed.
as_root()
{
	if [[ $EUID -eq 0 ]]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		stop "not root, and there is no sudo. As root: apt-get install ${wanted[*]}"
	fi
}

# apt_install PACKAGE... - and start no service: the tests start what they need by themselves.
apt_install()
{
	(
		as_root true
		policy=/usr/sbin/policy-rc.d
		if [[ ! -e $policy ]]; then
			trap 'as_root rm -f "$policy"' EXIT
			printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
			as_root chmod 755 "$policy"
		fi
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
			--no-install-recommends "$@" >&2 </dev/null
	)
}

# keep_stopped PACKAGE... - those that were installed just now, at the next boot too.
keep_stopped()
{
	local package

	command -v systemctl >/dev/null || return 0
	for package; do
		case $package in
		haproxy | nginx) as_root systemctl disable "$package" >&2 2>/dev/null || true ;;
		esac
	done
}

# known PACKAGE... - do apt's lists offer all of them?
known()
{
	local package

	for package; do
		apt-cache show "$package" >/dev/null 2>&1 || return 1
	done
}

# install_packages PACKAGE... - what is missing of them.
install_packages()
{
	local wanted

	if ! command -v dpkg-query >/dev/null; then
		note "this is no Debian; needed are what Debian calls: $*"
		return
	fi
	mapfile -t wanted < <(missing "$@")
	[[ ${WITH_TESTS:-} ]] && mapfile -t -O "${#wanted[@]}" wanted < <(missing_commands)
	[[ ${#wanted[@]} -eq 0 ]] && return
	note "installs from Debian: ${wanted[*]}"
	if ! known "${wanted[@]}"; then
		as_root apt-get update -qq >&2 || stop "apt-get update failed"
	fi
	# Lists that are older than the archive name files that are gone.
	apt_install "${wanted[@]}" ||
		{ as_root apt-get update -qq >&2 && apt_install "${wanted[@]}"; } ||
		stop "these packages could not be installed: ${wanted[*]}"
	keep_stopped "${wanted[@]}"
}

# build_all - into build/; fast when nothing has changed.
build_all()
{
	local log=build/setup.log

	mkdir -p build || stop "cannot make build/"
	if [[ ! -f build/Makefile || ! -x configure ]]; then
		note "configures (build/setup.log)"
		{ autoreconf --install && (cd build && ../configure --prefix=/usr --sysconfdir=/etc); } \
			>"$log" 2>&1 || { tail -n 30 "$log" >&2; stop "configure failed"; }
	fi
	[[ -x build/sockward ]] || note "builds into build/; this takes a minute"
	make -s -C build -j"$(nproc)" all >"$log" 2>&1 ||
		{ tail -n 60 "$log" >&2; stop "the build failed"; }
}

# install_node - npm's packages of tests/node/package.json, clients that the tests use; 32 MB
# in build/node_modules.
install_node()
{
	[[ build/node_modules/.package-lock.json -nt tests/node/package-lock.json ]] && return
	command -v npm >/dev/null || { note "there is no npm: tests that need it are skipped"; return; }
	note "installs clients from npm into build/node_modules"
	mkdir -p build && cp tests/node/package.json tests/node/package-lock.json build/
	if ! (cd build && timeout 120 npm ci --ignore-scripts --no-audit --no-fund) >&2; then
		note "npm could not install the clients: tests that need them are skipped"
		return
	fi
	touch build/node_modules/.package-lock.json
}
