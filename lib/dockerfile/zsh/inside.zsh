# inside ROOT PATH: REPLY is the place of PATH on this machine, found as if ROOT were /, so it never leaves ROOT. All
# that is done in a tree goes through it; nothing of the tree runs meanwhile.
typeset -A covers=()	# what is to be mounted on ROOT, by the path there
typeset at_place at_cover	# where the contents really are, then
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
		(*)	at_place=$1$cur/$part
			(( $#covers )) && covered $1 $cur/$part
			if [[ -L $at_place ]]; then
				(( ++links > 255 )) && fail "too many links in $2"
				zstat -LA st +link $at_place || fail "cannot read the link $cur/$part"
				[[ $st[1] == /* ]] && cur=''
				todo=(${(s:/:)st[1]} $todo)
			else
				cur+=/$part
			fi ;;
		esac
	done
	at_place=$1$cur
	(( $#covers )) && covered $1 $cur
	REPLY=$1$cur
}

# covered ROOT PATH: at_place is where PATH's contents are, and at_cover the mount that they are in, if one.
covered() {
	at_cover=$2
	while [[ -n $at_cover ]]; do
		(( ${+covers[$at_cover]} )) && { at_place=$covers[$at_cover]${2#$at_cover}; return }
		at_cover=${at_cover%/*}
	done
	at_place=$1$2
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
