package gitsource

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"

	"toaster.do/lib/dockerfile"
)

var (
	//go:embed outer.sh
	outerScript string
	//go:embed inner.sh
	innerScript string
)

// nobody is who git is on this host, where root fetches: an id that useradd and systemd give to nobody.
const nobody = 2000100000

// place is a folder in which a repository is fetched: PLACE/git is the sandbox's /git, PLACE/root its root.
type place struct {
	dir string
	id  int // who git is on this host
}

// newPlace makes one in a folder, for a fetch with these options.
func newPlace(o Options, a Address) (p place, err error) {
	if err := os.MkdirAll(o.Dir, 0o711); err != nil {
		return p, err
	}
	if p.dir, err = os.MkdirTemp(o.Dir, "fetch-"); err != nil {
		return p, err
	}
	if p.id = os.Getuid(); p.id == 0 {
		p.id = nobody
	}
	for _, one := range []string{"git", "git/home", "git/tree", "root", "root/etc", "root/etc/ssh",
		"root/etc/ssl", "root/git",
		"root/run", "root/proc", "root/dev", "root/tmp"} {
		if err := os.Mkdir(filepath.Join(p.dir, one), 0o755); err != nil {
			return p, err
		}
	}
	rules, err := networkRules(o, a)
	if err != nil {
		return p, err
	}
	files := map[string]string{"rules": rules, "root/etc/passwd": "root:x:0:0::/git/home:/bin/sh\n",
		"root/etc/resolv.conf": "nameserver 10.0.2.3\n", "root/etc/ssh/ssh_known_hosts": o.SiteKeys,
		"git/home/known_hosts": o.HostKeys}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return p, err
		}
	}
	config, err := json.Marshal(p.bundle(o, a))
	if err != nil {
		return p, err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "config.json"), config, 0o644); err != nil {
		return p, err
	}
	return p, p.giveAway()
}

// giveAway gives the folder to who git is, and a device of the network where this host's is root's alone.
func (p place) giveAway() error {
	if os.Getuid() != 0 {
		return nil
	}
	tun := filepath.Join(p.dir, "tun")
	if err := syscall.Mknod(tun, syscall.S_IFCHR|0o666, 10<<8|200); err != nil {
		return err
	}
	if err := os.Chmod(tun, 0o666); err != nil {
		return err
	}
	return filepath.WalkDir(p.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, p.id, p.id)
	})
}

// hostFolders are what git consists of on this host.
var hostFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ssl"}

// bundle is the configuration of the OCI runtime, which has the folders of hostFolders in root.
// https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config.md
func (p place) bundle(o Options, a Address) *specs.Spec {
	mount := func(to, kind, from string, options ...string) specs.Mount {
		return specs.Mount{Destination: to, Type: kind, Source: from, Options: append(options, "nosuid", "nodev")}
	}
	mounts := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=64k"}},
		mount("/run", "tmpfs", "tmpfs", "mode=700", "size=1m", "noexec"),
		mount("/tmp", "tmpfs", "tmpfs", "mode=700", "size=16m", "noexec"),
		mount("/git", "none", filepath.Join(p.dir, "git"), "rbind", "rw"),
	}
	for _, one := range hostFolders {
		info, err := os.Lstat(one)
		if err != nil {
			continue
		}
		inside := filepath.Join(p.dir, "root", one)
		if to, err := os.Readlink(one); err == nil {
			_ = os.Symlink(to, inside) // else git is not found
		} else if info.IsDir() {
			_ = os.MkdirAll(inside, 0o755)
			mounts = append(mounts, mount(one, "none", one, "rbind", "ro"))
		}
	}
	none := []string{}
	limit := func(name string, most uint64) specs.POSIXRlimit {
		return specs.POSIXRlimit{Type: name, Soft: most, Hard: most}
	}
	return &specs.Spec{
		Version: "1.0.2", Hostname: "toaster", Root: &specs.Root{Path: filepath.Join(p.dir, "root"), Readonly: true},
		Mounts: mounts,
		Process: &specs.Process{
			Cwd: "/git/tree", Env: environment(o, a), NoNewPrivileges: true,
			Args: []string{"/bin/sh", "-c", innerScript + dockerfile.GitScript, "git", a.Text, o.Ref, "", o.Folder, "",
				yes(o.Submodules), ""},
			Capabilities: &specs.LinuxCapabilities{Bounding: none, Effective: none, Permitted: none, Inheritable: none,
				Ambient: none},
			Rlimits: []specs.POSIXRlimit{limit("RLIMIT_FSIZE", uint64(o.MaxBytes)), limit("RLIMIT_DATA", 1<<30),
				limit("RLIMIT_CORE", 0), limit("RLIMIT_NOFILE", 1024), limit("RLIMIT_NPROC", 512)},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
				{Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}},
			MaskedPaths: dockerfile.MaskedPaths, ReadonlyPaths: dockerfile.ReadonlyPaths, Seccomp: dockerfile.Seccomp(machine()),
		},
	}
}

