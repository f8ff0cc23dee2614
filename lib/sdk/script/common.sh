# ---------------------------------------------------------------------------------------------------
# The house that every build lives in: checks of the host, namespaces of its own, and the way out.
#
# The script starts itself once more in its own mount and process namespaces. When the inner one ends, however
# it ends, the kernel ends every process in it and takes every mount away. What is left is one folder.

say() { printf 'toaster: %s\n' "$*"; }

# phase NAME: what the build does from now on. "end" is none, but when the last one ended.
phase() { printf 'TOASTER-PHASE %s %s\n' "$1" "$(date +%s.%3N)"; }

# fail CODE WORDS…: the last line of a build that did not work out.
fail() {
	fail_code=$1
	shift
	trap - EXIT
	[ -z "${STARTED:-}" ] || phase end
	printf 'toaster: failed: %s\n' "$*" >&2
	exit "$fail_code"
}

# need COMMAND PACKAGE: notes what the host lacks; lacking is asked once for all of them.
need() { command -v "$1" >/dev/null 2>&1 || MISSING="$MISSING $2"; }

disk_full() { fail 5 "the disk is full: $(free_mib "$WORK") MiB are free in $PLACE."; }
free_mib() { df -Pk "$1" | awk 'NR == 2 { free = int($4 / 1024) } END { print free + 0 }'; }

# What comes from the environment, and is used in sums.
check_numbers() {
	for name in SOURCE_DATE_EPOCH TOASTER_IDS TOASTER_MEMORY TOASTER_PIDS TOASTER_FILES TOASTER_DISK TOASTER_FREE_DISK; do
		eval "case \${$name:-0} in *[!0-9]*) fail 2 \"\$name must be a number.\" ;; esac"
	done
	case ${TOASTER_CPUS:-0} in
	*[!0-9.]*) fail 2 "TOASTER_CPUS must be a number." ;;
	esac
}

check_host() {
	MISSING=
	while read -r need_command need_package; do
		need "$need_command" "$need_package"
	done <<-END
		unshare util-linux
		nsenter util-linux
		prlimit util-linux
		setpriv util-linux
		slirp4netns slirp4netns
		ip iproute2
		zsh zsh
		perl perl
		mkfifo coreutils
		sha256sum coreutils
		find findutils
		tar tar
		gzip gzip
		dpkg-query dpkg
		$NEEDS
	END
	command -v runc >/dev/null 2>&1 || need crun crun
	AS_ROOT=
	if [ "$(id -u)" != 0 ]; then
		root_or_ids
	fi
	[ "$NEEDS_ROOT" = yes ] || [ "$(dpkg --print-architecture 2>/dev/null || echo "$ARCH")" = "$ARCH" ] || need arch-test arch-test
	[ -z "$MISSING" ] || fail 3 "this host lacks programs. Install them, as root: apt-get install$MISSING"
	[ -z "$KEYRING" ] || [ -r "$KEYRING" ] || [ -z "$MIRROR" ] ||
		fail 3 "this host lacks $KEYRING, the keys that $MIRROR is checked with. Install the package $KEYRING_PACKAGE${KEYRING_SOURCE:+ (it is at $KEYRING_SOURCE, too)}."
	[ "$(free_mib .)" -ge "$NEED_MIB" ] ||
		fail 5 "the disk is full: $(free_mib .) MiB are free in $PWD, and a build needs $NEED_MIB."
	check_arch
	check_sdk
	check_namespaces
}

# root_or_ids: what a normal user needs. Loop devices and device files are root's, in every namespace.
root_or_ids() {
	if [ "$NEEDS_ROOT" = no ]; then
		need newuidmap uidmap
	elif sudo -n true 2>/dev/null; then
		AS_ROOT='sudo -n'
	else
		fail 3 "only root can make this image. Run this script as root, or let $(id -un) use sudo without a password."
	fi
}

