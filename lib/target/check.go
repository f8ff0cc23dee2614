package target

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"toaster.do/lib/i18n"
)

// problem is something wrong in targets.toml, at a key: "devuan.mirror", "target[3].arch" for the third [[target]].
type problem struct{ key, why string }

// groups are the SDKs, and what a person thinks of when choosing one; an ARM board has its own.
var groups = map[string]i18n.Key{
	"rootfs": "Root filesystem: for containers, LXC and chroots",
	"vm":     "Virtual machine: for QEMU, libvirt and VirtualBox",
	"live":   "Live ISO: boots from a USB stick or a disc",
	"arm":    "ARM board: on a memory card",
}

// titles are a target's line for people, by its SDK: what it makes, of which release and architecture.
var titles = map[string]i18n.Key{
	"rootfs": "Root filesystem (tar) · %s",
	"vm":     "Virtual machine (qcow2, vdi) · %s",
	"live":   "Live ISO · %s",
	"arm":    "%s (memory card) · %s",
}

var architectures = []string{"amd64", "i386", "arm64", "armhf", "armel"}

// check looks at a distribution that stands after the others.
func (d named) check(others []named) *problem {
	if d.Mirror != "" && !isMirror(d.Mirror) {
		return &problem{d.key + ".mirror", `must be an address such as "http://deb.devuan.org/merged", or empty`}
	}
	if d.Security != "" && !isMirror(d.Security) {
		return &problem{d.key + ".security", "must be an address, or empty"}
	}
	if !path.IsAbs(d.Keyring) || !isWord(d.Keyring, "/._+-") {
		return &problem{d.key + ".keyring", "must be an absolute path"}
	}
	if !isName(d.KeyringPackage) {
		return &problem{d.key + ".keyring_package", "must be the name of a package"}
	}
	if d.KeyringSource != "" && !isMirror(d.KeyringSource) {
		return &problem{d.key + ".keyring_source", "must be an address, or empty"}
	}
	if len(d.Components) == 0 || !all(d.Components, isName) {
		return &problem{d.key + ".components", `must be components of the archive, such as "main"`}
	}
	for codename := range d.Releases {
		if !isName(codename) {
			return &problem{d.key + ".releases." + codename, "is not a codename"}
		}
		if other := home(others, codename); other.key != "" {
			return &problem{d.key + ".releases." + codename, "is already a release of " + other.key}
		}
	}
	for _, codename := range d.Rolling {
		if _, ok := d.Releases[codename]; !ok {
			return &problem{d.key + ".rolling", fmt.Sprintf("%q is not among the releases", codename)}
		}
	}
	return nil
}

func (f *family) check(key string, distributions []named) *problem {
	if groups[f.SDK] == "" {
		return &problem{key + ".sdk", fmt.Sprintf(`must be "rootfs", "vm", "live" or "arm", not %q`, f.SDK)}
	}
	if len(f.Release) == 0 {
		return &problem{key + ".release", "must name a release"}
	}
	for _, codename := range f.Release {
		if home(distributions, codename).key == "" {
			return &problem{key + ".release", fmt.Sprintf("no distribution has a release %q", codename)}
		}
	}
	if len(f.Arch) == 0 {
		return &problem{key + ".arch", "must name an architecture"}
	}
	for _, arch := range f.Arch {
		if !slices.Contains(architectures, arch) {
			return &problem{key + ".arch", fmt.Sprintf("%q is not one of %s", arch, strings.Join(architectures, ", "))}
		}
	}
	if bad := f.checkBoards(key); bad != nil {
		return bad
	}
	if bad := f.checkImage(key); bad != nil {
		return bad
	}
	if limit, err := time.ParseDuration(f.TimeLimit); f.TimeLimit != "" &&
		(err != nil || limit < time.Minute || limit > 7*24*time.Hour) {
		return &problem{key + ".time_limit", `must be a duration such as "90m" or "12h", from a minute to 168h`}
	}
	if limit, err := time.ParseDuration(f.Silence); f.Silence != "" &&
		(err != nil || limit < 0 || limit%time.Second != 0 || limit > 7*24*time.Hour) {
		return &problem{key + ".silence_limit", `must be a duration such as "30m" or "2h", at most 168h; "0" for none`}
	}
	if !isWord(f.Label, "._-") && f.Label != "" {
		return &problem{key + ".label", "must be one word"}
	}
	if strings.ContainsFunc(f.Remark, func(r rune) bool { return r < ' ' }) {
		return &problem{key + ".remark", "must be one line"}
	}
	return nil
}

