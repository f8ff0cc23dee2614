package dockerfile

import (
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func (t *translator) run(s *stage, c command, in *instructions.RunCommand) {
	if !t.runFlags(s, in) {
		return
	}
	args, script, ok := runArgs(in)
	name := path.Base(strings.Join(args, ""))
	if !ok {
		t.failIn(s, c.Location(), "Syntax", "This RUN has a heredoc and a JSON list.", "Use only one of them.")
		return
	}
	if in.PrependShell && (len(in.Files) > 0 || strings.TrimSpace(strings.Join(args, "")) != "") {
		args = append(s.config.shell(), strings.Join(args, " "))
	}
	if len(args) == 0 || args[0] == "" {
		t.failIn(s, c.Location(), "EmptyRun", "RUN has no command.", "Remove the line, or add the command.")
		return
	}
	t.lintRun(s, c, in)
	for _, m := range s.mounts(c, in) {
		if !t.mount(s, c, m) {
			return
		}
	}
	if script != "" {
		s.emit("script", name, script)
	}
	if instructions.GetNetwork(in) == instructions.NetworkNone {
		s.emit("without_network")
	}
	s.emit("run", append([]string{s.config.User, path.Clean(s.config.WorkingDir)}, args...)...)
}

// runArgs does with heredocs what BuildKit does: a single one is the command, or a program if it begins with #!;
// others go to the shell as they were written.
func runArgs(in *instructions.RunCommand) (args []string, script string, ok bool) {
	args = in.CmdLine
	if len(in.Files) == 0 {
		return args, "", true
	}
	if len(args) != 1 || !in.PrependShell {
		return nil, "", false
	}
	if parser.MustParseHeredoc(args[0]) == nil {
		var b strings.Builder
		b.WriteString(args[0])
		for _, f := range in.Files {
			b.WriteString("\n" + f.Data + f.Name)
		}
		return []string{b.String()}, "", true
	}
	data := in.Files[0].Data
	if in.Files[0].Chomp {
		data = parser.ChompHeredocContent(data)
	}
	if strings.HasPrefix(data, "#!") {
		return []string{path.Join("/dev/pipes", in.Files[0].Name)}, data, true
	}
	return []string{data}, "", true
}

// runFlags refuses what the sandbox does not give.
func (t *translator) runFlags(s *stage, in *instructions.RunCommand) bool {
	if instructions.GetNetwork(in) == instructions.NetworkHost {
		t.failIn(s, in.Location(), "RunNetwork",
			"RUN --network=host is not allowed here: builds can't use the network of the build host.",
			"Remove the flag: RUN can reach the internet without it.")
		return false
	}
	if instructions.GetSecurity(in) == instructions.SecurityInsecure {
		t.failIn(s, in.Location(), "RunSecurity", "RUN --security=insecure is not allowed here.",
			"Run commands that need full privileges when the image is running.")
		return false
	}
	for _, f := range in.FlagsUsed {
		if f == "device" {
			t.failIn(s, in.Location(), "RunDevice", "RUN --device is not supported here: builds have no access to devices.",
				"Run commands that need the device when the image is running.")
			return false
		}
	}
	return true
}

// proxies are the variables that a build argument such as http_proxy gives to each RUN, and to nothing else.
// https://docs.docker.com/reference/dockerfile/#predefined-args
func proxies(buildArgs map[string]string) (list []string) {
	for k, v := range buildArgs {
		switch strings.ToLower(k) {
		case "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy":
			list = append(list, strings.ToUpper(k)+"="+v, strings.ToLower(k)+"="+v)
		}
	}
	sort.Strings(list)
	return list
}

// mounting is a RUN --mount.
type mounting struct {
	*instructions.Mount
	stage *stage // from=; nil: none, or no stage
	at    string // the target, absolute and clean
}

// mounts lists the mounts in the order of their targets, as BuildKit mounts them: a folder before what is inside of it.
func (s *stage) mounts(c command, in *instructions.RunCommand) (list []mounting) {
	agents := 0
	for i, m := range instructions.GetMounts(in) {
		at := m.Target
		if m.Type == instructions.MountTypeSecret || m.Type == instructions.MountTypeSSH {
			at = secretTarget(m, agents)
		}
		if m.Type == instructions.MountTypeSSH {
			agents++
		}
		if !path.IsAbs(at) {
			at = path.Join("/", s.config.WorkingDir, at)
		}
		list = append(list, mounting{m, c.mounts[i], path.Clean(at)})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].at < list[j].at })
	return list
}

