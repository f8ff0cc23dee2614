package main

import (
	"context"
	"fmt"
	"time"

	"toaster.do/lib/auth/session"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// signupFinding says who may make an account, and what that means for this host.
func signupFinding(cfg *config.Config) finding {
	note := map[string]string{
		"open": "open", "approval": "requires approval", "closed": "closed",
	}[cfg.Signup.Mode]
	if cfg.Signup.Mode == "open" && cfg.Engine == "local" {
		note += ": everybody can run programs in builds on this host. To require approval, set signup.mode = \"approval\""
	}
	return fine("sign-up", note)
}

// proxied is how long ago a proxy must have hidden who sends requests for that to be of the past; programs note it
// once an hour.
const proxied = 2 * time.Hour

// proxyFinding says whether requests come through a proxy that the web server doesn't know of: all people have one
// address then.
func proxyFinding(ctx context.Context, cfg *config.Config) finding {
	const what = "client addresses"
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return sick(what, err, "")
	}
	defer db.Close()
	text, err := db.Setting(ctx, session.ProxyFact)
	if err != nil {
		return sick(what, err, "")
	}
	last, err := time.Parse(time.RFC3339, text)
	if err != nil || time.Since(last) > proxied {
		return fine(what, "")
	}
	return finding{
		What: what,
		Problem: fmt.Sprintf("hidden by a proxy, last at %s: login attempts can't be limited per client.",
			last.Local().Format(time.DateTime)),
		Advice: "Configure the web server for the proxy. Apache: a2enmod remoteip, with RemoteIPHeader X-Forwarded-For and RemoteIPInternalProxy ADDRESS; " +
			"lighttpd: mod_extforward, with extforward.forwarder = ( \"ADDRESS\" => \"trust\" ). This message disappears after two hours.",
	}
}
