package dockerfile

import (
	"strings"

	images "toaster.do/lib/image"
)

// platformOf is what the programs of a stage are for: what FROM --platform says of the image that it stands on, or the
// target's.
func (t *translator) platformOf(s *stage) string {
	for s.base != nil {
		s = s.base
	}
	if r, err := t.replace(t.lex, s.in.Platform, &t.globals); err == nil && r.Result != "" {
		return normalPlatform(r.Result)
	}
	return Platform(t.source.Arch)
}

// otherPlatform tells whether a stage is for another platform than the target: toaster makes no plain image of that.
func (t *translator) otherPlatform(s *stage) bool {
	return !samePlatform(t.platformOf(s), Platform(t.source.Arch))
}

// checkPlatform looks at FROM --platform. What the image is made of must be for the target; any other stage may be for
// another platform, as one that compiles for the target is.
func (t *translator) checkPlatform(s *stage) {
	if s.in.Platform == "" {
		return
	}
	r, err := t.replace(t.lex, s.in.Platform, &t.globals)
	t.lintPlatform(s, r)
	if err != nil || r.Result == "" {
		t.failIn(s, s.in.Location, "Syntax", "FROM --platform=%s is empty after its variables are replaced.",
			"Remove the flag.", s.in.Platform)
		return
	}
	if p := normalPlatform(r.Result); !images.ValidPlatform(p) || !strings.HasPrefix(p, "linux/") {
		t.failIn(s, s.in.Location, "FromPlatform", "The stage is for %s, which is no platform of Linux.",
			"Write one such as linux/arm64.", r.Result)
		return
	}
	last := t.stages[len(t.stages)-1]
	for last != s && last.base != nil {
		last = last.base
	}
	target, _ := t.globals.Get("TARGETPLATFORM")
	if last == s && !samePlatform(r.Result, target) {
		t.failIn(s, s.in.Location, "FromPlatform", "The stage is for %s, the target for %s.",
			"Choose a target of that architecture, or remove --platform.", r.Result, target)
	}
}
