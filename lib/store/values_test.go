package store

import (
	"testing"
	"time"
)

func TestValuesComeBackAsStored(t *testing.T) {
	db := test(t)
	for _, at := range []time.Time{{}, day, day.Add(-100 * 365 * 24 * time.Hour)} {
		var got time.Time
		err := db.r.QueryRow("SELECT ?", timestamp(at)).Scan((*timestamp)(&got))
		if err != nil || !got.Equal(at) || got.Location() != time.UTC {
			t.Errorf("%v came back as %v, %v", at, got, err)
		}
	}
	var took, unknown time.Duration
	err := db.r.QueryRow("SELECT ?, NULL", milliseconds(90*time.Second)).Scan((*milliseconds)(&took),
		(*milliseconds)(&unknown))
	if err != nil || took != 90*time.Second || unknown != 0 {
		t.Errorf("%v, %v, %v", took, unknown, err)
	}
	var absent bool
	ticket, limit, state := "old", 7, Queued
	err = db.r.QueryRow("SELECT ? IS NULL, ?, NULL, 'lost'", null(""), null("t1")).
		Scan(&absent, orZero(&ticket), ifNull(&limit, -1), orZero(&state))
	if err != nil || !absent || ticket != "t1" || limit != -1 || state != Lost {
		t.Errorf("%v, %q, %d, %s, %v", absent, ticket, limit, state, err)
	}
	if err := db.r.QueryRow("SELECT 'soon'").Scan((*timestamp)(&time.Time{})); err == nil {
		t.Error("a text is a time")
	}
}
