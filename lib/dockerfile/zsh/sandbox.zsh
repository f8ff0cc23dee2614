# The sandbox: an OCI runtime runs what a Dockerfile, or a tree that it made, can decide. Its configuration is written
# here, from parts that the translation has put below ($oci…). What the runtime can't give ends the build.

typeset -r SANDBOX=$WORK/sandbox
typeset -a runtime=()
typeset seccomp_cache='' tty_group=,gid=5

# json TEXT: REPLY is it as a JSON string (RFC 8259, section 7).
json() {
	REPLY=${${1//\\/\\\\}//\"/\\\"}
	if [[ $REPLY == *[[:cntrl:]]* ]]; then
		local code char
		for code in {1..31}; do
			printf -v char '%b' "\\0$(( [##8] code ))"
			REPLY=${REPLY//$char/$(printf '\\u%04x' $code)}
		done
	fi
	REPLY=\"$REPLY\"
}

# json_list TEXT…: REPLY is them as a JSON array.
json_list() {
	local one
	local -a all
	for one in "$@"; do
		json $one
		all+=($REPLY)
	done
	REPLY="[${(j:,:)all}]"
}

# oci_mount DESTINATION TYPE SOURCE OPTIONS: adds to oci_mounts. No mount has devices, but that of the sandbox's own
# terminals, which are devices themselves.
typeset -a oci_mounts=()
oci_mount() {
	local destination source options flags=$4
	[[ $2 == devpts ]] || flags+=,nodev
	json $1; destination=$REPLY
	json $3; source=$REPLY
	json_list ${(s:,:)flags}; options=$REPLY
	oci_mounts+=("{\"destination\":$destination,\"type\":\"$2\",\"source\":$source,\"options\":$options}")
}

# choose_runtime finds one that works here, and lets it translate the seccomp profile, which takes longer than all the
# rest.
choose_runtime() {
	local name machine architectures why=''
	machine=$(uname -m)
	architectures=${oci_architectures[$machine]-}
	[[ -n $architectures ]] || fail "the sandbox knows no seccomp profile for $machine"
	oci_seccomp="{\"architectures\":$architectures,$oci_seccomp}"
	zf_mkdir -p -m 755 $SANDBOX $SANDBOX/empty/dev $SANDBOX/empty/proc
	print >$SANDBOX/empty/none && zf_chmod 755 $SANDBOX/empty/none || fail 'cannot write'
	zf_chown 0:5 $SANDBOX/empty/none 2>/dev/null || tty_group=''	# this user namespace has no such id
	# crun wants one hierarchy of cgroups; the build's limits are set from outside.
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || mount -t tmpfs none /sys/fs/cgroup 2>/dev/null
	for name in crun runc; do
		(( $+commands[$name] )) || continue
		runtime=($name --root $SANDBOX/state)
		[[ $name == crun ]] && runtime+=(--cgroup-manager=disabled)
		oci_mounts=()
		oci_mount /proc proc proc nosuid
		oci_mount /dev tmpfs tmpfs nosuid
		configure $SANDBOX/empty 0 0 '' / none '[]' '["/none"]' ''
		if $runtime create --bundle $SANDBOX probe >/dev/null 2>$SANDBOX/error </dev/null; then
			[[ $name == crun && -s $SANDBOX/state/probe/seccomp.bpf ]] &&
				seccomp_cache=$(base64 -w 0 $SANDBOX/state/probe/seccomp.bpf)
			$runtime delete --force probe && return
		fi
		why+=" $name: $(tail -n 1 $SANDBOX/error)"
	done
	fail "the sandbox cannot be made here, and nothing runs without it.${why:- Install crun or runc.}"
}

# configure ROOT UID GID GROUPS DIRECTORY NETWORK ENVIRONMENT ARGV: writes config.json. NETWORK is none, or a
# namespace's file; ENVIRONMENT and ARGV are JSON.
configure() {
	local root directory host network='' annotations=''
	json $oci_hostname; host=$REPLY
	json $1; root=$REPLY
	json $5; directory=$REPLY
	[[ $6 != none ]] && { json $6; network=",\"path\":$REPLY" }
	[[ -n $seccomp_cache ]] && annotations="\"run.oci.seccomp_bpf_data\":\"$seccomp_cache\""
	print -r -- "{\"ociVersion\":\"1.0.2\",\"hostname\":$host,\"root\":{\"path\":$root},\"annotations\":{$annotations},
\"process\":{\"cwd\":$directory,\"args\":$8,\"env\":$7,
\"user\":{\"uid\":$2,\"gid\":$3,\"additionalGids\":[$3${4:+,}${4// /,}]},
\"noNewPrivileges\":false,\"capabilities\":$oci_capabilities},
\"mounts\":[${(j:,:)oci_mounts}],
\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},
{\"type\":\"uts\"},{\"type\":\"cgroup\"},{\"type\":\"network\"$network}],
\"maskedPaths\":$oci_masked,\"readonlyPaths\":$oci_readonly,\"seccomp\":$oci_seccomp}}" >$SANDBOX/config.json ||
		fail 'cannot write the configuration of the sandbox'
}

# guard passes on at once what a stranger's program prints, with a space before what only toaster begins a line with,
# and in what begins a note that Jenkins hides. The last line gets its end.
guard() {
	perl -e '
		my @names = ("TOASTER-", "toaster: ", "sdk: ");
		my $note = "\e[8mha:";
		my $begun = sub {
			join "|", map { my $word = $_; map quotemeta substr($word, 0, $_), 1 .. length($word) - 1 } @_
		};
		my ($names, $parts, $half) = (join("|", @names), $begun->(@names), $begun->($note));
		my ($last, $held) = ("\n", "");
		$| = 1;
		while (sysread STDIN, my $new, 65536) {
			my $text = "$last$held$new";
			$text =~ s/([\n\r])(?=$names)/$1 /g;
			$text =~ s/\e\[8m(?=ha:)/\e[8m /g;
			my $end = substr $text, -10;	# what may become a word of those waits for the rest of it
			$held = $end =~ /(?<=[\n\r])((?:$parts)|(?:$half))\z|((?:$half))\z/ ? $+ : "";
			$text = substr $text, 1, length($text) - 1 - length $held;
			next if $text eq "";
			print $text or exit 1;
			$last = substr $text, -1;
		}
		print $held, "$last$held" =~ /\n\z/ ? "" : "\n";'
}

# sandbox runs what configure has said: its exit status, or 125 to 127 where it could not be started.
sandbox() {
	zf_rm -f $SANDBOX/error
	# A pipe of its own, so that it can open /dev/stdout, and has no file of this host.
	$runtime --log $SANDBOX/error run --bundle $SANDBOX run </dev/null 2>&1 | conceal
	integer code=$pipestatus[1]
	[[ -s $SANDBOX/error ]] || return $code
	case "$(<$SANDBOX/error)" in
	(*('not found'|'no such file'|'No such file')*) return 127 ;;
	(*('ermission denied'|'Operation not permitted'|'xec format error')*) return 126 ;;
	(*) return 125 ;;
	esac
}
