# The SDK's functions that are replaced below, and why: they ran programs of the image as this host's root, or followed
# paths of the image here. All others were read: they work before the Dockerfile's instructions, or from outside.
typeset -A t_replaced
toaster_replaced() {
	t_replaced=(
		chroot-script          'it runs a script of the image: in the sandbox now, as RUN is'
		devprocsys             'it mounts the devices and processes of this host in the image; the sandbox has its own'
		dpkgdivert             'it keeps packages from starting services, which the sandbox does'
		conf_print_resolvconf  'the image gets no name server of this host; the sandbox has its own'
		conf_print_sourceslist 'the archive is the target'\''s'
		blend_preinst          'they are the blend'\''s'
		blend_postinst         'the same'
	)
	local name
	for name in notice act warn warning no func die error fatal zerr TRAPZERR; do
		t_replaced[$name]='messages are plain lines; an error ends the build'
	done
	[[ -n $t_old ]] || t_replaced[bootstrap_cpio_pack]='a stage that the cache does not keep is not packed'
	case $t_SDK in
	(live) t_replaced+=(
		iso_setup_isolinux     'it can copy one kernel only'
		iso_write_isolinux_cfg 'a console on the serial port'
		fill_apt_cache         'after the blend it took packages out of the image, and changed its sources.list'
	) ;;
	(*) t_replaced+=(
		image_prepare_raw      'the disk'\''s file is sparse, and where the script finds it'
		findloopdev            'the same'
		image_connect_raw      'the loop device goes away with the build'
		image_raw_to_qcow2     'the script makes the files'
		image_raw_to_vdi       'the same'
		image_pack_dist        'the same'
		vm_pack_dist           'the same'
		clean_strapdir         'the script removes its folder'
		tar_strapdir           'nobody takes its archive'
	) ;;
	esac
	[[ $t_SDK == vm ]] && t_replaced+=(
		vm_setup_grub          'grub runs in the sandbox, without a disk of this host; its boot sector is written from here'
		vm_pack_dist           'the script makes the files'
	)
	[[ $t_SDK$t_old == vmyes ]] && t_replaced+=(
		image_raw_as_strapdir  'the disk'\''s file, as above'
		vm_inject_overrides    'a UUID in fstab'
		vm_umount_raw          'the loop device, as above'
		vm_vbox_setup          'VirtualBox and vagrant are not needed'
		vm_vagrant_package     'the same'
		vm_init_cloud          'the same; and it ran programs of the image after the blend'
	)
	return 0
}

# The checksums of what toaster_library prints, for the SDKs whose functions have been read: the SDK's commit, and
# libdevuansdk's.
typeset -a t_known=(
	2218dd13a8c84987f20c2e60692347dacbe9bf6de31e2883ad9c1eb93b041818	# live-sdk 4f4b7c2, 7eb4f57
	95029997733c69b277e593f6e5f34a4240d67563d9f101d0fb5a145388cd28c5	# vm-sdk c1bbdc1, e2876ea
	c7f5523cabaf810e40201381a9af4f92796ea499b7a6ab5601838ecf2e8173c5	# arm-sdk dc7b9cf, 3013804
	33bbde4b827879919c28def12c88511233f58e4d39419fbc8737f63a18168607	# live-sdk and vm-sdk with da21506, the newest
	8d7b8ddc4072a5a7218f84be0f7c40eef3fc88e39ca91956f4e5d950bd1482c0	# live-sdk 24c3ea1, ceb7259, of 2018
	856313d8da58582677b141d40b1624927eff968cdea4500e0372ae81127bd9be	# vm-sdk 26a1348, c1c6fc8, of 2018
	82eedad5fef05049e205c9cff172b3b1e6aafd81b2603555830619c2f8a29e0a	# arm-sdk 8fb8ce6, c922031, of 2018
)

# toaster_library prints the checksums of the files with the SDK's functions.
toaster_library() {
	emulate -L zsh -o extended_glob -o null_glob
	local -x LC_ALL=C
	cd -q lib && sha256sum libdevuansdk/^(config|README.md|LICENSE)(.) libdevuansdk/zlibs/*(.) helpers(.) overrides(.)
}

# toaster_read [NAME…] remembers the SDK's functions, but not those of the names; toaster_list ends the build unless
# the list above tells what has become of them.
typeset -A t_functions
toaster_read() {
	local name
	for name in ${${(k)functions}:|argv}; do
		(( ${+t_functions[$name]} )) || t_functions[$name]=$functions[$name]
	done
}
toaster_list() {
	local name
	toaster_replaced
	for name in ${(k)t_functions}; do
		if [[ ${functions[$name]-} == "$t_functions[$name]" ]]; then
			(( ${+t_replaced[$name]} )) && stop "the SDK's function $name is not replaced, as the list says"
		else
			(( ${+t_replaced[$name]} )) || stop "the SDK's function $name is replaced, and not in the list"
		fi
	done
	return 0
}
