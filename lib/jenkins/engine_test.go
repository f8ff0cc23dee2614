package jenkins_test

import (
	"testing"
	"time"

	"toaster.do/lib/build/enginetest"
	"toaster.do/lib/jenkins"
	"toaster.do/lib/jenkins/standin"
)

// engineOn returns an engine on a stand-in for a controller.
func engineOn(t testing.TB, s *standin.Server, change ...func(*jenkins.Options)) *jenkins.Engine {
	t.Helper()
	o := jenkins.Options{URL: s.URL, User: "toaster", Token: "toaster-token", CA: s.CA}
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
	s := standin.Start(t, standin.Options{Executors: 4})
	enginetest.Run(t, enginetest.Fixture{Engine: engineOn(t, s), Wait: time.Minute, Poll: 20 * time.Millisecond})
}
