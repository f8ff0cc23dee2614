# identity USER: sets uid, gid, groups and home, as `docker run --user` means it.
identity() {
	local user=${1%%:*} group='' line name=''
	[[ $1 == *:* ]] && group=${1#*:}
	uid=0 gid=0 home=/
	groups=()
	if [[ $user == (<->|root) && $group == (<->|root) ]]; then
		uid=${user/#%root/0} gid=${group/#%root/0}
		lookup passwd 3 $uid && home=$reply[6]
		return
	fi
	case $user in
	('') lookup passwd 3 0 ;;
	(<->) uid=$user; lookup passwd 3 $user ;;
	(*) lookup passwd 1 $user || fail "there is no user $user in /etc/passwd" ;;
	esac && { name=$reply[1] uid=$reply[3] gid=$reply[4] home=$reply[6] }
	if [[ -n $group ]]; then
		case $group in
		(<->) gid=$group ;;
		(*) lookup group 1 $group || fail "there is no group $group in /etc/group"; gid=$reply[3] ;;
		esac
		return
	fi
	inside $ROOT /etc/group
	[[ -n $name && -f $REPLY ]] || return 0
	for line in ${(f)"$(<$REPLY)"}; do
		reply=("${(@s.:.)line}")
		[[ ,$reply[4], == *,${(b)name},* ]] && groups+=($reply[3])
	done
	return 0
}

# stub PATH dir|file: REPLY is the mount point PATH in ROOT; what had to be made for it, and above it, goes to stubs.
stub() {
	inside $ROOT $1
	local place=$REPLY
	if [[ ! -e $place ]]; then
		missing $place
		stubs+=($reply)
		make_dirs ${place:h} 755 ''
		if [[ $2 == dir ]]; then zf_mkdir -m 755 $place; else : >$place; fi || fail "cannot make the mount point $1"
	elif [[ $2 == dir && ! -d $place || $2 == file && -d $place ]]; then
		fail "cannot mount on $1: it is there, and of another kind"
	fi
	REPLY=$place
}

# unstub removes mount points that were not there before and are still empty; not through links that the command made.
unstub() {
	local place when
	for place in ${(Oa)stubs}; do
		inside $ROOT ${place#$ROOT}
		[[ $REPLY == $place ]] || continue
		zstat -A when +mtime ${place:h} 2>/dev/null || continue
		if [[ -d $place && ! -L $place ]]; then
			zf_rmdir $place 2>/dev/null || continue
		elif [[ -f $place && ! -L $place && ! -s $place ]]; then
			zf_rm -f $place
		else
			continue
		fi
		touch -d @$when ${place:h}
	done
}

# Mounts for the next run, a folder before what is mounted inside of it. bind ROOT SOURCE TARGET ro|rw; cache ID TARGET ro|rw MODE OWNER [ROOT SOURCE]; memory TARGET SIZE
bind() {
	inside $1 $2
	local from=$REPLY kind=file
	[[ -e $from ]] || { shown $from; fail "--mount: $REPLY is not there" }
	[[ -d $from ]] && kind=dir
	if [[ $4 == rw ]]; then	# what is written there is gone after the step
		local copy=$(mktemp -d $WORK/inline/mount.XXXXXX)
		cp -ax --reflink=auto --no-target-directory -- $from $copy/it || fail "cannot copy ${from:t}"
		from=$copy/it
	fi
	mounts+=(bind $from $3 $kind $4)
}

cache() {
	local place=$WORK/cache/$1
	if [[ ! -d $place ]]; then
		if [[ -n $6 ]]; then
			inside $6 $7
			[[ -d $REPLY ]] || fail "--mount=type=cache: ${7:-/} is no directory"
			snapshot $REPLY $place
		else
			zf_mkdir -m $4 $place && zf_chmod $4 $place && zf_chown $5 $place || fail "cannot make a cache"
		fi
	fi
	mounts+=(bind $place $2 dir $3)
}

memory() { mounts+=(tmpfs "$2" $1 dir rw) }

# script NAME TEXT: RUN with a heredoc that begins with #!, which is run as /dev/pipes/NAME.
script() {
	zf_mkdir -p $WORK/inline/pipes
	print -rn -- $2 >$WORK/inline/pipes/$1 && zf_chmod 755 $WORK/inline/pipes/$1 || fail "cannot write $1"
}

# run USER DIRECTORY ARGV...: one RUN. Its processes, mounts, and the network names it sets end with it.
run() {
	local user=$1 dir=$2 uid gid home entry policy=''
	local -a groups stubs places env
	shift 2
	for entry in ${(ok)environment}; do env+=("$entry=$environment[$entry]"); done
	for entry in $proxies; do (( ${+environment[${entry%%=*}]} )) || env+=("$entry"); done
	identity $user
	[[ -n ${(M)env:#HOME=*} ]] || env+=("HOME=$home")
	inside $ROOT $dir
	make_dirs $REPLY 755 ''
	for entry in proc sys dev; do
		stub /$entry dir
		places+=($REPLY)
	done
	for entry in resolv.conf hosts; do
		[[ -f /etc/$entry ]] || continue
		cat /etc/$entry >$WORK/inline/$entry	# what is written there is gone after the step
		stub /etc/$entry file
		places+=($WORK/inline/$entry $REPLY)
	done
	local -a wanted=("${(@)mounts}")
	mounts=()
	if [[ -x $ROOT/usr/bin/dpkg && ! -e $ROOT/usr/sbin/policy-rc.d && ! -L $ROOT/usr/sbin ]]; then	# no daemon while packages are installed
		policy=$ROOT/usr/sbin/policy-rc.d
		print -r -- $'#!/bin/sh\n# toaster\nexit 101' >$policy && zf_chmod 755 $policy
	fi
	$isolate zsh -f $WORK/enter $ROOT $WORK $uid $gid "$groups" $dir $#places $places $#wanted "${wanted[@]}" $#env "${env[@]}" "$@" </dev/null
	integer code=$?
	[[ -n $policy && -f $policy && ! -L $policy && "$(<$policy)" == *$'\n# toaster\n'* ]] && zf_rm -f $policy
	[[ -e $WORK/inline/stubs ]] && stubs+=(${(0)"$(<$WORK/inline/stubs)"})
	unstub
	zf_rm -rf $WORK/inline/{pipes,stubs}
	(( code )) && fail '' $code
	return 0
}

typeset -a isolate=(unshare --mount --uts --ipc --pid --fork --propagation private)
unshare --help 2>&1 | grep -q -- --kill-child && isolate+=(--kill-child)
