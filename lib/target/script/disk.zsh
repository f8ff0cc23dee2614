
# 5. a disk: its file is sparse, and its loop device goes away with the last process that uses it, however the build ends
t_disk=$t_JOB/disk.img
image_prepare_raw() {
	notice "Creating raw image of $size MB"
	truncate -s ${size}M $t_disk || stop "the disk could not be made"
	ln -s $t_disk $workdir/$image_name.img
}

findloopdev() { losetup --partscan --find --show $t_disk }

toaster_hold() {
	[[ -b $1 ]] || stop "this host has no free loop device"
	exec {t_loop}<$1
	losetup --detach $1	# at once would be now; in use, it is when nobody uses it any more
}

functions[sdk_connect_raw]=$functions[image_connect_raw]
image_connect_raw() { sdk_connect_raw && toaster_hold $loopdevice }

# A sparse disk on a full one loses what is written to it, and nobody is told but who asks.
written() {
	sync "$@" || stop "No space left on device, or it fails: the image's file system could not be written"
}
functions[whole_sudo]=$functions[sudo]
# After the blend nothing of this takes a name from the tree: umount -R goes by the kernel's list of mounts, a mount
# point can't be replaced in the sandbox, and fstrim, e2fsck and resize2fs work on what only the kernel has written.
sudo() {
	if [[ $1 == e2fsck ]]; then
		whole_sudo "$@" || stop "No space left on device, or it fails: the image's file system is not whole"
	elif [[ $1 == umount && ( $2 == -R || $2 == $strapdir ) ]]; then
		written -f ${@[-1]}
		fstrim ${@[-1]} || :	# what was deleted is not handed out
		whole_sudo "$@" && written $t_disk
	else
		whole_sudo "$@"
	fi
}

# Without udev nobody tells lsblk of a file system's UUID, nor grub.
lsblk() {
	if [[ "$2 $3" == '-no UUID' ]]; then blkid -p -s UUID -o value $1; else command lsblk "$@"; fi
}

if [[ $t_SDK == vm ]]; then
	vm_setup_grub() {
		fn vm_setup_grub
		notice "Setting up grub"
		local REPLY
		toaster_image_tree
		[[ -z $t_old ]] || chroot $REPLY apt-get --yes install linux-image-${t_ARCH/i386/686} grub-pc || return 1
		toaster_grub $REPLY
	}
fi

# The file systems are whole, and the disk stays where the script finds it.
image_raw_to_qcow2() { : }
image_raw_to_vdi() { : }
vm_pack_dist() { : }
image_pack_dist() { : }
clean_strapdir() { : }
tar_strapdir() { : }

if [[ -n $t_old && $t_SDK == vm ]]; then	# the file system is strapdir from the start; VirtualBox and vagrant are not needed
	image_raw_as_strapdir() {
		image_prepare_raw
		parted --script $t_disk mklabel msdos mkpart primary 1MiB 100% || stop "the disk could not be partitioned"
		loopdevice=$(findloopdev)
		toaster_hold $loopdevice
		rootpart=${loopdevice}p1 bootpart=$rootpart
		partprobe $loopdevice
		mkfs.ext4 -q ${=fsargs} $rootpart && mount $rootpart $strapdir || stop "the disk's file system could not be made"
	}
	functions[sdk_inject]=$functions[vm_inject_overrides]
	vm_inject_overrides() {
		sdk_inject
		print -r -- "UUID=$(blkid -p -s UUID -o value $rootpart) / ext4 defaults 0 1" >$strapdir/etc/fstab
	}
	vm_umount_raw() { sudo umount $strapdir && losetup --detach $loopdevice }
	vm_vbox_setup() { : }
	vm_vagrant_package() { : }
	vm_init_cloud() { : }
fi
if [[ -n $t_old && $t_SDK == arm ]]; then	# its image is made by name, and gets the tree after the blend
	findloopdev() {
		loopdevice=$(losetup --partscan --find --show $t_disk)
		toaster_hold $loopdevice
	}
	image_pack_dist() { sudo e2fsck -fy ${loopdevice}p2; losetup --detach $loopdevice }
fi

toaster_list
case $t_SDK in
(vm) if (( $+functions[build_vm_dist] )); then build_vm_dist; else build_vagrant_dist; fi ;;
(arm) if (( $+functions[build_arm_dist] )); then build_arm_dist; else build_image_dist; fi ;;
esac || stop "the image could not be built"
