// Package dockerfile reads a Dockerfile and its build context, says what is wrong with them line by line,
// and translates them into a blend: one self-contained zsh file for the Devuan SDK that makes the same files in
// an image as a real builder would. It is pure: no database, no network, no clock; equal input gives equal bytes.
//
// The language is that of https://docs.docker.com/reference/dockerfile/ as BuildKit v0.34 builds it.
package dockerfile

import (
	"toaster.do/lib/i18n"
	images "toaster.do/lib/image"
)

// Source is what a person hands in.
type Source struct {
	Dockerfile  []byte
	Name        string            // the Dockerfile's, from the context's folder, for NAME.dockerignore; "" is unknown
	Context     *Context          // the build context; nil: none
	BuildArgs   map[string]string // as with docker build --build-arg
	Environment []string          // NAME=VALUE, as with docker run -e: for the application, when the image runs
	// Debian's name of the target's architecture: amd64, i386, arm64, armhf, armel; "" is amd64
	Arch     string
	Cancel   <-chan struct{} // closed: nobody waits for it any more, and it is refused; nil: never
	Codename string          // the target's release, e.g. daedalus; "" is unknown and gives no mismatch finding
	// names of images, without a tag, that are plain "debian" or "devuan" as well
	Plain map[string]string
	Lock  images.Lock // what the images of registries are; without one that is named, nothing is known of it
	Form  Form        // what is asked for, where the base allows more than one
	// How many bytes of the context may travel in the blend, see InsideLimit; 0: that; negative: none, all is beside it
	Inside int64
}

// Level says what a finding means for a build.
type Level string

const (
	Error   Level = "error"   // a build would fail, or give other files than a real builder
	Warning Level = "warning" // it builds, but probably not what is wanted
	Note    Level = "note"    // good to know
)

// Finding is one thing to tell about the lines from Line to EndLine (1-based, both included).
// A finding about no line in particular has Line 0.
type Finding struct {
	Line    int       `json:"line"`
	EndLine int       `json:"end_line"`
	Rule    string    `json:"rule"`
	URL     string    `json:"url,omitempty"`
	Level   Level     `json:"level"`
	Message i18n.Text `json:"message"`
	Advice  i18n.Text `json:"advice,omitzero"`

	stage *stage // the stage it belongs to; an error there counts only if the stage is built
}

// Blend is a translated Dockerfile.
type Blend struct {
	Text        []byte
	SHA256      string   // of Text, hex; the stamp in the image names it
	Steps       []Step   // as TOASTER-STEP n/m counts them
	Base        string   // what the last stage's FROM names, its variables replaced
	Form        Form     // how its tree becomes a system
	Secrets     []Secret // what RUN --mount=type=secret and ssh ask for, in the order of its instructions
	Images      []string // the Reference of each image that it fetches, in the order of its stages
	Config      []byte   // the OCI image configuration, as far as it is known before the build: a JSON object
	Root        string   // where the Dockerfile's tree is, if the image is not made of it
	Dockerfile  string   // SHA-256 of the Dockerfile, hex
	Context     string   // SHA-256 of the context, hex; "" without one
	External    bool     // it needs a part of the context beside it: see buildcontext.WriteTar
	Files       []string // which files, by SHA-256, sorted
	Environment []string // as in Source
}

// Step is one instruction that the blend runs.
type Step struct {
	Line        int
	Instruction string
}