func (f *family) checkBoards(key string) *problem {
	if (f.SDK == "arm") != (len(f.Board) > 0) {
		return &problem{key + ".board", `is required for the SDK "arm", and not allowed for others`}
	}
	for _, name := range f.Board {
		b, ok := boards[name]
		if !ok {
			return &problem{key + ".board", fmt.Sprintf("arm-sdk has no board %q", name)}
		}
		if len(f.Arch) != 1 || f.Arch[0] != b.arch {
			return &problem{key + ".arch", fmt.Sprintf("the board %s is %s", name, b.arch)}
		}
	}
	if f.SDK == "arm" {
		return nil
	}
	for _, arch := range f.Arch {
		if f.SDK != "rootfs" && arch != "amd64" && arch != "i386" {
			return &problem{key + ".arch", fmt.Sprintf("%s-sdk only supports amd64 and i386", f.SDK)}
		}
	}
	return nil
}

// checkImage looks at what an entry says of the image's contents.
func (f *family) checkImage(key string) *problem {
	if f.Mirror != "" && !isMirror(f.Mirror) {
		return &problem{key + ".mirror", "must be an address, or omitted"}
	}
	if !all(f.Components, isName) {
		return &problem{key + ".components", "must be components of the archive"}
	}
	if !all(f.Packages, isName) {
		return &problem{key + ".packages", "must be names of packages"}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Replace)) {
		if !isName(name) || f.Replace[name] != "" && !isName(f.Replace[name]) {
			return &problem{key + ".replace", "must be names of packages"}
		}
	}
	if f.Size != 0 && (f.SDK != "vm" && f.SDK != "arm" || f.Size < 1024 || f.Size > 1<<20) {
		return &problem{key + ".size", `must be the size of the disk in MB, from 1024 to 1048576, for "vm" and "arm" only`}
	}
	if f.BootCheck && f.SDK != "vm" && f.SDK != "live" {
		return &problem{key + ".boot_check", `is for "vm" and "live" only`}
	}
	return nil
}

func (s source) check(name string) *problem {
	key := "sdk." + name
	if name == "rootfs" || groups[name] == "" {
		return &problem{key, `must be "sdk.live", "sdk.vm" or "sdk.arm"`}
	}
	if !isMirror(s.Address) {
		return &problem{key + ".address", "must be the address of a Git repository, with http or https"}
	}
	if len(s.Commit) != 40 || strings.Trim(s.Commit, "0123456789abcdef") != "" {
		return &problem{key + ".commit", "must be a commit's 40 hexadecimal digits"}
	}
	return nil
}

func all(list []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !ok(s) })
}

// isName tells whether s is like a package's name (Debian Policy, 5.6.7).
func isName(s string) bool {
	return s != "" && strings.ToLower(s) == s && isWord(s[:1], "") && isWord(s, "+.-")
}

// isWord tells whether s is not empty and of ASCII letters, digits and the others.
func isWord(s, others string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r))
	})
}

// isMirror tells whether s can stand in sources.list: no spaces, no password.
func isMirror(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && isWord(s, ":/._~%+-")
}

// lineOf finds the line of a problem's key, or of the table that it should stand in; 1 where there is none.
func lineOf(data []byte, key string) int {
	table, found := "", 1
	count := 0
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		name, line := nameOf(&p, e)
		switch e.Kind {
		case unstable.ArrayTable:
			count++
			table = fmt.Sprintf("%s[%d]", name, count)
			name = table
		case unstable.Table:
			table = name
		case unstable.KeyValue:
			name = table + "." + name
		}
		if name == key {
			return line
		}
		if strings.HasPrefix(key, name+".") {
			found = line
		}
	}
	return found
}

func nameOf(p *unstable.Parser, e *unstable.Node) (name string, line int) {
	var names []string
	for it := e.Key(); it.Next(); {
		names = append(names, string(it.Node().Data))
		line = p.Shape(it.Node().Raw).Start.Line
	}
	return strings.Join(names, "."), line
}
