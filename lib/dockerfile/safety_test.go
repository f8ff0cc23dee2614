package dockerfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	images "toaster.do/lib/image"
)

// A word of the generated part of the builder: plain, quoted, or one of the builder's own variables.
const word = `([A-Za-z0-9/._:+,=-]+|'[ -&(-~]*'|\$'([ -&(-\[\]-~]|\\[nt'\\]|\\x[0-9a-f]{2})*'|\$(TREE|ROOT|CONTEXT|init|REPLY)|\$STAGES/[0-9]+|\$WORK/inline/[0-9]+|"\$REPLY")`

// line is all that a line of it can be: a call of one of the builder's functions with such words, or our own fixed
// text.
var line = regexp.MustCompile(`^\t*(((step|ROOT=\$TREE|ROOT=\$STAGES/[0-9]+|snapshot|zf_mkdir|variable|variables|variables_of|keep_variables|workdir|run|script|bind|cache|memory|secret|secret_variable|ssh_key|into|into_folder|` +
	`except|put|put_glob|put_parents|unpack|inline|fetch|layer|merge|metadata|remember|service_text|service_keep|service_command|service_environment|application|unpack_image|fetch_layers|grow|leave_base|forget_account|appliance)( ` + word + `)*)|# stage ` + word +
	`|finished=1|)$`)

// generated returns the part of a blend's builder that was made from the Dockerfile.
func generated(t *testing.T, blend []byte) string {
	text := string(blend)
	_, text, ok := strings.Cut(text, "\ntypeset -r STEPS=")
	if !ok {
		t.Fatal("no steps")
	}
	text, _, ok = strings.Cut(text, "\nTOASTER_")
	if !ok {
		t.Fatal("no end")
	}
	_, text, _ = strings.Cut(text, "\n") // the number
	proxies, text, _ := strings.Cut(text, "\n")
	if !regexp.MustCompile(`^proxies=\((` + word + `( ` + word + `)*)?\)$`).MatchString(proxies) {
		t.Fatalf("proxies: %q", proxies)
	}
	return text
}

var nasty = []string{
	"FROM debian:bookworm\nENV X=$(touch pwned) Y=`touch pwned` Z=\"'; touch pwned; '\" W=a\\\nb\nRUN echo " +
		"'\nTOASTER_x\n'\nWORKDIR /x$(touch pwned)\nLABEL a=\"$(touch pwned)\"\nUSER $(id)\nEXPOSE 80\n",
	"FROM debian:bookworm\nCOPY a* [b]* \"c d\" $(x) /'\"$(touch pwned)\"'/\nADD --chown=$(id):'x' a /\nVOLUME " +
		"[\"$(touch pwned)\", \"';touch pwned;'\"]\n",
	"FROM debian:bookworm\nRUN <<EOF\ncat <<'TOASTER_BUILDER'\nEOF\nCOPY <<'A' /a\n${x} `y` " +
		"$(z)\n\x01\x02\u00e9\u2028\nA\nCMD [\"$(touch pwned)\", \"a\\nb\"]\nSTOPSIGNAL SIGTERM\nHEALTHCHECK CMD $(touch " +
		"pwned)\n",
	"FROM debian:bookworm AS a\nRUN --mount=type=cache,target=/$(x),id='q' --mount=type=tmpfs,target=/t true\nFROM " +
		"debian:bookworm\nCOPY --from=a --exclude=*$(x) /a?b[c-d] /$(y)\nONBUILD RUN $(touch pwned)\nSHELL [\"$(touch " +
		"pwned)\"]\nENTRYPOINT $(touch pwned)\n",
	"FROM x.invalid/a AS b\nRUN true\nFROM scratch\nCOPY --from=b / /\nCOPY --from=y.invalid/z:1 / /\n",
	"FROM x.invalid/a\nRUN --mount=from=z.invalid/y,target=/y true\nHEALTHCHECK CMD x\n",
	"FROM debian:bookworm\nADD http://x.invalid/$(touch${IFS}pwned)'\"` /x\nENV =~\nENV ~=~ A==b *=* [=] \nRUN [\"~\", " +
		"\"=ls\", \"*\", \"!!\", \"{a,b}\", \"#x\", \"\"]\n",
}