# A foreign architecture's programs run when the kernel can, as amd64's does for i386, or through qemu.
check_arch() {
	case $(dpkg --print-architecture)/$ARCH in
	"$ARCH/$ARCH" | amd64/i386) return ;;
	esac
	case $ARCH in
	amd64) qemu=x86_64 ;;
	arm64) qemu=aarch64 ;;
	armhf | armel) qemu=arm ;;
	*) qemu=$ARCH ;;
	esac
	[ -e "/proc/sys/fs/binfmt_misc/qemu-$qemu" ] ||
		fail 3 "this host can't run programs for $ARCH. Install them, as root: apt-get install qemu-user-static binfmt-support"
}

NAMESPACES='--mount --pid --fork --kill-child --mount-proc'
check_namespaces() {
	MAPPED=
	if [ "$(id -u)" != 0 ] && [ -z "$AS_ROOT" ]; then
		MAPPED='--map-root-user --map-auto'
	fi
	# shellcheck disable=SC2086 # these are lists of words
	if $AS_ROOT unshare $MAPPED $NAMESPACES true; then
		return
	elif [ -z "$MAPPED" ]; then
		fail 3 "root may not make namespaces here. In a container, it needs the capability SYS_ADMIN."
	fi
	fail 3 "$(id -un) may not make user namespaces here. Run this script as root; or give $(id -un) a range in /etc/subuid" \
		"and /etc/subgid, and see that util-linux is 2.38 or newer and the kernel permits user namespaces."
}

# The old result makes room, but nothing else that happens to be called dist.
clear_way() {
	if [ -e dist ] && [ ! -e dist/provenance.json ]; then
		rmdir dist 2>/dev/null || fail 2 "$PWD/dist is there and not of a build. Start in another folder."
	fi
	rm -rf dist
	remove "$WORK"
}

