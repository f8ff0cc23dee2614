package jenkins_test

import (
	"testing"
	"time"

	"toaster.do/lib/engine/enginetest"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// engineOn returns an engine on a controller that is imitated.
func engineOn(t testing.TB, s *jenkinstest.Server, change ...func(*jenkins.Options)) *jenkins.Engine {
	t.Helper()
	o := jenkins.Options{URL: s.URL, User: "toaster", Token: "toaster-token", CA: s.CA, Logger: quietly}
	for _, f := range change {
		f(&o)
	}
	e, err := jenkins.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEngine(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{Executors: 4})
	enginetest.Run(t, enginetest.Fixture{Engine: engineOn(t, s), Wait: time.Minute, Poll: 20 * time.Millisecond})
}

// Another site: below a path, with TLS, a password, a view that lists by name, a quiet period, and builds on agents
// only.
func TestEngineElsewhere(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{
		Prefix: "/ci/jenkins", TLS: true, View: "web-sdk-builds", QuietPeriod: time.Second, Executors: -1,
		Agents: []jenkinstest.Agent{{Name: "a1", Labels: []string{"amd64"}, Executors: 2},
			{Name: "a2", Labels: []string{"amd64", "arm64"}, Executors: 2}, {Name: "away", Offline: true}},
	})
	e := engineOn(t, s, func(o *jenkins.Options) { o.Token, o.Password = "", "toaster-password" })
	enginetest.Run(t, enginetest.Fixture{Engine: e, Wait: time.Minute, Poll: 20 * time.Millisecond})
}
