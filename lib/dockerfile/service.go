package dockerfile

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed service/supervise
	superviseFile string
	//go:embed service/init
	initFile string
	//go:embed service/openrc
	openrcFile string
	//go:embed service/logrotate
	logrotateFile string
)

// service writes the calls that make ENTRYPOINT and CMD a service of the init system that the image has.
// Without either in the Dockerfile there is none: a base image's own CMD is a shell. An init system is none either:
// the image boots its own, and a second one ends at once or harms the first.
func (t *translator) service(s *stage) string {
	c := &s.config
	if !c.runs || len(c.argv()) == 0 || isInit(c.argv()) {
		return ""
	}
	signal, timeout := "TERM", 30
	if c.StopSignal != "" {
		signal = signalName(c.StopSignal)
	}
	var health []string
	if h := c.Healthcheck; h != nil && len(h.Test) > 1 {
		health = h.Test[1:]
		if h.Test[0] == "CMD-SHELL" {
			health = append(c.shell(), h.Test[1:]...)
		}
		if h.Timeout > 0 {
			timeout = max(1, int(h.Timeout/time.Second))
		}
	}
	fill := strings.NewReplacer("@SIGNAL@", signal, "@TIMEOUT@", strconv.Itoa(timeout))
	var w strings.Builder
	line := func(format string, args ...string) {
		quoted := make([]any, len(args))
		for i, a := range args {
			quoted[i] = quote(a)
		}
		fmt.Fprintf(&w, format+"\n", quoted...)
	}
	install := func(path, mode, text string) { line("\tinstall_file %s %s %s", path, mode, fill.Replace(text)) }
	program := func(path, text string) {
		line("\tidentify %s %s", c.User, text)
		line("\tinstall_file %s 755 \"$REPLY\"", path)
	}
	line("init_system")
	line("if [[ -n $REPLY ]]; then")
	line("\ttypeset -r init=$REPLY")
	program("/usr/lib/toaster/run", runner(c, volumes(c), c.argv()))
	if health != nil {
		program("/usr/lib/toaster/health", runner(c, "", health))
	}
	install("/etc/logrotate.d/toaster-app", "644", logrotateFile)
	line("\tcase $init in")
	line("\t(sysv)")
	install("/usr/lib/toaster/supervise", "755", superviseFile)
	install("/etc/init.d/toaster-app", "755", initFile)
	line("\tenable_sysv ;;")
	line("\t(openrc)")
	install("/etc/init.d/toaster-app", "755", openrcFile)
	line("\tlink_file /etc/init.d/toaster-app /etc/runlevels/default/toaster-app ;;")
	line("\t(runit)")
	install("/etc/sv/toaster-app/run", "755", "#!/bin/sh\nexec >>/var/log/toaster-app.log 2>&1\nexec /usr/lib/toaster/run\n")
	install("/etc/sv/toaster-app/finish", "755", "#!/bin/sh\n# what ends well is not run again\n[ \"$1\" != 0 ] || exec sv down .\n")
	install("/etc/sv/toaster-app/control/t", "755", "#!/bin/sh\nkill -s @SIGNAL@ \"$(cat supervise/pid)\"\n")
	if health != nil {
		install("/etc/sv/toaster-app/check", "755", "#!/bin/sh\nexec timeout @TIMEOUT@ /usr/lib/toaster/health\n")
	}
	line("\tenable_runit ;;")
	line("\tesac")
	line("fi")
	return w.String()
}

// inits are the programs that boot a system, where Debian, Devuan and busybox have them.
var inits = strings.Fields("/sbin/init /bin/init /usr/sbin/init /usr/bin/init /lib/sysvinit/init /usr/lib/sysvinit/init init " +
	"/lib/systemd/systemd /usr/lib/systemd/systemd /bin/systemd /usr/bin/systemd /sbin/systemd systemd " +
	"/sbin/runit-init /usr/sbin/runit-init runit-init /sbin/runit /usr/sbin/runit runit /sbin/openrc-init /usr/sbin/openrc-init openrc-init")

// isInit tells whether a command is an init system, by itself or as all that a shell is given.
func isInit(argv []string) bool {
	if len(argv) == 3 && argv[1] == "-c" && slices.Contains(shells, path.Base(argv[0])) {
		script := strings.TrimPrefix(strings.TrimSpace(argv[2]), "exec ")
		if strings.ContainsAny(script, ";&|\n") {
			return false
		}
		argv = strings.Fields(script)
	}
	return len(argv) > 0 && (slices.Contains(inits, argv[0]) || path.Base(argv[0]) == "busybox" && len(argv) > 1 && argv[1] == "init")
}

// runner is the part of a program in POSIX sh that becomes argv as the image's user, in its directory, with its variables alone.
func runner(c *config, before string, argv []string) string {
	var w strings.Builder
	w.WriteString(before)
	fmt.Fprintf(&w, "cd %s || exit 1\n", sh(c.WorkingDir))
	home := `"HOME=$home"`
	for _, kv := range c.Env {
		if strings.HasPrefix(kv, "HOME=") {
			home = ""
		}
	}
	w.WriteString("set -- env -i " + home + ` "HOSTNAME=$(hostname)"`)
	for _, kv := range c.Env {
		w.WriteString(" " + sh(kv))
	}
	if strings.Contains(argv[0], "=") || strings.HasPrefix(argv[0], "-") {
		w.WriteString(` sh -c 'exec "$0" "$@"'`)
	}
	for _, a := range argv {
		w.WriteString(" " + sh(a))
	}
	w.WriteString("\n[ \"$uid:$gid\" = 0:0 ] && exec \"$@\"\n" +
		"exec chroot --skip-chdir --userspec=+$uid:+$gid --groups=\"$groups\" / \"$@\"\n")
	return w.String()
}

// volumes makes the folders of VOLUME before the application starts, as a container's runtime does.
func volumes(c *config) string {
	list := make([]string, 0, len(c.Volumes))
	for v := range c.Volumes {
		list = append(list, v)
	}
	sort.Strings(list)
	text := ""
	for _, v := range list {
		text += "[ -d " + sh(v) + " ] || mkdir -p -- " + sh(v) + "\n"
	}
	return text
}

// sh makes one word of POSIX sh.
func sh(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
