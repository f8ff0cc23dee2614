
# Drives the SDK: zsh -f drive.zsh, in the job's tree of links. What it must know comes as variables t_….
typeset +x -m 't_*'
stop() { print -r -- "sdk: [E] $*"; exit 1 }
() {
	local sum=$(toaster_library | sha256sum)
	(( $t_known[(Ie)${sum%% *}] )) ||
		stop "this $t_SDK-sdk is not known (its functions have the checksum ${sum%% *}), and might run programs of the" \
			"image as root of this host. Use one of those that the build script names"
}
source ./sdk || exit 1
setopt nonomatch
toaster_read

# The SDK's messages as plain lines. What it reports as an error ends the build, and nothing else does: the older ones
# went on, with an image that was not whole.
notice() { print -r -- "sdk: (*) $*" }
act() { print -r -- "sdk:  .  $*" }
warn warning no() { print -r -- "sdk: [W] $*" }
die error fatal() { print -r -- "sdk: [E] $*"; return 1 }
func() { : }
steady() {
	(( $+functions[TRAPZERR] )) && unfunction TRAPZERR
	zerr() { print -r -- "sdk: [E] error in: ${fun:-the SDK}"; exit 1 }
}

(( ${(P)+${:-${t_SDK}sdk_version}} )) || stop "this is no $t_SDK-sdk"

# root needs no sudo; python was there for a sync only; debootstrap is this host's own; and this host's
# services are left alone, which arm-sdk starts anew.
sudo() {
	while [[ $1 == -* ]]; do shift; done
	local -a preset
	while [[ $1 == *=* ]]; do preset+=($1); shift; done
	case $1 in
	(python) sync ;;
	(/etc/init.d/*|modprobe) act "left out: $*" ;;
	(debootstrap|*/extra/debootstrap/debootstrap) shift; toaster_debootstrap "$@" ;;
	(chroot) chroot "${@[2,-1]}" ;;
	(*) env $preset "$@" ;;
	esac
}

# 1. load, which reads the architecture, and names things after it
typeset -a t_own=(${(k)functions})
arch=$t_ARCH
[[ $arch == i386 ]] && extra_packages=("${(@)extra_packages/#%linux-image-amd64/linux-image-686}")
case $t_SDK in
(live)	if [[ ${livesdk_version-} == 0.* ]]; then load devuan $t_ARCH; else load devuan; fi ;;
(vm)	(( $+vmsdk_version )) && [[ $vmsdk_version == 0.* ]] && imageformat=raw	# its qcow2 needs the module nbd
	load devuan ;;
