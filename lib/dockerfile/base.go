package dockerfile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"toaster.do/lib/i18n"
)

// baseImage returns the image that a stage stands on through other stages: "" for scratch.
func (s *stage) baseImage() (image string, at *stage) {
	for s.base != nil {
		s = s.base
	}
	if s.scratch {
		return "", s
	}
	return s.image, s
}

// checkBase tells what the stages are based on, and what that means.
func (t *translator) checkBase() {
	last := t.stages[len(t.stages)-1]
	for _, s := range t.stages {
		if s.base == nil && !s.scratch && s.image != "" {
			t.checkImage(s)
		}
	}
	t.checkForm(last)
}

// plain is the plain image of the target's own release, or of the one that the last FROM names: advice names it.
func (t *translator) plain() string {
	var distribution, codename string
	if len(t.stages) > 0 {
		distribution, codename = t.releaseOfLast()
	}
	if target := t.source.Codename; target != "" && target != codename {
		distribution, codename = distributionOf(target, distribution), target
	}
	if codename == "" {
		codename = map[string]string{"debian": "bookworm"}[distribution]
	}
	return baseOf(distribution, cmp.Or(codename, "daedalus"))
}

// distributionOf says which distribution has a release; otherwise where none is known to, or both are.
func distributionOf(codename, otherwise string) string {
	_, devuan := debianOf[codename]
	debian := slices.Contains(slices.Collect(maps.Values(codenames["debian"])), codename)
	switch {
	case devuan == debian:
		return otherwise
	case debian:
		return "debian"
	}
	return "devuan"
}

func (t *translator) checkImage(s *stage) {
	i := t.source.parseImage(s.image)
	d, c := i.distribution(), i.codename()
	switch {
	case d == "" && i.registry == "localhost":
		t.warnIn(s, "BaseUnknown", "%s exists only on your computer. The build uses the target's plain system instead.",
			"Name the release that the image is based on, such as FROM %s.", s.image, t.plain())
		return
	case s.foreign:
		if i.digest == "" && (i.tag == "" || i.tag == "latest") {
			t.warnIn(s, "BaseTagMoves", "%s is a moving tag. The job keeps the image that it was found to be, until you look "+
				"it up again.", "Name a version.", s.image)
		}
		return
	}
	if i.tag == "" && i.digest == "" || i.tag == "latest" || i.tag == "stable" || i.tag == "testing" ||
		i.tag == "oldstable" {
		t.warnIn(s, "BaseTagMoves", "%s is a moving tag: it will point to another release in the future.",
			"Name the release, such as %s.", s.image, t.plain())
	}
	if c == "" {
		t.warnIn(s, "BaseRelease", "%s does not name a known release, so it can't be compared with the target's.",
			"Name the release that you test with, such as %s.", s.image, t.plain())
	}
	if s.in.Location == nil || c == "" || t.source.Codename == "" {
		return
	}
	t.checkRelease(s, d, c)
}

// checkRelease compares what FROM names with the target.
func (t *translator) checkRelease(s *stage, distribution, codename string) {
	target, wanted := t.source.Codename, codename
	_, targetIsDevuan := debianOf[target]
	targetIsDevuan = targetIsDevuan && target != "jessie" || distribution == "devuan" && target == "jessie"
	switch {
	case target == wanted:
	case distribution == "debian" && targetIsDevuan && debianOf[target] == wanted:
		t.warnIn(s, "BaseDistribution", "%s is Debian. The target is Devuan %s, which is based on the same release but has "+
			"no systemd: some packages differ.",
			"Test with FROM devuan/devuan:%s.", s.image, target, target)
	default:
		t.warnIn(s, "BaseRelease", "%s is %s %s, but the target is %s: package versions differ.",
			"Choose the target of the release that you test with, or change FROM.",
			s.image, map[string]string{"debian": "Debian", "devuan": "Devuan"}[distribution], wanted, target)
	}
}

func (t *translator) warnIn(s *stage, rule string, message, advice i18n.Key, args ...any) {
	t.warn(s.in.Location, Warning, rule, message, advice, args...)
}

// platformForm is OS/ARCHITECTURE[/VARIANT], or one of them alone.
var platformForm = lazy(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,2}$`)

// normalPlatform spells a platform out as linux/ARCHITECTURE[/VARIANT], by the names that Docker uses.
func normalPlatform(p string) string {
	parts := strings.Split(strings.ToLower(p), "/")
	if len(parts) == 1 || parts[0] == "arm" {
		if parts[0] == "linux" {
			return p
		}
		parts = append([]string{"linux"}, parts...)
	}
	switch parts[1] {
	case "x86_64", "x86-64":
		parts[1] = "amd64"
	case "aarch64":
		parts[1] = "arm64"
	case "i386", "i686":
		parts[1] = "386"
	case "armhf":
		parts = []string{parts[0], "arm", "v7"}
	case "armel":
		parts = []string{parts[0], "arm", "v6"}
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.Join(parts, "/"), "/v8"), "/v1")
}

// samePlatform compares platforms; one without a variant matches any.
func samePlatform(a, b string) bool {
	x, y := strings.Split(normalPlatform(a), "/"), strings.Split(normalPlatform(b), "/")
	n := min(len(x), len(y))
	return slices.Equal(x[:n], y[:n])
}
