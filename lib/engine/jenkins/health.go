package jenkins

import (
	"context"
	"slices"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// computer is an agent, or the controller itself. See hudson.model.Computer.
type computer struct {
	Class     string `json:"_class"`
	Name      string `json:"displayName"`
	Offline   bool   `json:"offline"`
	Slots     int    `json:"numExecutors"`
	Executors []struct {
		Idle bool `json:"idle"`
	} `json:"executors"`
	Labels []nameOnly `json:"assignedLabels"`
}

type nameOnly struct {
	Name string `json:"name"`
}

// can tells whether the agent takes builds with that label; any takes those without.
func (c *computer) can(label string) bool {
	return c.Slots > 0 && (label == "" || slices.Contains(c.Labels, nameOnly{label}))
}

// labels are the agent's, without the one that every agent has: its own name.
func (c *computer) labels() []string {
	var names []string
	for _, l := range c.Labels {
		if l.Name != c.Name {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (e *Engine) computers(ctx context.Context) ([]computer, error) {
	var answer struct {
		Computers []computer `json:"computer"`
	}
	_, err := e.requester.GetJSON(ctx, "/computer", &answer,
		map[string]string{"tree": "computer[displayName,offline,numExecutors,executors[idle],assignedLabels[name]]"})
	return answer.Computers, err
}

// Health tells of the agents, by the labels that they have: an agent with two labels counts once, under both together.
// See engine.Engine.
func (e *Engine) Health(ctx context.Context) engine.Health {
	h, err := e.getHealth(ctx)
	if err != nil {
		f := apperr.Of(err)
		return engine.Health{Reachable: f.Kind != apperr.Unavailable, Message: f.Message, Version: h.Version}
	}
	return h
}

func (e *Engine) getHealth(ctx context.Context) (h engine.Health, err error) {
	var root struct {
		Quieting bool `json:"quietingDown"`
	}
	resp, err := e.requester.GetJSON(ctx, "", &root, map[string]string{"tree": "quietingDown"})
	if err != nil {
		return h, err
	}
	h.Version = resp.Header.Get("X-Jenkins")
	var queue struct {
		Items []queueItem `json:"items"`
	}
	if _, err := e.requester.GetJSON(ctx, "/queue", &queue, map[string]string{"tree": "items[id]"}); err != nil {
		return h, err
	}
	agents, err := e.computers(ctx)
	if err != nil {
		return h, err
	}
	h.Reachable, h.Queue, h.Slots = true, len(queue.Items), slots(agents)
	switch online := slices.ContainsFunc(h.Slots, func(s engine.Slots) bool { return s.Online > 0 }); {
	case root.Quieting:
		h.Message = i18n.T("The build service is about to restart. Builds wait until then.")
	case !online:
		h.Message = i18n.T("No agent of the build service is online.")
	}
	return h, nil
}

// slots adds up the executors of agents with the same labels.
func slots(agents []computer) (all []engine.Slots) {
	for _, a := range agents {
		if a.Slots == 0 {
			continue
		}
		label := strings.Join(a.labels(), " ")
		i := slices.IndexFunc(all, func(s engine.Slots) bool { return s.Label == label })
		if i < 0 {
			i = len(all)
			all = append(all, engine.Slots{Label: label})
		}
		all[i].Total += a.Slots
		if a.Offline {
			continue
		}
		all[i].Online += a.Slots
		busy := 0
		for _, x := range a.Executors {
			if !x.Idle {
				busy++
			}
		}
		all[i].Busy += min(busy, a.Slots) // one that is being taken away still works
	}
	return all
}
