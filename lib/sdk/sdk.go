// Package sdk holds the targets an image can be built for, and makes the script that builds it.
// It knows no database and no network: the same input gives the same bytes.
package sdk

// Target is a kind of image: SDK × architecture × release (× board).
type Target struct {
	Name         string // SDK_ARCH_CODENAME[_BOARD]
	SDK          string // rootfs, vm, live or arm
	Arch         string // Debian's name: amd64, i386, arm64, armhf, armel
	Distribution string // devuan or debian
	Codename     string // the release: daedalus, bookworm, …
	Version      string // the release's number, for people; empty for one that has none
	Board        string // arm only
	Title        string // one line for a form: "Root filesystem, amd64, Devuan 5 daedalus"
	Group        string // the heading it stands under in a form
	Label        string // which agents can build it; empty for any
	Remark       string // what a person or the administrator should know
	On           bool   // offered to people
	Mirror       string // URL of the package archive; empty: the building host's own
	Keyring      string // file on the building host with the archive's public keys
	Components   []string
	Suites       []string // beside the codename itself: "-updates", "-security", …
	Packages     []string // beside the essential ones
}

// Targets is what targets.toml says, in the file's order.
type Targets struct {
	list []Target
}

// Recipe is all that a build script is made from.
type Recipe struct {
	Target           Target
	Blend            []byte
	BlendSHA256      string // lower-case hex; the stamp in the image must name it
	DockerfileSHA256 string // lower-case hex
	ContextSHA256    string // lower-case hex; empty without a context
	Base             string // what FROM said
	Version          string // toaster's
}
