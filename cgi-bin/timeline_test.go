package cgibin

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestATimelineSaysHowLongEachPartTook: the times are those that the build has put down, and the page names them.
func TestATimelineSaysHowLongEachPartTook(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	s.run(c, id, 1, `echo TOASTER-PHASE prepare 1700000000.250; echo TOASTER-CACHED
echo TOASTER-PHASE step 1700000002.000; echo TOASTER-STEP 1/2 2 COPY hello.txt /srv/; printf 'no end'; printf '\nTOASTER-STEP 1/99 1 again\n'
echo TOASTER-PHASE step 1700000065.500; echo TOASTER-STEP 2/2 3 RUN echo hello
echo TOASTER-PHASE pack 1700000065.750; echo toaster: packing the image
echo TOASTER-PHASE end 1700000060.000; mkdir dist; echo x >dist/image`)
	answer := c.get("/jobs/" + id + "/builds/1").json(t)
	want := `[map[cached:true name:prepare seconds:1.75 state:succeeded]` +
		` map[cached:false instruction:COPY hello.txt /srv/ line:2 name:step seconds:63.5 state:succeeded step:1]` +
		` map[cached:false instruction:RUN echo hello line:3 name:step seconds:0.25 state:succeeded step:2]` +
		` map[cached:false name:pack seconds:0 state:succeeded]]`
	if got := fmt.Sprint(answer["timeline"]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if answer["step"] != 2.0 || answer["stopping"] != false || answer["queue_place"] != 0.0 {
		t.Error(answer)
	}
	all := c.get("/jobs/" + id).json(t)["builds"].([]any)
	if got := fmt.Sprint(all[0].(map[string]any)["timeline"]); got != want {
		t.Errorf("with the job: %s", got)
	}
	page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
	for _, want := range []string{"Timeline", `Preparation (cached)<span class="took">`,
		`<code>COPY hello.txt /srv/</code>`, "Packing the image"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	if strings.Contains(page, "TOASTER-PHASE") || strings.Contains(page, "TOASTER-CACHED") {
		t.Error("the page shows marks")
	}
}

// TestABootCheckIsAPhase of its own, and what failed in it is no step of the Dockerfile.
func TestABootCheckIsAPhase(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	s.run(c, id, 1, `echo TOASTER-PHASE prepare 1700000000.000
echo TOASTER-PHASE step 1700000002.000; echo TOASTER-STEP 1/1 2 RUN true
echo TOASTER-PHASE pack 1700000003.000; echo toaster: packing the image
echo TOASTER-PHASE check 1700000005.000; echo booting
echo TOASTER-PHASE end 1700000009.000; echo 'toaster: failed: the image does not boot.'; exit 1`)
	answer := c.get("/jobs/" + id + "/builds/1").json(t)
	if got := fmt.Sprint(answer["timeline"]); !strings.HasSuffix(got,
		`map[cached:false name:check seconds:4 state:failed]]`) {
		t.Error(got)
	}
	if f := answer["failure"].(map[string]any); f["step"] != nil || f["exit_code"] != nil || f["output"] != "booting" {
		t.Error(f)
	}
	page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
	if _, check, ok := strings.Cut(page, "<h3>Boot test"); !ok || !strings.Contains(check, "booting") {
		t.Error(page)
	}
}

// TestABuildInTheQueueSaysItsPlace: in JSON as on the page.
func TestABuildInTheQueueSaysItsPlace(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	first, second := c.addJob("start", "1"), c.addJob("start", "1")
	for id, want := range map[string]float64{first: 1, second: 2} {
		b := c.get("/jobs/" + id + "/builds/1").json(t)
		if b["state"] != "queued" || b["queue_place"] != want || b["failure"] != nil || b["reason"] == "" {
			t.Errorf("%v, want place %v", b, want)
		}
		for _, path := range []string{"/jobs/" + id, "/jobs/" + id + "/builds/1"} {
			if page := s.browser(ada).get(path).body; !strings.Contains(page, `<p class="reason">`+b["reason"].(string)) {
				t.Errorf("%s doesn't say %q: %s", path, b["reason"], page)
			}
		}
	}
}

// TestARunningBuildSaysWhatItDoes: while the image is prepared or packed no step is named that doesn't run, and a
// clock runs.
func TestARunningBuildSaysWhatItDoes(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, "write")).addJob("start", "1")
	now := time.Now().UnixMilli()
	s.sql("UPDATE job SET seen_at = ?", now+50_000) // the engine was just asked
	s.sql("UPDATE build SET state = 'running', engine_number = 1, started_at = ?", now-130_000)
	s.sql("INSERT INTO scan (job_id, build, state) VALUES (?, 1, ?)", id, []byte("{}"))
	prepare := `{"name":"prepare","at":"2023-11-14T22:13:20Z"}`
	step := `,{"name":"step","step":3,"line":4,"text":"RUN x","at":"2023-11-14T22:14:20Z"}`
	for _, c := range []struct {
		phase, phases string
		step          int
		want          []string
	}{
		{"prepare", prepare, 0,
			[]string{`<span id="step">Preparation</span>, for 2`, `<progress id="progress" aria-label="Preparation">`}},
		{"step", prepare + step, 3,
			[]string{`<span id="step">Step 3 of 3</span>, <a href="/jobs/` + id + `#L4">line 4</a>, for 1`,
				`max="4" value="2"`}},
		{"pack", prepare + step + `,{"name":"pack","at":"2023-11-14T22:15:20Z"}`, 3,
			[]string{`<span id="step">Packing the image</span>, for 1`, `max="4" value="3"`}},
		{"check", prepare + step + `,{"name":"check"}`, 3, []string{`<span id="step">Boot test</span><br>`}},
	} {
		s.sql("UPDATE build SET phase = ?, step = ?, steps = ?", c.phase, c.step, c.step)
		s.sql("UPDATE scan SET state = ?", []byte(`{"phases":[`+c.phases+`]}`))
		page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is not on the page: %s", c.phase, want, page[strings.Index(page, "id=\"status"):])
			}
		}
		list := s.browser(ada).get("/jobs").body
		if c.phase == "pack" &&
			(strings.Contains(list, "step 3 of 3") || !strings.Contains(list, "packing the image")) {
			t.Error(list)
		}
	}
}

// TestAMarkAcrossAChunkIsFound: a log is read in chunks of 256 KiB; a mark may stand across the end of one.
func TestAMarkAcrossAChunkIsFound(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	for _, before := range []int{8, 20, 31} {
		id := c.addJob("start", "1")
		s.run(c, id, 1,
			fmt.Sprintf(`echo TOASTER-STEP 1/2 2 COPY hello.txt /srv/; head -c %d /dev/zero | tr '\0' x; echo
echo TOASTER-STEP 2/2 133 RUN echo hello; echo 'toaster: failed: line 133 failed'; exit 6`,
				256<<10-len("TOASTER-STEP 1/2 2 COPY hello.txt /srv/\n")-1-before))
		b := c.get("/jobs/" + id + "/builds/1").json(t)
		f, _ := b["failure"].(map[string]any)
		if b["step"] != 2.0 || f["line"] != 133.0 || b["reason"] != "Line 133 failed" {
			t.Errorf("%d bytes before: %v", before, b)
		}
	}
}
