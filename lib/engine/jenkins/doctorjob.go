package jenkins

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine"
	"toaster.do/lib/shell"
)

// trialName is the job of doctors: where one can't be deleted, the next doctor takes the same.
const trialName = "toaster-doctor"

// trialScript looks for what every build needs on its agent: conf/jenkins/README.md.
const trialScript = `missing=
while read -r tool package; do
	command -v "$tool" >/dev/null || missing="$missing $package"
done <<-END
	unshare util-linux
	ip iproute2
	perl perl
	slirp4netns slirp4netns
	tar tar
	zsh zsh
END
command -v crun >/dev/null || command -v runc >/dev/null || missing="$missing crun"
[ -z "$missing" ] || { echo "toaster: failed: missing:$missing."; exit 3; }
`

// reachScript looks from an agent for the site, which builds get their large contexts from. SITE stands for its address.
const reachScript = `site=SITE
if command -v curl >/dev/null; then
	why=$(curl --fail --silent --show-error --location --max-time 8 --output /dev/null "$site" 2>&1)
elif command -v wget >/dev/null; then
	why=$(wget --quiet --tries=1 --timeout=8 --output-document=/dev/null "$site" 2>&1)
else
	echo "toaster: failed: missing: curl."; exit 3
fi || { echo "toaster: failed: it can't reach $site, from where it gets build contexts of over 1 MiB. $why"; exit 3; }
`

// script is what a trial's build runs.
func (t *trial) script() []byte {
	if t.site == "" {
		return []byte(trialScript)
	}
	return []byte(trialScript + strings.Replace(reachScript, "SITE", shell.Quote(t.site+"/"), 1))
}

// trial is what a doctor tries with a job of its own.
type trial struct {
	*Engine
	job engine.Job
	all []check.Result
}

// checkPermissions goes through the life of a job, with builds on agents of the labels.
func (e *Engine) checkPermissions(ctx context.Context, labels []string) []check.Result {
	t := &trial{Engine: e, job: engine.Job{
		Name: trialName, Description: "Created by “toasterctl doctor” to test permissions. It can be deleted.",
		Label: "toaster-doctor-no-agent-has-this-label", Script: []byte("exit 1\n"), TimeLimit: time.Minute,
	}}
	if !t.try("to create a job", "Job/Create", t.create(ctx)) {
		return t.all
	}
	if !t.try("to see a job", "Job/Read", t.see(ctx)) {
		t.all[len(t.all)-1].Fix += " The job " + trialName + " stays until the next “toasterctl doctor” deletes it."
		return append(t.all, check.Skip("other permissions", "they need Job/Read"))
	}
	if t.try("to change a job", "Job/Configure", t.configure(ctx)) &&
		t.try("to start a build", "Job/Build", t.post(ctx, "/build")) {
		t.try("to cancel a build", "Job/Cancel", t.cancelAll(ctx))
		t.builds(ctx, labels)
	}
	if _, err := (&gojenkins.Job{Jenkins: e.jenkins, Base: path("job", trialName)}).Delete(ctx); !t.try("to delete a job",
		"Job/Delete", err) {
		t.all[len(t.all)-1].Fix += " The job " + trialName + " stays until the next “toasterctl doctor” deletes it."
	}
	return t.all
}

// try notes what came of something, and what permission it lacks.
func (t *trial) try(what, lacks string, err error) bool {
	f := check.OK("permission "+what, "")
	switch kind := apperr.KindOf(err); {
	case err == nil:
	case kind == apperr.PermissionDenied || kind == apperr.NotFound:
		f = check.Fail(f.Name, "The account is not allowed to do that.", "Give it the permission "+lacks+".")
	default:
		f = t.failed(f.Name, err)
	}
	t.all = append(t.all, f)
	return err == nil
}

// create makes the job. One that is there is an earlier doctor's: then whether one can be made is seen when it is gone.
func (t *trial) create(ctx context.Context) error {
	make := func() error {
		_, err := t.requester.PostXML(ctx, "/createItem", config(t.job, false), nil, map[string]string{"name": trialName})
		return err
	}
	err := make()
	if apperr.KindOf(err) != apperr.AlreadyExists {
		return err
	}
	if _, err := (&gojenkins.Job{Jenkins: t.jenkins, Base: path("job", trialName)}).Delete(ctx); err != nil {
		return nil
	}
	return make()
}

