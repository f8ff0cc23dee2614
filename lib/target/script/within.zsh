
# toaster_within TREE PROGRAM ARGUMENT…: runs a program for the blend's functions, with the image's programs and
# names, as root of the image, who is nobody to this host. What it leaves in $OUT is in $t_out, ordinary files only.
t_out=$t_JOB/out
toaster_within() {
	local work=$(mktemp -d $t_JOB/within.XXXXXXXX) tree=$1 program=$2
	shift 2
	toaster_tools $work && mkdir $work/out && cp $t_NOTES/apt.conf $work/apt.conf &&
		print -r -- $t_first$'\n'$program$'\nexit 0' >$work/program || return 1
	env -i PATH=$PATH LC_ALL=C SHELL=/bin/sh TOASTER_IDS=$TOASTER_IDS TOASTER_SANDBOX_ALLOW=$TOASTER_SANDBOX_ALLOW \
		ASIDE=yes zsh -f $work/enter $tree $work zsh -f program - "$@" </dev/null
	integer code=$?
	rm -rf $t_out && mkdir $t_out || return 1
	local -a left=($work/out/*(N.))
	(( $#left )) && { chown 0:0 $left && mv $left $t_out || return 1 }
	rm -rf --one-file-system $work
	return code
}
t_first=$(<$t_JOB/first)

toaster_chroot() { toaster_within $1 'system "$arguments[@]"' "${@[2,-1]}" }
