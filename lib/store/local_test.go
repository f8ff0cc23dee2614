package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// queue is a database with jobs of these names.
func queue(t *testing.T, names ...string) *DB {
	t.Helper()
	db := test(t)
	for _, name := range names {
		if err := db.LocalCreate(t.Context(), LocalJob{Name: name, Owner: name, Source: []byte("echo " + name),
			TimeLimit: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func start(t *testing.T, db *DB, name string) int64 {
	t.Helper()
	ticket, err := db.LocalStart(t.Context(), name, nil, time.Now())
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
	if ok && (b.Job != j.Name || string(j.Source) != "echo "+j.Name || j.TimeLimit != time.Minute) {
		t.Errorf("a build of %s came with the job %+v", b.Job, j)
	}
	return b
}

func nothing() error { return nil }

func finish(t *testing.T, db *DB, b LocalBuild, state BuildState, gone ...int) bool {
	t.Helper()
	found, err := db.LocalFinish(t.Context(),
		LocalEnd{Ticket: b.Ticket, Runner: b.Runner, State: state, EndedAt: b.StartedAt.Add(3 * time.Second)}, nothing)
	if err != nil {
		t.Errorf("the end of build %d: %v", b.Number, err)
	}
	discards(t, db, b.Job, gone...)
	return found
}

// discards checks whose files are to be deleted, and deletes them.
func discards(t *testing.T, db *DB, job string, numbers ...int) {
	t.Helper()
	found, err := db.LocalDiscards(t.Context())
	var got []int
	for _, d := range found {
		if d.Job == job {
			got = append(got, d.Number)
		}
		if err := db.LocalDiscarded(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	if err != nil || !slices.Equal(got, numbers) || len(got) != len(found) {
		t.Errorf("to be deleted are %v, %v; want those of %s: %v", found, err, job, numbers)
	}
}

func TestLocalStartsAreTakenInOrderAndOnePerJob(t *testing.T) {
	db := queue(t, "a", "b")
	a := start(t, db, "a")
	b := start(t, db, "b")
	if again := start(t, db, "A"); again != a {
		t.Errorf("a second start that waits got ticket %d, not %d", again, a)
	}
	first := take(t, db, "r")
	if first.Ticket != a || first.Number != 1 || first.State != Running || first.Runner != "r" ||
		first.StartedAt.IsZero() {
		t.Errorf("taken first: %+v", first)
	}
	next := start(t, db, "a")
	if second := take(t, db, "r"); second.Ticket != b {
		t.Errorf("taken second: %+v", second)
	}
	if none := take(t, db, "r"); none.Ticket != 0 {
		t.Errorf("taken although its job runs: %+v", none)
	}
	finish(t, db, first, Succeeded)
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
	if finish(t, db, other, Lost) {
		t.Error("somebody else has ended it")
	}
	if !finish(t, db, b, Succeeded) || finish(t, db, b, Failed) {
		t.Error("it did not end just once")
	}
	if b, err := db.LocalBuild(t.Context(), "a", 1); err != nil || b.State != Succeeded {
		t.Errorf("%+v, %v", b, err)
	}
}

// When the artifacts can't be put in their place, the build has not succeeded.
func TestLocalBuildWithoutItsArtifactsHasNotSucceeded(t *testing.T) {
	db := queue(t, "a")
	start(t, db, "a")
	b := take(t, db, "r")
	full := errors.New("the disk is full")
	found, err := db.LocalFinish(t.Context(),
		LocalEnd{Ticket: b.Ticket, Runner: "r", State: Succeeded, EndedAt: time.Now(),
			Artifacts: []Artifact{{Path: "x", SHA256: "y"}}},
		func() error { return full })
	if found || !errors.Is(err, full) {
		t.Errorf("%v, %v", found, err)
	}
	b, err = db.LocalBuild(t.Context(), "a", 1)
	if list, _ := db.LocalArtifacts(t.Context(), b.Ticket); err != nil || b.State != Running || len(list) != 0 {
		t.Errorf("%+v, %v, %v", b, list, err)
	}
}

func TestLocalBuildsAreForgotten(t *testing.T) {
	db := queue(t, "a", "b")
	for number := 1; number <= 4; number++ {
		start(t, db, "a")
		b := take(t, db, "r")
		if b.Number != number {
			t.Errorf("build %d has number %d", number, b.Number)
		}
		finish(t, db, b, Succeeded)
	}
	for number := 1; number <= 2; number++ {
		if err := db.LocalForget(t.Context(), "a", number); err != nil {
			t.Fatal(err)
		}
	}
	discards(t, db, "a", 1, 2)
	all, err := db.LocalStatuses(t.Context(), []string{"a", "A", "b", "nobody's"}, 5)
	if err != nil || len(all) != 3 || len(all["a"].Builds) != 2 || all["a"].Builds[0].Number != 4 ||
		all["a"] != all["A"] || len(all["b"].Builds) != 0 {
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
	if err := db.LocalRemove(t.Context(), "mixed"); err != nil {
		t.Error(err)
	}
	// Until the files are gone, no other build gets their place.
	if err := db.LocalCreate(t.Context(),
		LocalJob{Name: "mixed", Source: []byte("echo mixed"), TimeLimit: time.Minute}); err != nil {
		t.Error(err)
	}
	start(t, db, "mixed")
	if next := take(t, db, "r"); next.Number != 2 {
		t.Errorf("the next build has number %d", next.Number)
	}
	if err := db.LocalRemove(t.Context(), "mixed"); err != nil {
		t.Error(err)
	}
	found, err := db.LocalDiscards(t.Context())
	if err != nil || !slices.Equal(found, []Discard{{"Mixed", 1}, {"mixed", 2}}) {
		t.Errorf("to be deleted are %v, %v", found, err)
	}
	for _, d := range found {
		if err := db.LocalDiscarded(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	if finish(t, db, b, Succeeded) {
		t.Error("a build of a removed job has ended")
	}
	if _, err := db.LocalStart(t.Context(), "Mixed", nil, time.Now()); apperr.KindOf(err) != apperr.NotFound {
		t.Error(err)
	}
	if err := db.LocalCreate(t.Context(), LocalJob{Name: "Mixed"}); err != nil {
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

// fair is a queue of jobs "ann-1", "bob-1" and so on, with a start of each, in the order of the names.
func fair(t *testing.T, names ...string) *DB {
	t.Helper()
	db := test(t)
	for _, name := range names {
		owner, _, _ := strings.Cut(name, "-")
		if err := db.LocalCreate(t.Context(), LocalJob{Name: name, Owner: owner, Source: []byte("echo " + name),
			TimeLimit: time.Minute}); err != nil {
			t.Fatal(err)
		}
		start(t, db, name)
	}
	return db
}

// order is what waits, by the places that users are shown.
func order(t *testing.T, db *DB, names ...string) []string {
	t.Helper()
	all, err := db.LocalStatuses(t.Context(), names, 1)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(names))
	n := 0
	for name, s := range all {
		if s.Waiting == nil {
			continue
		}
		if s.Position < 1 || s.Position > len(list) || list[s.Position-1] != "" {
			t.Fatalf("%s has place %d", name, s.Position)
		}
		list[s.Position-1] = name
		n++
	}
	return list[:n]
}

func TestNobodysBuildsHoldUpEverybodyElses(t *testing.T) {
	names := []string{"ann-1", "ann-2", "ann-3", "ann-4", "bob-1", "bob-2", "cid-1"}
	db := fair(t, names...)
	wants := func(list ...string) {
		t.Helper()
		if got := order(t, db, names...); !slices.Equal(got, list) {
			t.Errorf("it waits: %v, want %v", got, list)
		}
	}
	wants("ann-1", "bob-1", "cid-1", "ann-2", "bob-2", "ann-3", "ann-4")
	running := map[string]LocalBuild{}
	takes := func(want string) {
		t.Helper()
		b := take(t, db, "r")
		if b.Job != want {
			t.Errorf("%s was taken, want %s", b.Job, want)
		}
		running[b.Job] = b
	}
	takes("ann-1")
	wants("bob-1", "cid-1", "ann-2", "bob-2", "ann-3", "ann-4")
	takes("bob-1")
	finish(t, db, running["bob-1"], Succeeded)
	// Bob has none running, as Cid; his start is the older one.
	takes("bob-2")
	takes("cid-1")
	wants("ann-2", "ann-3", "ann-4")
	// A start whose job runs waits for that, whoever is before.
	start(t, db, "bob-2")
	wants("ann-2", "ann-3", "ann-4", "bob-2")
	finish(t, db, running["bob-2"], Succeeded)
	wants("bob-2", "ann-2", "ann-3", "ann-4")
	finish(t, db, running["ann-1"], Succeeded)
	wants("ann-2", "bob-2", "ann-3", "ann-4")
}

// Whatever ends when: the build with the first place is the one that is taken, and each user with builds that wait
// gets a share.
func TestPlacesAreTheOrderInWhichSlotsAreGiven(t *testing.T) {
	var names []string
	for i := range 24 {
		names = append(names, fmt.Sprintf("%s-%d", []string{"ann", "ann", "ann", "bob", "bob", "cid"}[rand.IntN(6)], i))
	}
	db := fair(t, names...)
	var running []LocalBuild
	for waiting := order(t, db, names...); len(waiting) > 0; waiting = order(t, db, names...) {
		if len(running) == 3 {
			i := rand.IntN(3)
			finish(t, db, running[i], Succeeded)
			running = slices.Delete(running, i, i+1)
			continue
		}
		b := take(t, db, "r")
		if b.Job != waiting[0] {
			t.Fatalf("%s was taken, %v waited", b.Job, waiting)
		}
		running = append(running, b)
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
				b, _, ok, err := own.LocalTake(context.Background(), fmt.Sprint(i), time.Now(),
					func(LocalBuild) error { return nil })
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
