package main

import (
	"testing"

	"toaster.do/lib/web"
)

func TestEveryRouteAsksWhoIsThereAndEveryChangeWhetherTheyMayWrite(t *testing.T) {
	// A feed's address is its secret; a badge is seen when its job's owner says so.
	open := map[string]bool{"/feed/{name}": true, "/{id}/badge.svg": true}
	// Who calls a start hook proves to know its secret.
	calls := map[string]bool{"/push/{secret}": true, "/{id}/push": true}
	for _, r := range routes() {
		if r.Call != calls[r.Path] {
			t.Errorf("%s %s lets its handler find out who sends it: %v", r.Method, r.Path, r.Call)
		}
		if r.Call {
			continue
		}
		if r.Access == web.Anyone && !open[r.Path] {
			t.Errorf("%s %s is open to anyone", r.Method, r.Path)
		}
		if r.Method == "POST" && r.Access != web.Writer && r.Path != "/check" {
			t.Errorf("%s %s needs no right to write", r.Method, r.Path)
		}
		if r.Method == "POST" && r.Again == "" {
			t.Errorf("after %s %s, a log-in leads nowhere", r.Method, r.Path)
		}
	}
}
