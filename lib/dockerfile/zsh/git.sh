# What runs in the sandbox, with the arguments of git_tree behind NUMBER: as BuildKit has it, a branch goes before a tag,
# and only what is wanted of the history is fetched. The commit is in /git/commit then.
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
git rev-parse HEAD >/git/commit || exit
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
