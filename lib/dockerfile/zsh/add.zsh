# Sources that are not files of a root: heredocs, URLs, archives.

# inline NUMBER NAME TEXT: a heredoc becomes a file; put it from $WORK/inline/NUMBER.
inline() {
	zf_mkdir -p $WORK/inline/$1
	print -rn -- $3 >$WORK/inline/$1/$2 && zf_chmod 644 $WORK/inline/$1/$2 || fail "cannot write $2"
}

# fetch NUMBER NAME URL CHECKSUM: ADD of a URL, in the network of RUN; CHECKSUM is ALGORITHM:HEX or empty.
fetch() {
	local to=$WORK/inline/$1/$2 sum
	zf_mkdir -p $WORK/inline/$1
	connect
	if (( $+commands[curl] )); then
		nsenter --net=$network curl -q -fsSL -g -R --proto '=http,https' --proto-redir '=http,https' \
			--retry 2 -o $to --url $3
	elif (( $+commands[wget] )); then
		nsenter --net=$network wget --no-config -q -O $to -- $3
	else
		fail "this host has neither curl nor wget to fetch $3"
	fi || fail "cannot fetch $3"
	zf_chmod 600 $to
	[[ -n $4 ]] || return 0
	sum=$(${4%%:*}sum <$to) || fail "cannot check $4"
	[[ ${sum%% *} == ${4#*:} ]] || fail "$3 has the checksum ${4%%:*}:${sum%% *}, not $4"
}

# unpack ROOT SOURCE HOW: ADD of an archive. HOW: tar; or maybe, when only its contents can tell.
# It is unpacked in an empty folder first, so that no link in the tree or in the archive leads elsewhere.
unpack() {
	inside $1 $2
	local archive=$REPLY names dir
	names=$(tar --list --quoting-style=escape -f $archive 2>/dev/null)
	if (( $? )) || [[ -z $names ]]; then
		[[ $3 == maybe ]] && { put $1 $2; return }
		fail "$2: the archive is damaged"
	fi
	local new=$(mktemp -d $WORK/inline/unpack.XXXXXX)
	tar -xpf $archive -C $new --numeric-owner --same-owner --xattrs --xattrs-include='*' \
		--quoting-style=escape 2>$WORK/errors || only_devices $2
	local -a explicit=()
	for dir in ${(M)${(f)names}:#*/}; do
		dir=${(g:o:)dir}
		explicit+=(${${dir#./}%/})
	done
	print -rNn -- $explicit >$WORK/explicit
	inside $ROOT $into_path
	make_dirs $REPLY 755 "$into_owner"
	replacing=1
	into_mode='' lay_tree $new $REPLY
	replacing=0
	zf_rm -rf $new
}

# only_devices ARCHIVE: could nothing but devices of /dev not be unpacked? The kernel makes those when the image boots.
only_devices() {
	local line name
	for line in ${(f)"$(<$WORK/errors)"}; do
		case $line in
		('tar: Exiting with failure'*|'tar: Removing leading'*|'tar: Substituting '*) ;;
		('tar: .: Cannot open: '*) ;;	# a file without a name, which docker build leaves out, too
		('tar: '*': Cannot mknod: Operation not permitted')
			name=${${:-/$into_path/${${line#tar: }%: Cannot mknod: *}}:a}
			[[ $name == /dev/* ]] ||
				fail "$1: $name is a device, which the build cannot make: leave it out of the archive"
			print -r -- "toaster: $name is left out: the kernel makes the devices of /dev" ;;
		('tar: '*': Cannot '(open|mkdir)': Not a directory')
			name=${${line#tar: }%%: Cannot *}
			fail "$1: $name is below a link of the archive that leads out of it: pack it without the link" ;;
		(*) guard <$WORK/errors; fail "$1: cannot unpack it" ;;
		esac
	done
}
