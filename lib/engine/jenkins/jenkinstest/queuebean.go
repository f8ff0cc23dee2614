package jenkinstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// queueAt answers what is below /queue/.
func (c *call) queueAt(seg []string) {
	switch {
	case len(seg) > 0 && seg[0] == "api":
		c.api(seg, c.s.queueBean())
	case len(seg) > 1 && seg[0] == "item":
		id, err := strconv.Atoi(seg[1])
		c.s.maintain()
		i := c.s.queue.find(id)
		if err != nil || i == nil {
			c.notFound()
			return
		}
		c.api(seg[2:], c.s.itemBean(i))
	case len(seg) > 0 && seg[0] == "cancelItem":
		c.cancelItem()
	default:
		c.notFound()
	}
}

func (c *call) cancelItem() {
	if !c.postOnly() {
		return
	}
	id, err := strconv.Atoi(c.param("id"))
	i := c.s.queue.find(id)
	switch {
	case err != nil || i == nil:
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

func (s *Server) queueBean() *bean {
	return beanOf("hudson.model.Queue", is("discoverableItems", []*bean{}), lazy("items", 1, func() any {
		// Those in the quiet period come first, then the blocked ones, then those that wait for an executor, the newest of them first.
		var waiting, blocked, buildable []*bean
		for _, i := range s.queue.items {
			switch b := s.itemBean(i); b.class {
			case "hudson.model.Queue$WaitingItem":
				waiting = append(waiting, b)
			case "hudson.model.Queue$BlockedItem":
				blocked = append(blocked, b)
			default:
				buildable = slices.Insert(buildable, 0, b)
			}
		}
		return slices.Concat(waiting, blocked, buildable)
	}))
}

func (s *Server) itemBean(i *item) *bean {
	class, why, blocked, buildable, stuck := s.state(i)
	b := beanOf("hudson.model.Queue$"+class,
		deep("actions", []*bean{causeAction(i.causes)}), deep("blocked", blocked), deep("buildable", buildable), deep("id", i.id),
		deep("inQueueSince", i.since.UnixMilli()), deep("params", ""), deep("stuck", stuck),
		lazy("task", 999, func() any { return s.jobBean(i.job, "/job/"+escape(i.job.name)+"/") }),
		deep("url", fmt.Sprintf("queue/item/%d/", i.id)), deep("why", text(why)))
	switch class {
	case "WaitingItem":
		b.fields = append(b.fields, deep("timestamp", i.due.UnixMilli()))
	case "BlockedItem":
		b.fields = append(b.fields, deep("buildableStartMilliseconds", i.buildable.UnixMilli()))
	case "BuildableItem":
		b.fields = append(b.fields, deep("buildableStartMilliseconds", i.buildable.UnixMilli()), deep("pending", false))
	case "LeftItem":
		b.fields = append(b.fields, deep("cancelled", i.cancelled), lazy("executable", 999, func() any {
			if i.run == nil {
				return nil
			}
			return s.runBean(i.job, i.run, s.jobURL(i.job))
		}))
	}
	return b
}

// state is what an item is, and why it waits.
func (s *Server) state(i *item) (class, why string, blocked, buildable, stuck bool) {
	now := time.Now()
	switch b := s.blocking(i.job); {
	case i.taken || i.cancelled:
		return "LeftItem", "", false, false, false
	case i.buildable.IsZero():
		return "WaitingItem", "In the quiet period. Expires in " + span(i.due.Sub(now)), false, false, false
	case b != nil:
		return "BlockedItem", fmt.Sprintf("Build #%d is already in progress (ETA: %s)", b.number, b.eta(now)), true, false, false
	case s.quieting:
		return "BuildableItem", "Jenkins is about to shut down", false, true, false
	}
	label := i.job.project.AssignedNode
	if label == "" || s.onlyMaster() && s.labelled(label) != nil {
		return "BuildableItem", "Waiting for next available executor", false, true, false
	}
	nodes := s.labelled(label)
	if s.onlyMaster() {
		return "BuildableItem", "‘Jenkins’ doesn’t have label ‘" + label + "’", false, true, true
	}
	why, stuck = waitsForLabel(label, nodes)
	return "BuildableItem", why, false, true, stuck
}

// span writes a duration as Jenkins does: the two largest units, tenths of short seconds.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d hr %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d sec", d/time.Minute, d%time.Minute/time.Second)
	case d >= 10*time.Second:
		return fmt.Sprintf("%d sec", d/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%.1f sec", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.2f sec", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func causeAction(users []string) *bean {
	causes := make([]*bean, len(users))
	for n, u := range users {
		causes[n] = beanOf("hudson.model.Cause$UserIdCause", deep("shortDescription", "Started by user "+u), deep("userId", u), deep("userName", u))
	}
	return beanOf("hudson.model.CauseAction", lazy("causes", 2, func() any { return causes }))
}
