package dockerfile

import (
	"path"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
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
		now := s.volumesNow()
		for _, v := range in.Volumes {
			if v == "" {
				t.failIn(s, in.Location(), "Syntax", "VOLUME needs a path.", "Give it one, or remove the line.")
				continue
			}
			if c.Volumes == nil {
				c.Volumes = map[string]struct{}{}
			}
			c.Volumes[v] = struct{}{}
			s.volume(path.Join("/", v), now)
		}
	case *instructions.StopSignalCommand:
		if !validSignal(in.Signal) {
			t.failIn(s, in.Location(), "Syntax", "Invalid signal: "+in.Signal, "Write a signal's name such as SIGTERM, or its number.")
			return
		}
		c.StopSignal = in.Signal
	case *instructions.ExposeCommand:
		t.expose(s, in, lint)
	case *instructions.HealthCheckCommand:
		usedOnce(in, &s.health, lint)
		h := in.Health
		c.Healthcheck = &healthcheck{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries}
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
		t.failIn(s, in.Location(), "NotTranslated", in.Name()+" is not translated yet.", "Remove the line, if the image can do without it.")
	}
}

// volume makes the folder of a VOLUME when buildah does: if the stage has a RUN after it, or ends with it; else a RUN of
// a stage based on this one makes it. For BuildKit a volume is only a note in the image. So where both builders agree
// on no folder there is none, and what was tested with either finds its folder. In any case the service makes it before
// it starts the application, as docker run does. What is written there later is kept, as by BuildKit.
func (s *stage) volume(place string, now bool) {
	if now {
		s.emit("volume", place)
		return
	}
	s.volumes = append(s.volumes, place)
}

// volumesNow tells whether the stage has a RUN after this instruction, or ends with it.
func (s *stage) volumesNow() bool {
	isRun := func(c command) bool { _, ok := c.Command.(*instructions.RunCommand); return ok }
	return len(s.left) == 0 || slices.ContainsFunc(s.left, isRun)
}

// command is the argv of CMD or ENTRYPOINT; the shell form goes through the shell.
func (s *stage) command(line instructions.ShellDependantCmdLine, in instructions.Command, lint *linter.Linter) []string {
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
		lint.Run(&linter.RuleMultipleInstructionsDisallowed, before.loc, linter.RuleMultipleInstructionsDisallowed.Format(in.Name()))
	}
	before.set, before.loc = true, in.Location()
}
