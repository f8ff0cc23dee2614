# Like golang, or another image to build in.
ARG REGISTRY
FROM debian:bookworm
ENV GOPATH=/go PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin TOOL="two words"
RUN mkdir -p /usr/local/go/bin "$GOPATH/src" && printf '#!/bin/sh\necho "go $*"\n' >/usr/local/go/bin/go && \
	chmod 755 /usr/local/go/bin/go && chmod 1777 "$GOPATH"
WORKDIR /go
USER 1000:1001
