# ---------------------------------------------------------------------------------------------------
# A root filesystem: mmdebstrap makes the base, the blend does what the Dockerfile says, tar packs it.

NEEDS='mmdebstrap mmdebstrap
zsh zsh
apt-get apt'
NEED_MIB=1024
NEEDS_ROOT=no
check_sdk() { :; }
IMAGE=$TARGET.tar.gz

# base makes the base, in a run of its own: what the cache shall keep was there before anything of the Dockerfile ran.
base() {
	R=$WORK/rootfs
	make_base
	mkdir "$WORK/base"
	cp "$NOTES/sources" "$NOTES/epoch" "$WORK/base"
}

image() {
	R=$WORK/rootfs
	cp "$WORK/base"/* "$NOTES"
	give_keys
	run_blend
	check_stamp
	finish_tree
	tidy
	pack
	describe
}

make_base() {
	sources >"$NOTES/sources"
	say "base: $CODENAME for $ARCH from $(awk '{ print $2; exit }' "$NOTES/sources" | grep . || echo "mmdebstrap's default archive")"
	touch "$WORK/started"
	cached=$(cache_name)
	if [ -n "$cached" ] && [ -r "$cached" ] && tar -C "$WORK" --xattrs --xattrs-include='*' --numeric-owner -xpf "$cached"; then
		say "base: from the cache"
		echo TOASTER-CACHED
	else
		bootstrap
		[ -z "$cached" ] || for_cache
	fi
	# As in a container image: packages that were installed are not kept in apt's cache.
	{
		settings_for_run
		echo 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
	} >"$R/etc/apt/apt.conf.d/99toaster-build"
	grep -hv '^$' "$R/etc/apt/sources.list" "$R/etc/apt/sources.list.d"/* >"$NOTES/sources" 2>/dev/null || :
	newest_package >"$NOTES/epoch"
}

bootstrap() {
	rm -rf "$R" "$WORK/releases"
	mkdir "$WORK/releases"
	# Where a server answers 503, apt 2.6 would wait for ever.
	{
		apt_settings
		echo 'Acquire::Retries::Delay "false";'
	} >"$NOTES/apt.conf"
	set -- --mode=root --variant=minbase --format=directory --architectures="$ARCH"
	[ -z "$PACKAGES" ] || set -- "$@" --include="$PACKAGES"
	[ ! -r "$KEYRING" ] || set -- "$@" --keyring="$KEYRING"
	# One /usr from the start, where the release is made for it; else its package usrmerge moves things there, with perl.
	merged=/usr/share/mmdebstrap/hooks/maybe-merged-usr
	[ ! -d "$merged" ] || set -- "$@" --hook-dir="$merged"
	if mount -t sysfs none "$NOTES" 2>/dev/null; then
		umount "$NOTES"
	else # in a user namespace
		set -- "$@" --skip=chroot/mount/sys
	fi
	# shellcheck disable=SC2016 # the hook's shell expands these
	set -- "$@" --aptopt="$NOTES/apt.conf" --customize-hook='cp "$1"/var/lib/apt/lists/*Release "$WORK/releases"' "$CODENAME" "$R"
	[ ! -s "$NOTES/sources" ] || set -- "$@" -
	watched env -u SOURCE_DATE_EPOCH mmdebstrap "$@" <"$NOTES/sources" || explain_base
	rm -f "$R/etc/apt/apt.conf.d/99mmdebstrap"
	find "$R/dev" -mindepth 1 -delete
	# mmdebstrap copies the host's name and name server; the image gets neither.
	printf '%s\n' "$DISTRIBUTION" >"$R/etc/hostname"
	: >"$R/etc/resolv.conf"
	[ -e "$R/etc/hosts" ] || printf '127.0.0.1\tlocalhost %s\n::1\tlocalhost\n' "$DISTRIBUTION" >"$R/etc/hosts"
	EPOCH=$(newest_package)
	find "$R/var/lib/dpkg/info" -name '*.md5sums' -newer "$WORK/started" -exec touch --date="@$EPOCH" {} +
	each date_passwords etc/shadow etc/shadow-
}

# give_keys: root's SSH keys, before the Dockerfile's instructions, which may change them. The password stays locked.
give_keys() {
	[ -n "$ROOT_KEYS" ] || return 0
	mkdir -p "$R/root/.ssh"
	printf '%s\n' "$ROOT_KEYS" | base64 -d >"$R/root/.ssh/authorized_keys"
	chmod 700 "$R/root/.ssh"
	chmod 600 "$R/root/.ssh/authorized_keys"
	say "root logs in with the SSH key that was given"
}

# Bases are kept in $TOASTER_CACHE_DIR, if there is one, by all that decides what is in them: this script's own text, the
# sources, the packages, and what the archive says of itself at this moment.
cache_name() {
	[ -n "${TOASTER_CACHE_DIR:-}" ] && [ -s "$NOTES/sources" ] || return 0
	mkdir "$NOTES/now"
	while read -r _ site suite _; do
		/usr/lib/apt/apt-helper download-file "$site/dists/$suite/InRelease" "$NOTES/now/$suite" >/dev/null 2>&1 || return 0
	done <"$NOTES/sources"
	printf '%s/%s-%s.tar' "$TOASTER_CACHE_DIR" "$TARGET" "$(
		{
			echo "$BUILDER $ARCH $CODENAME $PACKAGES $(mmdebstrap --version)"
			cat "$NOTES/sources"
			release_sums "$NOTES/now"
		} | sha256sum | cut -d ' ' -f 1
	)"
}

# for_cache packs a base, and says what the cache is to call it. The archive may have changed meanwhile.
for_cache() {
	[ "$(release_sums "$WORK/releases")" = "$(release_sums "$NOTES/now")" ] || return 0
	if tar -C "$WORK" --xattrs --xattrs-include='*' --numeric-owner -cf "$WORK/base.tar" rootfs releases; then
		echo "${cached##*/}" >"$WORK/base.name"
	fi
}

