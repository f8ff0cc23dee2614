package doctor

import (
	"context"
	"fmt"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/store"
)

// database looks at the schema, and whether the file is whole.
func (s Site) database(ctx context.Context) check.Result {
	const what = "the database"
	path := s.Paths.Database
	have, want, err := store.Schema(ctx, path)
	switch {
	case err != nil && apperr.KindOf(err) != apperr.Internal:
		return failed(what, err, "")
	case err == nil && have < want:
		return check.Fail(what, fmt.Sprintf("has schema version %d, but this version of toaster needs %d.", have, want),
			"toasterctl migrate")
	case err == nil:
		_, err = store.Check(ctx, path)
	}
	if err != nil {
		problem, _ := apperr.Explain(err)
		return check.Fail(what, problem, "Restore a backup: toasterctl restore --force FILE")
	}
	return check.OK(what, fmt.Sprintf("schema version %d, intact, owned by %s", have, me()))
}

// breached looks for the list of breached passwords.
func (s Site) breached() check.Result {
	const what = "breached passwords"
	if err := auth.New(s.Config, nil).CheckBreached(); err != nil {
		return failed(what, err, "Install the list, readable by "+me()+", or clear signup.breached_passwords. "+
			"Until then, no password can be set.")
	}
	return check.OK(what, s.Signup.Breached)
}
