package main

import "fmt"

type logsCommand struct {
	Job    string `arg:"" optional:"" placeholder:"JOB[/N]" help:"A job's name or ID, with the number of a build. Default: the job of the folder that you are in, its newest build."`
	Follow bool   `short:"f" help:"Wait for what comes, until the build has ended. The exit status is the build's."`
	JSON   bool   `name:"json" help:"Print events for programs, a JSON object a line."`
}

func (c *logsCommand) Help() string {
	return "Where standard output is no terminal, what is printed is the site's log, byte for byte."
}

func (c *logsCommand) Run(w *world) error {
	w.json = c.JSON
	s, err := w.loggedIn()
	if err != nil {
		return err
	}
	client := w.client(s)
	stop := w.interrupts()
	defer stop()
	o, err := w.find(w.ctx, client, c.Job, false)
	if err != nil {
		return err
	}
	if c.Follow {
		return w.watch(client, o)
	}
	v := w.view()
	_, err = client.log(w.ctx, o, 0, false, v)
	v.end(nil)
	return err
}

// watch follows a build, whose end is the command's.
func (w *world) watch(c *client, o *order) error {
	v := w.view()
	w.follows.Store(true)
	b, err := c.follow(w.ctx, o, v)
	v.end(b)
	if w.ctx.Err() != nil {
		return w.leave(c, o)
	}
	if err != nil {
		return w.comeBack(o, err)
	}
	w.event("done", map[string]any{"state": b.State, "job": o.job, "number": o.number})
	if b.State != "succeeded" {
		return w.unsuccessful(o, b)
	}
	w.note("%s succeeded. Download it with “toaster download %s”.", o.title(), o.ref())
	return nil
}

// unsuccessful says why a build gave nothing.
func (w *world) unsuccessful(o *order, b *build) error {
	message, advice := fmt.Sprintf("%s: %s", o.title(), b.State), ""
	if f := b.Failure; f != nil {
		if f.Step > 0 {
			message += fmt.Sprintf(" at line %d of the Dockerfile, exit code %d", f.Line, f.ExitCode)
		}
		if f.Message != "" {
			message += ": " + f.Message
		}
		advice = f.Advice
	} else if b.Reason != "" {
		message += ": " + b.Reason
	}
	return failed(exitFailed, advice, "%s", message)
}

// next says what to do with what was downloaded.
func (w *world) next(b *build, dir string) {
	for _, s := range b.Next {
		w.note("\n%s", s.Title)
		if s.Text != "" {
			w.note("  %s", s.Text)
		}
		if len(s.Commands) > 0 {
			w.note("    cd %s", dir)
		}
		for _, command := range s.Commands {
			w.note("    %s", command)
		}
	}
}
