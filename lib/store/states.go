package store

// BuildState is the state of a build.
type BuildState string

const (
	Queued    BuildState = "queued"    // accepted, waiting for a runner, or for the engine to come back
	Running   BuildState = "running"   // a script runs
	Succeeded BuildState = "succeeded" // the script ended with 0
	Failed    BuildState = "failed"    // the script ended otherwise, or hit a limit
	Aborted   BuildState = "aborted"   // a user stopped it
	Lost      BuildState = "lost"      // the engine ended it, or no longer knows it

	NeverBuilt BuildState = "new" // of a job before its first build; no build has it
)

// BuildStates are the states that a build can have.
var BuildStates = []BuildState{Queued, Running, Succeeded, Failed, Aborted, Lost}

// JobStates are the states that a job can have: its newest build's, or NeverBuilt.
var JobStates = append([]BuildState{NeverBuilt}, BuildStates...)

// Ended tells whether a build in this state will never change again.
func (s BuildState) Ended() bool { return s != Queued && s != Running }

// UserState is the state of an account.
type UserState string

const (
	Pending   UserState = "pending"   // the address is not proven yet, or an administrator has to approve
	Active    UserState = "active"    // may use the site
	Suspended UserState = "suspended" // may not, since an administrator said so, or the account was deleted
)

// UserStates are the states that an account can have.
var UserStates = []UserState{Pending, Active, Suspended}

// Role is what an account may do on the site.
type Role string

const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Valid tells whether there is such a role.
func (r Role) Valid() bool { return r == RoleUser || r == RoleAdmin }

// Notify is when a user wants an email about the end of a build.
type Notify string

const (
	NotifyNever   Notify = "never"
	NotifyFailure Notify = "failure"
	NotifyAlways  Notify = "always"
)

// Valid tells whether there is such a choice.
func (n Notify) Valid() bool { return n == NotifyNever || n == NotifyFailure || n == NotifyAlways }

// EmailTokenKind is what the link of an email is for.
type EmailTokenKind string

const (
	KindActivate EmailTokenKind = "activate" // an account
	KindRecover  EmailTokenKind = "recover"  // it, with a new password
	KindAddress  EmailTokenKind = "address"  // a new email address
)

// Scope is what an API token may do.
type Scope string

const (
	ScopeRead    Scope = "read"    // see jobs and builds, fetch logs and artifacts
	ScopeWrite   Scope = "write"   // that, and whatever else its user may do
	ScopeMetrics Scope = "metrics" // read the site's metrics, and nothing else; for administrators
)

// Valid tells whether there is such a scope.
func (s Scope) Valid() bool { return s == ScopeRead || s == ScopeWrite || s == ScopeMetrics }
