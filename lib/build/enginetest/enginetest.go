// Package enginetest is the conformance suite that holds for every build.Engine.
package enginetest

import (
	"testing"
	"time"

	"toaster.do/lib/build"
)

// Fixture is an engine that runs POSIX sh, with at least two builds at once.
type Fixture struct {
	Engine build.Engine
	Wait   time.Duration // how long to wait for what must come; 0: a minute
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {}
