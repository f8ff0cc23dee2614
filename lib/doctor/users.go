package doctor

import "toaster.do/lib/doctor/check"

// signup says who may make an account, and what that means for this host.
func (s Site) signup() check.Result {
	const what = "sign-up"
	if s.Signup.Mode == "open" && s.Config.Engine == "local" {
		return check.Warn(what, "open: everybody can run programs in builds on this host.",
			"To require approval, set signup.mode = \"approval\" in "+s.Path+".")
	}
	if s.Signup.Mode == "approval" {
		return check.OK(what, "requires approval")
	}
	return check.OK(what, s.Signup.Mode)
}
