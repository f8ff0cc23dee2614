# ---------------------------------------------------------------------------------------------------
# A live ISO, a virtual machine's disk or a board's image: the Devuan SDK makes it, of 2018 or of today, and runs the
# blend on its way. The SDK is left as it is: this build has a tree of links to it, and a tmp, log and dist of its own.

NEEDS_ROOT=yes
NEEDS="$NEEDS
zsh zsh
perl perl
debootstrap debootstrap
cpio cpio
apt-get apt
losetup mount
partx util-linux"

# What can be said about the SDK before anything is done.
check_sdk() {
	case $WORK in
	*[!A-Za-z0-9@%+=:,./_-]*) fail 2 "the SDK can't use %s: its path contains a space or another special character." "$WORK" ;;
	esac
	if [ -n "${TOASTER_SDK_DIR:-}" ]; then
		[ ! -d "$TOASTER_SDK_DIR/$SDK-sdk" ] || TOASTER_SDK_DIR=$TOASTER_SDK_DIR/$SDK-sdk
		export TOASTER_SDK_DIR
		for part in sdk lib/libdevuansdk/libdevuansdk lib/zuper/zuper; do
			[ -r "$TOASTER_SDK_DIR/$part" ] ||
				fail 3 "TOASTER_SDK_DIR, %s, is not a complete %s-sdk: %s is missing. Were its submodules fetched?" "$TOASTER_SDK_DIR" "$SDK" "$part"
		done
	else
		command -v git >/dev/null || fail 3 "this host needs git to fetch the SDK. As root, install it: apt-get install git"
	fi
	[ -z "$MIRROR" ] && [ -z "$(sources)" ] &&
		fail 3 "this target uses the package sources of the build host, and the host has no source of %s %s." "$DISTRIBUTION" "$CODENAME"
	[ "$SDK" != arm ] || check_board
	[ "$SDK" = live ] || [ -e /dev/loop-control ] || fail 3 "this host has no loop devices. As root, load the module: modprobe loop"
}

image() {
	JOB=$WORK/job
	R=$JOB/look
	chmod 700 "$JOB" # programs in there may be setuid
	mkdir "$R"
	sources >"$NOTES/sources"
	settings_for_run >"$NOTES/apt.conf"
	get_sdk
	job_tree
	run_sdk
	take_result
	check_stamp
	say "the stamp of the blend is in $IMAGE"
	boot_check
	describe
}

