#!/bin/sh
# Made by toaster: what is changed here is overwritten. @MARK@
set -u
say() { printf 'toaster: %s\n' "$*"; }

# empty removes what is in the workspace, but not what the arguments of find(1) leave out. As a normal user it tries also as
# root, and as the root of a user namespace: what builds make there may belong to root, or to users that only exist in it.
empty() {
	for as in '' 'sudo -n' 'unshare --map-root-user --map-auto'; do
		# shellcheck disable=SC2086 # several words
		find . -mindepth 1 -maxdepth 1 "$@" -exec $as rm -rf --one-file-system -- {} + 2>"$complaints" && return
	done
	cat "$complaints"
	return 1
}

# is_script PID FOLDER: whether that process runs a build's script from that folder.
is_script() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2/script"; }

# A build whose agent or controller was killed goes on, in this very workspace: end it.
end_orphan() {
	[ -s "$running" ] && read -r old folder <"$running" && is_script "$old" "$folder" || return 0
	say "ends a build that was left running here."
	kill "$old"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		is_script "$old" "$folder" || break
		sleep 1
	done
	! is_script "$old" "$folder" || kill -s KILL -- "-$old"
	rm -rf "$folder"
}

command -v timeout >/dev/null || { say "this agent lacks timeout(1): install coreutils on it."; exit 1; }
cd "$WORKSPACE" || exit 1
running=$PWD@toaster
end_orphan
work=$(mktemp -d "${TMPDIR:-/tmp}/toaster.XXXXXXXX") || exit 1
complaints=$work/complaints
script=
# leave forgets this build's script, but not that of a next build that has begun already.
leave() {
	rm -rf "$work"
	[ "$(cat "$running" 2>/dev/null)" != "$script $work" ] || rm -f "$running"
}
trap leave EXIT
empty || { say "the workspace can't be emptied: remove $PWD on this agent."; exit 1; }
{
@SCRIPT@
} >"$work/script" || exit 1

begin=$(date +%s)
timeout -k 30 @SECONDS@ sh -c 'sh "$1"; echo $? >"$2"' toaster "$work/script" "$work/status" </dev/null &
script=$!
trap 'kill "$script" 2>/dev/null; wait "$script"; exit 143' HUP INT TERM
echo "$script $work" >"$running"
wait "$script"
ended=$?
if [ -s "$work/status" ]; then
	read -r status <"$work/status"
	[ "$status" -ne 124 ] || status=1
elif [ $(($(date +%s) - begin)) -ge @SECONDS@ ]; then
	say "this build ran longer than @LIMIT@ and was stopped."
	status=124
else
	say "this build was ended from outside (status $ended)."
	status=1
fi
if [ "$status" -eq 0 ]; then empty ! -name dist; else empty; fi
exit "$status"
