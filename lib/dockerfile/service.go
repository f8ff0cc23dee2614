package dockerfile

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

var (
	//go:embed service/supervise
	superviseFile string
	//go:embed service/init
	initFile string
	//go:embed service/openrc
	openrcFile string
	//go:embed service/runit
	runitFile string
	//go:embed service/logrotate
	logrotateFile string
	//go:embed service/default
	defaultFile string
	//go:embed service/environment.sh
	environmentSh string
)

// service writes the calls that make ENTRYPOINT and CMD a service of the init system that the image has.
// Without either in the Dockerfile there is none: a base image's own CMD is a shell. An init system is none either:
// the image boots its own, and a second one ends at once or harms the first.
func (t *translator) service(s *stage) string {
	c := &s.config
	if !c.runs || len(c.argv()) == 0 || isInit(c.argv()) {
		return ""
	}
	var w strings.Builder
	line := func(function string, args ...string) { w.WriteString(function + " " + words(args...) + "\n") }
	runner, before := runner, volumes(c)
	if t.form == FormAppliance {
		runner, before = applianceRunner, applianceMounts+applianceVolumes(c)
		line("service_text", "shell", runner(c, before, c.shell()[:1]))
	}
	line("service_text", "run", runner(c, before, c.argv()))
	if h := c.Healthcheck; h != nil && len(h.Test) > 1 {
		argv := h.Test[1:]
		if h.Test[0] == "CMD-SHELL" {
			argv = append(c.shell(), argv...)
		}
		line("service_text", "health", runner(c, "", argv))
	}
	settings := settings(c)
	if t.form == FormAppliance {
		settings += "appliance=1\n"
	}
	line("service_text", "settings", settings)
	for _, f := range []struct{ name, text string }{{"supervise", superviseFile}, {"sysv", initFile},
		{"openrc", openrcFile}, {"runit", runitFile}, {"logrotate", logrotateFile}, {"default", defaultFile}} {
		line("service_text", f.name, f.text)
	}
	path, _ := s.env.Get("PATH")
	line("service_command", append([]string{path, c.WorkingDir}, c.argv()...)...)
	if keep := t.keptServices(s); len(keep) > 0 {
		line("service_keep", keep...)
	}
	if len(t.source.Environment) > 0 {
		line("service_environment", t.source.Environment...)
	}
	line("application", c.User)
	return w.String()
}

// settings are what the supervisor reads, but for the user. Times are in seconds.
func settings(c *config) string {
	var w strings.Builder
	w.WriteString("# How /usr/lib/toaster/supervise runs the application; times are in seconds. Made by toaster.\n")
	signal := "TERM"
	if c.StopSignal != "" {
		signal = signalName(c.StopSignal)
	}
	stop := 10
	if n, err := strconv.Atoi(c.Labels[stopTimeoutLabel]); err == nil && n >= 0 && n <= 3600 {
		stop = n
	}
	fmt.Fprintf(&w, "signal=%s\nstop_timeout=%d\n", signal, stop)
	if h := c.Healthcheck; h != nil && len(h.Test) > 1 {
		for _, f := range []struct {
			name string
			have time.Duration
			none int
		}{{"interval", h.Interval, 30}, {"timeout", h.Timeout, 30}, {"start_period", h.StartPeriod, 0},
			{"start_interval", h.StartInterval, 5}} {
			seconds := f.none
			if f.have > 0 {
				seconds = max(1, int((f.have+time.Second-1)/time.Second))
			}
			fmt.Fprintf(&w, "health_%s=%d\n", f.name, seconds)
		}
		retries := 3
		if h.Retries > 0 {
			retries = h.Retries
		}
		fmt.Fprintf(&w, "health_retries=%d\n", retries)
	}
	return w.String()
}

// Labels that tell toaster how the application is to run.
const (
	servicesLabel    = "toaster.services"     // what packages start at boot besides the application
	stopTimeoutLabel = "toaster.stop-timeout" // seconds between STOPSIGNAL and KILL
)

