package main

type stopCommand struct {
	Job string `arg:"" optional:"" help:"A job's name or ID. Default: the job of the folder that you are in."`
}

func (c *stopCommand) Run(w *world) error {
	s, err := w.loggedIn()
	if err != nil {
		return err
	}
	client := w.client(s)
	o, err := w.find(w.ctx, client, c.Job, false)
	if err != nil {
		return err
	}
	if err := client.stop(w.ctx, o.job); err != nil {
		return err
	}
	w.note("%s is being stopped.", o.title())
	return nil
}
