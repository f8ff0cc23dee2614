package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"toaster.do/lib/i18n"
)

// These are our own rules: what works in a container and not in a system that boots.

var (
	downloads = lazy(`https?://[^\s"'|;&<>]+`)
	asksArch  = lazy(`print-architecture|dpkg-architecture|uname -[mpi]|TARGET(ARCH|PLATFORM|VARIANT)|\$\(arch\)|` +
		"`arch`")
)

// lintRun looks at the words of a RUN.
func (t *translator) lintRun(s *stage, c command, in *instructions.RunCommand) {
	text := runText(in)
	t.lintApt(s, c, text)
	if s.inTree { // no other boots
		t.lintSystemd(c, text)
	}
	t.lintLost(c, text)
	t.lintHeredocs(c, in)
	if !strings.Contains(text, "://") || t.otherPlatform(s) || asksArch().MatchString(text) {
		return
	}
	urls := downloads().FindAllString(text, -1)
	if slices.ContainsFunc(urls, func(url string) bool { return namesArch(url, t.arch()) }) {
		return // the script chooses
	}
	for _, url := range urls {
		t.lintDownload(c, url)
	}
}

func (t *translator) targetIsDevuan() bool {
	if t.source.Codename == "" {
		d, _ := t.releaseOfLast()
		return d == "devuan"
	}
	_, ok := debianOf[t.source.Codename]
	return ok
}

func (t *translator) releaseOfLast() (distribution, codename string) {
	base, _ := t.stages[len(t.stages)-1].baseImage()
	i := t.source.parseImage(base)
	return i.distribution(), i.codename()
}

// archNames are what addresses of downloads call each architecture.
var archNames = []struct {
	arch  string
	names []string
}{
	{"amd64", []string{"amd64", "x86_64", "x86-64", "x64", "linux64"}},
	{"i386", []string{"i386", "i486", "i586", "i686", "386", "linux32"}},
	{"arm64", []string{"arm64", "aarch64", "armv8"}},
	{"armhf", []string{"armhf", "armv7", "armv7l", "arm32v7"}},
	{"armel", []string{"armel", "armv6", "armv6l", "armv5"}},
}

// lintDownload compares the architecture in an address with the target's. An amd64 system runs i386 programs as well.
func (t *translator) lintDownload(c command, url string) {
	target := t.arch()
	for _, a := range archNames {
		if a.arch == target || a.arch == "i386" && target == "amd64" {
			continue
		}
		if namesArch(url, a.arch) {
			t.warn(c.Location(), Warning, "ForeignArchitecture", "%s is for %s, but the target is %s.",
				"Use $TARGETARCH in the address, or choose the target of that architecture.", url, a.arch, target)
			return
		}
	}
}

func (t *translator) arch() string {
	if t.source.Arch == "" {
		return "amd64"
	}
	return t.source.Arch
}

// namesArch tells whether an address has a name of the architecture in it.
func namesArch(url, arch string) bool {
	url = strings.ToLower(url)
	for _, a := range archNames {
		if a.arch == arch {
			return slices.ContainsFunc(a.names, func(n string) bool { return hasWord(url, n) })
		}
	}
	return false
}

// hasWord tells whether text has word with no letter or digit on either side.
func hasWord(text, word string) bool {
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && ('a' <= text[i] && text[i] <= 'z' || '0' <= text[i] && text[i] <= '9')
	}
	for i := 0; ; {
		at := strings.Index(text[i:], word)
		if at < 0 {
			return false
		}
		i += at
		if !letter(i-1) && !letter(i+len(word)) {
			return true
		}
		i++
	}
}

// lintApplication looks at the last stage: what will run after boot, and what has no effect there.
func (t *translator) lintApplication() {
	last := t.stages[len(t.stages)-1]
	for _, c := range last.commands {
		switch in := c.Command.(type) {
		case *instructions.ExposeCommand:
			t.warn(c.Location(), Note, "ExposeFirewall",
				"EXPOSE has no effect in an image that boots: all open ports are reachable.",
				"If the application should not be reachable, let it listen on 127.0.0.1, or install a firewall.")
		case *instructions.OnbuildCommand:
			t.warn(c.Location(), Note, "NoEffect", "ONBUILD is for images that are based on this one. It has no effect here.",
				"You can keep it.")
		case *instructions.VolumeCommand:
			if t.form == FormAppliance {
				continue
			}
			t.warn(c.Location(), Note, "NoEffect", "VOLUME is a plain folder of the image: its contents are part of the system.",
				"You can keep it.")
		case *instructions.AddCommand:
			for _, src := range in.SourcePaths {
				if isURL(src) {
					t.lintDownload(c, src)
				}
			}
		}
	}
	t.lintCommand(last)
}

