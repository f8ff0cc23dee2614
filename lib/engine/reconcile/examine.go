package reconcile

import (
	"context"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// examineEnded asks an engine that is an Examiner how a build was ended that has not ended by itself, and that nobody
// here wanted stopped. It reports false where the engine has to be asked again.
func (r *Reconciler) examineEnded(ctx context.Context, job *store.Job, b *store.Build) bool {
	examiner, ok := r.Engine.(engine.Examiner)
	if !ok || b.StopRequested || b.EngineNumber == 0 || b.State != engine.Lost && b.State != engine.Aborted {
		return true
	}
	state, reason, err := examiner.Examine(ctx, job.EngineName, b.EngineNumber)
	switch {
	case err == nil:
		b.State, b.Reason = state, reason
	case apperr.KindOf(err) == apperr.Unavailable:
		return false
	default:
		r.Logger.Warn("how a build ended was not found out", "job", job.ID, "number", b.Number, "error", err)
	}
	return true
}
