package dockerfile

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// getter is an env as shell.Lex takes it.
type getter struct{ *env }

func (g getter) Keys() []string { return g.keys }

// FuzzExpand: variables are replaced as BuildKit replaces them: the same text, words and variables, the same errors.
func FuzzExpand(f *testing.F) {
	for _, word := range []string{"", "a", "$A", "${A}x$B", "${A:-x}${C:-$B}", "${C:+x}${A:+'y'}", "${C?}",
		"${C:?gone}", "${A#a*}", "${A##*/}", "${A%/*}", `${A%%\**}`, "${A/b/c}", "${A//b/$B}", `${A//\//x}`,
		`${A//?/[\$0]}`, `"a $A"`, `'a $A'`, `"\$A \" \x"`, `\$A\`, "a<<b <<  c < d", "${A", "${}", "${:A}", "${A:#b}",
		"${A!b}", "${A:=b}", "a b  \"c d\" e$B", "${A#\"*\"}", `${A#'\*'}`, "x${A:-y}z w",
		"${A##${B}*}", "$1x $@y $$ ${10}", "\ufeffa", "${A/", "${A/b", "${A/b/", `"${A:-"b"}"`, "é$Aü${B%ü}",
		"${A#\\x}", "${A%\\}", "${A//*/x}", "a}b/c", "${A:-a/b}"} {
		f.Add(word, "a/b/c b*", "ü x", true, true)
	}
	f.Fuzz(func(t *testing.T, word, a, b string, quotes, backslash bool) {
		if len(word)+len(a)+len(b) > 200 || strings.ContainsRune(word+a+b, 0) {
			return
		}
		word, a, b = strings.ToValidUTF8(word, ""), strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, "")
		vars := &env{}
		vars.set("A", a)
		vars.set("B", b)
		vars.set("EMPTY", "")
		escape := map[bool]rune{true: '\\', false: '`'}[backslash]
		theirs := shell.NewLex(escape)
		theirs.SkipProcessQuotes = !quotes
		want, wantErr := theirs.ProcessWordWithMatches(word, getter{vars})
		got, gotErr := lexer{escape, quotes}.expand(word, vars, true, &budget{})
		if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
			t.Fatalf("%q: %v, BuildKit: %v", word, gotErr, wantErr)
		}
		if wantErr != nil {
			return
		}
		if got.Result != want.Result || !slices.Equal(got.Words, want.Words) {
			t.Errorf("%q with A=%q B=%q: %q %q, BuildKit: %q %q", word, a, b, got.Result, got.Words,
				want.Result, want.Words)
		}
		if !maps.Equal(got.Matched, want.Matched) || !maps.Equal(got.Unmatched, want.Unmatched) {
			t.Errorf("%q: %v %v, BuildKit: %v %v", word, got.Matched, got.Unmatched, want.Matched, want.Unmatched)
		}
	})
}

// FuzzIgnore: a .dockerignore leaves out what BuildKit leaves out.
func FuzzIgnore(f *testing.F) {
	for _, text := range []string{"a", "*", "**", "**/b", "**b", "a/**", "a**", "*/b", "a\n!a/b", "!a",
		"a/*\n!a/b\na/b/c", "[a-b]", "?/b", "\\a", "a/\\b*", "**/b/**", "a.b", "***", "/a", "!", "**/*c", "a*/b",
		"x/**/y", "[", "**/", "a^b*", "|*", "a{2}*", "*a\\.b", "*]"} {
		f.Add(text, "a/b/c\na/d\nb\nx/y\nx/z/y\na.b")
	}
	f.Fuzz(func(t *testing.T, text, names string) {
		if len(text) > 100 || len(names) > 300 {
			return
		}
		text, names = strings.ToValidUTF8(text, ""), strings.ToValidUTF8(names, "")
		list := map[string]string{}
		for _, name := range strings.Split(names, "\n") {
			list[strings.TrimPrefix(path.Clean("/"+name), "/")] = ""
		}
		list[".dockerignore"] = text
		c, err := made(list)
		if err != nil {
			return
		}
		patterns, err := ignorefile.ReadAll(strings.NewReader(text))
		if err != nil || len(patterns) == 0 {
			return
		}
		theirs, wantErr := patternmatcher.New(patterns)
		left, g, gotErr := c.ignore(".dockerignore", &files{Source: c.source}, &budget{})
		if wantErr != nil {
			if gotErr == nil {
				t.Fatalf("%q is taken, but BuildKit says %v", text, wantErr)
			}
			return
		}
		parents := map[string]patternmatcher.MatchInfo{}
		for _, name := range c.names {
			ignored, info, err := theirs.MatchesUsingParentResults(name, parents[path.Dir(name)])
			if err != nil {
				if gotErr == nil {
					t.Fatalf("%q is taken, but BuildKit says %v", text, err)
				}
				return
			}
			if gotErr != nil {
				continue
			}
			parents[name] = info
			if !ignored && left.entries[name] == nil {
				t.Fatalf("%q leaves out %q, and BuildKit does not", text, name)
			}
			inside := slices.ContainsFunc(left.names, func(n string) bool { return strings.HasPrefix(n, name+"/") })
			if ignored && left.entries[name] != nil && !inside {
				t.Fatalf("%q takes %q, and BuildKit does not", text, name)
			}
			if hit, err := theirs.MatchesOrParentMatches(name); err == nil {
				if got, err := g.orParent(name); err != nil || got != hit {
					t.Fatalf("%q with the folders of %q: %v %v, BuildKit: %v", text, name, got, err, hit)
				}
			}
		}
		if gotErr != nil {
			t.Fatalf("%q: %v, and BuildKit takes it", text, gotErr)
		}
	})
}
