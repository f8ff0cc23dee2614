package store

import (
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// builder is a user with jobs, in a database with a limit of building minutes.
type builder struct {
	*testing.T
	db  *DB
	id  int64
	now time.Time
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	b := &builder{T: t, db: test(t), now: time.UnixMilli(1800000000000)}
	p := &User{Email: "ann@example.org", Name: "Ann", Role: RoleUser, State: Active, Password: "x", MaxJobs: 0,
		CreatedAt: b.now}
	if err := b.db.AddUser(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	b.id = p.ID
	return b
}

func (b *builder) job(id string) {
	b.Helper()
	job := &Job{ID: id, UserID: b.id, Name: id, Target: "rootfs", EngineName: id, Enabled: true, EngineEnabled: true,
		Revision: 1, CreatedAt: b.now}
	if err := b.db.AddJob(b.Context(), job,
		&Revision{JobID: id, Number: 1, Dockerfile: []byte("FROM x"), CreatedAt: b.now}, 0); err != nil {
		b.Fatal(err)
	}
}

func (b *builder) start(id string, limit int) (*Build, error) {
	build, _, err := b.db.AddBuild(b.Context(), b.id, id, nil, Limits{Minutes: limit}, b.now)
	return build, err
}

// ran starts a build, which the engine says has run for so long, until now; in the state Running it goes on.
func (b *builder) ran(id string, took time.Duration, state BuildState) {
	b.Helper()
	build, err := b.start(id, 0)
	if err != nil {
		b.Fatal(err)
	}
	build.State, build.StartedAt = state, b.now.Add(-took)
	if state != Running {
		build.EndedAt = b.now
	}
	if err := b.db.Observe(b.Context(), id, b.now, []Observation{{Build: build}}); err != nil {
		b.Fatal(err)
	}
	// What an earlier look saw comes late.
	late := *build
	late.State, late.EndedAt = Running, time.Time{}
	if err := b.db.Observe(b.Context(), id, b.now, []Observation{{Build: &late}}); err != nil {
		b.Fatal(err)
	}
}

func (b *builder) minutes(want int) {
	b.Helper()
	u, err := b.db.Usage(b.Context(), b.id, b.now)
	if err != nil || u.Minutes != want {
		b.Errorf("%d minutes are taken, %v; want %d", u.Minutes, err, want)
	}
}

func TestMinutesOfBuildingADay(t *testing.T) {
	b := newBuilder(t)
	b.job("job000000001")
	b.job("job000000002")
	b.ran("job000000001", 40*time.Minute, Succeeded)
	b.now = b.now.Add(time.Hour)
	b.ran("job000000001", 15*time.Minute, Failed)
	b.ran("job000000002", 4*time.Minute, Running)
	b.minutes(59)
	b.now = b.now.Add(time.Minute)
	b.minutes(60)
	_, err := b.start("job000000001", 60)
	if apperr.KindOf(err) != apperr.ResourceExhausted {
		t.Fatal(err)
	}
	// The first build began 101 minutes ago: from then on less counts.
	want := b.now.Add(24*time.Hour - 101*time.Minute)
	f := apperr.Of(err)
	if f.Message.String() != "Your builds took 60 minutes in the last 24 hours, which is your limit." ||
		f.Advice.String() != "You can start the next one on "+want.Add(time.Second).UTC().Format("2 Jan 2006, 15:04:05 UTC")+"." {
		t.Errorf("%s %s", f.Message, f.Advice)
	}
	// A job that is removed has run all the same.
	if err := b.db.RemoveJob(t.Context(), b.id, "job000000002", b.now); err != nil {
		t.Fatal(err)
	}
	if err := b.db.DeleteJob(t.Context(), "job000000002", b.now); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Hour)
	b.minutes(60)
	b.now = want.Add(2 * time.Second)
	if _, err := b.start("job000000001", 60); err != nil {
		t.Error(err)
	}
	b.now = b.now.Add(25 * time.Hour)
	b.minutes(0)
}

func TestMinutesOfOnesOwn(t *testing.T) {
	b := newBuilder(t)
	b.job("job000000001")
	b.ran("job000000001", 10*time.Minute, Succeeded)
	for own, ok := range map[int]bool{10: false, 11: true, 0: true} {
		if err := b.db.SetLimits(t.Context(), b.id, LimitOverrides{Minutes: &own},
			AuditEntry{At: b.now, Means: "toasterctl"}); err != nil {
			t.Fatal(err)
		}
		_, err := b.start("job000000001", 10)
		if (err == nil) != ok {
			t.Errorf("with %d minutes: %v", own, err)
		}
		if ok {
			if err := b.db.RequestStop(t.Context(), b.id, "job000000001", b.now); err != nil {
				t.Fatal(err)
			}
		}
	}
}
