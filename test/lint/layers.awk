# SPDX-License-Identifier: GPL-2.0-or-later
# layers.awk - no file includes another from a higher layer
#
# LAYERS lists layers bottom first, one per line, with their modules. A file
# whose name is not listed belongs to the module it is named after: tcp_in to
# tcp.
# usage: awk -f layers.awk LAYERS *.[ch] ...

FNR == NR { for (i = 2; i <= NF; i++) rank[$i] = FNR; next }

function mod(f) {
	sub(/.*\//, "", f)
	sub(/\.[a-z]+$/, "", f)
	while (!(f in rank) && sub(/_[^_]*$/, "", f))
		;
	return f
}

/^#include "/ {
	split($0, q, "\"")
	u = mod(FILENAME)
	v = mod(q[2])
	if (!(u in rank) || !(v in rank)) {
		print FILENAME ": " q[2] ": not in LAYERS"
		bad = 1
	} else if (rank[v] > rank[u]) {
		print FILENAME ": includes " q[2] " from a higher layer"
		bad = 1
	}
}

END { exit bad }
