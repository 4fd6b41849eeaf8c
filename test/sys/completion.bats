# SPDX-License-Identifier: GPL-2.0-or-later
# Completion, as installed, in the shells themselves.

# shellcheck disable=SC2016

load lib
bats_require_minimum_version 1.5.0

setup_file() {
	DEST=$BED/tmp/completion
	export DEST SHARE=$DEST/usr/share
	make -s -C "$BATS_TEST_DIRNAME/../.." O="$BED/tmp/completion.build" \
		BIN="$BED/bin" PREFIX=/usr DESTDIR="$DEST" install-completion
	mkdir "$DEST/cwd"
	touch "$DEST/cwd/a file" "$DEST/cwd/another"
	mkdir "$DEST/cwd/directory"
}
teardown_file() { rm -rf "$DEST" "$BED/tmp/completion.build"; }

setup() { cd "$DEST/cwd" || return; }

# Each of these lines is there, or not.
has() {
	local w

	for w in "$@"; do
		grep -qxF -- "$w" <<<"$output" ||
			{ echo "no '$w' in: $output"; return 1; }
	done
}
lacks() {
	local w

	for w in "$@"; do
		! grep -qxF -- "$w" <<<"$output" ||
			{ echo "there is '$w' in: $output"; return 1; }
	done
}

interface() { find /sys/class/net -mindepth 1 -printf '%f\n' -quit; }

# --- bash: what a function would reply ---

in_bash() {	# WORD... the last of them being typed, "=" a word of its own
	run -0 bash --norc --noprofile -c '. "$0" || exit
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_$1"
		printf "%s\n" "${COMPREPLY[@]}"' \
		"$SHARE/bash-completion/completions/$1" "$@"
}

@test "bash offers the options of the command" {
	in_bash passt --
	has --mtu --socket --socket-path --one-off --migrate-exit
	lacks --netns --config-net -m
	in_bash pasta -
	has --mtu -m --netns -T --tcp-ns
	lacks --socket -1
	in_bash pasta -fq --no-c
	has --no-copy-routes --no-copy-addrs
}

@test "bash offers values by their kind" {
	in_bash passt --log-file a
	has 'a file' another
	in_bash passt --log-file = a
	has 'a file' another
	in_bash passt --log-file =
	has 'a file' another directory
	in_bash passt -fql a
	has 'a file' another
	in_bash passt --runas roo
	has root
	in_bash pasta -i ''
	has "$(interface)"
	in_bash pasta --netns ho
	has host
	in_bash pasta --map-guest-addr ''
	has none
	in_bash pasta -t ''
	has none all auto
	in_bash passt -t ''
	has none all
	lacks auto
	in_bash passt --mtu ''
	[ -z "$output" ]
}

@test "bash leaves values and commands alone" {
	in_bash pasta --mtu 1500 --conf
	has --config-net --conf-path
	in_bash pasta --log-file = x --conf
	has --config-net
	in_bash pasta -m1500 --conf
	has --config-net
	in_bash pasta ls --conf
	lacks --config-net
	in_bash pasta -- --conf
	lacks --config-net
	in_bash pasta -m 1500 mkdi
	has mkdir
	in_bash pasta -f $$
	has $$
	in_bash passt mkdi
	[ -z "$output" ]
}

# --- as one types ---

type_bash() {	# TEXT WANTED...
	"$BATS_TEST_DIRNAME/typed.py" "$DEADLINE_S" "$@" -- bash --norc \
		--noprofile -c 'exec bash --rcfile <(
		echo "bind \"set show-all-if-ambiguous on\""
		for f in "$0"/bash-completion/completions/pas*; do
			echo ". $f"
		done
		echo "PS1=rea; PS1+=dy$") -i' "$SHARE"
}

type_zsh() {	# TEXT WANTED...
	mkdir -p "$DEST/zdot"
	cat >"$DEST/zdot/.zshrc" <<-EOZ
		fpath=($SHARE/zsh/site-functions \$fpath)
		autoload -U compinit
		compinit -u -d $DEST/zdot/dump
		LISTMAX=0 PROMPT_EOL_MARK='' PROMPT=rea
		PROMPT+='dy\$'
	EOZ
	ZDOTDIR=$DEST/zdot "$BATS_TEST_DIRNAME/typed.py" "$DEADLINE_S" "$@" \
		-- zsh -d -i
}

@test "bash completes as one types" {
	type_bash $'passt --print-c\t' apabilities
	type_bash $'passt --log-f\ta\\ \t' 'ile a\ file'
	type_bash $'pasta --no-copy-\t\t' --no-copy-routes --no-copy-addrs
}

@test "zsh completes as one types, and explains" {
	type_zsh $'passt --print-c\t' apabilities
	type_zsh $'pasta --no-copy-\t\t' '--no-copy-routes' \
		'Deprecated: with --config-net, only one address'
	type_zsh $'passt -m 1500 --mig\t\t' migrate-no-linger
	type_zsh $'passt --log-file=an\t' other
	type_zsh $'passt -l dir\t' ectory
	type_zsh $'pasta -t \t\t' none all auto
	type_zsh $'pasta -i \t\t' "$(interface)"
	type_zsh $'pasta --netns ho\t' st
	type_zsh $'pasta --config-net mkdi\t' r
	type_zsh $'passt --map-guest-addr n\t' one
}

@test "zsh knows which option is there already, and which may come again" {
	run -0 type_zsh $'pasta -m 1500 --mt\t#' '#'
	[[ "$output" != *mtu* ]]
	run -0 type_zsh $'pasta --mt\t#' mtu '#'
	type_zsh $'pasta -t 22 --tcp-p\t' orts
	type_zsh $'pasta -a 192.0.2.1 --addr\t' ess
}

# --- fish: what it says it would offer ---

in_fish() {	# LINE
	run -0 fish --no-config -c '
		source '"$SHARE"'/fish/vendor_completions.d/'"${1%% *}"'.fish
		complete -C $argv[1]' "$1"
}

@test "fish offers and explains" {
	in_fish 'passt --mt'
	[ "$output" = $'--mtu\tMTU announced to the guest' ]
	in_fish 'pasta --no-copy-'
	has $'--no-copy-routes\tDeprecated: with --config-net, only a default route' \
		$'--no-copy-addrs\tDeprecated: with --config-net, only one address'
	in_fish 'passt --net'
	[[ "$output" != *--netns* ]]
	in_fish 'passt -l a'
	has 'a file' another
	in_fish 'passt --log-file=an'
	[[ "$output" == *another* ]]
	in_fish 'passt a'
	[ -z "$output" ]
	in_fish 'pasta --netns ho'
	[[ "$output" == host* ]]
	in_fish 'pasta -i '
	[[ "$output" == *"$(interface)"* ]]
	in_fish 'pasta --runas roo'
	[[ "$output" == *root* ]]
	in_fish 'pasta -t a'
	[[ "$output" == *all* && "$output" == *auto* ]]
	in_fish 'passt --map-guest-addr '
	[[ "$output" == *none* ]]
	in_fish 'pasta --mtu 1500 mkdi'
	[[ "$output" == *mkdir* ]]
}
