package target

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"toaster.do/conf"
)

// An SDK with a function that nobody has read is not driven: it could run a program of the image as root of the host.
func TestUnknownSDK(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for name, change := range map[string]func(sdk string){
		"another function": func(sdk string) {
			path := filepath.Join(sdk, "lib/libdevuansdk/image")
			write(t, path, readFile(t, path)+"image_umount() { sudo chroot $workdir/mnt /bin/true }\n", 0o644)
		},
		"another file of functions": func(sdk string) {
			write(t, filepath.Join(sdk, "lib/libdevuansdk/zlibs/more"), "", 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			sdk := miniSDK(t, "vm", "new")
			change(sdk)
			b := image(t, sdk, sdkRecipe(t, "vm", page))
			b.start(t)
			b.end()
			b.wants(t, ExitFailed, "toaster: failed: the SDK failed: this vm-sdk is not known")
			b.isClean(t)
			if strings.Contains(b.log.String(), "Bootstrapping") {
				t.Error("it was driven all the same")
			}
		})
	}
}

// The list of the functions that are replaced is whole, and names none that isn't.
func TestListOfReplacedFunctions(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for name, c := range map[string]struct{ old, new, last string }{
		"one is missing": {"\t\tchroot-script ", "\t\tanother ",
			"the SDK's function chroot-script is replaced, and not in the list"},
		"one is too many": {"\t\tchroot-script ", "\t\tckreq 'no reason'\n\t\tchroot-script ",
			"the SDK's function ckreq is not replaced, as the list says"},
	} {
		t.Run(name, func(t *testing.T) {
			b := image(t, miniSDK(t, "live", "new"), sdkRecipe(t, "live", page))
			script := filepath.Join(b.dir, "build.sh")
			write(t, script, strings.Replace(readFile(t, script), c.old, c.new, 1), 0o600)
			b.start(t)
			b.end()
			b.wants(t, ExitFailed, "toaster: failed: the SDK failed: "+c.last)
		})
	}
}

// The SDKs that targets.toml names have been read. Whoever names others there reads their functions first, and adds
// them to replaced.zsh.
func TestTheTargetsSDKsAreKnown(t *testing.T) {
	text, err := conf.Files.ReadFile("targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\[sdk\.(\w+)\]\naddress = .*\ncommit = "(\w{7})`).FindAllSubmatch(text, -1)
	if len(found) != 3 {
		t.Fatalf("targets.toml names %q", found)
	}
	for _, f := range found {
		known := "\t# " + string(f[1]) + "-sdk " + string(f[2]) + ", "
		if !strings.Contains(assemble([]string{"replaced.zsh"}), known) {
			t.Errorf("%q is not in replaced.zsh", known)
		}
	}
}

// SDK_DIR has the real ones, with their submodules.
func TestRealSDKsAreKnown(t *testing.T) {
	dir := os.Getenv("SDK_DIR")
	if dir == "" {
		t.Skip("SDK_DIR is not set")
	}
	for _, kind := range []string{"live", "vm", "arm"} {
		sdk := filepath.Join(dir, kind+"-sdk")
		if _, err := os.Stat(sdk); err != nil {
			continue
		}
		if sum := library(t, sdk); !strings.Contains(assemble([]string{"replaced.zsh"}), "\n\t"+sum+"\t") {
			t.Errorf("%s, %s, is not in replaced.zsh", sdk, sum)
		}
		sh := exec.Command("zsh", "-fc", `source ./sdk >/dev/null 2>&1; emulate zsh; sudo() { : }
			load devuan ${${(M)1:#arm}:+raspi3} >/dev/null 2>&1; print -l ${(k)functions}`, "load", kind)
		sh.Dir = sdk
		out, err := sh.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range []string{"chroot-script", "devprocsys", "dpkgdivert", "blend_postinst",
			"conf_print_resolvconf"} {
			if !strings.Contains("\n"+string(out), "\n"+function+"\n") {
				t.Errorf("%s has no function %s", sdk, function)
			}
		}
	}
}
