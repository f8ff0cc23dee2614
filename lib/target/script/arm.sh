# ---------------------------------------------------------------------------------------------------
# The image of an ARM board's memory card.

NEED_MIB=12288
IMAGE=$TARGET.img.xz
NEEDS='parted parted
partprobe parted
mkfs.ext4 e2fsprogs
mkfs.vfat dosfstools
debugfs e2fsprogs
xz xz-utils
make make
git git
bc bc
bison bison
flex flex'
case $ARCH in
arm64) NEEDS="$NEEDS
qemu-aarch64-static qemu-user-static
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu" ;;
armel) NEEDS="$NEEDS
qemu-arm-static qemu-user-static
arm-none-eabi-gcc gcc-arm-none-eabi" ;;
armhf) NEEDS="$NEEDS
qemu-arm-static qemu-user-static
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf" ;;
esac
case $BOARD in
sunxi | pine* | rock64) NEEDS="$NEEDS
mkimage u-boot-tools" ;;
chrome*) NEEDS="$NEEDS
cgpt cgpt
vbutil_kernel vboot-kernel-utils
mkimage u-boot-tools" ;;
esac

take_result() {
	[ -f "$JOB/disk.img" ] || fail 1 "the SDK reported success, but created no image."
	look_into "$JOB/disk.img"
	check_stamp
	say "packing $IMAGE"
	xz --threads=0 --stdout "$JOB/disk.img" >"$WORK/dist/$IMAGE" || packing_failed
	rm "$JOB/disk.img"
	# For some boards there are boot loaders beside the image, of which one has to be written to the card, too.
	[ ! -d "$JOB/sdk/dist/u-boot" ] || tar -C "$JOB/sdk/dist" -czf "$WORK/dist/$TARGET.u-boot.tar.gz" u-boot || packing_failed
}

# check_board: the first partition of these boards' cards is FAT, which not every kernel has.
check_board() {
	case $BOARD in
	raspi* | beagleboneblack | odroid* | ouya | pocophone-f1 | rock64 | chromeveyron) ;;
	*) return 0 ;;
	esac
	grep -qw vfat /proc/filesystems || modprobe --dry-run --quiet vfat 2>/dev/null ||
		fail 3 "the kernel of this host does not support vfat, which the first partition of the card of %s needs. Build on another host." "$BOARD"
}

qemu_disk() { :; }
