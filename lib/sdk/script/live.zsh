
# 5. a live ISO: its kernel and initrd are copied before the blend runs, and must be those that the blend left
toaster_kernel() {
	local -a kernels=($1/boot/vmlinuz-*(N.nOn)) rams=($1/boot/initrd.img-*(N.nOn))
	(( $#kernels && $#rams )) || stop "the image has no kernel, or no initrd, in /boot"
	local name=${kernels[1]:t}
	[[ -f $1/boot/initrd.img-${name#vmlinuz-} ]] || stop "$name has no initrd"
	cp $kernels[1] $workdir/binary/live/vmlinuz && cp $1/boot/initrd.img-${name#vmlinuz-} $workdir/binary/live/initrd.img ||
		stop "the kernel could not be copied"
}

# Of several kernels the SDK can copy none.
functions[sdk_setup_isolinux]=$functions[iso_setup_isolinux]
iso_setup_isolinux() {
	local -a kernels=($strapdir/boot/vmlinuz*(NnOn)) rams=($strapdir/boot/initrd*(NnOn))
	mkdir $workdir/aside
	(( $#kernels > 1 )) && mv $kernels[2,-1] $workdir/aside
	(( $#rams > 1 )) && mv $rams[2,-1] $workdir/aside
	sdk_setup_isolinux || return 1
	local -a moved=($workdir/aside/*(N))
	(( $#moved )) && mv $moved $strapdir/boot
	rmdir $workdir/aside
}

functions[sdk_isolinux_cfg]=$functions[iso_write_isolinux_cfg]
iso_write_isolinux_cfg() {
	sdk_isolinux_cfg && sed -i -e "s/^append .*/& $t_console/" -e 's/^timeout .*/timeout 50/' $workdir/binary/isolinux/isolinux.cfg
}

build_iso_dist || stop "the ISO could not be built"
