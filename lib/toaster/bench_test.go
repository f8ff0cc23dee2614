package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkContext sends a project of 20,000 files and 200 MB, side by side: to a server that writes down what tar and
// curl send, to a site as an archive, and by the command: all of it, one byte that has changed, and nothing. It prints
// medians, ratios to the first, and the memory of the command.
func BenchmarkContext(b *testing.B) {
	for _, tool := range []string{"tar", "curl", "gzip"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Fatal(err)
		}
	}
	s := newInstance(b, "[limits]\njobs = 0\nbuilds_per_day = 0\ncontexts = \"0\"")
	u := s.user()
	for i := range 20_000 {
		u.write(fmt.Sprintf("d%03d/%d", i%100, i), random(i, 10_240))
	}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f, err := os.CreateTemp(s.dir, "sink-*")
		if err == nil {
			defer os.Remove(f.Name())
			defer f.Close()
			_, err = io.Copy(f, r.Body)
		}
		if err != nil {
			b.Error(err)
		}
	}))
	defer sink.Close()
	shell := func(script string) *exec.Cmd {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir, cmd.Env = u.project, u.env
		return cmd
	}
	forget := func() { u.must(os.RemoveAll(s.cfg.Paths.Contexts)) }
	n := 0
	subjects := []struct {
		name   string
		before func()
		cmd    func() *exec.Cmd
	}{
		{"tar | curl, written to a file", nil, func() *exec.Cmd { return shell("tar -cf - . | curl -sST - " + sink.URL) }},
		{"tar | curl, to the site", forget, func() *exec.Cmd {
			return shell("tar -cf - . | curl -sSf -o /dev/null -H \"Authorization: Bearer $TOASTER_TOKEN\" -F upsert=1 " +
				"-F name=archive -F target=" + vm + " -F 'context=@-;filename=c.tar' " + s.url() + "/jobs")
		}},
		{"toaster build, all", forget, func() *exec.Cmd { return u.command("build", "-t", vm, "--detach") }},
		{"toaster build, one byte", func() { n++; u.write("d007/7", fmt.Sprint(n)) },
			func() *exec.Cmd { return u.command("build", "-t", vm, "--detach") }},
		{"toaster build, nothing", nil, func() *exec.Cmd { return u.command("build", "-t", vm, "--detach") }},
	}
	took := make([][]time.Duration, len(subjects))
	memory := make([]int64, len(subjects))
	for b.Loop() {
		for i, one := range subjects {
			if one.before != nil {
				one.before()
			}
			cmd := one.cmd()
			begun := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", one.name, err, out)
			}
			took[i] = append(took[i], time.Since(begun))
			memory[i] = max(memory[i], cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss>>10)
		}
	}
	median := func(list []time.Duration) time.Duration { return slices.Sorted(slices.Values(list))[len(list)/2] }
	for i, one := range subjects {
		fmt.Printf("%-30s %7.2f s  %5.2f ×  %4d MiB\n", one.name, median(took[i]).Seconds(),
			float64(median(took[i]))/float64(median(took[0])), memory[i])
	}
}
