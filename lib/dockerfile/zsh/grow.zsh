# The form “grown”: an image that is made of the target's release becomes the target's system. The base that the SDK has
# made says what a system needs; that is installed into the image's tree, which takes the base's place.

# leave_base notes in $WORK/grow what the target's base has, and empties the tree for the image.
leave_base() {
	local notes=$WORK/grow one
	local -a places=($TREE)
	[[ -d $TREE/boot && ! -L $TREE/boot ]] && mountpoint -q $TREE/boot && places+=($TREE/boot)
	zf_mkdir $notes && survey_base $notes $places || fail 'cannot read the packages of the base'
	( cd $TREE && md5sum --check --quiet $notes/conffiles 2>/dev/null ) |
		sed -n 's/: FAILED$//p' | tr '\n' '\0' >>$notes/machine
	for one in apt keys etc rest machine; do
		tar -C $TREE --null --no-unquote --no-recursion -T $notes/$one --xattrs --xattrs-include='*' \
			--owner-map=$notes/users --group-map=$notes/groups -cf $notes/$one.tar ||
			fail 'cannot keep the files of the base: is the disk full?'
	done
	inside $TREE /etc/shadow
	sed -n '/^root:/p' $REPLY >$notes/shadow
	inside $TREE /var/cache/debconf/config.dat
	[[ ! -f $REPLY ]] || cp -- $REPLY $notes/config.dat
	for one in hosts resolv.conf; do
		inside $TREE /etc/$one
		[[ ! -f $REPLY ]] || cp -- $REPLY $notes/$one
	done
	inside $TREE /etc/devuan_version
	[[ ! -f $REPLY ]] || print >$notes/devuan
	print -r -- $grow_program >$notes/program
	find $places -xdev -depth -mindepth 1 ! -path "$TREE/dev/*" ! -path '*/lost+found' -delete 2>/dev/null	# mounts stay
	return 0
}