# free_loops: loop devices are the whole machine's. A build that was killed may have left some, in this folder, or with
# a file that is gone.
free_loops() {
	[ "$NEEDS_ROOT" = yes ] || return 0
	$AS_ROOT losetup --list --noheadings --raw --output NAME,BACK-FILE 2>/dev/null | while read -r loop file; do
		case $file in
		"$WORK"/* | *.work/job/disk.img*deleted*)
			$AS_ROOT partx --delete "$loop" 2>/dev/null || :
			$AS_ROOT losetup --detach "$loop" || :
			;;
		esac
	done
}

# remove FOLDER: files of a build by a normal user belong to that user's other ids.
remove() {
	[ -e "$1" ] || return 0
	free_loops
	# shellcheck disable=SC2086 # lists of words
	if [ -n "$MAPPED" ]; then
		unshare $MAPPED rm -rf "$1"
	else
		$AS_ROOT rm -rf --one-file-system "$1"
	fi
}

# What an inner script that sudo starts still gets from the environment.
PASSED_ON='BUILD_NUMBER SOURCE_DATE_EPOCH TOASTER_CACHE_DIR TOASTER_SDK_DIR TOASTER_BOOT_CHECK TOASTER_IDS TOASTER_SANDBOX_ALLOW TOASTER_MEMORY
TOASTER_PIDS TOASTER_CPUS TOASTER_FILES TOASTER_DISK TOASTER_FREE_DISK http_proxy https_proxy no_proxy'

# check looks at the host, and does nothing.
check() {
	check_numbers
	WORK=$PWD/$TARGET.work
	check_host
	say "this host has what $TARGET needs"
}

outside() {
	[ -f "$0" ] || fail 2 "this script reads itself: save it to a file and run that."
	check_numbers
	case $0 in
	/*) SELF=$0 ;;
	*) SELF=$PWD/$0 ;;
	esac
	WORK=$PWD/$TARGET.work
	PLACE=$WORK # as a person knows it; inside, WORK may have another name
	SCRIPT_SHA256=$(sha256sum <"$SELF" | cut -d ' ' -f 1)
	STARTED=$(date +%s)
	say "$TARGET, script $SCRIPT_SHA256"
	phase prepare
	check_host
	clear_way
	mkdir "$WORK"
	cp "$SELF" "$WORK/script"
	SELF=$WORK/script
	# Process ids are the same in each of the runner's slots; the folder is not.
	CGROUP=toaster/$(printf %s "$WORK" | sha256sum | cut -c 1-16)
	export SELF WORK PLACE SCRIPT_SHA256 STARTED CGROUP MAPPED
	# The inner script ends when nobody holds 3 any more: the outer one lets go of it, or was killed.
	mkfifo "$WORK/alive"
	exec 3<>"$WORK/alive"
	exec 4<"$WORK/alive"
	STOPPED=
	trap 'STOPPED=yes; exec 3>&-' HUP INT TERM
	code=0
	if [ "$NEEDS_ROOT" = no ]; then
		within base
		[ "$code" != 0 ] || keep_base
	fi
	[ "$code" != 0 ] || within image
	trap '' HUP INT TERM
	exec 3>&- 4<&-
	if [ "$code" = 0 ]; then
		$AS_ROOT chown -R --no-dereference "$(id -u):$(id -g)" "$WORK/dist"
		mv "$WORK/dist" dist || code=$?
	fi
	killed=$(killed_for_memory)
	leave_cgroup
	remove "$WORK"
	finish
}

# within PART: runs that part of the build in its namespaces; code is its exit status.
within() {
	set -- /bin/sh "$SELF" limited "$1"
	if [ -n "$AS_ROOT" ]; then
		for name in SELF WORK PLACE SCRIPT_SHA256 STARTED CGROUP $PASSED_ON; do
			eval "set -- \"$name=\${$name:-}\" \"\$@\""
		done
		set -- env "$@"
	fi
	# shellcheck disable=SC2086 # lists of words
	$AS_ROOT "$@" 3>&- <&4 4<&- &
	inner=$!
	wait "$inner" || code=$?
	if [ -n "$STOPPED" ]; then
		wait "$inner" || :
		code=143
	fi
}

# limited PART: what the whole build may use, and who it is. Then it goes inside.
limited() {
	join_cgroup
	# shellcheck disable=SC2086 # lists of words
	if [ "$NEEDS_ROOT" = yes ]; then
		set -- unshare $NAMESPACES /bin/sh "$SELF" inside "$1"
	elif [ "$(id -u)" != 0 ]; then
		set -- unshare --map-root-user --map-auto $NAMESPACES /bin/sh "$SELF" inside "$1"
	else
		blend >"$WORK/app.blend"
		# shellcheck disable=SC2016 # zsh expands these
		zsh -f -c 'source $1 && toaster_tools $2' toaster "$WORK/app.blend" "$WORK"
		set -- zsh -f "$WORK/enter" '' "$WORK" /bin/sh ./script inside "$1"
	fi
	files=${TOASTER_FILES:-65536}
	most=$(prlimit --nofile --noheadings --output HARD) # not every root may have more
	[ "$most" = unlimited ] || [ "$most" -ge "$files" ] || files=$most
	# A limit of one byte keeps crashes from programs of this host that take core dumps: core(5).
	exec prlimit --nofile="$files" --core=1 --nproc="${TOASTER_PIDS:-4096}" -- "$@"
}

# cgroups prints the folders of the build's control group: one with cgroup v2, one for each controller with v1.
cgroups() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo "/sys/fs/cgroup/$CGROUP"
		return
	fi
	for controller in memory pids cpu; do
		[ ! -d "/sys/fs/cgroup/$controller" ] || echo "/sys/fs/cgroup/$controller/$CGROUP"
	done
}

# join_cgroup: only root has cgroups everywhere. Without one, memory and processor time have no limit.
join_cgroup() {
	joined=
	if [ "$(id -u)" = 0 ]; then
		if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
			mkdir /sys/fs/cgroup/toaster 2>/dev/null || :
			for folder in /sys/fs/cgroup /sys/fs/cgroup/toaster; do
				echo '+memory +pids +cpu' 2>/dev/null >"$folder/cgroup.subtree_control" || :
			done
		fi
		for folder in $(cgroups); do
			# What killed builds left goes; that may be ours, too, just as it is made by another build.
			for _ in 1 2 3; do
				rmdir "${folder%/*}"/* || :
				if mkdir -p "$folder" && set_limits "$folder" && echo $$ >"$folder/cgroup.procs"; then
					joined=yes
					break
				fi
			done
		done 2>/dev/null
	fi
	[ -n "$joined" ] || [ "${TOASTER_MEMORY:-0}${TOASTER_CPUS:-0}" = 00 ] ||
		say "this host has no cgroup that the build can have: its memory and processor time have no limit"
}

# memory_limit prints bytes: what was given, else three quarters of this host's, so that one build does not take all.
memory_limit() {
	if [ "${TOASTER_MEMORY:-0}" != 0 ]; then
		echo "$TOASTER_MEMORY"
	else
		awk '/^MemTotal:/ { printf "%d", $2 * 768 }' /proc/meminfo
	fi
}

set_limits() {
	set_limit "$1/pids.max" "${TOASTER_PIDS:-4096}"
	set_limit "$1/memory.max" "$(memory_limit)"
	set_limit "$1/memory.swap.max" 0
	set_limit "$1/memory.limit_in_bytes" "$(memory_limit)"
	set_limit "$1/memory.memsw.limit_in_bytes" "$(memory_limit)"
	case ${TOASTER_CPUS:-0} in
	0) ;;
	*)
		quota=$(awk -v cpus="$TOASTER_CPUS" 'BEGIN { printf "%d", cpus * 100000 }')
		set_limit "$1/cpu.max" "$quota 100000"
		set_limit "$1/cpu.cfs_quota_us" "$quota"
		;;
	esac
}
set_limit() { [ ! -e "$1" ] || echo "$2" >"$1" || :; }

# killed_for_memory prints how often the kernel has ended a process of the build for its memory; nothing for never.
killed_for_memory() {
	for folder in $(cgroups); do
		sed -n 's/^oom_kill \([1-9]\)/\1/p' "$folder/memory.events" "$folder/memory.oom_control" 2>/dev/null || :
	done
}

leave_cgroup() {
	for folder in $(cgroups); do
		[ ! -d "$folder" ] || $AS_ROOT rmdir "$folder" 2>/dev/null || { sleep 0.2; $AS_ROOT rmdir "$folder" 2>/dev/null || :; }
	done
}

finish() {
	[ "$code" = 0 ] || [ -z "$killed" ] || fail 5 "out of memory: the build needed more than the $(mib "$(memory_limit)") MiB that it may use."
	case $code in
	0)
		phase end
		say "done: dist/$IMAGE"
		;;
	"$TOOK_ALL") fail 5 "the disk is full: only $(reserve_mib) MiB would be free in $PLACE, which stay for others." ;;
	"$TOOK_SHARE") fail 5 "the disk is full: the build took more than the $(mib "$TOASTER_DISK") MiB that it may use in $PLACE." ;;
	137 | 143)
		phase end
		printf 'toaster: failed: the build was stopped.\n' >&2
		;;
	esac
	exit "$code"
}

# How the inside ends when the build has used too much of the disk.
TOOK_ALL=96
TOOK_SHARE=97
mib() { echo $(($1 >> 20)); }
reserve_mib() { mib "${TOASTER_FREE_DISK:-67108864}"; }

# watch_disk ends the build when the host's reserve, or its last files, are touched, or more than the build's share is used.
# Sizes are looked up seldom, as that reads every folder: only when as much has gone from the disk.
watch_disk() {
	start=$(free_mib "$WORK")
	looked=0
	while sleep 0.3; do
		# shellcheck disable=SC2046 # five numbers
		set -- $(stat -f -c '%a %S %d %c' "$WORK")
		now=$(($1 * $2 >> 20))
		if [ "$now" -lt "$(reserve_mib)" ] || [ "$3" -lt $(($4 / 200)) ]; then
			kill -USR1 1
		elif [ "${TOASTER_DISK:-0}" != 0 ] && [ $((start - now)) -gt $(((TOASTER_DISK >> 20) - looked / 2)) ]; then
			looked=$(du -smx "$WORK" 2>/dev/null | cut -f 1)
			[ "$looked" -le $((TOASTER_DISK >> 20)) ] || kill -USR2 1
			start=$((now + looked))
		fi
	done
}

# inside PART is process 1 of its namespace: when it ends, all that the build started ends.
inside() {
	[ -n "${WORK:-}" ] || fail 2 "\"inside\" is for the script itself. Run it without arguments."
	trap 'exit 143' TERM
	trap 'exit $TOOK_ALL' USR1
	trap 'exit $TOOK_SHARE' USR2
	exec 4<&0 </dev/null
	# The watchdog reads until 3 has no writer.
	(read -r _ <&4 || kill -TERM 1) &
	watch_disk 4<&- &
	NOTES=$WORK/notes
	mkdir -p "$NOTES" "$WORK/tmp" "$WORK/job" "$WORK/dist"
	# Bookkeeping must work on a full disk, too.
	mount -t tmpfs -o size=4m,mode=700 toaster-notes "$NOTES"
	export NOTES TMPDIR="$WORK/tmp" HOME="$WORK"
	(
		trap unexplained EXIT
		"$1"
		trap - EXIT
	) 4<&- &
	code=0
	wait $! || code=$?
	exit "$code"
}

# A command that nobody expected to fail has ended the build; what it said stands above.
unexplained() {
	[ "$(free_mib "$WORK")" -ge 16 ] || disk_full
	fail 1 "the build could not go on; the lines above say why."
}

# watched COMMAND…: runs it with its output shown, and keeps the lines that say where it stood and why it failed.
watched() {
	rm -f "$NOTES/pipe" "$NOTES/code"
	mkfifo "$NOTES/pipe"
	signs <"$NOTES/pipe" >"$NOTES/signs" &
	{
		code=0
		"$@" 2>&1 || code=$?
		echo "$code" >"$NOTES/code"
	} | tee "$NOTES/pipe"
	wait $!
	return "$(cat "$NOTES/code")"
}

# signs prints the last line of each kind of mark, and the last 20 that tell of a known trouble, however many and long the others are.
signs() {
	perl -e '
		my (%marks, @signs, $line);
		my $end = sub {
			if ($line =~ /^(TOASTER-STEP |TOASTER-FAILED |sdk: \(|sdk: \[E\](?! error in))/) {
				$marks{$1} = substr $line, 0, 300;
			} elsif ($line =~ /$ENV{SIGNS}/) {
				push @signs, substr $line, 0, 300;
				shift @signs if @signs > 20;
			}
			$line = "";
		};
		$line = "";
		while (sysread STDIN, my $new, 65536) {
			for (split /([\n\r])/, $new) {
				if (/^[\n\r]/) { $end->() } else { $line .= substr $_, 0, 4096 - length $line }
			}
		}
		$end->();
		print "$_\n" for values %marks, @signs;'
}
export SIGNS='No space left on device|Disk quota exceeded|Failed to fetch|Could not (resolve|connect)|Temporary failure resolving|Connection (refused|timed out)|Unable to connect|unable to resolve host|Failed getting release file|Couldn.t download'
sign() { grep -qaE "$1" "$NOTES/signs"; }

# explain CODE WORDS…: fails, with the disk or the network as the reason where that is it.
explain() {
	explain_free=$(free_mib "$WORK")
	[ "$explain_free" -ge 1 ] || disk_full
	if sign 'No space left on device|Disk quota exceeded' && [ "$explain_free" -lt "$NEED_MIB" ]; then
		disk_full
	fi
	fail "$@"
}

# json TEXT: as a JSON string (RFC 8259, section 7); control characters are left out.
json() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }
json_time() { json "$(date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ)"; }
json_number() {
	case $1 in
	'' | *[!0-9]* | 0?*) printf null ;;
	*) printf '%s' "$1" ;;
	esac
}
