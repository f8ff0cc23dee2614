package target

import (
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/shell"
)

// What RUN gets of the way to the archive has no password in it, and leads nowhere where RUN can't go; what is left out
// is said.
func TestSettingsForRun(t *testing.T) {
	const private = "http://10.1.2.3:3142"
	proxy := func(url string) string { return `Acquire::http::Proxy "` + url + `";` }
	for _, c := range []struct{ name, settings, env, allow, want, says string }{
		{"none", `Acquire::Retries "3";`, "", "", `Acquire::Retries "3";`, ""},
		{"an open proxy", proxy("http://192.0.2.1:3128/"), "", "", proxy("http://192.0.2.1:3128/"), ""},
		{"no proxy", proxy("DIRECT"), "", "", proxy("DIRECT"), ""},
		{"a password", proxy("http://me:secret@192.0.2.1:3128"), "", "", "",
			"apt's proxy 192.0.2.1:3128 has a password"},
		{"a name is enough", proxy("http://me@192.0.2.1"), "", "", "", "apt's proxy 192.0.2.1:80 has a password"},
		{"in the environment", "", "http://me:secret@192.0.2.1:3128", "", "", "has a password"},
		{"without a scheme", "", "me:secret@192.0.2.1:3128", "", "", "has a password"},
		{"this host", proxy("http://127.0.0.1:3142"), "", "10.1.1.1:80", "", `put 10.0.2.2:3142 into "allow"`},
		{"this host's name", proxy("http://localhost:3142/"), "", "", "", `put 10.0.2.2:3142 into "allow"`},
		{"this host's IPv6", proxy("http://[::1]:3142"), "", "", "", "put 10.0.2.2:3142 into"},
		{"this host, allowed", proxy("http://127.0.0.1:3142"), "", "10.1.1.1:80 10.0.2.2:3142",
			proxy("http://10.0.2.2:3142/"), ""},
		{"a private one", proxy(private), "", "10.1.2.3:80", "", "put 10.1.2.3:3142 into"},
		{"a private one, allowed", proxy(private), "", "10.1.2.3:3142", proxy(private), ""},
		{"a program", `Acquire::http::Proxy-Auto-Detect "/usr/bin/find-proxy";`, "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tools := t.TempDir()
			write(t, filepath.Join(tools, "listing"), c.settings+"\n", 0o600)
			write(t, filepath.Join(tools, "apt-config"), "#!/bin/sh\nexec cat \"${0%/*}/listing\"\n", 0o755)
			write(t, filepath.Join(tools, "sources"), "deb http://192.0.2.9/debian bookworm main\n", 0o600)
			got := sh(t, functions(t, busybox)+"PATH="+shell.Quote(tools)+":$PATH NOTES="+shell.Quote(tools)+
				" TOASTER_SANDBOX_ALLOW="+shell.Quote(c.allow)+"\nunset http_proxy\n[ -z "+shell.Quote(c.env)+
				" ] || http_proxy="+
				shell.Quote(c.env)+"\nset -eu\nsettings_for_run 2>"+shell.Quote(tools+"/said"))
			said := readFile(t, filepath.Join(tools, "said"))
			if strings.TrimSpace(got) != c.want || !strings.Contains(said, c.says) || (c.says == "") != (said == "") ||
				strings.Contains(said, "secret") {
				t.Errorf("%q, and said %q", got, said)
			}
		})
	}
}

// An archive in a private network is one that RUN can't reach, unless it may.
func TestPrivateMirror(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sources"),
		"deb http://10.1.2.3:9999/debian x main\ndeb http://172.20.0.1/debian x main\n"+
			"deb https://198.51.100.7/ x main\n", 0o600)
	got := sh(t, functions(t, busybox)+"NOTES="+shell.Quote(dir)+" TOASTER_SANDBOX_ALLOW=172.20.0.1:80\nset -eu\n"+
		"mirrors_for_run 2>&1")
	const want = "toaster: the archive 10.1.2.3:9999 is at 10.1.2.3, in a private network, which RUN can't reach."
	if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Error(got)
	}
}
