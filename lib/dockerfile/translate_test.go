package dockerfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"strings"
	"syscall"
	"testing"
)

var (
	nouns = strings.Fields("return value index context reader writer request response build engine session if else " +
		"while string buffer")
	ends = []string{"\n", ";\n\t", " = ", ", ", " + "}
)

// large is a Dockerfile of 64 KiB and a context of 1 MiB, compressed.
func large(t testing.TB, words bool) Source {
	var text strings.Builder
	text.WriteString("FROM devuan/devuan:daedalus\nARG VERSION=1\nENV APP=/srv/app\nWORKDIR $APP\n")
	for i := 0; text.Len() < 64<<10-200; i++ {
		fmt.Fprintf(&text, "ENV K%d=\"value ${VERSION} %d\"\nRUN apt-get update && apt-get install -y \\\n    package%d && "+
			"rm -rf /var/lib/apt/lists/*\nCOPY f%d* d/%d*/ dest%d/\n", i, i, i, i%100, i%10, i)
	}
	c, err := ReadContext(archive(words), Limits{Compressed: 2 << 20, Unpacked: 64 << 20, Entries: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return Source{Dockerfile: []byte(text.String()), Context: c, Codename: "daedalus"}
}

// archive is 1 MiB when it is compressed: of random bytes, or of words that are more than four times as long.
func archive(words bool) []byte {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	random := rand.New(rand.NewSource(1))
	for i := 0; i < 200; i++ {
		var data []byte
		if words {
			for len(data) < 22<<10 {
				data = fmt.Appendf(data, "%s_%x(%d)%s", nouns[random.Intn(len(nouns))], random.Intn(1<<8), random.Intn(10),
					ends[random.Intn(len(ends))])
			}
		} else {
			data = make([]byte, 5<<10)
			random.Read(data)
		}
		name := fmt.Sprintf("f%d", i)
		if i%2 == 1 {
			name = fmt.Sprintf("d/%d/%d", i%10, i)
		}
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})
		w.Write(data)
	}
	w.Close()
	z.Close()
	return packed.Bytes()
}

// cpu reports the CPU time of this process for each round, as a loaded machine makes the time on the clock worthless.
func cpu(b *testing.B, round func()) {
	var before, after syscall.Rusage
	b.ReportAllocs()
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		round()
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/1e6/float64(b.N), "cpu-ms/op")
}

func BenchmarkTranslate(b *testing.B) {
	for name, s := range map[string]Source{"random": large(b, false), "text": large(b, true)} {
		b.Run(name, func(b *testing.B) {
			cpu(b, func() {
				if blend, findings := Translate(s); blend == nil {
					b.Fatal(findings)
				}
			})
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	s := large(b, false)
	cpu(b, func() { Check(s) })
}

func BenchmarkReadContext(b *testing.B) {
	for name, archive := range map[string][]byte{"random": archive(false), "text": archive(true)} {
		b.Run(name, func(b *testing.B) {
			cpu(b, func() { ReadContext(archive, Limits{}) })
		})
	}
}
