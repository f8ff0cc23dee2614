# ---------------------------------------------------------------------------------------------------
# What all images have in common: where packages come from, what the blend says, and what is told about the result.

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

# The blend says where it is, "TOASTER-STEP n/m LINE instruction", and at its end "TOASTER-FAILED n/m LINE exit STATUS".
# Line 0 is no line of the Dockerfile.
explain_blend() {
	status=$(sed -n 's/^TOASTER-FAILED .* exit \([0-9]*\)$/ (exit status \1)/p' "$NOTES/signs" | tail -n 1)
	step=$(grep -a '^TOASTER-STEP ' "$NOTES/signs" | tail -n 1)
	# shellcheck disable=SC2086 # words of it
	set -f -- ${step:-- - 0}
	[ "$3" != 0 ] || explain 6 "the blend did not work out. Its last lines say why."
	explain 6 "line $3 of the Dockerfile did not work out$status: ${step#* * * }"
}

# An image whose customisation did not run is no image.
check_stamp() {
	in_image etc/toaster/stamp ||
		fail 7 "the image has no stamp: the Dockerfile's instructions did not run to their end."
	grep -qxF "$BLEND_SHA256" "$R/etc/toaster/stamp" ||
		fail 7 "the stamp in the image is another blend's: the Dockerfile's instructions did not run."
}

# in_image FILE: it is a real one, on a path without links, which could lead to a file of the host.
in_image() { [ -f "$R/$1" ] && [ "$(realpath "$R/$1")" = "$(realpath "$R")/$1" ]; }

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
	more_provenance
	printf '  "build_number": %s,\n' "$(json_number "${BUILD_NUMBER:-}")"
	printf '  "started_at": %s,\n' "$(json_time "$STARTED")"
	printf '  "ended_at": %s,\n' "$(json_time "$(date +%s)")"
	printf '  "image": {"path": %s, "size": %s, "sha256": %s}\n' "$(json "$IMAGE")" \
		"$(stat -c %s "$IMAGE")" "$(json "$(sha256sum <"$IMAGE" | cut -d ' ' -f 1)")"
	printf '}\n'
}

sources_json() {
	separator=
	while read -r line; do
		[ -n "$line" ] || continue
		printf '%s%s' "$separator" "$(json "$line")"
		separator=', '
	done <"$NOTES/sources"
}
