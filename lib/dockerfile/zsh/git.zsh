# git_tree NUMBER REMOTE REF COMMIT FOLDER KEEP SUBMODULES TIMES: ADD of a Git repository; then it is in
# $WORK/inline/NUMBER/tree. The last three are yes or empty. Git is this host's, in a sandbox that has nothing of the
# host but its programs and certificates, as a user without rights.
git_tree() {
	local place=$WORK/inline/$1 ROOT=$SANDBOX/host one
	shift
	(( $+commands[git] )) || fail "this host lacks git, which fetches $1"
	local -a proxies=() mounts=(/git none $place rbind,nosuid)
	local -A environment=(PATH /usr/local/bin:/usr/bin:/bin HOME /git/home LC_ALL C GIT_CONFIG_NOSYSTEM 1
		GIT_CONFIG_GLOBAL /dev/null GIT_TEMPLATE_DIR /git/home GIT_TERMINAL_PROMPT 0 GIT_ALLOW_PROTOCOL http:https:git
		GIT_LFS_SKIP_SMUDGE 1 GIT_AUTHOR_NAME toaster GIT_AUTHOR_EMAIL toaster GIT_COMMITTER_NAME toaster
		GIT_COMMITTER_EMAIL toaster)
	for one in http_proxy https_proxy no_proxy; do
		[[ -z ${(P)one-} ]] || environment[$one]=${(P)one}
	done
	zf_mkdir -p -m 755 $place/home $place/tree $ROOT/etc && zf_chown 65534:65534 $place $place/home $place/tree ||
		fail 'cannot make a folder for the repository'
	for one in /usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc/ssl; do
		if [[ -L $one ]]; then
			[[ -L $ROOT$one ]] || zf_ln -s -- ${"$(readlink $one)"} $ROOT$one
		elif [[ -d $one ]]; then
			mounts+=($one none $one rbind,nosuid,ro)
		fi
	done
	run 65534:65534 /git/tree /bin/sh -c $git_script git "$@"
	chown -R -h 0:0 $place/tree || fail 'cannot give the repository to root'
}

# What runs there: as BuildKit has it, a branch goes before a tag, and only what is wanted of the history is fetched.
typeset -r git_script='
remote=$1 ref=$2 commit=$3 folder=$4 keep=$5 submodules=$6 times=$7
stop() { echo "git: $remote: $1"; exit 1; }
hash_of() { while read -r hash name; do [ "$name" != "$1" ] || { echo "$hash"; return; }; done </git/refs; }
only_hex() { case $1 in *[!0-9a-f]*) false ;; *) [ ${#1} = 40 ] || [ ${#1} = 64 ] ;; esac; }
git ls-remote --symref -- "$remote" >/git/refs || stop "it cannot be read"
grep -q . /git/refs || stop "it is empty"
if only_hex "$ref"; then
	hash=$ref name=$ref
elif [ -z "$ref" ]; then
	hash=$(hash_of HEAD)
	name=$(sed -n "s|^ref: \(refs/.*\)	HEAD\$|\1|p" /git/refs)
	name=${name:-HEAD}
else
	for name in "refs/${ref#refs/}" "refs/heads/${ref#refs/heads/}" "refs/tags/${ref#refs/tags/}"; do
		hash=$(hash_of "$name")
		[ -z "$hash" ] || break
	done
fi
[ -n "$hash" ] || stop "it has no branch, tag or commit ${ref:-HEAD}"
case $hash in
"$commit"*) ;;
*) case $(hash_of "$name^{}") in
	"$commit"?*) ;;
	*) stop "$name is $hash, not $commit" ;;
	esac ;;
esac
format=sha1
[ ${#hash} = 40 ] || format=sha256
git -c init.defaultBranch=master init -q --object-format=$format && git remote add origin "$remote" || exit
if only_hex "$name"; then
	git fetch -q --depth=1 --no-tags origin "$name" 2>/git/error ||
		git fetch -q --tags origin "+refs/heads/*:refs/remotes/origin/*" || stop "it cannot be fetched"
	git rev-parse -q --verify "$name^{commit}" >/git/error || stop "it has no commit $name"
else
	case $name in
	refs/*) git fetch -q -u --depth=1 --no-tags origin "+$name:$name" ;;
	*) git fetch -q --depth=1 --no-tags origin "$name" ;;
	esac || stop "it cannot be fetched"
	[ "$(git rev-parse FETCH_HEAD)" = "$hash" ] || stop "$name has changed meanwhile: build again"
fi
git -c advice.detachedHead=false checkout -q --detach "$hash" || stop "it cannot be checked out"
if [ -n "$submodules" ] && [ -f .gitmodules ]; then
	git submodule --quiet update --init --recursive --depth=1 || stop "its submodules cannot be fetched"
fi
part=.
while [ -n "${folder#/}" ]; do
	folder=${folder#/}
	part=$part/${folder%%/*}
	[ -d "$part" ] && [ ! -L "$part" ] || stop "it has no folder ${part#./}"
	case $folder in */*) folder=${folder#*/} ;; *) folder= ;; esac
	keep=
done
when=$(git log -1 --format=%ct)
if [ -z "$keep" ]; then
	find . -name .git -prune -exec rm -rf {} +
else
	git reflog expire --all --expire=now && rm -f .git/FETCH_HEAD
fi
[ -z "$times" ] || find . -exec touch -h -d "@$when" {} +
'
