package session

import (
	"maps"
	"slices"
	"testing"
	"time"

	"toaster.do/lib/fault"
)

func TestAFormWaitsForItsSender(t *testing.T) {
	s := newSite(t)
	form := map[string][]byte{"name": []byte("web"), "dockerfile": {0, 1, 255, '\n'}, "empty": {}}
	id, err := s.SaveDraft(t.Context(), s.anna.ID, form)
	must(t, err)
	eve := s.person("eve@example.org")
	if _, err := s.Draft(t.Context(), eve.ID, id); fault.KindOf(err) != fault.NotFound {
		t.Errorf("somebody else gets it: %v", err)
	}
	back, err := s.Draft(t.Context(), s.anna.ID, id)
	must(t, err)
	if !maps.EqualFunc(form, back, slices.Equal) {
		t.Errorf("%q came back as %q", form, back)
	}
	if _, err := s.Draft(t.Context(), s.anna.ID, id); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a second time: %v", err)
	}
}

func TestAFormDoesNotWaitForEver(t *testing.T) {
	s := newSite(t)
	id, err := s.SaveDraft(t.Context(), s.anna.ID, nil)
	must(t, err)
	s.now = s.now.Add(time.Hour + time.Second)
	if _, err := s.Draft(t.Context(), s.anna.ID, id); fault.KindOf(err) != fault.NotFound {
		t.Errorf("after an hour: %v", err)
	}
}

func TestOnlyTheNewestFormsWait(t *testing.T) {
	s := newSite(t)
	var ids []string
	for range 7 {
		id, err := s.SaveDraft(t.Context(), s.anna.ID, nil)
		must(t, err)
		ids = append(ids, id)
	}
	for i, id := range ids {
		_, err := s.Draft(t.Context(), s.anna.ID, id)
		if kept := err == nil; kept != (i >= 2) {
			t.Errorf("form %d of 7: %v", i+1, err)
		}
	}
}

func TestAFormThatIsTooLargeIsNotKept(t *testing.T) {
	s := newSite(t)
	fits := make([]byte, s.cfg.Limits.Dockerfile+s.cfg.Limits.Context)
	if _, err := s.SaveDraft(t.Context(), s.anna.ID, map[string][]byte{"context": fits}); err != nil {
		t.Error(err)
	}
	if _, err := s.SaveDraft(t.Context(), s.anna.ID, map[string][]byte{"context": append(fits, make([]byte, 65<<10)...)}); fault.KindOf(err) != fault.TooLarge {
		t.Error(err)
	}
}
