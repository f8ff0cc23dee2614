package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/fault"
)

// queue is a database with jobs of these names.
func queue(t *testing.T, names ...string) *DB {
	t.Helper()
	db := test(t)
	for _, name := range names {
		if err := db.LocalCreate(t.Context(), LocalJob{Name: name, Script: []byte("echo " + name), Keep: 2, TimeLimit: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func start(t *testing.T, db *DB, name string) int64 {
	t.Helper()
	ticket, err := db.LocalStart(t.Context(), name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func take(t *testing.T, db *DB, runner string) LocalBuild {
	t.Helper()
	b, j, ok, err := db.LocalTake(t.Context(), runner, time.Now(), func(LocalBuild) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if ok && (b.Job != j.Name || string(j.Script) != "echo "+j.Name || j.TimeLimit != time.Minute) {
		t.Errorf("a build of %s came with the job %+v", b.Job, j)
	}
	return b
}

func nothing() error { return nil }

func finish(t *testing.T, db *DB, b LocalBuild, state string, gone ...int) bool {
	t.Helper()
	var discarded []int
	found, err := db.LocalFinish(t.Context(), LocalEnd{Ticket: b.Ticket, Runner: b.Runner, State: state, EndedAt: b.StartedAt.Add(3 * time.Second)}, nothing,
		func(_ string, number int) error {
			discarded = append(discarded, number)
			return nil
		})
	if err != nil || !slices.Equal(discarded, gone) {
		t.Errorf("the end of build %d: %v; it discarded %v, want %v", b.Number, err, discarded, gone)
	}
	return found
}

func TestLocalStartsAreTakenInOrderAndOnePerJob(t *testing.T) {
	db := queue(t, "a", "b")
	a := start(t, db, "a")
	b := start(t, db, "b")
	if again := start(t, db, "A"); again != a {
		t.Errorf("a second start that waits got ticket %d, not %d", again, a)
	}
	first := take(t, db, "r")
	if first.Ticket != a || first.Number != 1 || first.State != "running" || first.Runner != "r" || first.StartedAt.IsZero() {
		t.Errorf("taken first: %+v", first)
	}
	next := start(t, db, "a")
	if second := take(t, db, "r"); second.Ticket != b {
		t.Errorf("taken second: %+v", second)
	}
	if none := take(t, db, "r"); none.Ticket != 0 {
		t.Errorf("taken although its job runs: %+v", none)
	}
	finish(t, db, first, "succeeded")
	if third := take(t, db, "r"); third.Ticket != next || third.Number != 2 {
		t.Errorf("taken third: %+v", third)
	}
}

func TestLocalStartGoesOnWaitingWhenItsPlaceCanNotBeMade(t *testing.T) {
	db := queue(t, "a")
	ticket := start(t, db, "a")
	full := errors.New("the disk is full")
	_, _, ok, err := db.LocalTake(t.Context(), "r", time.Now(), func(LocalBuild) error { return full })
	if ok || !errors.Is(err, full) {
		t.Errorf("%v, %v", ok, err)
	}
	if b := take(t, db, "r"); b.Ticket != ticket || b.Number != 1 {
		t.Errorf("taken then: %+v", b)
	}
}

func TestLocalBuildEndsOnce(t *testing.T) {
	db := queue(t, "a")
	start(t, db, "a")
	b := take(t, db, "r")
	other := b
	other.Runner = "somebody else"
	if finish(t, db, other, "lost") {
		t.Error("somebody else has ended it")
	}
	if !finish(t, db, b, "succeeded") || finish(t, db, b, "failed") {
		t.Error("it did not end just once")
	}
	if b, err := db.LocalBuild(t.Context(), "a", 1); err != nil || b.State != "succeeded" {
		t.Errorf("%+v, %v", b, err)
	}
}

// When the artifacts can't be put in their place, the build has not succeeded.
func TestLocalBuildWithoutItsArtifactsHasNotSucceeded(t *testing.T) {
	db := queue(t, "a")
	start(t, db, "a")
	b := take(t, db, "r")
	full := errors.New("the disk is full")
	found, err := db.LocalFinish(t.Context(), LocalEnd{Ticket: b.Ticket, Runner: "r", State: "succeeded", EndedAt: time.Now(), Artifacts: []Artifact{{Path: "x", SHA256: "y"}}},
		func() error { return full }, nil)
	if found || !errors.Is(err, full) {
		t.Errorf("%v, %v", found, err)
	}
	b, err = db.LocalBuild(t.Context(), "a", 1)
	if list, _ := db.LocalArtifacts(t.Context(), b.Ticket); err != nil || b.State != "running" || len(list) != 0 {
		t.Errorf("%+v, %v, %v", b, list, err)
	}
}

func TestLocalBuildsExpire(t *testing.T) {
	db := queue(t, "a", "b")
	for number, gone := range [][]int{nil, nil, {1}, {2}} {
		start(t, db, "a")
		b := take(t, db, "r")
		if b.Number != number+1 {
			t.Errorf("build %d has number %d", number+1, b.Number)
		}
		finish(t, db, b, "succeeded", gone...)
	}
	all, err := db.LocalStatuses(t.Context(), []string{"a", "A", "b", "nobody's"}, 5)
	if err != nil || len(all) != 3 || len(all["a"].Builds) != 2 || all["a"].Builds[0].Number != 4 || all["a"] != all["A"] || len(all["b"].Builds) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if all["a"].Expected != 3*time.Second || all["b"].Expected != 0 {
		t.Errorf("expected are %s and %s", all["a"].Expected, all["b"].Expected)
	}
}

func TestLocalRemoveForgetsEverything(t *testing.T) {
	db := queue(t, "Mixed")
	start(t, db, "mixed")
	b := take(t, db, "r")
	waiting := start(t, db, "mixed")
	keep := errors.New("its files can't be removed")
	if err := db.LocalRemove(t.Context(), "mixed", func(string) error { return keep }); !errors.Is(err, keep) {
		t.Error(err)
	}
	if all, err := db.LocalStatuses(t.Context(), []string{"Mixed"}, 5); err != nil || len(all) != 1 {
		t.Errorf("it has gone although its files stay: %v, %v", all, err)
	}
	if err := db.LocalRemove(t.Context(), "mixed", func(job string) error {
		if job != "Mixed" {
			t.Errorf("the files of %q are removed", job)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if finish(t, db, b, "succeeded") {
		t.Error("a build of a removed job has ended")
	}
	if _, err := db.LocalStart(t.Context(), "Mixed", time.Now()); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if err := db.LocalCreate(t.Context(), LocalJob{Name: "Mixed", Keep: 1}); err != nil {
		t.Error(err)
	}
	if ticket := start(t, db, "Mixed"); ticket <= waiting {
		t.Errorf("ticket %d was given before", ticket)
	}
}

func TestLocalPositionInTheQueue(t *testing.T) {
	db := queue(t, "a", "b", "c")
	for _, name := range []string{"b", "a", "c"} {
		start(t, db, name)
	}
	all, err := db.LocalStatuses(t.Context(), []string{"a", "b", "c"}, 5)
	if err != nil || all["b"].Position != 1 || all["a"].Position != 2 || all["c"].Position != 3 {
		t.Errorf("%+v, %v", all, err)
	}
}

// Many runners at once never get the same start.
func TestLocalTakeRace(t *testing.T) {
	const jobs, runners = 40, 8
	var names []string
	for i := range jobs {
		names = append(names, fmt.Sprintf("job-%d", i))
	}
	db := queue(t, names...)
	for _, name := range names {
		start(t, db, name)
	}
	var mu sync.Mutex
	var taken []int64
	var all sync.WaitGroup
	for i := range runners {
		all.Go(func() {
			own, err := Open(context.Background(), db.Path())
			if err != nil {
				t.Error(err)
				return
			}
			defer own.Close()
			for {
				b, _, ok, err := own.LocalTake(context.Background(), fmt.Sprint(i), time.Now(), func(LocalBuild) error { return nil })
				if err != nil {
					t.Error(err)
				}
				if !ok {
					return
				}
				mu.Lock()
				taken = append(taken, b.Ticket)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(taken)
	if len(taken) != jobs || len(slices.Compact(taken)) != jobs {
		t.Errorf("%d starts were taken as %v", jobs, taken)
	}
}
