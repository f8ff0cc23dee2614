package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"znkr.io/diff"
	"znkr.io/diff/textdiff"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// Hunk is a part of two texts that differ, with a few lines around it.
type Hunk struct {
	Rows []Row
}

// Row is a line of two texts side by side. A line that the other text lacks stands alone.
type Row struct {
	FromLine, ToLine int // from 1; 0: no line on this side
	From, To         string
}

// Same tells whether the row is the same in both.
func (r Row) Same() bool { return r.FromLine > 0 && r.ToLine > 0 && r.From == r.To }

// manyLines is from how many lines on a comparison is made quickly instead of well: with twice as many the best takes
// three times as long.
const manyLines = 4000

// compareText compares two texts line by line; it returns nothing when they are the same.
func compareText(from, to []byte) (hunks []Hunk) {
	options := []diff.Option{diff.Context(3)}
	if bytes.Count(from, []byte("\n"))+bytes.Count(to, []byte("\n")) > manyLines {
		options = append(options, diff.Fast())
	}
	for _, h := range textdiff.Hunks(string(from), string(to), options...) {
		var hunk Hunk
		var removed, added []Row
		for _, e := range h.Edits {
			line := strings.TrimSuffix(strings.TrimSuffix(e.Line, "\n"), "\r")
			switch e.Op {
			case diff.Delete:
				removed = append(removed, Row{FromLine: e.LineNoX + 1, From: line})
			case diff.Insert:
				added = append(added, Row{ToLine: e.LineNoY + 1, To: line})
			default:
				hunk.pair(removed, added)
				removed, added = nil, nil
				hunk.Rows = append(hunk.Rows, Row{e.LineNoX + 1, e.LineNoY + 1, line, line})
			}
		}
		hunk.pair(removed, added)
		hunks = append(hunks, hunk)
	}
	return hunks
}

// pair puts lines that were removed beside those that were added in their place.
func (h *Hunk) pair(removed, added []Row) {
	for i := range max(len(removed), len(added)) {
		var row Row
		if i < len(removed) {
			row = removed[i]
		}
		if i < len(added) {
			row.ToLine, row.To = added[i].ToLine, added[i].To
		}
		h.Rows = append(h.Rows, row)
	}
}

// maxFile is how much of a build's own files is read, in bytes: a list of 50000 packages.
const maxFile = 4 << 20

func (s *Service) readFile(ctx context.Context, job *store.Job, b *store.Build, path string) ([]byte, error) {
	stream, err := s.Open(ctx, job.UserID, job.ID, b.Number, path, engine.Range{})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = apperr.New(apperr.TooLarge, "%s is larger than %d bytes.", "", path, maxFile)
	}
	return text, err
}

// parsePackages reads a build's packages.txt: name, version, architecture, with tabs between. A name that comes a
// second time is of another architecture, and carries it.
func parsePackages(text []byte) map[string]string {
	packages := map[string]string{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 3 {
			continue
		}
		name := f[0]
		if _, ok := packages[name]; ok {
			name += ":" + f[2]
		}
		packages[name] = f[1]
	}
	return packages
}

// reported is what provenance.json says that a comparison tells elsewhere.
var reported = map[string]bool{"build_number": true, "started_at": true, "ended_at": true, "image": true,
	"environment": true, "environment_sha256": true, "source": true}

// parseProvenance reads a build's provenance.json as names and values: "releases.bookworm.date".
func parseProvenance(text []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v map[string]any
	if err := decoder.Decode(&v); err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "provenance.json is damaged.", "")
	}
	flat := map[string]string{}
	for name, v := range v {
		if !reported[name] {
			flatten(flat, name, v)
		}
	}
	return flat, nil
}

// A build wrote the file: each level of its values makes their names longer.
const (
	longestName = 200
	mostNames   = 10_000
)

func flatten(flat map[string]string, name string, v any) {
	if len(name) > longestName || len(flat) > mostNames {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for key, v := range v {
			flatten(flat, name+"."+key, v)
		}
	case []any:
		for i, v := range v {
			key := strconv.Itoa(i + 1)
			if m, ok := v.(map[string]any); ok && m["codename"] != nil {
				key = fmt.Sprint(m["codename"])
			}
			flatten(flat, name+"."+key, v)
		}
	case nil:
		flat[name] = "none"
	default:
		flat[name] = fmt.Sprint(v)
	}
}
