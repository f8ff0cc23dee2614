
# What the image's own programs do, and what is looked up or changed in it by name, is done in namespaces where the image is all there is:
# toaster_within TREE PROGRAM ARGUMENT…: a program for the blend's functions, as root of TREE. What it leaves in $OUT is in $t_out then,
# ordinary files only.
t_out=$t_JOB/out
toaster_within() {
	local work=$(mktemp -d $t_JOB/within.XXXXXXXX) tree=$1 program=$2
	shift 2
	toaster_tools $work && mkdir $work/out && cp $t_NOTES/apt.conf $work/apt.conf && print -r -- $t_first$'\n'$program$'\nexit 0' >$work/program || return 1
	env -i PATH=$PATH LC_ALL=C SHELL=/bin/sh TOASTER_IDS=$TOASTER_IDS TOASTER_SANDBOX_ALLOW=$TOASTER_SANDBOX_ALLOW ASIDE=yes \
		zsh -f $work/enter $tree $work zsh -f program - "$@" </dev/null
	integer code=$?
	rm -rf $t_out && mkdir $t_out || return 1
	local -a left=($work/out/*(N.))
	(( $#left )) && { chown 0:0 $left && mv $left $t_out || return 1 }
	rm -rf --one-file-system $work
	return code
}

# Its beginning: it fails as the SDK does. ROOT and TREE are the image.
IFS= read -rd '' t_first <<'WITHIN' || :
typeset -a arguments=("${@[2,-1]}")
source ./functions || exit 1
finished=1
OUT=$WORK/out
fail() {
	[[ -n $1 ]] && print -r -- "sdk: [E] $1"
	exit ${2:-1}
}

# file PATH: REPLY is the place of an ordinary file of the image; a link is none.
file() {
	inside $ROOT ${1:h}
	REPLY+=/${1:t}
	[[ -f $REPLY && ! -L $REPLY ]]
}

# system ARGV…: runs a program of the image in the sandbox, with what apt needs to know of this host's network.
system() {
	[[ -d $ROOT/etc/apt/apt.conf.d && ! -e $ROOT/etc/apt/apt.conf.d/99toaster-build ]] && bind $WORK /apt.conf /etc/apt/apt.conf.d/99toaster-build ro
	variables PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		SOURCE_DATE_EPOCH=1610550434
	# To the package sysvinit-core this is no chroot: it waits a minute for the init that it takes process 1 for.
	run '' / /bin/sh -c '[ -d /run ] && mkfifo -m 600 /run/initctl 2>/dev/null && exec 9<>/run/initctl; exec "$@"' sh "$@"
	inside $ROOT /run/initctl
	[[ ! -p $REPLY ]] || zf_rm -f $REPLY
}

WITHIN

toaster_chroot() { toaster_within $1 'system "$arguments[@]"' "${@[2,-1]}" }
