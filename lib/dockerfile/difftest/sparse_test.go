package difftest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLayersWithHoles: files that GNU tar stores with holes are what GNU tar unpacks.
func TestLayersWithHoles(t *testing.T) {
	b := newRoot(t)
	folder := t.TempDir()
	for name, c := range map[string]struct {
		size  int64
		parts []int64 // where a block of data begins
	}{
		"begin": {1 << 20, []int64{0}}, "end": {1<<20 + 700, []int64{1<<20 + 512}}, "none": {1 << 20, nil},
		"few": {1 << 20, []int64{4096, 100 * 4096}}, "many": {1 << 24, steps(200)}, "large": {9 << 30, []int64{9<<30 - 512}},
		strings.Repeat("long", 40): {1 << 20, steps(30)},
	} {
		f, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range c.parts {
			if _, err := f.WriteAt(bytes.Repeat([]byte{byte(at/512) | 1}, int(min(512, c.size-at))), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(c.size); err != nil || f.Chmod(0o640) != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	for _, format := range []string{"--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1",
		"--sparse-version=1.0"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			layer, unpacked := filepath.Join(dir, "layer.tar"), filepath.Join(dir, "unpacked")
			if format != "--format=gnu" {
				format += " --format=posix"
			}
			run(t, "sh", "-ec", "mkdir $2; tar -C $0 --sparse "+format+" -cf $1 .; tar -C $2 -xpf $1",
				folder, layer, unpacked)
			data, err := os.ReadFile(layer)
			if err != nil || len(data) > 1<<20 {
				t.Fatal(len(data), err)
			}
			root, said, err := b.runImage(t, [][]byte{packed(t, data)}, nil)
			if err != nil {
				t.Fatal(said)
			}
			// cmp of all would read nine gigabytes of zeros.
			names, _ := filepath.Glob(unpacked + "/*")
			for _, name := range names {
				ours := filepath.Join(root, filepath.Base(name))
				if out, err := exec.Command("sh", "-ec", `test $(stat -c %s:%a:%Y $0) = $(stat -c %s:%a:%Y $1)
test $(stat -c %b $1) -le 2000; test ${1##*/} = large && cmp -i 9663672320 $0 $1 || cmp $0 $1`,
					name, ours).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", filepath.Base(name), err, out)
				}
			}
			if len(names) != 7 {
				t.Error(names)
			}
		})
	}
}

// steps are the places of n blocks, each with a hole before it.
func steps(n int64) (list []int64) {
	for i := range n {
		list = append(list, (i+1)*8192)
	}
	return list
}

