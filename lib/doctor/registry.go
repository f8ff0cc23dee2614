package doctor

import (
	"fmt"

	"toaster.do/lib/doctor/check"
)

// registry says whether the logins at registries can be read.
func (s Site) registry() check.Result {
	const what = "registry logins"
	n, err := s.Logins()
	switch {
	case err != nil:
		return check.Fail(what, err.Error(), "Write the file with docker login or podman login, then: "+
			command("chmod", "0640", s.Registry.AuthFile))
	case n == 0:
		return check.Fail(what, s.Registry.AuthFile+" contains no logins: credential helpers are not run.",
			"Log in without a credential helper, such as with "+command("podman", "login --authfile", s.Registry.AuthFile))
	case n == 1:
		return check.OK(what, "1 login")
	}
	return check.OK(what, fmt.Sprintf("%d logins", n))
}