# keep_base, outside: the cache keeps the target's newest base, which takes its name when it is whole: builds may race.
keep_base() {
	[ -f "$WORK/base.name" ] || return 0
	name=$(cat "$WORK/base.name")
	case $name in
	*[!A-Za-z0-9._-]* | .*) return 0 ;;
	esac
	if ! { part=$(mktemp "$TOASTER_CACHE_DIR/part.XXXXXX") && mv -f "$WORK/base.tar" "$part" &&
		chown "$(id -u):$(id -g)" "$part" && chmod 644 "$part"; }; then
		say "base: the cache $TOASTER_CACHE_DIR could not keep it"
		return 0
	fi
	find "$TOASTER_CACHE_DIR" -maxdepth 1 -name "$TARGET-*.tar" -delete
	mv "$part" "$TOASTER_CACHE_DIR/$name"
	# What a build left that was stopped just here.
	find "$TOASTER_CACHE_DIR" -maxdepth 1 -name 'part.*' -mmin +600 -delete
}
release_sums() { sha256sum "$1"/* | cut -d ' ' -f 1 | sort; }

# The blend, sourced as the SDK would, in namespaces of its own: what it leaves running or mounted ends with it.
run_blend() {
	blend >"$WORK/job/app.blend"
	[ "$(sha256sum <"$WORK/job/app.blend" | cut -d ' ' -f 1)" = "$BLEND_SHA256" ] ||
		fail 7 "the blend in this script is not the expected one. Download the script again."
	watched zsh_blend || explain_blend
}

zsh_blend() {
	cd "$WORK/job" || return
	# shellcheck disable=SC2016 # zsh expands these
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb \
		TOASTER_BLEND_SHA256="$BLEND_SHA256" TOASTER_SANDBOX_ALLOW="${TOASTER_SANDBOX_ALLOW:-}" \
		TOASTER_BLOBS="${TOASTER_BLOBS:-}" TOASTER_IMAGES="${TOASTER_IMAGES:-}" TOASTER_REGISTRIES="${TOASTER_REGISTRIES:-}" \
		TOASTER_REGISTRY_AUTH="${TOASTER_REGISTRY_AUTH:-}" TOASTER_SECRETS="${TOASTER_SECRETS:-}" \
		TOASTER_CONTEXT="${TOASTER_CONTEXT:-}" \
		unshare --mount --pid --fork --kill-child --mount-proc zsh -f -c '
			R=$1 workdir=$1/job strapdir=$2 os=$3 release=$4 arch=$5
			source ./app.blend && blend_preinst && blend_postinst
		' toaster "$WORK" "$R" "$DISTRIBUTION" "$CODENAME" "$ARCH"
}

# finish_tree does in the tree what is done in those of the SDKs. Here `enter` makes namespaces with these ids.
finish_tree() {
	rm -rf "$WORK/finish"
	mkdir "$WORK/finish"
	{
		first
		last
		echo 'exit 0'
	} >"$WORK/finish/program"
	# shellcheck disable=SC2016 # zsh expands these
	zsh -f -c 'source $1/app.blend && toaster_tools $2 && exec zsh -f $2/enter $3 $2 zsh -f program -' toaster \
		"$WORK/job" "$WORK/finish" "$R" ||
		fail 1 "the file system can't be completed. See the lines above."
}

# newest_package prints the time of the youngest package, which the maintainers gave it: seconds since 1970.
newest_package() {
	without_links var/lib/dpkg/info 2>/dev/null || { echo 0; return; }
	find "$R/var/lib/dpkg/info" -name '*.md5sums' ! -newer "$WORK/started" -printf '%T@\n' 2>/dev/null |
		cut -d . -f 1 | sort -n | tail -n 1 | grep . || echo 0
}

# The same Dockerfile and the same packages give the same bytes. What differs from one build to the next:
#   times of files made by the build   → not after the youngest package's (or $SOURCE_DATE_EPOCH)
#   logs of dpkg and apt               → emptied
#   day of the last password change    → the day of that same time, where it is a day of this build
#   machine-id, SSH host keys          → taken away, so that each machine makes its own: see last.zsh
#   caches of ldconfig and apt         → removed; the next run makes them anew
#   /dev                               → empty; every kernel and container fills it
# What a Dockerfile makes at random or by the clock stays as it made it.
tidy() {
	EPOCH=${SOURCE_DATE_EPOCH:-$({ cat "$NOTES/epoch"; newest_package; } | sort -n | tail -n 1)}
	each empty var/log/dpkg.log var/log/alternatives.log var/log/bootstrap.log var/log/apt/history.log \
		var/log/apt/term.log var/log/apt/eipp.log.xz
	each remove_file var/cache/ldconfig/aux-cache var/cache/apt/pkgcache.bin var/cache/apt/srcpkgcache.bin
	each date_passwords etc/shadow etc/shadow-
	touch --no-dereference --date="@$EPOCH" "$R/dev"
}

# each ACTION FILE…: for those that are there.
each() {
	action=$1
	shift
	for file; do
		if in_image "$file"; then "$action" "$R/$file"; fi
	done
}

empty() { : >"$1"; }
remove_file() { rm -f "$1"; }
date_passwords() {
	awk -F : -v OFS=: -v from="$((STARTED / 86400))" -v to="$(($(date +%s) / 86400))" -v day="$((EPOCH / 86400))" \
		'$3 >= from && $3 <= to { $3 = day } { print }' "$1" >"$NOTES/passwords"
	cat "$NOTES/passwords" >"$1"
}

pack() {
	pack_tree "$R" "$WORK/dist/$IMAGE"
	oci_archive
}

# pack_tree FOLDER FILE: FILE is a layer of an OCI image as well, whose DIFF_ID is the checksum of what gzip gets.
pack_tree() {
	mkfifo "$NOTES/tar"
	sha256sum <"$NOTES/tar" >"$NOTES/sum" &
	summing=$!
	{
		code=0
		tar --create --directory="$1" --sort=name --format=posix --numeric-owner --one-file-system \
			--mtime="@$EPOCH" --clamp-mtime --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
			--xattrs --xattrs-include='*' --exclude='./dev/?*' . || code=$?
		echo "$code" >"$NOTES/code"
	} | tee "$NOTES/tar" | gzip -n -5 >"$2" || packing_failed
	[ "$(cat "$NOTES/code")" = 0 ] || packing_failed
	wait "$summing"
	DIFF_ID=sha256:$(cut -d ' ' -f 1 "$NOTES/sum")
	rm "$NOTES/tar"
}

packing_failed() { fail 5 "the image can't be packed; see the message of tar or gzip above. Most often the disk is full."; }

builder() { echo "mmdebstrap $(mmdebstrap --version | cut -d ' ' -f 2)"; }
more_provenance() {
	printf '  "releases": [%s],\n' "$(releases_json)"
	printf '  "source_date_epoch": %s,\n' "$(json_number "$EPOCH")"
	printf '  "oci_archive": {"path": %s, "size": %s, "sha256": %s, "manifest": %s},\n' "$(json "$TARGET.oci.tar")" \
		"$(stat -c %s "$TARGET.oci.tar")" "$(json "$(sha256sum <"$TARGET.oci.tar" | cut -d ' ' -f 1)")" "$(json "$DIGEST")"
}

# What the archive said of itself when the base was made, enough to find the same state again.
releases_json() {
	separator=
	for file in "$WORK/releases"/*; do
		[ -f "$file" ] || continue
		printf '%s{' "$separator"
		for key in Origin Suite Codename Version Date; do
			printf '"%s": %s, ' "$(printf '%s' "$key" | tr '[:upper:]' '[:lower:]')" \
				"$(json "$(sed -n "s/^$key: //p" "$file" | head -n 1)")"
		done
		printf '"sha256": %s}' "$(json "$(sha256sum <"$file" | cut -d ' ' -f 1)")"
		separator=', '
	done
}

explain_base() {
	if sign 'Failed to fetch|Could not|Temporary failure|Connection|Unable to connect'; then
		explain 4 "the package archive can't be reached, or is being updated. See its answer above, and try again later."
	fi
	explain 1 "mmdebstrap could not create the base system of %s for %s. Its last lines have the reason." "$CODENAME" "$ARCH"
}
