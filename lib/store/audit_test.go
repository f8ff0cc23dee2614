package store

import "testing"

func TestTheAuditTrailIsOnlyAddedTo(t *testing.T) {
	db := test(t)
	for _, action := range []string{"login", "login.fail", "logins"} {
		if err := db.Audit(t.Context(), AuditEntry{At: day, Actor: 7, Means: "web", Address: "192.0.2.1", Action: action,
			Object: "user 7"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{"UPDATE audit SET action = 'x'", "DELETE FROM audit"} {
		if err := db.exec(t.Context(), statement); err == nil {
			t.Errorf("%s is possible", statement)
		}
	}
	found, err := db.AuditEntries(t.Context(), AuditQuery{Action: "login", Limit: 10})
	if err != nil || len(found) != 2 || found[0].Action != "login.fail" || !found[0].At.Equal(day) || found[0].Actor != 7 {
		t.Errorf("%+v %v", found, err)
	}
	if older, err := db.AuditEntries(t.Context(), AuditQuery{Before: found[1].ID, Limit: 10}); err != nil ||
		len(older) != 0 {
		t.Errorf("%+v %v", older, err)
	}
}

// TestTheAuditTrailSaysWho: by the address of that time, also of somebody who is removed.
func TestTheAuditTrailSaysWho(t *testing.T) {
	db := test(t)
	anna, ben := &User{Email: "anna@example.org", Role: RoleAdmin, State: Active,
		CreatedAt: day}, &User{Email: "ben@example.org", Role: RoleUser, State: Active, CreatedAt: day}
	for _, p := range []*User{anna, ben} {
		if err := db.AddUser(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Audit(t.Context(), AuditEntry{At: day, Actor: anna.ID, Means: "web", Action: "user.state",
		Object: UserObject(ben.ID)}); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveUser(t.Context(), ben.ID, day, Mail{},
		AuditEntry{At: day, Actor: ben.ID, Means: "web", Action: "account.remove"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Audit(t.Context(), AuditEntry{At: day, Means: "sync", Action: "user.purge",
		Object: UserObject(ben.ID)}); err != nil {
		t.Fatal(err)
	}
	found, err := db.AuditEntries(t.Context(), AuditQuery{Object: "BEN@example.org", Limit: 10})
	if err != nil || len(found) != 3 {
		t.Fatalf("%+v %v", found, err)
	}
	for _, e := range found {
		if e.ObjectName != "ben@example.org" || e.Action == "account.remove" && e.ActorName != "ben@example.org" {
			t.Errorf("%+v", e)
		}
	}
	found, err = db.AuditEntries(t.Context(), AuditQuery{By: "anna@example.org", Action: "user.state", Limit: 10})
	if err != nil || len(found) != 1 || found[0].ActorName != "anna@example.org" {
		t.Errorf("%+v %v", found, err)
	}
}
