package cgibin

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	lineOf  = regexp.MustCompile(`(?s)<span class="l[^"]*" id="L(\d+)"><a href="\?from=(\d+)#L\d+">#</a>(.*?)\n</span>`)
	elderOf = regexp.MustCompile(`id="earlier" href="\?to=(\d+)#the-log"|href="\?to=(\d+)#the-log" id="earlier"`)
)

// long is a site with a failed build whose log has many lines.
func long(t *testing.T, lines int) (s *site, program *client, path string) {
	s = newSite(t)
	program = s.program(s.token(ada, "write"))
	id := program.addJob("start", "1")
	s.run(program, id, 1, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo "line $i ........."; i=$((i+1)); done; exit 3`,
		lines))
	return s, program, "/jobs/" + id + "/builds/1"
}

func TestALongLogIsShownPartByPart(t *testing.T) {
	s, c, path := long(t, 20000)
	b := s.browser(ada)
	page := b.get(path)
	shown := lineOf.FindAllStringSubmatch(page.body, -1)
	if len(shown) == 0 || shown[len(shown)-1][3] != "line 19999 ........." || len(page.body) > 300<<10 ||
		!strings.Contains(page.body, "failed") {
		t.Fatalf("%d lines, %d bytes: %.2000s", len(shown), len(page.body), page.body)
	}
	// Back to the beginning by links alone: every line once, and each at its own address.
	whole := c.get(path + "/log?whole=1").body
	end := len(whole)
	for n := 0; n < 100; n++ {
		for i := len(shown) - 1; i >= 0; i-- {
			text := html.UnescapeString(shown[i][3]) + "\n"
			if !strings.HasSuffix(whole[:end], text) || fmt.Sprint(end-len(text)) != shown[i][1] {
				t.Fatalf("%v is not before byte %d", shown[i], end)
			}
			end -= len(text)
		}
		before := elderOf.FindStringSubmatch(page.body)
		if before == nil || end == 0 {
			break
		}
		page = b.get(path + "?to=" + before[1] + before[2])
		shown = lineOf.FindAllStringSubmatch(page.body, -1)
	}
	if end != 0 || !strings.Contains(page.body, "Later lines") || !strings.Contains(page.body, "End of the log") {
		t.Errorf("%d bytes are left", end)
	}
	// A line's own address leads to a window that has it.
	first := lineOf.FindAllStringSubmatch(b.get(path).body, -1)[500]
	if there := b.get(path + "?from=" + first[2]); !strings.Contains(there.body, `id="L`+first[1]+`"`) ||
		strings.Contains(there.body, `data-more="true"`) {
		t.Error("the line is not where its link leads")
	}
	for _, bad := range []string{"?from=-1", "?to=x", "?from=9223372036854775807"} {
		if a := b.get(path + bad); a.status != 200 && a.status != 422 || a.status == 200 &&
			strings.Contains(a.body, `class="l"`) {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

func TestALogByOffsetComesInChunks(t *testing.T) {
	_, c, path := long(t, 20000)
	var text strings.Builder
	for offset, n := "0", 0; n < 100; n++ {
		a := c.get(path + "/log?offset=" + offset)
		text.WriteString(a.body)
		if offset = a.header.Get("X-Next-Offset"); a.header.Get("X-More") == "" {
			break
		}
	}
	if got := text.String(); !strings.HasPrefix(got, "line 0 ") || strings.Count(got, "\n") < 20000 {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

// What a script puts behind the page is what the server shows of the same lines.
func TestAFollowedLogEqualsThePage(t *testing.T) {
	s, _, id := built(t)
	b := s.browser(ada)
	path := "/jobs/" + id + "/builds/1"
	var followed strings.Builder
	for offset, n := "0", 0; n < 100; n++ {
		a := b.get(path + "/log?as=html&offset=" + offset)
		if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatal(a.status, a.header)
		}
		followed.WriteString(a.body)
		if offset = a.header.Get("X-Next-Offset"); a.header.Get("X-More") == "" {
			break
		}
	}
	page := b.get(path).body
	if followed.Len() == 0 || !strings.Contains(page, strings.TrimSpace(followed.String())) {
		t.Errorf("%s is not on %s", followed.String(), page)
	}
}

func TestARunningBuildSaysHowFarItIs(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, "write")).addJob("start", "1")
	now := time.Now().UnixMilli()
	s.sql("UPDATE job SET seen_at = ?", now+50_000) // the engine was just asked
	s.sql("UPDATE build SET state = 'running', engine_number = 1, started_at = ?, expected_ms = ?, step = 2, steps = 3, "+
		"step_line = 3", now, 600_000)
	page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
	for _, want := range []string{"Step 2 of 3", `<progress id="progress" max="4" value="1" aria-label="Completed steps">`,
		"Expected to finish", "in about ", `#L3">line 3</a>`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	s.sql("UPDATE build SET started_at = ?", now-700_000)
	if page := s.browser(ada).get("/jobs/" + id + "/builds/1").body; !strings.Contains(page,
		"This build takes longer than earlier ones.") {
		t.Error(page)
	}
}

func TestAFailureIsExplained(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	s.run(c, id, 1, `echo "TOASTER-STEP 1/2 2 COPY hello.txt /srv/"; echo fine
echo "TOASTER-STEP 2/2 3 RUN echo hello"; printf 'Reading <package> lists...\nE: Unable to locate package \033[1mno-such\033[0m\n'
echo "TOASTER-FAILED 2/2 3 exit 100"; echo "toaster: failed: line 3 of the Dockerfile failed (exit code 100): RUN echo hello"; exit 6`)
	page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
	for _, want := range []string{
		"Why the build failed", "Line 3 of the Dockerfile failed (exit code 100)",
		"There is no package “no-such” in this release.", "Failed in step 2 of 2",
		`#L3">line 3 of the Dockerfile</a>`, `<li class="at" data-line="3">`, "Reading &lt;package&gt; lists...\n",
		`<details class="part failed" open>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	f := c.get("/jobs/" + id + "/builds/1").json(t)["failure"].(map[string]any)
	if f["step"] != 2.0 || f["line"] != 3.0 || f["exit_code"] != 100.0 || f["cause"] != "no-package" ||
		!strings.HasPrefix(f["output"].(string), "Reading <package>") {
		t.Error(f)
	}
}

func TestAHostileLogIsText(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	s.run(c, id, 1, `printf 'TOASTER-STEP 1/1 1 <script>alert(1)</script>\n\033]8;;javascript:alert(1)\aclick\033]8;;\a <img src=x onerror=y>\n\033]1338;url=http://a;alt=b\a\033_bk;t=1\a\n'
echo "toaster: failed: <b>really</b>"; exit 1`)
	page := s.browser(ada).get("/jobs/" + id + "/builds/1").body
	for _, bad := range []string{"<script>", "<img src=x", "<b>really", "javascript:", "http://a",
		"<time datetime=\"1970"} {
		if strings.Contains(page, bad) {
			t.Errorf("%s is on the page: %s", bad, page)
		}
	}
}
