# SPDX-License-Identifier: GPL-2.0-or-later
# Options: what is said about wrong ones, word for word; what the right ones
# print. options.golden has a command and its message for each wrong value of
# each option. After a change of words, make it anew and read the difference:
#
#	make check-sys T=options OPTIONS_GOLDEN=$PWD/test/sys/options.golden

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153

load lib
bats_require_minimum_version 1.5.0

setup() {
	DIR=$BED/tmp/options
	mkdir -m 777 "$DIR"
	cd "$DIR" || return
}
teardown() {
	cd /
	tracked_kill
	rm -rf "$DIR"
}

repeat() { printf "%*s" "$2" '' | tr ' ' "$1"; }

# A command of the golden file, as a user at the host types it. What it says on
# standard error; then, if that is not 1, its status; and files that stayed.
said_of() {	# LINE
	local words status=0

	eval "words=($1)"
	words[0]=./${words[0]}
	timeout 10 "${WORDS[@]}" "${words[@]}" 2>&1 >"$DIR/out" </dev/null \
		3>&- || status=$?
	[ $status = 1 ] || echo "[status $status]"
	sed 's/^/[standard output] /' "$DIR/out"
	rm -f "$DIR/out"
}

# The golden file, with what is said now in place of what was.
said_now() {
	local line

	local PATH_MAX NAME_254 PATH_108
	PATH_MAX=$(repeat p 4096)
	PATH_108=$(repeat p 108)
	NAME_254=$(repeat n 254)
	place host
	for line in passt pasta foo; do
		ln -s "$BED/bin/passt" "$DIR/$line"
	done
	while read -r line; do
		case $line in
		'$ '*)	echo "$line"
			said_of "${line#* }" ;;
		'#'* | '') echo "$line" ;;
		esac
	done <"$BATS_TEST_DIRNAME/options.golden"
	rm -f passt pasta foo
	ls -A
}

@test "each wrong value gives 1, one line that explains it, and no file" {
	said_now >"$BED/options.now"
	[ -z "${OPTIONS_GOLDEN:-}" ] || cat "$BED/options.now" >"$OPTIONS_GOLDEN"
	diff -u "$BATS_TEST_DIRNAME/options.golden" "$BED/options.now"
	# One line each, and none without.
	awk '/^\$/ { if (said > 1 || (any && !said)) exit 1; any = 1; said = 0 }
	/^[^#$]/ { said++ }
	END { if (said != 1) exit 1 }' "$BED/options.now"
}

@test "no option is missing among the wrong ones" {
	local option def=$BATS_TEST_DIRNAME/../../setup/options.def

	for option in $(sed -n 's/^OPT([A-Z0-9_]*, "\([a-z0-9-]*\)".*/\1/p' \
			"$def"); do
		grep -qx -- "# --$option" "$BATS_TEST_DIRNAME/options.golden" ||
			{ echo "--$option: no wrong value"; return 1; }
	done
	[ -n "$option" ]
}

# --- what acts at once ---

@test "the version is on standard output, its first line name and version" {
	local name

	for name in passt pasta; do
		run -0 --separate-stderr host "$name" --version
		[[ "${lines[0]}" =~ ^$name\ [^\ ]+$ ]]
		[ "${#lines[@]}" = 6 ]
		[ -z "$stderr" ]
		[ "$(host "$name" --version | head -n 1)" = "${lines[0]}" ]
	done
	run -1 host sh -c 'passt --version >/dev/full'
}

@test "actions end the line: what is behind is not looked at" {
	run -0 host pasta --host-lo-to-ns-lo --version --nonsense
	run -0 host passt -h --mtu banana
	run -1 host pasta --nonsense --version
	run -1 host passt --host-lo-to-ns-lo --version
}

@test "help is on standard output, by the name of the last path component" {
	run -0 --separate-stderr host passt --help
	[ "${lines[0]}" = 'Usage: passt [OPTION]...' ]
	[ -z "$stderr" ]
	mkdir pasta
	ln -s "$BED/bin/passt" pasta/passt
	run -0 host ./pasta/passt --help
	[ "${lines[0]}" = 'Usage: passt [OPTION]...' ]
	run -0 host pasta --help
	[[ "${lines[0]}" == 'Usage: pasta [OPTION]... [COMMAND'* ]]
}

@test "vhost-user capabilities are JSON on standard output" {
	run -0 --separate-stderr host passt --print-capabilities
	[ "$(jq -r .type <<<"$output")" = net ]
	[ -z "$stderr" ]
}

# --- options that are judged later ---

NONE=(-t none -u none -T none -U none)

@test "deprecated options work, and are warned of also when quiet" {
	run -0 host pasta -q --config-net --stderr --no-copy-routes \
		--no-copy-addrs "${NONE[@]}" -- true
	[ "${lines[0]}" = '--stderr is deprecated: it has no effect' ]
	[ "${lines[1]}" = '--no-copy-routes is deprecated: give --gateway instead' ]
	[ "${lines[2]}" = '--no-copy-addrs is deprecated: give --address instead' ]
	[ "${#lines[@]}" = 3 ]
}

@test "an outbound interface may come later, and is warned of" {
	run -0 host pasta -q --outbound-if4 eth77 "${NONE[@]}" -- true
	[ "$output" = 'No interface eth77 for outgoing IPv4 connections, so far' ]
}

@test "an MTU too small for IPv6 leaves IPv4, and says so" {
	run -0 host pasta -q --config-net -m 1000 "${NONE[@]}" -- \
		ip -o -6 addr show eth0
	[ "$output" = '--mtu 1000 is less than the 1280 that IPv6 needs: doing without' ]
}

@test "options of the command are the command's" {
	run -0 host pasta -q "${NONE[@]}" echo --vhost-user --fd 2 -q
	[ "$output" = '--vhost-user --fd 2 -q' ]
}

@test "statistics need no -f where a command is run, nor in front" {
	run -0 host pasta -q --stats 5 "${NONE[@]}" -- true
	run -1 host passt --stats 5
}

@test "runas takes names and numbers, and root by its number only" {
	local who=$BED_USER

	for id in "$who" "$who:$who" "$BED_UID" "$BED_UID:$BED_UID" \
		  "0x$(printf %x "$BED_UID")"; do
		run -0 host pasta -q --runas "$id" "${NONE[@]}" -- \
			sh -c 'cut -d" " -f4 </proc/self/uid_map | xargs'
	done
	run -0 host_root passt -s "$DIR/s" -P "$DIR/pid" -q \
		--runas "$who:nogroup"
	track "$(cat "$DIR/pid")"
	[[ "$(grep ^Uid: "/proc/$(cat "$DIR/pid")/status")" == *"$BED_UID" ]]
	[ "$(stat -c %u "$DIR/s" "$DIR/pid" | xargs)" = '0 0' ]
	[[ "$(grep ^Gid: "/proc/$(cat "$DIR/pid")/status")" == *"$(getent \
		group nogroup | cut -d: -f3)" ]]
}
