package target

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/conf"
	"toaster.do/lib/apperr"
)

func installed(t testing.TB) string {
	t.Helper()
	b, err := conf.Files.ReadFile("targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func load(t *testing.T, text string) (*Targets, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "targets.toml")
	write(t, path, text, 0o600)
	return LoadTargets(path)
}

func TestInstalledTargets(t *testing.T) {
	targets, err := load(t, installed(t))
	if err != nil {
		t.Fatal(apperr.Of(err).Err)
	}
	var names []string
	for _, x := range targets.On() {
		names = append(names, x.Name)
		r := recipe(busybox)
		r.Target = x
		if _, err := Script(r); err != nil {
			t.Errorf("%s is on, and has no script: %v", x.Name, err)
		}
	}
	if got := strings.Join(names, " "); got != "rootfs_amd64_excalibur rootfs_amd64_daedalus rootfs_amd64_chimaera "+
		"rootfs_amd64_bookworm "+
		"vm_amd64_excalibur vm_amd64_daedalus vm_i386_daedalus vm_amd64_chimaera vm_i386_chimaera "+
		"live_amd64_excalibur live_amd64_daedalus live_i386_daedalus live_amd64_chimaera live_i386_chimaera" {
		t.Error(got)
	}
	x, err := targets.Find("rootfs_amd64_daedalus")
	if err != nil || x.Title.String() != "Root filesystem (tar) · Devuan 5 daedalus · amd64" ||
		x.Mirror != "http://deb.devuan.org/merged" ||
		strings.Join(x.Suites, " ") != "daedalus daedalus-updates daedalus-security" {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err := targets.Find("rootfs_amd64_bookworm"); err != nil || x.Distribution != "debian" || x.Mirror != "" {
		t.Errorf("%+v, %v", x, err)
	}
	if x.TimeLimit != 0 {
		t.Errorf("%s has a limit of %v", x.Name, x.TimeLimit)
	}
	if x, err := load(t, strings.ReplaceAll(installed(t), "\non = false\n", "\non = true\n")); err != nil {
		t.Error(err)
	} else if arm, err := x.Find("arm_arm64_daedalus_raspi3"); err != nil || arm.TimeLimit != 12*time.Hour {
		t.Errorf("%v, %v", arm.TimeLimit, err)
	}
	if found := targets.For("devuan", "daedalus"); len(found) != 5 || found[0].Name != "rootfs_amd64_daedalus" {
		t.Errorf("%+v", found)
	}
}

// TestATargetsTitleIsItsOwn: people tell all targets apart by it, those that are off, too.
func TestATargetsTitleIsItsOwn(t *testing.T) {
	targets, err := load(t, strings.ReplaceAll(installed(t), "\non = false\n", "\non = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, x := range targets.On() {
		if other := named[x.Title.String()]; other != "" {
			t.Errorf("%s and %s are both %q", other, x.Name, x.Title)
		}
		named[x.Title.String()] = x.Name
	}
	for title, name := range map[string]string{
		"Virtual machine (qcow2, vdi) · Devuan 5 daedalus · amd64": "vm_amd64_daedalus",
		"Live ISO · Devuan 5 daedalus · i386":                      "live_i386_daedalus",
		"Live ISO · Debian 12 bookworm · amd64":                    "live_amd64_bookworm",
		"PineTab (memory card) · Devuan 4 chimaera · arm64":        "arm_arm64_chimaera_pinetab",
	} {
		if named[title] != name {
			t.Errorf("%q is %q, not %s", title, named[title], name)
		}
	}
}

func TestFindRefuses(t *testing.T) {
	targets, err := load(t, installed(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"rootfs_vax_daedalus":        `There is no target "rootfs_vax_daedalus".`,
		"":                           `There is no target "".`,
		"vm_amd64_bookworm":          "The target vm_amd64_bookworm is disabled: for trying out the SDK.",
		"arm_armhf_daedalus_raspi2":  "The target arm_armhf_daedalus_raspi2 is disabled: not tested with this release.",
		"rootfs_amd64_daedalus\x00;": `There is no target "rootfs_amd64_daedalus\x00;".`,
	} {
		_, err := targets.Find(name)
		f := apperr.Of(err)
		if f.Kind != apperr.InvalidArgument || f.Message.String() != want || f.Field != "target" || f.Advice.IsZero() {
			t.Errorf("%q: %+v", name, f)
		}
	}
}

// Each line that is put in place of another makes the file wrong, and the error says where.
func TestWrongTargets(t *testing.T) {
	const good = `[devuan]
mirror = "http://deb.devuan.org/merged"
keyring = "/usr/share/keyrings/devuan-archive-keyring.gpg"
keyring_package = "devuan-keyring"
components = ["main"]
rolling = ["ceres"]
[devuan.releases]
daedalus = "5"
ceres = "unstable"
[debian]
keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
keyring_package = "debian-archive-keyring"
components = ["main"]
[debian.releases]
bookworm = "12"
[[target]]
sdk = "rootfs"
release = ["daedalus"]
arch = ["amd64", "i386"]
packages = ["sysvinit-core"]
on = true
[[target]]
sdk = "arm"
release = ["daedalus"]
arch = ["armhf"]
board = ["sunxi"]
[sdk.arm]
address = "https://example.org/arm-sdk"
commit = "0123456789012345678901234567890123456789"
[sdk.vm]
address = "https://example.org/vm-sdk"
commit = "0123456789012345678901234567890123456789"
`
	if _, err := load(t, good); err != nil {
		t.Fatal(apperr.Of(err).Err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`mirror = "http`, `miror = "http`, ":2: devuan.miror: unknown key"},
		{`"http://deb.devuan.org/merged"`, `"ftp://x y"`, ":2: devuan.mirror: must be an address"},
		{`"http://deb.devuan.org/merged"`, `"http://me:pw@x/"`, ":2: devuan.mirror: must be an address"},
		{`"http://deb.devuan.org/merged"`, `"http://x/$(id)"`, ":2: devuan.mirror: must be an address"},
		{`"http://deb.devuan.org/merged"`, `5`, ":2: devuan.mirror: "},
		{`keyring = "/usr/share/keyrings/devuan`, "security = \"x\"\nkeyring = \"/usr/share/keyrings/devuan",
			":3: devuan.security: must be an address, or empty"},
		{`"/usr/share/keyrings/devuan`, `"keyrings/devuan`, ":3: devuan.keyring: must be an absolute path"},
		{`"devuan-keyring"`, `""`, ":4: devuan.keyring_package: must be the name of a package"},
		{`components = ["main"]`, ``, ":1: devuan.components: must be components"},
		{`rolling = ["ceres"]`, `rolling = ["freia"]`, `:6: devuan.rolling: "freia" is not among the releases`},
		{`daedalus = "5"`, `daedalus = 5`, ":8: devuan.releases.daedalus: "},
		{`daedalus = "5"`, `"../x" = "5"`, ":8: devuan.releases.../x: is not a codename"},
		{`daedalus = "5"`, `daedalus = "5`, ":8: "},
		{`bookworm = "12"`, `daedalus = "12"`, `:15: debian.releases.daedalus: is already a release of devuan`},
		{`sdk = "rootfs"`, `sdk = "iso"`, `:17: target[1].sdk: must be "rootfs", "vm", "live" or "arm", not "iso"`},
		{`sdk = "rootfs"`, ``, `:16: target[1].sdk: must be`},
		{`release = ["daedalus"]`, `release = ["dedalus"]`,
			`:18: target[1].release: no distribution has a release "dedalus"`},
		{`release = ["daedalus"]`, `release = []`, `:18: target[1].release: must name a release`},
		{`arch = ["amd64", "i386"]`, `arch = ["amd64", "x86_64"]`, `:19: target[1].arch: "x86_64" is not one of`},
		{`arch = ["amd64", "i386"]`, `arch = ["amd64", "amd64"]`,
			":16: target[1]: the target rootfs_amd64_daedalus is defined twice"},
		{`arch = ["amd64", "i386"]`, ``, ":16: target[1].arch: must name an architecture"},
		{`"sysvinit-core"`, `"sysvinit core"`, ":20: target[1].packages: must be names of packages"},
		{`"sysvinit-core"`, `"--hook=id"`, ":20: target[1].packages: must be names of packages"},
		{`on = true`, `on = "yes"`, ":21: target.on: "},
		{`on = true`, "on = true\nlabel = \"a b\"", ":22: target[1].label: must be one word"},
		{`on = true`, "on = true\ncolour = 1", ":22: target.colour: unknown key"},
		{`on = true`, "on = true\nremark = \"a\\nb\"", ":22: target[1].remark: must be one line"},
		{`board = ["sunxi"]`, ``, `:22: target[2].board: is required for the SDK "arm", and not allowed for others`},
		{`board = ["sunxi"]`, `board = ["Sun xi"]`, `:26: target[2].board: arm-sdk has no board "Sun xi"`},
		{`board = ["sunxi"]`, `board = ["raspi4"]`, `:25: target[2].arch: the board raspi4 is arm64`},
		{`board = ["sunxi"]`, "board = [\"sunxi\"]\nsize = 5", `:27: target[2].size: must be the size of the disk in MB`},
		{`on = true`, "on = true\ntime_limit = \"long\"", `:22: target[1].time_limit: must be a duration such as`},
		{`on = true`, "on = true\ntime_limit = \"10s\"", `:22: target[1].time_limit: must be a duration such as`},
		{`on = true`, "on = true\ntime_limit = \"200h\"", `:22: target[1].time_limit: must be a duration such as`},
		{`on = true`, "on = true\ntime_limit = 3600", `:22: target.time_limit: `},
		{`board = ["sunxi"]`, "board = [\"sunxi\"]\nboot_check = true",
			`:27: target[2].boot_check: is for "vm" and "live" only`},
		{`on = true`, "on = true\nmirror = \"x\"", ":22: target[1].mirror: must be an address"},
		{`on = true`, "on = true\ncomponents = [\"--x\"]", ":22: target[1].components: must be components"},
		{`on = true`, "on = true\nreplace = { git-core = \"$(id)\" }", ":22: target[1].replace: must be names of packages"},
		{`sdk = "rootfs"`, `sdk = "live"`, `:17: target[1].sdk: there is no table [sdk.live] that says where it comes from`},
		{`arch = ["amd64", "i386"]`, "arch = [\"armel\"]\n#", ""},
		{`sdk = "rootfs"`, "sdk = \"vm\"\nsize = 2048\nboot_check = true", ""},
		{"sdk = \"rootfs\"\nrelease = [\"daedalus\"]\narch = [\"amd64\", ",
			"sdk = \"vm\"\nrelease = [\"daedalus\"]\narch = [\"arm64\", ",
			":19: target[1].arch: vm-sdk only supports amd64 and i386"},
		{"https://example.org/arm-sdk", "git@example.org:x", ":28: sdk.arm.address: must be the address of a Git repository"},
		{"0123456789012345678901234567890123456789", "HEAD", ":29: sdk.arm.commit: must be a commit's 40 hexadecimal digits"},
		{"[sdk.arm]", "[sdk.rootfs]", `:27: sdk.rootfs: must be "sdk.live", "sdk.vm" or "sdk.arm"`},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%q is not in the file", c.old)
		}
		_, err := load(t, strings.Replace(good, c.old, c.new, 1))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s → %s: %v", c.old, c.new, apperr.Of(err).Err)
			}
			continue
		}
		f := apperr.Of(err)
		if err == nil || f.Kind != apperr.Unavailable || !strings.Contains(f.Err.Error(), "targets.toml"+c.want) {
			t.Errorf("%s → %s: %v", c.old, c.new, err)
		}
	}
	if _, err := LoadTargets(filepath.Join(t.TempDir(), "none.toml")); apperr.KindOf(err) != apperr.Unavailable {
		t.Error(err)
	}
}

func BenchmarkLoadTargets(b *testing.B) {
	for b.Loop() {
		if _, err := LoadTargets("../../conf/targets.toml"); err != nil {
			b.Fatal(err)
		}
	}
}
