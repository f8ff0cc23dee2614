package dockerfile

import (
	"fmt"
	"strings"
	"testing"
)

// project is a context of many files, as projects have them, with a .dockerignore as they have it.
func project(t testing.TB, entries int) *Context {
	files := map[string]string{".dockerignore": "# usual\n.git\n**/node_modules\n**/*.py[cod]\n**/__pycache__/**\n*.log\n" +
		"**/.DS_Store\n**/.*.swp\ndocs/**/*.md\n!docs/README.md\n/dist\nbuild/\n**/*~\nDockerfile*\n**/test*/**/*.snap\n"}
	for i := len(files); i < entries*19/20; i++ {
		folder := []string{"src/components/pages", "node_modules/@scope/package", "lib/python3/site-packages", ".git/objects",
			"docs/guide", "app/static/images"}[i%6]
		files[fmt.Sprintf("%s/part%d/module-%d.%s", folder, i%(entries/20), i, []string{"js", "py", "pyc", "md"}[i%4])] = ""
	}
	return mustMake(t, files)
}

// TestLargeContext: a project of 200,000 entries can be translated.
func TestLargeContext(t *testing.T) {
	c := project(t, 200_000)
	if n := len(c.names); n < 180_000 || n > 300_000 {
		t.Fatal(n)
	}
	before := used()
	blend, findings, spent := translate(Source{Context: c, Dockerfile: []byte("FROM node:22-bookworm AS build\nWORKDIR /app\n" +
		"COPY package*.json ./\nCOPY . .\nRUN make\nFROM debian:bookworm\nCOPY src /srv\nCOPY app/static/images/*/*.js /js/\n" +
		"COPY --from=build /app /app\nCMD [\"/app/run\"]\n"), Inside: -1}, true)
	t.Logf("%v, %d of %d", used()-before, spent, enough)
	if blend == nil || !blend.External {
		t.Fatal(findings)
	}
	t.Logf("%d bytes, %d files", len(blend.Text), len(blend.Files))
	if strings.Contains(string(blend.Text), "toaster_unpack() {\n\tbase64") {
		t.Error("inside")
	}
}