var enablesService = lazy(`\b(?:update-rc\.d\s+(?:-f\s+)?([A-Za-z0-9_.+@-]+)\s+(?:defaults|enable)|` +
	`rc-update\s+(?:-?a|add)\s+([A-Za-z0-9_.+@-]+))`)

// keptServices are those that the Dockerfile itself wants to be started at boot: in the label, or by a RUN that does
// nothing else for a container.
func (t *translator) keptServices(s *stage) []string {
	keep := map[string]struct{}{}
	between := func(r rune) bool { return r == ',' || r <= ' ' }
	for _, name := range strings.FieldsFunc(s.config.Labels[servicesLabel], between) {
		keep[name] = struct{}{}
	}
	for b := s; b != nil; b = b.base {
		for _, c := range b.commands {
			in, ok := c.Command.(*instructions.RunCommand)
			if !ok {
				continue
			}
			for _, m := range enablesService().FindAllStringSubmatch(runText(in), -1) {
				keep[m[1]+m[2]] = struct{}{}
			}
		}
	}
	return sortedKeys(keep)
}

// inits are the programs that boot a system, where Debian, Devuan and busybox have them.
var inits = strings.Fields("/sbin/init /bin/init /usr/sbin/init /usr/bin/init /lib/sysvinit/init " +
	"/usr/lib/sysvinit/init init " +
	"/lib/systemd/systemd /usr/lib/systemd/systemd /bin/systemd /usr/bin/systemd /sbin/systemd systemd " +
	"/sbin/runit-init /usr/sbin/runit-init runit-init /sbin/runit /usr/sbin/runit runit /sbin/openrc-init " +
	"/usr/sbin/openrc-init openrc-init")

// isInit tells whether a command is an init system, by itself or as all that a shell is given.
func isInit(argv []string) bool {
	if len(argv) == 3 && argv[1] == "-c" && slices.Contains(shells, path.Base(argv[0])) {
		script := strings.TrimPrefix(strings.TrimSpace(argv[2]), "exec ")
		if strings.ContainsAny(script, ";&|\n") {
			return false
		}
		argv = strings.Fields(script)
	}
	return len(argv) > 0 && (slices.Contains(inits, argv[0]) || path.Base(argv[0]) == "busybox" && len(argv) > 1 &&
		argv[1] == "init")
}

// runner is the part of a program in POSIX sh that becomes argv as the image's user, in its directory, with its
// variables alone: those of ENV, then those of /etc/default/toaster-app, as "docker run --env-file" reads them.
func runner(c *config, before string, argv []string) string {
	var w strings.Builder
	w.WriteString(before)
	fmt.Fprintf(&w, "cd %s || exit 1\n", sh(c.WorkingDir))
	w.WriteString(variables(c) + "set -- \"$@\"")
	if strings.Contains(argv[0], "=") || strings.HasPrefix(argv[0], "-") {
		w.WriteString(` sh -c 'exec "$0" "$@"'`)
	}
	for _, a := range argv {
		w.WriteString(" " + sh(a))
	}
	w.WriteString("\n[ \"$uid:$gid\" = 0:0 ] && [ -z \"$groups\" ] && exec \"$@\"\n" +
		"exec chroot --skip-chdir --userspec=+$uid:+$gid --groups=\"$groups\" / \"$@\"\n")
	return w.String()
}

// variables is the part of it that begins the command: env, with its variables.
func variables(c *config) string {
	var w strings.Builder
	w.WriteString(`set -- env -i "HOME=$home" "HOSTNAME=$(hostname)"`)
	for _, kv := range c.Env {
		w.WriteString(" " + sh(kv))
	}
	return w.String() + "\n" + environmentSh
}

// volumes makes the folders of VOLUME before the application starts, as a container's runtime does.
func volumes(c *config) string {
	text := ""
	for _, v := range sortedKeys(c.Volumes) {
		text += "[ -d " + sh(v) + " ] || mkdir -p -- " + sh(v) + "\n"
	}
	return text
}

// sh makes one word of POSIX sh.
func sh(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
