package jobs

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
)

// Cause is a known reason of a failure, and what to do about it.
type Cause struct {
	Name    string    // for programs: "no-package"
	Message i18n.Text // what happened
	Advice  i18n.Text // what to do
}

// cause is a row of the table: a line with one of the signs, that the pattern matches where there is one, tells of it.
// The pattern's group is put in place of %s.
type cause struct {
	name            string
	message, advice i18n.Key
	signs           []string
	pattern         string
	unless          []string // signs that nothing of the output must have
	step, stepNot   string   // what the instruction must have, and must not
	own             bool     // what programs print is no sign: only what the engine and the build script say
}

// causes are in the order of what explains more: a name server that doesn't answer is why apt finds no package. The
// signs are the programs' own words, in the C locale, which is what builds run in.
var causes = []cause{
	{
		name:    "time-limit",
		signs:   []string{"Timed out after "},
		pattern: `^Timed out after `,
		own:     true,
		message: "The build timed out.",
		advice: "Find the slow step in the log, and check whether it waits for input, which a build does not have. Split " +
			"compiling from installing, or ask the administrator for a higher limit.",
	},
	{
		name:    "silence",
		signs:   []string{"othing was printed for "},
		pattern: `^[Nn]othing was printed for `,
		message: "A step printed nothing for too long.",
		advice: "The step waited for a server that did not answer, or for input, which a build does not have. Build " +
			"again. If the problem persists, set a time limit (curl --max-time, apt-get -o Acquire::Retries::Delay=false), or " +
			"have the program print its progress.",
	},
	{
		name:    "long-log",
		signs:   []string{"Stopped: the log exceeded "},
		own:     true,
		message: "The log of the build is too long.",
		advice:  "Reduce the output of the step: most programs have -q or --quiet.",
	},
	{
		name:    "host-disk",
		signs:   []string{". A build needs ", "no more files can be created in "},
		pattern: `^The disk is full: `,
		own:     true,
		message: "The disk of the build host is full. This is not caused by your Dockerfile.",
		advice:  "Contact the administrator: the host needs free space before it can build.",
	},
	{
		name:    "host-network",
		signs:   []string{"The package archive can't be reached", "The SDK can't be fetched"},
		own:     true,
		message: "The build host can't reach a server that every build needs. This is not caused by your Dockerfile.",
		advice:  "Build again in a few minutes. If the problem persists, contact the administrator.",
	},
	{
		name: "host",
		signs: []string{"This host lacks ", "This host can't run programs for ", "This host needs git", "This host has no ",
			"Programs are missing on this host",
			"The debootstrap of this host ", "The kernel of this host ", "This image can only be built as root",
			"can't create namespaces on this host",
			"can't create user namespaces on this host", "TOASTER_SDK_DIR", "TOASTER_CACHE_DIR",
			"This target uses the package sources of the build host",
			"This agent", "of this agent ", "The SDK can't use ", "The SDK failed", "The SDK reported success",
			"Mmdebstrap could not create the base",
			"The file system can't be completed", "The image has no stamp", "The stamp in the image", "The blend in this script",
			"The blend failed",
			"The runner failed to process this build", "The build script was killed by signal"},
		pattern: `^(?:This host |The (?:debootstrap|kernel) of this host |Programs are missing |This agent |The (?:temporary folder|workspace) of this agent |` +
			`This image can only |\S+ can't create (?:user )?namespaces |TOASTER_|This target uses |The SDK |Mmdebstrap could not |The file system can't |` +
			`The image has no |The stamp in |The blend |The runner |The build script was )`,
		own:     true,
		message: "The build host can't create this image. This is not caused by your Dockerfile.",
		advice: "Contact the administrator with this message and the number of the build. “toasterctl doctor” shows what " +
			"is missing on the host.",
	},
	{
		name: "disk-full",
		signs: []string{"No space left on device", "Disk quota exceeded", "You don't have enough free space in",
			"The disk is full: "},
		message: "The disk is full.",
		advice: "Delete files that the image does not need in the same RUN that creates them (rm -rf " +
			"/var/lib/apt/lists/*), and install with --no-install-recommends. If the image is small, the disk of the host is " +
			"full: contact the administrator.",
	},
	{
		name: "memory",
		signs: []string{"annot allocate memory", "ut of memory", "virtual memory exhausted",
			"fatal error: Killed signal terminated program", "Killed"},
		pattern: `memory|fatal error|^Killed$`,
		message: "Out of memory.",
		advice:  "Reduce the parallelism of the step: for example, use make -j1 instead of make -j$(nproc).",
	},
	{
		name: "network",
		signs: []string{"Temporary failure in name resolution", "Temporary failure resolving", "ould not resolve",
			"Name or service not known", "Network is unreachable", "Connection refused", "Connection timed out",
			"Could not connect to ", "Couldn't connect to ", "Unable to connect to "},
		unless:  []string{"Failed to connect to bus", "cannot connect to X server"},
		message: "The network, or a server that the build needs, can't be reached.",
		advice: "Build again. If the problem persists, check the address in the log: the build host can't reach servers " +
			"in your private network.",
	},
	{
		name:    "gone",
		signs:   []string{"404  Not Found", "returned error: 404", "ERROR 404"},
		message: "A file was not found on the server (404).",
		advice: "Check the address in the log. For packages, run apt-get update in the same RUN as apt-get install: an " +
			"older list contains versions that no longer exist.",
	},
	{
		name: "signature",
		signs: []string{"NO_PUBKEY", "is not signed", "are not signed", "because the public key is not available",
			"GPG error: "},
		message: "The signature of a package archive can't be verified.",
		advice: "Before apt-get update, copy the archive's key to /etc/apt/keyrings/, and refer to it in the source with " +
			"[signed-by=…].",
	},
	{
		name:    "systemd",
		signs:   []string{"not been booted with systemd", "Failed to connect to bus", "systemctl: "},
		pattern: `booted|bus|systemctl: (?:command )?not found`,
		message: "The step needs systemd, which is available neither during a build nor in the image.",
		advice: "Name the program itself in CMD or ENTRYPOINT: the image starts it as a service. Packages come with " +
			"scripts for /etc/init.d; enable one with update-rc.d NAME enable.",
	},
	{
		name:    "architecture",
		signs:   []string{"xec format error", "cannot execute binary file", "wrong ELF class", "does not match system"},
		message: "A program is built for another processor than the image's.",
		advice: "Download the file for the target's architecture. In the Dockerfile, ARG TARGETARCH has its name: amd64, " +
			"arm64, ….",
	},
	{
		name:    "apt-lists",
		signs:   []string{"Unable to locate package ", "has no installation candidate"},
		pattern: `locate package (\S+)|Package '([^']+)'`,
		unless:  []string{"\nGet:", "\nHit:", "\nIgn:"},
		step:    "install", stepNot: "update",
		message: "apt can't find “%s”, because it has no package lists.",
		advice: "Write RUN apt-get update && apt-get install -y … in one RUN: images contain no package lists, and an " +
			"earlier step may have deleted them.",
	},
	{
		name:    "no-package",
		signs:   []string{"Unable to locate package ", "has no installation candidate", "find any package by "},
		pattern: `locate package (\S+)|Package '([^']+)'|by (?:glob|regex) '([^']+)'`,
		message: "There is no package “%s” in this release.",
		advice: "Check the spelling, and whether the target's release contains the package: names and versions differ " +
			"between releases. Packages of contrib or non-free need these components in /etc/apt/sources.list.",
	},
	{
		name:    "no-version",
		signs:   []string{"E: Version '"},
		pattern: `E: Version '([^']+)' for '[^']+' was not found`,
		message: "The package exists, but not in version %s.",
		advice:  "Omit the version, or name one that the release has now: package archives only keep the newest.",
	},
	{
		name:    "dependencies",
		signs:   []string{"have unmet dependencies", "you have held broken packages"},
		message: "The packages conflict with each other.",
		advice:  "The log lists them. Most often a package of another release or of a third party is the cause.",
	},
	{
		name:    "not-confirmed",
		signs:   []string{"Do you want to continue? [Y/n] Abort"},
		message: "apt waited for a confirmation, which a build can't give.",
		advice:  "Write apt-get install -y.",
	},
	{
		name:    "apt-not-root",
		signs:   []string{"Could not open lock file", "are you root?", "requires superuser privilege"},
		message: "apt runs as a user who may not install packages.",
		advice:  "Move the step above USER, or put USER root before it and your own USER after it.",
	},
	{
		name:    "pip-managed",
		signs:   []string{"error: externally-managed-environment"},
		message: "The Python of this release does not let pip install packages system-wide.",
		advice: "Create a virtual environment first: RUN python3 -m venv /opt/venv, then /opt/venv/bin/pip install …. Or " +
			"install the Debian package python3-NAME.",
	},
	{
		name:    "copy-source",
		signs:   []string{": not found", "--mount: "},
		pattern: `^toaster: (.+): not found$|^toaster: --mount: (.+) is not there`,
		message: "“%s” is not in the build context, or not in the stage that it is copied from.",
		advice: "Check the spelling of the path, .dockerignore, and whether the archive was created in the folder where " +
			"docker build runs. COPY --from copies files of an earlier stage.",
	},
	{
		name:    "no-user",
		signs:   []string{"there is no user ", "there is no group ", "invalid user", "invalid group"},
		pattern: `there is no (?:user|group) (\S+) in /etc/|invalid (?:user|group):? ['‘](.+)['’]`,
		message: "The user or group “%s” does not exist in the image.",
		advice:  "Create it before it is used: RUN useradd --system NAME.",
	},
	{
		name:    "no-interpreter",
		signs:   []string{": not found", "bad interpreter", "required file not found", "env: "},
		pattern: `: \S*/\S+: not found$|bad interpreter: No such file|cannot execute: required file|env: ['‘].*\\r['’]: No such file`,
		message: "The interpreter of a script or the loader of a program is missing.",
		advice: "Check the first line of the script: the interpreter must be installed, and the line must not end with CR " +
			"LF.",
	},
	{
		name:    "no-command",
		signs:   []string{"not found", "env: "},
		pattern: `(?:^|: )([\w.+-]+): (?:command )?not found$|env: ['‘](.+)['’]: No such file|exec: "([^"]+)": executable file not found`,
		message: "The program “%s” is missing.",
		advice: "Install the package that contains it, in this step or earlier: find it with apt-file search or on " +
			"packages.debian.org. The base image may have included it: images from Docker Hub contain more packages than a " +
			"plain release.",
	},
	{
		name:    "permission",
		signs:   []string{"ermission denied", "EACCES", "Operation not permitted"},
		message: "Permission denied: a file can't be read, written or executed.",
		advice: "Steps after USER run as that user. Give the user the files (COPY --chown=USER, or chown in a RUN before " +
			"USER), and make scripts executable (chmod +x, or COPY --chmod=755).",
	},
	{
		name:    "no-file",
		signs:   []string{": No such file or directory"},
		pattern: `([^\s:']+)'?: No such file or directory$`,
		message: "“%s” does not exist.",
		advice:  "Check the path, and WORKDIR: paths are relative to it. COPY must come before the step that needs the file.",
	},
}

// Diagnose finds the known cause of a failure: in the engine's reason, in what the build script said of it, and in what
// the step, of that instruction, printed. It is nil when nothing is known that would explain it.
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
			return &Cause{c.name, i18n.T(c.message, name), i18n.T(c.advice)}
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
	return printable.Shorten(name, 80), ok
}
