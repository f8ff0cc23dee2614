# COPY and ADD, after BuildKit's fsutil/copy: `into` says where, each `put…` is one source.
typeset into_path into_owner into_mode into_parents_mode
typeset -a exclude_re exclude_not include_re
typeset -i replacing=0		# an archive's entries replace what is in their way
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
	(( $#found )) || { shown $base; print -r -- "toaster: nothing in ${REPLY:-/} matches, and nothing is copied" }
	local -a files=()
	for name in $found; do	# in order: a later one may have files of the same names
		if [[ -d $base/$name && ! -L $base/$name ]] || ! excluded ${name:t}; then
			[[ -f $base/$name && ! -L $base/$name ]] && files+=($name) || { put_files $1; put $1 ${base#$1}/$name }
		fi
	done
	put_files $1
}

put_files() {	# ROOT, with base and files of put_glob: puts the files
	(( $#files )) || return 0
	local name
	inside $ROOT $into_path
	if [[ $into_path != */ && ! -d $REPLY ]]; then
		for name in $files; do put $1 ${base#$1}/$name; done
	else
		make_dirs $REPLY $into_parents_mode "$into_owner"
		for name in $files; do clear_file $REPLY/${name:t}; done
		print -rNn -- $files >$WORK/list
		carry $base $REPLY --transform='s,^.*/,,'
	fi
	files=()
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

# put_parents ROOT PIVOT REQUIRED REGEX [DEPTH GLOB]: --parents. What matches REGEX below PIVOT, with the folders above
# it; or below what matches GLOB there.
put_parents() {
	if [[ -n $3 ]]; then
		inside $1 $3
		[[ -e $REPLY || -L $REPLY ]] || fail "$3: not found"
	fi
	include_re=($4)
	if (( $# > 4 )); then put_glob $1 $2 $5 $6; else put $1 $2; fi
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
	replacing=1
	print -N . >$WORK/explicit
	lay_tree $from $ROOT
	replacing=0
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
	if [[ -b $1 || -c $1 ]]; then
		shown $1
		fail "$REPLY: a device cannot be copied: the build makes none"
	fi
	clear_file $2
	cp -a --no-target-directory -- $1 $2 || fail "cannot copy to ${2#$ROOT}"
	if [[ -n $into_owner ]]; then
		zf_chown -h $into_owner $2 || fail "cannot give files to $into_owner"
		# chown clears set-id bits and capabilities
		[[ -L $2 ]] || cp --attributes-only --preserve=mode,xattr --no-target-directory -- $1 $2 ||
			fail "cannot copy to ${2#$ROOT}"
	fi
	[[ -z $into_mode || -L $2 ]] || chmod $into_mode -- $2 || fail "cannot set the mode $into_mode"
}

# excluded NAME: does --exclude name it?
excluded() {
	local -i i matched=0
	for (( i = 1; i <= $#exclude_re; i++ )); do
		(( exclude_not[i] == matched )) && [[ $1 -regex-match $exclude_re[i] ]] && matched=$(( ! exclude_not[i] ))
	done
	(( matched ))
}
