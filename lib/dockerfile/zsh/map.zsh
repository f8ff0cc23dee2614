# map SOURCE TARGET [PROCESS]: mounts SOURCE and all below it on TARGET, without devices; with the ids of PROCESS's
# user namespace.
map() {
	map_tree "$@" 2>/dev/null && return
	[[ -z $3 ]] && mount --rbind -- $1 $2 && mount -o remount,bind,nodev -- $2	# Linux before 5.12
}

map_tree() {
	perl -e '
		my ($source, $target, $process) = @ARGV;
		my ($empty, $set, $ns) = ("", 4, 0); # MOUNT_ATTR_NODEV
		if ($process) {
			open($ns, "<", "/proc/$process/ns/user") or die "$process: $!\n";
			($set, $ns) = ($set | 0x100000, fileno($ns)); # MOUNT_ATTR_IDMAP
		}
		my $tree = syscall(428, -100, $source, 1 | 0x8000); # open_tree, OPEN_TREE_CLONE | AT_RECURSIVE
		$tree >= 0 or die "open_tree: $!\n";
		my $attributes = pack("Q4", $set, 0, 0, $ns);
		syscall(442, $tree, $empty, 0x1000 | 0x8000, $attributes, 32) == 0 or die "mount_setattr: $!\n"; # AT_EMPTY_PATH
		syscall(429, $tree, $empty, -100, $target, 4) == 0 or die "move_mount: $!\n"; # MOVE_MOUNT_F_EMPTY_PATH
	' "$@"
}
