package store

import "testing"

func TestTheAuditTrailIsOnlyAddedTo(t *testing.T) {
	db := test(t)
	for _, action := range []string{"login", "login.fail", "logins"} {
		if err := db.Audit(t.Context(), Entry{At: day, Actor: 7, Means: "web", Address: "192.0.2.1", Action: action, Object: "person 7"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{"UPDATE audit SET action = 'x'", "DELETE FROM audit"} {
		if err := db.exec(t.Context(), statement); err == nil {
			t.Errorf("%s is possible", statement)
		}
	}
	found, err := db.Entries(t.Context(), EntryQuery{Action: "login", Limit: 10})
	if err != nil || len(found) != 2 || found[0].Action != "login.fail" || !found[0].At.Equal(day) || found[0].Actor != 7 {
		t.Errorf("%+v %v", found, err)
	}
	if older, err := db.Entries(t.Context(), EntryQuery{Before: found[1].ID, Limit: 10}); err != nil || len(older) != 0 {
		t.Errorf("%+v %v", older, err)
	}
}
