package jobs

import (
	"strings"
	"testing"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

// excerpts are ends of logs as the programs of Debian 12 and the blend write them.
var excerpts = []struct {
	cause, says string
	instruction string
	output      string
}{
	{"no-package", "“no-such-package”", "RUN apt-get update && apt-get install -y no-such-package", `Get:1 http://mirror.example/debian bookworm InRelease [151 kB]
Fetched 9243 kB in 1s (7133 kB/s)
Reading package lists...
Reading package lists...
Building dependency tree...
Reading state information...
E: Unable to locate package no-such-package`},
	{"no-package", "“python2”", "RUN apt-get update && apt-get install -y python2", `Hit:1 http://mirror.example/debian bookworm InRelease
Package python2 is not available, but is referred to by another package.
This may mean that the package is missing, has been obsoleted, or
is only available from another source

E: Package 'python2' has no installation candidate`},
	{"apt-lists", "“curl”", "RUN apt-get install -y curl", `Reading package lists...
Building dependency tree...
Reading state information...
E: Unable to locate package curl`},
	{"no-version", "version 9", "RUN apt-get update && apt-get install -y busybox=9",
		"Hit:1 http://mirror.example/debian bookworm InRelease\nE: Version '9' for 'busybox' was not found"},
	{"network", "can't be reached", "RUN apt-get update && apt-get install -y curl", `Ign:1 http://mirror.example/debian bookworm InRelease
Err:1 http://mirror.example/debian bookworm InRelease
  Temporary failure resolving 'mirror.example'
W: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  Temporary failure resolving 'mirror.example'
W: Some index files failed to download. They have been ignored, or old ones used instead.
E: Unable to locate package curl`},
	{"network", "can't be reached", "RUN curl -fsS http://nosuch.invalid/x",
		"curl: (6) Could not resolve host: nosuch.invalid"},
	{"network", "can't be reached", "RUN curl", "curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't " +
		"connect to server"},
	{"network", "can't be reached", "RUN wget", "Connecting to 127.0.0.1:9... failed: Connection refused."},
	{"network", "can't be reached", "RUN pip install x",
		"WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(': Failed to establish a new " +
			"connection: [Errno -2] Name or service not known')': /simple/x/\nERROR: No matching distribution found for x"},
	{"gone", "404", "ADD http://example.org/x /x",
		"curl: (22) The requested URL returned error: 404\ntoaster: cannot fetch http://example.org/x"},
	{"gone", "404", "RUN apt-get install -y curl", `Err:1 http://mirror.example/debian bookworm/main amd64 curl amd64 7.88.1-10
  404  Not Found [IP: 199.232.46.132 80]
E: Failed to fetch http://mirror.example/debian/pool/main/c/curl/curl_7.88.1-10_amd64.deb  404  Not Found [IP: 199.232.46.132 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?`},
	{"signature", "signature", "RUN apt-get update",
		"W: GPG error: http://example.org/debian stable InRelease: The following signatures couldn't be verified because " +
			"the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8\nE: The repository 'http://example.org/debian stable " +
			"InRelease' is not signed."},
	{"disk-full", "disk is full", "RUN cp", "cp: error writing '/srv/x': No space left on device"},
	{"disk-full", "disk is full", "RUN apt-get install -y texlive-full",
		"E: You don't have enough free space in /var/cache/apt/archives/."},
	{"memory", "memory", "RUN make -j8", "c++: fatal error: Killed signal terminated program cc1plus\ncompilation " +
		"terminated.\nmake: *** [Makefile:7: a.o] Error 1"},
	{"systemd", "systemd", "RUN systemctl enable nginx", "/bin/sh: 1: systemctl: not found"},
	{"systemd", "systemd", "RUN systemctl start nginx",
		"System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is " +
			"down"},
	{"architecture", "another processor", "RUN ./tool", "sh: 1: ./tool: Exec format error"},
	{"architecture", "another processor", "RUN ./tool", "bash: ./tool: cannot execute binary file: Exec format error"},
	{"not-confirmed", "confirmation", "RUN apt-get update && apt-get install nginx",
		"After this operation, 1596 kB of additional disk space will be used.\nDo you want to continue? [Y/n] Abort."},
	{"dependencies", "conflict with each other", "RUN apt-get update && apt-get install -y a b",
		"The following packages have unmet dependencies:\n b : Conflicts: a\nE: Unable to correct problems, you have held " +
			"broken packages."},
	{"apt-not-root", "may not install", "RUN apt-get install -y sl", `E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)
E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?`},
	{"apt-not-root", "may not install", "RUN apt-get update",
		"Reading package lists...\nE: Could not open lock file /var/lib/apt/lists/lock - open (13: Permission denied)\nE: " +
			"Unable to lock directory /var/lib/apt/lists/"},
	{"permission", "Permission denied", "RUN mkdir /srv/x", "mkdir: cannot create directory '/srv/x': Permission denied"},
	{"permission", "Permission denied", "RUN echo > /etc/x", "/bin/sh: 1: cannot create /etc/x: Permission denied"},
	{"pip-managed", "pip", "RUN pip install x", "error: externally-managed-environment\n\n× This environment is " +
		"externally managed"},
	{"copy-source", "“site/missing”", "COPY site/missing /srv/", "toaster: site/missing: not found"},
	{"no-user", "“nouser”", "RUN chown nouser e", "chown: invalid user: 'nouser'"},
	{"no-user", "“nouser”", "USER nouser", "toaster: there is no user nouser in /etc/passwd"},
	{"no-command", "“frobnicate”", "RUN frobnicate", "/bin/sh: 1: frobnicate: not found"},
	{"no-command", "“frobnicate”", "RUN frobnicate", "/bin/bash: line 1: frobnicate: command not found"},
	{"no-command", "“python9”", "RUN ./a.py", "/usr/bin/env: 'python9': No such file or directory"},
	{"no-interpreter", "interpreter", "RUN ./run.sh", "/bin/sh: 1: ./run.sh: not found"},
	{"no-interpreter", "interpreter", "RUN ./run.sh", "bash: ./run.sh: cannot execute: required file not found"},
	{"no-interpreter", "interpreter", "RUN ./run.sh",
		"/usr/bin/env: 'bash\\r': No such file or directory\n/usr/bin/env: use -[v]S to pass options in shebang lines"},
	{"no-file", "“nofile”", "RUN cat nofile", "cat: nofile: No such file or directory"},
}

func TestKnownCausesAreFound(t *testing.T) {
	for _, x := range excerpts {
		c := Diagnose("", "", x.instruction, []byte(x.output))
		if c == nil {
			t.Errorf("%s: nothing is known of %s", x.cause, x.output)
		} else if c.Name != x.cause || !strings.Contains(c.Message.String(), x.says) || c.Advice.IsZero() ||
			strings.Contains(c.Message.String(), "%s") {
			t.Errorf("%s, not %s: %s", c.Name, x.cause, c.Message)
		}
	}
	for reason, want := range map[string]string{
		"Timed out after 2 hours.":                               "time-limit",
		"Nothing was printed for 30 min at line 12: RUN sleep 9": "silence",
		"Stopped: the log exceeded 64 MiB.":                      "long-log",
		"The package archive can't be reached, or is being":      "host-network",
		"The disk is full: 12 MiB are free in /srv.":             "disk-full",
	} {
		if c := Diagnose(reason, "", "", nil); c == nil || c.Name != want {
			t.Errorf("%s: %v", reason, c)
		}
		if c := Diagnose("", reason, "", nil); c == nil || c.Name != want {
			t.Errorf("%s: %v", reason, c)
		}
	}
}

// Every row of the table has an example above, so that none is there for show.
func TestEveryCauseHasAnExample(t *testing.T) {
	have := map[string]bool{"time-limit": true, "silence": true, "long-log": true, "host": true, "host-disk": true,
		"host-network": true}
	for _, x := range excerpts {
		have[x.cause] = true
	}
	for _, c := range causes {
		if !have[c.name] {
			t.Errorf("%s has no example", c.name)
		}
	}
}

func TestWhatIsNotKnownIsNotExplained(t *testing.T) {
	for _, output := range []string{"", "make: *** [all] Error 2", "2 tests passed, 1 failed",
		"Reading package lists..."} {
		if c := Diagnose("", "Line 3 of the Dockerfile failed (exit code 2): RUN make", "RUN make",
			[]byte(output)); c != nil {
			t.Errorf("%q is explained as %s", output, c.Name)
		}
	}
}

func TestAFailureIsOfItsStep(t *testing.T) {
	b := &store.Build{State: store.Failed, Step: 2, Steps: 4, StepLine: 5,
		Failure: i18n.T("Line 5 of the Dockerfile failed (exit code 1): RUN echo: not found")}
	log := "toaster: base\nTOASTER-STEP 1/4 2 RUN frob\nfrob: not found\nTOASTER-STEP 2/4 5 RUN make\n\n" +
		strings.Repeat("cc\n", 20) + "make: *** [all] Error 2\nTOASTER-FAILED 2/4 5 exit 1\ntoaster: failed: line 5 …\n"
	f := Explain(b, []byte(log))
	if f.Cause != nil || *f.Step != (engine.Step{Number: 2, Of: 4, Line: 5, Instruction: "RUN make"}) ||
		string(f.Output) != strings.Repeat("cc\n", 11)+"make: *** [all] Error 2" {
		t.Errorf("%+v %q", f.Cause, f.Output)
	}
	// The step's beginning has scrolled out of what was read.
	f = Explain(b, []byte("frob: command not found\n"))
	if *f.Step != (engine.Step{Number: 2, Of: 4, Line: 5}) || f.Cause.Name != "no-command" {
		t.Errorf("%+v", f)
	}
	f = Explain(b, []byte(log+"toaster: packing x\ngzip: stdout: No space left on device\n"))
	if f.Step != nil || f.Cause.Name != "disk-full" || string(f.Output) != "gzip: stdout: No space left on device" {
		t.Errorf("%+v", f)
	}
	f = Explain(b, []byte("\x1b[1;31mE:\x1b[0m Unable to locate package \x1b[1mx\x1b[0m\n"))
	if f.Cause.Message.String() != "There is no package “x” in this release." ||
		!strings.Contains(string(f.Output), "\x1b[1m") {
		t.Errorf("%+v", f.Cause)
	}
	f = Explain(&store.Build{State: store.Failed, Failure: i18n.T("Programs are missing on this host.")}, nil)
	if f.Step != nil || f.Cause == nil || f.Cause.Name != "host" || len(f.Output) > 0 {
		t.Errorf("%+v", f)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("TOASTER-STEP 1/1 1 RUN x\nE: Unable to locate package \x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, log string) {
		e := Explain(&store.Build{State: store.Failed}, []byte(log))
		if e.Cause != nil && printable.Shorten(e.Cause.Message.String(), 1000) != e.Cause.Message.String() {
			t.Errorf("%q", e.Cause.Message)
		}
	})
}

func BenchmarkExplain(b *testing.B) {
	log := []byte("TOASTER-STEP 1/1 1 RUN x\n" +
		strings.Repeat("Get:1 http://mirror.example/debian bookworm/main amd64 Packages [8790 kB]\n", 800))
	for b.Loop() {
		Explain(&store.Build{State: store.Failed}, log)
	}
}

// What is not the Dockerfile's fault is for the administrator, on whichever engine; a program that prints the same
// words changes nothing.
func TestTheHostsFaultIsNotThePersons(t *testing.T) {
	for said, want := range map[string]string{
		"Programs are missing on this host. As root, install them: apt-get install zsh":                                      "host",
		"This agent lacks perl. As root, install it: apt-get install perl-base":                                              "host",
		"The workspace of this agent can't be emptied: delete /w there.":                                                     "host",
		"This host needs git to fetch the SDK. As root, install it: apt-get install git":                                     "host",
		"TOASTER_SDK_DIR, /sdk, is not a complete vm-sdk: lib is missing. Were its submodules fetched?":                      "host",
		"This image can only be built as root. Run this script as root, or let jenkins use sudo without a password.":         "host",
		"Jenkins can't create user namespaces on this host. Run this script as root. Or give jenkins a range in /etc/subuid": "host",
		"Mmdebstrap could not create the base system of bookworm for amd64. Its last lines have the reason.":                 "host",
		"The SDK can't be fetched from X; see the message of git above. Try again later, or set TOASTER_SDK_DIR.":            "host-network",
		"The package archive can't be reached, or is being updated. See its answer above, and try again later.":              "host-network",
		"The disk is full: 12 MiB are free in /w. A build needs 1024.":                                                       "host-disk",
		"The disk is full: the build used more than its limit of 100 MiB in /w.":                                             "disk-full",
		"Timed out after 2h.":                                      "time-limit",
		"Stopped: the log exceeded 64 MiB.":                        "long-log",
		"Line 3 of the Dockerfile failed (exit code 1): RUN false": "",
	} {
		c := Explain(&store.Build{State: store.Failed, Failure: i18n.Plain(said)}, []byte("Unable to go on\n")).Cause
		if got := nameOf(c); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
		if strings.HasPrefix(want, "host") && !strings.Contains(c.Advice.String(), "administrator") {
			t.Errorf("%q: %q", said, c.Advice)
		}
		if printed := Diagnose("", "", "RUN x", []byte(said+"\n")); strings.HasPrefix(nameOf(printed), "host") {
			t.Errorf("a program that prints %q is taken for %q", said, printed.Name)
		}
	}
}

func nameOf(c *Cause) string {
	if c == nil {
		return ""
	}
	return c.Name
}
