# What a container has besides its image's files. Nothing is mounted through a link of the image.
place() {
	if [ -L "$root${2%/*}" ] || [ -L "$root$2" ] || mountpoint -q "$root$2"; then return 1; fi
	mkdir -p "$root${2%/*}"
	if [ "$1" = dir ]; then mkdir -p "$root$2"; elif [ ! -e "$root$2" ]; then : >"$root$2"; fi
}
volume() {
	kept=${root%/*}/volumes$1
	if [ ! -d "$kept" ]; then
		mkdir -p "${kept%/*}"
		if [ -d "$root$1" ]; then cp -a "$root$1" "$kept"; else mkdir "$kept"; fi
	fi
	place dir "$1" && mount --bind "$kept" "$root$1"
}
place dir /proc && mount -t proc proc "$root/proc"
place dir /sys && mount --rbind /sys "$root/sys"
place dir /dev && mount --rbind /dev "$root/dev"
for one in resolv.conf hosts hostname; do
	[ -e /etc/$one ] && place file /etc/$one && mount --bind /etc/$one "$root/etc/$one"
done
