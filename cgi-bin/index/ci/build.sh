#!/bin/sh
# Builds the project in this folder, and downloads the image. The exit status is 0 if that succeeded.
set -eu
: "${TOASTER_TOKEN:?}" "${TOASTER_URL:=ADDRESS}" "${NAME:=my-image}" "${TARGET:=TARGET}"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
printf 'header = "Authorization: Bearer %s"\n' "$TOASTER_TOKEN" >"$temporary/curl"
ask() { curl -sS --fail-with-body --retry 5 -K "$temporary/curl" "$@"; }
tar -czf "$temporary/context.tar.gz" .
# The job of that name gets new sources, and is built. A request that curl repeats is only processed once.
job=$(ask -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" -F upsert=1 -F start=1 \
	-F "name=$NAME" -F "target=$TARGET" -F "context=@$temporary/context.tar.gz" "$TOASTER_URL/jobs")
build=$(printf %s "$job" | jq -er '.builds[0].url')
state=queued
while [ "$state" = queued ] || [ "$state" = running ]; do
	state=$(ask "$build?wait=30" | jq -er .state)
	echo "$build: $state" >&2
done
[ "$state" = succeeded ] || { ask "$build/log?whole=1" | tail -n 50 >&2; exit 1; }
ask "$build" | jq -er '.artifacts[] | [.url, .path] | @tsv' | while IFS="$(printf '\t')" read -r url path; do
	ask --create-dirs -o "image/$path" "$url"
done
cd image && sha256sum -c SHA256SUMS
