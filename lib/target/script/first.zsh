# What programs for the blend's functions begin with, where they are no part of the Dockerfile: they fail as the SDK
# does. ROOT and TREE are the image.
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
	inside $ROOT /etc/apt/apt.conf.d
	[[ -d $REPLY && ! -e $REPLY/99toaster-build ]] && bind $WORK /apt.conf /etc/apt/apt.conf.d/99toaster-build ro
	variables PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=1610550434
	# To the package sysvinit-core this is no chroot: it waits a minute for the init that it takes process 1 for.
	run '' / /bin/sh -c '[ -d /run ] && mkfifo -m 600 /run/initctl 2>/dev/null &&
		exec 9<>/run/initctl; exec "$@"' sh "$@"
	inside $ROOT /run/initctl
	[[ ! -p $REPLY ]] || zf_rm -f $REPLY
}