// FuzzBlend: text of a person stands in a blend only in quoted words, whatever the Dockerfile.
func FuzzBlend(f *testing.F) {
	for _, n := range nasty {
		f.Add(n, "a", "K=V")
	}
	f.Fuzz(func(t *testing.T, text, name, arg string) {
		c, err := made(map[string]string{name: text})
		if err != nil {
			c = newContext()
		}
		k, v, _ := strings.Cut(arg, "=")
		s := Source{Dockerfile: []byte(text), Context: c, BuildArgs: map[string]string{k: v, "http_proxy": v}}
		s.Lock = hostileImages(s, name)
		b, findings := Translate(s)
		if (b == nil) != hasError(findings) {
			t.Fatalf("blend %v, findings %v", b != nil, findings)
		}
		for _, x := range findings {
			if x.Rule == "Internal" {
				t.Fatal(x.Message)
			}
		}
		if b == nil {
			return
		}
		for _, l := range strings.Split(generated(t, b.Text), "\n") {
			if !line.MatchString(l) {
				t.Fatalf("not a call with quoted words: %q", l)
			}
		}
		if again, _ := Translate(s); string(again.Text) != string(b.Text) {
			t.Fatal("two translations differ")
		}
	})
}

// hostileImages are images for a source whose configurations say what nobody should run.
func hostileImages(s Source, text string) images.Lock {
	var list []images.Locked
	for _, n := range Images(s) {
		list = append(list, images.Locked{Reference: n.Reference, Platform: n.Platform,
			Digest: "sha256:0$(touch pwned)" + text,
			Layers: []images.Part{{Digest: "$(touch pwned)"}, {Digest: text}}, Config: images.Config{
				Env: []string{"X=$(touch pwned)'`touch pwned`" + text, "=", text, "PATH=" + text}, User: text + "$(touch pwned)",
				WorkingDir: "/'$(touch pwned)'" + text, Cmd: []string{"$(touch pwned)", text},
				OnBuild: []string{"RUN $(touch pwned)"},
				Shell:   []string{text, "`touch pwned`"}, Volumes: map[string]struct{}{text + "';touch pwned;'": {}},
				StopSignal: text}})
	}
	return images.NewLock(list)
}

func hasError(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Error {
			return true
		}
	}
	return false
}

// TestNothingRunsOnTheHost runs the generated part with the builder's functions replaced by ones that do nothing,
// and any other command reported.
func TestNothingRunsOnTheHost(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("zsh is not installed")
	}
	functions := "step snapshot zf_mkdir variable variables variables_of keep_variables workdir run script bind cache " +
		"memory into into_folder except " +
		"put put_glob put_parents unpack inline fetch layer merge metadata remember service_text service_keep " +
		"service_command service_environment application " +
		"unpack_image fetch_layers grow leave_base forget_account appliance"
	for _, text := range nasty {
		c := mustMake(t, map[string]string{"a": "", "b": "", "c d": "", "$(x)": ""})
		s := Source{Dockerfile: []byte(text), Context: c}
		s.Lock = hostileImages(s, "a")
		b, findings := Translate(s)
		if b == nil {
			t.Logf("refused: %v", findings)
			continue
		}
		dir := t.TempDir()
		script := "for f in " + functions + "; do functions[$f]=:; done\ncommand_not_found_handler() { print -r -- RAN " +
			"\"$@\" >>ran }\n" +
			"TREE=/t STAGES=/s CONTEXT=/c WORK=/w REPLY=sysv STEPS=1\n" + generated(t, b.Text)
		if err := os.WriteFile(filepath.Join(dir, "steps"), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("zsh", "-f", "steps")
		cmd.Dir, cmd.Env = dir, []string{"PATH=/bin:/usr/bin"}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s\n%s", err, out, text)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("it left %v\n%s", left, text)
		}
	}
}

// TestQuote: zsh reads back what was quoted.
func TestQuote(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("zsh is not installed")
	}
	all := make([]byte, 0, 1000)
	for b := 1; b < 256; b++ {
		all = append(all, byte(b), '0', 'f')
	}
	for _, s := range []string{"", "a", "~", "=ls", "a b", "it's", "$x", "`id`", "\\", "a\nb", "!", "{a,b}", "*", "#", "é",
		string(all), "-n", "'", "\\'", "\x7f\x80"} {
		out, err := exec.Command("zsh", "-f", "-c", "print -rn -- "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q: zsh reads %q as %q (%v)", s, quote(s), out, err)
		}
	}
}
