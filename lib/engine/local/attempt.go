package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// attempt is one build, while its runner has it.
type attempt struct {
	*keeper
	request
	ticket int64
	job    string
	number int
	slot   int
	log    *os.File
	stop   context.CancelCauseFunc // with an *outcome; nil until it runs
	ended  chan struct{}           // closed when it has

	script []byte
	begun  time.Time
}

func (a *attempt) hasEnded() bool {
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// outcome is how a build ends. As an error it is why a build is stopped.
type outcome struct {
	state  engine.State
	reason string
}

func (o *outcome) Error() string { return o.reason }

// run runs the build from its preparation until nothing of it is left but its log, and its artifacts in the stage.
func (a *attempt) run(ctx context.Context) end {
	a.Log.Info("build starts", "job", a.job, "number", a.number, "ticket", a.ticket)
	var list []store.Artifact
	how := a.make()
	if how == nil {
		how = a.build(ctx)
	}
	if how.state == engine.Succeeded {
		list, how = a.collect(ctx)
	}
	if how.reason != "" {
		a.note(how.reason)
	}
	if err := remove(a.folder(), a.outFolder()); err != nil {
		a.Log.Error("removing a working directory", "job", a.job, "number", a.number, "error", err)
	}
	a.Log.Info("build ended", "job", a.job, "number", a.number, "state", how.state, "reason", how.reason)
	return end{Ticket: a.ticket, State: how.state, Reason: how.reason, Took: time.Since(a.begun), Artifacts: list}
}

// make makes the build's script; it returns why it can't. A script is never taken from anybody else.
func (a *attempt) make() *outcome {
	if a.Changed {
		return &outcome{engine.Failed,
			"The sources of the job were changed in the database. Save the job again."}
	}
	script, err := safely(a.Make, a.Source)
	if err != nil {
		a.Log.Error("making a build's script", "job", a.job, "number", a.number, "error", err)
		f := apperr.Of(err)
		return &outcome{engine.Failed,
			strings.TrimSpace("Its build script can't be created. " + f.Message + " " + f.Advice)}
	}
	if fmt.Sprintf("%x", sha256.Sum256(script)) != a.SHA256 {
		return &outcome{engine.Failed,
			"The targets have just been changed, so the build script differs from the expected one. Build again."}
	}
	a.script = script
	return nil
}

// safely makes a script. A panic is an error: it ends this build and no other.
func safely(make func(engine.Source) ([]byte, error), src engine.Source) (script []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	return make(src)
}

// A build's folder holds its script, workspace and temporary files. What it leaves goes through outFolder.
func (a *attempt) folder() string    { return filepath.Join(a.workFolder(), fmt.Sprint(a.ticket)) }
func (a *attempt) outFolder() string { return a.folder() + ".out" }

func (a *attempt) build(ctx context.Context) *outcome {
	if err := AsRoot(a.furnish); err != nil {
		return a.trouble("preparing a build", err)
	}
	p, err := start(filepath.Join(a.folder(), "script"), filepath.Join(a.folder(), "workspace"), a.environment(),
		a.log, a.contain)
	if err != nil {
		return a.trouble("starting a build", err)
	}
	why := a.watch(ctx, p)
	p.clear(a.mark())
	if why == nil {
		return ended(p)
	}
	// It may have written more before it was stopped.
	if a.tooLong() != nil {
		a.log.Truncate(a.OutputLimit)
	}
	return why
}

// trouble logs what is not the build's fault.
func (a *attempt) trouble(doing string, err error) *outcome {
	a.Log.Error(doing, "job", a.job, "number", a.number, "error", err)
	return &outcome{engine.Failed, "The runner failed to process this build. See the log of the runner."}
}

func (a *attempt) furnish() error {
	// As root a file system with foreign set-uid files may lie here: nobody else gets in. A user's build may
	// use subordinate ids, which have to.
	mode := fs.FileMode(0o755)
	if os.Getuid() == 0 {
		mode = 0o700
	}
	for _, dir := range []string{"", "workspace", "tmp"} {
		if err := os.Mkdir(filepath.Join(a.folder(), dir), mode); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(a.folder(), "script"), a.script, 0o644)
}

// mark is what every process of the build has in its environment, unless it was taken out there.
func (a *attempt) mark() string { return fmt.Sprintf("%s%s/%d", markOf, a.id, a.ticket) }

const markOf = "TOASTER_BUILD="

// environment is all that a build gets from here: nothing of the runner's own, but SOURCE_DATE_EPOCH, what begins with
// TOASTER_, and the way to a proxy.
func (a *attempt) environment() []string {
	workspace := filepath.Join(a.folder(), "workspace")
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + workspace, "WORKSPACE=" + workspace, "TMPDIR=" + filepath.Join(a.folder(), "tmp"), "LANG=C.UTF-8",
		"JOB_NAME=" + a.job, fmt.Sprintf("BUILD_NUMBER=%d", a.number),
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToLower(name) {
		case "source_date_epoch", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy":
			env = append(env, v)
		default:
			if strings.HasPrefix(name, "TOASTER_") {
				env = append(env, v)
			}
		}
	}
	env = append(env, a.Env...)
	if a.slot < len(a.IDs) {
		env = append(env, fmt.Sprintf("TOASTER_IDS=%d", a.IDs[a.slot]))
	}
	return append(env, fmt.Sprintf("TOASTER_SCRIPT_SHA256=%x", sha256.Sum256(a.script)), a.mark())
}

