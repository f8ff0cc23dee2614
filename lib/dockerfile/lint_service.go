package dockerfile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// daemonPackages start a service when a system boots. The list is for a finding only: the build looks at what is there.
var daemonPackages = strings.Fields("nginx nginx-light nginx-full nginx-extras nginx-core apache2 lighttpd haproxy " +
	"varnish squid tor mariadb-server default-mysql-server mysql-server postgresql redis redis-server memcached " +
	"rabbitmq-server " +
	"mosquitto " +
	"postfix exim4 dovecot-imapd dovecot-pop3d openssh-server cron rsyslog supervisor runit-services bind9 dnsmasq " +
	"vsftpd proftpd proftpd-basic pure-ftpd samba nfs-kernel-server cups slapd nslcd php-fpm tomcat9 tomcat10 jenkins " +
	"prometheus prometheus-node-exporter grafana influxdb docker.io avahi-daemon fail2ban isc-dhcp-server openvpn")

// lintServices tells of the packages whose services the command stands for.
func (t *translator) lintServices(s *stage) {
	keep := t.keptServices(s)
	if slices.Contains(keep, "all") {
		return
	}
	for b := s; b != nil; b = b.base {
		for _, c := range b.commands {
			in, ok := c.Command.(*instructions.RunCommand)
			if !ok {
				continue
			}
			var found []string
			for _, word := range shellWords(strings.Join(apt(runText(in), "install"), "\n")) {
				if slices.Contains(daemonPackages, word) && !slices.Contains(found, word) {
					found = append(found, word)
				}
			}
			if len(found) > 0 {
				t.warn(c.Location(), Note, "ServicesLeftOut",
					"The services of these packages don't start at boot, because the command runs alone, as in a container: %s.",
					"Nothing, if the command starts the services that it needs. Otherwise name the services to start: LABEL "+
						"toaster.services=\"…\". The log of the build lists them.",
					strings.Join(found, ", "))
			}
		}
	}
}

func (t *translator) lintServiceLabels(s *stage) {
	text, ok := s.config.Labels[stopTimeoutLabel]
	if !ok {
		return
	}
	if n, err := strconv.Atoi(text); err != nil || n < 0 || n > 3600 {
		t.warn(s.in.Location, Warning, "ServiceLabel",
			"LABEL toaster.stop-timeout is not a number of seconds up to 3600, and is ignored.",
			"Write the number of seconds between STOPSIGNAL and KILL, such as 30.")
	}
}

var (
	readsVariable = lazy(`\$(?:([A-Z][A-Z0-9_]{2,})\b|\{([A-Z][A-Z0-9_]{2,})(:?\?[^}]*|)\})`)
	setsVariable  = lazy(`(?:\b(?:read|for|local|declare|typeset|export|unset|getopts)\b[^;&|\n]*?|^|[\s;&|({])` +
		`([A-Z][A-Z0-9_]{2,})\b(?:\+?=|\s+in\b|\s*$|[\s;])`)
	handled = lazy(`\$\{[!#]?([A-Z][A-Z0-9_]{2,})(?:\[[^]]*\])?:?[-+=%#/^,:]`)
)

// shellVariables are set by a shell, or by what runs the application.
var shellVariables = strings.Fields("HOME PATH PWD OLDPWD HOSTNAME USER LOGNAME UID EUID GROUPS RANDOM SECONDS LINENO " +
	"PPID IFS OPTARG OPTIND BASH BASHPID BASH_SOURCE BASH_VERSION FUNCNAME SHELL SHLVL TERM LANG LC_ALL TZ REPLY " +
	"PIPESTATUS DIRSTACK HOSTTYPE OSTYPE MACHTYPE EPOCHSECONDS COLUMNS LINES")

// lintVariables looks in the entry point's script for variables that it reads, without a default, and nobody sets.
func (t *translator) lintVariables(s *stage, argv []string) {
	name, script := t.copiedScript(s, argv)
	if script == "" || !t.spend(len(script)/4) {
		return
	}
	set := slices.Clone(shellVariables)
	for _, kv := range slices.Concat(s.config.Env, t.source.Environment) {
		key, _, _ := strings.Cut(kv, "=")
		set = append(set, key)
	}
	var code []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			code = append(code, line)
		}
	}
	for _, line := range code {
		for _, m := range slices.Concat(setsVariable().FindAllStringSubmatch(line, -1),
			handled().FindAllStringSubmatch(line, -1)) {
			set = append(set, m[1])
		}
	}
	var missing []string
	for _, m := range readsVariable().FindAllStringSubmatch(strings.Join(code, "\n"), -1) {
		if v := m[1] + m[2]; !slices.Contains(set, v) && !slices.Contains(missing, v) {
			missing = append(missing, v)
		}
	}
	if len(missing) == 0 {
		return
	}
	loc := s.cmd.loc
	if s.entrypoint.set {
		loc = s.entrypoint.loc
	}
	t.warn(loc, Note, "EntrypointVariables", "%s uses variables that are not set: %s.",
		"Set them in the runtime environment of the job, as with docker run -e, or in /etc/default/toaster-app in the image.",
		show(name), strings.Join(missing[:min(8, len(missing))], ", "))
}

// copiedScript finds the shell script that a command begins with in the build context, by its name.
func (t *translator) copiedScript(s *stage, argv []string) (name, text string) {
	name = path.Base(argv[0])
	if t.source.Context == nil || name == "/" || name == "." {
		return "", ""
	}
	for b := s; b != nil; b = b.base {
		for _, c := range b.commands {
			in, ok := c.Command.(*instructions.CopyCommand)
			if !ok || in.From != "" {
				continue
			}
			for _, src := range in.SourcePaths {
				_, e, _ := t.find(src, true)
				if e != nil && e.kind == dir {
					_, e, _ = t.find(path.Join(src, name), true)
				} else if path.Base(src) != name && path.Base(in.DestPath) != name {
					continue
				}
				if e == nil || e.kind != file || e.size >= 64<<10 {
					continue
				}
				if text := string(t.files.read(e)); isShellScript(text) {
					return name, text
				}
			}
		}
	}
	return "", ""
}

func isShellScript(text string) bool {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	return strings.HasPrefix(line, "#!") && len(words) > 0 &&
		slices.ContainsFunc(words[:min(2, len(words))], func(w string) bool {
			return slices.Contains([]string{"sh", "bash", "dash", "ash"}, path.Base(w))
		})
}
