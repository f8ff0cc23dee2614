package target

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// alwaysThere are packages that are essential on Debian, or that essential ones need.
const alwaysThere = " coreutils findutils tar gzip dpkg apt perl util-linux "

// What the scripts look for, the package depends on, the README names, and an agent is given.
func TestThePackagesNameWhatTheScriptsNeed(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, depends, _ := strings.Cut(read("../../conf/debian/control"), "\nDepends:")
	depends, _, _ = strings.Cut(depends, "\nRecommends:")
	guide, agents, makefile := read("../../conf/README.md"), read("../../conf/jenkins/README.md"),
		read("../../Makefile")
	_, host, _ := strings.Cut(read("script/common.sh"), "<<-END\n")
	host, _, _ = strings.Cut(host, "\t\t$NEEDS")
	_, rootfs, _ := strings.Cut(read("script/rootfs.sh"), "NEEDS='")
	rootfs, _, _ = strings.Cut(rootfs, "'")
	packages := []string{"crun", "uidmap"}
	for line := range strings.Lines(host + rootfs) {
		packages = append(packages, strings.Fields(line)[1])
	}
	if len(packages) < 15 {
		t.Fatalf("these are too few: %v", packages)
	}
	for _, name := range packages {
		if strings.Contains(alwaysThere, " "+name+" ") {
			continue
		}
		word := regexp.MustCompile(`(^|[ \n,` + "`" + `])` + regexp.QuoteMeta(name) + `([ \n,` + "`" + `]|$)`)
		for where, text := range map[string]string{"conf/debian/control": depends, "conf/README.md": guide,
			"conf/jenkins/README.md": agents,
			"the Makefile":           makefile} {
			if !word.MatchString(text) {
				t.Errorf("%s does not name %s", where, name)
			}
		}
	}
}
