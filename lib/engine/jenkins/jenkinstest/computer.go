package jenkinstest

import (
	"net/url"
	"slices"
)

// node is an agent with its executors.
type node struct {
	Agent
	slots []*run // what each executor does
}

func newNode(a Agent) *node {
	if a.Executors == 0 {
		a.Executors = 1
	}
	return &node{Agent: a, slots: make([]*run, a.Executors)}
}

func (n *node) has(label string) bool { return n.Name == label || slices.Contains(n.Labels, label) }

// labelled are the nodes with a label.
func (s *Server) labelled(label string) (all []*node) {
	for _, n := range s.nodes {
		if n.has(label) {
			all = append(all, n)
		}
	}
	return all
}

func (s *Server) onlyMaster() bool { return len(s.nodes) == 1 && s.nodes[0].Name == "master" }

// freeSlot finds an executor for a job with a label.
func (s *Server) freeSlot(label string) (*node, int) {
	for _, n := range s.nodes {
		if n.Offline || label != "" && !n.has(label) || label == "" && n.Exclusive {
			continue
		}
		if slot := slices.Index(n.slots, nil); slot >= 0 {
			return n, slot
		}
	}
	return nil, 0
}

func waitsForLabel(label string, nodes []*node) (why string, stuck bool) {
	offline := !slices.ContainsFunc(nodes, func(n *node) bool { return !n.Offline })
	switch {
	case len(nodes) == 0:
		return "There are no nodes with the label ‘" + label + "’", true
	case offline && len(nodes) == 1:
		return "‘" + nodes[0].Name + "’ is offline", true
	case offline:
		return "All nodes of label ‘" + label + "’ are offline", true
	case len(nodes) == 1:
		return "Waiting for next available executor on ‘" + nodes[0].Name + "’", false
	}
	return "Waiting for next available executor on ‘" + label + "’", false
}

// SetOffline takes an agent away, or brings it back; "master" is the built-in one.
func (s *Server) SetOffline(agent string, offline bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if n.Name == agent {
			n.Offline = offline
		}
	}
	s.maintain()
}

// LoseAgent breaks the connection to an agent: the builds that run there fail, and their processes are left alone.
func (s *Server) LoseAgent(agent string) {
	s.SetOffline(agent, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if n.Name != agent {
			continue
		}
		for _, b := range n.slots {
			if b != nil && b.cookie != "" {
				b.lost()
				s.left = append(s.left, b.cookie)
			}
		}
	}
}

// labelAt answers what is below /label/: the nodes that have a label, among which is each node's own name.
func (c *call) labelAt(seg []string) {
	if len(seg) < 2 {
		c.notFound()
		return
	}
	beans := []*bean{}
	for _, n := range c.s.labelled(seg[0]) {
		mode, class := "NORMAL", "hudson.slaves.DumbSlave"
		if n.Exclusive {
			mode = "EXCLUSIVE"
		}
		name := n.Name
		if name == "master" {
			class, name = "hudson.model.Hudson", ""
		}
		beans = append(beans, beanOf(class, is("assignedLabels", labelBeans(n)), is("mode", mode), is("nodeDescription", ""),
			deep("nodeName", name), is("numExecutors", len(n.slots))))
	}
	c.api(seg[1:], beanOf("hudson.model.labels.LabelAtom", deep("name", seg[0]), lazy("nodes", 1, func() any { return beans })))
}

// running are the builds of a job that have an executor.
func (s *Server) running(j *job) (all []*run) {
	for _, n := range s.nodes {
		for _, b := range n.slots {
			if b != nil && b.job == j && b.cookie != "" {
				all = append(all, b)
			}
		}
	}
	return all
}

func (s *Server) busy() (n int) {
	for _, node := range s.nodes {
		n += node.busy()
	}
	return n
}

func (n *node) busy() (count int) {
	for _, b := range n.slots {
		if b != nil {
			count++
		}
	}
	return count
}

// computerAt answers what is below /computer/.
func (c *call) computerAt(seg []string) {
	if len(seg) == 0 {
		c.redirect("/computer/")
		return
	}
	if seg[0] == "api" {
		c.api(seg, c.s.computersBean())
		return
	}
	for _, n := range c.s.nodes {
		if name, err := url.PathUnescape(seg[0]); err == nil && name == n.path() && len(seg) > 1 {
			switch seg[1] {
			case "api":
				c.api(seg[1:], c.s.computerBean(n))
			case "toggleOffline":
				if c.postOnly() && c.require(Administer) {
					n.Offline = !n.Offline
					c.s.maintain()
					c.redirect("/computer/" + n.path() + "/")
				}
			default:
				c.html(n.Name)
			}
			return
		}
	}
	c.notFound()
}

func (n *node) path() string {
	if n.Name == "master" {
		return "(master)"
	}
	return n.Name
}

func (s *Server) computersBean() *bean {
	total := 0
	for _, n := range s.nodes {
		if !n.Offline {
			total += len(n.slots)
		}
	}
	return beanOf("hudson.model.ComputerSet", is("busyExecutors", s.busy()), lazy("computer", 1, func() any {
		beans := make([]*bean, len(s.nodes))
		for i, n := range s.nodes {
			beans[i] = s.computerBean(n)
		}
		return beans
	}), is("displayName", "Nodes"), is("totalExecutors", total))
}

func (s *Server) computerBean(n *node) *bean {
	class := "hudson.slaves.SlaveComputer"
	if n.Name == "master" {
		class = "hudson.model.Hudson$MasterComputer"
	}
	// Fields of a computer are shown one level down without being asked for, since the list of computers is nested.
	return beanOf(class, deep("actions", []*bean{}), deep("assignedLabels", labelBeans(n)), deep("description", ""), deep("displayName", n.Name),
		lazy("executors", 2, func() any {
			beans := make([]*bean, len(n.slots))
			for i := range n.slots {
				beans[i] = s.executorBean(n, i)
			}
			return beans
		}),
		deep("icon", "computer.png"), deep("idle", n.busy() == 0), deep("jnlpAgent", false), deep("launchSupported", true),
		deep("manualLaunchAllowed", true), deep("numExecutors", len(n.slots)), deep("offline", n.Offline), deep("offlineCause", nil),
		deep("offlineCauseReason", ""), deep("oneOffExecutors", []*bean{}), deep("temporarilyOffline", n.Offline))
}

func labelBeans(n *node) []*bean {
	var beans []*bean
	for _, l := range append(slices.Clone(n.Labels), n.Name) {
		beans = append(beans, beanOf("", deep("name", l)))
	}
	return beans
}

func (s *Server) executorBean(n *node, slot int) *bean {
	b := n.slots[slot]
	running := b != nil && b.cookie != ""
	return beanOf("", lazy("currentExecutable", 1, func() any {
		if !running {
			return nil
		}
		return s.runBean(b.job, b, s.jobURL(b.job))
	}), is("idle", b == nil), is("likelyStuck", false), is("number", slot), lazy("progress", 1, func() any {
		if !running {
			return -1
		}
		return b.progress()
	}))
}
