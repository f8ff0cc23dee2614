# zsh -f enter TREE WORK COMMAND…: runs COMMAND in WORK and in namespaces of its own, as root of TREE, which may be
# empty, and of WORK alone: $TREE and $WORK. It stays in the user namespace that one has; the host's root gets one.
emulate zsh
setopt extended_glob no_multibyte pipe_fail
umask 022
export TREE=$1 WORK=$2
shift 2

fail() {
	print -r -- "toaster: $1"
	[[ -n $ASIDE ]] || print -r -- 'TOASTER-FAILED 0/0 0 exit 1'	# not for what is no part of the Dockerfile
	exit 1
}

typeset -a isolate=(unshare --mount --uts --ipc --cgroup --pid --fork --kill-child --mount-proc --propagation private)

# first_id: REPLY is the first of the 65536 ids that a build by the host's root uses.
first_id() {
	local name line
	local -a field
	REPLY=$TOASTER_IDS
	[[ -n $REPLY ]] && return
	for name in toaster root; do
		for line in ${(f)"$(cat /etc/subuid 2>/dev/null)"}; do
			field=("${(@s.:.)line}")
			(( $#field == 3 )) && [[ $field[1] == $name && $field[3] == <65536-> ]] || continue
			grep -qxE "$name:$field[2]:[0-9]{5,}" /etc/subgid || continue
			REPLY=$field[2]
			return
		done
	done
	REPLY=2000000000	# nobody's: useradd and systemd give lower ones
}

# user_namespace FIRST: holder is a process in a new one. It is made by the first of its ids, whose limit of processes
# holds for all of it.
user_namespace() {
	local -a as=(setpriv --reuid=$1 --regid=$1 --clear-groups)
	$as unshare --user true 2>/dev/null || as=()	# a host may keep them for root
	coproc $as unshare --user sh -c 'echo $$; read -r line'
	read -rp holder && [[ $holder == <1-> ]] ||
		fail 'this host makes no user namespaces: see sysctl user.max_user_namespaces'
	print "0 $1 65536" >/proc/$holder/uid_map && print "0 $1 65536" >/proc/$holder/gid_map ||
		fail "the ids from $1 cannot be used here"
}

# new_place: REPLY is a folder on the way to which nobody is locked out, unlike a home's. It covers one that the build
# does not need.
new_place() {
	local one
	for REPLY in /mnt /media /srv /opt; do
		[[ -d $REPLY ]] || continue
		for one in $TREE $WORK $TOASTER_CACHE_DIR $TOASTER_IMAGES $TOASTER_CONTEXT; do [[ ${one:A}/ == $REPLY/* ]] && continue 2; done
		mount -t tmpfs -o mode=755,nosuid,nodev toaster $REPLY && mkdir $REPLY/{tree,work,cache,images} && return
	done
	fail 'there is no folder that the build can be mounted on: /mnt, /media, /srv and /opt are missing or in use'
}

# keep_account: the account at registries, which the host's root alone may read, for the fetching of images. A build
# that fetches none needs none.
keep_account() {
	[[ -r $TOASTER_REGISTRY_AUTH ]] && ( umask 077 && cat -- $TOASTER_REGISTRY_AUTH >$WORK/registry.auth )
}

# keep_secrets copies them to memory, where the build's ids can read them.
keep_secrets() {
	[[ -n $TOASTER_SECRETS ]] || return 0
	local -a files=($TOASTER_SECRETS/*(N-.))
	mkdir -p $WORK/secrets && mount -t tmpfs -o mode=700,nosuid,nodev,noexec,size=4m toaster $WORK/secrets &&
		{ (( ! $#files )) || cp -- $files $WORK/secrets } || fail 'the secrets cannot be copied to memory'
}

# keep_context FOLDER: the build's ids can read the build context there, where ids can be mapped, else in a copy.
keep_context() {
	[[ -n $TOASTER_CONTEXT ]] || return 0
	[[ -e $TOASTER_CONTEXT ]] || fail "the build context is missing: TOASTER_CONTEXT, $TOASTER_CONTEXT, is not there"
	if [[ -d $TOASTER_CONTEXT ]]; then mkdir $1/context; else : >$1/context; fi
	if map_tree $TOASTER_CONTEXT $1/context $holder 2>/dev/null; then
		mount -o remount,bind,ro,nodev,nosuid -- $1/context || fail "TOASTER_CONTEXT, $TOASTER_CONTEXT, cannot be used"
		TOASTER_CONTEXT=$1/context
	else
		cp -r --reflink=auto -- $TOASTER_CONTEXT $WORK/context.files ||
			fail "TOASTER_CONTEXT, $TOASTER_CONTEXT, cannot be copied: is the disk full?"
		TOASTER_CONTEXT=$WORK/context.files
	fi
}

# prune_layers FOLDER removes the layers of images that were not used for longest, down to 10 GiB, and downloads that
# were broken off.
prune_layers() {
	local one
	local -a size
	integer left=$(( 10 << 30 ))
	zmodload -F zsh/stat b:zstat
	for one in $1/sha256/*(N.om); do
		zstat -A size +size $one && (( (left -= size[1]) >= 0 )) || rm -f -- $one
	done
	rm -rf -- $1/fetch.*(Nmh+10)
}

# move_in and move_out: where the kernel or the file system can't map ids, the tree goes to WORK, and back when all
# went well. Devices, which the build could not make, stay where they are.
typeset -a pack=(tar --numeric-owner --same-owner --xattrs --xattrs-include='*')
move_in() {
	TREE=$WORK/tree
	$within mkdir $TREE && $pack -C $origin --exclude='./dev/*' -cf - . | $within $pack -C $TREE -xpf - ||
		fail 'the tree cannot be copied: is the disk full?'
}

move_out() {
	find $origin -mindepth 1 -depth ! -path "$origin/dev/*" -delete 2>/dev/null	# what is mounted there stays
	$within $pack -C $TREE -cf - . | $pack -C $origin -xpf - ||
		fail 'the tree cannot be copied back: is the disk full?'
}

if [[ "$(</proc/self/uid_map)" != [[:space:]]#0[[:space:]]##0[[:space:]]##4294967295 ]]; then
	if [[ -n $TOASTER_CACHE_DIR && -z $TOASTER_BLOBS ]] && mkdir -p $TOASTER_CACHE_DIR/layers; then
		export TOASTER_BLOBS=$TOASTER_CACHE_DIR/layers
	fi
	keep_account
	cd -- $WORK && exec $isolate "$@"
fi
(( EUID )) && fail 'only root can do this outside of a user namespace'
if [[ $1 != inside ]]; then
	exec unshare --mount --propagation private zsh -f $WORK/enter "$TREE" $WORK inside "$@"
fi
shift
first_id
integer first=$REPLY
keep_account
keep_secrets
user_namespace $first
typeset -a within=(nsenter --user=/proc/$holder/ns/user --setuid 0 --setgid 0)
new_place
keep_context $REPLY
# What an earlier part of the build has left there belongs to one of them already.
find $WORK \( -uid -$first -o -uid +$(( first + 65535 )) -o -gid -$first -o -gid +$(( first + 65535 )) \) \
	-exec chown -h $first:$first {} + || fail "$WORK cannot be given to the build's ids"
map $WORK $REPLY/work || fail "$WORK cannot be mounted"
WORK=$REPLY/work
[[ -z $TOASTER_REGISTRY_AUTH ]] || export TOASTER_REGISTRY_AUTH=$WORK/registry.auth
[[ -z $TOASTER_SECRETS ]] || export TOASTER_SECRETS=$WORK/secrets
[[ $TOASTER_CONTEXT != */context.files ]] || export TOASTER_CONTEXT=$WORK/context.files
if [[ -n $TREE ]]; then
	typeset -r origin=$TREE
	TREE=$REPLY/tree
	map $origin $TREE $holder || move_in
fi
if [[ -n $TOASTER_CACHE_DIR ]]; then
	mkdir -p $TOASTER_CACHE_DIR && map $TOASTER_CACHE_DIR $REPLY/cache ||
		fail "TOASTER_CACHE_DIR, $TOASTER_CACHE_DIR, cannot be used"
	prune_layers $TOASTER_CACHE_DIR/layers
	if mkdir -p $TOASTER_CACHE_DIR/layers $REPLY/layers && map $TOASTER_CACHE_DIR/layers $REPLY/layers $holder; then
		export TOASTER_BLOBS=$REPLY/layers	# where ids can't be mapped, layers are kept for this build alone
	fi
	export TOASTER_CACHE_DIR=$REPLY/cache
fi
if [[ -n $TOASTER_IMAGES ]]; then
	map $TOASTER_IMAGES $REPLY/images && mount -o remount,bind,ro,nodev,nosuid -- $REPLY/images ||
		fail "TOASTER_IMAGES, $TOASTER_IMAGES, cannot be used"
	export TOASTER_IMAGES=$REPLY/images
fi
# Where no udev has been, the network's device is for the host's root: the build gets one of its own.
if ! setpriv --reuid=$first --regid=$first --clear-groups test -w /dev/net/tun &&
	mount -t tmpfs -o mode=755,nosuid,noexec toaster /dev/net 2>/dev/null; then
	mknod -m 666 /dev/net/tun c 10 200
fi
cd $WORK
$within $isolate "$@" || exit
[[ $TREE != $WORK/* ]] || move_out
