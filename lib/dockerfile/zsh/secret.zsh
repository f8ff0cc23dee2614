# Secrets are files of $TOASTER_SECRETS, by name. A RUN has those that it mounts, in memory.

# The sandbox's own files go there, too: its configuration has the variables.
if [[ -n $TOASTER_SECRETS ]]; then
	zf_mkdir -m 755 $SANDBOX && mount -t tmpfs -o mode=755,nosuid,nodev,size=64m toaster $SANDBOX || exit 1
fi
typeset -a secret_variables	# NAME=VALUE, for the next run
typeset -a ssh_keys	# FILE TARGET MODE OWNER, likewise
typeset -a agents	# processes of the run
typeset -aU concealed	# files whose lines are not for the log
typeset auth_sock=''
typeset -i secrets=0

# given NAME optional|required: REPLY is the secret's file; fails where there is none.
given() {
	REPLY=$TOASTER_SECRETS/$1
	[[ -n $1 && -n $TOASTER_SECRETS && -f $REPLY && -r $REPLY ]] && return
	[[ $2 == optional ]] || fail "the build was not given the secret $1, which this needs. \
On a site, give it when you start the build. Else put it into the file $1 of a folder, and set TOASTER_SECRETS to the folder"
	return 1
}

# secret NAME TARGET MODE OWNER optional|required: a file of the next run.
secret() {
	given "$1" $5 || return 0
	local file=$SANDBOX/secret.$(( ++secrets ))
	concealed+=($REPLY)
	( umask 077 && cat -- $REPLY >$file ) && zf_chown $4 $file && zf_chmod $3 $file ||
		fail "cannot mount the secret $1: is its owner $4 a user of the image?"
	mounts+=($2 none $file rbind,nosuid,noexec,ro)
}

# secret_variable NAME VARIABLE optional|required: a variable of the next run; empty where there is no secret.
secret_variable() {
	local value=''
	if given "$1" $3; then
		concealed+=($REPLY)
		value=$(cat -- $REPLY && print x)	# for the newlines at the end
		value=${value%x}
		[[ $value != *$'\0'* ]] && iconv -f UTF-8 -t UTF-8 -- $REPLY >/dev/null 2>&1 ||
			fail "the secret $1 is not UTF-8 text, as a variable has to be: mount it as a file"
	fi
	secret_variables+=("$2=$value")
}

# ssh_key NAME TARGET MODE OWNER optional|required: the next run reaches an agent that has the key.
ssh_key() {
	[[ -n $auth_sock ]] || auth_sock=$2
	given "$1" $5 || return 0
	ssh_keys+=($REPLY "${@[2,4]}")
}

# start_agents UID: an agent for each key, which belongs to the user that RUN or the socket is for: it talks to no
# other but root. It is nobody rather than root, and loads no library for those who ask.
start_agents() {
	local file target mode owner folder tool
	integer as n=0 try
	for file target mode owner in $ssh_keys; do
		for tool in ssh-agent ssh-add setpriv setsid; do
			(( $+commands[$tool] )) || fail "this host lacks $tool, for RUN --mount=type=ssh. Install openssh-client"
		done
		folder=$SANDBOX/agent.$(( ++n ))
		as=${owner%:*}
		(( as )) || as=$1
		(( as )) || as=65534
		zf_mkdir -m 700 $folder && zf_chown $as:$as $folder || fail 'cannot make a folder for the SSH agent'
		( export SSH_ASKPASS=/bin/false; cd -q $folder && exec setpriv --reuid=$as --regid=$as --clear-groups --no-new-privs \
			ssh-agent -D -P /none -a ./socket ) </dev/null >/dev/null 2>&1 &
		agents+=($!)
		for try in {1..200}; do
			[[ -S $folder/socket ]] && break
			sleep 0.05
		done
		SSH_AUTH_SOCK=$folder/socket SSH_ASKPASS_REQUIRE=never setsid -w ssh-add -q - <$file >/dev/null 2>&1 ||
			fail "${file:t}: the SSH agent does not take the key. Give a private key in OpenSSH's format, without a passphrase"
		zf_chown $owner $folder/socket && zf_chmod $mode $folder/socket ||
			fail "cannot mount ${file:t}: is its owner $owner a user of the image?"
		mounts+=($target none $folder/socket rbind,nosuid,noexec,ro)
	done
}

# with_secrets: env, of run, gets the variables.
with_secrets() {
	local one
	for one in $secret_variables; do env=("${(@)env:#${(b)one%%=*}=*}" "$one"); done
	[[ -z $auth_sock || -n ${(M)env:#SSH_AUTH_SOCK=*} ]] || env+=("SSH_AUTH_SOCK=$auth_sock")
}

# forget_secrets: a run has ended.
forget_secrets() {
	(( $#agents )) && { kill $agents; wait $agents } 2>/dev/null
	secret_variables=() ssh_keys=() agents=() auth_sock=''
	[[ -z $TOASTER_SECRETS ]] || zf_rm -rf $SANDBOX/secret.<->(N) $SANDBOX/agent.<->(N)
}

# conceal passes on what a stranger's program prints, without the lines of secrets that are long enough to be some, and
# whole secrets of a line; of large ones, only as much as can be looked for.
conceal() {
	(( $#concealed )) || { guard; return }
	perl -e '
		my (%hidden, %begun);
		my ($longest, $all) = (0, 0);
		for (sort { -s $a <=> -s $b } splice @ARGV) {
			open my $file, "<", $_ or next;
			my $text = do { local $/; <$file> } // "";
			$text =~ s/\s+\z//;
			my $one = $text !~ /[\r\n]/;
			for my $line (split /[\r\n]+/, $text) {
				next if length $line < ($one ? 4 : 8);
				# In parts, as all that one may begin with is remembered.
				for my $part ($line =~ /\G(.{64,71}\z|.{64}|.+\z)/gs) {
					next if ($all += length $part) > 60_000;	# perl searches for more in no bearable time
					$hidden{$part} = 1;
					$longest = length $part if length $part > $longest;
					$begun{substr $part, 0, $_} = 1 for 1 .. length($part) - 1;
				}
			}
		}
		my $any = join "|", map quotemeta, sort { length $b <=> length $a } keys %hidden;
		$any = $any eq "" ? qr/(?!)/ : qr/(?=($any))/;	# that overlap, too
		$| = 1;
		my ($rest, $done) = ("", 0);	# what is not shown yet, and how much at its begin is hidden already
		my $pass = sub {
			my ($text, $end) = @_;
			my ($at, $out, $hiding) = ($done, "", $done > 0);
			while ($text =~ /$any/g) {
				last if $-[1] >= $end;	# it may go on
				next if $+[1] <= $at;
				$out .= substr $text, $at, $-[1] - $at if $-[1] > $at;
				$out .= "***" if $-[1] > $at || !$hiding;
				($at, $hiding) = ($+[1], 1);
			}
			$out .= substr $text, $at, $end - $at if $at < $end;
			print $out or exit 1;
			($rest, $done) = (substr($text, $end), $at > $end ? $at - $end : 0);
		};
		while (sysread STDIN, my $new, 65536) {
			my $text = $rest . $new;
			my $n = $longest - 1;
			$n = length $text if $n > length $text;
			$n-- while $n > 0 && !$begun{substr $text, -$n};
			$pass->($text, length($text) - ($n > 0 ? $n : 0));
		}
		$pass->($rest, length $rest);' $concealed | guard
}
