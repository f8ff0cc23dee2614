package jobs

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"toaster.do/lib/engine"
)

// Cause is a known reason of a failure, and what to do about it.
type Cause struct {
	Name    string // for programs: "no-package"
	Message string // what happened
	Advice  string // what to do
}

// cause is a row of the table: a line with one of the signs, that the pattern matches where there is one, tells of it. The
// pattern's group is put in place of %s.
type cause struct {
	name, message, advice string
	signs                 []string
	pattern               string
	unless                []string // signs that nothing of the output must have
	step, stepNot         string   // what the instruction must have, and must not
	own                   bool     // what programs print is no sign: only what the engine and the build script say
}

// causes are in the order of what explains more: a name server that doesn't answer is why apt finds no package. The signs are
// the programs' own words, in the C locale, which is what builds run in.
var causes = []cause{
	{
		name:    "time-limit",
		signs:   []string{"ran longer than "},
		pattern: `^It (?:was stopped: it )?ran longer than `,
		message: "The build took longer than it may.",
		advice:  "See the log for the step that takes so long, and whether it waits for an answer: nobody is there to type one. Split what is built from what is installed, or ask the administrator for a higher limit.",
	},
	{
		name:    "silence",
		signs:   []string{"othing was printed for "},
		pattern: `^[Nn]othing was printed for `,
		message: "A step printed nothing for longer than it may.",
		advice:  "It waited for a server that never answered, or for somebody to type something: nobody is there. Build again; if it stays so, give the program a time limit (curl --max-time, apt-get -o Acquire::Retries::Delay=false) or let it say how far it is.",
	},
	{
		name:    "long-log",
		signs:   []string{"wrote more than "},
		pattern: `^It was stopped: it wrote more than .* to its log`,
		message: "The build printed more than it may.",
		advice:  "Make the step that prints so much quieter: most programs have -q or --quiet.",
	},
	{
		name:    "host-disk",
		signs:   []string{", and a build needs ", "no more files can be made in "},
		pattern: `^The disk is full: `,
		own:     true,
		message: "The disk of the host that builds is full. The Dockerfile is not the reason.",
		advice:  "Tell the administrator: the host needs room before anything can be built there.",
	},
	{
		name:    "host-network",
		signs:   []string{"The package archive can't be reached", "The SDK could not be fetched"},
		own:     true,
		message: "The host that builds could not reach a server that every build needs. The Dockerfile is not the reason.",
		advice:  "Build again in some minutes: such things pass. If it stays so, tell the administrator.",
	},
	{
		name: "host",
		signs: []string{"This host lacks ", "This host can't run programs for ", "This host's ", "This host has no ", "Only root can make this image",
			"may not make namespaces here", "may not make user namespaces here", "TOASTER_SDK_DIR", "TOASTER_CACHE_DIR", "This target takes packages from",
			"This agent", "The SDK can't work in ", "The SDK could not go on", "The SDK said that all went well", "Mmdebstrap could not make the base",
			"The tree could not be finished", "The image has no stamp", "The stamp in the image", "The blend in this script", "The blend did not work out",
			"The runner had trouble with this build", "Its script was killed by signal"},
		pattern: `^(?:This host |This host's |This agent|Only root |\S+ may not make |TOASTER_|This target takes |The SDK |Mmdebstrap could not |The tree could |The image has no |The stamp in |The blend |The runner |Its script )`,
		own:     true,
		message: "The host that builds could not make this image. The Dockerfile is not the reason.",
		advice:  "Tell the administrator what stands above, and the number of the build. “toasterctl doctor” says what the host lacks.",
	},
	{
		name:    "disk-full",
		signs:   []string{"No space left on device", "Disk quota exceeded", "You don't have enough free space in", "The disk is full: "},
		message: "The disk was full.",
		advice:  "Remove what the image doesn't need in the same RUN that brings it (rm -rf /var/lib/apt/lists/*), and install with --no-install-recommends. If the image is small, the host's disk is full: tell the administrator.",
	},
	{
		name:    "memory",
		signs:   []string{"annot allocate memory", "ut of memory", "virtual memory exhausted", "fatal error: Killed signal terminated program", "Killed"},
		pattern: `memory|fatal error|^Killed$`,
		message: "There was not enough memory.",
		advice:  "Let the step do less at once: make -j1 instead of make -j$(nproc), for instance.",
	},
	{
		name:    "network",
		signs:   []string{"Temporary failure in name resolution", "Temporary failure resolving", "ould not resolve", "Name or service not known", "Network is unreachable", "Connection refused", "Connection timed out", "Could not connect to ", "Couldn't connect to ", "Unable to connect to "},
		unless:  []string{"Failed to connect to bus", "cannot connect to X server"},
		message: "The network, or a server that the build needs, could not be reached.",
		advice:  "Build again: such things pass. If it stays so, look at the address in the log; a server that your own network alone can reach is not there for the build host.",
	},
	{
		name:    "gone",
		signs:   []string{"404  Not Found", "returned error: 404", "ERROR 404"},
		message: "A server answered that a file is not there (404).",
		advice:  "Look at the address in the log. For packages, run apt-get update in the same RUN as apt-get install: an older list names versions that are gone.",
	},
	{
		name:    "signature",
		signs:   []string{"NO_PUBKEY", "is not signed", "are not signed", "because the public key is not available", "GPG error: "},
		message: "A package archive's signature could not be checked.",
		advice:  "Put the archive's key into /etc/apt/keyrings/ before apt-get update, and name it in the source with [signed-by=…].",
	},
	{
		name:    "systemd",
		signs:   []string{"not been booted with systemd", "Failed to connect to bus", "systemctl: "},
		pattern: `booted|bus|systemctl: (?:command )?not found`,
		message: "The step wants systemd, which is not there: neither during a build nor in the image, which has another init.",
		advice:  "Name the program itself in CMD or ENTRYPOINT: the image starts it as a service. Packages bring scripts for /etc/init.d; update-rc.d NAME enable switches one on.",
	},
	{
		name:    "architecture",
		signs:   []string{"xec format error", "cannot execute binary file", "wrong ELF class", "does not match system"},
		message: "A program is made for another processor than the image.",
		advice:  "Take the file for the target's architecture. In the Dockerfile, ARG TARGETARCH tells which it is: amd64, arm64, ….",
	},
	{
		name:    "apt-lists",
		signs:   []string{"Unable to locate package ", "has no installation candidate"},
		pattern: `locate package (\S+)|Package '([^']+)'`,
		unless:  []string{"\nGet:", "\nHit:", "\nIgn:"},
		step:    "install", stepNot: "update",
		message: "apt has no list of packages: “%s” can't be found.",
		advice:  "Write RUN apt-get update && apt-get install -y … in one RUN: images come without lists, and a step before may have removed them.",
	},
	{
		name:    "no-package",
		signs:   []string{"Unable to locate package ", "has no installation candidate", "find any package by "},
		pattern: `locate package (\S+)|Package '([^']+)'|by (?:glob|regex) '([^']+)'`,
		message: "There is no package “%s” in this release.",
		advice:  "Look at the name's spelling, and whether the target's release has it: names and versions differ between releases. Packages of contrib or non-free need those components in /etc/apt/sources.list.",
	},
	{
		name:    "no-version",
		signs:   []string{"E: Version '"},
		pattern: `E: Version '([^']+)' for '[^']+' was not found`,
		message: "The package is there, but not in version %s.",
		advice:  "Leave the version out, or name one that the release has now: archives keep the newest only.",
	},
	{
		name:    "dependencies",
		signs:   []string{"have unmet dependencies", "you have held broken packages"},
		message: "Packages that were asked for don't go together.",
		advice:  "The log names them. Most often a package of another release, or of a third party, is in the way.",
	},
	{
		name:    "not-confirmed",
		signs:   []string{"Do you want to continue? [Y/n] Abort"},
		message: "apt waited for a “yes”, and nobody was there to type it.",
		advice:  "Write apt-get install -y.",
	},
	{
		name:    "apt-not-root",
		signs:   []string{"Could not open lock file", "are you root?", "requires superuser privilege"},
		message: "apt was run as a user who may not install packages.",
		advice:  "Move the step above USER, or put USER root before it and your own USER after it.",
	},
	{
		name:    "pip-managed",
		signs:   []string{"error: externally-managed-environment"},
		message: "This release's Python lets pip install nothing beside its own packages.",
		advice:  "Make an environment first: RUN python3 -m venv /opt/venv, then /opt/venv/bin/pip install …. Or install the Debian package, python3-NAME.",
	},
	{
		name:    "copy-source",
		signs:   []string{": not found", "--mount: "},
		pattern: `^toaster: (.+): not found$|^toaster: --mount: (.+) is not there`,
		message: "“%s” is not in the build context, or not in the stage that it is copied from.",
		advice:  "Look at the path's spelling, at .dockerignore, and whether the archive was made in the folder where docker build runs. A COPY --from takes what an earlier stage has made.",
	},
	{
		name:    "no-user",
		signs:   []string{"there is no user ", "there is no group ", "invalid user", "invalid group"},
		pattern: `there is no (?:user|group) (\S+) in /etc/|invalid (?:user|group):? ['‘](.+)['’]`,
		message: "There is no user or group “%s” in the image.",
		advice:  "Make it before it is used: RUN useradd --system NAME.",
	},
	{
		name:    "no-interpreter",
		signs:   []string{": not found", "bad interpreter", "required file not found", "env: "},
		pattern: `: \S*/\S+: not found$|bad interpreter: No such file|cannot execute: required file|env: ['‘].*\\r['’]: No such file`,
		message: "A script's interpreter, or a program's loader, is not there.",
		advice:  "Look at the first line of the script: the program that it names must be installed, and the line must end as Unix lines do (not CR LF).",
	},
	{
		name:    "no-command",
		signs:   []string{"not found", "env: "},
		pattern: `(?:^|: )([\w.+-]+): (?:command )?not found$|env: ['‘](.+)['’]: No such file|exec: "([^"]+)": executable file not found`,
		message: "The program “%s” is not there.",
		advice:  "Install the package that has it, in this step or before: apt-file search or packages.debian.org tell which. A base image may have had it; the release's own packages don't come with everything that an image from Docker Hub has.",
	},
	{
		name:    "permission",
		signs:   []string{"ermission denied", "EACCES", "Operation not permitted"},
		message: "A file could not be read, written or run: permission denied.",
		advice:  "After USER, steps run as that user. Give the files to it (COPY --chown=USER, or chown in a RUN above USER), and scripts the right to run (chmod +x, or COPY --chmod=755).",
	},
	{
		name:    "no-file",
		signs:   []string{": No such file or directory"},
		pattern: `([^\s:']+)'?: No such file or directory$`,
		message: "“%s” is not there.",
		advice:  "Look at the path, and at WORKDIR: relative paths begin there. A COPY must come before the step that needs the file.",
	},
}

