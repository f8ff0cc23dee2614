# This file is a blend for the Devuan SDK (live-sdk, vm-sdk, arm-sdk, of 2018 or of today): load it, or source it after `load`.
# It customises a root filesystem as a Dockerfile says. It needs nothing but itself and a Debian or Devuan host with
# zsh, perl, tar, util-linux, crun or runc, slirp4netns and iproute2. Without the SDK:
# strapdir=/path/to/rootfs; source this; blend_postinst.

# The stamp in the image names this file by its checksum. It is known by the name it is sourced from, unless it is given.
if [[ -z ${TOASTER_BLEND_SHA256-} ]]; then
	typeset -g TOASTER_BLEND_SHA256=$toaster_blend
	() {
		emulate -L zsh -o no_err_exit -o no_err_return -o unset
		trap - ZERR
		[[ -f $1 && -r $1 ]] && grep -qsx -m1 "toaster_blend=$toaster_blend" -- $1 || return 0
		local sum=$(sha256sum < $1)
		TOASTER_BLEND_SHA256=${sum%% *}
	} ${(%):-%x}
fi

blend_preinst() {
	(( $+functions[fn] )) && fn blend_preinst
	return 0
}

# toaster_tree prints the tree that is in the artifact at this moment: the newest vm-sdk and arm-sdk have
# copied strapdir into the mounted image before they call blend_postinst.
toaster_tree() {
	if [[ -n ${workdir-} ]] && mountpoint -q -- $workdir/mnt && [[ ${libdevuansdk_version-} != 1.* ]]; then
		print -r -- $workdir/mnt
	else
		print -r -- ${strapdir-}
	fi
}

toaster_ready() {
	local tool
	for tool in unshare nsenter setpriv mount tar perl mktemp base64 sha256sum cp; do
		(( $+commands[$tool] )) || { print -ru2 -- "toaster: this host lacks $tool"; return 1 }
	done
	[[ -d $1 && ${1:A} != / ]] || { print -ru2 -- "toaster: no tree to work on: '$1'"; return 1 }
}

blend_postinst() {
	emulate -L zsh -o no_err_exit -o no_err_return -o unset
	trap - ZERR
	(( $+functions[fn] )) && fn blend_postinst
	local PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
	rehash
	local tree=$(toaster_tree) work place
	toaster_ready "$tree" || return 1
	tree=${tree:A}
	for place in "${workdir-}" "${TMPDIR-}" /var/tmp /tmp; do	# outside the tree, or it would be in the image
		[[ -n $place && -d $place && ${place:A}/ != $tree/* ]] && break
	done
	work=$(mktemp -d -- ${place:A}/toaster.XXXXXXXX) || return 1
	(( $+functions[notice] )) && notice "toaster: building in $tree"

	local TOASTER_CONTEXT=${TOASTER_CONTEXT:+${TOASTER_CONTEXT:a}}
	(( $+functions[toaster_reader] )) || TOASTER_CONTEXT=''
	local -a root keep
	local name
	(( EUID )) && root=(sudo)
	# The proxies are for ADD of a URL only; RUN never sees them.
	for name in http_proxy https_proxy no_proxy HTTPS_PROXY NO_PROXY TOASTER_IDS TOASTER_SANDBOX_ALLOW \
		TOASTER_CACHE_DIR TOASTER_BLOBS TOASTER_IMAGES TOASTER_REGISTRIES TOASTER_REGISTRY_AUTH TOASTER_SECRETS \
		TOASTER_CONTEXT; do
		[[ -n ${(P)name-} ]] && keep+=("$name=${(P)name}")
	done
	toaster_unpack $work && $root env -i PATH=$PATH LC_ALL=C SHELL=/bin/sh $keep \
		zsh -f $work/enter $tree $work zsh -f builder $TOASTER_BLEND_SHA256 </dev/null
	integer failed=$?
	$root rm -rf --one-file-system -- $work
	(( failed )) && print -ru2 -- "toaster: the build failed"
	return $failed
}
