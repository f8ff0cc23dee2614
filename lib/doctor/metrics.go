package doctor

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/store"
)

// Metrics writes the report for Prometheus (text format 0.0.4).
func (r *Report) Metrics() []byte {
	m := &metrics{}
	m.gauge("toaster_info", "The running version.", sample{labels{"version", r.Version}, 1})
	m.gauge("toaster_people", "Users by state.", by("state", r.Stats.Users, store.UserStates)...)
	m.gauge("toaster_jobs", "Jobs.", one(float64(r.Stats.Jobs)))
	m.gauge("toaster_builds", "Builds by state.", by("state", r.Stats.Builds, store.BuildStates)...)
	m.gauge("toaster_builds_day", "Builds queued in the last 24 hours, by state.",
		by("state", r.Stats.Day, store.BuildStates)...)
	m.gauge("toaster_queue_oldest_seconds", "Age of the oldest queued build.", one(r.since(r.Stats.Waiting)))
	m.gauge("toaster_artifact_bytes", "Size of all artifacts.", one(float64(r.Stats.Bytes)))
	m.gauge("toaster_sessions", "Sessions used in the last hour.", one(float64(r.Stats.Sessions)))
	m.gauge("toaster_tokens", "API tokens.", one(float64(r.Stats.Tokens)))
	m.engine(r)
	m.gauge("toaster_mail_waiting", "Queued emails.", one(float64(r.Mail.Waiting)))
	m.gauge("toaster_mail_failing", "Emails that failed at least once.", one(float64(r.Mail.Failing)))
	m.gauge("toaster_mail_oldest_seconds", "Age of the oldest queued email.", one(r.since(r.Mail.Oldest)))
	if !r.Sync.IsZero() {
		m.gauge("toaster_sync_timestamp_seconds", "Time of the last sync, in Unix time.", one(float64(r.Sync.Unix())))
	}
	m.gauge("toaster_database_bytes", "Size of the database.", one(float64(r.Database)))
	var free, total []sample
	for _, d := range r.Disks {
		free = append(free, sample{labels{"use", string(d.Use)}, float64(d.Free)})
		total = append(total, sample{labels{"use", string(d.Use)}, float64(d.Total)})
	}
	m.gauge("toaster_disk_free_bytes", "Free space for unprivileged users.", free...)
	m.gauge("toaster_disk_bytes", "Size of the file system.", total...)
	var checks []sample
	for _, c := range r.Checks() {
		checks = append(checks, sample{labels{"check", c.Name}, truth(c.Result().OK())})
	}
	m.gauge("toaster_check_ok", "Whether a check of the installation passed.", checks...)
	return m.Bytes()
}

func (m *metrics) engine(r *Report) {
	m.gauge("toaster_engine_up", "Whether the build service is reachable.", one(truth(r.Engine.Reachable)))
	m.gauge("toaster_engine_queue", "Builds in the queue of the build service.", one(float64(r.Engine.Queue)))
	var slots []sample
	for _, s := range r.Engine.Slots {
		for _, v := range []struct {
			kind string
			n    int
		}{{"total", s.Total}, {"online", s.Online}, {"busy", s.Busy}} {
			slots = append(slots, sample{labels{"label", s.Label, "kind", v.kind}, float64(v.n)})
		}
	}
	m.gauge("toaster_engine_slots", "Concurrent builds of the build service, by label of its agents.", slots...)
}

// since is how long ago a moment was, in seconds; 0 for none.
func (r *Report) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, r.At.Sub(t).Seconds())
}

type metrics struct{ bytes.Buffer }

type sample struct {
	labels labels
	value  float64
}

// labels are names and values in turn.
type labels []string

func one(v float64) sample { return sample{value: v} }

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// by gives each name its sample.
func by[S ~string](label string, counts map[S]int, names []S) (list []sample) {
	for _, name := range names {
		list = append(list, sample{labels{label, string(name)}, float64(counts[name])})
	}
	return list
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (m *metrics) gauge(name, help string, samples ...sample) {
	if len(samples) == 0 {
		return
	}
	fmt.Fprintf(m, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	for _, s := range samples {
		m.WriteString(name)
		for i := 0; i < len(s.labels); i += 2 {
			sep := ","
			if i == 0 {
				sep = "{"
			}
			fmt.Fprintf(m, `%s%s="%s"`, sep, s.labels[i], escape.Replace(s.labels[i+1]))
		}
		if len(s.labels) > 0 {
			m.WriteString("}")
		}
		m.WriteString(" " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n")
	}
}
