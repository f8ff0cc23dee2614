# ---------------------------------------------------------------------------------------------------
# What a build says: its marks are looked for in what it prints, and tell why it has failed.

# watched COMMAND…: runs it with its output shown, and keeps the lines that say where it stood and why it failed. Where it
# prints nothing for too long the build ends: see fell_silent.
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
		my $limit = $ENV{SILENCE_LIMIT};
		my $input = "";
		vec($input, fileno STDIN, 1) = 1;
		my $end = sub {
			$limit = 0 if $line =~ /^TOASTER-PHASE pack /; # which can take long, and is not the step any more
			if ($line =~ /^(TOASTER-STEP |TOASTER-FAILED |sdk: \(|sdk: \[E\](?! error in))/) {
				$marks{$1} = substr $line, 0, 300;
			} elsif ($line =~ /$ENV{SIGNS}/) {
				push @signs, substr $line, 0, 300;
				shift @signs if @signs > 20;
			}
			$line = "";
		};
		$line = "";
		while (1) {
			if ($limit) {
				my $ready = select my $got = $input, undef, undef, $limit;
				next if $ready < 0;
				if (!$ready) {
					open my $file, ">", "$ENV{WORK}/silent";
					print $file $marks{"TOASTER-STEP "} // "";
					close $file;
					kill "HUP", 1;
					sleep;
				}
			}
			sysread STDIN, my $new, 65536 or last;
			for (split /([\n\r])/, $new) {
				if (/^[\n\r]/) { $end->() } else { $line .= substr $_, 0, 4096 - length $line }
			}
		}
		$end->();
		print "$_\n" for values %marks, @signs;'
}
export SIGNS='No space left on device|Disk quota exceeded|Failed to fetch|Could not (resolve|connect)|Temporary failure resolving|Connection (refused|timed out)|Unable to connect|unable to resolve host|Failed getting release file|Couldn.t download'
sign() { grep -qaE "$1" "$NOTES/signs"; }

# explain CODE FORMAT ARGUMENT…: fails, with the disk or the network as the reason where that is it.
explain() {
	explain_free=$(free_mib "$WORK")
	[ "$explain_free" -ge 1 ] || disk_full
	if sign 'No space left on device|Disk quota exceeded' && [ "$explain_free" -lt "$NEED_MIB" ]; then
		disk_full
	fi
	if sign 'No space left on device' && no_inodes; then
		fail 5 "the disk is full: no more files can be created in %s." "$PLACE"
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
