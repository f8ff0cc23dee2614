#!/bin/sh
# Builds the project in this folder, and downloads the image. The exit status is 0 if that succeeded.
set -eu
: "${TOASTER_TOKEN:?}" "${TOASTER_URL:=ADDRESS}" "${NAME:=my-image}" "${TARGET:=TARGET}"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
printf 'header = "Authorization: Bearer %s"\n' "$TOASTER_TOKEN" >"$temporary/curl"
ask() { curl -sS --fail-with-body --retry 5 -K "$temporary/curl" "$@"; }
# Prints what jq finds in an answer. That comes into a file, which curl empties before it tries again.
get() {
	what=$1
	shift
	ask -o "$temporary/answer" "$@" || { cat "$temporary/answer" >&2; return 1; }
	jq -er "$what" "$temporary/answer"
}
tar -czf "$temporary/context.tar.gz" .
# The job of that name gets new sources, and is built. A request that curl repeats is only processed once.
build=$(get '.builds[0].url' -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" -F upsert=1 \
	-F start=1 -F "name=$NAME" -F "target=$TARGET" -F "context=@$temporary/context.tar.gz" "$TOASTER_URL/jobs")
state=queued
while [ "$state" = queued ] || [ "$state" = running ]; do
	state=$(get .state "$build?wait=30")
	echo "$build: $state" >&2
done
[ "$state" = succeeded ] || { ask -o "$temporary/log" "$build/log?whole=1"; tail -n 50 "$temporary/log" >&2; exit 1; }
get '.artifacts[] | [.url, .path] | @tsv' "$build" >"$temporary/files"
while IFS="$(printf '\t')" read -r url path; do
	ask --create-dirs -o "image/$path" "$url"
done <"$temporary/files"
cd image && sha256sum -c SHA256SUMS
