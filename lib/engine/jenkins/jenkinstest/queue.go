package jenkinstest

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// queue holds what waits, and for a while what has left.
type queue struct {
	last  int // the newest id
	saved int // the newest id at the last orderly shutdown: what a crash goes back to
	items []*item
	left  map[int]*item
}

// item is a request for a build.
type item struct {
	id        int
	job       *job
	since     time.Time
	due       time.Time // the end of the quiet period
	causes    []string  // the users who asked
	buildable time.Time // since when the quiet period is over
	taken     bool      // it has left for an executor
	leftAt    time.Time
	cancelled bool
	run       *run // nil for a moment after it has left
}

func (q *queue) of(j *job) *item {
	for _, i := range q.items {
		if i.job == j {
			return i
		}
	}
	return nil
}

func (q *queue) find(id int) *item {
	for _, i := range q.items {
		if i.id == id {
			return i
		}
	}
	return q.left[id]
}

func (q *queue) leave(i *item) {
	for at, other := range q.items {
		if other == i {
			q.items = append(q.items[:at:at], q.items[at+1:]...)
			break
		}
	}
	if q.left == nil {
		q.left = map[int]*item{}
	}
	i.leftAt = time.Now()
	q.left[i.id] = i
}

func (q *queue) drop() { q.items, q.left = nil, nil }

var delayForm = regexp.MustCompile(`^(\d+) *(ms|millis|millisecs?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)?$`)

// build puts a job into the queue, or joins the item that waits there already.
func (c *call) build(j *job) {
	if c.r.Method != "POST" {
		c.w.Header().Set("Allow", "POST")
		c.head(http.StatusMethodNotAllowed, htmlUTF8)
		c.page("Form post required", "You must use POST method to trigger builds.")
		return
	}
	if !c.require(JobBuild) {
		return
	}
	if j.disabled || j.held {
		c.oops(http.StatusConflict)
		return
	}
	if j.project.Parameters != nil && !c.form.Has("json") {
		c.jetty(http.StatusBadRequest, "This page expects a form submission")
		return
	}
	delay, ok := c.delay(j)
	if !ok || j.deleting {
		c.oops(http.StatusInternalServerError)
		return
	}
	i := c.s.schedule(j, c.user.name(), delay)
	c.w.Header().Set("Location", fmt.Sprintf("%s/queue/item/%d/", c.here(), i.id))
	c.w.WriteHeader(http.StatusCreated)
}

func (c *call) delay(j *job) (time.Duration, bool) {
	if !c.form.Has("delay") {
		if q := j.project.QuietPeriod; q != nil {
			return time.Duration(*q) * time.Second, true
		}
		return c.s.opt.QuietPeriod, true
	}
	m := delayForm.FindStringSubmatch(c.param("delay"))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	unit := time.Second
	switch {
	case len(m[2]) > 1 && m[2][:2] == "ms" || len(m[2]) > 4 && m[2][:5] == "milli":
		unit = time.Millisecond
	case m[2] != "" && m[2][0] == 'm':
		unit = time.Minute
	case m[2] != "" && m[2][0] == 'h':
		unit = time.Hour
	case m[2] != "" && m[2][0] == 'd':
		unit = 24 * time.Hour
	}
	return time.Duration(n) * unit, err == nil
}

func (s *Server) schedule(j *job, user string, delay time.Duration) *item {
	now := time.Now()
	i := s.queue.of(j)
	if i == nil {
		s.queue.last++
		i = &item{id: s.queue.last, job: j, since: now, due: now.Add(delay)}
		s.queue.items = append(s.queue.items, i)
	} else if due := now.Add(delay); due.Before(i.due) {
		i.due = due
	}
	i.causes = append(i.causes, user)
	s.maintain()
	return i
}

func (s *Server) cancelAll(j *job) {
	if i := s.queue.of(j); i != nil {
		i.cancelled = true
		s.queue.leave(i)
	}
}

// maintain moves the queue on: from the quiet period to an executor.
func (s *Server) maintain() {
	now := time.Now()
	for id, i := range s.queue.left {
		if now.Sub(i.leftAt) >= s.opt.KeepLeft && (i.run != nil || i.cancelled) {
			delete(s.queue.left, id)
		}
	}
	for _, i := range append([]*item(nil), s.queue.items...) {
		if wait := i.due.Sub(now); wait > 0 {
			s.later(wait, s.maintain)
			continue
		}
		if i.buildable.IsZero() {
			i.buildable = now
		}
		if s.quieting || s.blocking(i.job) != nil || i.job.starting {
			continue
		}
		if n, slot := s.freeSlot(i.job.project.AssignedNode); n != nil {
			s.take(i, n, slot)
		}
	}
}

// later runs f with the controller locked, unless it is another life of it by then.
func (s *Server) later(after time.Duration, f func()) {
	era := s.era.Load()
	time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.era.Load() == era {
			f()
		}
	})
}

// blocking is the build that a job has to wait for.
func (s *Server) blocking(j *job) *run {
	if j.project.ConcurrentBuild {
		return nil
	}
	for _, b := range s.running(j) {
		return b
	}
	return nil
}

// take gives an item to an executor: it has left the queue a moment before there is a build, and there is a build a
// moment before it is known which item it came from.
func (s *Server) take(i *item, n *node, slot int) {
	i.taken = true
	s.queue.leave(i)
	i.job.starting = true
	n.slots[slot] = &run{job: i.job}
	s.later(s.opt.LeaveWindow*2/3, func() {
		i.job.starting = false
		n.slots[slot] = nil
		if i.job.deleting {
			i.cancelled = true
			s.maintain()
			return
		}
		b := s.begin(i, n, slot)
		s.later(s.opt.LeaveWindow/3, func() {
			b.queueID, i.run = i.id, b
			s.launch(b)
		})
	})
}
