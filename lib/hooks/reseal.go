package hooks

import (
	"context"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// resealStore is what sealing again needs of the database.
type resealStore interface {
	HookSecrets(ctx context.Context) (list []store.HookSecret, err error)
	ResealHook(ctx context.Context, s store.HookSecret, sealed []byte) error
}

// Reseal seals with the newest key what is sealed with older ones. What no key opens stays as it is, and is counted:
// who has such a hook renews its secret.
func Reseal(ctx context.Context, cfg *config.Config, db resealStore) (lost int, err error) {
	list, err := db.HookSecrets(ctx)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	seals, err := cfg.Seals(Seals)
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		to := Bound(s.JobID, s.HookID == 0)
		plain, newest, err := seals.Open(s.Sealed, to)
		if err != nil {
			lost++
		}
		if err != nil || newest {
			continue
		}
		if err := db.ResealHook(ctx, s, seals.Seal(plain, to)); err != nil {
			return lost, err
		}
	}
	return lost, nil
}
