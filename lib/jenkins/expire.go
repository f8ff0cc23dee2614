package jenkins

import (
	"context"
	"strconv"

	"toaster.do/lib/engine"
	"toaster.do/lib/fault"
)

var _ engine.Expirer = (*Engine)(nil)

// Expire deletes a build that has ended. One that runs would go on, and keep its executor: it is a Conflict. See engine.Expirer.
func (e *Engine) Expire(ctx context.Context, name string, number int) error {
	if !valid(name) || number < 1 {
		return noBuild
	}
	at := path("job", name, strconv.Itoa(number))
	var b run
	_, err := e.ask.GetJSON(ctx, at, &b, map[string]string{"tree": "number,building"})
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return nil
	case err != nil:
		return err
	case b.Building:
		return fault.New(fault.Conflict, "A build that runs can't be removed.", "Stop it first.")
	}
	if _, err = e.ask.Post(ctx, at+"/doDelete", nil, nil, nil); fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
