# ---------------------------------------------------------------------------------------------------
# What the whole build may use of the host: memory, processes and processors by a control group, the disk by watching it.

# cgroups prints the folders of the build's control group: one with cgroup v2, one for each controller with v1.
cgroups() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo "/sys/fs/cgroup/$CGROUP"
		return
	fi
	for controller in memory pids cpu; do
		[ ! -d "/sys/fs/cgroup/$controller" ] || echo "/sys/fs/cgroup/$controller/$CGROUP"
	done
}

# join_cgroup: only root has cgroups everywhere. Without one, memory and processor time have no limit.
join_cgroup() {
	joined=
	if [ "$(id -u)" = 0 ]; then
		if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
			mkdir /sys/fs/cgroup/toaster 2>/dev/null || :
			for folder in /sys/fs/cgroup /sys/fs/cgroup/toaster; do
				echo '+memory +pids +cpu' 2>/dev/null >"$folder/cgroup.subtree_control" || :
			done
		fi
		for folder in $(cgroups); do
			# What killed builds left goes; that may be ours, too, just as it is made by another build.
			for _ in 1 2 3; do
				rmdir "${folder%/*}"/* || :
				if mkdir -p "$folder" && set_limits "$folder" && echo $$ >"$folder/cgroup.procs"; then
					joined=yes
					break
				fi
			done
		done 2>/dev/null
	fi
	[ -n "$joined" ] || [ "${TOASTER_MEMORY:-0}${TOASTER_CPUS:-0}" = 00 ] ||
		say "this host has no cgroup that the build can have: its memory and processor time have no limit"
}

# memory_limit prints bytes: what was given, else three quarters of this host's, so that one build does not take all.
memory_limit() {
	if [ "${TOASTER_MEMORY:-0}" != 0 ]; then
		echo "$TOASTER_MEMORY"
	else
		awk '/^MemTotal:/ { printf "%d", $2 * 768 }' /proc/meminfo
	fi
}

set_limits() {
	set_limit "$1/pids.max" "${TOASTER_PIDS:-4096}"
	set_limit "$1/memory.max" "$(memory_limit)"
	set_limit "$1/memory.swap.max" 0
	set_limit "$1/memory.limit_in_bytes" "$(memory_limit)"
	set_limit "$1/memory.memsw.limit_in_bytes" "$(memory_limit)"
	case ${TOASTER_CPUS:-0} in
	0) ;;
	*)
		quota=$(awk -v cpus="$TOASTER_CPUS" 'BEGIN { printf "%d", cpus * 100000 }')
		set_limit "$1/cpu.max" "$quota 100000"
		set_limit "$1/cpu.cfs_quota_us" "$quota"
		;;
	esac
}
set_limit() { [ ! -e "$1" ] || echo "$2" >"$1" || :; }

# killed_for_memory prints how often the kernel has ended a process of the build for its memory; nothing for never.
killed_for_memory() {
	for folder in $(cgroups); do
		sed -n 's/^oom_kill \([1-9]\)/\1/p' "$folder/memory.events" "$folder/memory.oom_control" 2>/dev/null || :
	done
}

leave_cgroup() {
	for folder in $(cgroups); do
		[ ! -d "$folder" ] || $AS_ROOT rmdir "$folder" 2>/dev/null || { sleep 0.2; $AS_ROOT rmdir "$folder" 2>/dev/null || :; }
	done
}

# How the inside ends when a command printed nothing for SILENCE_LIMIT seconds.
SILENT=98

# fell_silent is what to fail with then, which says where: signs has left the mark of the step. A server that never answers is the usual reason.
fell_silent() {
	[ -f "$WORK/silent" ] || return 0
	if [ $((SILENCE_LIMIT % 60)) = 0 ]; then span="$((SILENCE_LIMIT / 60)) min"; else span="$SILENCE_LIMIT s"; fi
	line=0
	read -r _ _ line text <"$WORK/silent" || :
	if [ "${line:-0}" = 0 ]; then
		printf '%s\t' "nothing was printed for %s while the base was made." "$span"
	else
		printf '%s\t' "nothing was printed for %s at line %s: %s" "$span" "$line" "$(printf %s "$text" | tr -d '\000-\037')"
	fi
}

# How the inside ends when the build has used too much of the disk.
TOOK_ALL=96
TOOK_SHARE=97
mib() { echo $(($1 >> 20)); }
reserve_mib() { mib "${TOASTER_FREE_DISK:-67108864}"; }

# no_inodes: are the last of the file system's files taken? Not all have a number of them.
no_inodes() {
	# shellcheck disable=SC2046 # two numbers
	set -- $(stat -f -c '%d %c' "$WORK")
	[ "$1" -lt $(($2 / 200)) ]
}

# watch_disk ends the build when the host's reserve, or its last files, are touched, or more than the build's share is used.
# Sizes are looked up seldom, as that reads every folder: when as much has gone from the disk, and every 30 rounds, as others
# may free as much as the build takes.
watch_disk() {
	start=$(free_mib "$WORK")
	looked=0
	rounds=0
	while sleep 0.3; do
		rounds=$((rounds + 1))
		now=$(free_mib "$WORK")
		if [ "$now" -lt "$(reserve_mib)" ] || no_inodes; then
			kill -USR1 1
		elif [ "${TOASTER_DISK:-0}" != 0 ] &&
			{ [ "$rounds" -ge 30 ] || [ $((start - now)) -gt $(((TOASTER_DISK >> 20) - looked / 2)) ]; }; then
			rounds=0
			looked=$(du -smx "$WORK" 2>/dev/null | cut -f 1)
			[ "$looked" -le $((TOASTER_DISK >> 20)) ] || kill -USR2 1
			start=$((now + looked))
		fi
	done
}
