package dockerfile

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// Name returns a name for what a Dockerfile makes: what CMD or ENTRYPOINT runs, such as "shop" for ["python3",
// "shop.py"], else the image that it begins with; empty where it has neither.
func Name(text []byte) string {
	p := parse(text, linter.New(&linter.Config{}), &report{})
	if p == nil {
		return ""
	}
	var cmd, entrypoint []string
	for _, c := range p.stages[len(p.stages)-1].Commands {
		switch in := c.(type) {
		case *instructions.CmdCommand:
			cmd = in.CmdLine
		case *instructions.EntrypointCommand:
			cmd, entrypoint = nil, in.CmdLine
		}
	}
	if len(cmd) == 0 || strings.HasPrefix(cmd[0], "-") {
		cmd = entrypoint
	}
	if name := program(cmd); name != "" {
		return name
	}
	return path.Base(parseImage(p.baseOfLast()).name)
}

// launchers run the program that their arguments name.
var launchers = map[string]bool{"sh": true, "bash": true, "dash": true, "env": true, "exec": true, "tini": true,
	"dumb-init": true, "python": true, "python3": true, "node": true, "ruby": true, "perl": true, "php": true,
	"java": true, "--": true}

// program is the name of what a command runs, without launcher, folder and ending; empty where a variable decides it.
func program(command []string) string {
	name := ""
	for _, word := range strings.Fields(strings.Join(command, " ")) {
		if strings.HasPrefix(word, "-") || strings.Contains(word, "=") {
			continue
		}
		if strings.ContainsAny(word, "$`'\"&|;<>(){}") {
			break
		}
		name = path.Base(word)
		if !launchers[name] {
			break
		}
	}
	switch end := path.Ext(name); end {
	case ".py", ".js", ".mjs", ".sh", ".rb", ".pl", ".php", ".jar":
		name = strings.TrimSuffix(name, end)
	}
	return name
}
