package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
)

type targetsCommand struct {
	Quiet bool `short:"q" help:"Print only names."`
	JSON  bool `name:"json" help:"Print a JSON object a line."`
}

// target is what the client reads of one.
type target struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Remark string `json:"remark"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *target) UnmarshalJSON(text []byte) error {
	type plain target
	if err := json.Unmarshal(text, (*plain)(t)); err != nil {
		return err
	}
	return checkWords(t.Name)
}

func (c *client) targets(ctx context.Context) ([]target, error) {
	var list struct {
		Targets []target `json:"targets"`
	}
	err := c.get(ctx, "/targets", nil, &list)
	return list.Targets, err
}

func names(list []target) (names []string) {
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names
}

func (c *targetsCommand) Run(w *world) error {
	s, err := w.chosen()
	if err != nil {
		return err
	}
	list, err := w.client(s).targets(w.ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w.out, 0, 8, 2, ' ', 0)
	defer t.Flush()
	for _, one := range list {
		switch {
		case c.JSON:
			if err := json.NewEncoder(w.out).Encode(one); err != nil {
				return err
			}
		case c.Quiet:
			fmt.Fprintln(w.out, one.Name)
		default:
			fmt.Fprintf(t, "%s\t%s\n", one.Name, printableLine(one.Title))
		}
	}
	return nil
}
