# toaster: from a Dockerfile to an installable image. "make help" lists what can be made.

LISTEN  = 127.0.0.1:8080
DESTDIR =
PREFIX  = /usr
VERSION = $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null || echo devel))
BUILD   = build

PROGRAMS = index account admin jobs build strength

# What Debian and Devuan call the things that are needed.
RUN_PACKAGES  = gcc libc6-dev crun git iproute2 mmdebstrap openssh-client skopeo slirp4netns uidmap zsh zstd
TEST_PACKAGES = $(RUN_PACKAGES) apache2-bin buildah busybox-static chromium cpio cron curl debootstrap docker-registry dosfstools e2fsprogs groff-base iptables jq libapache2-mod-fcgid libapache2-mpm-itk libapache2-mod-xsendfile lighttpd lintian \
	lighttpd-mod-openssl logrotate openrc openssh-server parted procps qemu-utils runc runit shellcheck squashfs-tools w3m xorriso zip \
	$(shell grep -q '^ID=devuan' /etc/os-release || echo systemd)

# SQLite without loadable extensions; no C library for look-ups of hosts and users, which costs every request.
TAGS = sqlite_omit_load_extension,netgo,osusergo
export GOFLAGS += -tags=$(TAGS)
export CGO_ENABLED = 1
# Nobody asks SQLite how much memory it has, for which it takes a lock at each allocation; and it needs not plan a statement again when it
# sees the values.
export CGO_CFLAGS = -O2 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_ENABLE_QPSG

.PHONY: help run check test test-jenkins build client install deb release bench clean run-tools test-tools lint

help:
	@printf '%s\n' 'make run      try toaster out: builds it, makes ./var, serves on $(LISTEN)' \
		'make check    in less than a minute: lint and unit tests' \
		'make test     all the tests; as root it installs what they need' \
		'make test-jenkins  the engine on a Jenkins: JENKINS_URL, JENKINS_USER, JENKINS_TOKEN' \
		'make build    build/toasterctl and build/cgi-bin/' \
		'make client   build/client/: the command for users, for each system' \
		'make install  into $(PREFIX), below DESTDIR' \
		'make deb      a Debian package, in build/' \
		'make release VERSION=1.2.0  checks, changelog, package, checksums' \
		'make e2e-sdk   images from the real SDKs in SDK_DIR, started in qemu; an hour' \
		'make bench    benchmarks, side by side, as ratios' \
		'make clean    removes ./build; ./var stays'

LINK = go build -trimpath -tags=pages,$(TAGS) -overlay '$(BUILD)/pages/overlay.json' -ldflags '-s -w -X toaster.do/lib/app.Version=$(VERSION) -extldflags -static'

# The templates become Go source, which overlay.json adds to the programs. Programs that are built without the tag "pages", as in
# tests, parse the templates at run time.
build: run-tools
	go run ./lib/view/generate '$(BUILD)/pages'
	$(LINK) -o '$(BUILD)/toasterctl' ./lib/toasterctl
	@for p in $(PROGRAMS); do \
		echo "go build cgi-bin/$$p"; \
		$(LINK) -o "$(BUILD)/cgi-bin/$$p" "./cgi-bin/$$p" || exit 1; \
	done

# The command for users' own machines. The same source gives the same bytes on each host.
CLIENTS = linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64.exe

