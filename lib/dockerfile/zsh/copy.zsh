# COPY and ADD, after BuildKit's fsutil/copy: `into` says where, each `put…` is one source.
typeset into_path into_owner into_mode into_parents_mode
typeset -a exclude_re exclude_not include_re
typeset -a whole single folders		# what a walk has found: trees and files to copy, folders to give their owner and mode
typeset -i replacing=0		# an archive's entries replace what is in their way
typeset -A explicit			# the folders that the archive names; "." is all
typeset linking=''			# the real root, while ROOT is a layer of --link

# into DESTINATION OWNER MODE: MODE is octal or chmod's symbols.
into() {
	into_path=$1 into_owner='' into_mode=$3 into_parents_mode=755
	exclude_re=() exclude_not=()
	[[ -n $2 ]] && { owner $2; into_owner=$REPLY }
	[[ $3 == [0-7]## ]] && printf -v into_parents_mode '%o' $(( 8#$3 & 8#777 ))
	return 0
}

# into_folder: several sources need a folder, which is there or ends with a slash.
into_folder() {
	inside $ROOT $into_path
	[[ -d $REPLY ]] || fail "$into_path is no folder: end the destination with a slash, as there are several sources"
}

# except REGEX [not]: a pattern of --exclude, in order.
except() {
	exclude_re+=($1)
	exclude_not+=(${${2:+1}:-0})
}

# put ROOT SOURCE: one file or folder of ROOT; its last link is followed.
put() {
	inside $1 $2
	[[ -e $REPLY || -L $REPLY ]] || fail "$2: not found"
	place $REPLY $2
}

# put_glob ROOT FOLDER DEPTH REGEX: all that match below FOLDER, by the path from there, at that depth; none is no error.
# Files whose name --exclude matches stay out, as the reference says.
put_glob() {
	local name
	local -a found=()
	inside $1 $2
	local base=$REPLY
	[[ -e $base ]] || fail "$2: not found"
	find_glob '' $3 $4
	for name in $found; do
		excluded ${name:t} '' && [[ ! -d $base/$name || -L $base/$name ]] && continue
		put $1 ${base#$1}/$name
	done
}

find_glob() {	# RELATIVE DEPTH REGEX, with base and found of put_glob
	local name
	for name in $base/$1*(DNon:t); do
		if (( $2 == 0 )); then
			[[ $1$name -regex-match $3 ]] && found+=($1$name)
		elif [[ -d $base/$1$name && ! -L $base/$1$name ]]; then
			find_glob $1$name/ $(( $2 - 1 )) $3
		fi
	done
}

# put_parents ROOT PIVOT REQUIRED REGEX: --parents. What matches REGEX below PIVOT, with the folders above it.
put_parents() {
	if [[ -n $3 ]]; then
		inside $1 $3
		[[ -e $REPLY || -L $REPLY ]] || fail "$3: not found"
	fi
	include_re=($4)
	put $1 $2
	include_re=()
}

# layer and merge: --link. What is between them goes to an empty root, which is then laid over the real one: links and files
# in the way of its folders are replaced, and folders get its modes.
layer() {
	linking=$ROOT
	ROOT=$(mktemp -d $WORK/inline/layer.XXXXXX)
}

merge() {
	local from=$ROOT
	ROOT=$linking linking=''
	into / '' ''
	replacing=1 explicit=(. all)
	lay_tree $from $ROOT
	replacing=0 explicit=()
	zf_rm -rf $from
}

# place SOURCE NAME: lays SOURCE, a place on this machine, at the destination. NAME is what a folder there takes it by.
place() {
	local parent=$into_path
	[[ ${into_path:t} != . && $into_path != */ ]] && parent=${into_path:h}
	inside $ROOT $parent
	make_dirs $REPLY $into_parents_mode "$into_owner"
	inside $ROOT $into_path
	local to=$REPLY
	if [[ -d $1 && ! -L $1 ]]; then
		make_dirs $to $into_parents_mode "$into_owner"
		lay_tree $1 $to
	else
		[[ -d $to ]] && to+=/${2:t}
		make_dirs ${to:h} $into_parents_mode "$into_owner"
		lay_file $1 $to
	fi
}

# clear_file TO: makes room for a file.
clear_file() {
	if [[ -d $1 && ! -L $1 ]]; then
		(( replacing )) && { zf_rm -rf -- $1; return }
		shown $1
		fail "cannot replace the directory $REPLY with a file"
	fi
	[[ -e $1 || -L $1 ]] || return 0
	zf_rm -f -- $1 || fail "cannot replace ${1#$ROOT}"
}

lay_file() {
	clear_file $2
	cp -a --no-target-directory -- $1 $2 || fail "cannot copy to ${2#$ROOT}"
	give $2
}

# give PATH...: --chown and --chmod.
give() {
	(( $# )) || return 0
	[[ -z $into_owner ]] || zf_chown -h $into_owner "$@" || fail "cannot give files to $into_owner"
	[[ -n $into_mode ]] || return 0
	local -a real
	local one
	for one in "$@"; do [[ -L $one ]] || real+=($one); done
	(( $#real )) || return 0
	# as often for folders as for files: GNU chmod keeps a folder's set-id bits unless the mode has five digits
	print -rNn -- $real | xargs -0 chmod ${into_mode/#%(#m)[0-7]##/${(l:5::0:)MATCH}} -- || fail "cannot set the mode $into_mode"
}

# excluded RELATIVE PARENTS: does --exclude name it? `vector` becomes what its children pass as PARENTS.
excluded() {
	local -i i matched=0 one
	vector=''
	for (( i = 1; i <= $#exclude_re; i++ )); do
		one=${${2[i]}:-0}
		if (( ! one )); then
			(( exclude_not[i] != matched )) && { vector+=0; continue }
			[[ $1 -regex-match $exclude_re[i] ]] && one=1
		fi
		vector+=$one
		(( one )) && matched=$(( ! exclude_not[i] ))
	done
	(( matched ))
}

# lay_tree SOURCE TO: the contents of a folder, into a folder that is there.
lay_tree() {
	local vector=''
	whole=() single=() folders=()
	local -a pending=()
	integer arrived=0
	walk $1 $2 '' '' 0
	local one
	if (( $#whole + $#single )); then
		local -a as
		[[ -n $into_owner ]] && as=(--owner=x:${into_owner%:*} --group=x:${into_owner#*:})
		print -rN -- $whole $single >$WORK/list
		tar -C $1 --null --no-unquote -T $WORK/list $as --numeric-owner --xattrs --xattrs-include='*' -cf - 2>$WORK/errors |
			tar -C $2 -xpf - --numeric-owner --same-owner --xattrs --xattrs-include='*' 2>>$WORK/errors ||
			{ cat $WORK/errors; fail "cannot copy to ${2#$ROOT}" }
	fi
	[[ -n $into_mode ]] || return 0
	local -a all=($2/${^single#./} $2/${^folders})
	for one in $whole; do
		all+=($2/${one#./} $2/${one#./}/**/*(DN))
	done
	into_owner='' give $all
}

# walk SOURCE TO RELATIVE VECTOR INCLUDED: sorts what is to be copied into whole, single and folders, and stops at what is in the way.
walk() {
	local name path inside_it
	for name in $1/$3*(DNon:t); do
		path=$3$name
		local wanted=1 in=$5
		excluded $path "$4" && wanted=0
		local below=$vector
		if (( $#include_re && ! in )); then
			if [[ $path -regex-match $include_re[1] ]]; then in=1; else wanted=0; fi
		fi
		if [[ -d $1/$path && ! -L $1/$path ]]; then
			walk_folder $1 $2 $path "$below" $in $wanted
		elif (( wanted )); then
			arrive $1 $2
			clear_file $2/$path
			single+=(./$path)
		fi
	done
}

walk_folder() {	# SOURCE TO PATH VECTOR INCLUDED WANTED
	if (( $6 && ! $#exclude_re && ( ! $#include_re || $5 ) )) && [[ ! -e $2/$3 && ! -L $2/$3 ]]; then
		arrive $1 $2
		whole+=(./$3)
		return
	fi
	pending+=($3)
	(( $6 )) && arrive $1 $2 wanted
	if (( $6 || $#include_re || ${exclude_not[(I)1]} )); then
		walk $1 $2 $3/ "$4" $5
	fi
	pending[-1]=()
	(( arrived > $#pending )) && arrived=$#pending
	return 0
}

# arrive SOURCE TO [wanted]: makes the folders that lead here. One that is copied for itself gets owner and mode even if it was there.
arrive() {
	local -a st
	local one perm
	while (( arrived < $#pending )); do
		one=$pending[++arrived]
		if [[ -L $2/$one || ( -e $2/$one && ! -d $2/$one ) ]]; then
			(( replacing )) || { shown $2/$one; fail "cannot copy to non-directory: $REPLY" }
			zf_rm -f -- $2/$one
		fi
		local new=0
		[[ -d $2/$one ]] || { zf_mkdir -- $2/$one && new=1 || fail "cannot make ${2#$ROOT}/$one" }
		(( replacing && ! new && ! ${+explicit[$one]} && ! ${+explicit[.]} )) && continue
		zstat -A st -- $1/$one || fail "cannot read $one"
		if (( new )) || [[ -n $3 && $arrived == $#pending ]]; then
			zf_chown ${into_owner:-$st[5]:$st[6]} $2/$one
			folders+=($one)
		fi
		printf -v perm '%o' $(( st[3] & 8#7777 ))
		zf_chmod $perm $2/$one
	done
}
