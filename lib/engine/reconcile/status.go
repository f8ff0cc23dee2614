package reconcile

import (
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// updateBuild changes an open build into what the engine's status says of it; shown is false when it says nothing.
// highest is the highest engine number that any build of the job was known to have.
func updateBuild(b *store.Build, st engine.Status, highest int, now time.Time) (shown bool) {
	if b.Ticket == "" {
		attachBuild(b, st, highest)
		if b.Ticket == "" {
			if b.StopRequested && elapsed(now, b.AskedAt) >= startTimeout {
				endBuild(b, engine.Aborted, b.Reason, now)
			}
			return true
		}
	}
	if w := st.Waiting; w != nil && b.EngineNumber == 0 && string(w.Ticket) == b.Ticket {
		b.State, b.Position, b.Reason = engine.Queued, w.Position, w.Reason
		return true
	}
	for _, e := range st.Builds {
		// An engine that crashed may give a ticket again; numbers only rise.
		if b.EngineNumber > 0 && e.Number == b.EngineNumber ||
			b.EngineNumber == 0 && e.Number > highest && string(e.Ticket) == b.Ticket {
			applyBuildStatus(b, e, now)
			return true
		}
	}
	return false
}

// attachBuild gives a build, when the answer to its start was lost, the ticket of the start that waits, or of a build
// that is newer than any we know.
func attachBuild(b *store.Build, st engine.Status, highest int) {
	if b.AskedAt.IsZero() {
		return
	}
	// The oldest unknown build is ours: others after it were started by hand.
	for _, e := range st.Builds {
		if e.Number > highest && e.Ticket != "" {
			b.Ticket = string(e.Ticket)
		}
	}
	if b.Ticket == "" && st.Waiting != nil {
		b.Ticket = string(st.Waiting.Ticket)
	}
}

func applyBuildStatus(b *store.Build, e engine.BuildStatus, now time.Time) {
	b.EngineNumber, b.State, b.Reason, b.Position = e.Number, e.State, e.Reason, 0
	b.StartedAt, b.EndedAt, b.Expected = e.StartedAt, e.EndedAt, e.Expected
	if e.State == engine.Lost && b.StopRequested { // it was to end, and has
		b.State = engine.Aborted
	}
	if e.State.Ended() && b.EndedAt.IsZero() {
		b.EndedAt = notBefore(b.StartedAt, now)
	}
}

// markLost ends a build that the engine no longer knows; there says that it still knows the job. One that ran is lost,
// one that was to be stopped is aborted, and one that only waited is started again.
func markLost(b *store.Build, there bool, now time.Time) {
	switch {
	case b.EngineNumber > 0 && !b.StopRequested && !there:
		endBuild(b, engine.Lost,
			i18n.T("This job was deleted or renamed on the build service. It is created there again."), now)
	case b.EngineNumber > 0 && !b.StopRequested:
		endBuild(b, engine.Lost,
			i18n.T("The build service no longer has this build: it was restarted, or the build was deleted there."), now)
	case b.StopRequested:
		endBuild(b, engine.Aborted, b.Reason, now)
	default:
		b.Ticket, b.AskedAt, b.Position = "", time.Time{}, 0
		b.Reason = i18n.T("The build service lost the queued build. It is queued again.")
	}
}

func endBuild(b *store.Build, state engine.State, reason i18n.Text, now time.Time) {
	b.State, b.Reason, b.Position, b.EndedAt = state, reason, 0, notBefore(b.StartedAt, now)
}
