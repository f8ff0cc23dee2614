# ---------------------------------------------------------------------------------------------------
# How every build begins and ends: checks of the host, namespaces of its own, and the way out.
#
# The script starts itself once more in its own mount and process namespaces. When the inner one ends, however
# it ends, the kernel ends every process in it and takes every mount away. What is left is one folder.

say() { printf 'toaster: %s\n' "$*"; }

# phase NAME: what the build does from now on. "end" is none, but when the last one ended.
phase() { printf 'TOASTER-PHASE %s %s\n' "$1" "$(date +%s.%3N)"; }

# fail CODE FORMAT ARGUMENT…: the last line of a build that failed, and before it a mark that has the same in parts.
fail() {
	fail_code=$1 fail_format=$2
	shift 2
	trap - EXIT
	[ -z "${STARTED:-}" ] || phase end
	{
		printf 'TOASTER-WHY %s' "$fail_format"
		for fail_word; do printf '\t%s' "$(printf %s "$fail_word" | tr '\t\n' '  ')"; done
		# shellcheck disable=SC2059 # it is a format
		printf "\ntoaster: failed: $fail_format\n" "$@"
	} >&2
	exit "$fail_code"
}

# need COMMAND PACKAGE: notes what the host lacks; lacking is asked once for all of them.
need() { command -v "$1" >/dev/null 2>&1 || MISSING="$MISSING $2"; }

disk_full() { fail 5 "the disk is full: %s MiB are free in %s." "$(free_mib "$WORK")" "$PLACE"; }
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
	[ -z "$IMAGES" ] || need skopeo skopeo
	command -v runc >/dev/null 2>&1 || need crun crun
	AS_ROOT=
	if [ "$(id -u)" != 0 ]; then
		root_or_ids
	fi
	[ "$NEEDS_ROOT" = yes ] || [ "$(dpkg --print-architecture 2>/dev/null || echo "$ARCH")" = "$ARCH" ] || need arch-test arch-test
	[ -z "$MISSING" ] || fail 3 "programs are missing on this host. As root, install them: apt-get install%s" "$MISSING"
	[ -z "$KEYRING" ] || [ -r "$KEYRING" ] || [ -z "$MIRROR" ] ||
		fail 3 "this host lacks %s, the keys to verify %s. Install the package %s%s." "$KEYRING" "$MIRROR" "$KEYRING_PACKAGE" "${KEYRING_SOURCE:+ (it is at $KEYRING_SOURCE, too)}"
	[ "$(free_mib .)" -ge "$NEED_MIB" ] ||
		fail 5 "the disk is full: %s MiB are free in %s. A build needs %s." "$(free_mib .)" "$PWD" "$NEED_MIB"
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
		fail 3 "this image can only be built as root. Run this script as root, or let %s use sudo without a password." "$(id -un)"
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
		fail 3 "this host can't run programs for %s. As root, install: apt-get install qemu-user-static binfmt-support" "$ARCH"
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
		fail 3 "root can't create namespaces on this host. In a container, the capability SYS_ADMIN is required."
	fi
	fail 3 "%s can't create user namespaces on this host. Run this script as root. Or give %s a range in /etc/subuid and /etc/subgid; util-linux 2.38 or newer and a kernel that permits user namespaces are required." "$(id -un)" "$(id -un)"
}

