# SPDX-License-Identifier: ISC
# policy/special.data and policy/names.data to C tables: longest prefixes first, so
# that the first row that holds an address is the one that decides. POSIX awk.

function fail(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text | "cat 1>&2"
	failed = 1
	exit 1
}

function hex(text,    i, value, digit)
{
	value = 0
	if (text == "" || length(text) > 4)
		fail("bad group " text)
	for (i = 1; i <= length(text); i++) {
		digit = index("0123456789abcdef", substr(text, i, 1))
		if (digit == 0)
			fail("bad hexadecimal digit in " text)
		value = value * 16 + digit - 1
	}
	return value
}

# Sets byte[0..15] from an IPv4 address.
function parse4(text,    part, n, i)
{
	n = split(text, part, ".")
	if (n != 4)
		fail("bad IPv4 address " text)
	for (i = 0; i < 16; i++)
		byte[i] = 0
	for (i = 1; i <= 4; i++) {
		if (part[i] !~ /^[0-9]+$/ || part[i] > 255)
			fail("bad IPv4 address " text)
		byte[i - 1] = part[i] + 0
	}
}

# Sets byte[0..15] from an IPv6 address without a dotted part.
function parse6(text,    half, left, right, part, n, m, i, gap)
{
	n = split(text, half, "::")
	if (n > 2)
		fail("bad IPv6 address " text)
	gap = index(text, "::")
	left = n >= 1 ? half[1] : ""
	right = n == 2 ? half[2] : ""
	for (i = 0; i < 8; i++)
		group[i] = 0
	n = left == "" ? 0 : split(left, part, ":")
	for (i = 1; i <= n; i++)
		group[i - 1] = hex(part[i])
	m = right == "" ? 0 : split(right, part, ":")
	for (i = 1; i <= m; i++)
		group[8 - m + i - 1] = hex(part[i])
	if (gap ? n + m > 7 : n != 8)
		fail("bad IPv6 address " text)
	for (i = 0; i < 8; i++) {
		byte[2 * i] = int(group[i] / 256)
		byte[2 * i + 1] = group[i] % 256
	}
}

# The bits behind the prefix must be zero.
function check_host_bits(bits,    i, rest, unit)
{
	for (i = 0; i < 16; i++) {
		rest = bits - 8 * i
		if (rest >= 8)
			continue
		unit = 1
		for (rest = rest < 0 ? 8 : 8 - rest; rest > 0; rest--)
			unit *= 2
		if (byte[i] % unit != 0)
			fail("host bits are set in " $1)
	}
}

BEGIN {
	n = domains = 0
	classes["private"] = "BLOCK_PRIVATE"
	classes["local"] = "BLOCK_LOCAL"
	classes["special"] = "BLOCK_SPECIAL"
	classes["metadata"] = "BLOCK_METADATA"
	classes["never"] = "BLOCK_NEVER"
}

/^[ \t]*(#|$)/ { next }

/^\./ {
	if (NF < 2 || $1 !~ /^[.a-z]+$/ || length($1) > 15)
		fail("a row is .domain, source")
	domain[domains++] = $1
	next
}

{
	if (NF < 4 || !($2 in classes) || $3 !~ /^[a-z0-9-]+$/ || split($1, cidr, "/") != 2)
		fail("a row is block, class, name, source")
	family = index(cidr[1], ":") ? 6 : 4
	if (cidr[2] !~ /^[0-9]+$/ || cidr[2] + 0 > (family == 4 ? 32 : 128))
		fail("bad length of prefix in " $1)
	if (family == 4)
		parse4(cidr[1])
	else
		parse6(cidr[1])
	check_host_bits(cidr[2] + 0)
	bytes = ""
	key = ""
	for (i = 0; i < 16; i++) {
		bytes = bytes (i ? ", " : "") byte[i]
		key = key sprintf("%03d", byte[i])
	}
	row[n] = sprintf("{%d, %d, %s, {%s}, \"%s\"}, /* %s */", family, cidr[2], classes[$2], bytes, $3, $1)
	order[n] = sprintf("%d %03d %s", family, 128 - cidr[2], key)
	if (order[n] in seen)
		fail("second row for " $1)
	seen[order[n]] = 1
	n++
}

END {
	if (failed)
		exit 1
	for (i = 1; i < n; i++) {
		for (j = i; j > 0 && order[j - 1] > order[j]; j--) {
			swap = order[j]; order[j] = order[j - 1]; order[j - 1] = swap
			swap = row[j]; row[j] = row[j - 1]; row[j - 1] = swap
		}
	}
	print "/* Made by policy/special.awk: do not edit. */"
	print "static const struct special_block special_table[] = {"
	for (i = 0; i < n; i++)
		print "\t" row[i]
	print "};"
	print "static const char inner_domains[][16] = {"
	for (i = 0; i < domains; i++)
		printf "\t\"%s\",\n", domain[i]
	print "};"
}
