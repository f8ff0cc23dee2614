# git_tree NUMBER REMOTE REF COMMIT FOLDER KEEP SUBMODULES TIMES: ADD of a Git repository; then it is in
# $WORK/inline/NUMBER/tree. The last three are yes or empty. Git is this host's, in a sandbox that has nothing of the
# host but its programs and certificates, as a user without rights.
git_tree() {
	local place=$WORK/inline/$1 ROOT=$SANDBOX/host one
	shift
	(( $+commands[git] )) || fail "this host lacks git, which fetches $1"
	local -a proxies=() mounts=(/git none $place rbind,nosuid)
	local -A environment=(PATH /usr/local/bin:/usr/bin:/bin HOME /git/home LC_ALL C GIT_CONFIG_NOSYSTEM 1
		GIT_CONFIG_GLOBAL /dev/null GIT_TEMPLATE_DIR /git/home GIT_TERMINAL_PROMPT 0 GIT_ALLOW_PROTOCOL http:https:git
		GIT_LFS_SKIP_SMUDGE 1 GIT_AUTHOR_NAME toaster GIT_AUTHOR_EMAIL toaster GIT_COMMITTER_NAME toaster
		GIT_COMMITTER_EMAIL toaster)
	for one in http_proxy https_proxy no_proxy; do
		[[ -z ${(P)one-} ]] || environment[$one]=${(P)one}
	done
	zf_mkdir -p -m 755 $place/home $place/tree $ROOT/etc && zf_chown 65534:65534 $place $place/home $place/tree ||
		fail 'cannot make a folder for the repository'
	for one in /usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc/ssl; do
		if [[ -L $one ]]; then
			[[ -L $ROOT$one ]] || zf_ln -s -- ${"$(readlink $one)"} $ROOT$one
		elif [[ -d $one ]]; then
			mounts+=($one none $one rbind,nosuid,ro)
		fi
	done
	run 65534:65534 /git/tree /bin/sh -c $git_script git "$@"
	chown -R -h 0:0 $place/tree || fail 'cannot give the repository to root'
}
