package auth

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

func digits(n int) string { return strconv.Itoa(n) }

func TestMailsAreReadable(t *testing.T) {
	a := &Accounts{cfg: config.Default()}
	if l := a.invitation("a@b.c", "s"); l.Recipient != "" {
		t.Error("there is a letter without mail: ", l)
	}
	a.cfg.Mail.From, a.cfg.Site.URL, a.cfg.Site.Name = "t@b.c", "https://b.c/toaster", "Größter Toaster"
	mails := []store.Mail{a.invitation("a@b.c", "s"), a.takenMail("a@b.c"), a.recoverMail("a@b.c", "s"),
		a.addressMail("a@b.c", "s"),
		a.news("a@b.c", "New password", "The password was changed."), a.approvalMail("a@b.c", "x@y.z"),
		a.activatedMail("a@b.c")}
	for _, l := range mails {
		for line := range strings.Lines(l.Body) {
			if utf8.RuneCountInString(line) > 73 && !strings.HasPrefix(line, "    https://") {
				t.Errorf("%s: a long line: %s", l.Subject, line)
			}
		}
		if l.Recipient != "a@b.c" || !strings.Contains(l.Subject, a.cfg.Site.Name) ||
			!strings.Contains(l.Body, "https://b.c/toaster/") ||
			!strings.HasSuffix(l.Body, "-- \nGrößter Toaster\nhttps://b.c/toaster/\n") {
			t.Errorf("%+v", l)
		}
	}
}

func TestWhatIsKnownOfTheUserIsGuessedFirst(t *testing.T) {
	a := &Accounts{cfg: config.Default()}
	words := strings.Join(a.words("ada.lovelace@example.org", "Ada King"), " ")
	for _, want := range []string{"ada.lovelace@example.org", " lovelace ", " example ", " King", "toaster", "devuan"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not among %s", want, words)
		}
	}
}
