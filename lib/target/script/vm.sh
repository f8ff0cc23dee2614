# ---------------------------------------------------------------------------------------------------
# The disk of a virtual machine: qcow2 for qemu and libvirt, VDI for VirtualBox.

NEED_MIB=8192
IMAGE=$TARGET.qcow2
NEEDS='parted parted
partprobe parted
mkfs.ext4 e2fsprogs
debugfs e2fsprogs
qemu-img qemu-utils'

# take_result looks into the disk, and sees that the files to download have that disk's contents.
take_result() {
	[ -f "$JOB/disk.img" ] || fail 1 "the SDK reported success, but created no disk."
	look_into "$JOB/disk.img"
	check_stamp
	say "packing $IMAGE"
	qemu-img convert -f raw -O qcow2 -c "$JOB/disk.img" "$WORK/dist/$IMAGE" || packing_failed
	qemu-img compare -q -f raw -F qcow2 "$JOB/disk.img" "$WORK/dist/$IMAGE" || packing_failed
	qemu-img convert -f raw -O vdi "$JOB/disk.img" "$WORK/dist/$TARGET.vdi" || packing_failed
	rm "$JOB/disk.img"
}

qemu_disk() { echo "-drive file=/image,format=qcow2,snapshot=on"; }
