# zsh -f enter ROOT WORK UID GID GROUPS DIRECTORY N PLACES… N MOUNTS… N ENVIRONMENT… ARGV…
# The inside of a RUN, in namespaces of its own: it mounts what a container has, makes ROOT its /, and becomes ARGV.
# The places were looked up by the builder and have no links in them; a mount's target is looked up here, as it may be
# inside of another mount.
emulate zsh
umask 022
zmodload zsh/stat && zmodload -F zsh/files b:zf_mkdir b:zf_ln || exit 1
typeset -r root=$1 work=$2 uid=$3 gid=$4 groups=$5 dir=$6
shift 6
typeset -a places=("${(@)argv[2,$1+1]}")
shift $(( $1 + 1 ))
typeset -a wanted=("${(@)argv[2,$1+1]}")
shift $(( $1 + 1 ))
typeset -a env=("${(@)argv[2,$1+1]}")
shift $(( $1 + 1 ))

fail() { print -r -- "toaster: $1"; exit 125 }
stop() { fail "cannot mount $1" }
hide() { mount --bind -- $1 $1 && mount -o remount,bind,ro,nosuid,nodev,noexec -- $1 }

# point PATH dir|file: REPLY is the mount point, made when it is missing. The builder removes what was made outside of all mounts.
point() {
	inside $root $1
	if [[ ! -e $REPLY ]]; then
		missing $REPLY
		zf_mkdir -p -- ${REPLY:h} && if [[ $2 == dir ]]; then zf_mkdir -- $REPLY; else : >$REPLY; fi || fail "cannot make the mount point $1"
		under_mount $REPLY || print -rN -- $reply >>$work/inline/stubs
	elif [[ $2 == dir && ! -d $REPLY || $2 == file && -d $REPLY ]]; then
		fail "cannot mount on $1: it is there, and of another kind"
	fi
}

under_mount() {
	local one
	for one in $mounted; do [[ $1 == $one/* ]] && return; done
	return 1
}

mount --bind -- $root $root || stop /
mount -o remount,bind,nodev -- $root 2>/dev/null	# device files can be made, as in a container, but not used
proc=$places[1] sys=$places[2] dev=$places[3]
if mount -t proc -o nosuid,nodev,noexec proc $proc 2>/dev/null; then
	for name in sys sysrq-trigger irq bus fs; do
		[[ -e $proc/$name ]] && hide $proc/$name 2>/dev/null
	done
else
	mount --rbind /proc $proc || stop /proc
fi
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs $sys 2>/dev/null || mount --rbind -o ro /sys $sys || stop /sys
mount -t tmpfs -o mode=755,nosuid,size=65536k tmpfs $dev || stop /dev
for name in null zero full random urandom tty; do
	: >$dev/$name && mount --bind /dev/$name $dev/$name || stop /dev/$name
done
zf_mkdir -m 755 $dev/pts && zf_mkdir -m 1777 $dev/shm || stop /dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts $dev/pts 2>/dev/null
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec,size=65536k shm $dev/shm || stop /dev/shm
zf_ln -s pts/ptmx $dev/ptmx
zf_ln -s /proc/self/fd $dev/fd
zf_ln -s /proc/self/fd/0 $dev/stdin
zf_ln -s /proc/self/fd/1 $dev/stdout
zf_ln -s /proc/self/fd/2 $dev/stderr
zf_ln -s /proc/kcore $dev/core
if [[ -d $work/inline/pipes ]]; then
	zf_mkdir -m 755 $dev/pipes && mount --bind $work/inline/pipes $dev/pipes && mount -o remount,bind,ro $dev/pipes || stop /dev/pipes
fi
typeset -a mounted=($proc $sys $dev)
shift 3 places
while (( $#places )); do
	mount --bind -- $places[1] $places[2] || stop $places[1]
	shift 2 places
done
while (( $#wanted )); do
	point $wanted[3] $wanted[4]
	case $wanted[1] in
	(bind)	mount --rbind -- $wanted[2] $REPLY && { [[ $wanted[5] == rw ]] || mount -o remount,bind,ro -- $REPLY } ;;
	(tmpfs)	mount -t tmpfs -o nosuid,nodev,mode=1777${wanted[2]:+,size=$wanted[2]} tmpfs $REPLY ;;
	esac || stop $wanted[3]
	mounted+=($REPLY)
	shift 5 wanted
done

# With the old root covered, nothing in the new one leads back to it.
cd -- $root && mount -n --move . / || stop /
typeset -a limit
typeset caps=-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,+net_bind_service,+sys_chroot,+kill,+audit_write
(( $+commands[setpriv] )) && limit=(setpriv --inh-caps=-all --bounding-set=$caps)
exec $limit env -i perl -e '
	my ($uid, $gid, $groups, $dir, $n, @argv) = @ARGV;
	opendir(my $open, "/proc/self/fd") or die;
	for (grep { /^\d+$/ && $_ > 2 && $_ != fileno($open) } readdir($open)) { open(my $fd, "<&=", $_) and close($fd) }
	closedir($open);
	%ENV = map { split /=/, $_, 2 } splice(@argv, 0, $n);
	chroot(".") && chdir("/") && chdir($dir) or do { print STDERR "cannot change to $dir: $!\n"; exit 126 };
	$! = 0; $) = "$gid $gid $groups"; $( = $gid;
	$< = $uid; $> = $uid;
	$< == $uid && $> == $uid && $( + 0 == $gid && $) + 0 == $gid or do { print STDERR "cannot become $uid:$gid: $!\n"; exit 126 };
	exec { $argv[0] } @argv;
	print STDERR "$argv[0]: $!\n";
	exit($! == 2 ? 127 : 126);
' $uid $gid "$groups" $dir $#env "${env[@]}" "$@"
