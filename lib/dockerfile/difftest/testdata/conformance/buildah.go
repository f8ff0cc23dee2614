// The program that prepares the cases of buildah's conformance suite. What the suite declares, and the imports that
// need it, stand where the comment below says.
package main

/*SUITE*/

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func selinuxMountFlag() string { return "" }

type prepared struct {
	Name, Context, Dockerfile, NotTaken string
	Args                                map[string]string
	Fails                               bool
	Skip                                []string
}

// main prepares the contexts of all cases, from the folder testdata of the suite, in a folder.
func main() {
	testdata, out := os.Args[1], os.Args[2]
	yes := true
	contextCanDoXattrs, storageCanDoXattrs = &yes, &yes
	var list []prepared
	for i, c := range internalTestCases {
		dir := filepath.Join(out, strconv.Itoa(i), "context")
		p := prepared{Name: c.name, Context: dir, Args: c.buildArgs, Fails: c.shouldFailAt != 0, Skip: c.fsSkip}
		if len(c.transientMounts) > 0 {
			p.NotTaken = "it needs buildah build --volume"
		}
		must(os.MkdirAll(dir, 0o755))
		from := filepath.Join(testdata, c.contextDir)
		switch {
		case c.contextDir != "":
			must(exec.Command("cp", "-a", from+"/.", dir).Run())
		case c.dockerfile != "":
			must(exec.Command("cp", "-a", filepath.Join(testdata, c.dockerfile), dir).Run())
		}
		p.Dockerfile = c.dockerfile
		if p.Dockerfile == "" {
			p.Dockerfile = "Dockerfile"
		}
		if c.dockerfileContents != "" {
			must(os.WriteFile(filepath.Join(dir, p.Dockerfile), []byte(c.dockerfileContents), 0o644))
		}
		if c.tweakContextDir != nil {
			must(c.tweakContextDir(&testing.T{}, dir, "vfs", ""))
		}
		must(os.Chtimes(filepath.Join(dir, p.Dockerfile), testDate, testDate))
		must(os.Chtimes(dir, testDate, testDate))
		list = append(list, p)
	}
	for i, c := range commitCases {
		dir := filepath.Join(out, "commit"+strconv.Itoa(i), "context")
		must(os.MkdirAll(dir, 0o755))
		p := prepared{Name: "commit: " + c.description, Context: dir, Dockerfile: "Dockerfile"}
		if c.config != nil || c.derivedConfig != nil {
			p.NotTaken = "it is about buildah commit, given a configuration that is no Dockerfile's"
		}
		text := "FROM " + c.baseImage + " AS committed\n"
		for _, line := range c.changes {
			text += line + "\n"
		}
		if len(c.derivedChanges) > 0 {
			text += "FROM committed\n"
		}
		for _, line := range c.derivedChanges {
			text += line + "\n"
		}
		must(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644))
		list = append(list, p)
	}
	must(json.NewEncoder(os.Stdout).Encode(list))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
