package dockerfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	language "github.com/moby/buildkit/frontend/dockerfile/command"
)

// TestFindings: each of our rules, at its line. A case is a Dockerfile; "want" is LINE RULE LEVEL, in order.
func TestFindings(t *testing.T) {
	c := mustMake(t, map[string]string{"there": "", "folder/f": "", "Readme": "",
		"entry.sh": "#!/usr/bin/env bash\n# $COMMENT\n: ${NEEDED:?x} \"$SET\" " +
			"${DEFAULT:-x} $HOME\n" +
			"OWN=1; for EACH in $OWN; do read -r LINE; echo \"$EACH $LINE $ALSO\"; done\nif [ -n \"${OPTIONAL-}\" ]; then echo " +
			"\"$OPTIONAL\"; fi\n"})
	for _, test := range []struct{ text, want string }{
		{"FROM devuan/devuan:daedalus\nCMD [\"x\"]", ""},
		{"", "0 Empty error"},
		{"FROM a\nRUN \xff", "2 NotUTF8 error"},
		{"FROM a\nRUN \x00", "2 NotUTF8 error"},
		{"FROM devuan/devuan:daedalus\nINSTALL x", "2 Syntax error"},
		{"FROM devuan/devuan:daedalus\nCOPY gone /x\nCMD [\"x\"]", "2 MissingSource error"},
		{"FROM scratch\nCOPY there /x\nCMD [\"x\"]", "1 Appliance note"},
		{"FROM alpine:3\nCMD [\"x\"]", "1 Form note"},
		{"FROM alpine\nCMD [\"x\"]", "1 BaseTagMoves warning, 1 Form note"},
		{"FROM golang:1.22 AS build\nFROM devuan/devuan:daedalus\nCOPY --from=build /x /x\nCMD [\"x\"]", ""},
		{"FROM python:3.12-bookworm\nCMD [\"x\"]", "1 Form note"},
		{"FROM debian:bookworm\nCMD [\"x\"]", "1 BaseDistribution warning"},
		{"FROM amd64/debian:bookworm\nCMD [\"x\"]", "1 BaseDistribution warning"},
		{"FROM debian/eol:wheezy\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM amd64/alpine:3\nCMD [\"x\"]", "1 Form note"},
		{"FROM debian:trixie\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM devuan/devuan:chimaera\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM debian:wheezy\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM debian:7.11\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM debian:experimental\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM debian:nosuch\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM devuan/devuan:mine\nCMD [\"x\"]", "1 BaseRelease warning"},
		{"FROM devuan/devuan\nCMD [\"x\"]", "1 BaseTagMoves warning, 1 BaseRelease warning"},
		{"FROM localhost/mine\nCMD [\"x\"]", "1 BaseUnknown warning"},
		{"FROM --platform=linux/arm64 devuan/devuan:daedalus AS arm64\nCMD [\"x\"]", "1 FromPlatform error"},
		{"FROM devuan/devuan:daedalus\nCOPY --from=nginx /x /x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY --from=No! /x /x\nCMD [\"x\"]", "2 CopyFromImage error"},
		{"FROM devuan/devuan:daedalus\nCOPY --from=9 /x /x\nCMD [\"x\"]", "2 CopyFromStage error"},
		{"FROM devuan/devuan:daedalus\nCOPY --from=$x /x /x\nCMD [\"x\"]", "2 CopyFromVariable error"},
		{"FROM devuan/devuan:daedalus\nADD git@x.org:a.git /x\nCMD [\"x\"]", "2 AddGit error"},
		{"FROM devuan/devuan:daedalus\nRUN --network=host x\nCMD [\"x\"]", "2 RunNetwork error"},
		{"FROM devuan/devuan:daedalus\nRUN --mount=type=secret,id=x x\nCMD [\"x\"]", "2 SecretOptional note"},
		{"FROM devuan/devuan:daedalus\nRUN --mount=type=ssh,required x\nCMD [\"x\"]", "2 SecretNeeded note"},
		{"FROM devuan/devuan:daedalus\nRUN --mount=type=ssh x\nCMD [\"x\"]", "2 SecretOptional note"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get install -y x\nRUN apt-get update\nRUN apt-get install -y y\nCMD [\"x\"]",
			"2 AptWithoutUpdate warning"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install x\nCMD [\"x\"]", "2 AptAsks warning"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get install --update -y x\nRUN apt-get install -y y\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN apt-get -yU install x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nENV O=-y\nRUN apt-get update && apt-get $O install x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nENV O=-V\nRUN apt-get update && apt-get ${O} install x\nCMD [\"x\"]",
			"3 AptAsks warning"},
		{"FROM devuan/devuan:daedalus\nRUN O=-y; apt-get update && apt-get $O install x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y x && apt-get install y\nCMD [\"x\"]",
			"2 AptAsks warning"},
		{"FROM devuan/devuan:daedalus\nRUN <<E\napt-get update\napt-get install \\\n -y x\nE\nCMD [\"x\"]",
			"2 HeredocGoesOn note"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y systemd\nCMD [\"x\"]",
			"2 NeedsSystemd warning"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get remove -y systemd\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN systemctl enable x\nCMD [\"x\"]", "2 NeedsSystemd warning"},
		{"FROM devuan/devuan:daedalus\nEXPOSE 80\nCMD [\"x\"]", "2 ExposeFirewall note"},
		{"FROM devuan/devuan:daedalus\nONBUILD RUN x\nCMD [\"x\"]", "2 NoEffect note"},
		{"FROM devuan/devuan:daedalus\nCMD [\"nginx\"]", "2 CmdDaemonises warning"},
		{"FROM devuan/devuan:daedalus\nCMD [\"nginx\", \"-g\", \"daemon off;\"]", ""},
		{"FROM devuan/devuan:daedalus\nCMD [\"bash\"]", "2 CmdIsShell note"},
		{"FROM devuan/devuan:daedalus\nRUN true", "1 NoCommand note"},
		{"FROM devuan/devuan:daedalus\nRUN wget https://x.org/tool_linux_arm64.tar.gz\nCMD [\"x\"]",
			"2 ForeignArchitecture warning"},
		{"FROM devuan/devuan:daedalus\nRUN wget https://x.org/tool_linux_amd64.tar.gz\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN case $a in x) url=https://x.org/tool_amd64;; y) url=https://x.org/tool_arm64;; " +
			"esac; wget $url\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN if [ \"$(dpkg --print-architecture)\" = arm64 ]; then wget " +
			"https://x.org/tool_arm64; fi\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN echo 127.0.0.1 x >> /etc/hosts\nCMD [\"x\"]", "2 LostFile warning"},
		{"FROM devuan/devuan:daedalus\nRUN echo x | tee -a /etc/resolv.conf\nCMD [\"x\"]", "2 LostFile warning"},
		{"FROM devuan/devuan:daedalus\nRUN sed -i s/a/b/ /etc/hosts && true\nCMD [\"x\"]", "2 LostFile warning"},
		{"FROM devuan/devuan:daedalus\nRUN ln -sf /run/x /etc/resolv.conf\nCMD [\"x\"]", "2 LostFile warning"},
		{"FROM devuan/devuan:daedalus\n" +
			"RUN cat /etc/hosts > /x; cp /etc/resolv.conf /y; echo x > /etc/hosts.allow\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y resolvconf\nCMD [\"x\"]",
			"2 LostFile warning"},
		{"FROM devuan/devuan:daedalus\nRUN <<E\na\nb\nE\nCMD [\"x\"]", "2 HeredocGoesOn note"},
		{"FROM devuan/devuan:daedalus\nRUN <<E\nset -eu\na\nb\nE\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN <<E\n# one\na && \\\n  b\n\nE\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN <<E\n#!/bin/sh\na\nb\nE\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY <<E /x\na\nb\nE\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN <<E\na\r\nE\nCMD [\"x\"]", "2 HeredocLineEnds warning"},
		{"FROM devuan/devuan:daedalus\nCOPY <<E /x\na\r\nE\nCMD [\"x\"]", "2 HeredocLineEnds warning"},
		{"FROM devuan/devuan:daedalus\nCOPY no* /x/\nCMD [\"x\"]", "2 EmptyWildcard warning"},
		{"FROM devuan/devuan:daedalus\nCOPY the* /x/\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY --parents . /x/\nCMD [\"x\"]", "2 EmptyWildcard warning"},
		{"FROM devuan/devuan:daedalus\nCOPY --parents **/no* /x/\nCMD [\"x\"]", "2 EmptyWildcard warning"},
		{"FROM devuan/devuan:daedalus\nCOPY --parents * /x/\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY --link there /tmp/x\nCMD [\"x\"]", "2 LinkMode warning"},
		{"FROM devuan/devuan:daedalus\nCOPY --link there /opt/x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY --chmod=600 there /srv/deep/x\nCMD [\"x\"]", "2 ChmodFolder note"},
		{"FROM devuan/devuan:daedalus\nCOPY --chmod=600 there /etc/ssl/x\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nCOPY --chmod=644 folder /f\nCMD [\"x\"]", "2 ChmodFolder warning"},
		{"FROM devuan/devuan:daedalus\nCOPY --chmod=u=rwX,go=rX folder /f\nCMD [\"x\"]", ""},
		{"FROM alpine AS unused\nCOPY gone /x\nFROM devuan/devuan:daedalus\nCMD [\"x\"]",
			"1 BaseTagMoves warning, 2 MissingSource warning"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y nginx curl cron\nCMD [\"x\"]",
			"2 ServicesLeftOut note"},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y nginx\nLABEL toaster.services=all\nCMD " +
			"[\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y nginx\nCMD [\"/sbin/init\"]",
			"3 CmdIsInit note"},
		{"FROM devuan/devuan:daedalus\nLABEL toaster.stop-timeout=1m\nCMD [\"x\"]", "1 ServiceLabel warning"},
		{"FROM devuan/devuan:daedalus\nLABEL toaster.stop-timeout=60\nCMD [\"x\"]", ""},
		{"FROM devuan/devuan:daedalus\nENV SET=1\nCOPY entry.sh /usr/local/bin/\nENTRYPOINT [\"entry.sh\"]\nCMD [\"x\"]",
			"4 EntrypointVariables note"},
		{"FROM devuan/devuan:daedalus\nENV SET=1 NEEDED=1 ALSO=2\nCOPY entry.sh /e\nENTRYPOINT [\"/e\"]", ""},
		{"FROM devuan/devuan:daedalus\nENV API_TOKEN=x\nCMD [\"x\"]", "2 SecretsUsedInArgOrEnv warning"},
	} {
		findings := Check(Source{Dockerfile: []byte(test.text), Context: c, Codename: "daedalus"})
		var got []string
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%d %s %s", f.Line, f.Rule, f.Level))
			if f.Advice.IsZero() || f.Message.IsZero() || f.EndLine < f.Line {
				t.Errorf("%q: incomplete: %+v", test.text, f)
			}
		}
		if s := strings.Join(got, ", "); s != test.want {
			t.Errorf("%q: %s, want %s", test.text, s, test.want)
		}
	}
}

// TestSystemdItself: the package is not said to need itself.
func TestSystemdItself(t *testing.T) {
	f := Check(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\nRUN apt-get update && apt-get install -y " +
		"systemd\nCMD [\"x\"]")})
	if len(f) != 1 || !strings.HasPrefix(f[0].Message.String(), "Devuan does not use systemd as its init system") {
		t.Error(f)
	}
}

// TestFindingsAreTheSameInEveryRun: among words that are equally near, it is always the same one that is guessed.
func TestAnEnvironmentThatNothingSeesIsFound(t *testing.T) {
	for text, want := range map[string]string{"RUN true": "EnvironmentUnused", "CMD [\"x\"]": ""} {
		var got string
		for _, f := range Check(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\n" + text),
			Environment: []string{"A=1"}}) {
			got += f.Rule
		}
		if got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestFindingsAreTheSameInEveryRun(t *testing.T) {
	for line, want := range map[string]string{
		"apc x":                                 "unknown instruction: apc (did you mean add?).",
		"APC x":                                 "unknown instruction: APC (did you mean ADD?).",
		"INSTALL x":                             "unknown instruction: INSTALL.",
		"COPY --chmon=1 a b":                    "unknown flag: --chmon (did you mean chmod?).",
		"COPY --chwon=1 a b":                    "unknown flag: --chwon (did you mean chown?).",
		"COPY --frnk=1 a b":                     "unknown flag: --frnk (did you mean from?).",
		"RUN --mont=type=bind x":                "unknown flag: --mont (did you mean mount?).",
		"RUN --mount=type=cinh x":               "unsupported mount type \"cinh\" (did you mean bind?).",
		"RUN --mount=type=cache,sharing=lock x": "unsupported sharing value \"lock\" (did you mean locked?).",
		"RUN --mount=type=bind,form=x x":        "unexpected key 'form' in 'form=x' (did you mean from?).",
	} {
		for range 20 {
			findings := Check(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\nCMD [\"x\"]\n" + line + "\n")})
			if len(findings) != 1 || !strings.HasSuffix(findings[0].Message.String(), want) {
				t.Errorf("%s: %v", line, findings)
				break
			}
		}
	}
	for range 20 {
		f := Check(Source{Dockerfile: []byte("ARG ONE=1\nARG OTE=2\nFROM devuan/devuan:daedalus$ODE\nCMD [\"x\"]")})
		if !strings.Contains(fmt.Sprint(f), "(did you mean ONE?)") {
			t.Fatal(f)
		}
	}
}

// TestEveryRuleIsDescribed: the help pages have a section for every rule that the code can name.
func TestEveryRuleIsDescribed(t *testing.T) {
	known := map[string]bool{}
	for _, r := range Rules() {
		if r.Name == "" || r.Title == "" || r.Advice == "" || known[r.Name] {
			t.Errorf("not described, or twice: %+v", r)
		}
		known[r.Name] = true
	}
	named := regexp.MustCompile(`(?:Rule: |failIn\(s, [^,]+(?:\(\))?, |fail\([^,]+, |, (?:Warning|Note|Error), |warnIn\(s, )"([A-Z][A-Za-z]+)"`)
	for name, text := range goFiles(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s names %s, which is not in Rules", name, m[1])
			}
		}
	}
}

