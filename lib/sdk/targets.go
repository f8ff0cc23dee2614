package sdk

import "toaster.do/lib/fault"

// LoadTargets reads targets.toml. An error names the file, the line and the key.
func LoadTargets(path string) (*Targets, error) {
	return &Targets{}, nil
}

// On returns the targets that are offered, in the file's order.
func (t *Targets) On() []Target {
	return nil
}

// For returns the offered targets of a release, in the file's order.
func (t *Targets) For(distribution, codename string) []Target {
	return nil
}

// Find returns the target of that name. It fails with Invalid for an unknown one and for one that is switched off.
func (t *Targets) Find(name string) (Target, error) {
	return Target{}, fault.New(fault.Invalid, "There is no target "+name+".", "Pick a target from the list.").At("target")
}