// Diagnose finds the known cause of a failure: in the engine's reason, in what the build script said of it, and in what the
// step, of that instruction, printed. It is nil when nothing is known that would explain it.
func Diagnose(reason, said, instruction string, output []byte) *Cause {
	own := "\n" + reason + "\n" + said + "\n"
	all := own + strings.ReplaceAll(string(output), "\r", "\n")
	for _, c := range causes {
		text := all
		if c.own {
			text = own
		}
		if !strings.Contains(instruction, c.step) || c.stepNot != "" && strings.Contains(instruction, c.stepNot) ||
			slices.ContainsFunc(c.unless, func(sign string) bool { return strings.Contains(text, sign) }) {
			continue
		}
		if name, ok := c.find(text); ok {
			return &Cause{c.name, strings.ReplaceAll(c.message, "%s", name), c.advice}
		}
	}
	return nil
}

// find looks for the last line that tells of the cause, and returns what it names.
func (c *cause) find(text string) (name string, ok bool) {
	pattern := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(c.pattern) })
	for _, sign := range c.signs {
		if !strings.Contains(text, sign) { // which is fast
			continue
		}
		for end := len(text); !ok; {
			at := strings.LastIndex(text[:end], sign)
			if at < 0 {
				break
			}
			end = strings.LastIndexByte(text[:at], '\n') + 1
			line, _, _ := strings.Cut(text[end:], "\n")
			match := pattern().FindStringSubmatch(line)
			name, ok = strings.Join(match[min(1, len(match)):], ""), match != nil // one group at most has matched
		}
	}
	return engine.Printable(name, 80), ok
}
