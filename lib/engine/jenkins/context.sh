# The files that the script needs beside it: an archive of the site's, which is fetched once for an agent that has
# TOASTER_CACHE_DIR, and each time for any other.
archive=@ARCHIVE@ bytes=@CONTEXT_BYTES@ digest=@DIGEST@ site=@SITE@
size=@CONTEXT_SIZE@
cache_most=10737418240
give_up=@GIVE_UP@

# address: it is a secret, which appears in no log and no list of processes.
address() {
	cat <<'TOASTER-END-OF-ADDRESS'
@ADDRESS@
TOASTER-END-OF-ADDRESS
}

size_of() { stat -c %s -- "$1" 2>/dev/null || echo 0; }
free_bytes() { df -Pk -- "$1" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }'; }
mib() { echo $((($1 + 1048575) / 1048576)); }

# fetch: one try to get what $part lacks. $answer is the server's status, and $said what went wrong.
fetch() {
	if command -v curl >/dev/null; then
		address | sed 's/.*/url = "&"/' | curl -K - --fail --silent --show-error --location --proto =http,https --continue-at - \
			--connect-timeout 20 --speed-limit 1024 --speed-time 60 --max-time "$1" --output "$part" --write-out '%{http_code}' \
			>"$work/answer" 2>"$complaints" &
	else
		address | timeout "$1" wget --quiet --server-response --continue --tries=1 --timeout=60 --output-document="$part" \
			--input-file=- 2>"$complaints" >/dev/null &
	fi
	fetching=$!
	wait "$fetching"
	fetched=$?
	fetching=''
	if [ -e "$work/answer" ]; then
		answer=$(cat "$work/answer")
	else
		answer=$(awk '$1 ~ /^HTTP\// { code = $2 } END { print code }' "$complaints")
		[ "$fetched" = 0 ] || echo "wget: exit code $fetched" >"$complaints"
	fi
	# A server that knows no parts, or has fewer bytes than are here: from the beginning.
	case $fetched/$answer in
	33/* | */416) rm -f -- "$part" ;;
	esac
	said=$(sed -n "\$ { s|$(address | sed 's/[].[\*^$|]/\\&/g')|$site|; p; }" "$complaints")
	return "$fetched"
}

