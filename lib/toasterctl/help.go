package main

// helpCommand stands in the list of commands; asksForHelp makes --help of it.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as “user add”."`
}

func (*helpCommand) Run(*world) error { return nil }

// groups are commands that have commands below them.
var groups = map[string]bool{"user": true, "token": true, "job": true}

// asksForHelp turns “help COMMAND” and “user help” into what they mean.
func asksForHelp(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	case len(args) == 2 && args[1] == "help" && groups[args[0]]:
		return []string{args[0], "--help"}
	}
	return args
}
