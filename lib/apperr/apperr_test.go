package apperr

import (
	"errors"
	"fmt"
	"testing"
)

func TestKindOfAnError(t *testing.T) {
	gone := New(Gone, "It is gone.", "")
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{nil, None}, {gone, Gone}, {fmt.Errorf("open: %w", gone), Gone}, {errors.Join(gone, errors.New("close")), Gone},
		{errors.New("not made for a person"), Internal},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v: %s, wanted %s", c.err, got, c.want)
		}
	}
}