# whole FILE: whether it is the archive, to the last byte.
whole() {
	perl -e '
		require Digest::SHA;
		my ($file, $bytes, $digest) = @ARGV;
		sub wrong { print STDERR "@_\n"; exit 1 }
		open my $in, "<:raw", $file or wrong("$!");
		-s $in == $bytes or wrong("it has " . (-s $in) . " bytes, not $bytes");
		my ($members, $head) = (0, "");
		while ((read($in, $head, 512) // 0) == 512 && $head ne "\0" x 512) {
			my ($name, $field, $left) = (unpack("Z100", $head), substr($head, 124, 12), 0);
			if (ord($field) == 0x80) {
				$left = $left * 256 + $_ for unpack "x4 C8", $field;
			} else {
				$field =~ /^([0-7]+)\0\z/ or wrong("it is damaged at $members");
				$left = oct $1;
			}
			my ($sha, $skip) = (Digest::SHA->new(256), -$left % 512);
			while ($left > 0) {
				my $n = read($in, my $text, $left > 1 << 20 ? 1 << 20 : $left) or wrong("it is cut off");
				$sha->add($text);
				$left -= $n;
			}
			seek $in, $skip, 1;
			my $sum = $sha->hexdigest;
			$name eq ($members++ ? "blobs/$sum" : "manifest") && ($members > 1 || $sum eq $digest)
				or wrong("$name has the SHA-256 $sum");
		}
		$members && tell($in) == $bytes - 512 or wrong("it is damaged after $members files");' "$1" "$bytes" "$digest" 2>"$complaints"
}

# make_room BYTES: removes what was used longest ago, where this would be too much or the disk has no room for it. What
# a build uses is locked.
make_room() {
	if [ -n "$cache" ]; then
		find "$cache" -maxdepth 1 -type f \( -name '*.tar' -o -name '*.part' \) -printf '%T@ %s %f\n' | sort -n >"$work/cached"
		used=$(awk '{ n += $2 } END { printf "%.0f", n }' "$work/cached")
		while read -r _ one name; do
			[ $((used + $1)) -gt $cache_most ] || [ "$(free_bytes "$cache")" -lt "$1" ] || break
			name=${name%.*}
			[ "$name" = "$archive" ] || ! flock --nonblock "$cache/$name.lock" \
				rm -f -- "$cache/$name.tar" "$cache/$name.part" "$cache/$name.lock" 9>&- || used=$((used - one))
		done <"$work/cached"
	fi
	[ "$(free_bytes "${part%/*}")" -ge "$1" ] || fail "the disk of this agent is full: %s MiB are free in %s. The build context needs %s MiB." \
		"$(($(free_bytes "${part%/*}") / 1048576))" "${part%/*}" "$(mib "$1")"
}

# download: makes $part the whole archive.
download() {
	begin=$(date +%s) pause=1 wrong=0
	say "fetching the build context ($size) from $site."
	while :; do
		have=$(size_of "$part")
		if [ "$have" = "$bytes" ] && whole "$part"; then
			return
		elif [ "$have" -ge "$bytes" ]; then
			wrong=$((wrong + 1))
			[ $wrong -lt 3 ] || fail "the build context from %s is damaged: %s." "$site" "$(cat "$complaints")"
			rm -f -- "$part"
			have=0
		fi
		make_room $((bytes - have))
		left=$((give_up - ($(date +%s) - begin)))
		[ $left -gt 0 ] || fail "the build context can't be fetched from %s: %s. Check that this agent can reach the site: its address, its certificate, proxies and firewalls." \
			"$site" "${said:-too slow}"
		if fetch "$left" && [ "$(size_of "$part")" -ge "$bytes" ]; then
			continue
		fi
		case $answer in
		401 | 403 | 404 | 405) fail "%s no longer knows the address of this build context. Save the job, and start it again." "$site" ;;
		410) fail "%s has no build that needs this build context, or lost its files. Start the job again. If that does not help, upload the context again." "$site" ;;
		esac
		[ "$(size_of "$part")" -le "$have" ] || pause=1
		[ "$(size_of "$part")" -lt "$bytes" ] || continue
		say "the build context is not here yet: ${said:-the connection ended}. Next try in $pause s."
		sleep $pause &
		fetching=$!
		wait "$fetching"
		[ $((pause *= 2)) -le 30 ] || pause=30
	done
}

# lock HOW: locks the archive's place in the cache, as long as this build runs. It fails where the place is another now.
lock() {
	flock "$1" --nonblock 9 || say "waiting for another build on this agent, which is fetching the build context."
	flock "$1" --wait $give_up 9 || fail "another build on this agent is still fetching the build context. Start the job again."
	[ "$(stat -L -c %d:%i /dev/fd/9)" = "$(stat -c %d:%i -- "$cache/$archive.lock" 2>/dev/null)" ]
}

# from_cache: makes $context the archive in the cache, which stays there while this build runs.
from_cache() {
	context=$cache/$archive.tar part=$cache/$archive.part fresh=''
	while :; do
		exec 9>>"$cache/$archive.lock"
		lock --shared || continue
		if [ -e "$context" ] && { [ -n "$fresh" ] || whole "$context"; }; then
			[ -n "$fresh" ] || say "the build context ($size) is on this agent already."
			touch -c -- "$context"
			return
		elif [ -e "$context" ]; then
			say "the build context on this agent is damaged: $(cat "$complaints"). It is fetched again."
			rm -f -- "$context" "$cache/$archive.lock"
			continue
		fi
		if ! lock --exclusive || [ -e "$context" ]; then
			continue
		fi
		download
		mv -f -- "$part" "$context" || fail "the cache %s of this agent is not writable; see the lines above." "$cache"
		fresh=yes
	done
}

perl -MDigest::SHA -e 1 2>/dev/null || fail "this agent lacks %s. As root, install it: apt-get install %s" "perl's module Digest::SHA" perl
command -v curl >/dev/null || command -v wget >/dev/null ||
	fail "this agent lacks %s. As root, install it: apt-get install %s" curl curl
trap 'kill $fetching 2>/dev/null; exit 143' HUP INT TERM
fetching='' answer='' said=''
cache=${TOASTER_CACHE_DIR:+$TOASTER_CACHE_DIR/contexts}
if [ -n "$cache" ] && (umask 077 && mkdir -p -- "$cache" && : >>"$cache/$archive.lock") 2>"$complaints"; then
	from_cache
else
	[ -z "$cache" ] || say "TOASTER_CACHE_DIR can't be used: $(cat "$complaints")."
	cache='' context=$work/context.tar part=$work/context.tar
	download
fi
export TOASTER_CONTEXT="$context"