// watch waits until the script has ended, or has to. It returns why it has to, or nil.
func (a *attempt) watch(ctx context.Context, p *process) *outcome {
	limit := cmp.Or(a.request.TimeLimit, a.Keeper.TimeLimit)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, &outcome{engine.Failed, fmt.Sprintf("Timed out after %s.", engine.InWords(limit))})
		defer cancel()
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.ended:
			return a.tooLong()
		case <-ctx.Done():
			p.stop(a.mark())
			return because(ctx)
		case <-ticker.C:
			// No time to end by itself: it would go on writing.
			if why := a.tooLong(); why != nil {
				return why
			}
		}
	}
}

// tooLong tells whether the log is beyond its limit. Scripts write straight to it, so that a killed runner loses
// nothing of what they say; so it may get larger than that for a moment.
func (a *attempt) tooLong() *outcome {
	fi, err := a.log.Stat()
	if err != nil || a.OutputLimit == 0 || fi.Size() <= a.OutputLimit {
		return nil
	}
	return &outcome{engine.Failed, fmt.Sprintf("Stopped: the log exceeded %s.", engine.InBytes(a.OutputLimit))}
}

// because is why ctx has ended.
func because(ctx context.Context) *outcome {
	var why *outcome
	if errors.As(context.Cause(ctx), &why) {
		return why
	}
	return &outcome{engine.Aborted, "Stopped."}
}

// ended is how the script ended by itself.
func ended(p *process) *outcome {
	switch code, signal := p.result(); {
	case signal != 0:
		return &outcome{engine.Failed, fmt.Sprintf("The build script was killed by signal %d (%v), not by toaster.", signal, signal)}
	case code != 0:
		return &outcome{state: engine.Failed} // the script has said why
	}
	return &outcome{state: engine.Succeeded}
}

// note writes a line of the runner's own to the end of the log.
func (a *attempt) note(line string) {
	if err := note(a.log, line); err != nil {
		a.Log.Error("writing to a log", "job", a.job, "number", a.number, "error", err)
	}
}

func note(log *os.File, line string) error {
	line = "toaster: " + line + "\n"
	last := []byte{'\n'}
	if fi, err := log.Stat(); err == nil && fi.Size() > 0 {
		log.ReadAt(last, fi.Size()-1)
	}
	if last[0] != '\n' {
		line = "\n" + line
	}
	_, err := log.WriteString(line)
	return err
}
