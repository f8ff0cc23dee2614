package auth

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// Export writes all that the site has of a user into w, as a .zip: the account, sessions and tokens, and of each job
// the builds and what every revision is made from. Artifacts are not in it: they are
// downloaded where they are.
func (a *Accounts) Export(ctx context.Context, p *store.User, w io.Writer) error {
	z := zip.NewWriter(w)
	x := exporter{ctx: ctx, db: a.db, contexts: a.Contexts, z: z, p: p, now: a.Now()}
	if err := x.user(a.cfg.Session.Idle); err != nil {
		return err
	}
	page, err := a.db.Jobs(ctx, p.ID, store.JobQuery{})
	if err != nil {
		return err
	}
	for _, j := range page.Jobs {
		if err := x.job(j); err != nil {
			return err
		}
	}
	return z.Close()
}

// exportStore is what an export reads.
type exportStore interface {
	AuditEntries(ctx context.Context, q store.AuditQuery) (found []store.AuditEntry, err error)
	Builds(ctx context.Context, owner int64, id string) (builds []*store.Build, err error)
	Hooks(ctx context.Context, owner int64, job string) (list []store.Hook, err error)
	Jobs(ctx context.Context, owner int64, q store.JobQuery) (page store.JobPage, err error)
	Revision(ctx context.Context, owner int64, id string, number int) (*store.Revision, error)
	Sessions(ctx context.Context, user int64, now time.Time, idle time.Duration) (found []*store.Session, err error)
	Tokens(ctx context.Context, user int64) (found []*store.Token, err error)
}

type exporter struct {
	ctx      context.Context
	db       exportStore
	contexts ContextArchive
	z        *zip.Writer
	p        *store.User
	now      time.Time
}

// ContextArchive writes a build context of an owner as a tar archive.
type ContextArchive func(w io.Writer, owner int64, digest string) error

func (x *exporter) file(name string, at time.Time, content []byte) error {
	f, err := x.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return err
}

func (x *exporter) json(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return x.file(name, x.now, append(b, '\n'))
}

type object map[string]any

func (x *exporter) user(idle time.Duration) error {
	sessions, err := x.db.Sessions(x.ctx, x.p.ID, x.now, idle)
	if err != nil {
		return err
	}
	tokens, err := x.db.Tokens(x.ctx, x.p.ID)
	if err != nil {
		return err
	}
	entries, err := x.db.AuditEntries(x.ctx, store.AuditQuery{Actor: x.p.ID, Limit: 10000})
	if err != nil {
		return err
	}
	p := object{
		"email": x.p.Email, "name": x.p.Name, "role": x.p.Role, "created_at": x.p.CreatedAt,
		"address_proven_at": stamp(x.p.VerifiedAt),
		"second_factor":     x.p.HasFactor(), "notify": x.p.Notify, "sessions": list(sessions, func(s *store.Session) object {
			return object{"created_at": s.CreatedAt, "seen_at": s.SeenAt, "expires_at": s.ExpiresAt, "address": s.Address,
				"agent": s.Agent}
		}), "tokens": list(tokens, func(t *store.Token) object {
			return object{"name": t.Name, "scope": t.Scope, "created_at": t.CreatedAt, "expires_at": stamp(t.ExpiresAt),
				"used_at": stamp(t.UsedAt)}
		}), "trail": list(entries, func(e store.AuditEntry) object {
			return object{"at": e.At, "means": e.Means, "address": e.Address, "action": e.Action, "object": e.Object,
				"detail": e.Detail}
		}),
	}
	return x.json("account.json", p)
}

func (x *exporter) job(j *store.Job) error {
	builds, err := x.db.Builds(x.ctx, x.p.ID, j.ID)
	if err != nil {
		return err
	}
	hooks, err := x.db.Hooks(x.ctx, x.p.ID, j.ID)
	if err != nil {
		return err
	}
	folder := "jobs/" + j.ID + "/"
	if err := x.json(folder+"job.json", object{
		"id": j.ID, "name": j.Name, "target": j.Target, "enabled": j.Enabled, "created_at": j.CreatedAt,
		"revision": j.Revision,
		"builds": list(builds, func(b *store.Build) object {
			return object{"number": b.Number, "revision": b.Revision, "state": b.State, "reason": b.Why(),
				"queued_at": b.QueuedAt, "started_at": stamp(b.StartedAt), "ended_at": stamp(b.EndedAt)}
		}),
		"hooks": list(hooks, func(h store.Hook) object {
			return object{"url": h.URL, "enabled": h.Enabled, "created_at": h.CreatedAt}
		}),
	}); err != nil {
		return err
	}
	for n := 1; n <= j.Revision; n++ {
		if err := x.revision(folder, j.ID, n); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) revision(folder, job string, number int) error {
	r, err := x.db.Revision(x.ctx, x.p.ID, job, number)
	if apperr.KindOf(err) == apperr.NotFound && err != nil {
		return nil // removed while this was written
	}
	if err != nil {
		return err
	}
	folder += fmt.Sprintf("revision-%d/", number)
	if err := x.file(folder+"Dockerfile", r.CreatedAt, r.Dockerfile); err != nil {
		return err
	}
	for _, one := range []struct{ name, text string }{{"build-args", r.BuildArgs}, {"environment", r.Environment},
		{"base-form", r.BaseForm}, {"root-keys", r.Root.Keys}} {
		if one.text == "" {
			continue
		}
		if err := x.file(folder+one.name, r.CreatedAt, []byte(one.text)); err != nil {
			return err
		}
	}
	if r.Context == "" {
		return nil
	}
	// One whose files are gone is not worth the rest.
	text := fmt.Sprintf("sha256:%s, %d bytes\n", r.Context, r.ContextSize)
	if err := x.file(folder+"context-digest", r.CreatedAt, []byte(text)); err != nil || x.contexts == nil {
		return err
	}
	f, err := x.z.CreateHeader(&zip.FileHeader{Name: folder + "context.tar", Method: zip.Deflate, Modified: r.CreatedAt})
	if err == nil {
		err = x.contexts(f, x.p.ID, r.Context)
	}
	if apperr.KindOf(err) == apperr.NotFound && err != nil {
		return nil
	}
	return err
}

// stamp is a time, or null.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list is each of all as an object; never null.
func list[T any](all []T, as func(T) object) []object {
	made := make([]object, 0, len(all))
	for _, v := range all {
		made = append(made, as(v))
	}
	return made
}