// TestHostileHoles: maps of holes that mean two things, or too much, are refused.
func TestHostileHoles(t *testing.T) {
	b := newRoot(t)
	data := strings.Repeat("d", 512)
	pairs := func(n int) string { return strings.TrimSuffix(strings.Repeat("0,0,", n), ",") }
	old := func(real string, more string, fields ...string) string {
		head := make([]byte, 512-345)
		for i, f := range fields {
			copy(head[386-345+12*i:], f)
		}
		copy(head[482-345:], more)
		copy(head[483-345:], real)
		return string(head)
	}
	entry := func(kind byte, size int, tail string) string { return tarHeader("a", kind, size, tail) }
	pax := func(size int, records ...string) string {
		text := ""
		for i := 0; i < len(records); i += 2 {
			record := " GNU.sparse." + records[i] + "=" + records[i+1] + "\n"
			n := len(record) + 1
			for n != len(record)+len(fmt.Sprint(n)) {
				n++
			}
			text += fmt.Sprint(n) + record
		}
		return tarHeader("x", 'x', len(text), "") + text + strings.Repeat("\x00", (512-len(text)%512)%512) +
			entry('0', size, "")
	}
	one := func(real, text string) string {
		text += strings.Repeat("\x00", (512-len(text)%512)%512)
		return pax(len(text)+512, "major", "1", "minor", "0", "name", "a", "realsize", real) + text + data
	}
	const wrong, large, many = "the map of the holes of /a is wrong", "more than 64 GiB", "more than 100000 holes"
	for name, c := range map[string]struct{ layer, said string }{
		"good":          {one("1024", "1\n512\n512\n"), ""},
		"good, old":     {entry('S', 512, old("2000", "", "1000", "1000")) + data, ""},
		"old, beyond":   {entry('S', 512, old("1777", "", "1000", "1000")) + data, wrong},
		"old, overlaps": {entry('S', 1024, old("4000", "", "0", "1000", "400", "1000")) + data + data, wrong},
		"old, negative": {entry('S', 512, old("2000", "", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\x00", "1000")),
			"negative"},
		"old, exabyte":    {entry('S', 0, old("\x80\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00", "")), "too large"},
		"old, terabyte":   {entry('S', 0, old("\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00", "")), large},
		"old, too short":  {entry('S', 0, old("2000", "", "1000", "1000")), wrong},
		"old, a million":  {entry('S', 0, old("2000", "\x01", "0", "0")) + strings.Repeat(oldBlock(), 50000), "100000 holes"},
		"0.0, half a map": {pax(512, "size", "1024", "numblocks", "1", "offset", "0") + data, wrong},
		"0.1, overlaps":   {pax(1024, "size", "1024", "numblocks", "2", "map", "0,512,0,512") + data + data, wrong},
		"0.1, negative":   {pax(512, "size", "1024", "numblocks", "1", "map", "-512,512") + data, wrong},
		"0.1, no number":  {pax(512, "size", "1024", "numblocks", "1", "map", "0,512,") + data, wrong},
		"0.1, other name": {pax(512, "size", "1024", "numblocks", "3", "map", "0,512") + data, wrong},
		"0.1, a million":  {pax(0, "size", "1024", "numblocks", "110000", "map", pairs(110000)), many},
		"0.1, no size":    {pax(512, "numblocks", "1", "map", "0,512") + data, wrong},
		"1.0, overlaps":   {one("4096", "2\n512\n256\n600\n256\n"), wrong},
		"1.0, beyond":     {one("1000", "1\n512\n512\n"), wrong},
		"1.0, backwards":  {one("4096", "2\n512\n512\n0\n0\n"), wrong},
		"1.0, more":       {one("4096", "1\n512\n100\n"), wrong},
		"1.0, negative":   {one("4096", "1\n-512\n512\n"), wrong},
		"1.0, no map":     {one("4096", "9"), wrong},
		"1.0, a million":  {one("4096", "1000000\n"), many},
		"1.0, exabyte":    {one("1152921504606846976", "1\n0\n512\n"), wrong},
		"1.0, terabyte":   {one("1099511627776", "1\n0\n512\n"), large},
		"two maps":        {pax(512, "size", "1024", "major", "1", "numblocks", "1", "map", "0,512") + data, wrong},
		"version 2":       {pax(512, "major", "2", "minor", "0", "name", "a", "realsize", "512") + data, wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, said, err := b.runImage(t, [][]byte{packed(t, []byte(c.layer+strings.Repeat("\x00", 1024)))}, nil)
			if (err != nil) != (c.said != "") || !strings.Contains(said, c.said) {
				t.Errorf("%v: %q is missing in\n%s", err, c.said, said)
			}
			if got, err := os.ReadFile(filepath.Join(root, "a")); c.said == "" &&
				(err != nil || string(got) != strings.Repeat("\x00", 512)+data) {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
}

// tarHeader is a header of GNU tar's format with other bytes from where the prefix is.
func tarHeader(name string, kind byte, size int, tail string) string {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], fmt.Sprintf("0000644\x000000000\x000000000\x00%011o\x0000000000000\x00        %c", size, kind))
	copy(h[257:], "ustar  \x00")
	copy(h[345:], tail)
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return string(h)
}

// oldBlock is a block of a map that goes on in a further one.
func oldBlock() string {
	return strings.Repeat("0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 42) + "\x01\x00\x00\x00\x00\x00\x00\x00"
}