client:
	rm -rf '$(BUILD)/client'
	@for c in $(CLIENTS); do \
		echo "go build toaster-$$c"; os=$${c%%-*} arch=$${c#*-}; \
		GOFLAGS= CGO_ENABLED=0 GOOS=$$os GOARCH=$${arch%.exe} go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' \
			-o "$(BUILD)/client/toaster-$$c" ./lib/toaster || exit 1; \
	done
	cd '$(BUILD)/client' && sha256sum toaster-* >SHA256SUMS

run: build
	@.ci/try '$(LISTEN)'

# What to run while working: no browser, no web server, no root file system.
UNIT = ./cgi-bin/account ./cgi-bin/admin ./lib/apperr ./lib/auth/... ./lib/buildlog ./lib/config ./lib/dockerfile ./lib/engine ./lib/jobs \
	./lib/store ./lib/view/... ./lib/web

check: run-tools lint
	go test -short $(UNIT)

test: test-tools lint
	go test -race -timeout 60m ./...
	cd lib/dockerfile/oracle && go test ./...

test-jenkins:
	@: "$${JENKINS_URL:?is not set: make test-jenkins JENKINS_URL=https://… JENKINS_USER=… JENKINS_TOKEN=…}" \
		"$${JENKINS_USER:?is not set: an account for toaster on that Jenkins}" "$${JENKINS_TOKEN:?is not set: an API token of that account}"
	go test -count=1 -v -timeout 60m -run TestRealController ./lib/engine/jenkins/

# A live ISO and a virtual machine from the real SDKs, SDK_DIR/live-sdk and SDK_DIR/vm-sdk, started in qemu. As root.
e2e-sdk: test-tools
	@.ci/tools qemu-system-x86
	@[ -n '$(SDK_DIR)' ] || { echo 'make e2e-sdk SDK_DIR=the folder that has live-sdk and vm-sdk'; exit 2; }
	SDK_DIR='$(abspath $(SDK_DIR))' go test -tags=e2e_sdk,$(TAGS) -count=1 -v -timeout 3h -run TestRealSDK ./lib/e2e

lint:
	@echo gofmt; bad=$$(gofmt -l cgi-bin conf lib static templates) || exit 1; \
		[ -z "$$bad" ] || { echo "gofmt would change: $$bad"; exit 1; }
	go vet ./...
	go vet -tags=e2e_sdk,$(TAGS) ./lib/e2e
	go tool staticcheck ./...
	@echo deadcode; dead=$$(go tool deadcode -test ./...) || exit 1; \
		dead=$$(printf '%s\n' "$$dead" | grep -v -e '^lib/view/viewtest/' -e 'Difference\.Error'); \
		[ -z "$$dead" ] || { echo "$$dead"; exit 1; } # left out: what generated tests use
	cd lib/dockerfile/oracle && go vet ./...

bench: test-tools build
	@.ci/tools cgit fossil
	go test -run '^$$' -bench . ./...

# Where things are, in what the web servers and init systems read; /etc/toaster and /var/lib/toaster are the same everywhere.
SHARE    = $(PREFIX)/share/toaster
RELOCATE = sed -e 's|/usr/lib/cgi-bin/toaster|$(PREFIX)/lib/cgi-bin/toaster|g; s|/usr/share/toaster|$(SHARE)|g; s|/usr/bin/toasterctl|$(PREFIX)/bin/toasterctl|g'
SNIPPETS = $(shell cd conf && find apache lighttpd init cron logrotate -type f)

install: build client
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/cgi-bin/toaster' '$(DESTDIR)$(SHARE)/static/client' '$(DESTDIR)$(SHARE)/conf' \
		'$(DESTDIR)$(PREFIX)/share/man/man1' '$(DESTDIR)$(PREFIX)/share/man/man5' '$(DESTDIR)$(PREFIX)/share/man/man8'
	install -m 755 '$(BUILD)/toasterctl' '$(DESTDIR)$(PREFIX)/bin/'
	install -m 755 '$(BUILD)/client/toaster-linux-'"$$(go env GOHOSTARCH)" '$(DESTDIR)$(PREFIX)/bin/toaster'
	install -m 644 '$(BUILD)'/client/* '$(DESTDIR)$(SHARE)/static/client/'
	'$(DESTDIR)$(PREFIX)/bin/toaster' man >'$(DESTDIR)$(PREFIX)/share/man/man1/toaster.1'
	install -m 755 $(PROGRAMS:%='$(BUILD)/cgi-bin/%') '$(DESTDIR)$(PREFIX)/lib/cgi-bin/toaster/'
	install -m 644 $(filter-out %.go,$(wildcard static/*)) '$(DESTDIR)$(SHARE)/static/'
	install -m 644 conf/*.toml '$(DESTDIR)$(SHARE)/conf/'
	install -m 644 conf/README.md '$(DESTDIR)$(SHARE)/conf/'
	cp -R conf/jenkins '$(DESTDIR)$(SHARE)/conf/'
	@for f in $(SNIPPETS); do \
		to='$(DESTDIR)$(SHARE)/conf/'$$f; mkdir -p "$${to%/*}" && $(RELOCATE) "conf/$$f" >"$$to" && chmod "$$(stat -c %a "conf/$$f")" "$$to" || exit 1; \
	done
	@for page in toasterctl.8 toaster.toml.5 targets.toml.5; do \
		'$(BUILD)/toasterctl' man $$page >'$(DESTDIR)$(PREFIX)/share/man/'man$${page##*.}/$$page || exit 1; \
	done

# A Debian package, of what is committed: name a VERSION for one that is given to others.
MAINTAINER  = $(shell git log -1 --format='%an <%ae>' 2>/dev/null || echo 'toaster <root@localhost>')
DEB_VERSION = $(shell conf/debian/version '$(VERSION)')
DEB         = $(BUILD)/toaster_$(DEB_VERSION)_$(shell dpkg --print-architecture 2>/dev/null).deb

deb: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
deb:
	rm -rf '$(BUILD)/deb' '$(BUILD)'/toaster_*.deb
	$(MAKE) install DESTDIR='$(BUILD)/deb' PREFIX=/usr
	conf/debian/build '$(BUILD)/deb' '$(DEB_VERSION)' '$(MAINTAINER)' '$(DEB)' $(DEB_LZMA2)

# Dates the changelog, runs all the tests, and makes the package and its checksum.
release:
	@[ -z "$$(git status --porcelain)" ] || { echo 'commit or stash your changes first'; exit 1; }
	conf/debian/release '$(VERSION)' conf/CHANGELOG.md
	$(MAKE) test
	$(MAKE) deb VERSION='$(VERSION)'
	cd '$(BUILD)' && sha256sum toaster_*.deb >SHA256SUMS && cat SHA256SUMS
	@echo "then: git commit -am 'release: $(VERSION)' && git tag 'v$(VERSION)'"

clean:
	rm -rf '$(BUILD)'

run-tools:
	@.ci/tools $(RUN_PACKAGES)

test-tools:
	@.ci/tools $(TEST_PACKAGES)