# The old result makes room, but nothing else that happens to be called dist.
clear_way() {
	if [ -e dist ] && [ ! -e dist/provenance.json ]; then
		rmdir dist 2>/dev/null || fail 2 "%s/dist exists, but was not created by a build. Start in another folder." "$PWD"
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
PASSED_ON='BUILD_NUMBER SOURCE_DATE_EPOCH TOASTER_CACHE_DIR TOASTER_SDK_DIR TOASTER_BOOT_CHECK TOASTER_IDS
TOASTER_SANDBOX_ALLOW TOASTER_REGISTRIES TOASTER_IMAGES TOASTER_REGISTRY_AUTH TOASTER_SECRETS TOASTER_CONTEXT
TOASTER_MEMORY TOASTER_PIDS TOASTER_CPUS TOASTER_FILES TOASTER_DISK TOASTER_FREE_DISK http_proxy https_proxy no_proxy'

# check_secrets: the folder by its whole path, with all that the Dockerfile can't do without.
check_secrets() {
	case ${TOASTER_SECRETS:-/} in
	/*) ;;
	*) TOASTER_SECRETS=$PWD/$TOASTER_SECRETS ;;
	esac
	[ -z "${TOASTER_SECRETS:-}" ] || [ -d "$TOASTER_SECRETS" ] ||
		fail 2 "TOASTER_SECRETS, %s, is no folder." "$TOASTER_SECRETS"
	for name in $SECRETS; do
		[ -f "${TOASTER_SECRETS:-/dev/null}/$name" ] ||
			fail 2 "the build was not given the secret %s, which it needs. On a site, give it when you start the build. Else put it into the file %s of a folder, and set TOASTER_SECRETS to the folder." "$name" "$name"
	done
}

# check_context: the files of the build context that are not in this script are beside it, and are those that it needs.
# Each file's own checksum is compared when it is read.
check_context() {
	[ "$CONTEXT" = beside ] || { unset TOASTER_CONTEXT; return 0; }
	case ${TOASTER_CONTEXT:-$0} in
	/*) beside= ;;
	*) beside=$PWD/ ;;
	esac
	if [ -z "${TOASTER_CONTEXT:-}" ]; then
		TOASTER_CONTEXT=${0%"${0##*/}"}context.tar
	fi
	TOASTER_CONTEXT=$beside$TOASTER_CONTEXT
	export TOASTER_CONTEXT
	[ -e "$TOASTER_CONTEXT" ] ||
		fail 3 "the build context is missing: put context.tar beside the script, or set TOASTER_CONTEXT to its place. %s is not there." "$TOASTER_CONTEXT"
	# shellcheck disable=SC2016 # zsh expands these
	wrong=$(blend | zsh -f -c 'source /dev/stdin && toaster_reader' | perl - check "$TOASTER_CONTEXT" 2>&1) ||
		fail 3 "%s can't be used: %s." "$TOASTER_CONTEXT" "${wrong#toaster: }"
}

# check looks at the host, and does nothing.
check() {
	check_numbers
	WORK=$PWD/$TARGET.work
	check_host
	check_context
	say "this host has what $TARGET needs"
}

outside() {
	[ -f "$0" ] || fail 2 "this script reads itself: save it to a file, and run that."
	check_numbers
	check_secrets
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
	check_context
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
	silent=$(fell_silent)
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
	[ "$1" = image ] || unset TOASTER_CONTEXT # which the base has no use for
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

finish() {
	[ "$code" = 0 ] || [ -z "$killed" ] || fail 5 "out of memory: the build needed more than its limit of %s MiB." "$(mib "$(memory_limit)")"
	case $code in
	0)
		phase end
		say "done: dist/$IMAGE"
		;;
	"$SILENT")
		IFS='	'
		set -f
		# shellcheck disable=SC2086 # format and arguments, with tabs between
		fail 8 $silent
		;;
	"$TOOK_ALL") fail 5 "the disk is full: only %s MiB would remain free in %s, and these are reserved." "$(reserve_mib)" "$PLACE" ;;
	"$TOOK_SHARE") fail 5 "the disk is full: the build used more than its limit of %s MiB in %s." "$(mib "$TOASTER_DISK")" "$PLACE" ;;
	137 | 143)
		phase end
		printf 'toaster: failed: the build was stopped.\n' >&2
		;;
	esac
	exit "$code"
}

# inside PART is process 1 of its namespace: when it ends, all that the build started ends.
inside() {
	[ -n "${WORK:-}" ] || fail 2 "the argument \"inside\" is reserved for the script itself. Run the script without arguments."
	trap 'exit 143' TERM
	trap 'exit $SILENT' HUP
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
	export NOTES SILENCE_LIMIT WORK TMPDIR="$WORK/tmp" HOME="$WORK"
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
	fail 1 "the build failed. See the lines above."
}
