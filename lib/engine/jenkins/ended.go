package jenkins

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

var _ engine.Examiner = (*Engine)(nil)

// endedByJenkins is said of a build that its script has not ended.
const endedByJenkins i18n.Key = "The build service ended this build before its script did: it was restarted, or its " +
	"agent was lost."

// endReasons are the words by which Jenkins's own last lines tell what has ended a build, and what a person is told.
// The first that is found counts. See hudson.model.AbstractBuild and hudson.tasks.CommandInterpreter.
var endReasons = []struct {
	words  string
	reason i18n.Key
}{
	{words: "No space left on device", reason: "A disk of the build service or of its agent is full. The administrator " +
		"has to free some space."},
	{words: "Agent went offline during the build", reason: agentLost},
	{words: "ChannelClosedException", reason: agentLost},
	{words: "RequestAbortedException", reason: agentLost},
	{words: "closing down or has closed down", reason: agentLost},
	{words: "Unexpected termination of the channel", reason: agentLost},
	{words: "no workspace for", reason: agentLost},
	{words: "no workspace from node", reason: agentLost},
	{words: "seems to be offline", reason: agentLost},
	{words: "InterruptedException", reason: restarted},
	{words: "Build was aborted", reason: restarted},
	{words: "Jenkins.instance is missing", reason: restarted},
	{words: "java.lang.ClassNotFoundException", reason: restarted},
	{words: "ERROR: Failed to archive artifacts", reason: notArchived},
	{words: "Build step 'Archive the artifacts'", reason: notArchived},
	{words: "Unable to produce a script file", reason: "The agent of the build service can't write the build script. " +
		"The administrator has to check it."},
	{words: "toaster: this build was ended from outside", reason: "The build was ended on the agent by another process."},
}

const (
	agentLost    i18n.Key = "The build service lost the connection to the agent of this build."
	restarted    i18n.Key = "The build service was restarted during this build."
	stoppedThere i18n.Key = "Stopped on the build service."
	notArchived  i18n.Key = "The build service can't store the artifacts of this build. The administrator has to check it."
)

// Examine says how a build was ended that its script has not ended. Only a person's stop is recorded as the cause of an
// interruption (Executor.recordCauseOfInterruption); a restart has none. See engine.Examiner.
func (e *Engine) Examine(ctx context.Context, name string, number int) (engine.State, i18n.Text, error) {
	if number < 1 || !engine.ValidName(name) {
		return "", i18n.Text{}, errNoBuild
	}
	var b struct {
		Result  string `json:"result"`
		Actions []struct {
			Class string `json:"_class"`
		} `json:"actions"`
	}
	_, err := e.requester.GetJSON(ctx, path("job", name, strconv.Itoa(number)), &b,
		map[string]string{"tree": "result,actions[causes[_class]]"})
	if apperr.KindOf(err) == apperr.NotFound {
		return engine.Lost, i18n.T(endedByJenkins), nil
	}
	if err != nil {
		return "", i18n.Text{}, err
	}
	for _, a := range b.Actions {
		if b.Result == "ABORTED" && a.Class == "jenkins.model.InterruptedBuildAction" {
			return engine.Aborted, i18n.T(stoppedThere), nil
		}
	}
	reason, err := e.whyEnded(ctx, name, number)
	return engine.Lost, i18n.T(reason), err
}

// whyEnded finds the reason in the last lines of the log, which are Jenkins's own where the script has not ended.
func (e *Engine) whyEnded(ctx context.Context, name string, number int) (i18n.Key, error) {
	end, err := e.Log(ctx, name, number, math.MaxInt64)
	if err != nil {
		return endedByJenkins, err
	}
	c, err := e.Log(ctx, name, number, max(0, end.Next-tailBytes))
	if err != nil {
		return endedByJenkins, err
	}
	text := string(ownOutput(c.Text))
	for _, end := range endReasons {
		if strings.Contains(text, end.words) {
			return end.reason, nil
		}
	}
	return endedByJenkins, nil
}

// ownLines is what Jenkins's lines at the end of a log begin with, those of stack traces included.
var ownLines = []string{"\tat ", "\t... ", "\tSuppressed", "Caused", "Also:", "FATAL", "ERROR", "java.", "hudson.",
	"jenkins.", "org.",
	"Build ", "Agent went", "Finished:", "Archiving", "Skipped", "Terminated", "toaster: this build was"}

// ownOutput leaves out what is before Jenkins's last words: the build's programs may have printed anything.
func ownOutput(text []byte) []byte {
	for end := len(text); end > 0; {
		begin := bytes.LastIndexByte(text[:end-1], '\n') + 1
		line := string(text[begin:end])
		if strings.TrimSpace(line) != "" && !slices.ContainsFunc(ownLines,
			func(own string) bool { return strings.HasPrefix(line, own) }) {
			return text[end:]
		}
		end = begin
	}
	return text
}

// tailBytes is how much of a log Jenkins's words about its end take: two stack traces.
const tailBytes = 16 << 10
