# base.sh ROOT makes a root file system in the shape of Debian's, with a /usr that is merged.
set -e
umask 022
mkdir "$1" && cd "$1"
mkdir -p boot dev etc/apt/apt.conf.d etc/default etc/init.d etc/rc2.d home mnt proc root run srv sys tmp
mkdir -p usr/bin usr/sbin usr/lib usr/local/bin usr/local/sbin var/cache var/lib/dpkg/info var/log var/tmp
chmod 1777 tmp var/tmp
chmod 700 root
for dir in bin sbin lib; do ln -s usr/$dir $dir; done
cp "$(command -v busybox)" usr/bin/busybox
for name in $(busybox --list); do [ "$name" = busybox ] || [ "$name" = dpkg ] || ln -s busybox usr/bin/$name; done
printf '#!/bin/sh\nexit 0\n' | tee usr/bin/dpkg usr/bin/apt-get >usr/sbin/sshd
# A grub that makes files with what is looked for in them, and as many sectors as it says.
mkdir -p usr/lib/grub/i386-pc etc/ssh
{
	head -c 92 /dev/zero
	printf '\001\0\0\0\0\0\0\0'
	head -c 410 /dev/zero
	printf '\125\252'
} >usr/lib/grub/i386-pc/boot.img
echo | tee usr/lib/grub/i386-pc/normal.mod >usr/lib/grub/i386-pc/moddep.lst
cat >usr/bin/grub-mkimage <<'E'
#!/bin/sh
while [ "$1" != -o ]; do shift; done
{ head -c 500 /dev/zero; printf '\002\0\0\0\0\0\0\0\001\0\040\010'; echo "grub with $4"; } >"$2"
E
printf '#!/bin/sh\n: >"$1"\n' >usr/bin/grub-editenv
printf '#!/bin/sh\n: >"$2"\n' >usr/sbin/grub-mkconfig
printf '#!/bin/sh\nread -r line && echo "$line:1::::::" >/etc/shadow\n' >usr/sbin/chpasswd
chmod 755 usr/bin/dpkg usr/bin/apt-get usr/bin/grub-* usr/sbin/*
printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n' >etc/passwd
printf 'root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n' >etc/group
printf 'root:!:1::::::\n' >etc/shadow
chmod 640 etc/shadow
printf 'SSHD_OPTS=\n' >etc/default/ssh
printf '1:2345:respawn:/sbin/getty tty1\n' >etc/inittab
printf 'deb http://mirror.example/debian bookworm main\n' >etc/apt/sources.list
touch etc/hosts etc/hostname etc/resolv.conf etc/fstab installed
printf 'Package: busybox\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: x\nDescription: x\n' >var/lib/dpkg/status
