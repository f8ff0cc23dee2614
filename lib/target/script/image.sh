# ---------------------------------------------------------------------------------------------------
# What all images have in common: where packages come from, what the blend says, and what is told about the result.

# The files of an image that something is told of.
TOLD='etc/toaster/stamp etc/toaster/image.json etc/toaster/not-started etc/toaster/not-in-archive var/lib/dpkg/status'

# sources prints the lines of sources.list; nothing where mmdebstrap's own default is right.
sources() {
	if [ -n "$MIRROR" ]; then
		for suite in $SUITES; do
			case $suite in
			*-security) printf 'deb %s %s %s\n' "${SECURITY:-$MIRROR}" "$suite" "$COMPONENTS" ;;
			*) printf 'deb %s %s %s\n' "$MIRROR" "$suite" "$COMPONENTS" ;;
			esac
		done
		return
	fi
	# The host's own archive of the same release, but no third party's that uses the same names.
	# shellcheck disable=SC2016 # apt-get fills these in, or leaves them where it does not know
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Identifier: Packages' 2>/dev/null |
		awk -v suites="$SUITES" -v components="$COMPONENTS" -v distribution="$DISTRIBUTION" '
			BEGIN {
				count = split(suites, order, " ")
				for (i = split(components, list, " "); i > 0; i--) wanted[list[i]] = 1
				unknown = "$(ORIGIN)"
			}
			$1 !~ /^https?:\/\/[A-Za-z0-9.:\/_~%+-]+$/ || !($3 in wanted) || ($1, $2, $3) in seen { next }
			$4 == unknown ? $1 !~ "/" distribution "[^/]*/?$" : tolower($4) != distribution { next }
			!($2 in site) { site[$2] = $1 }
			site[$2] == $1 { seen[$1, $2, $3] = 1; part[$2] = part[$2] " " $3 }
			END {
				if (order[1] in site)
					for (i = 1; i <= count; i++)
						if (order[i] in site) print "deb", site[order[i]], order[i] part[order[i]]
			}'
}

# How this host reaches its archives, for apt in the image while the build goes on.
apt_settings() {
	apt-config dump Acquire 2>/dev/null |
		grep -iE '^Acquire::((http|https|ftp)::proxy|check-valid-until|check-date|retries|forceipv4|forceipv6)[^{]* "[^"]*";$' || :
	case ${http_proxy:-\"} in
	*\"*) ;;
	*) printf 'Acquire::http::Proxy "%s";\n' "$http_proxy" ;;
	esac
}

# settings_for_run prints them for the image, while RUN runs: a proxy with a password is none for RUN, nor one that it
# can't reach. What is left out is said on standard error.
settings_for_run() {
	mirrors_for_run
	apt_settings | while read -r name value; do
		value=${value#\"}
		value=${value%\";}
		case "$name $value" in
		*[Aa]uto-[Dd]etect*) continue ;; # a program of this host
		*[Pp]roxy*" " | *[Pp]roxy*" DIRECT" | *[Pp]roxy*" false") ;;
		*[Pp]roxy*) proxy_for_run "$value" || continue ;;
		esac
		printf '%s "%s";\n' "$name" "$value"
	done
}

