# toaster: from a Dockerfile to an installable image. "make help" lists what can be made.

LISTEN  = 127.0.0.1:8080
DESTDIR =
PREFIX  = /usr
VERSION = $(shell git describe --always --dirty 2>/dev/null || echo devel)

PROGRAMS = index account admin jobs strength

# What Debian and Devuan call the things that are needed.
RUN_PACKAGES  = gcc libc6-dev mmdebstrap uidmap zsh
TEST_PACKAGES = $(RUN_PACKAGES) apache2-bin buildah busybox-static chromium cpio curl debootstrap e2fsprogs git lighttpd \
	lighttpd-mod-openssl parted qemu-utils shellcheck squashfs-tools w3m xorriso zip

# SQLite without loadable extensions; no C library for look-ups of hosts and users, which costs every request.
export GOFLAGS += -tags=sqlite_omit_load_extension,netgo,osusergo
export CGO_ENABLED = 1

.PHONY: help run test test-jenkins build install bench clean run-tools test-tools lint

help:
	@printf '%s\n' 'make run      try toaster out: builds it, makes ./var, serves on $(LISTEN)' \
		'make test     all the tests; as root it installs what they need' \
		'make test-jenkins  the engine on a Jenkins: JENKINS_URL, JENKINS_USER, JENKINS_TOKEN' \
		'make build    build/toasterctl and build/cgi-bin/' \
		'make install  into $(PREFIX), below DESTDIR' \
		'make e2e-sdk   images from the real SDKs in SDK_DIR, started in qemu; half an hour' \
		'make bench    benchmarks, side by side, as ratios' \
		'make clean    removes ./build; ./var stays'

build: run-tools
	go build -trimpath -ldflags '-s -w -X toaster.do/lib/site.Version=$(VERSION)' -o build/toasterctl ./lib/toasterctl
	@for p in $(PROGRAMS); do \
		echo "go build cgi-bin/$$p"; \
		go build -trimpath -ldflags '-s -w -X toaster.do/lib/site.Version=$(VERSION)' -o build/cgi-bin/$$p ./cgi-bin/$$p || exit 1; \
	done

run: build
	@.ci/try '$(LISTEN)'

test: test-tools lint
	go test -race -timeout 60m ./...
	cd lib/dockerfile/oracle && go test ./...

test-jenkins:
	@: "$${JENKINS_URL:?is not set: make test-jenkins JENKINS_URL=https://… JENKINS_USER=… JENKINS_TOKEN=…}" \
		"$${JENKINS_USER:?is not set: an account for toaster on that Jenkins}" "$${JENKINS_TOKEN:?is not set: an API token of that account}"
	go test -count=1 -v -timeout 60m -run TestRealController ./lib/jenkins/

# A live ISO and a virtual machine from the real SDKs, SDK_DIR/live-sdk and SDK_DIR/vm-sdk, started in qemu. As root.
e2e-sdk: test-tools
	@.ci/tools qemu-system-x86
	@[ -n '$(SDK_DIR)' ] || { echo 'make e2e-sdk SDK_DIR=the folder that has live-sdk and vm-sdk'; exit 2; }
	SDK_DIR='$(abspath $(SDK_DIR))' go test -tags=e2e_sdk,sqlite_omit_load_extension,netgo,osusergo -count=1 -v -timeout 3h -run TestRealSDK ./lib/e2e

lint:
	@echo gofmt; bad=$$(gofmt -l cgi-bin conf lib static templates) || exit 1; \
		[ -z "$$bad" ] || { echo "gofmt would change: $$bad"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	cd lib/dockerfile/oracle && go vet ./...

bench: test-tools build
	go test -run '^$$' -bench . ./...

install: build
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/cgi-bin/toaster' '$(DESTDIR)$(PREFIX)/share/toaster/static' \
		'$(DESTDIR)$(PREFIX)/share/toaster/conf'
	install -m 755 build/toasterctl '$(DESTDIR)$(PREFIX)/bin/'
	install -m 755 build/cgi-bin/* '$(DESTDIR)$(PREFIX)/lib/cgi-bin/toaster/'
	install -m 644 $(filter-out %.go,$(wildcard static/*)) '$(DESTDIR)$(PREFIX)/share/toaster/static/'
	cp -R conf/apache conf/lighttpd conf/jenkins '$(DESTDIR)$(PREFIX)/share/toaster/conf/'

clean:
	rm -rf build

run-tools:
	@.ci/tools $(RUN_PACKAGES)

test-tools:
	@.ci/tools $(TEST_PACKAGES)
