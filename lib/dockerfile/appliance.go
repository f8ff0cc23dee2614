package dockerfile

import (
	_ "embed"
	"path"
	"strings"
)

// applianceRoot is where the tree of a Dockerfile lies that does not make the system itself.
const applianceRoot = "/var/lib/toaster-app/rootfs"

var (
	//go:embed service/mounts.sh
	applianceMounts string
	//go:embed service/enter.pl
	enterPl string
)

// applianceRunner is runner for an application whose root is not the system's. The image may lack every program, so
// nothing of it runs but the application.
func applianceRunner(c *config, before string, argv []string) string {
	var w strings.Builder
	w.WriteString("root=" + applianceRoot + "\n" + before + variables(c))
	w.WriteString("exec \"$@\" /usr/bin/perl -e " + sh(enterPl) + ` "$root" ` + sh(c.WorkingDir) +
		` "$uid" "$gid" "$groups"`)
	for _, a := range argv {
		w.WriteString(" " + sh(a))
	}
	return w.String() + "\n"
}

// applianceVolumes mounts the folders of VOLUME, which begin with what the image has there.
func applianceVolumes(c *config) string {
	text := ""
	for _, v := range sortedKeys(c.Volumes) {
		text += "volume " + sh(path.Join("/", v)) + "\n"
	}
	return text
}
