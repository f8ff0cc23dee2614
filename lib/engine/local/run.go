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
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// buildRun is one build, while its runner has it.
type buildRun struct {
	*executor
	request
	ticket int64
	job    string
	number int
	slot   int
	log    *os.File
	stop   context.CancelCauseFunc // with an *outcome; nil until it runs
	ended  chan struct{}           // closed when it has

	made    engine.Made
	borrows bool // it has images of other builds
	begun   time.Time
}

func (r *buildRun) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// outcome is how a build ends. As an error it is why a build is stopped.
type outcome struct {
	state  engine.State
	reason i18n.Text
}

func (o *outcome) Error() string { return o.reason.String() }

// run runs the build from its preparation until nothing of it is left but its log, and its artifacts in the stage.
func (r *buildRun) run(ctx context.Context) end {
	r.Log.Info("build starts", "job", r.job, "number", r.number, "ticket", r.ticket)
	var list []store.Artifact
	how := r.makeScript()
	if how == nil {
		how = r.runScript(ctx)
	}
	if how.state == engine.Succeeded {
		list, how = r.collect(ctx)
	}
	if !how.reason.IsZero() {
		r.logLine(how.reason.String())
	}
	if err := removeWorkDirs(r.folder(), r.outFolder(), r.secretsFolder()); err != nil {
		r.Log.Error("removing a working directory", "job", r.job, "number", r.number, "error", err)
	}
	r.Log.Info("build ended", "job", r.job, "number", r.number, "state", how.state, "reason", how.reason)
	return end{Ticket: r.ticket, State: how.state, Reason: i18n.Stored(how.reason), Took: time.Since(r.begun),
		Artifacts: list}
}

// makeScript makes the build's script; it returns why it can't. A script is never taken from anybody else.
func (r *buildRun) makeScript() *outcome {
	if r.Changed {
		return &outcome{engine.Failed,
			i18n.T("The sources of the job were changed in the database. Save the job again.")}
	}
	made, err := safely(r.Make, r.Source)
	if err != nil {
		r.Log.Error("making a build's script", "job", r.job, "number", r.number, "error", err)
		f := apperr.Of(err)
		return &outcome{engine.Failed,
			i18n.T("Its build script can't be created. %s %s", f.Message, f.Advice)}
	}
	if fmt.Sprintf("%x", sha256.Sum256(made.Script)) != r.SHA256 {
		return &outcome{engine.Failed,
			i18n.T("The targets have just been changed, so the build script differs from the expected one. Build again.")}
	}
	r.made = made
	return nil
}

// safely makes a script. A panic is an error: it ends this build and no other.
func safely(make func(engine.Source) (engine.Made, error), src engine.Source) (made engine.Made, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	return make(src)
}

// A build's folder holds its script, workspace and temporary files. What it leaves goes through outFolder.
func (r *buildRun) folder() string    { return filepath.Join(r.workFolder(), fmt.Sprint(r.ticket)) }
func (r *buildRun) outFolder() string { return r.folder() + ".out" }

// secretsFolder is in memory. It has no name that anybody else could know before it is there.
func (r *buildRun) secretsFolder() string {
	return fmt.Sprintf("%s%d", secretsOf(r.id), r.ticket)
}

// secretsOf begins the names of the folders with the secrets of a runner's builds.
func secretsOf(runner string) string { return "/dev/shm/toaster-" + runner + "-" }

