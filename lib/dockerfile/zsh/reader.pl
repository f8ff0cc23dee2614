# Reads the files of a build context beside a blend: a folder, or a tar file, with `manifest` and blobs/SHA256.
#   perl reader check PLACE	are all there?
#   perl reader tar PLACE	an archive of the entries that the blend uses
# Before this stand $digest, the manifest's SHA-256, and @lines, the lines of the manifest that the blend uses. Of a
# manifest with that checksum, all is believed; of a file, nothing before its own was compared.
use strict;
our ($digest, @lines);
my ($action, $place) = @ARGV;
my ($archive, %at);

sub stop { my $text = "toaster: @_"; $text =~ s/[[:cntrl:]]/ /g; print STDERR "$text\n"; exit 1 }

eval { require Digest::SHA } or stop("this host lacks perl's module Digest::SHA: install the package perl");
$SIG{PIPE} = "DEFAULT";
binmode STDOUT;

sub number {
	my $field = shift;
	if (ord($field) == 0x80) {
		my $n = 0;
		$n = $n * 256 + $_ for unpack "x4 C8", $field;
		return $n;
	}
	return $field =~ /^ *([0-7]+)[ \0]*\z/ ? oct $1 : stop("the build context is not a tar file that toaster has made");
}

# list_archive notes where each file of the archive is.
sub list_archive {
	open $archive, "<:raw", $place or stop("$place cannot be read: $!");
	my ($at, $whole, $ended) = (0, -s $archive, 0);
	until ($ended) {
		seek $archive, $at, 0;
		(read($archive, my $header, 512) // 0) == 512 or stop("the build context is cut off");
		$ended = $header eq "\0" x 512;
		next if $ended;
		substr($header, 257, 5) eq "ustar" or stop("the build context is not a tar file that toaster has made");
		my ($name, $size) = (unpack("Z100", $header), number(substr $header, 124, 12));
		$name =~ s{^\./}{};
		$at{$name} = [$at + 512, $size] if substr($header, 156, 1) =~ /[0\0]/;
		$at += 512 + $size + -$size % 512;
		$at < $whole or stop("the build context is cut off");
	}
}

# found NAME: how many bytes the file has; undef: it is not there.
sub found {
	my $name = shift;
	return $at{$name} && $at{$name}[1] if $archive;
	return -f "$place/$name" ? (stat _)[7] : undef;
}

# take NAME SIZE CODE: gives the bytes of a file to CODE, in parts.
sub take {
	my ($name, $left, $to) = @_;
	my $file = $archive;
	if ($archive) {
		seek $archive, $at{$name}[0], 0;
	} else {
		open $file, "<:raw", "$place/$name" or stop("$place/$name cannot be read: $!");
	}
	while ($left > 0) {
		my $n = read $file, my $part, $left > 1 << 20 ? 1 << 20 : $left;
		$n or stop("the build context is cut off in $name");
		$to->($part);
		$left -= $n;
	}
}

sub put { print STDOUT @_ or stop("the build context cannot be unpacked: $!") }

sub record {
	my ($key, $value) = @_;
	my $n = length($key) + length($value) + 3;
	my $all = $n;
	$all = $n + length $all for 1 .. 3;
	return "$all $key=$value\n";
}

sub header {
	my ($name, $mode, $size, $time, $type, $link) = @_;
	my $header = pack "a100 a8 a8 a8 a12 a12 A8 a a100 a6 a2 x247", $name, sprintf("%07o", $mode), "0000000", "0000000",
		sprintf("%011o", $size), sprintf("%011o", $time), "", $type, $link, "ustar\0", "00";
	substr($header, 148, 8) = sprintf "%06o\0 ", unpack "%32C*", $header;
	return $header;
}

# entry writes an entry's header, and before it one with all that has no place in it.
sub entry {
	my ($name, $mode, $size, $time, $type, $link, %more) = @_;
	$name = "./$name";
	$more{path} = $name if length $name > 100;
	$more{linkpath} = $link if length $link > 100;
	($more{size}, $size) = ($size, 0) if $size > 0777_7777_7777;
	($more{mtime}, $time) = ($time, 0) if $time < 0 || $time > 0777_7777_7777;
	if (%more) {
		my $records = join "", map { record($_, $more{$_}) } sort keys %more;
		put(header("pax", 0644, length $records, 0, "x", ""), $records, "\0" x (-length($records) % 512));
	}
	put(header(substr($name, 0, 100), $mode, $size, $time, $type, substr($link, 0, 100)));
}

-e $place or stop("$place is not there");
list_archive() unless -d $place;
my $size = found("manifest") // stop("the build context has no manifest");
my $manifest = "";
take("manifest", $size, sub { $manifest .= $_[0] });
my $sum = Digest::SHA::sha256_hex($manifest);
$sum eq $digest or stop("this is another build context: its SHA-256 is $sum, not $digest");

# each_line CODE: gives it the fields of each line of the manifest, and whether the blend uses it.
sub each_line {
	my $to = shift;
	my @used = map { [/\d+/g] } @lines;
	open my $text, "<:raw", \$manifest or stop("the manifest cannot be read: $!");
	<$text>;
	for (my $n = 1; defined(my $line = <$text>); $n++) {
		shift @used while @used && $used[0][-1] < $n;
		chomp $line;
		my ($type, $mode, $time, $path, @rest) = split / /, $line;
		$to->(@used && $used[0][0] <= $n, $type, oct $mode, $time, word($path), @rest);
	}
}

sub word { my $word = shift; $word =~ s/%([0-9a-f]{2})/chr hex $1/ge; $word }

# Files that links are used of.
my %linked;
each_line(sub {
	my ($used, $type, undef, undef, undef, $target) = @_;
	$linked{word($target)} = {} if $used && $type eq "hard";
});

sub file {
	my ($path, $mode, $time, $size, $sum, @attributes) = @_;
	$sum =~ /^[0-9a-f]{64}\z/ or stop("the manifest has a wrong SHA-256: $sum");
	my $there = found("blobs/$sum");
	defined $there or stop("the build context lacks blobs/$sum ($path)");
	$there == $size or stop("the build context is damaged: blobs/$sum ($path) has $there bytes, not $size");
	return if $action eq "check";
	entry($path, $mode, $size, $time, "0", "", attributes(@attributes));
	my $sha = Digest::SHA->new(256);
	take("blobs/$sum", $size, sub { $sha->add($_[0]); put($_[0]) });
	$sha->hexdigest eq $sum or stop("the build context is damaged: blobs/$sum ($path) has another SHA-256");
	put("\0" x (-$size % 512));
}

sub attributes { map { my ($key, $value) = split /=/, $_, 2; (word($key), word($value)) } @_ }

each_line(sub {
	my ($used, $type, $mode, $time, $path, @rest) = @_;
	$path =~ m{(^|/)\.\.(/|\z)|^/|\0} and stop("the manifest has a path that leads out: $path");
	my $link = $linked{$type eq "hard" ? word($rest[0]) : $path};
	my @file = ($mode, $time, @rest);
	@{$link->{file}} = @file if $link && $type eq "file";
	return unless $used;
	if ($type eq "file" || $type eq "hard" && !defined $link->{name}) {
		file($path, $link && $link->{file} ? @{$link->{file}} : @file);
		$link->{name} = $path if $link;
	} elsif ($action eq "check") {
	} elsif ($type eq "hard") {
		entry($path, $mode, 0, $time, "1", "./$link->{name}");
	} elsif ($type eq "dir") {
		$path = "" if $path eq ".";
		entry("$path/", $mode, 0, $time, "5", "", attributes(@rest));
	} elsif ($type eq "link") {
		entry($path, $mode, 0, $time, "2", word($rest[0]));
	} elsif ($type eq "fifo") {
		entry($path, $mode, 0, $time, "6", "");
	}
});
if ($action eq "tar") {
	put("\0" x 1024);
	close STDOUT or stop("the build context cannot be unpacked: $!");
}
