package sdk

import "toaster.do/lib/fault"

// Script returns the build script of a recipe: POSIX sh, self-contained. The same recipe gives the same bytes.
// It fails with Invalid for a target whose SDK can't be built yet.
func Script(r Recipe) ([]byte, error) {
	return nil, fault.New(fault.Invalid, "The target "+r.Target.Name+" can't be built yet.", "Pick another target.")
}
