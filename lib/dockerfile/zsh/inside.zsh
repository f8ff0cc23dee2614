# inside ROOT PATH: REPLY is the place of PATH on this machine. Links are followed as if ROOT were /, so it never leaves ROOT.
inside() {
	local cur='' part
	local -a todo=(${(s:/:)2}) st
	integer links=0
	while (( $#todo )); do
		part=$todo[1]
		shift todo
		case $part in
		(.) ;;
		(..) cur=${cur%/*} ;;
		(*)	if [[ -L $1$cur/$part ]]; then
				(( ++links > 255 )) && fail "too many links in $2"
				zstat -LA st +link $1$cur/$part || fail "cannot read the link $cur/$part"
				[[ $st[1] == /* ]] && cur=''
				todo=(${(s:/:)st[1]} $todo)
			else
				cur+=/$part
			fi ;;
		esac
	done
	REPLY=$1$cur
}

# missing PATH: reply is PATH and the folders above it, those that are not there, the uppermost first.
missing() {
	local one=$1
	reply=()
	while [[ ! -e $one ]]; do
		reply=($one $reply)
		one=${one:h}
	done
}