# get_sdk: SDK_DIR is the SDK at the commit that this script was made for, or the one that the environment names.
get_sdk() {
	if [ -n "${TOASTER_SDK_DIR:-}" ]; then
		SDK_DIR=$TOASTER_SDK_DIR
	else
		fetch_sdk
	fi
	SDK_FOUND=$(git -c safe.directory='*' -C "$SDK_DIR" rev-parse --verify HEAD 2>/dev/null || :)
	SDK_SHA256=$(cd "$SDK_DIR" && find -L sdk config lib extra boards -name .git -prune -o -type f -print0 2>/dev/null |
		LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
	say "$SDK-sdk ${SDK_FOUND:-without a commit} (sha256 of its files $SDK_SHA256)"
}

# Fetched once where there is a cache. It takes its name when it is whole, so builds may race.
fetch_sdk() {
	SDK_DIR=${TOASTER_CACHE_DIR:-$WORK}/$SDK-sdk-$SDK_COMMIT
	[ ! -d "$SDK_DIR" ] || return 0
	say "fetching $SDK_SOURCE at $SDK_COMMIT"
	mkdir -p "${SDK_DIR%/*}"
	part=$(mktemp -d "${SDK_DIR%/*}/part.XXXXXX")
	watched git_sdk "$part" || {
		rm -rf "$part"
		explain 4 "the SDK can't be fetched from %s; see the message of git above. Try again later, or set TOASTER_SDK_DIR." "$SDK_SOURCE"
	}
	chmod 755 "$part"
	mv -T "$part" "$SDK_DIR" 2>/dev/null || rm -rf "$part"
}

git_sdk() {
	export GIT_TERMINAL_PROMPT=0
	git init -q "$1" && git -C "$1" remote add origin "$SDK_SOURCE" && {
		git -C "$1" fetch -q --depth 1 origin "$SDK_COMMIT" || git -C "$1" fetch -q origin
	} && git -C "$1" checkout -q "$SDK_COMMIT" || return
	# The keyring and debootstrap that older SDKs bring are not used.
	if [ "$SDK" = arm ]; then
		git -C "$1" submodule -q update --init
	else
		git -C "$1" submodule -q update --init -- lib
	fi
}

# job_tree: the SDK keeps stages by architecture only, and one dist for all. So each job has its own.
job_tree() {
	mkdir "$JOB/sdk" "$JOB/sdk/tmp" "$JOB/sdk/log" "$JOB/sdk/dist" "$JOB/debootstrap"
	for part in sdk config lib extra blends boards; do
		[ ! -e "$SDK_DIR/$part" ] || ln -s "$(realpath "$SDK_DIR")/$part" "$JOB/sdk/$part"
	done
	if [ "$SDK" = arm ]; then # kernels and boot loaders are built in there
		rm "$JOB/sdk/extra"
		cp -a --reflink=auto "$SDK_DIR/extra" "$JOB/sdk/"
	fi
	# A debootstrap that is older than the release has no script for it; all of this decade are the same one.
	cp -R /usr/share/debootstrap/. "$JOB/debootstrap"
	[ -e "$JOB/debootstrap/scripts/$CODENAME" ] || stand_in
	blend >"$JOB/app.blend"
	[ "$(sha256sum <"$JOB/app.blend" | cut -d ' ' -f 1)" = "$BLEND_SHA256" ] ||
		fail 7 "the blend in this script is not the expected one. Download the script again."
	drive >"$JOB/drive.zsh"
	first >"$JOB/first"
	last >"$JOB/last"
}

stand_in() {
	for script in ceres sid; do
		[ ! -e "$JOB/debootstrap/scripts/$script" ] || { ln -s "$script" "$JOB/debootstrap/scripts/$CODENAME"; return; }
	done
	fail 3 "the debootstrap of this host supports neither %s nor a similar release. Install a newer version." "$CODENAME"
}

run_sdk() {
	if [ -n "${TOASTER_CACHE_DIR:-}" ]; then
		mkdir -p "$TOASTER_CACHE_DIR" || fail 3 "TOASTER_CACHE_DIR, %s, can't be created." "$TOASTER_CACHE_DIR"
	fi
	watched zsh_sdk || explain_sdk
}

zsh_sdk() {
	set -- PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin" HOME=/root LC_ALL=C LANG=C TERM=dumb \
		TOASTER_BLEND_SHA256="$BLEND_SHA256" TOASTER_IDS="${TOASTER_IDS:-}" \
		TOASTER_SANDBOX_ALLOW="${TOASTER_SANDBOX_ALLOW:-}" TOASTER_CACHE_DIR="${TOASTER_CACHE_DIR:-}" \
		TOASTER_IMAGES="${TOASTER_IMAGES:-}" TOASTER_REGISTRIES="${TOASTER_REGISTRIES:-}" \
		TOASTER_REGISTRY_AUTH="${TOASTER_REGISTRY_AUTH:-}" \
		TOASTER_SECRETS="${TOASTER_SECRETS:-}" TOASTER_CONTEXT="${TOASTER_CONTEXT:-}"
	for name in JOB SDK ARCH BOARD DISTRIBUTION CODENAME VERSION MIRROR COMPONENTS KEYRING KEYRING_PACKAGE PACKAGES REPLACE \
		SIZE_MB TARGET NOTES BUILDER SDK_SHA256 ROOT_KEYS ROOT_HASH; do
		eval "set -- \"\$@\" \"t_$name=\${$name}\""
	done
	set -- "$@" t_CACHE="${TOASTER_CACHE_DIR:-}"
	for name in http_proxy https_proxy no_proxy; do
		eval "[ -z \"\${$name:-}\" ] || set -- \"\$@\" \"$name=\${$name}\""
	done
	(cd "$JOB/sdk" && exec env -i "$@" zsh -f "$JOB/drive.zsh")
}

explain_sdk() {
	if grep -qa '^TOASTER-FAILED' "$NOTES/signs"; then
		explain_blend
	fi
	if sign 'Failed to fetch|Could not|Temporary failure|Connection|Unable to connect|unable to resolve|Failed getting|Couldn.t download'; then
		explain 4 "the package archive can't be reached, or is being updated. See its answer above, and try again later."
	fi
	step=$(grep -a '^sdk: (' "$NOTES/signs" | tail -n 1 | cut -c 10-)
	why=$(grep -a '^sdk: \[E\]' "$NOTES/signs" | grep -v ' error in: ' | tail -n 1 | cut -c 10-)
	explain 1 "the SDK failed%s%s. See the lines above." "${step:+ after \"$step\"}" "${why:+: $why}"
}

# look_into DISK: the files that tell about a finished disk, taken from its last partition.
look_into() {
	offset=$(parted --machine --script "$1" unit B print | tr -d B\; | awk -F : '$1 ~ /^[0-9]+$/ { start = $2 } END { print start }')
	mkdir -p "$R/etc/toaster" "$R/var/lib/dpkg"
	for file in $TOLD; do
		debugfs -R "dump /$file $R/$file" "$1?offset=$offset" >/dev/null 2>"$NOTES/debugfs" || :
		[ -s "$R/$file" ] || rm -f "$R/$file"
	done
}

builder() { echo "$SDK-sdk, debootstrap $(debootstrap --version | cut -d ' ' -f 2)"; }
more_provenance() {
	if [ -z "${TOASTER_SDK_DIR:-}" ]; then
		printf '  "sdk_source": %s,\n' "$(json "$SDK_SOURCE")"
	else # a folder of the building host
		printf '  "sdk_source": null,\n'
	fi
	printf '  "sdk_commit": %s,\n' "$(json "$SDK_FOUND" | sed 's/^""$/null/')"
	printf '  "sdk_sha256": %s,\n' "$(json "$SDK_SHA256")"
	[ ! -s "$NOTES/boot.json" ] || printf '  "boot_check": %s,\n' "$(cat "$NOTES/boot.json")"
}

packing_failed() { fail 5 "the image can't be packed; see the lines above. Most often the disk is full."; }
