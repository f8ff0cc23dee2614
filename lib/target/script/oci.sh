# ---------------------------------------------------------------------------------------------------
# The OCI archive of a root filesystem: what docker build would have made, for Docker, Podman and skopeo.
# https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md

# oci_archive: one layer, and the Dockerfile's configuration. An appliance's image is the Dockerfile's own tree.
oci_archive() {
	layer=$WORK/dist/$IMAGE
	made="toaster: $DISTRIBUTION '$CODENAME'" # as image.ReleaseOf reads it
	if [ -n "$APP_ROOT" ]; then
		without_links "${APP_ROOT#/}" ||
			fail 7 "the image has no %s: the instructions of the Dockerfile did not all run." "$APP_ROOT"
		layer=$WORK/layer.tar.gz
		made="toaster: $TARGET"
		pack_tree "$R$APP_ROOT" "$layer"
	fi
	oci_layout
	rm -rf "$WORK/oci" "$WORK/layer.tar.gz"
}

# manifest.json is for programs that only load what docker save writes. Names come first, so that a look at it is quick.
oci_layout() {
	when=$(json_time "$EPOCH")
	mkdir -p "$WORK/oci/blobs/sha256"
	cd "$WORK/oci"
	blob "$layer" layer.v1.tar+gzip
	layer=$DIGEST layers=$DESCRIPTOR
	{
		printf '{"created":%s,' "$when"
		image_config
		printf '"rootfs":{"type":"layers","diff_ids":["%s"]},' "$DIFF_ID"
		printf '"history":[{"created":%s,"created_by":"%s"}]}' "$when" "$made"
	} >config
	blob config config.v1+json
	config=$DIGEST
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
		"$DESCRIPTOR" "$layers" >manifest
	blob manifest manifest.v1+json
	printf '{"imageLayoutVersion":"1.0.0"}' >oci-layout
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",' >index.json
	printf '"manifests":[%s,"annotations":{%s,%s}}]}' "${DESCRIPTOR%?}" \
		"\"io.containerd.image.name\":\"docker.io/library/$TARGET:latest\"" \
		"\"org.opencontainers.image.ref.name\":\"$TARGET:latest\"" >>index.json
	printf '[{"Config":"blobs/sha256/%s","RepoTags":["%s:latest"],"Layers":["blobs/sha256/%s"]}]' \
		"${config#*:}" "$TARGET" "${layer#*:}" >manifest.json
	tar --create --format=posix --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
		--owner=0 --group=0 --numeric-owner --mode=0644 --mtime="@$EPOCH" \
		--file="$WORK/dist/$TARGET.oci.tar" oci-layout index.json manifest.json \
		"blobs/sha256/${DIGEST#*:}" "blobs/sha256/${config#*:}" "blobs/sha256/${layer#*:}" || packing_failed
}

# blob FILE TYPE: puts it among the blobs; DIGEST is its name, DESCRIPTOR what others say of it.
blob() {
	DIGEST=sha256:$(sha256sum <"$1" | cut -d ' ' -f 1)
	DESCRIPTOR=$(printf '{"mediaType":"application/vnd.oci.image.%s","digest":"%s","size":%s}' "$2" "$DIGEST" \
		"$(stat -c %s "$1")")
	ln "$1" "blobs/sha256/${DIGEST#*:}"
}
