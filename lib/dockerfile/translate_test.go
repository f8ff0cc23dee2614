package dockerfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// large is a Dockerfile of 64 KiB and a context of 1 MiB, compressed.
func large(t testing.TB) Source {
	var text strings.Builder
	text.WriteString("FROM devuan/devuan:daedalus\nARG VERSION=1\nENV APP=/srv/app\nWORKDIR $APP\n")
	for i := 0; text.Len() < 64<<10-200; i++ {
		fmt.Fprintf(&text, "ENV K%d=\"value ${VERSION} %d\"\nRUN apt-get update && apt-get install -y \\\n    package%d && rm -rf /var/lib/apt/lists/*\nCOPY f%d* d/%d*/ dest%d/\n", i, i, i, i%100, i%10, i)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	random := rand.New(rand.NewSource(1))
	for i := 0; i < 200; i++ {
		data := make([]byte, 5<<10)
		random.Read(data)
		name := fmt.Sprintf("f%d", i)
		if i%2 == 1 {
			name = fmt.Sprintf("d/%d/%d", i%10, i)
		}
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})
		w.Write(data)
	}
	w.Close()
	z.Close()
	c, err := ReadContext(packed.Bytes(), Limits{Compressed: 2 << 20, Unpacked: 64 << 20, Entries: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return Source{Dockerfile: []byte(text.String()), Context: c, Codename: "daedalus"}
}

func BenchmarkTranslate(b *testing.B) {
	s := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if blend, findings := Translate(s); blend == nil {
			b.Fatal(findings)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := large(b)
	for b.Loop() {
		Check(s)
	}
}
