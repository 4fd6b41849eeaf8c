# SPDX-License-Identifier: GPL-2.0-or-later
# tcp_edges.awk - doc/tcp.md and tcp.c have the same states and edges
#
#	awk -f tcp_edges.awk tcp_conn.h tcp.c doc/tcp.md

function state(name, where) { states[name] = states[name] " " where }
function edge(from, to, where) {
	edges[from " -> " to] = edges[from " -> " to] " " where
}

FILENAME ~ /tcp_conn.h/ && /define TCP_STATES/, /^$/ {
	if (match($0, /X\([A-Z_]+/))
		state(substr($0, RSTART + 2, RLENGTH - 2), "code")
}

FILENAME ~ /tcp.c$/ && /^static const uint8_t edges/, /^};/ {
	if (!match($0, /\[TCP_ST_[A-Z_]+\]/) || /COUNT/)
		next
	from = substr($0, RSTART + 8, RLENGTH - 9)
	rest = substr($0, RSTART + RLENGTH)
	while (match(rest, /TCP_ST_[A-Z_]+/)) {
		edge(from, substr(rest, RSTART + 7, RLENGTH - 7), "code")
		rest = substr(rest, RSTART + RLENGTH)
	}
}

FILENAME ~ /tcp.md$/ && /^\| [A-Z_]+ +\| / {
	split($0, cell, / *\| */)
	if (cell[3] ~ /^[A-Z_]+$/)
		edge(cell[2], cell[3], "doc")
	else
		state(cell[2], "doc")
}

END {
	for (s in states)
		if (states[s] != " code doc")
			print s ": state in" states[s] " only"
	for (e in edges)
		if (edges[e] != " code doc")
			print e ": edge in" edges[e] " only"
}
