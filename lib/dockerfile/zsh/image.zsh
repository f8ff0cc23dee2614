# Roots of images from a registry. What comes from there is fetched in the network of RUN, and its layers are unpacked
# by a process whose root is the folder that they go to.

typeset -r BLOBS=${TOASTER_BLOBS:-$WORK/blobs}	# layers as they were fetched, by digest; other builds use them, too
typeset -A layer_file	# by a layer's digest: below BLOBS, or below TOASTER_IMAGES, which is an OCI image layout

# An image is REFERENCE BYTES LAYER…: its name with the digest of the manifest, what no layer is larger than, and its
# layers, the lowest first, each as sha256:HEX.

# unpack_image FOLDER IMAGE: makes a root of layers that were fetched.
unpack_image() {
	local to=$1 reference=$2 one
	shift 3
	[[ -d $to ]] || zf_mkdir -m 755 $to || fail 'cannot make a folder for the image'
	for one in "$@"; do
		unpack_layer $layer_file[$one] $to || fail "$reference: its layer $one cannot be unpacked"
	done
}

# unknown_image NAME ends a build whose image was not found.
unknown_image() { fail "the image $1 has not been looked up in its registry: look it up again" }

# fetch_layers IMAGE: then layer_file has its layers, and they are what their digests say.
fetch_layers() {
	local reference=$1 one
	integer most=$2
	shift 2
	local -a lacking=("$@")
	keep_whole
	(( $#lacking )) || return 0
	(( $+commands[skopeo] )) || fail "this host lacks skopeo, which fetches images from registries"
	connect
	registries
	local -a account=(--src-no-creds)
	if [[ -s $WORK/registry.auth ]]; then
		account=(--src-authfile $WORK/registry.auth)
	elif [[ -n $TOASTER_REGISTRY_AUTH ]]; then
		mark "toaster: $TOASTER_REGISTRY_AUTH cannot be read: images are fetched without an account"
	fi
	mark "toaster: fetching $reference"
	local new=$(mktemp -d $BLOBS/fetch.XXXXXX)
	# A registry can send more than it has said.
	( ulimit -f $(( most / 512 + 2048 )) && HOME=$new nsenter --net=$network skopeo --insecure-policy \
		--registries-conf $WORK/registries.conf --tmpdir $new copy --quiet --remove-signatures --retry-times 2 $account \
		--dest-oci-accept-uncompressed-layers --dest-shared-blob-dir $BLOBS \
		docker://$reference oci:$new:image ) </dev/null 2>&1 | guard
	integer code=$pipestatus[1]
	zf_rm -rf $new
	(( code )) && fail "cannot fetch $reference"
	keep_whole
	(( ! $#lacking )) || fail "$reference: the registry's layer $lacking[1] is not the one that was locked"
}

# keep_whole takes from lacking what is there already; what is damaged in BLOBS goes.
keep_whole() {
	local one file sum
	local -a still=()
	zf_mkdir -p -m 755 $BLOBS/sha256 || fail 'cannot make a folder for layers'
	for one in ${(u)lacking}; do
		layer_file[$one]=
		for file in ${TOASTER_IMAGES:+$TOASTER_IMAGES/blobs/sha256/${one#sha256:}} $BLOBS/sha256/${one#sha256:}; do
			[[ -f $file ]] || continue
			sum=$(sha256sum <$file)
			[[ ${sum%% *} == ${one#sha256:} ]] && { layer_file[$one]=$file; break }
		done
		[[ -n $layer_file[$one] ]] && { touch -c -- $file 2>/dev/null; continue }
		zf_rm -f $BLOBS/sha256/${one#sha256:}
		still+=($one)
	done
	lacking=($still)
}

# registries writes where images are fetched: TOASTER_REGISTRIES is words NAME=[http://]HOST[:PORT][/PATH], places that
# are asked, in their order, before the registry that an image's name begins with.
registries() {
	local one name place
	local -aU names=(${${=TOASTER_REGISTRIES}%%=*})
	for one in ${=TOASTER_REGISTRIES}; do
		place=${${one#*=}#http://}
		[[ ${one%%=*} == [][A-Za-z0-9._:/-]## && $place == [][A-Za-z0-9._:/-]## ]] ||
			fail "TOASTER_REGISTRIES: $one is not NAME=HOST or NAME=http://HOST"
	done
	{
		print 'unqualified-search-registries = []'
		for name in $names; do
			print -r -- "[[registry]]"
			print -r -- "prefix = \"$name\""
			print -r -- "location = \"$name\""
			[[ " $TOASTER_REGISTRIES " != *" $name=http://$name "* ]] || print 'insecure = true'
			for one in ${(M)${=TOASTER_REGISTRIES}:#$name=*}; do
				place=${one#*=}
				[[ $place == http://$name ]] && continue
				print -r -- "[[registry.mirror]]"
				print -r -- "location = \"${place#http://}\""
				[[ $place != http://* ]] || print 'insecure = true'
			done
		done
	} >$WORK/registries.conf
}

# forget_account: all is fetched.
forget_account() { zf_rm -f $WORK/registry.auth }

# unpack_layer FILE FOLDER
unpack_layer() {
	local begin
	local -a open=(cat)
	sysread -s 4 begin <$1
	case $begin in
	($'\x1f\x8b'*) open=(gzip -dc) ;;
	($'\x28\xb5\x2f\xfd') open=(zstd -dcq)
		(( $+commands[zstd] )) || fail 'this host lacks zstd, which this layer is packed with' ;;
	esac
	$open <$1 2>$WORK/errors | apply_layer $2
	local -a codes=($pipestatus)
	[[ $codes == '0 0' ]] && return
	(( codes[2] )) || mark 'toaster: its compressed data are damaged'
	return 1
}

# apply_layer FOLDER unpacks a layer of an image, which is on standard input, onto the layers below it.
# https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md. What it says is printed; it follows no path of
# the layer outside of FOLDER, as FOLDER is its root.
apply_layer() {
	perl -e '
		use strict;
		use POSIX ();

		
		my $lsetxattr = length(pack("p", "")) == 4 ? 227 : { x86_64 => 189, ppc64le => 210 }->{(POSIX::uname())[4]} // 6;
		my (%unpacked, @folders);
		binmode STDIN;
		chdir $ARGV[0] and chroot "." or stop("its folder cannot be entered: $!");
		umask 0;
		$| = 1;

		sub stop { my $text = "toaster: $_[0]"; $text =~ s/[[:cntrl:]]/ /g; print "$text\n"; exit 1 }

		# take LENGTH, CODE: gives as many bytes of the layer to CODE, in parts.
		sub take {
			my ($left, $to) = @_;
			while ($left > 0) {
				my $n = read STDIN, my $part, $left > 1 << 20 ? 1 << 20 : $left;
				$n or stop("the layer ends too early");
				$to->($part);
				$left -= $n;
			}
		}

		sub contents {
			my $size = shift;
			my $all = "";
			$size <= 1 << 20 or stop("the header of an entry is too long");
			take($size, sub { $all .= $_[0] });
			take(-$size % 512, sub {});
			return $all;
		}

		sub number {
			my $field = shift;
			if (ord($field) & 0x80) {
				my ($n, @bytes) = (0, unpack("C*", $field));
				$bytes[0] & 0x40 and stop("an entry has a negative number");
				$bytes[0] &= 0x3f;
				$n = $n * 256 + $_ for @bytes;
				$n < 2**53 or stop("an entry has a number that is too large");
				return $n;
			}
			$field =~ s/^[ \0]+//;
			$field =~ s/[ \0].*//s;
			$field =~ /^[0-7]*\z/ or stop("the layer is no archive in the format tar");
			return oct($field || 0);
		}

		sub text { my $field = shift; $field =~ s/\0.*//s; $field }

		sub remove {
			my $path = shift;
			lstat $path or return;
			if (-d _) {
				remove("$path/$_") for names($path);
				rmdir $path or stop("$path cannot be removed: $!");
			} else {
				unlink $path or stop("$path cannot be removed: $!");
			}
		}

		sub names {
			opendir my $d, $_[0] or stop("$_[0] cannot be read: $!");
			return grep { $_ ne "." && $_ ne ".." } readdir $d;
		}

		sub identity { join ":", (lstat $_[0])[0, 1] }

		# An opaque folder hides what the layers below have in it.
		sub hide {
			for my $one (map { "$_[0]/$_" } names($_[0])) {
				if ($unpacked{identity($one)}) { hide($one) if -d _ } else { remove($one) }
			}
		}

		# parents PATH: makes the folders that PATH is in, as far as they are missing.
		sub parents {
			my $path = "";
			for my $part (split m{/}, $_[0] =~ s{/[^/]*\z}{}r) {
				$path .= "/$part";
				next if stat $path;
				lstat $path and stop("$path is a link that leads nowhere, and something is to be below it");
				mkdir $path, 0755 or stop("$path cannot be made: $!");
			}
		}

		sub clean {
			my @parts;
			for (split m{/}, $_[0]) {
				next if $_ eq "" || $_ eq ".";
				if ($_ eq "..") { pop @parts } else { push @parts, $_ }
			}
			return "/" . join "/", @parts;
		}

		# A file with holes: where its data belong, as offset and length, offset and length …
		# https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
		my $most = 100_000;

		sub wrong_map { stop("the map of the holes of $_[0] is wrong") }

		# parts_of_header HEADER: of the kind S, which further blocks may follow.
		sub parts_of_header {
			my ($block, $count, @parts) = (substr($_[0], 386), 4);
			while (1) {
				my @fields = unpack "(a12)" . 2 * $count, $block;
				while (my ($at, $n) = splice @fields, 0, 2) {
					last if $n =~ /^\0/;
					push @parts, number($at), number($n);
				}
				return @parts if substr($block, 24 * $count, 1) =~ /[\0]/;
				@parts <= 2 * $most or stop("an entry has more than $most holes");
				$block = "";
				take(512, sub { $block .= $_[0] });
				$count = 21;
			}
		}

		# parts_of_data PATH, \SIZE: of the format 1.0, where they stand before the data.
		sub parts_of_data {
			my ($path, $size, $text, @all) = (@_, "");
			while (!@all || @all <= 2 * $all[0]) {
				if ($text =~ s/^(\d{1,16})\n//) {
					push @all, $1;
					$all[0] <= $most or stop("$path has more than $most holes");
				} else {
					length $text < 17 && ($$size -= 512) >= 0 or wrong_map($path);
					take(512, sub { $text .= $_[0] });
				}
			}
			return @all[1 .. $#all];
		}

		# check_parts PATH, REAL SIZE, SIZE IN THE LAYER, PART…: what could be read in two ways is refused.
		sub check_parts {
			my ($path, $real, $size, @parts) = @_;
			@parts <= 2 * $most or stop("$path has more than $most holes");
			@parts % 2 == 0 && !grep({ !/^\d{1,16}\z/ } $real, @parts) or wrong_map($path);
			$real <= 1 << 36 or stop("$path would have $real bytes with its holes: more than 64 GiB");
			my ($end, $sum) = (0, 0);
			while (my ($at, $n) = splice @parts, 0, 2) {
				$at >= $end && $at + $n <= $real && !($n && $sum % 512) or wrong_map($path);
				($end, $sum) = ($at + $n, $sum + $n);
			}
			$sum == $size or wrong_map($path);
		}

		my ($name, $link, %global, %next, @offsets) = ("", "");
		while (1) {
			my $n = read STDIN, my $header, 512;
			last if !$n || $header =~ /^\0*\z/ && $n == 512;
			$n == 512 or stop("the layer ends too early");
			my ($short, $mode, $uid, $gid, $size, $mtime, $sum, $type, $short_link, $magic, $major, $minor, $prefix) =
				unpack "a100 a8 a8 a8 a12 a12 a8 a a100 a8 x64 a8 a8 a155", $header;
			unpack("%32C*", substr($header, 0, 148) . " " x 8 . substr($header, 156)) == number($sum)
				or stop("the layer is no archive in the format tar");
			$size = number($size);
			if ($type =~ /[LKxg]/) {
				my $data = contents($size);
				if ($type eq "L") { $name = text($data) }
				elsif ($type eq "K") { $link = text($data) }
				else {
					my $into = $type eq "g" ? \%global : \%next;
					while ($data =~ /\G(\d+) /g) {
						my $start = pos($data) - length($1) - 1;
						my $record = substr $data, pos($data), $1 - length($1) - 2;
						pos($data) = $start + $1;
						$record =~ /^([^=]+)=(.*)\z/s or next;
						$into->{$1} = $2;
						push @offsets, $2 if $1 eq ("GNU.sparse.offset", "GNU.sparse.numbytes")[@offsets % 2];
					}
				}
				next;
			}
			my %pax = (%global, %next);
			$short = text($prefix) . "/" . text($short) if $magic =~ /^ustar\0/ && text($prefix) ne "";
			my $path = clean($pax{"GNU.sparse.name"} // $pax{path} // ($name || text($short)));
			my $to = $pax{linkpath} // ($link || text($short_link));
			$size = $pax{size} if defined $pax{size};
			my @owner = ($pax{uid} // number($uid), $pax{gid} // number($gid));
			my $when = int($pax{mtime} // number($mtime));
			$mode = number($mode) & 07777;
			my %attributes = map { /^SCHILY\.xattr\.(.*)/s ? ($1 => $pax{$_}) : () } keys %pax;
			my $stored = $pax{"GNU.sparse.major"} ? "1.0" : defined $pax{"GNU.sparse.map"} ? "0.1" : @offsets ? "0.0" : "";
			my @parts = splice @offsets;
			($name, $link, %next) = ("", "");
			$size =~ /^\d{1,16}\z/ && "@owner" =~ /^\d+ \d+\z/ or stop("$path has a number that is none");
			my $real = $size;
			if ($type eq "S") {
				$magic eq "ustar  \0" && !$stored or wrong_map($path);
				($real, @parts) = (number(substr $header, 483, 12), parts_of_header($header));
			} elsif (grep { /^GNU\.sparse\./ } keys %pax) {
				my $form = join ".", map { $pax{"GNU.sparse.$_"} // 0 } "major", "minor";
				$stored && $type =~ /[\x{0}07]/ && $form eq ($stored eq "1.0" ? "1.0" : "0.0") &&
					!grep({ /^GNU\.sparse\./ } keys %global) or wrong_map($path);
				$real = $pax{$stored eq "1.0" ? "GNU.sparse.realsize" : "GNU.sparse.size"} // "";
				@parts = split /,/, $pax{"GNU.sparse.map"}, -1 if $stored eq "0.1";
				@parts = parts_of_data($path, \$size) if $stored eq "1.0";
				$stored eq "1.0" || 2 * ($pax{"GNU.sparse.numblocks"} // -1) == @parts
					or wrong_map($path);
			} else {
				@parts = (0, $size);
			}
			check_parts($path, $real, $size, @parts) if $stored || $type eq "S";

			my $skip = sub { take($size + -$size % 512, sub {}) };
			if ($path eq "/") { $skip->(); next }
			my ($in, $base) = $path =~ m{^(.*)/([^/]*)\z};
			if ($base eq ".wh..wh..opq") { hide($in eq "" ? "/" : $in) if -d ($in || "/"); $skip->(); next }
			if ($base =~ /^\.wh\.(.*)/s) {
				$1 ne "" && $1 ne "." && $1 ne ".." or stop("$path would remove a folder that it is in");
				remove("$in/$1");
				$skip->();
				next;
			}
			parents($path);
			my $there = lstat $path;
			remove($path) if $there && !(-d _ && $type eq "5");
			if ($type =~ /[\x{0}07S]/) {
				sysopen my $file, $path, POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_EXCL(), 0600
					or stop("$path cannot be made: $!");
				while (my ($from, $length) = splice @parts, 0, 2) {
					$from == 0 || sysseek $file, $from, 0 or stop("$path cannot be written: $!");
					take($length, sub {
						my $at = 0;
						while ($at < length $_[0]) {
							my $done = syswrite $file, $_[0], length($_[0]) - $at, $at;
							$done or stop("$path cannot be written: $!");
							$at += $done;
						}
					});
				}
				truncate $file, $real or stop("$path cannot be written: $!");
				take(-$size % 512, sub {});
				close $file or stop("$path cannot be written: $!");
			} else {
				$skip->();
				if ($type eq "5") {
					-d $path && !-l $path or mkdir $path, 0700 or stop("$path cannot be made: $!");
					push @folders, [$path, $when];
				} elsif ($type eq "2") {
					symlink $to, $path or stop("$path cannot be made: $!");
				} elsif ($type eq "1") {
					link clean($to), $path or stop("$path cannot be linked to $to: $!");
					$unpacked{identity($path)} = 1;
					next;
				} elsif ($type eq "6") {
					POSIX::mkfifo($path, 0600) or stop("$path cannot be made: $!");
				} elsif ($type =~ /[34]/) {
					$path =~ m{^/dev/} or stop("$path is a device, which the build cannot make");
					print "toaster: $path is left out: the kernel makes the devices of /dev\n" =~ s/[[:cntrl:]](?!\z)/ /gr;
					next;
				} else {
					stop("$path is an entry of the kind " . ord($type) . ", which is not known");
				}
			}
			POSIX::lchown(@owner, $path) or stop("$path " . ($!{EINVAL} ?
				"belongs to $owner[0]:$owner[1], and a build has ids up to 65535: the image needs lower ones in this layer, " .
				"as COPY --chown or chown in the same RUN give them" : "cannot be given to $owner[0]:$owner[1]: $!"));
			for my $key (sort keys %attributes) {
				my $value = $attributes{$key};
				next if $key !~ /^(user|security)\./;
				syscall($lsetxattr, $path, $key, $value, length $value, 0) == 0 || $!{EOPNOTSUPP} || $type eq "2"
					or stop("$path cannot get the attribute $key: $!");
			}
			if ($type ne "2") {
				chmod $mode, $path or stop("$path cannot get its mode: $!");
				utime $when, $when, $path if $type ne "5";
			}
			$unpacked{identity($path)} = 1;
		}
		# What follows the end must be read, or who sends it takes that for an error.
		1 while read STDIN, my $rest, 1 << 20;
		for (reverse @folders) {
			my ($path, $when) = @$_;
			utime $when, $when, $path if -d $path && !-l $path;
		}
	' "$1"
}
