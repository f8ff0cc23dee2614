# ---------------------------------------------------------------------------------------------------
# A live ISO.

NEED_MIB=6144
IMAGE=$TARGET.iso
NEEDS='xorriso xorriso
mksquashfs squashfs-tools
unsquashfs squashfs-tools'

# take_result looks into the ISO as it will be downloaded.
take_result() {
	set -- "$JOB/sdk/dist/"*-live.iso
	[ -f "$1" ] || fail 1 "the SDK reported success, but created no ISO."
	mv "$1" "$WORK/dist/$IMAGE"
	xorriso -osirrox on -indev "$WORK/dist/$IMAGE" -extract /live/filesystem.squashfs "$WORK/tmp/squashfs" >"$NOTES/xorriso" 2>&1 ||
		{ cat "$NOTES/xorriso"; packing_failed; }
	rmdir "$R"
	# shellcheck disable=SC2086 # names
	unsquashfs -n -no-xattrs -d "$R" "$WORK/tmp/squashfs" $TOLD >"$NOTES/squashfs" 2>&1 ||
		{ tail -n 5 "$NOTES/squashfs"; [ -d "$R" ] || packing_failed; }
	rm -f "$WORK/tmp/squashfs"
}

qemu_disk() { echo "-cdrom /image -boot d"; }
