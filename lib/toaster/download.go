package main

import (
	"cmp"
	"path/filepath"
)

type downloadCommand struct {
	Job    string   `arg:"" optional:"" placeholder:"JOB[/N]" help:"A job's name or ID, with the number of a build. Default: the job of the folder that you are in, its newest build that succeeded."`
	Files  []string `arg:"" optional:"" name:"file" help:"Only these files, and the checksums."`
	Output string   `short:"o" placeholder:"DIR" help:"Where to download to. Default: dist/TARGET."`
	JSON   bool     `name:"json" help:"Print events for programs, a JSON object a line."`
}

func (c *downloadCommand) Help() string {
	return "A download that was interrupted goes on where it stopped. Files that are there already are not fetched again."
}

func (c *downloadCommand) Run(w *world) error {
	w.json = c.JSON
	s, err := w.loggedIn()
	if err != nil {
		return err
	}
	client := w.client(s)
	stop := w.interrupts()
	defer stop()
	o, err := w.find(w.ctx, client, c.Job, true)
	if err != nil {
		return err
	}
	b, err := client.state(w.ctx, o)
	if err != nil {
		return err
	}
	dir := cmp.Or(c.Output, filepath.Join("dist", o.target))
	if err := w.fetch(client, o, b, dir, c.Files); err != nil {
		return err
	}
	w.next(b, dir)
	return nil
}
