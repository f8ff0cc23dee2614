package dockerfile

import (
	"slices"
	"strings"
	"testing"

	images "toaster.do/lib/image"
)

// What an image is made of decides what becomes of it; a job can choose where there is a choice.
func TestForms(t *testing.T) {
	debian := func(codename string) images.Release {
		return images.Release{Distribution: "debian", Codename: codename}
	}
	for _, c := range []struct {
		from, target string
		release      images.Release
		asked, want  Form
		rule, says   string
	}{
		{"debian:bookworm", "bookworm", images.Release{}, FormAuto, FormSystem, "", ""},
		{"debian:bookworm", "bookworm", images.Release{}, FormAppliance, FormSystem, "", ""},
		{"python:3.12-slim", "bookworm", debian("bookworm"), FormAuto, FormGrown, "Grown",
			"is made of Debian bookworm"},
		{"python:3.12-slim", "bookworm", debian("bookworm"), FormAuto, FormGrown, "Grown",
			"FROM debian:bookworm, and install python3 python3-venv"},
		{"docker.io/library/node:20", "daedalus", debian("bookworm"), FormAuto, FormGrown, "Grown", "install nodejs npm"},
		{"x/y:1", "daedalus", images.Release{Distribution: "devuan", Codename: "daedalus"}, FormAuto, FormGrown, "Grown",
			"Devuan daedalus"},
		{"x/y:1", "bookworm", images.Release{Distribution: "devuan", Codename: "daedalus"}, FormAuto, FormAppliance,
			"Appliance", "is made of Devuan daedalus, which is not the target's release"},
		{"x/y:1", "ceres", debian("forky"), FormAuto, FormGrown, "Grown", ""},
		{"x/y:1", "sid", debian("sid"), FormAuto, FormGrown, "Grown", ""},
		{"x/y:1", "excalibur", debian("bookworm"), FormAuto, FormAppliance, "Appliance", "Debian bookworm"},
		{"x/y:1", "", debian("bookworm"), FormAuto, FormGrown, "Grown", ""},
		{"python:3.12", "bookworm", debian("bookworm"), FormAppliance, FormAppliance, "Appliance",
			"does not become the target's system"},
		{"alpine:3.20", "bookworm", images.Release{}, FormAuto, FormAppliance, "Appliance", "no plain Devuan or Debian"},
		{"golang:1-alpine", "bookworm", images.Release{Distribution: "alpine"}, FormAuto, FormAppliance, "Appliance",
			"install golang-go"},
		{"ubuntu:24.04", "bookworm", images.Release{Distribution: "ubuntu", Codename: "noble"}, FormAuto, FormAppliance,
			"Appliance", ""},
		{"x/unknown:1", "bookworm", images.Release{}, FormGrown, FormGrown, "Grown", "not known yet"}, // the build looks
		{"ubuntu:24.04", "bookworm", images.Release{Distribution: "ubuntu", Codename: "noble"}, FormGrown, "",
			"FormImpossible", "it is ubuntu noble, and the target is bookworm"},
		{"python:3.9", "excalibur", debian("bookworm"), FormGrown, "", "FormImpossible", "it is Debian bookworm"},
		{"scratch", "bookworm", images.Release{}, FormAuto, FormAppliance, "Appliance", "begins empty, FROM scratch"},
		{"gcr.io/distroless/base", "bookworm", debian(""), FormAuto, FormAppliance, "Appliance", "no plain Devuan or Debian"},
		{"gcr.io/distroless/base", "bookworm", debian(""), FormGrown, "", "FormImpossible",
			"it is Debian, but does not say which release, and the target is bookworm"},
		{"scratch", "bookworm", images.Release{}, FormGrown, "", "FormImpossible", ""},
	} {
		s := Source{Dockerfile: []byte("FROM " + c.from + "\nCOPY <<x /x\nx\n"), Codename: c.target, Form: c.asked}
		for _, n := range Images(s) {
			s.Lock = append(s.Lock, images.Locked{Reference: n.Reference, Platform: n.Platform, Release: c.release,
				Digest: "sha256:" + strings.Repeat("0", 64)})
		}
		b, findings := Translate(s)
		if b == nil && c.want != "" || b != nil && b.Form != c.want {
			t.Errorf("%s on %s: %+v, want %q: %v", c.from, c.target, b, c.want, findings)
			continue
		}
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Rule == c.rule })
		if c.rule == "" {
			continue
		}
		if at < 0 || !strings.Contains(findings[at].Message.String()+" "+findings[at].Advice.String(), c.says) {
			t.Errorf("%s on %s: no %s with %q: %v", c.from, c.target, c.rule, c.says, findings)
		}
	}
}

// Before an image is looked up, nothing is said of what it is made of.
func TestFormIsNotKnownYet(t *testing.T) {
	for form, want := range map[Form]string{FormAuto: "is found out when the job is saved", FormGrown: "not known yet",
		FormAppliance: "A small system of the target boots"} {
		_, findings := Steps(Source{Codename: "bookworm", Dockerfile: []byte("FROM python:3.12-slim\nCMD x\n"), Form: form})
		said := ""
		for _, f := range findings {
			if f.Rule == "Form" || f.Rule == "Grown" || f.Rule == "Appliance" {
				said += f.Message.String()
			}
		}
		if !strings.Contains(said, want) || form != FormAppliance && strings.Contains(said, "no plain") ||
			strings.Contains(said, "neither") {
			t.Errorf("%q: %s", form, said)
		}
	}
}

// A stage that is not the last is its own tree, whatever it is made of, and what the system grows from can be copied
// from as well.
func TestOnlyTheLastStageGrows(t *testing.T) {
	s := Source{Codename: "bookworm", Dockerfile: []byte("FROM node:20 AS build\nRUN true\nFROM node:20 AS last\n" +
		"RUN true\nCOPY --from=build /x /x\nCOPY --from=node:20 /y /y\n")}
	named := Images(s)
	if len(named) != 1 || !named[0].Base || BaseOf(named) != named[0].Want {
		t.Fatal(named)
	}
	s.Lock = images.Lock{{Reference: "node:20", Platform: "linux/amd64", Digest: "sha256:" + strings.Repeat("0", 64),
		Release: images.Release{Distribution: "debian", Codename: "bookworm"}}}
	b, findings := Translate(s)
	if b == nil {
		t.Fatal(findings)
	}
	text := generated(t, b.Text)
	if strings.Count(text, "grow ") != 1 || strings.Count(text, "leave_base") != 1 ||
		strings.Count(text, "unpack_image $STAGES/0") != 1 || !strings.Contains(text, "snapshot $STAGES/0 $STAGES/1000") {
		t.Error(text)
	}
}

// What is said of a tree that boots is not said of one that doesn't.
func TestFindingsOfATreeThatDoesNotBoot(t *testing.T) {
	const text = "FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y systemd nginx\nCMD [\"app\"]\n"
	for from, want := range map[string]bool{"ubuntu:24.04": false, "devuan/devuan:daedalus": true} {
		_, findings := Steps(Source{Codename: "daedalus", Dockerfile: []byte(strings.Replace(text, "ubuntu:24.04", from, 1))})
		for _, rule := range []string{"NeedsSystemd", "ServicesLeftOut"} {
			if slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == rule }) != want {
				t.Errorf("%s on %s: want %v: %v", rule, from, want, findings)
			}
		}
	}
}
