_passt_netns() {
	_alternative "names:network namespace:(${(j: :)${(f)"$(ls /run/netns \
		2>/dev/null)"}})" 'files:path:_files'
}

_passt_file_or_none() {
	_alternative 'none:none:(none)' 'files:path:_files'
}

if [[ $service == pasta ]]; then
	options+=(
		'(-)1:command or process ID:_alternative "commands:command:_command_names -e" "processes:process ID:_pids"'
		'*::argument:_normal'
	)
fi
_arguments -s -S -A '-*' $options
