# The builder's functions, for a program that runs as root of the namespaces that `enter` has made:
# TREE=… WORK=… zsh -f PROGRAM STAMP
emulate zsh
setopt extended_glob no_multibyte pipe_fail
umask 022
export LC_ALL=C
zmodload zsh/stat zsh/system zsh/regex zsh/datetime || exit 1
zmodload -F zsh/files b:zf_mkdir b:zf_rm b:zf_rmdir b:zf_chmod b:zf_chown b:zf_ln || exit 1

typeset -r TREE WORK STAMP=$1 CONTEXT=$WORK/context STAGES=$WORK/stages
typeset ROOT=$TREE at='0/0 0'	# the root that instructions work on; the step they belong to
typeset -a mounts proxies reply
typeset -A environment kept_environment
zf_mkdir -m 755 $CONTEXT $STAGES $WORK/inline $WORK/cache || exit 1
map $WORK $WORK && map $TREE $TREE || exit 1	# no device in them can be used
cd $WORK

# unpack_context makes CONTEXT of the archive in the blend, or of the files beside it, in $TOASTER_CONTEXT.
unpack_context() {
	local -a extract=(tar -xpf - --same-owner --numeric-owner --xattrs --xattrs-include='*' -C $CONTEXT)
	if [[ -s reader ]]; then
		[[ -n $TOASTER_CONTEXT ]] || fail 'the build context is missing: set TOASTER_CONTEXT to its folder or tar file'
		perl reader tar $TOASTER_CONTEXT | $extract || fail 'cannot unpack the build context'
		zf_rm -f reader
	elif [[ -s context.tar.gz ]]; then
		gzip -dc context.tar.gz | $extract || fail 'cannot unpack the build context'
	fi
}

# mark TEXT prints a line that tells where the build is. It is one line whatever is in it, no terminal's command.
mark() { print -r -- "${1//[[:cntrl:]]/ }" }

# phase NAME: what begins now. The times in the log are those of who builds.
phase() {
	local -F 3 now=$EPOCHREALTIME
	mark "TOASTER-PHASE $1 $now"
}

# step N LINE TEXT
step() {
	at="$1/$STEPS $2"
	phase step
	mark "TOASTER-STEP $at $3"
}

# packing: the steps are done; whoever runs this makes the image now.
packing() {
	phase pack
	mark 'toaster: packing the image'
}

# fail MESSAGE [EXIT]: ends the build.
fail() {
	[[ -n $1 ]] && mark "toaster: $1"
	mark "TOASTER-FAILED $at exit ${2:-1}"
	finished=1
	exit 1
}

# However it ends, the log says so.
zshexit() { (( finished )) || fail 'the builder broke off' }
typeset -i finished=0

# shown PATH: REPLY is PATH as the Dockerfile knows it.
shown() { REPLY=${${${1#$ROOT}#$CONTEXT}#$STAGES/<->} }

# make_dirs PATH MODE OWNER: mkdir -p; MODE and OWNER ("" or UID:GID) are for the new ones.
make_dirs() {
	[[ -d $1 ]] && return
	if [[ -e $1 || -L $1 ]]; then
		shown $1
		fail "$REPLY: not a directory"
	fi
	make_dirs ${1:h} $2 $3
	zf_mkdir -m $2 -- $1 && zf_chmod $2 $1 || fail "cannot make the directory ${1#$ROOT}"
	[[ -z $3 ]] || zf_chown $3 $1 || fail "cannot give ${1#$ROOT} to $3"
}

# Variables for RUN. variable KEY VALUE; variables KEY=VALUE…: these alone; keep_variables and variables_of STAGE: for a stage based on it.
variable() { environment[$1]=$2 }

variables() {
	local one
	environment=()
	for one in "$@"; do environment[${one%%=*}]=${one#*=}; done
}

keep_variables() {
	local key
	for key in "${(@k)environment}"; do kept_environment[$1/$key]=$environment[$key]; done
}

variables_of() {
	local key
	environment=()
	for key in "${(@k)kept_environment[(I)$1/*]}"; do environment[${key#*/}]=$kept_environment[$key]; done
}

# snapshot FROM TO: a copy of a root, without file systems that are mounted in it, and without devices.
snapshot() {
	if [[ -z "$(find $1 -xdev ! -type d ! -type f ! -type l ! -type p ! -type s -print -quit)" ]]; then
		cp -ax --reflink=auto -- $1 $2
	else
		zf_mkdir -- $2 && find $1 -xdev ! -type b ! -type c ! -type s -printf './%P\0' |
			tar -C $1 --null --no-unquote --no-recursion -T - --numeric-owner --xattrs --xattrs-include='*' -cf - |
			tar -C $2 -xpf - --numeric-owner --same-owner --xattrs --xattrs-include='*'
	fi || fail "cannot copy the root filesystem: is the disk full?"
}

# lookup FILE FIELD VALUE: reply is the fields of the first line of ROOT's /etc/FILE that has VALUE there.
lookup() {
	local line
	reply=()
	inside $ROOT /etc/$1
	[[ -f $REPLY ]] || return 1
	for line in ${(f)"$(<$REPLY)"}; do
		reply=("${(@s.:.)line}")
		[[ $reply[$2] == $3 ]] && return 0
	done
	reply=()
	return 1
}

missing_owner() { print -r -- "toaster: there is no $2 in /etc/$1: docker build takes root instead, and so does this" }

# owner USER:GROUP: REPLY is UID:GID, as --chown and WORKDIR mean it: a name that ROOT lacks at this moment counts for
# nothing.
owner() {
	local user=${1%%:*} group='' uid gid
	[[ $1 == *:* ]] && group=${1#*:}
	case $user in
	(''|root) uid=0 gid=0 ;;
	(<->) uid=$user gid=$user ;;
	(*) lookup passwd 1 $user || { missing_owner passwd $user; reply=('' '' 0 0) }; uid=$reply[3] gid=$reply[4] ;;
	esac
	case $group in
	('') ;;
	(root) gid=0 ;;
	(<->) gid=$group ;;
	(*) lookup group 1 $group && gid=$reply[3] || missing_owner group $group ;;
	esac
	[[ $uid == <-> && $gid == <-> ]] || fail "/etc/passwd or /etc/group has no number for $1"
	REPLY=$uid:$gid
}

# workdir PATH USER: WORKDIR makes its folder, and gives it to the user of that moment.
workdir() {
	local own=''
	[[ -n $2 ]] && { owner $2; own=$REPLY }
	inside $ROOT $1
	make_dirs $REPLY 755 $own
}
