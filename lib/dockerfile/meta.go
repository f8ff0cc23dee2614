package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	images "toaster.do/lib/image"
)

// meta notes the instructions that change no file but how the image is run.
func (t *translator) meta(s *stage, in instructions.Command, lint *linter.Linter) {
	c := &s.config
	switch in := in.(type) {
	case *instructions.UserCommand:
		c.User = in.User
	case *instructions.ShellCommand:
		c.Shell = in.Shell
	case *instructions.LabelCommand:
		for _, l := range in.Labels {
			if l.NoDelim {
				lint.Run(&linter.RuleLegacyKeyValueFormat, in.Location(), linter.RuleLegacyKeyValueFormat.Format(in.Name()))
			}
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			c.Labels[l.Key] = l.Value
		}
	case *instructions.MaintainerCommand:
		c.author = in.Maintainer
	case *instructions.OnbuildCommand:
		c.OnBuild = append(c.OnBuild, in.Expression)
	case *instructions.VolumeCommand:
		for _, v := range in.Volumes {
			if v == "" {
				t.failIn(s, in.Location(), "Syntax", "VOLUME needs a path.", "Set a value, or delete the line.")
				continue
			}
			if c.Volumes == nil {
				c.Volumes = map[string]struct{}{}
			}
			c.Volumes[v] = struct{}{} // a note: the service makes the folder, as docker run does
		}
	case *instructions.StopSignalCommand:
		if !validSignal(in.Signal) {
			t.failIn(s, in.Location(), "Syntax", "Invalid signal: %s",
				"Write a signal's name such as SIGTERM, or its number.", in.Signal)
			return
		}
		c.StopSignal = in.Signal
	case *instructions.ExposeCommand:
		t.expose(s, in, lint)
	case *instructions.HealthCheckCommand:
		usedOnce(in, &s.health, lint)
		h := in.Health
		c.Healthcheck = &images.Healthcheck{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod,
			StartInterval: h.StartInterval, Retries: h.Retries}
	case *instructions.CmdCommand:
		usedOnce(in, &s.cmd, lint)
		c.Cmd = s.command(in.ShellDependantCmdLine, in, lint)
		c.runs = true
	case *instructions.EntrypointCommand:
		usedOnce(in, &s.entrypoint, lint)
		c.Entrypoint = s.command(in.ShellDependantCmdLine, in, lint)
		c.runs = true
		if !s.cmd.set {
			c.Cmd = nil
		}
	default:
		t.failIn(s, in.Location(), "NotTranslated", "%s is not supported yet.",
			"Remove the line, if the image does not need it.", in.Name())
	}
}

// command is the argv of CMD or ENTRYPOINT; the shell form goes through the shell.
func (s *stage) command(line instructions.ShellDependantCmdLine, in instructions.Command,
	lint *linter.Linter) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	if len(s.config.Shell) == 0 {
		lint.Run(&linter.RuleJSONArgsRecommended, in.Location(), linter.RuleJSONArgsRecommended.Format(in.Name()))
	}
	args := ""
	for i, a := range line.CmdLine {
		if i > 0 {
			args += " "
		}
		args += a
	}
	return append(s.config.shell(), args)
}

// usedOnce reports the earlier of two instructions of which only the last counts.
func usedOnce(in instructions.Command, before *seen, lint *linter.Linter) {
	if before.set {
		lint.Run(&linter.RuleMultipleInstructionsDisallowed, before.loc,
			linter.RuleMultipleInstructionsDisallowed.Format(in.Name()))
	}
	before.set, before.loc = true, in.Location()
}