# grow DISTRIBUTION:CODENAME… installs that into the image that is in the tree, which must be made of one of these.
grow() {
	local ROOT=$TREE id codename one text
	local -A of_the_image=("${(@kv)environment}")
	inside $ROOT /etc/os-release
	[[ -f $REPLY ]] || inside $ROOT /usr/lib/os-release
	[[ -f $REPLY ]] || fail 'the image has no /etc/os-release: it is no Debian or Devuan'
	id=${${(M)${(f)"$(head -c 16384 $REPLY)"}:#ID=*}#*=}
	codename=${${(M)${(f)"$(head -c 16384 $REPLY)"}:#VERSION_CODENAME=*}#*=}
	[[ " $* " == *" ${id//[\"\']/}:${codename//[\"\']/} "* ]] || fail "the image is ${id:-no known distribution} ${
		codename}, of which this target's system can't be made: build it in the form “appliance”, or for another target"
	for one in /bin/sh /usr/bin/apt-get /usr/bin/dpkg /bin/tar; do
		has $one || fail "the image has no $one, so nothing can be installed into it: build it in the form “appliance”"
	done
	mark 'toaster: installing into the image what the target needs to boot'
	variables PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=1610550434
	[[ ! -f $WORK/grow/config.dat ]] || variable DEBCONF_DB_FALLBACK 'File{/run/toaster-grow/config.dat}'
	bind $WORK /grow /run/toaster-grow ro
	run '' / /bin/sh /run/toaster-grow/program
	environment=("${(@kv)of_the_image}")
	inside $ROOT /etc/toaster/not-in-archive
	[[ ! -f $REPLY ]] ||
		mark "toaster: the target's archive does not have these packages of the image: $(head -c 16384 $REPLY)"
	for one in hosts resolv.conf; do	# the sandbox has its own
		[[ -f $WORK/grow/$one ]] || continue
		text=$(<$WORK/grow/$one)
		install_file /etc/$one 644 ${text:+$text$'\n'}
	done
	zf_rm -rf $WORK/grow
}

# survey_base NOTES TREE [MOUNT…] reads the packages of a tree, and what is there besides them, in it and in what is
# mounted there: lists of names, each ended by NUL, but for packages and auto, and conffiles, which md5sum reads.
survey_base() {
	perl -e '
		use strict;
		my ($notes, $tree, @mounts) = @ARGV;
		my @places = (".", map { substr($_, length("$tree/")) } @mounts);
		chdir $tree or die "$tree: $!\n";
		my $merged = -l "lib";
		my (%owned, %out, $package, @packages, %auto);
		sub place { my $path = shift; $path =~ s{^/(bin|sbin|lib\w*)(?=/|\z)}{/usr/$1} if $merged; $path }
		sub lines { open(my $in, "<", $_[0]) or return (); map { chomp; $_ } <$in> }

		for my $list (glob "var/lib/dpkg/info/*.list") { $owned{place($_)} = 1 for lines($list) }
		my @diverted = lines("var/lib/dpkg/diversions");
		$owned{place($diverted[$_])} = 1 for grep { $_ % 3 == 1 } 0 .. $#diverted;

		my $native = "";
		my ($name, $arch, $installed, $conffiles, @sums);
		for (lines("var/lib/dpkg/status"), "") {
			if (/^$/) {
				push @packages, [$name, $arch] if $installed;
				$native = $arch if $installed && $name eq "dpkg";
				($name, $arch, $installed) = ("", "", 0);
			} elsif (/^Package: (.*)/) { $name = $1 }
			elsif (/^Architecture: (.*)/) { $arch = $1 }
			elsif (/^Status: .* installed$/) { $installed = 1 }
			$conffiles = $1 eq "Conffiles" if /^(\S+):/;
			push @sums, "$2  $1" if $conffiles && m{^ /(\S+) ([0-9a-f]{32})$};
		}
		for (lines("var/lib/apt/extended_states")) {
			$name = $1 if /^Package: (.*)/;
			$auto{$name} = 1 if /^Auto-Installed: 1/;
		}

		# The image may have other numbers for the names, and this host other names for the numbers.
		my @named = map { +{ map { /^([^:\s]+):[^:]*:(\d+):/ ? ($2 => $1) : () } reverse lines($_) } }
			"etc/passwd", "etc/group";

		my %machine = map { $_ => 1 } qw(etc/fstab etc/hostname etc/inittab etc/modules
			etc/network/interfaces etc/default/grub etc/default/keyboard etc/default/console-setup etc/default/locale
			etc/locale.gen etc/kernel-img.conf root/.ssh root/.ssh/authorized_keys);
		# What the installation of a package makes itself, or what is of this tree alone.
		my $made = qr{^(?:(?:dev|proc|sys|run|tmp|lost\+found|var/cache|var/log)(?:/|\z)
			|var/lib/(?:dpkg|apt|systemd|ucf|insserv)(?:/|\z)
			|boot/initrd|(?:usr/)?lib/modules/[^/]+/modules\.|.*__pycache__
			|etc/(?:alternatives|rc[0-9S]\.d|ssl/certs|runlevels)(?:/|\z)|etc/init\.d/\.depend
			|etc/(?:(?:passwd|group|g?shadow|subuid|subgid)-?|hosts|resolv\.conf|\.pwd\.lock|ld\.so\.cache
				|machine-id|mtab|os-release)\z)}x;
		open(my $find, "-|", "find", @places, "-xdev", "-mindepth", "1", "(", "-type", "f", "-o", "-type", "l", "-o", "-type",
			"d", ")", "-print0") or die "find: $!\n";
		{
			local $/ = "\0";
			while (my $path = <$find>) {
				chomp $path;
				$path =~ s{^\./}{};
				my $is = $machine{$path} ? "machine"
					: $path =~ m{^(etc/apt/(trusted\.gpg\.d|keyrings)|usr/share/keyrings)/} ? "keys"
					: $owned{"/$path"} || $path =~ $made ? next
					: $path =~ m{^etc/apt(/|\z)} ? "apt" : $path =~ m{^etc/} ? "etc" : "rest";
				my @owner = (lstat $path)[4, 5];
				$is = "rest" if $is eq "etc" && grep { $_ } @owner; # who comes with a package
				$named[$_]{$owner[$_]} //= $owner[$_] for 0, 1;
				$out{$is} .= "$path\0";
			}
		}
		close $find or die "find failed\n";
		$out{packages} = join "", map { $_->[0] . ($_->[1] =~ /^(?:\Q$native\E|all)\z/ ? "\n" : ":$_->[1]\n") } @packages;
		$out{auto} = join "", map { $auto{$_->[0]} ? "$_->[0]\n" : () } @packages;
		$out{conffiles} = join "", map { "$_\n" } @sums;
		for my $all (@named) {
			$out{$all == $named[0] ? "users" : "groups"} = join "", map { "+$_ $all->{$_}:$_\n" } sort keys %$all;
		}
		@packages or die "no packages\n";
		for my $one (qw(packages auto users groups conffiles apt keys etc rest machine)) {
			open(my $file, ">", "$notes/$one") or die "$one: $!\n";
			print $file $out{$one} // "";
			close $file or die "$one: $!\n";
		}
	' "$@"
}

# The program that runs in the image. It has the image's own tools, and does in the image what they would.
IFS= read -rd '' grow_program <<'GROW' || :
set -eu
notes=/run/toaster-grow
sources=/etc/apt/sources.list.d
pins=/etc/apt/preferences.d/99toaster-grow
apt() {
	apt-get -q -y --allow-downgrades --no-install-recommends -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-unsafe-io "$@"
}
installed() { dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^.i.//p' | sort -u; }
mkfifo -m 600 /run/initctl && exec 9<>/run/initctl # for the package sysvinit-core: see first.zsh

# An image of ours brings what was made for another Dockerfile.
rm -rf /etc/toaster /usr/lib/toaster /usr/sbin/toaster-app /etc/init.d/toaster-app /etc/rc?.d/[SK]*toaster-app \
	/etc/sv/toaster-app /etc/service/toaster-app /etc/runit/runsvdir/default/toaster-app /etc/runlevels/*/toaster-app \
	/etc/tmpfiles.d/toaster-app.conf /etc/logrotate.d/toaster-app /etc/default/toaster-app

# The archive of the target takes the place of the image's; other sources wait until this is done.
rm -f /etc/apt/sources.list $sources/debian.sources $sources/debian.list $sources/devuan.sources $sources/devuan.list
[ ! -d $sources ] || mv $sources $sources.toaster
mkdir -p $sources /etc/apt/preferences.d
tar -C / --skip-old-files -xpf $notes/keys.tar
tar -C / -xpf $notes/apt.tar
tar -C / --skip-old-files -xpf $notes/etc.tar
apt-mark showmanual | sort >/tmp/toaster-manual
apt -o APT::Update::Error-Mode=any update || {
	echo "The target's archive, from which the image gets what a system needs, can't be read. Try again later."
	exit 100
}
if [ -f $notes/devuan ]; then # its own packages, also in the place of newer ones of Debian
	installed | xargs -r apt-cache policy | awk '
		/^[^ ].*:$/ { name = substr($0, 1, length($0) - 1) }
		/^(    | [*][*][*]) [^ ]*devuan[^ ]* / && !seen[name]++ {
			print "Package: " name "\nPin: version " ($1 == "***" ? $2 : $1) "\nPin-Priority: 1001\n"
		}' >$pins
fi
# The base may be older than the archive is now, which has other kernels by then.
sort -u $notes/packages >/tmp/toaster-wanted
xargs -r apt-cache --no-all-versions show </tmp/toaster-wanted 2>/dev/null |
	sed -n 's/^Package: //p' | sort -u >/tmp/toaster-there
gone=$(sed 's/:.*//' /tmp/toaster-wanted | sort -u | comm -23 - /tmp/toaster-there)
# shellcheck disable=SC2086 # a list of names
[ -z "$gone" ] || echo "the archive has these packages of the base no longer:" $gone
# shellcheck disable=SC2046 # a list of names
apt install $(awk -F : 'FILENAME == ARGV[1] { there[$1] = 1; next } $1 in there' /tmp/toaster-there /tmp/toaster-wanted)
apt dist-upgrade
sort -u $notes/auto | comm -13 /tmp/toaster-manual - | xargs -r apt-mark -q auto >/dev/null
dpkg --audit
apt check

# What the archive does not have gets no updates from it.
rm -f $pins
mkdir -p /etc/toaster
command apt list '?obsolete' 2>/dev/null | sed -n 's:/.*::p' | sort -u >/etc/toaster/not-in-archive
[ -s /etc/toaster/not-in-archive ] || rm /etc/toaster/not-in-archive

apt clean
rm -rf /var/lib/apt/lists/* /tmp/toaster-manual /tmp/toaster-wanted /tmp/toaster-there
if [ -d $sources.toaster ]; then
	for file in "$sources.toaster"/*; do [ ! -e "$file" ] || [ -e "$sources/${file##*/}" ] || mv "$file" $sources; done
	rm -rf $sources.toaster
fi
tar -C / --skip-old-files -xpf $notes/rest.tar
tar -C / -xpf $notes/machine.tar
awk -F : 'FILENAME == ARGV[1] { root = $0; next } $1 == "root" && root { print root; next } { print }' \
	$notes/shadow /etc/shadow >/tmp/toaster-shadow
cat /tmp/toaster-shadow >/etc/shadow
rm /tmp/toaster-shadow
! tar -tf $notes/machine.tar | grep -q '^etc/initramfs-tools/' || update-initramfs -u -k all
# As a container it starts no services; as a system it does.
! grep -qsx 'exit 101' /usr/sbin/policy-rc.d || rm -f /usr/sbin/policy-rc.d
rm -f /etc/dpkg/dpkg.cfg.d/docker-apt-speedup # it would not wait until files are on the disk
exec 9>&-
rm -f /run/initctl
GROW