// machine is what the kernel calls this processor.
func machine() string {
	var u syscall.Utsname
	_ = syscall.Uname(&u) // can't fail
	var name []byte
	for _, c := range u.Machine {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return string(name)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// environment is git's: nothing of the host's configuration, no helper, no protocol that runs a program.
func environment(o Options, a Address) []string {
	protocols, redirects := "https:git:ssh", "initial"
	if a.Scheme == "http" {
		protocols += ":http"
	}
	if o.Secret != "" {
		redirects = "false" // a redirect does not take the token elsewhere
	}
	config := [][2]string{{"core.hooksPath", "/dev/null"}, {"core.fsmonitor", "false"},
		{"http.followRedirects", redirects},
		{"http.lowSpeedLimit", "1"}, {"http.lowSpeedTime", "60"}, {"protocol.file.allow", "never"},
		{"protocol.ext.allow", "never"},
		{"pack.threads", "1"}, {"core.bigFileThreshold", "16m"}, {"transfer.bundleURI", "false"}}
	if o.Secret != "" && a.Scheme != "ssh" {
		config = append(config, [2]string{"credential.helper", "store --file=/run/secret"})
	}
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/git/home", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_TEMPLATE_DIR=/tmp", "GIT_TERMINAL_PROMPT=0", "GIT_LFS_SKIP_SMUDGE=1",
		"GIT_ALLOW_PROTOCOL=" + protocols, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND=" + sshCommand(o, a),
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config))}
	for i, one := range config {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, one[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, one[1]))
	}
	return append(env, o.Proxies...)
}

// sshCommand is ssh with the job's key and nothing of this host's configuration. The key of a host that nobody knows is
// written down when it is first seen, for the caller to keep; another one later is refused.
func sshCommand(o Options, a Address) string {
	words := []string{"ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=/git/home/known_hosts", "-o", "HashKnownHosts=no",
		"-o", "UpdateHostKeys=no", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "LogLevel=ERROR",
		"-o", "GlobalKnownHostsFile=/etc/ssh/ssh_known_hosts"}
	if o.Secret != "" && a.Scheme == "ssh" {
		words = append(words, "-i", "/run/secret")
	}
	return strings.Join(words, " ")
}

// networkRules says for ip -batch what may be reached: all of the internet, and what the configuration allows. Names of
// the list are looked up on this host.
func networkRules(o Options, a Address) (string, error) {
	var b strings.Builder
	b.WriteString("link set lo up\nrule add pref 10 to 10.0.2.100 lookup main\n" +
		"rule add pref 10 to 10.0.2.3 ipproto udp dport 53 lookup main\n" +
		"rule add pref 10 to 10.0.2.3 ipproto tcp dport 53 lookup main\n")
	for _, one := range o.Allow {
		host, port, err := net.SplitHostPort(one)
		if err != nil {
			return "", err
		}
		var found []net.IP
		if ip := net.ParseIP(host); ip != nil {
			found = []net.IP{ip}
		} else if strings.EqualFold(host, a.Host) { // only what is asked for
			if found, err = net.LookupIP(host); err != nil {
				continue // git says it
			}
		}
		for _, ip := range found {
			if v4 := ip.To4(); v4 != nil {
				fmt.Fprintf(&b, "rule add pref 20 to %s ipproto tcp dport %s lookup main\n", v4, port)
			}
		}
	}
	for _, one := range withNeighbours() {
		fmt.Fprintf(&b, "rule add pref 30 to %s prohibit\n", one)
	}
	return b.String(), nil
}

// withNeighbours are the closed networks and this host's own.
func withNeighbours() []netip.Prefix {
	list := closed()
	found, _ := net.InterfaceAddrs() // without them the list of those that are nobody's is left
	for _, n := range found {
		if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().Is4() && !slices.Contains(list, p.Masked()) {
			list = append(list, p.Masked())
		}
	}
	return list
}
