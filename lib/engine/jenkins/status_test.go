package jenkins

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// jobs answers with n jobs, job0 and so on, and counts what it is asked.
func jobs(n int, asked *atomic.Int32) http.HandlerFunc {
	type object = map[string]any
	var list []object
	for i := range n {
		name := fmt.Sprintf("job%d", i)
		j := object{
			"_class": "hudson.model.FreeStyleProject", "name": name, "fullName": name, "description": mark(name),
			"disabled":        i%2 == 1,
			"labelExpression": "amd64", "queueItem": nil, "lastBuild": object{"number": 7, "estimatedDuration": 9000},
		}
		var builds []object
		for k := range engine.RecentBuilds {
			builds = append(builds, object{
				"_class": "hudson.model.FreeStyleBuild", "number": 7 - k, "queueId": 100*i + 7 - k, "building": k == 0,
				"result":    []any{nil, "SUCCESS", "FAILURE", "ABORTED", "UNSTABLE"}[k],
				"timestamp": 1795404334777, "duration": 20125,
			})
		}
		if i == 0 {
			j["queueItem"] = object{"id": 5, "why": "In the quiet period. Expires in 4.7 sec", "inQueueSince": 1795404334777,
				"blocked": false}
		}
		j["builds"] = builds
		list = append(list, j)
	}
	answer, err := json.Marshal(object{"_class": "hudson.model.ListView", "jobs": list})
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if err != nil || !strings.HasPrefix(r.URL.Path, "/view/web-sdk-builds/") {
			page(404, "Not Found")(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Write(answer)
	}
}

func TestTheStatusOfAThousandJobsIsOneRequest(t *testing.T) {
	var asked atomic.Int32
	e := serve(t, jobs(1000, &asked))
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("job%d", i))
	}
	all, err := e.Status(t.Context(), names...)
	if err != nil || len(all) != 1000 || asked.Load() != 1 {
		t.Fatalf("%d jobs, %v, %d requests", len(all), err, asked.Load())
	}
	s := all["job0"]
	if !s.Enabled || all["job1"].Enabled || s.Waiting.Ticket != "5" || s.Waiting.Position != 1 ||
		s.Waiting.Reason.String() != "starts soon" {
		t.Errorf("%+v, waiting %+v", s, s.Waiting)
	}
	began := time.UnixMilli(1795404334777).UTC()
	for i, want := range []engine.BuildStatus{
		{Number: 7, Ticket: "7", State: engine.Running, StartedAt: began, Expected: 9 * time.Second},
		{Number: 6, Ticket: "6", State: engine.Succeeded, StartedAt: began, EndedAt: began.Add(20125 * time.Millisecond)},
		{Number: 5, Ticket: "5", State: engine.Lost, Reason: i18n.T(endedByJenkins), StartedAt: began,
			EndedAt: began.Add(20125 * time.Millisecond)},
		{Number: 4, Ticket: "4", State: engine.Aborted, StartedAt: began, EndedAt: began.Add(20125 * time.Millisecond)},
		{Number: 3, Ticket: "3", State: engine.Failed, StartedAt: began, EndedAt: began.Add(20125 * time.Millisecond)},
	} {
		if s.Builds[i] != want {
			t.Errorf("%+v, want %+v", s.Builds[i], want)
		}
	}
}

func TestWhyAStartWaits(t *testing.T) {
	for why, want := range map[string]string{
		"In the quiet period. Expires in 4.7 sec":                 "starts soon",
		"Build #12 is already in progress (ETA: 3 min)":           "waits for build 12 of this job",
		"Waiting for next available executor":                     "waits for an agent with label arm64: all are busy",
		"Waiting for next available executor on ‘arm64’":          "waits for an agent with label arm64: all are busy",
		"‘Jenkins’ doesn’t have label ‘arm64’":                    "waits for an agent with label arm64: none is online",
		"There are no nodes with the label ‘arm64’":               "waits for an agent with label arm64: none is online",
		"All nodes of label ‘arm64’ are offline":                  "waits for an agent with label arm64: none is online",
		"‘agent1’ is offline":                                     "waits for an agent with label arm64: none is online",
		"‘Jenkins’ doesn’t have label ‘arm64’; ‘arm1’ is offline": "waits for an agent with label arm64: none is online",
		"Jenkins is about to shut down":                           "waits for the build service to restart",
		"Something of\na plugin":                                  "waits: Something of a plugin",
		"":                                                        "starts soon",
	} {
		if got := waitingReason(&queueItem{Why: why}, "arm64"); got.String() != want {
			t.Errorf("%q: %q, want %q", why, got, want)
		}
	}
	if got := waitingReason(&queueItem{Why: "Waiting for next available executor"},
		""); got.String() != "waits for an agent: all are busy" {
		t.Errorf("without a label: %q", got)
	}
}

func BenchmarkStatusOf1000Jobs(b *testing.B) {
	var asked atomic.Int32
	e := serve(b, jobs(1000, &asked))
	b.ReportAllocs()
	for b.Loop() {
		if all, err := e.Status(b.Context(), "job1", "job2"); err != nil || len(all) != 2 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(asked.Load())/float64(b.N), "requests/op")
}
