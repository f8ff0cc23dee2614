package jenkinstest

import (
	"slices"
)

// Agent is a node that runs builds.
type Agent struct {
	Name      string
	Labels    []string
	Executors int // default 1
	Offline   bool
	Exclusive bool // takes only builds with one of its labels
}

// node is an agent with its executors.
type node struct {
	Agent
	executors []*build // what each executor does
}

func newNode(a Agent) *node { return &node{Agent: a, executors: make([]*build, max(1, a.Executors))} }

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

// freeExecutor finds an executor for a job with a label.
func (s *Server) freeExecutor(label string) (*node, int) {
	for _, n := range s.nodes {
		if n.Offline || label != "" && !n.has(label) || label == "" && n.Exclusive {
			continue
		}
		if executor := slices.Index(n.executors, nil); executor >= 0 {
			return n, executor
		}
	}
	return nil, 0
}

// waitsForLabel is why an item with a label waits, in Jenkins's words.
func (s *Server) waitsForLabel(label string) string {
	nodes := s.labelled(label)
	switch {
	case len(s.nodes) == 1 && s.nodes[0].Name == "master":
		return "‘Jenkins’ doesn’t have label ‘" + label + "’"
	case len(nodes) == 0:
		return "There are no nodes with the label ‘" + label + "’"
	case !slices.ContainsFunc(nodes, func(n *node) bool { return !n.Offline }):
		return "‘" + nodes[0].Name + "’ is offline"
	}
	return "Waiting for next available executor on ‘" + label + "’"
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
	for _, b := range s.allBuilding() {
		if b.node.Name == agent {
			b.end(errGone)
			s.left = append(s.left, b.cookie)
		}
	}
}

// allBuilding are the builds that have an executor.
func (s *Server) allBuilding() (all []*build) {
	for _, n := range s.nodes {
		for _, b := range n.executors {
			if b != nil && b.cookie != "" {
				all = append(all, b)
			}
		}
	}
	return all
}

func (s *Server) busyExecutors() (count int) {
	for _, n := range s.nodes {
		for _, b := range n.executors {
			if b != nil {
				count++
			}
		}
	}
	return count
}

// routeLabel answers what is below /label/: the nodes that have a label, among which is each node's own name.
func (c *call) routeLabel(path []string) {
	if len(path) == 0 {
		c.notFound()
		return
	}
	nodes := list(c.s.labelled(path[0]), func(n *node) fields {
		return fields{"mode": map[bool]string{false: "NORMAL", true: "EXCLUSIVE"}[n.Exclusive]}
	})
	c.api(path[1:], fields{"_class": "hudson.model.labels.LabelAtom", "nodes": nodes})
}

func (s *Server) computerFields() fields {
	all := list(s.nodes, func(n *node) fields {
		class := "hudson.slaves.SlaveComputer"
		if n.Name == "master" {
			class = "hudson.model.Hudson$MasterComputer"
		}
		labels := append(slices.Clone(n.Labels), n.Name)
		return fields{"_class": class, "displayName": n.Name, "offline": n.Offline, "numExecutors": len(n.executors),
			"executors":      list(n.executors, func(b *build) fields { return fields{"idle": b == nil} }),
			"assignedLabels": list(labels, func(name string) fields { return fields{"name": name} })}
	})
	return fields{"_class": "hudson.model.ComputerSet", "busyExecutors": s.busyExecutors(), "computer": all}
}
