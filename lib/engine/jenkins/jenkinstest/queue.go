package jenkinstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	user      string
	buildable bool // the quiet period is over
	taken     bool // it has left for an executor
	leftAt    time.Time
	cancelled bool
	build     *build // nil for a moment after it has left
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
	q.items = slices.DeleteFunc(q.items, func(other *item) bool { return other == i })
	if q.left == nil {
		q.left = map[int]*item{}
	}
	i.leftAt = time.Now()
	q.left[i.id] = i
}

// build puts a job into the queue, or joins the item that waits there already.
func (c *call) build(j *job) {
	if j.disabled {
		c.oops(http.StatusConflict)
		return
	}
	if j.project.Parameters != nil {
		c.jetty(http.StatusBadRequest, "This page expects a form submission")
		return
	}
	delay := c.s.opt.QuietPeriod
	if c.form.Has("delay") {
		var err error
		if delay, err = time.ParseDuration(strings.TrimSuffix(c.form.Get("delay"), "ec")); err != nil { // 0sec
			c.oops(http.StatusInternalServerError)
			return
		}
	}
	i := c.s.queue.of(j)
	if i == nil {
		c.s.queue.last++
		i = &item{id: c.s.queue.last, job: j, since: time.Now(), due: time.Now().Add(delay), user: c.user.Name}
		c.s.queue.items = append(c.s.queue.items, i)
	}
	c.s.maintain()
	c.w.Header().Set("Location", fmt.Sprintf("%s/queue/item/%d/", c.address(), i.id))
	c.w.WriteHeader(http.StatusCreated)
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
		if now.Sub(i.leftAt) >= s.opt.KeepLeft && (i.build != nil || i.cancelled) {
			delete(s.queue.left, id)
		}
	}
	for _, i := range slices.Clone(s.queue.items) {
		if wait := i.due.Sub(now); wait > 0 {
			s.later(wait, s.maintain)
			continue
		}
		i.buildable = true
		if s.quieting || len(s.building(i.job)) > 0 || i.job.starting {
			continue
		}
		if n, executor := s.freeExecutor(i.job.project.AssignedNode); n != nil {
			s.take(i, n, executor)
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

// take gives an item to an executor: it has left the queue a moment before there is a build, and there is a build a
// moment before it is known which item it came from.
func (s *Server) take(i *item, n *node, executor int) {
	i.taken = true
	s.queue.leave(i)
	i.job.starting = true
	n.executors[executor] = &build{job: i.job}
	s.later(s.opt.LeaveWindow*2/3, func() {
		i.job.starting = false
		n.executors[executor] = nil
		if i.job.deleting {
			i.cancelled = true
			s.maintain()
			return
		}
		b := s.begin(i, n, executor)
		s.later(s.opt.LeaveWindow/3, func() {
			b.queueID, i.build = i.id, b
			s.launch(b)
		})
	})
}

// routeQueue answers what is below /queue/.
func (c *call) routeQueue(path []string) {
	switch {
	case len(path) > 1 && path[0] == "item":
		c.s.maintain()
		id, _ := strconv.Atoi(path[1])
		if i := c.s.queue.find(id); i != nil {
			c.api(path[2:], c.s.itemFields(i))
		} else {
			c.notFound()
		}
	case len(path) > 0 && path[0] == "cancelItem":
		c.cancelItem()
	default:
		c.api(path, fields{"_class": "hudson.model.Queue", "items": func() any { return c.s.queueList() }})
	}
}

func (c *call) cancelItem() {
	id, _ := strconv.Atoi(c.form.Get("id"))
	i := c.s.queue.find(id)
	switch {
	case i == nil:
		c.oops(http.StatusNotFound)
	case !c.user.may(JobCancel):
		c.oops(http.StatusUnprocessableEntity)
	case i.cancelled || i.taken:
		c.oops(http.StatusInternalServerError)
	default:
		i.cancelled = true
		c.s.queue.leave(i)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// queueList has those in the quiet period first, then the blocked ones, then those that wait for an executor, the
// newest of them first.
func (s *Server) queueList() []fields {
	list := []fields{}
	for _, class := range []string{"WaitingItem", "BlockedItem", "BuildableItem"} {
		for n, i := range s.queue.items {
			if class == "BuildableItem" {
				i = s.queue.items[len(s.queue.items)-1-n]
			}
			if is, _ := s.itemState(i); is == class {
				list = append(list, s.itemFields(i))
			}
		}
	}
	return list
}

func (s *Server) itemFields(i *item) fields {
	class, why := s.itemState(i)
	f := fields{"_class": "hudson.model.Queue$" + class, "blocked": class == "BlockedItem", "id": i.id,
		"inQueueSince": i.since.UnixMilli(), "why": why, "task": func() any { return s.jobFields(i.job) }}
	if class == "LeftItem" {
		f["cancelled"] = i.cancelled
		f["executable"] = func() any {
			if i.build == nil {
				return nil
			}
			return s.buildFields(i.build)
		}
	}
	return f
}

// itemState is what an item is, and why it waits.
func (s *Server) itemState(i *item) (class, why string) {
	switch building := s.building(i.job); {
	case i.taken || i.cancelled:
		return "LeftItem", ""
	case !i.buildable:
		return "WaitingItem", fmt.Sprintf("In the quiet period. Expires in %.1f sec", time.Until(i.due).Seconds())
	case len(building) > 0:
		return "BlockedItem", fmt.Sprintf("Build #%d is already in progress (ETA: N/A)", building[0].number)
	case s.quieting:
		return "BuildableItem", "Jenkins is about to shut down"
	case i.job.project.AssignedNode == "":
		return "BuildableItem", "Waiting for next available executor"
	}
	return "BuildableItem", s.waitsForLabel(i.job.project.AssignedNode)
}