// writeSecrets makes the folder, which only the build can read.
func (r *buildRun) writeSecrets() error {
	if len(r.Secrets) == 0 {
		return nil
	}
	if err := os.Mkdir(r.secretsFolder(), 0o700); err != nil {
		return err
	}
	for name, value := range r.Secrets {
		if err := os.WriteFile(filepath.Join(r.secretsFolder(), name), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *buildRun) runScript(ctx context.Context) *outcome {
	err := AsRoot(r.prepare)
	if err == nil {
		err = r.lendImages(ctx)
	}
	if err == nil && r.made.Context != nil {
		err = r.lendContext(ctx)
	}
	var why *outcome
	if errors.As(err, &why) {
		return why
	}
	if err != nil {
		return r.internalError("preparing a build", err)
	}
	p, err := start(filepath.Join(r.folder(), "script"), filepath.Join(r.folder(), "workspace"), r.environment(),
		r.log, r.contain)
	if err != nil {
		return r.internalError("starting a build", err)
	}
	why = r.wait(ctx, p)
	p.killAll(r.mark())
	if why == nil {
		return exitReason(p)
	}
	// It may have written more before it was stopped.
	if r.checkOutput() != nil {
		r.log.Truncate(r.OutputLimit)
	}
	return why
}

// internalError logs what is not the build's fault.
func (r *buildRun) internalError(doing string, err error) *outcome {
	r.Log.Error(doing, "job", r.job, "number", r.number, "error", err)
	return &outcome{engine.Failed, i18n.T("The runner failed to process this build. See the log of the runner.")}
}

func (r *buildRun) prepare() error {
	// As root a file system with foreign set-uid files may lie here: nobody else gets in. A user's build may
	// use subordinate ids, which have to.
	mode := fs.FileMode(0o755)
	if os.Getuid() == 0 {
		mode = 0o700
	}
	for _, dir := range []string{"", "workspace", "tmp"} {
		if err := os.Mkdir(filepath.Join(r.folder(), dir), mode); err != nil {
			return err
		}
	}
	return errors.Join(r.writeSecrets(), os.WriteFile(filepath.Join(r.folder(), "script"), r.made.Script, 0o644))
}

// mark is what every process of the build has in its environment, unless it was taken out there.
func (r *buildRun) mark() string { return fmt.Sprintf("%s%s/%d", markPrefix, r.id, r.ticket) }

const markPrefix = "TOASTER_BUILD="

// environment is all that a build gets from here: nothing of the runner's own, but SOURCE_DATE_EPOCH, what begins with
// TOASTER_, and the way to a proxy.
func (r *buildRun) environment() []string {
	workspace := filepath.Join(r.folder(), "workspace")
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + workspace, "WORKSPACE=" + workspace, "TMPDIR=" + filepath.Join(r.folder(), "tmp"), "LANG=C.UTF-8",
		"JOB_NAME=" + r.job, fmt.Sprintf("BUILD_NUMBER=%d", r.number),
	}
	if r.borrows {
		env = append(env, "TOASTER_IMAGES="+r.imagesFolder())
	}
	if r.made.Context != nil {
		env = append(env, "TOASTER_CONTEXT="+r.contextFolder())
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToLower(name) {
		case "source_date_epoch", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy":
			env = append(env, v)
		default:
			if strings.HasPrefix(name, "TOASTER_") && name != "TOASTER_SECRETS" && name != "TOASTER_CONTEXT" {
				env = append(env, v)
			}
		}
	}
	env = append(env, r.Env...)
	if len(r.Secrets) > 0 {
		env = append(env, "TOASTER_SECRETS="+r.secretsFolder())
	}
	if r.slot < len(r.IDs) {
		env = append(env, fmt.Sprintf("TOASTER_IDS=%d", r.IDs[r.slot]))
	}
	return append(env, fmt.Sprintf("TOASTER_SCRIPT_SHA256=%x", sha256.Sum256(r.made.Script)), r.mark())
}

// wait waits until the script has ended, or has to. It returns why it has to, or nil.
func (r *buildRun) wait(ctx context.Context, p *process) *outcome {
	limit := cmp.Or(r.request.TimeLimit, r.Executor.TimeLimit)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, &outcome{engine.Failed,
			i18n.T("Timed out after %s.", engine.FormatDuration(limit))})
		defer cancel()
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.ended:
			return r.checkOutput()
		case <-ctx.Done():
			p.stop(r.mark())
			return stopReason(ctx)
		case <-ticker.C:
			// No time to end by itself: it would go on writing.
			if why := r.checkOutput(); why != nil {
				return why
			}
		}
	}
}

// checkOutput tells whether the log is beyond its limit. Scripts write straight to it, so that a killed runner loses
// nothing of what they say; so it may get larger than that for a moment.
func (r *buildRun) checkOutput() *outcome {
	fi, err := r.log.Stat()
	if err != nil || r.OutputLimit == 0 || fi.Size() <= r.OutputLimit {
		return nil
	}
	return &outcome{engine.Failed,
		i18n.T("Stopped: the log exceeded %s.", engine.FormatBytes(r.OutputLimit))}
}

// stopReason is why ctx has ended.
func stopReason(ctx context.Context) *outcome {
	var why *outcome
	if errors.As(context.Cause(ctx), &why) {
		return why
	}
	return &outcome{engine.Aborted, i18n.T("Stopped.")}
}

// exitReason is how the script ended by itself.
func exitReason(p *process) *outcome {
	switch code, signal := p.result(); {
	case signal != 0:
		return &outcome{engine.Failed,
			i18n.T("The build script was killed by signal %d (%v), not by toaster.", signal, signal)}
	case code != 0:
		return &outcome{state: engine.Failed} // the script has said why
	}
	return &outcome{state: engine.Succeeded}
}

// logLine writes a line of the runner's own to the end of the log.
func (r *buildRun) logLine(line string) {
	if err := writeLogLine(r.log, line); err != nil {
		r.Log.Error("writing to a log", "job", r.job, "number", r.number, "error", err)
	}
}

func writeLogLine(log *os.File, line string) error {
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
