# inside ROOT PATH: REPLY is the place of PATH on this machine. Links are followed as if ROOT were /, so it never leaves ROOT. Every
# read, write, copy and removal in a tree goes through it; nothing of the tree runs meanwhile.
# Where something is to be mounted on ROOT, `covers` says what; `place` is then where the contents really are.
typeset -A covers=()	# by the path in ROOT
typeset place cover
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
		(*)	place=$1$cur/$part
			(( $#covers )) && covered $1 $cur/$part
			if [[ -L $place ]]; then
				(( ++links > 255 )) && fail "too many links in $2"
				zstat -LA st +link $place || fail "cannot read the link $cur/$part"
				[[ $st[1] == /* ]] && cur=''
				todo=(${(s:/:)st[1]} $todo)
			else
				cur+=/$part
			fi ;;
		esac
	done
	place=$1$cur
	(( $#covers )) && covered $1 $cur
	REPLY=$1$cur
}

# covered ROOT PATH: place is where PATH's contents are, and cover the mount that they are in, if one.
covered() {
	cover=$2
	while [[ -n $cover ]]; do
		(( ${+covers[$cover]} )) && { place=$covers[$cover]${2#$cover}; return }
		cover=${cover%/*}
	done
	place=$1$2
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
