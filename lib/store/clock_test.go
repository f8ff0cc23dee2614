package store

import (
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// A clock that was an hour ahead for a while has left tries and times of the future.
func TestAClockThatWasSetBack(t *testing.T) {
	db := queue(t, "job")
	now := time.Now()
	ahead := now.Add(time.Hour)
	guess := Limit{Key: "somebody", Rates: []Rate{{5, 10 * time.Second}}}
	for range 5 {
		if _, err := db.Try(t.Context(), ahead, guess); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Try(t.Context(), ahead, guess); apperr.KindOf(err) != apperr.RateLimited {
		t.Errorf("a sixth try: %v", err)
	}
	if _, err := db.Try(t.Context(), now, guess); err != nil {
		t.Errorf("nobody has tried at this time: %v", err)
	}

	start(t, db, "job")
	b, _, _, err := db.LocalTake(t.Context(), "runner", ahead, func(LocalBuild) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if !finish(t, db, b, Succeeded) {
		t.Fatal("it did not end")
	}
	s, err := db.LocalStatuses(t.Context(), []string{"job"}, 1)
	if err != nil || len(s["job"].Builds) != 1 {
		t.Fatal(s, err)
	}
	if b := s["job"].Builds[0]; b.EndedAt.Before(b.StartedAt) || s["job"].Expected < 0 {
		t.Errorf("begun %s, ended %s, took %s", b.StartedAt, b.EndedAt, s["job"].Expected)
	}
}
