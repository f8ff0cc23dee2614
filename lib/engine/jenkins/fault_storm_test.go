package jenkins_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/store"
)

// In the storm time goes faster, so that what waits for 15 s waits for less.
const (
	speed  = 8
	length = 5 * time.Second
)

// Several programs at once start builds, look at pages and sync, while the controller restarts, crashes, fails and
// loses answers. Afterwards every build that was asked for has had exactly one build in Jenkins.
func TestAStorm(t *testing.T) {
	for name, crashes := range map[string]bool{"restarts": false, "crashes": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			begin := time.Now()
			h.Now = func() time.Time { return begin.Add(speed * time.Since(begin)).UTC() }
			h.engine.script = "sleep 0.02"
			jobs := []*store.Job{h.add(), h.add(), h.add()}
			stop := make(chan struct{})
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { h.program(jobs, stop) })
			}
			h.trouble(length, crashes)
			close(stop)
			all.Wait()
			h.rests()
			for _, job := range jobs {
				h.accounted(job)
			}
		})
	}
}

// program does what CGI programs and cron do, until stop.
func (h *fixture) program(jobs []*store.Job, stop chan struct{}) {
	engine := engineOn(h.T, h.controller, patient, func(o *jenkins.Options) { o.Call = 200 * time.Millisecond })
	s := service(h.T, openDB(h.T, h.database), &scripted{ran: h.engine.ran, script: h.engine.script, Engine: engine})
	s.Now = h.Now
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
		}
		switch job := jobs[rand.IntN(len(jobs))]; rand.IntN(4) {
		case 0:
			s.Start(h.Context(), h.ann.ID, job.ID, nil)
		case 1:
			s.Job(h.Context(), h.ann.ID, job.ID)
		default:
			s.Reconcile(h.Context())
		}
	}
}

// trouble lets the controller fail in one way after the other.
func (h *fixture) trouble(length time.Duration, crashes bool) {
	lose := []func(method, pattern string){h.controller.DropAnswer, h.controller.DropRequest, h.controller.Fail}
	away := []func(){h.controller.Hang, h.controller.HalfJSON, h.controller.Unavailable, h.controller.Unauthorised,
		h.controller.Down, func() {}, func() {}}
	for end := time.Now().Add(length); time.Now().Before(end); {
		lose[rand.IntN(len(lose))]("POST", "/(build|createItem|config.xml)$")
		switch n := rand.IntN(10); {
		case n == 0:
			h.controller.Restart()
		case n == 1 && crashes:
			h.controller.Kill()
			h.controller.StartAgain()
		default:
			away[rand.IntN(len(away))]()
		}
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		h.well()
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	}
}

// rests lets cron sync until there is nothing left to do, at the clock's own pace.
func (h *fixture) rests() {
	h.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		jobs, err := h.Reconcile(h.Context())
		if err == nil && jobs == 0 {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("sync has still %d jobs to do: %v", jobs, err)
		}
	}
}

// accounted checks that each of a job's builds has its own build in Jenkins, and that there are no others but those
// that a crash took.
func (h *fixture) accounted(job *store.Job) {
	h.Helper()
	builds, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	var words []string
	ours := map[int]bool{}
	for _, b := range builds {
		words = append(words, fmt.Sprintf("%d is %d %s", b.Number, b.EngineNumber, b.State))
		if b.State != store.Succeeded && b.State != store.Failed && b.State != store.Lost || b.EngineNumber == 0 ||
			ours[b.EngineNumber] {
			h.Errorf("build %d is %s and number %d in Jenkins: %s", b.Number, b.State, b.EngineNumber, b.Reason)
		}
		ours[b.EngineNumber] = true
	}
	all, err := h.engine.Status(h.Context(), job.EngineName)
	if err != nil {
		h.Fatal(err)
	}
	for _, b := range all[job.EngineName].Builds {
		if !ours[b.Number] {
			h.Errorf("build %d in Jenkins is nobody's; ours: %v", b.Number, words)
		}
	}
}
