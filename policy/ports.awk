# SPDX-License-Identifier: ISC
# policy/ports.data to a C table: the protocols that each port is closed for. POSIX awk.

BEGIN {
	bits["tcp"] = "PROTOCOL_TCP | PROTOCOL_TLS"
	bits["udp"] = "PROTOCOL_UDP"
	bits["both"] = "PROTOCOL_TCP | PROTOCOL_TLS | PROTOCOL_UDP"
	last = 0
	print "/* Made by policy/ports.awk from policy/ports.data: do not edit. */"
	print "const uint8_t closed_ports[65536] = {"
}

/^[ \t]*(#|$)/ { next }

{
	if (NF < 4 || $1 !~ /^[0-9]+$/ || $1 + 0 > 65535 || !($2 in bits)) {
		printf "%s:%d: a row is port, protocols, name, source\n", FILENAME, FNR | "cat 1>&2"
		exit failed = 1
	}
	if ($1 + 0 <= last) {
		printf "%s:%d: ports must ascend\n", FILENAME, FNR | "cat 1>&2"
		exit failed = 1
	}
	last = $1 + 0
	printf "\t[%d] = %s, /* %s */\n", $1, bits[$2], $3
}

END {
	if (failed)
		exit 1
	print "};"
}
