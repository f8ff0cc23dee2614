# canary.sh FOLDER SECRET NAMESERVER makes a folder that looks, to whoever follows a link to it, like /etc, /boot, /usr, /var and
# /root together.
set -e
umask 022
mkdir -p "$1" && cd "$1"
mkdir -p apt/apt.conf.d apt.conf.d apt/sources.list.d bin boot cache/ldconfig dbus default/grub.d dev info init.d
mkdir -p lib/dbus lib/dpkg/info log/apt rc2.d ssh .ssh sbin toaster tmp
for file in secret resolv.conf apt/apt.conf.d/99toaster-build apt.conf.d/99toaster-build 99toaster-build inittab \
	default/ssh default/grub.d/50-toaster.cfg \
	hostname hosts machine-id dbus/machine-id lib/dbus/machine-id log/dpkg.log log/apt/term.log cache/ldconfig/aux-cache \
	toaster/stamp toaster/image.json stamp image.json vmlinuz-9 initrd.img-9 boot/vmlinuz-9 boot/initrd.img-9 \
	.ssh/authorized_keys authorized_keys; do
	echo "$2" >"$file"
done
echo "nameserver $3" >resolv.conf # as the host has it
printf 'root:!:1::::::\n' >shadow
printf 'root:x:0:0:root:/root:/bin/sh\nsecret:%s:7:7::/:/bin/sh\n' "$2" >passwd
printf '#!/bin/sh\nexit 0\n' | tee bin/dpkg >sbin/update-rc.d
chmod 755 bin/dpkg sbin/update-rc.d
cp /usr/bin/env bin/env
printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: x\nDescription: x\n' "$2" |
	tee lib/dpkg/status dpkg-status >status
touch info/x.md5sums lib/dpkg/info/x.md5sums
find . -exec touch --no-dereference --date=@1500000000 {} +
touch --date=@1600000000 info/x.md5sums lib/dpkg/info/x.md5sums # a package's time, which a build takes over
