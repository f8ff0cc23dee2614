package dockerfile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSecretsOfADockerfile(t *testing.T) {
	const text = `FROM debian:bookworm AS unused
RUN --mount=type=secret,id=unused,required true
FROM debian:bookworm
RUN --mount=type=secret,id=npmrc --mount=type=ssh true
RUN --mount=type=secret,id=npmrc,required=true --mount=type=secret,target=/etc/pip.conf true
RUN --mount=type=secret,source=token,env=TOKEN,required=true --mount=type=ssh,id=git true
RUN --mount=type=secret,id=../x --mount=type=secret,id=ssh.default true
CMD ["x"]
`
	blend, findings := Translate(Source{Dockerfile: []byte(text), Codename: "bookworm"})
	if blend == nil {
		t.Fatal(findings)
	}
	want := []Secret{{"ssh.default", false}, {"npmrc", true}, {"pip.conf", false}, {"ssh.git", false}, {"token", true}}
	if !reflect.DeepEqual(blend.Secrets, want) {
		t.Errorf("%v", blend.Secrets)
	}
	outline, _ := Outline(Source{Dockerfile: []byte(text), Codename: "bookworm"})
	if !reflect.DeepEqual(outline.Secrets, want) {
		t.Errorf("the outline has %v", outline.Secrets)
	}
	for _, call := range []string{"secret npmrc /run/secrets/npmrc 400 0:0 required",
		"secret pip.conf /etc/pip.conf 400 0:0 optional",
		"secret_variable token TOKEN required", "ssh_key ssh.git /run/buildkit/ssh_agent.0 600 0:0 optional",
		"secret '' /run/secrets/x 400 0:0 optional"} {
		if !strings.Contains(string(blend.Text), "\n"+call+"\n") {
			t.Errorf("the blend lacks %q", call)
		}
	}
}

func TestSecretsThatCannotBeGiven(t *testing.T) {
	for _, id := range []string{"../x", "x;y", "ssh.default", ".hidden", "-rf", "a b", strings.Repeat("x", 101), "$(id)"} {
		text := fmt.Sprintf("FROM debian:bookworm\nRUN --mount=\"type=secret,id=%s,required\" true\nCMD [\"x\"]\n", id)
		if blend, findings := Translate(Source{Dockerfile: []byte(text), Codename: "bookworm"}); blend != nil {
			t.Errorf("%q: %v", id, findings)
		}
	}
}

// However it comes, what is passed on is the same, and has no line of a secret.
func TestNoLineOfASecretIsInTheLog(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	long := strings.Repeat("0123456789abcdef", 20) + "tail"
	secrets := map[string]string{"one": "pass", "two": "longer-than-8\n\nshort\nabcabcabcabd\r\n", "three": long,
		"four": "x", "five": "abcabcab", "six": "line [with] (.*) $signs\\\nand 'more' \"of\" them"}
	var files []string
	for name, text := range secrets {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	const in = "pass word short x longer-than-8! longer-than-7 abcabcabcabcabd abcabcab abcabca\n" +
		"line [with] (.*) $signs\\ and 'more' \"of\" them\n"
	const out = "*** word short x ***! longer-than-7 *** *** abcabca\n" +
		"*** ***\n***\n***01234567\n"
	for n := range 12 {
		cmd := exec.Command("zsh", append([]string{"-f", "-c", secretZsh +
			"\nguard() { cat }\nconcealed=($@)\nconceal", "zsh"}, files...)...)
		var got bytes.Buffer
		cmd.Stdout, cmd.Stderr = &got, &got
		pipe, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		rest := in + long + "\n" + long[:200] + "\n"
		for len(rest) > 0 {
			part := min(len(rest), 1+rand.IntN(1+n*20))
			fmt.Fprint(pipe, rest[:part])
			rest = rest[part:]
		}
		pipe.Close()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, got.Bytes())
		}
		said := got.String()
		for strings.Contains(said, "******") {
			said = strings.ReplaceAll(said, "******", "***")
		}
		if said != out {
			t.Errorf("%q", said)
		}
	}
}
