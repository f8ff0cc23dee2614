# base.sh ROOT makes the root file system that all cases begin with.
set -e
umask 022
mkdir "$1" && cd "$1"
mkdir -p bin dev etc home lib proc root run sbin sys tmp usr/bin usr/lib usr/local/bin usr/sbin var/lib var/log var/tmp
chmod 1777 tmp var/tmp
chmod 700 root
cp "$(command -v busybox)" bin/busybox
for name in $(busybox --list); do
	[ "$name" = busybox ] || ln -s busybox "bin/$name"
done
cat >etc/passwd <<'P'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1001:app:/home/app:/bin/sh
P
cat >etc/group <<'P'
root:x:0:
daemon:x:1:
adm:x:4:www-data,app
www-data:x:33:
app:x:1001:
extra:x:2000:app
P
touch etc/hosts etc/hostname etc/resolv.conf
mkdir -p home/app var/www
chown 1000:1001 home/app
ln -s usr/lib lib64
ln -s ../tmp var/link
