package target

import (
	"path/filepath"
	"testing"
	"time"
)

// A command that waits for ever ends its build, with all that the build started, and the log says where.
func TestABuildThatPrintsNothingIsEnded(t *testing.T) {
	canBuild(t)
	quickBase(t)
	for _, c := range []struct {
		name, base, body string
		limit            time.Duration
		code             int
		last             string
	}{
		{"an instruction", "", `
			print -r -- "TOASTER-STEP 1/2 3 RUN true"
			print -r -- "TOASTER-STEP 2/2 12 RUN apt-get update; \"quoted\" \$(x) *"
			mount -t tmpfs none "$strapdir/mnt"
			setsid sleep 987654 &
			sleep 987654
		`, 2 * time.Second, ExitSilent, `toaster: failed: nothing was printed for 2 s at line 12: RUN apt-get update; "quoted" $(x) *`},
		{"before the first instruction", "", "sleep 987654\n", 2 * time.Second, ExitSilent,
			"toaster: failed: nothing was printed for 2 s while the base was made."},
		{"the base", "sleep 987654\n", stamp, 2 * time.Second, ExitSilent,
			"toaster: failed: nothing was printed for 2 s while the base was made."},
		{"an instruction that prints now and then", "", `
			print -r -- "TOASTER-STEP 1/1 3 RUN slowly"
			repeat 100 { print -n .; sleep 0.1 }
		` + stamp, 8 * time.Second, 0, ""},
		{"no limit", "", "sleep 3\n" + stamp, 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			recipe := recipe(blend(c.body))
			recipe.Target.SilenceLimit = c.limit
			script, err := Script(recipe)
			if err != nil {
				t.Fatal(err)
			}
			if c.base != "" {
				tools := openDir(t)
				write(t, filepath.Join(tools, "mmdebstrap"),
					"#!/bin/sh\n[ \"$1\" != --version ] || exec echo mmdebstrap 0\n"+c.base, 0o755)
				t.Setenv("PATH", tools+":/usr/sbin:/usr/bin:/sbin:/bin")
			}
			r := start(t, script)
			r.end()
			if c.code == 0 {
				if r.err != nil {
					t.Errorf("%v\n%s", r.err, r.log.String())
				}
				return
			}
			r.wants(t, c.code, c.last)
			r.isClean(t)
		})
	}
}
