# What is done in a tree after the Dockerfile's instructions: what was the build's, and what no two machines may share,
# is taken away.
file /etc/apt/apt.conf.d/99toaster-build && zf_rm -f $REPLY
for one in /var/lib/dbus/machine-id /var/lib/urandom/random-seed /var/lib/systemd/random-seed; do
	file $one && zf_rm -f $REPLY
done
file /etc/machine-id && : >$REPLY

# Each machine makes the keys of its SSH server itself, before that starts.
inside $ROOT /etc/ssh
keys=($REPLY/ssh_host_*_key{,.pub}(DN.))
(( $#keys )) && zf_rm -f $keys
if has /usr/sbin/sshd || has /etc/default/ssh; then
	text=''
	inside $ROOT /etc/default/ssh
	[[ -f $REPLY && -s $REPLY ]] && text=$(<$REPLY)$'\n'
	install_file /etc/default/ssh 644 "${text}[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null
"
	if has /lib/systemd/systemd; then	# which takes nothing but variables from there
		install_file /etc/systemd/system/ssh.service.d/50-toaster.conf 644 '[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
'
	fi
fi
