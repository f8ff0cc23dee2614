# The network of RUN and of ADD: a namespace for the whole build, behind a gateway in another, which slirp4netns leads
# out of as a user without rights. Its rules say what can't be reached, and nothing in the sandbox may change them.

typeset network=''	# the file of the namespace, once there is one

# connect starts the network.
connect() {
	[[ -n $network ]] && return
	local tool line loopback=--disable-host-loopback
	for tool in slirp4netns ip nsenter; do
		(( $+commands[$tool] )) ||
			fail "this host lacks $tool, for the network of RUN. Install slirp4netns and iproute2, or write RUN --network=none"
	done
	[[ -w /dev/net/tun ]] || fail "this host's /dev/net/tun, for the network of RUN, is missing or not for everybody. \
Its administrator mends that: modprobe tun; chmod 666 /dev/net/tun"
	integer gate inside
	net_namespace; gate=$REPLY
	net_namespace; inside=$REPLY
	[[ " $TOASTER_SANDBOX_ALLOW" == *' 10.0.2.2:'* ]] && loopback=''
	zf_mkdir -p -m 755 $SANDBOX
	mkfifo $SANDBOX/ready || fail 'cannot make a pipe'
	# With mounts of its own it keeps the host's resolv.conf, which it reads again whenever that changes.
	unshare --mount --propagation private slirp4netns --configure --mtu=65520 $loopback --netns-type=path --ready-fd=3 \
		/proc/$gate/ns/net tap0 3>$SANDBOX/ready </dev/null >$SANDBOX/slirp 2>&1 &
	read -r line <$SANDBOX/ready
	[[ $line == 1 ]] || fail "the network cannot be made: $(tail -n 1 $SANDBOX/slirp)"
	{
		print -r -- "link add gate type veth peer name eth0 netns $inside
link set gate mtu 65520 up
address add 10.0.2.1/32 dev gate
route add 10.0.2.15/32 dev gate"
		rules
	} | nsenter --net=/proc/$gate/ns/net \
		sh -ec 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 1 >conf/tap0/proxy_arp; exec ip -batch -' &&
	{
		print -r -- 'link set lo up
link set eth0 mtu 65520 up
address add 10.0.2.15/32 dev eth0
route add 10.0.2.1 dev eth0
route add default via 10.0.2.1'
		rules	# the same here give an answer at once
	} | nsenter --net=/proc/$inside/ns/net ip -batch - || fail 'the network cannot be made'
	print 'nameserver 10.0.2.3' >$SANDBOX/resolv.conf
	mount --bind $SANDBOX/resolv.conf /etc/resolv.conf || fail 'cannot mount /etc/resolv.conf'
	network=/proc/$inside/ns/net
}

# net_namespace: REPLY is a process in a new network namespace, without IPv6.
net_namespace() {
	local line
	coproc unshare --net sh -c '
		for one in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$one/disable_ipv6; done 2>/dev/null
		echo $$; exec sleep infinity'
	read -rp line && [[ $line == <1-> ]] || fail 'no network namespace can be made here'
	REPLY=$line
}

# rules prints for ip -batch what may be reached: all but what is not on the internet, the host's own addresses and
# its neighbours. https://www.iana.org/assignments/iana-ipv4-special-registry
rules() {
	local one
	print -r -- 'rule add pref 10 to 10.0.2.15 lookup main
rule add pref 10 to 10.0.2.1 lookup main
rule add pref 10 to 10.0.2.3 ipproto udp dport 53 lookup main
rule add pref 10 to 10.0.2.3 ipproto tcp dport 53 lookup main'
	for one in ${=TOASTER_SANDBOX_ALLOW}; do
		[[ $one == <0-255>.<0-255>.<0-255>.<0-255>:<1-65535> ]] ||
			fail "TOASTER_SANDBOX_ALLOW: $one is not ADDRESS:PORT" >&2
		print -r -- "rule add pref 20 to ${one%:*} ipproto tcp dport ${one#*:} lookup main"
	done
	local -aU closed=(0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
		192.168.0.0/16 224.0.0.0/3 168.63.129.16 $host_networks)	# the single one is Azure's metadata
	for one in $closed; do
		print -r -- "rule add pref 30 to $one prohibit"
	done
}

# What is this host's, and its neighbours': looked up while the builder is still in the host's network.
typeset -a host_networks=(${${(M)${(f)"$(ip -4 -o route show table all 2>/dev/null)"}:#*(local|scope link)*}[@]})
() {
	local line
	local -a found
	for line in $host_networks; do
		line=${line#(local|broadcast|unicast) }
		[[ ${line%% *} == <0-255>.<0-255>.<0-255>.<0-255>(|/<0-32>) ]] && found+=(${line%% *})
	done
	host_networks=(${(u)found})
}
