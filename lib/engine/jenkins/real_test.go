package jenkins_test

import (
	"os"
	"testing"
	"time"

	"toaster.do/lib/engine/enginetest"
	"toaster.do/lib/engine/jenkins"
)

// TestRealController runs the suite on a controller: “make test-jenkins”. It needs two free executors that take jobs
// without a label, and the permissions that conf/jenkins/README.md lists.
func TestRealController(t *testing.T) {
	o := jenkins.Options{URL: os.Getenv("JENKINS_URL"), User: os.Getenv("JENKINS_USER"), Token: os.Getenv("JENKINS_TOKEN"),
		CA: os.Getenv("JENKINS_CA")}
	if o.URL == "" {
		t.Skip("JENKINS_URL names no controller")
	}
	e, err := jenkins.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Doctor(t.Context(), nil) {
		if !f.OK() {
			t.Errorf("%s: %s %s", f.Name, f.Message, f.Fix)
		}
	}
	enginetest.Run(t, enginetest.Fixture{Engine: e, Wait: 3 * time.Minute, Poll: 200 * time.Millisecond})
}
