// Package check is what an installation's checks result in. Package doctor and the engine on a Jenkins have the checks.
package check

// State is how a check ended.
type State string

const (
	Passed     State = "ok"
	Warning    State = "warning" // it works, but an administrator should know
	Failed     State = "failed"
	NotChecked State = "not checked"
)

// Result is what was found about one thing.
type Result struct {
	Name    string // what was looked at: "disk space"
	State   State
	Message string // what is wrong, why it was not checked, or what is worth knowing; may be empty
	Fix     string // what to do, often a command; may be empty
}

// OK says that all is well, with a note.
func OK(name, note string) Result { return Result{name, Passed, note, ""} }

// Warn says what an administrator should know.
func Warn(name, message, fix string) Result { return Result{name, Warning, message, fix} }

// Fail says what is wrong, and what to do.
func Fail(name, message, fix string) Result { return Result{name, Failed, message, fix} }

// Skip says why something could not be looked at.
func Skip(name, why string) Result { return Result{name, NotChecked, why, ""} }

// OK tells whether nothing wrong was found.
func (r Result) OK() bool { return r.State != Failed }
