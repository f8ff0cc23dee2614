package main

// helpCommand stands in the list of commands; asksForHelp makes --help of it.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command."`
}

func (*helpCommand) Run(*world) error { return nil }

// asksForHelp turns “help COMMAND”, and no command at all, into what they mean.
func asksForHelp(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	}
	return args
}
