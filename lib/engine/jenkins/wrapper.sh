#!/bin/sh
# Made by toaster: what is changed here is overwritten. @MARK@
set -u
say() { printf 'toaster: %s\n' "$*"; }

# fail FORMAT ARGUMENT…: this status tells that the build has failed by itself. With any other Jenkins, or its agent, has ended it.
fail() {
	fail_format=$1
	shift
	printf 'TOASTER-WHY %s' "$fail_format"
	for fail_word; do printf '\t%s' "$fail_word"; done
	# shellcheck disable=SC2059 # it is a format
	printf "\ntoaster: failed: $fail_format\n" "$@"
	exit @FAILED@
}

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

# limit BYTES PID FULL OVER: passes on at once what a build prints, until that is too much: then it ends that process,
# makes the file FULL, and drops the rest. When OVER is there, the build has ended: others' last words get half a minute.
limit() {
	# shellcheck disable=SC2016 # perl's
	exec perl -e '
		my ($left, $pid, $full, $over) = @ARGV;
		$SIG{TERM} = "IGNORE";
		$| = 1;
		my $end;
		until ($end && time > $end) {
			$end ||= time + 35 if -e $over;
			vec(my $ready, 0, 1) = 1;
			select($ready, undef, undef, 1) > 0 or next;
			my $got = sysread(STDIN, my $new, 65536) or last;
			next if $left < 0;
			print substr $new, 0, $left or exit;
			if (($left -= $got) < 0) {
				open my $note, ">", $full;
				kill "TERM", $pid;
			}
		}' "$@"
}

for tool in timeout:coreutils perl:perl-base; do
	command -v "${tool%:*}" >/dev/null || fail "this agent lacks %s. As root, install it: apt-get install %s" "${tool%:*}" "${tool#*:}"
done
cd "$WORKSPACE" || fail "this agent has no folder %s." "$WORKSPACE"
running=$PWD@toaster
end_orphan
work=$(mktemp -d "${TMPDIR:-/tmp}/toaster.XXXXXXXX") || fail "the temporary folder of this agent is not writable; see the message of mktemp above."
complaints=$work/complaints
script=
# leave forgets this build's script, but not that of a next build that has begun already.
leave() {
	rm -rf "$work"
	[ "$(cat "$running" 2>/dev/null)" != "$script $work" ] || rm -f "$running"
}
trap leave EXIT
empty || fail "the workspace of this agent can't be emptied: delete %s there." "$PWD"
{
@SCRIPT@
} >"$work/script" && mkfifo "$work/output" || fail "the temporary folder of this agent is not writable; see the lines above."
@CONTEXT@
begin=$(date +%s)
timeout -k 30 @SECONDS@ sh -c 'sh "$1"; echo $? >"$2"' toaster "$work/script" "$work/status" \
	</dev/null >"$work/output" 2>&1 9>&- &
script=$!
limit @BYTES@ "$script" "$work/full" "$work/over" <"$work/output" 9>&- &
limiter=$!
trap 'kill "$script" 2>/dev/null; wait "$script"; exit 143' HUP INT TERM
echo "$script $work" >"$running"
wait "$script" 2>/dev/null
ended=$?
: >"$work/over"
wait "$limiter"
status=
[ ! -s "$work/status" ] || read -r status <"$work/status"
if [ "$status" = 0 ]; then
	empty ! -name dist
	exit 0
fi
empty
if [ -e "$work/full" ]; then
	echo
	fail "stopped: the log exceeded %s." "@MOST@"
elif [ -z "$status" ] && [ $(($(date +%s) - begin)) -ge @SECONDS@ ]; then
	fail "timed out after %s." "@LIMIT@"
elif [ "${status:-143}" -gt 128 ]; then
	say "this build was ended from outside (exit code ${status:-$ended})."
	exit 1
fi
exit @FAILED@