func (t *trial) see(ctx context.Context) error {
	_, err := t.getJob(ctx, trialName, "description")
	return err
}

func (t *trial) configure(ctx context.Context) error {
	_, err := t.requester.PostXML(ctx, path("job", trialName, "config.xml"), config(t.job, false), nil, nil)
	return err
}

func (t *trial) post(ctx context.Context, action string) error {
	_, err := t.requester.Post(ctx, path("job", trialName)+action, nil, nil, map[string]string{"delay": "0sec"})
	return err
}

func (t *trial) cancelAll(ctx context.Context) error {
	j, err := t.getJob(ctx, trialName, "queueItem[id]")
	if err != nil {
		return err
	}
	return t.cancel(ctx, j)
}

// builds lets a build run on an agent of each label, and removes the first.
func (t *trial) builds(ctx context.Context, labels []string) {
	removed := false
	for _, label := range labels {
		f := check.OK("a build on "+agentWith(label), "")
		b, why := t.build(ctx, label)
		switch {
		case b == nil:
			f = check.Skip(f.Name, why)
		case b.State == engine.Succeeded:
		case b.State == engine.Failed:
			f = check.Fail(f.Name, "It failed: "+why, "Prepare the agent as described in conf/jenkins/README.md.")
		default:
			f = check.Fail(f.Name, why, "See the log of Jenkins and of its agent.")
		}
		t.all = append(t.all, f)
		if b != nil && !removed {
			removed = true
			at := fmt.Sprintf("/%d/toggleLogKeep", b.Number)
			var err error
			if t.try("to keep a build", "Run/Update", t.post(ctx, at)) {
				err = t.post(ctx, at) // which is for who may delete: Run.keepLog
			}
			if err == nil {
				err = t.Expire(ctx, trialName, b.Number)
			}
			t.try("to delete a build", "Run/Delete", err)
		}
	}
	if !removed {
		t.all = append(t.all, check.Skip("permission to delete a build", "no test build has run"))
	}
}

// trialTime is how long a build of a doctor's may take, with its way through the queue.
const trialTime = 20 * time.Second

// build runs the script on an agent with a label, and returns how it ended, and why; nil when it has not.
func (t *trial) build(ctx context.Context, label string) (*engine.BuildStatus, string) {
	t.job.Label, t.job.Script = label, t.script()
	err := t.configure(ctx)
	var ticket engine.Ticket
	if err == nil {
		ticket, err = t.Start(ctx, trialName)
	}
	why := "it did not start in time"
	for end := time.Now().Add(trialTime); err == nil && time.Now().Before(end) && sleep(ctx, 50*time.Millisecond); {
		var all map[string]engine.Status
		if all, err = t.Status(ctx, trialName); err != nil {
			break
		}
		s := all[trialName]
		if s.Waiting != nil {
			why = "it " + s.Waiting.Reason.String()
		}
		for _, b := range s.Builds {
			if b.Ticket != ticket || !b.State.Ended() {
				continue
			}
			return &b, t.failureReason(ctx, b)
		}
	}
	if err != nil {
		return nil, errorDetails(err)
	}
	t.cancelAll(ctx)
	return nil, why
}

// failureReason is why a build has ended, by the last mark in its log.
func (t *trial) failureReason(ctx context.Context, b engine.BuildStatus) (why string) {
	if b.State == engine.Lost {
		_, why, _ := t.Examine(ctx, trialName, b.Number)
		return why.String()
	}
	c, err := t.Log(ctx, trialName, b.Number, 0)
	if err != nil {
		return errorDetails(err)
	}
	var lines engine.Scanner
	lines.Scan(c.Text, func(_ []byte, m engine.Mark) {
		if m.Kind == engine.ScriptFailed {
			why = m.Why
		}
	})
	return why
}

func agentWith(label string) string {
	if label == "" {
		return "an agent for targets without a label"
	}
	return fmt.Sprintf("an agent with label %s", label)
}
