package enginetest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

func logInParts(j *job) {
	// 20,000 lines of 40 bytes: three times MaxChunk.
	j.create(`i=0; while test $i -lt 20000; do printf 'line %034d\n' $i; i=$((i + 1)); done`)
	log := j.log(j.builds().Number)
	at := 0
	for i := range 20000 {
		line := fmt.Sprintf("line %034d", i)
		n := strings.Index(log[at:], line)
		if n < 0 {
			j.Fatalf("the log (%d bytes) lacks %q after byte %d", len(log), line, at)
		}
		at += n + len(line)
	}
	if strings.Count(log, "line ") != 20000 {
		j.Errorf("some lines came twice")
	}
}

func growingLog(j *job) {
	j.create("echo first", "sleep 2", "echo second", "sleep 600")
	b := j.running(j.start())
	j.says(b.Number, "first")
	j.says(b.Number, "second")
	c, err := j.Engine.Log(j.Context(), j.name, b.Number, 0)
	j.must("Log", err)
	if !c.More || !strings.Contains(string(c.Text), "second") {
		j.Errorf("the log of a running build: %+v", c)
	}
	end, err := j.Engine.Log(j.Context(), j.name, b.Number, c.Next)
	j.must("Log at the end", err)
	if len(end.Text) != 0 || !end.More || end.Next != c.Next {
		j.Errorf("the log's end while the build runs: %+v", end)
	}
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
}

func logPastTheEnd(j *job) {
	j.create("echo hello")
	b := j.builds()
	c, err := j.Engine.Log(j.Context(), j.name, b.Number, 0)
	j.must("Log", err)
	if c.More {
		j.Errorf("there is more of a short log: %+v", c)
	}
	for _, offset := range []int64{c.Next, c.Next + 1, c.Next + 1<<40} {
		past, err := j.Engine.Log(j.Context(), j.name, b.Number, offset)
		j.must("Log", err)
		if len(past.Text) != 0 || past.More || past.Next != c.Next {
			j.Errorf("the log from %d of %d: %+v", offset, c.Next, past)
		}
	}
}

// longLog: where it ends, and all of it, is known without reading it part by part.
func longLog(j *job) {
	j.create("seq -f 'line %034.0f' 60000")
	b := j.builds()
	end, err := j.Engine.Log(j.Context(), j.name, b.Number, math.MaxInt64)
	j.must("Log", err)
	if len(end.Text) != 0 || end.More {
		j.Errorf("past the end: %d bytes, more: %v", len(end.Text), end.More)
	}
	last, err := j.Engine.Log(j.Context(), j.name, b.Number, end.Next-10_000)
	j.must("Log", err)
	if last.Next != end.Next || last.More || !strings.Contains(string(last.Text), fmt.Sprintf("line %034d\n", 60000)) {
		j.Errorf("the last bytes before %d: %+v", end.Next, last)
	}
	s, ok := j.Engine.(engine.Streamer)
	if !ok {
		return
	}
	log, err := s.Stream(j.Context(), j.name, b.Number, -1)
	j.must("Stream", err)
	defer log.Close()
	text, err := io.ReadAll(log)
	j.must("Stream", err)
	if n := strings.Count(string(text), "\nline "); n != 60000 {
		j.Errorf("the whole log has %d lines of 60000", n)
	}
}

func unknownLog(j *job) {
	j.create("echo hello")
	for _, number := range []int{1, 0, -1} {
		_, err := j.Engine.Log(j.Context(), j.name, number, 0)
		j.wants(apperr.NotFound, fmt.Sprintf("Log of build %d", number), err)
		_, err = j.Engine.Artifacts(j.Context(), j.name, number)
		j.wants(apperr.NotFound, fmt.Sprintf("Artifacts of build %d", number), err)
	}
}

func artifacts(j *job) {
	j.create("mkdir -p dist/sub", "printf image >dist/image.tar", ": >dist/empty", "printf deep >dist/sub/deep",
		"echo elsewhere >elsewhere",
		"cd dist", "sha256sum image.tar empty sub/deep >SHA256SUMS")
	b := j.builds()
	list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number)
	j.must("Artifacts", err)
	want := map[string]string{"image.tar": "image", "empty": "", "sub/deep": "deep"}
	for path, text := range want {
		a := j.find(list, path)
		if a.Size != int64(len(text)) {
			j.Errorf("%s has %d bytes", path, a.Size)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); a.SHA256 != "" && a.SHA256 != sum {
			j.Errorf("%s has the digest %s, want %s", path, a.SHA256, sum)
		}
		got, s := j.read(b.Number, path, engine.Range{})
		if got != text || s.Size != a.Size || s.Start != 0 || s.Length != a.Size || s.ModTime.IsZero() {
			j.Errorf("%s reads as %q, %+v", path, got, s)
		}
	}
	if len(list) != len(want)+1 {
		j.Errorf("Artifacts gave %+v", list)
	}
}