(arm)	load devuan $t_BOARD ;;
esac || stop "the SDK could not be loaded"
steady
toaster_read $t_own
[[ $arch == $t_ARCH ]] || stop "the SDK builds for $arch, not for $t_ARCH"
t_old=${${(M)libdevuansdk_version:#1.*}:+yes}

# 2. what load has set too early
os=$t_DISTRIBUTION release=$t_CODENAME version=$t_VERSION
image_name=$t_TARGET vm_name=$t_TARGET
mirror=$t_MIRROR section=$t_COMPONENTS
[[ -n $mirror ]] || mirror=${${(z)${(f)"$(<$t_NOTES/sources)"}[1]}[2]}
[[ -n $t_SIZE_MB ]] && size=$t_SIZE_MB
rootcredentials='root:*'
if [[ -n $t_PACKAGES ]]; then
	core_packages=(${(s:,:)t_PACKAGES})
	base_packages=(apt-utils)
	core_packages_option=(--no-install-recommends) extra_packages_option=(--no-install-recommends)
fi
() {	# packages that this release calls by another name, or does not have
	local list pair
	for list in core_packages base_packages extra_packages purge_packages; do
		for pair in ${=t_REPLACE}; do
			set -A $list "${(@)${(@P)list}/#%${(b)pair%%=*}/${pair#*=}}"
		done
		set -A $list ${(P)list}
	done
}

toaster_debootstrap() {
	local -a a=("${(@)@/#%--include=*/--include=$t_KEYRING_PACKAGE,wget,ca-certificates}")
	if [[ -r $t_KEYRING ]]; then
		a=("${(@)a/#%--keyring=*/--keyring=$t_KEYRING}")
	else	# the archive is this host's own, and its keys are apt's
		a=("${(@)a:#--keyring=*}")
	fi
	env DEBOOTSTRAP_DIR=$t_JOB/debootstrap debootstrap "$a[@]" ||
		{ tail -n 5 $strapdir/debootstrap/debootstrap.log; return 1 }
	# Where it takes this host for a container it makes a link of /proc; and its second stage wants to make a device,
	# which the sandbox refuses.
	[[ ! -L $strapdir/proc ]] || { rm $strapdir/proc && mkdir $strapdir/proc }
	[[ ! -f $strapdir/debootstrap/functions ]] || print 'check_sane_mount() { :; }' >>$strapdir/debootstrap/functions
}

conf_print_sourceslist() { cat $t_NOTES/sources }
conf_print_resolvconf() { : }

# The image's programs run in the sandbox alone, which has its own devices, processes and name server.
chroot() {
	toaster_chroot "$@" && return
	integer code=$?
	[[ $2 == /debootstrap/* ]] && tail -n 15 $1/debootstrap/debootstrap.log
	return $code
}
devprocsys() { : }
dpkgdivert() { : }
chroot-script() {
	fn chroot-script "$*"
	[[ $1 == -d ]] && shift
	local script=$1
	[[ $script == */* ]] || script=$strapdir/$script
	notice "Chrooting to execute '${script:t}' ..."
	chmod 755 $script && chroot ${script:h} /${script:t} || { zerr; return 1 }
	rm -f $script
}

# 3. stages, kept by all that decides what is in them
toaster_key() {
	{
		print -rl -- $t_SDK_SHA256 $t_BUILDER $os $arch $release $mirror $section "$t_BOARD" core $core_packages \
			base $base_packages purge $purge_packages extra $extra_packages \
			options "$core_packages_option" "$base_packages_option" "$purge_packages_option" "$extra_packages_option"
		conf_print_sourceslist
		debootstrap --version
	} | sha256sum | cut -d ' ' -f 1
}

if [[ -n $t_old ]]; then
	t_stage=$R/tmp/bootstrap-$os-$arch-stage3.tgz
	unset TAR_STAGE4
else
	t_stage=$R/tmp/bootstrap-$os-$arch-stage4.cpio.gz
	CPIO_STAGE4=1
	functions[sdk_cpio_pack]=$functions[bootstrap_cpio_pack]
	bootstrap_cpio_pack() { [[ -z $t_CACHE || $1 != $t_stage ]] || sdk_cpio_pack $1 }
fi
t_kept=''
if [[ -n $t_CACHE ]]; then
	t_kept=$t_CACHE/$t_TARGET-$(toaster_key).stage
	[[ -f $t_kept ]] && { ln $t_kept $t_stage 2>/dev/null || cp $t_kept $t_stage } &&
		notice "stage: from the cache" && print TOASTER-CACHED
fi

toaster_keep() {
	[[ -n $t_kept && ! -f $t_kept && -f $t_stage ]] || return 0
	local part=$(mktemp $t_CACHE/part.XXXXXX) || return 0
	if cp --reflink=auto $t_stage $part; then
		find $t_CACHE -maxdepth 1 -name "$t_TARGET-*.stage" -delete
		mv $part $t_kept
	else
		rm -f $part
	fi
	find $t_CACHE -maxdepth 1 -name 'part.*' -mmin +600 -delete
	rm -f $t_stage
}

# 4. the blend, between what must be done before and after it
source ../app.blend || stop "the blend could not be read"
export BLEND=1
functions[app_preinst]=$functions[blend_preinst]
functions[app_postinst]=$functions[blend_postinst]

blend_preinst() {
	toaster_keep
	toaster_within $strapdir $t_prepare "${t_ROOT_HASH:-*}" "$t_ROOT_KEYS" $t_SDK "$t_console" ||
		stop "the image could not be prepared"
	if [[ -n $t_ROOT_KEYS ]]; then
		notice "root logs in with the SSH key that was given; the password is locked (unless the Dockerfile sets one)"
	elif [[ -n $t_ROOT_HASH ]]; then
		notice "the root password was shown when this script was created (unless the Dockerfile sets another)"
	else
		notice "the root password is locked, and there is no SSH key (unless the Dockerfile sets one)"
	fi
	app_preinst
}
t_console='console=ttyS0,115200 console=tty0 net.ifnames=0'

# The SDK's password is known to everybody. Of this one nobody but its owner knows more than the hash. A console on the
# serial port, for virsh console and the like, beside the screen; and eth0, as the SDK calls the card.
IFS= read -rd '' t_prepare <<'WITHIN' || :
file /etc/shadow || fail 'the image has no /etc/shadow'
lines=("${(@f)$(<$REPLY)}")
print -rl -- "${(@)lines/#root:[^:]#:/root:$arguments[1]:}" >$REPLY
if [[ -n $arguments[2] ]]; then
	inside $ROOT /root/.ssh
	make_dirs $REPLY 700 0:0
	install_file /root/.ssh/authorized_keys 600 "$(print -r -- $arguments[2] | base64 -d)"$'\n'
fi
[[ $arguments[3] == arm ]] && exit
file /etc/inittab && ! grep -q '^T0:' $REPLY && print -r -- 'T0:23:respawn:/sbin/getty -L ttyS0 115200 vt100' >>$REPLY
[[ $arguments[3] == vm ]] && install_file /etc/default/grub.d/50-toaster.cfg 644 "GRUB_CMDLINE_LINUX_DEFAULT=\"\"
GRUB_CMDLINE_LINUX=\"\$GRUB_CMDLINE_LINUX $arguments[4]\"
GRUB_TIMEOUT=3
"

WITHIN

# toaster_image_tree: REPLY is the tree that is in the artifact at this moment. The newest vm-sdk and arm-sdk have
# copied strapdir into the mounted image.
toaster_image_tree() {
	REPLY=$strapdir
	[[ -z $t_old ]] && mountpoint -q $workdir/mnt && REPLY=$workdir/mnt
	return 0
}

# The tree is hostile from here on: nothing but toaster_within goes there by a name. arm-sdk leaves it to the blend to
# take away this host's qemu, which ran the image's programs.
blend_postinst() {
	local REPLY qemu
	local -a sums
	toaster_image_tree
	local tree=$REPLY
	cp $t_NOTES/apt.conf $tree/etc/apt/apt.conf.d/99toaster-build
	local -a kernels=($tree/boot/vmlinuz-*(N.:t))
	app_postinst || exit 1
	for qemu in $armel_qemu_bin $armhf_qemu_bin $arm64_qemu_bin; do
		[[ -f $qemu ]] && sums+=($qemu ${$(sha256sum <$qemu)%% *})
	done
	toaster_within $tree "$(<$t_JOB/last)"$'\n'$t_after $sums || stop "the image could not be finished"
	[[ $t_SDK == live ]] && toaster_kernel
	if [[ $t_SDK == vm && -z $t_old && "$(<$t_out/kernels)" != "$kernels" ]]; then
		notice "The kernel has changed: setting up grub"
		toaster_grub $tree || stop "grub could not be set up"
	fi
	return 0
}
IFS= read -rd '' t_after <<'WITHIN' || :
for qemu sum in $arguments; do
	file $qemu && [[ "$(sha256sum <$REPLY)" == $sum* ]] && zf_rm -f $REPLY
done
inside $ROOT /boot
print -r -- $REPLY/vmlinuz-*(N.:t) >$OUT/kernels
WITHIN
