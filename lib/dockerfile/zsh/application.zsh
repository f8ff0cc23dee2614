# The application of ENTRYPOINT and CMD as a service, in an image that has an init system.

typeset -A service_texts=() service_was=() volatile_was=()
typeset -a service_keep=() service_argv=() service_environment=()
typeset service_path='' service_dir=/

# What the translation has to say, before `application`.
service_text() { service_texts[$1]=$2 }
service_keep() { service_keep+=("$@") }
service_command() { service_path=$1 service_dir=$2; shift 2; service_argv=("$@") }
service_environment() { service_environment=("$@") }

# What starts daemons at boot, by init system. The links of sysvinit are named S01NAME.
typeset -a service_levels=(/etc/rc{2,3,4,5}.d)
typeset -a service_folders=(/etc/runlevels/default /etc/service /etc/runit/runsvdir/default)

# started_at_boot: reply is the services that are.
started_at_boot() {
	local folder
	local -a found
	for folder in $service_levels; do
		inside $ROOT $folder
		found+=($REPLY/S[0-9][0-9]?*(DN:t))
	done
	found=(${found#S[0-9][0-9]})
	for folder in $service_folders; do
		inside $ROOT $folder
		found+=($REPLY/*(N:t))
	done
	reply=(${(Muo)found:#[A-Za-z0-9_.+@-]##})
}

# volatile FOLDER: reply is what is in a folder that is empty after boot: each path, and all that can be seen of it.
volatile() {
	local text
	reply=()
	inside $ROOT $1
	[[ $REPLY == $ROOT$1 && -d $REPLY ]] || return 0
	text=$(find $REPLY -xdev -mindepth 1 ! -type s -printf '%P\0%y %m %U:%G %s %T@ %l\0')
	[[ -z $text ]] || reply=("${(@0)text%$'\0'}")
}

# remember: what the base had, before the first instruction.
remember() {
	local folder name
	started_at_boot
	for name in $reply; do service_was[$name]=1; done
	for folder in /run /tmp; do
		volatile $folder
		while (( $#reply )); do
			volatile_was[$folder/$reply[1]]=$reply[2]
			shift 2 reply
		done
	done
}

# keep_volatile: a copy of what the instructions put there, which the service puts back after a boot.
keep_volatile() {
	local folder from to name size
	local -aU names
	local -A now
	for folder in /run /tmp; do
		volatile $folder
		now=("${(@)reply}")
		names=()
		for name in ${(ok)now}; do
			[[ $now[$name] == $volatile_was[$folder/$name] ]] && continue
			while [[ $name == */* ]]; do
				names+=(./$name)
				name=${name:h}
			done
			names+=(./$name)
		done
		(( $#names )) || continue
		from=$ROOT$folder
		size=$(du -sxm $from)
		if (( ${size%%[^0-9]*} > 64 )); then
			mark "toaster: $folder has ${size%%[^0-9]*} MiB, and is empty after a boot: what is in it is not put back"
			continue
		fi
		inside $ROOT /usr/lib/toaster/volatile$folder
		to=$REPLY
		make_dirs $to 755 ''
		print -rN -- ${(o)names} |
			tar -C $from --null --no-unquote --no-recursion -T - --numeric-owner --xattrs --xattrs-include='*' -cf - |
			tar -C $to -xpf - --numeric-owner --same-owner --xattrs --xattrs-include='*' ||
			fail "cannot copy $folder: is the disk full?"
		[[ $folder == /run ]] && tmpfiles_for ${(o)names}
	done
}

# tmpfiles_for NAME…: the same of /run for a system that reads tmpfiles.d(5): other services may need it earlier.
tmpfiles_for() {
	local name line text=''
	local -A st
	has /usr/bin/systemd-tmpfiles || has /bin/systemd-tmpfiles || has /usr/bin/tmpfiles || return 0
	for name in ${@#./}; do
		[[ $name == [A-Za-z0-9_/.+:@-]## ]] || continue
		zstat -LoH st $ROOT/run/$name
		line="/run/$name ${st[mode][-4,-1]} $st[uid] $st[gid] -"
		if [[ -L $ROOT/run/$name ]]; then
			[[ $st[link] == [A-Za-z0-9_/.+:@-]## ]] && text+="L /run/$name - - - - $st[link]"$'\n'
		elif [[ -d $ROOT/run/$name ]]; then
			text+="d $line"$'\n'
		elif [[ -f $ROOT/run/$name ]]; then
			text+="C $line /usr/lib/toaster/volatile/run/$name"$'\n'
		fi
	done
	install_file /etc/tmpfiles.d/toaster-app.conf 644 $'# Made by toaster: what the Dockerfile put into /run.\n'$text
}

# application_text: REPLY is the command, and the text of the scripts and settings that it names, one leading to
# another.
application_text() {
	local word dir file text all=''
	local -a todo=("${(@)service_argv}" ${=service_argv}) seen=()
	while (( $#todo && $#seen < 100 )); do
		word=$todo[1]
		shift todo
		if [[ $word != */* ]]; then
			for dir in ${(s.:.)service_path}; do
				has $dir/$word && { word=$dir/$word; break }
			done
		fi
		inside $ROOT ${${(M)word:#/*}:-$service_dir/$word}
		file=$REPLY
		(( $seen[(Ie)$file] )) && continue
		seen+=($file)
		[[ -f $file && -r $file ]] && text=$(head -c 65536 -- $file) && [[ $text != *$'\0'* ]] || continue
		all+=$'\n'$text
		text=${text//[^A-Za-z0-9_.\/-]/ }
		todo+=(${(M)${=text}:#/?*/?*})
	done
	REPLY=${(F)service_argv}$'\n'$all
}

# runs_itself NAME TEXT: does TEXT, the application's, start what the service NAME starts?
runs_itself() {
	local line daemon
	local start='(^|[;&|({`]|--|exec|nohup|then|else|do|command *=|sudo|gosu|su-exec|eval)[[:space:]"'\'']*'
	local -aU daemons
	inside $ROOT /etc/init.d/$1
	[[ -f $REPLY ]] && for line in ${(f)"$(head -c 65536 -- $REPLY)"}; do
		[[ $line =~ '^[[:space:]]*[A-Za-z_]*=["'\'']?(/[A-Za-z0-9_./+-]*bin/[A-Za-z0-9_.+-]+)' ]] &&
			daemons+=(${match[1]:t})
	done
	daemons=(${daemons:#(sh|bash|env|perl|python*|start-stop-daemon|true|false|test|expr)})
	for line in ${(f)2}; do
		[[ $line =~ '^[[:space:]]*#' ]] && continue
		[[ $line =~ "(service|invoke-rc.d|rc-service|sv start|/etc/init.d/) *$1(\$|[^A-Za-z0-9_.-])" ]] && return 0
		for daemon in $daemons; do
			[[ $line =~ "$start((/usr|/usr/local)?/s?bin/)?${daemon//(#m)[.+]/\\$MATCH}(\$|[^A-Za-z0-9_./=-])" ]] &&
				return 0
		done
	done
	return 1
}

# What makes a machine of an image, and no container has: networks, hardware, clocks, messages between them.
typeset -r machine_services='
	network-manager connman wicd dhcpcd dhcpcd5 iwd wpa* ifplugd networking ifupdown* isc-dhcp-client modemmanager
	ModemManager *netplan* ufw nftables netfilter-persistent resolvconf bluetooth acpid acpi-* laptop-mode tlp
	thermald cpufrequtils loadcpufreq lm-sensors fancontrol irqbalance *microcode* mdadm* smartmontools hdparm
	lvm2* multipath-tools open-iscsi rpcbind nfs-common autofs gpm kbd keyboard-setup* console-setup* alsa-utils
	udev eudev plymouth sudo rmnologin bootlogs rc.local killprocs motd single haveged rng-tools* watchdog
	wd_keepalive qemu-guest-agent open-vm-tools spice-vdagent hv-* hyperv-daemons virtualbox-guest-utils cloud-*
	fake-hwclock hwclock cgroupfs-mount cgmanager cgproxy dbus elogind consolekit seatd ntp ntpsec chrony openntpd
	getty-* agetty* toaster-app
'
of_the_machine() {
	local one
	for one in ${=machine_services}; do [[ $1 == ${~one} ]] && return 0; done
	return 1
}

# leave_to_application: what the instructions' packages would start at boot is not, as in a container; and what the
# application starts itself is never started twice.
leave_to_application() {
	local name folder link text
	local -a off
	application_text
	text=$REPLY
	started_at_boot
	for name in $reply; do
		(( $service_keep[(Ie)$name] || $service_keep[(Ie)all] )) && continue
		if (( $+service_was[$name] )) || of_the_machine $name; then
			runs_itself $name $text || continue
		fi
		off+=($name)
	done
	for name in $off; do
		for folder in $service_levels; do
			inside $ROOT $folder
			for link in $REPLY/S[0-9][0-9]$name(DN); do
				zf_rm -f $link
				link_file ../init.d/$name $folder/K01$name
			done
		done
		for folder in $service_folders; do
			inside $ROOT $folder
			[[ -L $REPLY/$name || -e $REPLY/$name ]] && zf_rm -rf $REPLY/$name
		done
	done
	(( $#off )) || return 0
	install_file /etc/toaster/not-started 644 "${(F)off}"$'\n'
	mark "toaster: not started at boot, as docker run starts nothing but the command: $off"
	mark 'toaster: to have one of these started all the same, name it in the Dockerfile: LABEL toaster.services="NAME"'
}

# default_environment: /etc/default/toaster-app, which is the administrator's: what is there stays, and the job's values
# come last.
default_environment() {
	local one text=$service_texts[default]
	local -a rows
	inside $ROOT /etc/default/toaster-app
	[[ -f $REPLY ]] && { (( $#service_environment )) || return 0; text=$(<$REPLY) }
	rows=("${(@f)text%$'\n'}")
	for one in "${(@)service_environment}"; do
		rows=("${(@)rows:#[[:space:]]#${one%%=*}=*}" $one)
	done
	install_file /etc/default/toaster-app 600 ${(F)rows}$'\n'
}

# appliance STAGE: the tree of the Dockerfile is not the system's; the service finds it in application_root.
typeset application_root=''
appliance() {
	inside $TREE /var/lib/toaster-app/rootfs
	application_root=$REPLY
	make_dirs ${REPLY:h} 700 ''
	snapshot $STAGES/$1 $REPLY
	zf_rm -rf $STAGES/$1
	ROOT=$TREE
}

# application USER
application() {
	local uid gid home init
	local -a groups
	init_system
	init=$REPLY
	[[ -n $init ]] || return 0
	[[ -n $application_root ]] && ROOT=$application_root
	identity $1
	ROOT=$TREE
	has /usr/bin/perl || mark 'toaster: this image has no perl, without which the application is not started'
	local who="uid=$uid gid=$gid groups=${(j:,:)groups} home=${(qq)home}" part
	for part in run health shell; do
		[[ -n $service_texts[$part] ]] && install_file /usr/lib/toaster/$part 755 "#!/bin/sh
# Made by toaster from the image's Dockerfile.
$who
$service_texts[$part]"
	done
	install_file /usr/lib/toaster/supervise 755 $service_texts[supervise]
	install_file /etc/toaster/service 644 "$service_texts[settings]uid=$uid
gid=$gid
"
	install_file /etc/logrotate.d/toaster-app 644 $service_texts[logrotate]
	default_environment
	if [[ -n $application_root ]]; then
		link_file ../lib/toaster/supervise /usr/sbin/toaster-app
	else
		keep_volatile
		leave_to_application
	fi
	install_file /etc/init.d/toaster-app 755 $service_texts[$init]
	case $init in
	(sysv) enable_sysv ;;
	(openrc) link_file /etc/init.d/toaster-app /etc/runlevels/default/toaster-app ;;
	(runit)
		install_file /etc/sv/toaster-app/run 755 $'#!/bin/sh\nexec /usr/lib/toaster/supervise run\n'
		install_file /etc/sv/toaster-app/finish 755 \
			$'#!/bin/sh\n# What ends well is not run again.\n[ "$1" != 0 ] || exec sv down .\n'
		install_file /etc/sv/toaster-app/check 755 $'#!/bin/sh\nexec /usr/lib/toaster/supervise status >/dev/null\n'
		enable_runit ;;
	esac
}