// TestEveryInstructionIsDescribed: the help pages say how each instruction of the language is kept.
func TestEveryInstructionIsDescribed(t *testing.T) {
	var names []string
	for _, k := range Instructions() {
		if k.Text == "" {
			t.Errorf("%s is not described", k.Name)
		}
		names = append(names, strings.Split(strings.ToLower(k.Name), ", ")...)
	}
	slices.Sort(names)
	if want := sortedKeys(language.Commands); !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// TestReleaseOfADockerfileThatSkipsAnInstructionsChecks: such a comment ended the request.
func TestReleaseOfADockerfileThatSkipsAnInstructionsChecks(t *testing.T) {
	if d, c := Release(Source{Dockerfile: []byte("FROM debian:bookworm\n# check=skip=LegacyKeyValueFormat\nENV a b\n")}); d != "debian" ||
		c != "bookworm" {
		t.Error(d, c)
	}
}

func TestRelease(t *testing.T) {
	for from, want := range map[string]string{
		"devuan/devuan:daedalus": "devuan daedalus", "dyne/devuan:ascii": "devuan ascii",
		"debian:bookworm-slim": "debian bookworm", "debian:12": "debian bookworm",
		"debian:12.5-slim": "debian bookworm", "docker.io/library/debian:trixie": "debian trixie",
		"debian:bookworm-20240101":                   "debian bookworm",
		"docker.io/devuan/devuan:excalibur-20240101": "devuan excalibur", "devuan/devuan:ceres": "devuan ceres",
		"debian:sid": "debian sid", "debian@sha256:00": "debian ",
		"alpine:3": " ", "python:3-bookworm": " ", "example.org/debian:bookworm": " ", "debian:nothing": "debian ",
		"debian:wheezy-slim": "debian wheezy", "debian:7": "debian wheezy", "debian:6.0.10": "debian squeeze",
		"debian:lenny":        "debian lenny",
		"debian:experimental": "debian sid", "debian:rc-buggy-20240101": "debian sid", "$X": "debian buster",
		"b": "debian bullseye", "scratch": " ",
	} {
		d, c := Release(Source{Dockerfile: []byte("ARG X=debian:buster\nFROM debian:bullseye AS b\nFROM " + from + "\nRUN x\n")})
		if got := d + " " + c; got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
	if d, c := Release(Source{Dockerfile: []byte("not a Dockerfile")}); d != "" || c != "" {
		t.Error(d, c)
	}
}

// TestHostnameIsOne: the build argument becomes the sandbox's host name, and nothing else.
func TestHostnameIsOne(t *testing.T) {
	for name, good := range map[string]bool{"build.example.org": true, "": true, `x","root":{"path":"/"},"y":"`: false,
		"a b": false, "a\nb": false, strings.Repeat("a", 65): false, "-x": false} {
		blend, findings := Translate(Source{Dockerfile: []byte("FROM debian:bookworm\n"),
			BuildArgs: map[string]string{"BUILDKIT_SANDBOX_HOSTNAME": name}})
		if good != (blend != nil) {
			t.Errorf("%q: %v", name, findings)
		}
	}
}
