package dockerfile

import (
	"os"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

var (
	aptYes     = lazy(`\s(-[a-zA-Z]*y[a-zA-Z]*|--yes|--assume-yes|-qq|-q=2)\s|Assume-Yes`)
	aptUpdates = lazy(`\s(-[a-zA-Z]*U[a-zA-Z]*|--update)\s`)
)

// systemdPackages do nothing, or cannot be installed, without systemd as the first process; systemdCommands neither.
var (
	systemdPackages = strings.Fields("systemd systemd-sysv systemd-timesyncd systemd-resolved systemd-container " +
		"systemd-networkd libpam-systemd snapd")
	systemdCommands = strings.Fields("systemctl journalctl timedatectl hostnamectl loginctl")
)

// lintApt looks at what a RUN does with packages.
func (t *translator) lintApt(s *stage, c command, text string) {
	if len(apt(text, "update")) > 0 {
		s.updated = true
	}
	for _, line := range apt(text, "install") {
		line, known := t.expanded(s, " "+line+" ")
		s.updated = s.updated || aptUpdates().MatchString(line)
		if !s.updated {
			t.warn(c.Location(), Warning, "AptWithoutUpdate",
				"apt-get install without apt-get update before it: the package lists may be missing or outdated.",
				"Write RUN apt-get update && apt-get install -y … in one line.")
		}
		if known && !aptYes().MatchString(line) && !strings.Contains(text, "Assume-Yes") && !strings.Contains(text, "yes |") {
			t.warn(c.Location(), Warning, "AptAsks", "apt-get install without -y stops and waits for input, which a build "+
				"does not have.", "Add -y.")
		}
	}
}

// expanded replaces the variables in a command. With one that only the shell will know, nothing can be said about the
// options.
func (t *translator) expanded(s *stage, line string) (text string, known bool) {
	known = true
	text = os.Expand(line, func(name string) string {
		value, ok := s.env.Get(name)
		if !t.spend(1 + len(value)/4) {
			value, ok = "", false
		}
		known = known && ok
		return value
	})
	return text, known
}

// lintSystemd looks for what needs systemd.
func (t *translator) lintSystemd(c command, text string) {
	if !strings.Contains(text, "systemd") && !strings.Contains(text, "ctl") && !strings.Contains(text, "snapd") ||
		!t.targetIsDevuan() {
		return
	}
	for _, word := range shellWords(strings.Join(apt(text, "install"), "\n")) {
		switch {
		case word == "systemd" || word == "systemd-sysv":
			t.warn(c.Location(), Warning, "NeedsSystemd",
				"Devuan does not use systemd as its init system, so the package %s can't start the image.",
				"Omit it: the image boots with its own init system, and toaster's script starts CMD.", word)
			return
		case slices.Contains(systemdPackages, word):
			t.warn(c.Location(), Warning, "NeedsSystemd", "The package %s needs systemd, but Devuan uses another init system.",
				"Use a package that does not need it, such as libpam-elogind instead of libpam-systemd or ntpsec instead of "+
					"systemd-timesyncd.", word)
			return
		}
	}
	for _, word := range shellWords(text) {
		if slices.Contains(systemdCommands, word) {
			t.warn(c.Location(), Warning, "NeedsSystemd", "%s needs systemd, but Devuan uses another init system.",
				"Use service, update-rc.d or the package's sysvinit script. toaster's own script starts CMD.", word)
			return
		}
	}
}

func shellWords(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case ' ', '\t', '\n', ';', '&', '|', '(', ')', '"', '\'':
			return true
		}
		return false
	})
}

// apt returns the commands in text that are apt-get, apt or aptitude with the verb.
func apt(text, verb string) (lines []string) {
	if !strings.Contains(text, verb) {
		return nil
	}
	for _, line := range strings.FieldsFunc(text,
		func(r rune) bool { return r == ';' || r == '&' || r == '|' || r == '\n' }) {
		words := strings.Fields(line)
		at := slices.IndexFunc(words, func(w string) bool {
			return w == "apt-get" || w == "apt" || w == "aptitude" || strings.HasSuffix(w, "/apt-get")
		})
		if at >= 0 && slices.Contains(words[at:], verb) {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return lines
}

// runText is all that a RUN says, a line that goes on being one line.
func runText(in *instructions.RunCommand) string {
	text := strings.Join(in.CmdLine, " ")
	for _, f := range in.Files {
		text += "\n" + f.Data
	}
	return strings.ReplaceAll(text, "\\\n", " ")
}