# proxy_for_run URL: sets value to what RUN can use.
proxy_for_run() {
	split_url "$1"
	if [ -n "$url_user" ]; then
		say "apt's proxy $url_host:$url_port has a password, which every RUN could read: RUN goes without it." \
			"Let RUN use a proxy that needs none (http_proxy, or apt's settings), and name it in \"allow\" of [sandbox] or in TOASTER_SANDBOX_ALLOW." >&2
		return 1
	fi
	case $url_host/$(addresses_of "$url_host") in
	*/127.* | ::1/*)
		if allowed 10.0.2.2 "$url_port"; then
			value=${1%%"${1#*://}"}10.0.2.2:$url_port/
			return 0
		fi
		say "apt's proxy is this host itself, port $url_port, which RUN can't reach: RUN goes without it." \
			"To let RUN use it, put 10.0.2.2:$url_port into \"allow\" of [sandbox] or into TOASTER_SANDBOX_ALLOW." >&2
		return 1
		;;
	esac
	reachable "$url_host" "$url_port" "apt's proxy" >&2
}

# mirrors_for_run says which archives RUN can't reach.
mirrors_for_run() {
	awk '{ print $2 }' "$NOTES/sources" | sort -u | while read -r mirror; do
		split_url "$mirror"
		reachable "$url_host" "$url_port" "the archive" >&2 || :
	done
}

# reachable HOST PORT WHAT: says so where the sandbox's network keeps RUN from it.
reachable() {
	for address in $(addresses_of "$1"); do
		if private "$address" && ! allowed "$address" "$2"; then
			say "$3 $1:$2 is at $address, in a private network, which RUN can't reach." \
				"To let RUN use it, put $address:$2 into \"allow\" of [sandbox] or into TOASTER_SANDBOX_ALLOW."
			return 1
		fi
	done
}

# split_url URL: sets url_user, url_host, url_port.
split_url() {
	url_host=${1#*://}
	url_host=${url_host%%/*}
	url_user=
	case $url_host in
	*@*) url_user=${url_host%@*} url_host=${url_host##*@} ;;
	esac
	case $1 in
	https:*) url_port=443 ;;
	*) url_port=80 ;;
	esac
	case $url_host in
	\[*\]:*) url_port=${url_host##*:} ;;
	\[*\]) ;;
	*:*) url_port=${url_host##*:} url_host=${url_host%:*} ;;
	esac
	case $url_host in
	\[*) url_host=${url_host#\[} url_host=${url_host%%\]*} ;;
	esac
}

addresses_of() {
	case $1 in
	*[!0-9.]*) getent ahostsv4 "$1" 2>/dev/null | awk '$2 == "STREAM" { print $1 }' || : ;;
	*) printf '%s\n' "$1" ;;
	esac
}
allowed() { case " ${TOASTER_SANDBOX_ALLOW:-} " in *" $1:$2 "*) ;; *) return 1 ;; esac; }

# private ADDRESS: as the sandbox's network has it.
private() {
	case $1 in
	0.* | 10.* | 127.* | 169.254.* | 192.168.* | 192.0.0.* | 168.63.129.16) ;;
	172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 22[4-9].* | 2[3-5][0-9].*) ;;
	100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].*) ;;
	*) return 1 ;;
	esac
}

# The blend says where it is, "TOASTER-STEP n/m LINE instruction", and at its end "TOASTER-FAILED n/m LINE exit STATUS".
# Line 0 is no line of the Dockerfile.
explain_blend() {
	status=$(sed -n 's/^TOASTER-FAILED .* exit \([0-9]*\)$/ (exit code \1)/p' "$NOTES/signs" | tail -n 1)
	step=$(grep -a '^TOASTER-STEP ' "$NOTES/signs" | tail -n 1)
	# shellcheck disable=SC2086 # words of it
	set -f -- ${step:-- - 0}
	[ "$3" != 0 ] || explain 6 "the blend failed. Its last lines have the reason."
	explain 6 "line %s of the Dockerfile failed%s: %s" "$3" "$status" "${step#* * * }"
}

# An image whose customisation did not run is no image.
check_stamp() {
	in_image etc/toaster/stamp ||
		fail 7 "the image has no stamp: the instructions of the Dockerfile did not all run."
	grep -qxF "$BLEND_SHA256" "$R/etc/toaster/stamp" ||
		fail 7 "the stamp in the image belongs to another blend: the instructions of the Dockerfile did not run."
}

# in_image FILE: it is a real one, on a path without links, which could lead to a file of the host.
in_image() { [ -f "$R/$1" ] && without_links "$1"; }
without_links() { [ "$(realpath "$R/$1")" = "$(realpath "$R")/$1" ]; }

describe() {
	cd "$WORK/dist"
	list_packages >packages.txt
	provenance >provenance.json
	rm -f SHA256SUMS
	sha256sum -- * >"$NOTES/sums"
	cat "$NOTES/sums" >SHA256SUMS
	cat SHA256SUMS
}

# shellcheck disable=SC2016 # dpkg-query fills these in
list_packages() {
	in_image var/lib/dpkg/status || return 0
	dpkg-query --admindir="$R/var/lib/dpkg" --show \
		--showformat='${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n' |
		sed -n 's/^.i \t//p' | sort
}

provenance() {
	printf '{\n'
	facts
	printf '  "script_sha256": %s,\n' "$(json "$SCRIPT_SHA256")"
	printf '  "builder": %s,\n' "$(json "$(builder)")"
	printf '  "sources": [%s],\n' "$(sources_json)"
	printf '  "services_not_started": [%s],\n' "$(lines_json etc/toaster/not-started)"
	printf '  "packages_not_in_archive": [%s],\n' "$(lines_json etc/toaster/not-in-archive)"
	more_provenance
	printf '  "build_number": %s,\n' "$(json_number "${BUILD_NUMBER:-}")"
	printf '  "started_at": %s,\n' "$(json_time "$STARTED")"
	printf '  "ended_at": %s,\n' "$(json_time "$(date +%s)")"
	printf '  "image": {"path": %s, "size": %s, "sha256": %s}\n' "$(json "$IMAGE")" \
		"$(stat -c %s "$IMAGE")" "$(json "$(sha256sum <"$IMAGE" | cut -d ' ' -f 1)")"
	printf '}\n'
}

# lines_json FILE: the lines that the blend has noted there.
lines_json() {
	in_image "$1" || return 0
	separator=
	head -c 65536 "$R/$1" | while read -r line; do
		printf '%s%s' "$separator" "$(json "$line")"
		separator=', '
	done
}

sources_json() {
	separator=
	while read -r line; do
		[ -n "$line" ] || continue
		printf '%s%s' "$separator" "$(json "$line")"
		separator=', '
	done <"$NOTES/sources"
}
