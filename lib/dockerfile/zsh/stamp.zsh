# metadata JSON: what the image was to be run with, and the stamp that says that the whole blend has run. What comes now is the image.
metadata() {
	inside $ROOT /etc/toaster
	make_dirs $REPLY 755 ''
	clear_file $REPLY/image.json
	clear_file $REPLY/stamp
	print -rn -- $1 >$REPLY/image.json && print -r -- $STAMP >$REPLY/stamp && zf_chmod 644 $REPLY/image.json $REPLY/stamp || fail "cannot write the stamp"
	packing
}
