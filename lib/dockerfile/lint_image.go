package dockerfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// These are our own rules: what works in a container and not in a system that boots.

var (
	aptYes    = lazy(`\s(-[a-zA-Z]*y[a-zA-Z]*|--yes|--assume-yes|-qq|-qqy?)(\s|$)|APT::Get::Assume-Yes`)
	downloads = lazy(`https?://[^\s"'|;&<>]+`)
)

// needSystemd are packages and commands that do nothing without systemd as the first process.
var needSystemd = strings.Fields("systemctl systemd systemd-sysv systemd-timesyncd systemd-resolved systemd-container systemd-networkd libpam-systemd journalctl timedatectl hostnamectl loginctl snapd")

// lintRun looks at the words of a RUN.
func (t *translator) lintRun(s *stage, c command, in *instructions.RunCommand) {
	text := runText(in)
	if apt(text, "update") != "" {
		s.updated = true
	}
	if line := apt(text, "install"); line != "" {
		if !s.updated {
			t.warn(c.Location(), Warning, "AptWithoutUpdate", "apt-get install without apt-get update before it: the lists of packages may be missing or old.",
				"Write RUN apt-get update && apt-get install -y … in one line.")
		}
		if !aptYes().MatchString(" "+line+" ") && !strings.Contains(text, "Assume-Yes") && !strings.Contains(text, "yes |") {
			t.warn(c.Location(), Warning, "AptAsks", "apt-get install without -y stops to ask, and nobody is there.", "Add -y.")
		}
	}
	if strings.Contains(text, "://") {
		for _, url := range downloads().FindAllString(text, -1) {
			t.lintDownload(c, url)
		}
	}
	if !strings.Contains(text, "systemd") && !strings.Contains(text, "ctl") && !strings.Contains(text, "snapd") {
		return
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()\"'", r) }) {
		if slices.Contains(needSystemd, word) && t.targetIsDevuan() {
			t.warn(c.Location(), Warning, "NeedsSystemd", fmt.Sprintf("%s needs systemd, and Devuan has another init.", word),
				"Use service, update-rc.d or the package's sysvinit script; CMD is started by toaster's own script.")
			break
		}
	}
}

// apt returns the first command in text that is apt-get, apt or aptitude with the verb; "" if there is none.
func apt(text, verb string) string {
	if !strings.Contains(text, verb) {
		return ""
	}
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(";&|\n", r) }) {
		words := strings.Fields(line)
		at := slices.IndexFunc(words, func(w string) bool {
			return w == "apt-get" || w == "apt" || w == "aptitude" || strings.HasSuffix(w, "/apt-get")
		})
		if at >= 0 && slices.Contains(words[at:], verb) {
			return line
		}
	}
	return ""
}

func runText(in *instructions.RunCommand) string {
	text := strings.Join(in.CmdLine, " ")
	for _, f := range in.Files {
		text += "\n" + f.Data
	}
	return text
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
	i := parseImage(base)
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
	target := t.source.Arch
	if target == "" {
		target = "amd64"
	}
	for _, a := range archNames {
		if a.arch == target || a.arch == "i386" && target == "amd64" {
			continue
		}
		if slices.ContainsFunc(a.names, func(n string) bool { return hasWord(strings.ToLower(url), n) }) {
			t.warn(c.Location(), Warning, "ForeignArchitecture", fmt.Sprintf("%s is for %s, the target is %s.", url, a.arch, target),
				"Use $TARGETARCH in the address, or pick the target of that architecture.")
			return
		}
	}
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
			t.warn(c.Location(), Note, "ExposeFirewall", "EXPOSE opens and closes nothing in an image that boots: whatever listens on the network can be reached.",
				"Let the application listen on 127.0.0.1 where it should not be reached, or install a firewall.")
		case *instructions.OnbuildCommand:
			t.warn(c.Location(), Note, "NoEffect", "ONBUILD is for images that are based on this one; nothing is done with it here.", "It can stay.")
		case *instructions.VolumeCommand:
			t.warn(c.Location(), Note, "NoEffect", "VOLUME is a plain folder of the image: its contents are part of the system.", "It can stay.")
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

func (t *translator) lintCommand(s *stage) {
	argv := s.config.argv()
	loc := s.cmd.loc
	if s.entrypoint.set {
		loc = s.entrypoint.loc
	}
	switch {
	case !s.config.runs || len(argv) == 0:
		t.warn(s.in.Location, Note, "NoCommand", "There is no CMD or ENTRYPOINT, so nothing of this Dockerfile is started when the image boots.", "Give the application as CMD, if it has one.")
	case isInit(argv):
		t.warn(loc, Note, "CmdIsInit", fmt.Sprintf("%s is an init system: the image boots its own, and no service is made of this one.", show(strings.Join(argv, " "))),
			"Nothing, if the packages' own services are what shall run; else give the application as CMD.")
	case len(argv) == 1 && slices.Contains(shells, argv[0][strings.LastIndexByte(argv[0], '/')+1:]):
		t.warn(loc, Note, "CmdIsShell", fmt.Sprintf("%s is an interactive program: as a service it ends at once.", argv[0]), "Nothing, if you want to log in; else give the application as CMD.")
	default:
		if how := daemonises(argv); how != "" {
			t.warn(loc, Warning, "CmdDaemonises", how, "Start it in the foreground; the service does the rest.")
		}
	}
}

// daemonises tells why a command would go to the background; "" if it does not look so.
func daemonises(argv []string) string {
	text := " " + strings.Join(argv, " ") + " "
	program := argv[0][strings.LastIndexByte(argv[0], '/')+1:]
	if slices.Contains(shells, program) && len(argv) > 2 {
		fields := strings.Fields(argv[len(argv)-1])
		if len(fields) > 0 {
			program = fields[0][strings.LastIndexByte(fields[0], '/')+1:]
		}
	}
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case program == "nginx" && !has("daemon off"):
		return "nginx goes to the background without -g 'daemon off;'."
	case (program == "apache2" || program == "apache2ctl" || program == "apachectl" || program == "httpd") && !has("FOREGROUND", "NO_DETACH", " -f", " -X ", "-foreground"):
		return program + " goes to the background without -D FOREGROUND."
	case program == "sshd" && !has(" -D", " -d ", " -e -D"):
		return "sshd goes to the background without -D."
	case (program == "cron" || program == "crond") && !has(" -f"):
		return program + " goes to the background without -f."
	case program == "service" || program == "invoke-rc.d" || strings.Contains(argv[0], "/etc/init.d/") || has(" /etc/init.d/", " service ") && !has("tail ", "sleep ", " wait", "while "):
		return "A script of the init system starts a daemon and ends."
	case has(" --daemon ", " --daemonize ", " -daemon ", " --background ", " daemonize yes "):
		return program + " is told to go to the background."
	}
	return ""
}
