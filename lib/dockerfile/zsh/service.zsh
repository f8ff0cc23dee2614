# install_file PATH MODE TEXT: a file of toaster's own.
install_file() {
	inside $ROOT ${1:h}
	make_dirs $REPLY 755 ''
	local to=$REPLY/${1:t}
	clear_file $to
	print -rn -- $3 >$to && zf_chmod $2 $to && zf_chown 0:0 $to || fail "cannot write $1"
}

# has PATH: is it there, in ROOT?
has() {
	inside $ROOT $1
	[[ -e $REPLY ]]
}

# link_file TARGET PATH
link_file() {
	inside $ROOT ${2:h}
	clear_file $REPLY/${2:t}
	zf_ln -s $1 $REPLY/${2:t} || fail "cannot link $2"
}

# init_system: REPLY is runit, openrc, sysv, or empty.
init_system() {
	local init=''
	inside $ROOT /sbin/init
	init=${REPLY:t}
	if [[ $init == *runit* ]] && has /etc/sv; then
		REPLY=runit
	elif { [[ $init == *openrc* ]] || has /sbin/openrc-run || has /usr/sbin/openrc-run } && has /etc/runlevels; then
		REPLY=openrc
	elif has /etc/init.d; then
		REPLY=sysv
	else
		REPLY=''
	fi
}

enable_sysv() {
	local level
	if has /usr/sbin/update-rc.d; then
		variables PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		run '' / update-rc.d toaster-app defaults
		return
	fi
	for level in 2 3 4 5; do has /etc/rc$level.d && link_file ../init.d/toaster-app /etc/rc$level.d/S01toaster-app; done
	for level in 0 1 6; do has /etc/rc$level.d && link_file ../init.d/toaster-app /etc/rc$level.d/K01toaster-app; done
	return 0
}

enable_runit() {
	local place
	for place in /etc/service /etc/runit/runsvdir/default; do
		has $place && { link_file /etc/sv/toaster-app $place/toaster-app; return }
	done
}