func (j *job) find(list []engine.Artifact, path string) engine.Artifact {
	j.Helper()
	for _, a := range list {
		if a.Path == path {
			return a
		}
	}
	j.Fatalf("%q is not among the artifacts %+v", path, list)
	return engine.Artifact{}
}

func oddNames(j *job) {
	names := []string{"a space", "ünï-côdé-烤面包机", "100%", "50%25off", "what?", "#1", "a&b=c;d", "plus+plus",
		`quote"quote'`, "-rf", "...", "a:b", "{x}[y]", "sub dir/with #/x", `back\slash`}
	script := []string{"mkdir dist", "cd dist"}
	for _, name := range names {
		quoted := "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
		script = append(script, fmt.Sprintf(`mkdir -p -- "$(dirname -- %s)"; printf %%s %s >./%s`, quoted, quoted, quoted))
	}
	j.create(script...)
	b := j.builds()
	list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number)
	j.must("Artifacts", err)
	if len(list) != len(names) {
		j.Errorf("Artifacts gave %+v", list)
	}
	for _, name := range names {
		j.find(list, name)
		if text, _ := j.read(b.Number, name, engine.Range{}); text != name {
			j.Errorf("%q reads as %q", name, text)
		}
	}
}

func ranges(j *job) {
	j.create("mkdir dist", "printf 0123456789 >dist/ten", ": >dist/empty")
	b := j.builds()
	for _, c := range []struct {
		r    engine.Range
		want string
	}{
		{engine.Range{}, "0123456789"},
		{engine.Range{Start: 0, Length: 4}, "0123"},
		{engine.Range{Start: 3, Length: 4}, "3456"},
		{engine.Range{Start: 3}, "3456789"},
		{engine.Range{Start: 9}, "9"},
		{engine.Range{Start: 8, Length: 100}, "89"},
		{engine.Range{Start: -3}, "789"},
		{engine.Range{Start: -3, Length: 2}, "78"},
		{engine.Range{Start: -10}, "0123456789"},
		{engine.Range{Start: -100}, "0123456789"},
	} {
		text, s := j.read(b.Number, "ten", c.r)
		if text != c.want || s.Size != 10 || s.Length != int64(len(c.want)) ||
			s.Start != int64(strings.Index("0123456789", c.want)) {
			j.Errorf("%+v gave %q from %d, %d of %d bytes", c.r, text, s.Start, s.Length, s.Size)
		}
	}
	for _, r := range []engine.Range{{Start: 10}, {Start: 11, Length: 1}, {Start: 1 << 40}} {
		_, err := j.Engine.Open(j.Context(), j.name, b.Number, "ten", r)
		j.wants(apperr.InvalidArgument, fmt.Sprintf("%+v", r), err)
	}
	if text, s := j.read(b.Number, "empty", engine.Range{}); text != "" || s.Size != 0 {
		j.Errorf("the empty file has %d bytes", s.Size)
	}
	_, err := j.Engine.Open(j.Context(), j.name, b.Number, "empty", engine.Range{Start: -1})
	j.wants(apperr.InvalidArgument, "the last byte of the empty file", err)
}

func unknownArtifact(j *job) {
	j.create("mkdir -p dist/sub", "echo image >dist/image", "echo x >dist/sub/x", "echo secret >secret")
	b := j.builds()
	for _, path := range []string{"nothing", "", ".", "..", "sub", "sub/", "sub/nothing", "../secret", "../log",
		"sub/../image", "./image", "/image", "/etc/passwd", "image\x00", "Image"} {
		_, err := j.Engine.Open(j.Context(), j.name, b.Number, path, engine.Range{})
		j.wants(apperr.NotFound, fmt.Sprintf("Open of %q", path), err)
	}
}

func links(j *job) {
	j.create("mkdir dist", "echo image >dist/image", "echo secret >secret",
		"ln -s ../secret dist/up", "ln -s /etc/passwd dist/passwd", "ln -s /etc dist/etc", "ln -s image dist/same",
		"ln -s nothing dist/dangling", "ln -s .. dist/round")
	b := j.builds()
	for _, path := range []string{"up", "passwd", "etc", "etc/passwd", "dangling", "round/secret"} {
		_, err := j.Engine.Open(j.Context(), j.name, b.Number, path, engine.Range{})
		j.wants(apperr.NotFound, "Open of the link "+path, err)
	}
	if text, _ := j.read(b.Number, "image", engine.Range{}); text != "image\n" {
		j.Errorf("the image reads as %q", text)
	}
}

func noArtifacts(j *job) {
	j.create("echo hello")
	b := j.builds()
	if list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number); err != nil || len(list) != 0 {
		j.Errorf("Artifacts: %v, %v", list, err)
	}
}

func artifactsWhileRunning(j *job) {
	j.create("mkdir dist", "echo half >dist/image", long)
	b := j.running(j.start())
	j.says(b.Number, "begun")
	if list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number); err != nil || len(list) != 0 {
		j.Errorf("Artifacts: %v, %v", list, err)
	}
	_, err := j.Engine.Open(j.Context(), j.name, b.Number, "image", engine.Range{})
	j.wants(apperr.NotFound, "Open", err)
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
}
