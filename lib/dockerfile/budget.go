package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// budget counts the work of a translation, so that no Dockerfile keeps a processor busy: whatever is done for each of
// many things spends before it begins. One unit is about a tenth of a microsecond.
type budget struct {
	spent  int
	asked  int             // what was spent when stop was looked at
	cancel <-chan struct{} // closed: nobody waits any more; nil: never
	here   []parser.Range  // the instruction that is translated
	over   func()          // called once, when all is spent
}

const (
	enough   = 3_000_000
	largest  = 1 << 40 // of a single thing
	askAfter = 50_000
)

// allow gives more for what a large context takes without anybody's fault.
func (b *budget) allow(entries int) {
	b.spent = -100 * max(entries-10_000, 0)
	b.asked = b.spent
}

// spend tells whether there is enough left for n more units. One that was written by a person is far from the limit.
func (b *budget) spend(n int) bool {
	before := b.spent
	b.spent = min(b.spent+min(max(n, 0), largest), enough)
	if b.spent-b.asked > askAfter {
		b.asked = b.spent
		select {
		case <-b.cancel:
			b.spent = enough
		default:
		}
	}
	if b.spent == enough && before < enough && b.over != nil {
		b.over()
	}
	return b.spent < enough
}

// text is what a stage becomes. It takes no more than the budget allows: what is over it is never used.
type text struct {
	strings.Builder
	*budget
}

func (w *text) Write(p []byte) (int, error) { return w.WriteString(string(p)) }

func (w *text) WriteString(s string) (int, error) {
	if w.spend(1 + len(s)/4) {
		w.Builder.WriteString(s)
	}
	return len(s), nil
}
