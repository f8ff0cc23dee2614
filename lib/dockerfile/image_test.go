package dockerfile

import (
	"archive/tar"
	"fmt"
	"strings"
	"testing"

	images "toaster.do/lib/image"
)

func TestImagesOfRegistries(t *testing.T) {
	for text, want := range map[string]string{
		"FROM devuan/devuan:daedalus":            "",
		"FROM debian:bookworm AS a\nFROM a":      "",
		"FROM scratch":                           "",
		"FROM localhost/mine":                    "",
		"FROM localhost:5000/mine":               "1 localhost:5000/mine linux/amd64",
		"not a Dockerfile":                       "",
		"":                                       "",
		"FROM python:3.12-slim":                  "1 python:3.12-slim linux/amd64",
		"# x\nFROM a/b:c\nCOPY --from=a/b:c / /": "2 a/b:c linux/amd64",
		"ARG V=3.20\nFROM alpine:${V}\nRUN true": "2 alpine:3.20 linux/amd64",
		"ARG G\nFROM alpine:${G:-x}":             "2 alpine:given linux/amd64",
		"FROM golang AS build\nFROM debian:12\nCOPY --from=build / /\nCOPY --from=0 / /\nCOPY --from=busybox:1 /bin /b\n" +
			"RUN --mount=type=bind,from=node:20,target=/n --mount=type=bind,from=build,target=/g " +
			"--mount=type=cache,target=/c,from=scratch true": "1 golang linux/amd64\n5 busybox:1 linux/amd64\n6 node:20 " +
			"linux/amd64",
		"FROM golang AS unused\nFROM debian:12\nCMD x":                                                                       "",
		"FROM golang AS Build\nFROM build AS next\nFROM debian:12\nCOPY --from=NEXT / /":                                     "1 golang linux/amd64",
		"FROM --platform=linux/arm/v7 golang AS a\nFROM golang\nCOPY --from=a / /\nCOPY --from=x:y / /\nCOPY --from=x:y / /": "1 golang linux/arm/v7\n2 golang linux/amd64\n4 x:y linux/amd64",
		"FROM --platform=$BUILDPLATFORM golang":                                                                              "1 golang linux/amd64",
		"FROM --platform=arm64 golang":                                                                                       "1 golang linux/arm64",
		"FROM debian:12\nCOPY --from=$A / /\nCOPY --from=later / /\nFROM x AS later\nFROM debian:12":                         "",
		"FROM debian:12\nCOPY --from=UPPER / /\nCOPY --from=7 / /":                                                           "",
		"FROM debian:12\nCOPY --from=debian:11 / /":                                                                          "2 debian:11 linux/amd64",
		"FROM a:b@sha256:" + strings.Repeat("0",
			64): "1 a:b@sha256:" + strings.Repeat("0", 64) + " linux/amd64",
		"FROM a AS b\nONBUILD COPY --from=c:d / /\nFROM b": "1 a linux/amd64\n3 c:d linux/amd64",
	} {
		var got []string
		for _, n := range Images(Source{Dockerfile: []byte(text), BuildArgs: map[string]string{"G": "given"}}) {
			got = append(got, fmt.Sprint(n.Line, " ", n.Reference, " ", n.Platform))
		}
		if all := strings.Join(got, "\n"); all != want {
			t.Errorf("%s\nnames %q\nnot   %q", text, all, want)
		}
	}
	for arch, want := range map[string]string{"armhf": "linux/arm/v7", "armel": "linux/arm/v5", "i386": "linux/386",
		"arm64": "linux/arm64"} {
		if got := Images(Source{Dockerfile: []byte("FROM alpine"), Arch: arch}); len(got) != 1 || got[0].Platform != want {
			t.Errorf("%s: %v", arch, got)
		}
		if back, ok := Arch(want); back != arch || !ok {
			t.Errorf("%s: %s", want, back)
		}
	}
	if arch, ok := Arch("linux/sparc"); ok {
		t.Error(arch)
	}
}

// TestVariablesOfAnImage: what an image may set is no error before it is looked up, and is used then.
func TestVariablesOfAnImage(t *testing.T) {
	const text = "FROM a:b AS one\nVOLUME $DATA\nEXPOSE $PORT/tcp ${PORT}\nUSER $WHO\nWORKDIR $HOME_DIR\nCOPY ${FILE:?none} " +
		"$DEST\nCOPY $FILE.d/x $DEST\nSTOPSIGNAL $SIG\nLABEL a=$X\nENV A=$B\nENV B=${A}\nADD --chown=$WHO $FILE /\n" +
		"RUN --mount=type=bind,target=$DATA x\nFROM one AS two\nRUN x\nFROM two\nVOLUME $DATA\nARG C=$B\nVOLUME $A $C\n"
	context, err := ReadContext(tarOf(tar.Header{Name: "file"}), generous)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		env  []string // nil: it has not been looked up
		want string
	}{
		"unknown": {text, nil, ""},
		"known": {text, []string{"B=/b", "DATA=/d", "PORT=80",
			"WHO=me", "HOME_DIR=/h", "FILE=file", "DEST=/x", "SIG=TERM"}, "7 MissingSource"},
		"without": {text, []string{"A=1"},
			"2 Syntax, 3 Syntax, 6 Syntax, 7 MissingSource, 8 Syntax, 13 Syntax, 17 Syntax, 19 Syntax"},
		"own mistake": {"FROM a:b\nARG V=\nVOLUME $V", nil, "3 Syntax"},
		"own syntax":  {"FROM a:b\nENV V=${", nil, "2 Syntax"},
		"plain":       {"FROM debian:12\nVOLUME $DATA", nil, "2 Syntax"},
		"other":       {"FROM a:b\nRUN x\nFROM debian:12\nVOLUME $DATA", nil, "4 Syntax"},
	} {
		s := Source{Dockerfile: []byte(c.text), Context: context}
		if c.env != nil {
			s.Lock = images.Lock{{Reference: "a:b", Platform: "linux/amd64", Config: images.Config{Env: c.env}}}
		}
		_, findings := Steps(s)
		var got []string
		for _, f := range findings {
			if f.Level == Error {
				got = append(got, fmt.Sprint(f.Line, " ", f.Rule))
			}
			if c.env == nil && name == "unknown" && f.Level == Warning {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if all := strings.Join(got, ", "); all != c.want {
			t.Errorf("%s: %s\nnot %s\n%v", name, all, c.want, findings)
		}
	}
}
