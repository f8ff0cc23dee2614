# ---------------------------------------------------------------------------------------------------
# The boot test: starts the image in qemu and waits for the prompt, and for the application's port. An image that does
# not pass is kept, as the check itself may be what failed; provenance.json and the log say how it went.

boot_check() {
	case ${TOASTER_BOOT_CHECK:-$BOOT_CHECK} in
	1 | yes | true) ;;
	*) return 0 ;;
	esac
	case $ARCH in
	amd64) qemu='qemu-system-x86_64' ;;
	i386) qemu='qemu-system-i386' ;;
	*) say "boot test: not for $ARCH"; return 0 ;;
	esac
	if ! command -v "$qemu" >/dev/null; then
		say "boot test: skipped, because this host lacks $qemu (apt-get install qemu-system-x86)"
		return 0
	fi
	port=$(first_port)
	began=$(date +%s)
	phase check
	say "boot test: starting $IMAGE in qemu${port:+, and asking port $port}"
	export BOOT="$WORK/tmp/boot" PORT="$port" IMAGE_FILE="$WORK/dist/$IMAGE"
	QEMU=$(command -v "$qemu")
	DISK=$(qemu_disk)
	ID=$((${TOASTER_IDS:-2000000000} + 65534))
	export QEMU DISK ID
	mkdir -m 700 "$BOOT"
	chown "$ID:$ID" "$BOOT"
	prompt=null answer=null
	boot_machine >"$WORK/tmp/machine"
	unshare --net --mount --ipc --uts --pid --fork --kill-child /bin/sh -c "$(boot_place)" boot \
		>"$WORK/tmp/said" 2>&1 || :
	# A machine that has broken out of qemu can have written there what it likes, but nothing writes any more.
	! boot_file prompt || prompt=$(json_number "$(head -c 9 "$BOOT/prompt")")
	! boot_file answer || answer=$(json "$(head -c 80 "$BOOT/answer")")
	printf '{"seconds_to_prompt": %s, "port": %s, "answer": %s}' "$prompt" "${port:-null}" "$answer" >"$NOTES/boot.json"
	# An image can say anything: what a terminal would take for a command is left out.
	! boot_file console || tr -d '\000-\010\013-\037\177' <"$BOOT/console" >"$WORK/dist/boot.log"
	for shot in png ppm; do
		! boot_file "screen.$shot" || cat "$BOOT/screen.$shot" >"$WORK/dist/boot.$shot"
	done
	boot_result
}
boot_file() { [ -s "$BOOT/$1" ] && [ -f "$BOOT/$1" ] && [ ! -L "$BOOT/$1" ]; }

boot_result() {
	if [ "$prompt" = null ]; then
		tail -n 3 "$WORK/tmp/said"
		say "boot test: no prompt after $(($(date +%s) - began)) s. See boot.log."
		return 0
	fi
	say "boot test: a prompt after $prompt s"
	case $port/$answer in
	/*) ;;
	*/null) say "boot test: no answer on port $port" ;;
	*) say "boot test: port $port: $answer" ;;
	esac
}

# first_port: the first TCP port of the Dockerfile's EXPOSE, as image.json tells it; empty where there is none.
first_port() {
	in_image etc/toaster/image.json || return 0
	tr -d ' \n\t' <"$R/etc/toaster/image.json" | sed -n 's/.*"ExposedPorts":{//p' | sed 's/}}.*//' |
		grep -oE '"[0-9]{1,5}(/tcp)?":\{' | head -n 1 | tr -dc '0-9'
}

