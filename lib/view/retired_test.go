package view

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Each thing has one word, everywhere. These words were used before: a text that has one fails, with the word to use
// instead. Words are matched whole, in any case.
var (
	retired = []instead{
		{`letters?|e-mails?|mails?`, "email"},
		{`second factors?`, "two-factor authentication"},
		{`telephones?`, "authenticator app, device"},
		{`sign(s|ed)? (in|out)|log-ins?`, "log in, log out, login"},
		{`where you are logged in`, "active sessions"},
		{`switch(es|ed)?( \w+)? (on|off)`, "enable, disable"},
		{`(let|shut)s? (somebody|people)? ?(in|out)`, "activate, suspend"},
		{`take it back`, "make private, revoke"},
		{`what you may have`, "usage and limits"},
		{`may (stay|be) empty`, "optional"},
		{`no limit`, "unlimited"},
		{`for ever|for good|(is|are) good (for|until)`, "unlimited, permanently, expires"},
		{`asked for`, "queued, requested"},
		{`made from`, "source"},
		{`the very`, "the same"},
		{`work(s|ed)? out|exit status(es)?`, "failed, exit code"},
		{`ran longer than`, "timed out after"},
		{`build(ing)? engines?|slots?`, "build service, runner, concurrent builds"},
		{`away`, "offline, unavailable"},
		{`persons?|people`, "user, account"},
		{`(is|are) like that`, "match"},
		{`another release one day`, "moving tag"},
		{`whatever|whoever`, "anything, anyone"},
		{`mends?`, "fixes"},
		{`programs that stay`, "FastCGI"},
		{`in this way`, "method not allowed"},
		{`(was|were|is) not stored|nothing (was|is) stored`, "saved"},
		{`told`, "notified, reported"},
		{`proven?`, "confirmed"},
		{`anew`, "again"},
		{`any more`, "no longer"},
		{`by (itself|themselves)`, "automatically"},
		{`room`, "free space"},
		{`hand(s|ed)? in`, "upload"},
		{`boot checks?`, "boot test"},
		{`you are called`, "name"},
	}
	retiredGerman = []instead{
		{`mails?`, "E-Mail"},
		{`auftr(ag|ags|äge|ägen)`, "Job"},
		{`zweite[nrs]? faktors?`, "Zwei-Faktor-Authentifizierung"},
		{`(ein|aus)(ge)?schalte(t|n)`, "aktivieren, deaktivieren"},
		{`build-engines?`, "Build-Dienst"},
		{`gescheitert|scheiter[nt]`, "fehlgeschlagen"},
		{`person(en)?`, "Benutzer"},
		{`prüfpfads?`, "Audit-Protokoll"},
		{`startproben?`, "Starttest"},
		{`(be)?nutz(e|en|t)|schick(e|en|t|st)?`, "verwenden, senden"},
		{`darf leer bleiben`, "Optional"},
		{`mache?n? ein`, "anlegen, erzeugen"},
	}

	// allowed are names of data, and words that mean something else: characters, a kind of device, a section of each
	// manual page.
	allowed = strings.NewReplacer("person 7", "", "person %d", "", "toaster: second factors", "", ".SH EXIT STATUS", "",
		"letters, digits", "", "[mail]", "", "Telefon oder Tablet", "", "for people", "")
	names = regexp.MustCompile(`\{\{.*?\}\}|<[^>]*>|\b(mail|local)\.\w+`)
)

// instead is a pattern of retired words, and what stands in their place.
type instead struct{ words, use string }

var matchers = map[string]*regexp.Regexp{}

// matcher finds the words as whole words: “E-Mail” has no “Mail” in it.
func (i instead) matcher() *regexp.Regexp {
	if matchers[i.words] == nil {
		matchers[i.words] = regexp.MustCompile(`(?i)(?:^|[^\pL\d_-])(` + i.words + `)(?:[^\pL\d_-]|$)`)
	}
	return matchers[i.words]
}

var code = regexp.MustCompile("`[^`]+`")

// TestNoRetiredWordIsRead: pages, messages, emails, the command line, manual pages and configuration files use the
// words of today.
func TestNoRetiredWordIsRead(t *testing.T) {
	check := func(where, text string, list []instead) {
		text = names.ReplaceAllString(allowed.Replace(text), "")
		for _, r := range list {
			for _, m := range r.matcher().FindAllStringSubmatch(text, -1) {
				t.Errorf("%s: write %q instead of %q: %s", where, r.use, m[1], strings.TrimSpace(text))
			}
		}
	}
	lines := func(path string, list []instead, is func(string) bool) {
		text, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			line = code.ReplaceAllString(line, "") // names of programs and packages
			if is(line) {
				check(path+":"+strconv.Itoa(i+1), line, list)
			}
		}
	}
	all := func(string) bool { return true }
	comment := func(line string) bool { return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "remark") }
	lines("templates/messages/en.txt", retired, func(line string) bool { return !strings.HasPrefix(line, "#") })
	lines("templates/messages/de.txt", retiredGerman, func(line string) bool { return strings.HasPrefix(line, "\t") })
	lines("static/words.de.js", retiredGerman, all)
	lines("templates/help.ace", retired, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") })
	for _, name := range []string{"README.md", "lib/README.md", "conf/README.md", "conf/api.md", "conf/CHANGELOG.md"} {
		lines(name, retired, all)
	}
	lines("conf/jenkins/README.md", retired, all)
	lines("conf/toaster.toml", retired, comment)
	lines("conf/targets.toml", retired, comment)
	for _, dir := range []string{"lib/toasterctl", "lib/auth", "lib/mail", "lib/config"} {
		for where, text := range literals(t, dir) {
			check(where, text, retired)
		}
	}
}

// literals are the texts of a folder's programs that have a space, by file and line: with emails, help and the manual.
func literals(t *testing.T, dir string) map[string]string {
	found := map[string]string{}
	files, err := filepath.Glob("../../" + dir + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(text, " ") {
					at := set.Position(lit.Pos())
					found[dir+"/"+filepath.Base(name)+":"+strconv.Itoa(at.Line)+":"+strconv.Itoa(at.Column)] = text
				}
			}
			return true
		})
	}
	return found
}
