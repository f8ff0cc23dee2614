package image

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func example() Lock {
	return NewLock([]Locked{
		{Reference: "python:3.12-slim", Platform: "linux/amd64", Digest: strings.Replace(digest, "0", "1", 1), Size: 50 << 20,
			Config: Config{
				OS: "linux", Architecture: "amd64", Env: []string{"PATH=/usr/local/bin:/usr/bin", "HTML=<&>"},
				Cmd:          []string{"python3"},
				ExposedPorts: map[string]struct{}{"80/tcp": {}, "443/tcp": {}}, Labels: map[string]string{"b": "2", "a": "1"},
				Healthcheck: &Healthcheck{Test: []string{"CMD", "true"}, Interval: 5 * time.Second, Retries: 3},
			}},
		{Reference: "golang:1.22", Platform: "linux/arm/v7", Digest: digest, Size: 1},
		{Reference: "golang:1.22", Platform: "linux/amd64", Digest: digest, Size: 1},
	})
}

func TestALockIsReadableAndComesBack(t *testing.T) {
	text := example().Encode()
	for _, want := range []string{"\n    {\n      \"reference\": \"golang:1.22\",\n      \"platform\": \"linux/amd64\",\n",
		`"HTML=<&>"`,
		"\"a\": \"1\",\n          \"b\": \"2\""} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s\nis not in\n%s", want, text)
		}
	}
	back, err := Parse(text)
	if err != nil || !bytes.Equal(back.Encode(), text) {
		t.Errorf("%v\n%s", err, back.Encode())
	}
	if i := back.Find(Want{"golang:1.22", "linux/arm/v7"}); i == nil || i.Platform != "linux/arm/v7" {
		t.Errorf("%+v", i)
	}
	if i := back.Find(Want{"golang:1.22", "linux/386"}); i != nil {
		t.Errorf("%+v", i)
	}
	if none, err := Parse(Lock(nil).Encode()); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestTheOrderOfImagesMakesNoDifference(t *testing.T) {
	a := example()
	b := NewLock([]Locked{a[2], a[0], a[1]})
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Errorf("%s\n%s", a.Encode(), b.Encode())
	}
}

func TestALockThatSaysSomethingElseIsRefused(t *testing.T) {
	one := func(reference, platform, digest, size, rest string) string {
		return `{"version": 1, "images": [{"reference": "` + reference + `", "platform": "` + platform + `", "digest": "` +
			digest + `", "size": ` + size + `, "configuration": {` + rest + `}}]}`
	}
	for text, want := range map[string]string{
		one("a", "linux/amd64", digest, "1", ""):                                                    "",
		one("", "linux/amd64", digest, "1", ""):                                                     "not the name",
		one("a b", "linux/amd64", digest, "1", ""):                                                  "not the name",
		one(strings.Repeat("a", 601), "linux/amd64", digest, "1", ""):                               "not the name",
		one("a", "linux", digest, "1", ""):                                                          "platform",
		one("a", "linux/../amd64", digest, "1", ""):                                                 "platform",
		one("a", "linux/amd64/v1/x", digest, "1", ""):                                               "platform",
		one("a", "linux/amd64", "sha256:00", "1", ""):                                               "digest",
		one("a", "linux/amd64", "md5:"+digest[7:], "1", ""):                                         "digest",
		one("a", "linux/amd64", digest, "-1", ""):                                                   "negative",
		one("a", "linux/amd64", digest, "1.5", ""):                                                  "can't be read",
		one("a", "linux/amd64", digest, "1", `"User": "a\u0000b"`):                                  "NUL",
		one("a", "linux/amd64", digest, "1", `"User": "a\\u0000b"`):                                 "",
		one("a", "linux/amd64", digest, "1", `"Healthcheck": {"Test": ["\u0000"]}`):                 "NUL",
		one("a", "linux/amd64", digest, "1", `"Nothing": 1`):                                        "unknown field",
		one("a", "linux/amd64", digest, "1", `"User": "`+strings.Repeat("x", 1<<18)+`"`):            "larger",
		`{"version": 2, "images": []}`:                                                              "version 2",
		`{"version": 1, "images": []} {}`:                                                           "follows",
		`{"version": 1, "images": [], "a": 1}`:                                                      "unknown field",
		"{\"version\": 1, \"images\": []}\xff":                                                      "UTF-8",
		"":                                                                                          "can't be read",
		string(bytes.Replace(example().Encode(), []byte("linux/arm/v7"), []byte("linux/amd64"), 1)): "twice",
	} {
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.300s\ngives %v, not %q", text, err, want)
		}
	}
}

func TestALockIsBounded(t *testing.T) {
	var many []Locked
	for i := range MostImages + 1 {
		many = append(many, Locked{Reference: "a:" + strings.Repeat("x", i+1), Platform: "linux/amd64", Digest: digest})
	}
	if _, err := Parse(NewLock(many).Encode()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	if _, err := Parse(NewLock(many[1:]).Encode()); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example().Encode())
	f.Add(Lock(nil).Encode())
	f.Add([]byte(`{"images":[{"reference":"a","platform":"linux/arm64/v8","digest":"` + digest +
		`","size":0,"configuration":{}}],"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(l.Encode())
		if err != nil || !bytes.Equal(again.Encode(), l.Encode()) {
			t.Errorf("%q becomes\n%s\nand that %s, %v", text, l.Encode(), again.Encode(), err)
		}
	})
}

func TestWhichPlatformsSuit(t *testing.T) {
	for _, c := range []struct {
		want, have string
		rank       int
	}{
		{"linux/amd64", "linux/amd64", 0}, {"linux/amd64", "linux/amd64/v1", 0}, {"linux/amd64", "linux/amd64/v3", -1},
		{"linux/amd64", "linux/386", -1}, {"linux/amd64", "windows/amd64", -1}, {"linux/amd64", "unknown/unknown", -1},
		{"linux/arm64", "linux/arm64/v8", 0}, {"linux/arm64", "linux/arm/v7", -1},
		{"linux/arm/v7", "linux/arm/v7", 0}, {"linux/arm/v7", "linux/arm", 0}, {"linux/arm/v7", "linux/arm/v6", 1},
		{"linux/arm/v7", "linux/arm/v5", 2}, {"linux/arm/v7", "linux/arm/v8", -1},
		{"linux/arm/v5", "linux/arm/v5", 0}, {"linux/arm/v5", "linux/arm", -2}, {"linux/arm/v7", "linux/arm/hard", -1},
		{"linux/riscv64", "linux/riscv64", 0}, {"", "", 0},
	} {
		if got := Rank(c.want, c.have); got != c.rank {
			t.Errorf("%s on %s: %d, not %d", c.have, c.want, got, c.rank)
		}
	}
}
