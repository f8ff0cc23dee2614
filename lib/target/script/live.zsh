
# 5. a live ISO: its kernel and initrd are copied before the blend runs, and must be those that the blend left
t_after+=$'\n'$(cat <<'WITHIN'
inside $ROOT /boot
kernels=($REPLY/vmlinuz-*(N.nOn))
(( $#kernels )) || fail "the image has no kernel in /boot"
ram=$REPLY/initrd.img-${kernels[1]#$REPLY/vmlinuz-}
[[ -f $ram && ! -L $ram ]] || fail "${kernels[1]:t} has no initrd"
cp -- $kernels[1] $OUT/vmlinuz && cp -- $ram $OUT/initrd.img || fail "the kernel cannot be copied"
WITHIN
)
toaster_kernel() {
	mv $t_out/vmlinuz $workdir/binary/live/vmlinuz && mv $t_out/initrd.img $workdir/binary/live/initrd.img ||
		stop "the kernel could not be copied"
}

fill_apt_cache() { : }

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

# After the blend mksquashfs reads the tree, and follows no link; xorriso reads a folder of this script's.
toaster_list
build_iso_dist || stop "the ISO could not be built"
