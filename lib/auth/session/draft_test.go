package session

import (
	"maps"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

func TestAFormWaitsForItsSender(t *testing.T) {
	s := newSite(t)
	form := map[string][]byte{"name": []byte("web"), "dockerfile": {0, 1, 255, '\n'}, "empty": {}}
	r := httptest.NewRequest("GET", "/", nil)
	id, err := s.SaveDraft(t.Context(), s.anna.ID, form)
	must(t, err)
	eve := s.user("eve@example.org")
	if _, err := s.Draft(r, eve.ID, id); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("somebody else gets it: %v", err)
	}
	back, err := s.Draft(r, s.anna.ID, id)
	must(t, err)
	if !maps.EqualFunc(form, back, slices.Equal) {
		t.Errorf("%q came back as %q", form, back)
	}
	if _, err := s.Draft(r, s.anna.ID, id); err != nil {
		t.Errorf("the page was loaded again: %v", err)
	}
}

func TestAFormDoesNotWaitForEver(t *testing.T) {
	s := newSite(t)
	id, err := s.SaveDraft(t.Context(), s.anna.ID, nil)
	must(t, err)
	s.now = s.now.Add(24*time.Hour + time.Second)
	if _, err := s.Draft(httptest.NewRequest("GET", "/", nil), s.anna.ID, id); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("after a day: %v", err)
	}
}

func TestOnlyTheNewestFormsWait(t *testing.T) {
	s := newSite(t)
	var ids []string
	for range 10 {
		id, err := s.SaveDraft(t.Context(), s.anna.ID, nil)
		must(t, err)
		ids = append(ids, id)
	}
	for i, id := range ids {
		_, err := s.Draft(httptest.NewRequest("GET", "/", nil), s.anna.ID, id)
		if kept := err == nil; kept != (i >= 2) {
			t.Errorf("form %d of 10: %v", i+1, err)
		}
	}
}

func TestAFormThatIsTooLargeIsNotKept(t *testing.T) {
	s := newSite(t)
	fits := make([]byte, s.cfg.Limits.Dockerfile+draftContext)
	if _, err := s.SaveDraft(t.Context(), s.anna.ID, map[string][]byte{"context": fits}); err != nil {
		t.Error(err)
	}
	if _, err := s.SaveDraft(t.Context(), s.anna.ID, map[string][]byte{"context": append(fits,
		make([]byte, 512<<10)...)}); apperr.KindOf(err) != apperr.TooLarge {
		t.Error(err)
	}
}

// Whoever sends a form without being known has it with the same browser alone, and the first who logs in there has it
// for good.
func TestANobodysFormWaitsInTheirBrowser(t *testing.T) {
	s := newSite(t)
	w := httptest.NewRecorder()
	id, err := s.SaveDraftFor(w, httptest.NewRequest("POST", "/jobs", nil), map[string][]byte{"text": []byte("FROM x")})
	must(t, err)
	same, other := httptest.NewRequest("GET", "/", nil), httptest.NewRequest("GET", "/", nil)
	for _, c := range w.Result().Cookies() {
		same.AddCookie(c)
		c.Value = "guessed"
		other.AddCookie(c)
	}
	if _, err := s.Draft(other, s.anna.ID, id); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("another browser: %v", err)
	}
	if back, err := s.Draft(same, s.anna.ID, id); err != nil || string(back["text"]) != "FROM x" {
		t.Errorf("%q, %v", back, err)
	}
	if _, err := s.Draft(same, s.user("eve@example.org").ID, id); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("somebody who logs in later: %v", err)
	}
	if _, err := s.SaveDraftFor(w, httptest.NewRequest("POST", "/jobs", nil),
		map[string][]byte{"text": make([]byte, 1<<20)}); apperr.KindOf(err) != apperr.TooLarge {
		t.Errorf("a large one: %v", err)
	}
	for range 20 {
		_, err = s.SaveDraftFor(w, httptest.NewRequest("POST", "/jobs", nil), nil)
	}
	if apperr.KindOf(err) != apperr.RateLimited {
		t.Errorf("many: %v", err)
	}
}
