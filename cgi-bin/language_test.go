package cgibin

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"toaster.do/templates"
)

// leftovers are messages that stand on a German page in English: those that say enough to be known again.
func leftovers(t *testing.T, body string) (list []string) {
	t.Helper()
	catalog, err := templates.Messages.ReadFile("messages/de.txt")
	if err != nil {
		t.Fatal(err)
	}
	english := ""
	for line := range strings.Lines(string(catalog)) {
		line = strings.TrimSuffix(line, "\n")
		other, german := strings.CutPrefix(line, "\t")
		if !german {
			english = line
		} else if words := strings.Count(english, " "); words > 1 && !strings.ContainsAny(english, "{%<") &&
			other != english && strings.Contains(body, english) {
			list = append(list, english)
		}
	}
	return list
}

func TestPagesAreGermanForThoseWhoReadIt(t *testing.T) {
	s := newSite(t)
	program := s.program(s.token(ada, "write"))
	id := program.addJob("start", "1")
	s.run(program, id, 1, "echo 'TOASTER-STEP 1/2 3 RUN apt-get install nonsense'; echo 'E: Unable to locate package "+
		"nonsense'\n"+
		`printf 'TOASTER-WHY line %%s of the Dockerfile failed%%s: %%s\t3\t (exit code 100)\tRUN apt-get install nonsense\n'; `+
		"echo 'toaster: failed: line 3 of the Dockerfile failed (exit code 100): RUN apt-get install nonsense'; exit 6")
	c := s.admin().with("Accept-Language", "de-DE,de;q=0.9,en;q=0.5")
	owner := s.browser(ada).with("Accept-Language", "de")
	for path, says := range map[string]string{
		"/": "Baue ein Devuan-Image aus deinem Dockerfile", "/help": "Läuft im Dateisystem des Images",
		"/missing": "Diese Seite gibt es nicht.",
		"/account": "Aktive Sitzungen", "/account/tokens": "Du hast keine Tokens.",
		"/account/factor": "Zwei-Faktor-Authentifizierung", "/account/sessions": "Dieser Browser",
		"/account/password": "Aktuelles Passwort", "/account/remove": "Gib zur Bestätigung „delete“ ein",
		"/account/sent?for=recover": "haben wir eine E-Mail an",
		"/admin/people":             "E-Mail oder Name", "/admin/jobs": "Alle Jobs",
		"/admin/health": "„toasterctl sync“ lief noch nie",
		"/admin/audit":  "Audit-Protokoll",
		"/jobs":         "Noch keine Jobs", "/jobs/new": "Füge es hier ein",
		"/jobs/new?note=added": "Der Job ist gespeichert.",
	} {
		german(t, c.get(path), path, says)
	}
	for path, says := range map[string]string{
		"/jobs": "fehlgeschlagen", "/jobs/" + id: "Für jeden Job werden Protokolle und Dateien der neuesten 5",
		"/jobs/" + id + "/remove": "Endgültig löschen", "/jobs/" + id + "/update": "Job bearbeiten",
		"/jobs/" + id + "/compare": "Build 1 hat kein Image.", "/jobs/feed": "Der Atom-Feed",
		"/account/tokens": "läuft nie ab",
		"/jobs/" + id + "/builds/1": "Zeile 3 des Dockerfiles ist fehlgeschlagen (exit code 100): RUN apt-get install " +
			"nonsense",
	} {
		german(t, owner.get(path), path, says)
	}
	if page := owner.get("/jobs/" + id + "/builds/1").body; !strings.Contains(page, "„nonsense“") ||
		!regexp.MustCompile(`>\d+\. \p{Lu}\pL+\.? \d{4}, `).MatchString(page) || !strings.Contains(page, "Schritt 1 von 2") {
		t.Error(page)
	}
	german(t, s.anybody().with("Accept-Language", "de").get("/account/signup"), "/account/signup", "Registrieren")
	german(t, owner.post("/jobs", "text", "FROM debian:bookworm\nRUN\n", "target", target), "a form with a fault",
		"Nichts wurde gespeichert. Korrigiere ein Feld.")
	german(t, owner.post("/account/login", "email", ada, "password", "wrong"), "a wrong password",
		"E-Mail-Adresse oder Passwort ist falsch.")
}

func german(t *testing.T, a *answer, what, says string) {
	t.Helper()
	body := html.UnescapeString(a.body)
	if !strings.Contains(body, `<html lang="de">`) || !strings.Contains(body, says) ||
		!strings.Contains(body, "/static/words.de.js?v=") {
		t.Errorf("%s (%d) doesn't say %q in German: %s", what, a.status, says, body)
	}
	if !strings.Contains(a.header.Get("Vary"), "Accept-Language") {
		t.Errorf("%s: Vary: %s", what, a.header.Get("Vary"))
	}
	if list := leftovers(t, body); list != nil {
		t.Errorf("%s says in English: %q", what, list)
	}
}

func TestOthersReadEnglish(t *testing.T) {
	s := newSite(t)
	for _, language := range []string{"fr", "en, de;q=0.5", "", "*"} {
		a := s.anybody().with("Accept-Language", language).get("/")
		if !strings.Contains(a.body, `<html lang="en">`) ||
			!strings.Contains(a.body, "Build a Devuan image from your Dockerfile") || strings.Contains(a.body, "words.") {
			t.Errorf("%q: %s", language, a.body)
		}
	}
}

func TestProgramsAreToldInEnglishUnlessTheyAskOtherwise(t *testing.T) {
	c := newSite(t)
	p := c.program(c.token(ada, "write")).with("Accept-Language", "de")
	if a := p.get("/jobs/aaaaaaaaaaaa"); a.json(t)["detail"] != "This job does not exist." {
		t.Error(a.body)
	}
	if a := p.get("/jobs/aaaaaaaaaaaa?lang=de"); a.json(t)["detail"] != "Diesen Job gibt es nicht." {
		t.Error(a.body)
	}
	const text = "FROM debian:bookworm\nRUN apt-get install x\n"
	for query, says := range map[string]string{"": "apt-get install without -y stops and waits",
		"?lang=de": "apt-get install ohne -y wartet auf"} {
		if a := p.post("/jobs/check"+query, "text", text, "target", target); a.status != 200 ||
			!strings.Contains(a.body, says) {
			t.Errorf("%s: %s", query, a.body)
		}
		if a := p.post("/jobs"+query, "text", text+"RUN\n", "target", target); a.status != 422 ||
			!strings.Contains(a.body, says) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}
