package hostile

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testCase is an attack: a few lines of a Dockerfile, with what it tries before them.
//
//	=== NAME
//	# what it tries
//	kinds: the kinds of image; rootfs without it
//	sdk: finishing: one that runs programs of the tree after the blend, too
//	ends: a pattern for the log's last line; without it the build may be refused, or succeed
//	never: what must not begin a line of the log
//	env: NAME=VALUE, for the script
//	disk: options of a tmpfs that the build's folder is on
//	memory: yes; it needs a host that can limit memory
//	lines of the Dockerfile
//
// In them, "probe @" gives the verdict of this case; @CANARY@ is a folder of the host, @SHARED@ one that
// everybody may write to, @LOOP@ the number of a loop device, and @UP@ as many ../ as lead to / from
// anywhere.
type testCase struct {
	name, lines, ends string
	never, disk       string
	memory, finishing bool
	env               []string
	kinds             []string
}

func readCases(t *testing.T, file string) (cases []testCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n=== ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		c := testCase{name: name, kinds: []string{"rootfs"}, ends: `toaster: (done|failed): `}
		for line := range strings.Lines(body) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch {
			case key == "kinds":
				c.kinds = strings.Split(value, ", ")
			case key == "sdk":
				c.finishing = value == "finishing"
			case key == "memory":
				c.memory = value == "yes"
			case key == "env":
				c.env = append(c.env, value)
			case key == "never":
				c.never = value
			case key == "disk":
				c.disk = value
			case key == "ends":
				c.ends = value
			case c.lines == "" && strings.HasPrefix(line, "#"):
			default:
				c.lines += line
			}
		}
		named := strings.NewReplacer("probe @", "probe "+name, "probe32 @", "probe32 "+name)
		c.lines = named.Replace(strings.TrimRight(c.lines, "\n") + "\n")
		cases = append(cases, c)
	}
	return cases
}

// stages are there for every case: trees to copy from and to mount.
const stages = `FROM devuan/devuan:daedalus AS other
RUN mkdir -p /tree/share/sub && echo planted >/tree/share/sub/file
FROM devuan/devuan:daedalus AS links
RUN ln -s /proc/1/root@CANARY@ /l && ln -s @CANARY@ /m && ln -s @UP@@CANARY@ /n
FROM devuan/devuan:daedalus AS devices
RUN mknod /loop b 7 @LOOP@ && mknod /mem c 1 1 || :
FROM devuan/devuan:daedalus AS trigger
ONBUILD WORKDIR /said.d
ONBUILD ENV CASE=onbuild
ONBUILD COPY file /said.d/
ONBUILD ADD plain.tar /said.d/
ONBUILD RUN (probe $CASE newuser; probe $CASE device / /dev; probe $CASE escape) >/said; rm -rf /said.d
FROM trigger AS triggers
`

func (h *host) fill(text, canary string) string {
	return strings.NewReplacer("@CANARY@", canary, "@SHARED@", h.facts.Shared, "@LOOP@", fmt.Sprint(h.facts.Loop),
		"@UP@", strings.Repeat("../", 30)).Replace(text)
}

var verdicts = regexp.MustCompile(`(?m)^verdict ([a-z0-9-]+) (held|BROKEN).*$`)

// checkVerdicts sees that every case which probe was asked about has held, once for each time that it was asked.
func (b *build) checkVerdicts(t *testing.T, lines string) {
	t.Helper()
	asked := regexp.MustCompile(`probe(?:32)? ([a-z0-9-]+) [a-z]`).FindAllStringSubmatch(lines, -1)
	var wanted []string
	for _, m := range asked {
		if !slices.Contains(wanted, m[1]) {
			wanted = append(wanted, m[1])
		}
	}
	said := map[string][]string{}
	for _, m := range verdicts.FindAllStringSubmatch(strings.ReplaceAll(b.log.String(), "\r", ""), -1) {
		said[m[1]] = append(said[m[1]], m[0])
	}
	for _, name := range wanted {
		t.Run(name, func(t *testing.T) {
			if len(said[name]) == 0 {
				t.Error("it was not tried")
			}
			for _, line := range said[name] {
				if !strings.Contains(line, name+" held") {
					t.Errorf("%.2000s", line)
				}
			}
		})
	}
}
