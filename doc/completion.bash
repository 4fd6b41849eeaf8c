# COMPREPLY: words of compgen that start with $cur.
_passt_reply()	# [COMPGEN-OPTION]...
{
	local more

	mapfile -t more < <(compgen "$@" -- "$cur")
	COMPREPLY+=("${more[@]}")
}

_passt_value()	# KIND [WORD]...
{
	case $1 in
	FILE)	compopt -o filenames 2>/dev/null
		_passt_reply -f ;;
	IFACE)	_passt_reply -W "$(ls /sys/class/net 2>/dev/null)" ;;
	USER)	_passt_reply -u ;;
	NETNS)	compopt -o filenames 2>/dev/null
		_passt_reply -W "$(ls /run/netns 2>/dev/null)"
		_passt_reply -f ;;
	esac
	_passt_reply -W "${*:2}"
}

# The words up to the one being typed: a value may be that of the option before
# it, or of the last one of a cluster; the first word that is neither an option
# nor a value ends the options.
_passt_complete()	# COMMAND
{
	local -n values=_$1_values options=_$1_options
	local cur=${COMP_WORDS[COMP_CWORD]} i=1 j word kind

	COMPREPLY=()
	while ((i < COMP_CWORD)); do
		word=${COMP_WORDS[i]}
		[[ $word == -?* ]] || break
		((++i))
		[[ $word != -- ]] || { options=''; break; }
		kind=${values[$word]-}
		for ((j = 1; j < ${#word}; j++)); do
			[[ $word != --* && -z $kind ]] || break
			kind=${values[-${word:j:1}]-}
			[[ -z $kind || -z ${word:j+1} ]] || { kind=''; break; }
		done
		[[ -n $kind ]] || continue
		if [[ ${COMP_WORDS[i]} == = ]]; then	# --option=value
			((i < COMP_CWORD)) || cur=''
			((++i))
		fi
		if ((i >= COMP_CWORD)); then
			# shellcheck disable=SC2086
			_passt_value ${kind/#' '/- }
			return
		fi
		((++i))
	done

	if ((i < COMP_CWORD)); then
		[[ $1 != pasta ]] || ! declare -F _command_offset >/dev/null ||
			_command_offset "$i"
	elif [[ $cur == -* && -n $options ]]; then
		_passt_reply -W "$options"
	elif [[ $1 == pasta && $cur == [0-9]* ]]; then
		_passt_reply -W "$(cd /proc && echo [0-9]*)"
	elif [[ $1 == pasta ]]; then
		_passt_reply -c
	elif [[ $1 == pesto ]]; then
		_passt_value FILE
	fi
}

_passt() { _passt_complete passt; }
_pasta() { _passt_complete pasta; }
_pesto() { _passt_complete pesto; }
complete -F _passt passt
complete -F _pasta pasta
complete -F _pesto pesto
