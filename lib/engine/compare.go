package engine

import (
	"time"

	"toaster.do/lib/store"
)

// compare changes an open build into what the engine's status says of it; shown is false when it says nothing. highest is the
// highest engine number that any build of the job was known to have.
func compare(b *store.Build, st Status, highest int, now time.Time) (shown bool) {
	if b.Ticket == "" {
		adopt(b, st, highest)
		if b.Ticket == "" {
			if b.Stop && since(now, b.AskedAt) >= startPatience {
				end(b, Aborted, b.Reason, now)
			}
			return true
		}
	}
	if w := st.Waiting; w != nil && b.EngineNumber == 0 && string(w.Ticket) == b.Ticket {
		b.State, b.Position, b.Reason = string(Queued), w.Position, w.Reason
		return true
	}
	for _, e := range st.Builds {
		// An engine that crashed may give a ticket again; numbers only rise.
		if b.EngineNumber > 0 && e.Number == b.EngineNumber || b.EngineNumber == 0 && e.Number > highest && string(e.Ticket) == b.Ticket {
			follow(b, e, now)
			return true
		}
	}
	return false
}

// adopt finds the build for which the engine was asked, when its answer was lost: the start that waits, or a
// build that is newer than any we know.
func adopt(b *store.Build, st Status, highest int) {
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

func follow(b *store.Build, e BuildStatus, now time.Time) {
	b.EngineNumber, b.State, b.Reason, b.Position = e.Number, string(e.State), e.Reason, 0
	b.StartedAt, b.EndedAt, b.Expected = e.StartedAt, e.EndedAt, e.Expected
	if e.State == Lost && b.Stop { // it was to end, and has
		b.State = string(Aborted)
	}
	if e.State.Ended() && b.EndedAt.IsZero() {
		b.EndedAt = after(b.StartedAt, now)
	}
}

// vanish deals with a build that the engine no longer knows; there says that it still knows the job. One that ran is lost. One that waited and was to
// be stopped is stopped. One that waited is asked for again: nobody took the wish back.
func vanish(b *store.Build, there bool, now time.Time) {
	switch {
	case b.EngineNumber > 0 && !b.Stop && !there:
		end(b, Lost, "This job was deleted or renamed on the build service. It is created there again.", now)
	case b.EngineNumber > 0 && !b.Stop:
		end(b, Lost, "The build service no longer has this build: it was restarted, or the build was deleted there.", now)
	case b.Stop:
		end(b, Aborted, b.Reason, now)
	default:
		b.Ticket, b.AskedAt, b.Position = "", time.Time{}, 0
		b.Reason = "The build service lost the queued build. It is queued again."
	}
}

func end(b *store.Build, state State, reason string, now time.Time) {
	b.State, b.Reason, b.Position, b.EndedAt = string(state), reason, 0, after(b.StartedAt, now)
}