// shells are commands that end at once without a terminal.
var shells = strings.Fields("bash sh zsh ash dash fish python python3 irb node")

// isShell tells whether a command waits for somebody to type.
func isShell(argv []string) bool {
	return len(argv) == 1 && slices.Contains(shells, path.Base(argv[0]))
}

func (t *translator) lintCommand(s *stage) {
	argv := s.config.argv()
	loc := s.cmd.loc
	if s.entrypoint.set {
		loc = s.entrypoint.loc
	}
	switch {
	case s.env.open && !s.config.runs: // the image may have a command
	case (!s.config.runs || len(argv) == 0) && len(t.source.Environment) > 0:
		t.warn(s.in.Location, Warning, "EnvironmentUnused",
			"There is a runtime environment, but no CMD or ENTRYPOINT that uses it.", "Set the application as CMD.")
	case !s.config.runs || len(argv) == 0:
		t.warn(s.in.Location, Note, "NoCommand", "There is no CMD or ENTRYPOINT, so nothing of this Dockerfile starts when "+
			"the image boots.", "Set the application as CMD, if there is one.")
	case isInit(argv) && t.form == FormAppliance:
		t.warn(loc, Note, "CmdIsInit", "%s is an init system. The system that boots has its own, so this one does not "+
			"become a service, and nothing of the image starts.", "Set the application as CMD.", show(strings.Join(argv, " ")))
	case isInit(argv):
		t.warn(loc, Note, "CmdIsInit", "%s is an init system. The image boots its own init system, so this one does not "+
			"become a service.",
			"Nothing, if the services of the packages are the application. Otherwise set the application as CMD.",
			show(strings.Join(argv, " ")))
	case isShell(argv) && t.form == FormAppliance:
		t.warn(loc, Note, "CmdIsShell", "%s is an interactive program: as a service it exits immediately.",
			"Nothing, if you log in and look into %s. Otherwise set the application as CMD.", argv[0], applianceRoot)
	case isShell(argv):
		t.warn(loc, Note, "CmdIsShell", "%s is an interactive program: as a service it exits immediately.",
			"Nothing, if you log in to the image. Otherwise set the application as CMD.", argv[0])
	default:
		if s.inTree {
			t.lintServices(s)
		}
		t.lintServiceLabels(s)
		t.lintVariables(s, argv)
		if how := daemonises(argv); !how.IsZero() {
			t.warn(loc, Warning, "CmdDaemonises", "%s",
				"Run it in the foreground: when its first process exits, the service ends, as in a container.", how)
		}
	}
}

// daemonises tells why a command would go to the background; "" if it does not look so. Of a script, what stays is its
// last command that is no shell.
func daemonises(argv []string) i18n.Text {
	text, words := " "+strings.Join(argv, " ")+" ", argv
	if slices.Contains(shells, path.Base(argv[0])) && len(argv) > 2 {
		words = []string{""}
		for _, command := range strings.FieldsFunc(argv[len(argv)-1], func(r rune) bool {
			return strings.ContainsRune(";&|\n", r)
		}) {
			if f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(command), "exec ")); len(f) > 0 && !isShell(f) {
				words = f
			}
		}
	}
	program := path.Base(words[0])
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case program == "nginx" && !has("daemon off"):
		return i18n.T("nginx runs in the background without -g 'daemon off;'.")
	case (program == "apache2" || program == "apache2ctl" || program == "apachectl" || program == "httpd") &&
		!has("FOREGROUND", "NO_DETACH", " -f", " -X ", "-foreground"):
		return i18n.T("%s runs in the background without -D FOREGROUND.", program)
	case program == "sshd" && !has(" -D", " -d ", " -e -D"):
		return i18n.T("sshd runs in the background without -D.")
	case (program == "cron" || program == "crond") && !has(" -f"):
		return i18n.T("%s runs in the background without -f.", program)
	case program == "service" || program == "invoke-rc.d" || strings.HasPrefix(words[0], "/etc/init.d/"):
		return i18n.T("An init script starts a daemon and exits.")
	case has(" --daemon ", " --daemonize ", " -daemon ", " --background ", " daemonize yes "):
		return i18n.T("%s is configured to run in the background.", program)
	}
	return i18n.Text{}
}