# boot_place prints the program that makes a place for the machine: namespaces, and a root with nothing but programs,
# the image, which can't be changed there, and a folder of its own. Then it goes on as a user who is nobody else.
boot_place() {
	cat <<'END'
set -e
mount --make-rprivate /
ip link set lo up
root=${BOOT%/*}/root
mkdir "$root"
mount -t tmpfs -o mode=755,nosuid,nodev,size=1m toaster "$root"
show() { # OPTIONS PLACE [AS]
	if [ -d "$2" ]; then mkdir -p "$root${3:-$2}"; else : >"$root${3:-$2}"; fi
	mount --bind "$2" "$root${3:-$2}"
	mount -o "remount,bind,nosuid,$1" "$root${3:-$2}"
}
for place in /usr /bin /sbin /lib /lib32 /lib64 /libx32 "${QEMU%/*}"; do
	if [ ! -e "$place" ] || [ -e "$root$place" ]; then
		continue
	elif [ -L "$place" ]; then
		ln -s "$(readlink "$place")" "$root$place"
	else
		show ro,nodev "$place"
	fi
done
mkdir "$root/proc" "$root/dev"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
show nodev,noexec "$BOOT" /boot
show ro,nodev,noexec "$IMAGE_FILE" /image
show ro,nodev,noexec "${BOOT%/*}/machine" /machine
group=$ID
for device in null zero urandom random kvm; do
	[ -c "/dev/$device" ] || continue
	show noexec "/dev/$device"
	[ "$device" != kvm ] || group=$(stat -c %g /dev/kvm)
done
mount -o remount,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$ID:$ID" --groups="$group" "$root" \
	/usr/bin/env -i PATH="${QEMU%/*}:/usr/bin:/bin" LC_ALL=C HOME=/boot TMPDIR=/boot \
		PORT="$PORT" QEMU="$QEMU" DISK="$DISK" /bin/sh /machine
END
}

# boot_machine prints the program that runs there. Its network is its own: the image reaches nobody, and no port of this
# host is taken.
boot_machine() {
	cat <<'END'
cd /boot || exit 1
mkfifo monitor
exec 5<>monitor
forward=
[ -z "$PORT" ] || forward=",hostfwd=tcp:127.0.0.1:7777-:$PORT"
start() {
	: >console
	$QEMU "$@" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
		-m 1024 -display none -vga std -serial file:console -monitor stdio -no-reboot \
		-netdev "user,id=net$forward" -device e1000,netdev=net $DISK <monitor >monitor.out 2>>qemu.err &
	machine=$!
}
ask() {
	perl -e 'use IO::Socket::INET;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:7777", Timeout => 5) or exit 1;
		$SIG{ALRM} = sub { print "open\n"; exit 0 };
		print $s "GET / HTTP/1.0\r\n\r\n"; $s->flush; alarm 10;
		my $line = <$s>; exit 1 unless defined $line;
		$line =~ s/[^ -\x21\x23-\x5b\x5d-~]//g; print substr($line, 0, 60), "\n"'
}
shoot() {
	echo "screendump /boot/screen.png -f png" >&5
	sleep 3
	[ -s screen.png ] || { echo "screendump /boot/screen.ppm" >&5; sleep 3; }
}
began=$(date +%s)
last=
# Some hosts have a KVM that starts nothing, such as one inside of another virtual machine.
if [ -w /dev/kvm ]; then
	start -enable-kvm
	while kill -0 $machine 2>/dev/null && [ ! -s console ] && ! grep -q "^KVM internal error" qemu.err && [ $(($(date +%s) - began)) -lt 60 ]; do sleep 1; done
	if [ ! -s console ]; then
		kill -9 $machine 2>/dev/null
		start
	fi
else
	start
fi
while kill -0 $machine 2>/dev/null && [ $(($(date +%s) - began)) -lt 900 ]; do
	sleep 2
	if [ ! -e prompt ] && grep -qa 'login: *$' console 2>/dev/null; then
		echo $(($(date +%s) - began)) >prompt
		last=$(($(date +%s) + 120))
	fi
	[ -e prompt ] || continue
	[ -n "$PORT" ] || break
	if ask >answer.part; then
		mv answer.part answer
		break
	fi
	[ "$(date +%s)" -lt "$last" ] || break
done
kill -0 $machine 2>/dev/null && shoot
echo quit >&5
sleep 1
kill -9 $machine 2>/dev/null
cat qemu.err
END
}
