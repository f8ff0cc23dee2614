# sh outer.sh PLACE LOOPBACK: runs the bundle in PLACE in a network of its own, which slirp4netns leads out of. It is
# the root of a user namespace, and the first process of a process namespace: all of it ends with it. What can't be made is
# on a line that begins with "toaster: ", and the exit status 99.
umask 022
place=$1
fail() {
	echo "toaster: $1" >&2
	exit 99
}
[ -w "$place/git" ] || fail "git, which is not root here, cannot get to $place"
mount --make-rprivate / 2>/dev/null
mount -t proc proc /proc || fail 'this host lets no namespace have its own /proc'
# crun wants one hierarchy of cgroups.
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || mount -t tmpfs none /sys/fs/cgroup 2>/dev/null
[ ! -e "$place/tun" ] || mount --bind "$place/tun" /dev/net/tun || fail 'cannot mount /dev/net/tun'
[ -w /dev/net/tun ] ||
	fail '/dev/net/tun of this host is missing or not for everybody: modprobe tun; chmod 666 /dev/net/tun'
mkfifo "$place/gate" "$place/ready" || fail 'cannot make a pipe'
# shellcheck disable=SC2016 # the other shell expands them
unshare --net sh -c '
	for one in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$one/disable_ipv6; done 2>/dev/null
	echo up >"$0"; exec sleep infinity' "$place/gate" </dev/null >/dev/null 2>&1 &
gate=$!
read -r line <"$place/gate" && [ "$line" = up ] || fail 'no network namespace can be made here'
# shellcheck disable=SC2086 # empty, or an option
slirp4netns --configure --mtu=65520 $2 --netns-type=path --ready-fd=3 "/proc/$gate/ns/net" tap0 \
	3>"$place/ready" </dev/null >"$place/slirp" 2>&1 &
read -r line <"$place/ready" # it has no end of line
[ "$line" = 1 ] || fail "the network cannot be made: $(tail -n 1 "$place/slirp")"
nsenter --net="/proc/$gate/ns/net" ip -batch "$place/rules" || fail 'the rules of the network cannot be made'
for name in crun runc; do
	command -v $name >/dev/null || continue
	[ $name = runc ] && set -- || set -- --cgroup-manager=disabled
	nsenter --net="/proc/$gate/ns/net" $name --root "$place/state" "$@" run --bundle "$place" fetch
	exit
done
fail 'this host lacks crun, which makes the sandbox'
