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

# Mounts for the next run, a folder before what is mounted inside of it. bind ROOT SOURCE TARGET ro|rw; cache ID
# TARGET ro|rw MODE OWNER [ROOT SOURCE]; memory TARGET SIZE
bind() {
	inside $1 $2
	local from=$REPLY
	[[ -e $from ]] || { shown $from; fail "--mount: $REPLY is not there" }
	if [[ $4 == rw ]]; then	# what is written there is gone after the step
		local copy=$(mktemp -d $WORK/inline/mount.XXXXXX)
		if [[ -d $from ]]; then
			snapshot $from $copy/it
		else
			cp -a -- $from $copy/it || fail "cannot copy ${from:t}"
		fi
		from=$copy/it
	fi
	mounts+=($3 none $from rbind,nosuid,$4)
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
	mounts+=($2 none $place rbind,nosuid,$3)
}

memory() { mounts+=($1 tmpfs tmpfs nosuid,mode=1777${2:+,size=$2}) }

# mount_points PLACE…: makes those of the mounts that are in the tree, and tells the runtime where they are. What is
# in another mount, or in one of the places, the runtime makes there.
mount_points() {
	local one kind
	local -A closed=()
	for one in "$@"; do covers[${one#$ROOT}]=$SANDBOX/nothing; done
	while (( $#mounts )); do
		inside $ROOT $mounts[1]
		if [[ -z $at_cover ]]; then
			kind=dir
			[[ $mounts[2] == tmpfs || -d $mounts[3] ]] || kind=file
			stub $mounts[1] $kind
		elif [[ ! -e $at_place && -n $closed[$at_cover] ]]; then
			fail "cannot make the mount point $mounts[1]: it is in a mount that is read-only"
		fi
		one=${REPLY#$ROOT}
		oci_mount $one "${(@)mounts[2,4]}"
		[[ $mounts[2] == tmpfs ]] && covers[$one]=$SANDBOX/nothing || covers[$one]=$mounts[3]
		[[ ,$mounts[4], == *,ro,* ]] && closed[$one]=yes
		shift 4 mounts
	done
	covers=() at_cover=''
}

# script NAME TEXT: RUN with a heredoc that begins with #!, which is run as /dev/pipes/NAME.
script() {
	zf_mkdir -p $WORK/inline/pipes
	print -rn -- $2 >$WORK/inline/pipes/$1 && zf_chmod 755 $WORK/inline/pipes/$1 || fail "cannot write $1"
}

# run USER DIRECTORY ARGV...: one RUN. Its processes and mounts end with it.
run() {
	local user=$1 dir=$2 uid gid home entry policy='' variables_json
	local -a groups stubs places env
	shift 2
	(( $#runtime )) || choose_runtime
	local net=none
	(( offline )) || { connect; net=$network }
	for entry in ${(ok)environment}; do env+=("$entry=$environment[$entry]"); done
	for entry in $proxies; do (( ${+environment[${entry%%=*}]} )) || env+=("$entry"); done
	identity $user
	with_secrets
	[[ -n ${(M)env:#HOME=*} ]] || env+=("HOME=$home")
	start_agents $uid
	inside $ROOT $dir
	make_dirs $REPLY 755 ''
	oci_mounts=()
	for entry in proc sys dev; do
		stub /$entry dir
		places+=($REPLY)
	done
	oci_mount ${places[1]#$ROOT} proc proc nosuid,noexec
	oci_mount ${places[2]#$ROOT} sysfs sysfs nosuid,noexec,ro
	oci_mount ${places[3]#$ROOT} tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k
	oci_mount ${places[3]#$ROOT}/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620$tty_group
	oci_mount ${places[3]#$ROOT}/shm tmpfs shm nosuid,noexec,mode=1777,size=65536k
	[[ -d $WORK/inline/pipes ]] && oci_mount ${places[3]#$ROOT}/pipes none $WORK/inline/pipes rbind,nosuid,ro
	print -r -- $'127.0.0.1\tlocalhost '$oci_hostname$'\n::1\tlocalhost ip6-localhost ip6-loopback' >$WORK/inline/hosts
	[[ $net == none ]] && : >$WORK/inline/resolv.conf || cat $SANDBOX/resolv.conf >$WORK/inline/resolv.conf
	for entry in resolv.conf hosts; do	# what is written there is gone after the step
		stub /etc/$entry file
		places+=($REPLY)
		oci_mount ${REPLY#$ROOT} none $WORK/inline/$entry rbind,nosuid
	done
	mount_points $places
	if has /usr/bin/dpkg; then	# no daemon starts while packages are installed
		inside $ROOT /usr/sbin/policy-rc.d
		if [[ -d ${REPLY:h} && ! -e $REPLY ]]; then
			policy=$REPLY
			print -r -- $'#!/bin/sh\n# toaster\nexit 101' >$policy && zf_chmod 755 $policy
		fi
	fi
	json_list $env; variables_json=$REPLY
	json_list "$@"
	configure $ROOT $uid $gid "$groups" $dir $net $variables_json $REPLY
	sandbox
	integer code=$?
	offline=0
	if [[ -n $policy ]]; then
		inside $ROOT /usr/sbin/policy-rc.d
		[[ $REPLY == $policy && -f $policy && ! -L $policy && "$(<$policy)" == *$'\n# toaster\n'* ]] && zf_rm -f $policy
	fi
	unstub
	forget_secrets
	zf_rm -rf $WORK/inline/pipes
	(( code )) && foreign $1 && fail "$1 is for another processor than this host's ($(uname -m)), which runs it only \
if its administrator has installed qemu-user-static and binfmt-support. The build argument BUILDPLATFORM says where \
stages run." $code
	(( code )) && fail '' $code
	return 0
}

# foreign PROGRAM: is it for another processor than this host's own programs? An x86_64 runs those for i386, too.
foreign() {
	local program host
	inside $ROOT $1
	[[ -f $REPLY ]] && sysread -s 20 program <$REPLY && sysread -s 20 host </proc/self/exe &&
		[[ $program == $'\x7fELF'* && $program[19,20] != $host[19,20] && $host[19]$program[19] != $'\x3e\x03' ]]
}

# without_network: the next run has none.
typeset -i offline=0
without_network() { offline=1 }
