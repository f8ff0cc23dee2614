// Package config reads toaster.toml, which says where things lie and what the limits are.
package config

import "time"

// Config is the whole configuration. Every field has a value: its default where the file says nothing.
type Config struct {
	Path     string `file:"toaster.toml"` // the file it came from; empty for the defaults
	Site     Site
	Paths    Paths
	Engine   string // "local" or "jenkins"
	Local    Local
	Jenkins  Jenkins
	Sandbox  Sandbox
	Registry Registry
	Hooks    Hooks
	Git      Git
	Limits   Limits
	Session  Session
	Signup   Signup
	Admin    Admin
	Mail     Mail
	Log      Log
}

// Site is what the site says about itself.
type Site struct {
	Name   string // in page titles
	URL    string // the public address, for links in mails; may be empty; no slash at its end
	Prefix string // "/toaster": the path the site is mounted under; empty: derived from each request
}

// Paths are absolute: Load resolves those that are relative to the file's folder.
type Paths struct {
	Database string `file:"-"`            // SQLite; its folder must belong to the web server's user
	Keys     string `file:"keys"`         // secret keys, of cookies and second factors
	Targets  string `file:"targets.toml"` // targets.toml
	Builds   string `file:"-"`            // the local engine's logs and artifacts
	Contexts string `file:"-"`            // build contexts; the web server's user's
	Client   string `file:"-"`            // the programs of users' own machines, that the web server offers as static/client
}

// Local configures the local engine and its runner.
type Local struct {
	Concurrency int           // builds at once
	TimeLimit   time.Duration // a build running longer has failed
	OutputLimit Size          // a log longer than this ends its build
	Keep        int           // newest builds of a job that are kept
	WorkDir     string        `file:"-"` // where builds run; nobody but root may write to the folders above it

	ArtifactLimit Size // a build that leaves more has failed; 0: no limit
}

// Sandbox bounds what a build of the local engine can reach and take.
type Sandbox struct {
	Allow     []string // "ADDRESS:PORT" of private networks that a build may reach
	Memory    Size     // 0: three quarters of the host's
	Processes int
	CPUs      float64 `toml:"cpus"` // processors' worth of time; 0: no limit
	OpenFiles int     `toml:"open_files"`
	Disk      Size    // of the folder that it works in; 0: no limit
}

// Hooks bounds where the hooks of users' jobs may send to.
type Hooks struct {
	Allow []string // HOST or HOST:PORT that may have a private address, and be called without encryption
}

// Jenkins configures the engine on a Jenkins controller.
type Jenkins struct {
	URL            string        // the controller's address
	User           string        // toaster's account there
	Token          string        // the account's API token; empty where TokenFile or Password is set
	TokenFile      string        `file:"jenkins-token"` // a file that holds the token alone
	Password       string        // instead of a token; slower
	View           string        // the view that shows the jobs
	CA             string        `file:"jenkins-ca"` // a PEM file with the authorities to trust; empty: the system's
	ConnectTimeout time.Duration // until it is connected
	CallTimeout    time.Duration // until it has answered
	TimeLimit      time.Duration // a build running longer has failed
	OutputLimit    Size          // a log longer than this ends its build
	Keep           int           // newest builds of a job that are kept
}

// Limits bound what a person may send and have.
type Limits struct {
	Dockerfile     Size
	Context        Size // the files of a build context, and an archive of one
	ContextEntries int  `toml:"context_entries"` // files, folders and links of a build context
	// Of one person, where nothing else is set for them; 0: no limit.
	Jobs             int
	ConcurrentBuilds int  `toml:"concurrent_builds"` // builds queued or running at once
	BuildsPerDay     int  `toml:"builds_per_day"`    // builds started in 24 hours
	Minutes          int  `toml:"build_minutes"`     // minutes of building in 24 hours
	Sources          Size // Dockerfiles of all their jobs, in all revisions that were built
	Contexts         Size // files of all their build contexts
	ArtifactBytes    Size `toml:"artifact_bytes"` // kept by all their builds together; checked before a build starts
	KeepDays         int  `toml:"keep_days"`      // how long a build's log and artifacts are kept

	Queue    int  // builds of all people that wait; more are refused. 0: no limit
	FreeDisk Size `toml:"free_disk"` // with less left on a disk that builds need, none starts; 0: no matter

	Silence duration `toml:"silence_limit"` // a build that prints nothing for so long has failed; 0: no limit
}

// Session configures log-ins.
type Session struct {
	Idle   time.Duration // without a request for this long, a session is over
	MaxAge time.Duration // a session is over this long after its log-in, whatever happens
	Secure string        // the cookie's Secure attribute: "auto" (when the request came by HTTPS), "always", "never"

	SecondFactor bool `toml:"second_factor"` // everybody needs one; without it only the account's own pages open
}
