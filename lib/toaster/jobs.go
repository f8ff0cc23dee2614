package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
)

type jobsCommand struct {
	Quiet bool `short:"q" help:"Print only names."`
	JSON  bool `name:"json" help:"Print a JSON object a line."`
}

func (c *jobsCommand) Run(w *world) error {
	s, err := w.loggedIn()
	if err != nil {
		return err
	}
	list, err := w.client(s).jobs(w.ctx, "")
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w.out, 0, 8, 2, ' ', 0)
	defer t.Flush()
	if !c.Quiet && !c.JSON && len(list) > 0 {
		fmt.Fprintln(t, "ID\tNAME\tTARGET\tBUILD\tSTATE")
	}
	for _, j := range list {
		last := 0
		for _, b := range j.Builds {
			last = max(last, b.Number)
		}
		switch {
		case c.JSON:
			if err := json.NewEncoder(w.out).Encode(map[string]any{"id": j.ID, "name": j.Name, "target": j.Target,
				"state": j.State, "number": last}); err != nil {
				return err
			}
		case c.Quiet:
			fmt.Fprintln(w.out, printableLine(j.Name))
		default:
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", j.ID, printableLine(j.Name), j.Target, last, printableLine(j.State))
		}
	}
	return nil
}
