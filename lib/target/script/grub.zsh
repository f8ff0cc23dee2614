
# grub: its files and its menu are made by the image's own programs in the sandbox, which shows no disk: a stand-in for
# grub-probe says what is true of it. The boot sector is written from outside, as grub-bios-setup writes it.
toaster_grub() {
	local tree=$1 boot_uuid=$(lsblk $bootpart -no UUID) root_uuid=$(lsblk $rootpart -no UUID)
	local boot=${bootpart#${loopdevice}p} root=${rootpart#${loopdevice}p}
	[[ ${bootfs:-ext4}${rootfs:-ext4} == ext[234]ext[234] && ${parted_type:-dos} == dos ]] ||
		stop "grub is set up on ext4 and a dos partition table only"
	toaster_within $tree $t_grub_program $boot $boot_uuid $root $root_uuid || return 1
	perl -e $t_boot_sector $loopdevice $t_out/boot.img $t_out/core.img || stop "the boot sector could not be written"
}

IFS= read -rd '' t_grub_program <<'WITHIN' || :
(( $#arguments == 4 )) || fail 'grub: the disk has no UUIDs'
probe='# Called as grub-probe [--target=WHAT | -t WHAT] [PATH | --device DEVICE…]
what=device
while [ $# -gt 0 ]; do
	case $1 in
	--target=*) what=${1#*=} ;;
	-t | --target) what=$2; shift ;;
	-*) ;;
	*) of=$1 ;;
	esac
	shift
done
part=$root uuid=$root_uuid
case $of in
/boot | /boot/* | "/dev/sda$boot") part=$boot uuid=$boot_uuid ;;
esac
case $what in
device) echo "/dev/sda$part" ;;
fs_uuid) echo "$uuid" ;;
fs) echo ext2 ;;
partmap) echo msdos ;;
drive) echo "(hd0,msdos$part)" ;;
compatibility_hint) echo "hd0,msdos$part" ;;
hints_string) echo "--hint-bios=hd0,msdos$part --hint-efi=hd0,msdos$part --hint-baremetal=ahci0,msdos$part" ;;
abstraction | cryptodisk_uuid | fs_label) ;;
*) exit 1 ;;
esac
'
print -r -- "#!/bin/sh
boot=$arguments[1] boot_uuid=$arguments[2] root=$arguments[3] root_uuid=$arguments[4]
$probe" >$WORK/probe && zf_chmod 755 $WORK/probe || fail 'cannot write'
bind $WORK /probe /usr/sbin/grub-probe ro
[[ $arguments[1] == $arguments[3] ]] && folder=/boot/grub || folder=/grub
system /bin/sh -ec '
	mkdir -p /boot/grub/i386-pc /boot/grub/fonts /dev/disk/by-uuid
	: >"/dev/disk/by-uuid/$3"
	cd /usr/lib/grub/i386-pc
	cp -- *.mod *.lst boot.img /boot/grub/i386-pc
	[ ! -f /usr/share/grub/unicode.pf2 ] || cp /usr/share/grub/unicode.pf2 /boot/grub/fonts
	[ -f /boot/grub/grubenv ] || grub-editenv /boot/grub/grubenv create
	grub-mkimage -O i386-pc -d . -o /boot/grub/i386-pc/core.img -p "(,msdos$1)$2" biosdisk part_msdos ext2
	grub-mkconfig -o /boot/grub/grub.cfg
' grub $arguments[1] $folder $arguments[4]
for one in boot.img core.img; do
	file /boot/grub/i386-pc/$one || fail "grub has made no $one"
	cp -- $REPLY $OUT/$one || fail "cannot copy $one"
done
WITHIN

# Where things are in a boot sector: grub's include/grub/i386/pc/boot.h and offset.h.
t_boot_sector='
	my ($disk, $boot, $core) = @ARGV;
	my ($sector, $image);
	for ([$boot, \$sector], [$core, \$image]) {
		open(my $file, "<:raw", $_->[0]) or die "$_->[0]: $!\n";
		local $/; ${$_->[1]} = <$file>;
	}
	length $sector == 512 && unpack("v", substr $sector, 510) == 0xaa55 && unpack("Q<", substr $sector, 0x5c) == 1
		or die "boot.img is not as grub 2 makes it\n";
	my ($start, $count) = unpack "Q<v", substr $image, 500;
	my $sectors = int((length($image) + 511) / 512);
	$sectors > 1 && $sectors < 2048 && $start == 2 && $count == $sectors - 1
		or die "core.img is not as grub 2 makes it\n";
	substr($sector, 0x66, 2) = "\x90\x90"; # for machines that give a wrong number for the first disk
	open(my $out, "+<:raw", $disk) or die "$disk: $!\n";
	syswrite($out, substr $sector, 0, 440) == 440 or die "$disk: $!\n";
	sysseek($out, 512, 0) && syswrite($out, $image) == length $image or die "$disk: $!\n";
'
