// Package target holds the targets an image can be built for, and makes the script that builds it.
// It knows no database and no network: the same input gives the same bytes.
package target

import (
	"time"

	"toaster.do/lib/i18n"
)

// Target is a kind of image: SDK × architecture × release (× board).
type Target struct {
	Name           string    // SDK_ARCH_CODENAME[_BOARD]
	SDK            string    // rootfs, vm, live or arm
	Arch           string    // Debian's name: amd64, i386, arm64, armhf, armel
	Distribution   string    // devuan or debian
	Codename       string    // the release: daedalus, bookworm, …
	Version        string    // the release's number, for people; empty for one that has none
	Board          string    // arm only
	Title          i18n.Text // one line for people, its own: "Live ISO · Devuan 5 daedalus · amd64"
	Group          i18n.Key  // the heading it stands under in a form
	Label          string    // which agents can build it; empty for any
	Remark         i18n.Key  // what a person should know, or why it is off
	On             bool      // offered to people
	Mirror         string    // URL of the package archive; empty: the building host's own
	Security       string    // URL of the archive that has CODENAME-security, where that is not Mirror
	Keyring        string    // file on the building host with the archive's public keys
	KeyringPackage string    // the package that holds Keyring
	KeyringSource  string    // where to find that package, for a host whose own archive lacks it; may be empty
	Components     []string  // of the archive: main, contrib, …
	Suites         []string  // of the archive: the codename first, then its updates
	// rootfs: beside the essential ones and apt; others: instead of the SDK's own list, if not empty
	Packages  []string
	Replace   []string // "OLD=NEW": what this release calls a package of the SDK's lists; "OLD=" where it has none
	Source    string   // the SDK's Git repository; empty for rootfs
	Commit    string   // of Source: 40 hex digits
	Size      int      // of the disk, MB (2^20 bytes); 0: the SDK's or the board's
	BootCheck bool     // start the image in qemu before it is handed out

	TimeLimit    time.Duration // a build running longer has failed; 0: as the engine has it
	SilenceLimit time.Duration // a build that prints nothing for so long has failed; 0: none; negative: as the site has it
}
