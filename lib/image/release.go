package image

import (
	"regexp"
	"sync"
)

// Release is the distribution that an image is made of, as its os-release(5) names it: "debian", "bookworm". It is
// zero where that is not known.
type Release struct {
	Distribution string `json:"distribution,omitempty"`
	Codename     string `json:"codename,omitempty"`
}

var releaseForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9._-]{0,64}$`) })

// Valid tells whether both are words as os-release(5) has them, or empty.
func (r Release) Valid() bool {
	return releaseForm().MatchString(r.Distribution) && releaseForm().MatchString(r.Codename)
}

// Step is a line of an image's history, as the OCI image configuration has it.
type Step struct {
	CreatedBy string `json:"created_by"`
}

// madeBy is how debuerreotype, of which Debian's official images are, says which release it has made, and how our
// scripts do (oci.sh): https://github.com/debuerreotype/debuerreotype
var madeBy = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:# (debian)\.sh --arch '[a-z0-9]+' out/|toaster: (debian|devuan)) '([a-z]+)'`)
})

// ReleaseOf is the release that an image is made of, where its history says that: it begins with the lowest layer.
func ReleaseOf(history []Step) Release {
	if len(history) > 0 {
		if m := madeBy().FindStringSubmatch(history[0].CreatedBy); m != nil {
			return Release{m[1] + m[2], m[3]}
		}
	}
	return Release{}
}
