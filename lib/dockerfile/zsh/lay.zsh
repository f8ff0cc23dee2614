# COPY's batches: a survey in Perl, and tar.

# carry SOURCE TO [OPTION…]: copies what $WORK/list names, with its owners, modes, hard links and attributes, or those that are given.
carry() {
	local from=$1 to=$2
	shift 2
	[[ -s $WORK/list ]] || return 0
	[[ -n $into_owner ]] && set -- "$@" --owner=x:${into_owner%:*} --group=x:${into_owner#*:}
	# as often for folders as for files: a folder's set-id bits stay unless the mode has five digits
	[[ -n $into_mode ]] && set -- "$@" --mode=${into_mode/#%(#m)[0-7]##/${(l:5::0:)MATCH}}
	tar -C $from --null --no-unquote --no-recursion -T $WORK/list "$@" --numeric-owner --xattrs --xattrs-include='*' -cf - 2>$WORK/errors |
		tar -C $to -xpf - --numeric-owner --same-owner --xattrs --xattrs-include='*' 2>>$WORK/errors ||
		{ guard <$WORK/errors; shown $to; fail "cannot copy to ${REPLY:-/}" }
}

# lay_tree SOURCE TO [PREFIX TOP]: the contents of a folder, into a folder that is there. TOP and PREFIX are where it began, and what of
# the source led here.
lay_tree() {
	local one top=${4:-$2}
	local -a patterns elsewhere
	shown $2
	for (( one = 1; one <= $#exclude_re; one++ )); do patterns+=($exclude_re[one] $exclude_not[one]); done
	survey $1 $2 "$REPLY" "$3" $replacing "${include_re[1]-}" $patterns || fail ''
	elsewhere=("${(0@)"$(<$WORK/elsewhere)"}")
	carry $1 $2
	for one in ${elsewhere:#}; do	# where the archive does not name the folder, its files go through the link
		inside $top ${2#$top}/$one	# as in a chroot of the destination
		[[ -d $REPLY ]] || { shown $2/$one; fail "cannot unpack to $REPLY: it is a link that leads to no folder" }
		lay_tree $1/$one $REPLY $3$one/ $top
	done
}

# survey SOURCE TO SHOWN PREFIX REPLACING INCLUDE [EXCLUDE NOT]…: looks at all that is to be copied from a folder to another, which
# SHOWN is for people, and makes room for it. What tar is to copy goes to $WORK/list, folders that a link in the tree leads from to
# $WORK/elsewhere. REPLACING is 1 for an archive that names the folders in $WORK/explicit, each of them below PREFIX. (It is Perl as
# zsh takes a hundred times as long.)
survey() {
	perl -e '
		use strict;
		my ($source, $to, $into, $prefix, $replacing, $include, @patterns) = @ARGV;
		my (@except, %explicit, @above, $made);
		push @except, [qr/@{[anchored(shift @patterns)]}/s, shift @patterns] while @patterns;
		my ($included, $negated) = ($include ne "" && qr/@{[anchored($include)]}/s, scalar grep { $_->[1] } @except);
		if ($replacing) {
			open(my $names, "<", "explicit") or stop("cannot read: $!");
			local $/ = "\0";
			while (<$names>) { chomp; $explicit{$_} = 1 }
		}
		open(my $list, ">", "list") && open(my $elsewhere, ">", "elsewhere") or stop("cannot write: $!");
		walk("", "", 0);
		close($list) && close($elsewhere) or stop("cannot write: $!");

		sub anchored { my $re = shift; $re =~ s/\$$/\\z/; $re }
		sub stop { print "toaster: $_[0]\n"; exit 1 }
		sub named { $explicit{"."} || $explicit{"$prefix$_[0]"} }

		# Do the patterns name it? $seen has a digit for each pattern: whether it names the folder; it becomes what to say of its children.
		sub excluded {
			my ($path, $seen) = @_;
			my ($matched, $mine) = (0, "");
			for my $i (0 .. $#except) {
				my ($re, $not) = @{$except[$i]};
				my $one = substr($seen, $i, 1) || ($not == $matched && $path =~ $re ? 1 : 0);
				$mine .= $one;
				$matched = !$not || 0 if $one;
			}
			return ($matched, $mine);
		}

		# The folders that lead to what is copied. One that is wanted for itself has its owner and mode copied even if it was there.
		sub arrive {
			my $wanted = shift;
			while ($made < @above) {
				my $one = $above[$made++];
				my $is_new = !lstat("$to/$one");
				if (!$is_new && !-d _) {
					$replacing or stop("cannot copy to non-directory: $into/$one");
					unlink("$to/$one") or stop("cannot replace $into/$one: $!");
					$is_new = 1;
				}
				!$is_new || mkdir("$to/$one") or stop("cannot make $into/$one: $!");
				next if $replacing && !$is_new && !named($one);
				print $list "$one\0" if $is_new || $replacing || $wanted && $made == @above;
			}
		}

		sub clear {
			my $path = shift;
			lstat("$to/$path") or return;
			if (-d _) {
				$replacing or stop("cannot replace the directory $into/$path with a file");
				system("rm", "-rf", "--", "$to/$path") == 0 or stop("cannot replace $into/$path");
			} else {
				unlink("$to/$path") or stop("cannot replace $into/$path: $!");
			}
		}

		sub walk {
			my ($folder, $seen, $in) = @_;
			opendir(my $d, $folder eq "" ? $source : "$source/$folder") or stop("cannot read $folder: $!");
			my @names = sort grep { $_ ne "." && $_ ne ".." } readdir($d);
			closedir($d);
			for my $name (@names) {
				my $path = $folder eq "" ? $name : "$folder/$name";
				my ($out, $mine) = excluded($path, $seen);
				my ($wanted, $within) = (!$out, $in);
				if ($included && !$in) { ($path =~ $included) ? ($within = 1) : ($wanted = 0) }
				lstat("$source/$path") or stop("cannot read $path: $!");
				if (-d _) {
					if ($replacing && !named($path) && -l "$to/$path") {
						print $elsewhere "$path\0";
						next;
					}
					push @above, $path;
					arrive(1) if $wanted;
					walk($path, $mine, $within) if $wanted || $included || $negated;
					pop @above;
					$made = @above if $made > @above;
				} elsif ($wanted) {
					if (-b _ || -c _) {
						"$into/$path" =~ m{^/dev/} or stop("$into/$path: a device cannot be copied: the build makes none");
						print "toaster: $into/$path is left out: the kernel makes the devices of /dev\n";
						next;
					}
					arrive(0);
					clear($path);
					print $list "$path\0";
				}
			}
		}
	' "$@"
}