// mount prepares a mount.
func (t *translator) mount(s *stage, c command, m mounting) bool {
	target, from := m.at, m.stage
	mode := map[bool]string{true: "ro", false: "rw"}[m.ReadOnly]
	switch {
	case target == "/":
		t.failIn(s, c.Location(), "Syntax", "--mount needs a target other than /.",
			"Write target=/path. A relative path, or none, is below WORKDIR.")
	case m.From != "" && m.From != "scratch" && from == nil: // reported already
	case target == "/proc" || target == "/sys" || target == "/dev" || strings.HasPrefix(target, "/proc/"):
		t.failIn(s, c.Location(), "RunMountTarget", "--mount on %s is not possible.", "Choose another target.", target)
	case m.Type == instructions.MountTypeSecret || m.Type == instructions.MountTypeSSH:
		return t.secret(s, c, m)
	case m.Type == instructions.MountTypeTmpfs:
		size := ""
		if m.SizeLimit > 0 {
			size = strconv.FormatInt(m.SizeLimit, 10)
		}
		s.emit("memory", target, size)
		return true
	case m.Type == instructions.MountTypeCache:
		s.cache(m, mode)
		return true
	case from != nil:
		s.body.WriteString("bind " + from.root() + " " + words(path.Join("/", m.Source), target, mode) + "\n")
		return true
	case m.From == "scratch":
		t.failIn(s, c.Location(), "Syntax", "--mount=from=scratch has nothing to mount.", "Use type=tmpfs.")
	default:
		return t.bindContext(s, c, m, mode)
	}
	return false
}

func (s *stage) cache(m mounting, access string) {
	id, mode, uid, gid := m.CacheID, uint64(0o755), uint64(0), uint64(0)
	if id == "" {
		id = path.Clean(m.Target) // as it is written: two WORKDIRs share the cache of a relative one
	}
	if m.Mode != nil {
		mode = *m.Mode
	}
	if m.UID != nil {
		uid = *m.UID
	}
	if m.GID != nil {
		gid = *m.GID
	}
	switch { // what a cache begins with is part of what it is known by
	case m.stage != nil:
		id += fmt.Sprintf("\x00%d %s", m.stage.index, path.Join("/", m.Source))
	case m.UID != nil || m.GID != nil || m.Mode != nil:
		id += fmt.Sprintf("\x00%d:%d %o", uid, gid, mode)
	}
	line := "cache " + words(hash([]byte(id))[:32], m.at, access, strconv.FormatUint(mode&0o7777, 8),
		fmt.Sprintf("%d:%d", uid, gid))
	if m.stage != nil {
		line += " " + m.stage.root() + " " + quote(path.Join("/", m.Source))
	}
	s.body.WriteString(line + "\n")
}

func (t *translator) bindContext(s *stage, c command, m mounting, mode string) bool {
	at, e, via := t.find(m.Source, true)
	if e == nil {
		t.failIn(s, c.Location(), "MissingSource", "--mount: %s is not in the build context.", "%s", show(m.Source),
			t.missingAdvice(m.Source))
		return false
	}
	if s.needed {
		t.want(at, via)
	}
	s.body.WriteString("bind $CONTEXT " + words(path.Join("/", m.Source), m.at, mode) + "\n")
	return true
}
