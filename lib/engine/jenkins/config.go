package jenkins

import (
	"bytes"
	"encoding/xml"
	"html"
	"strconv"
	"strings"
	"unicode"

	"toaster.do/lib/engine"
)

// project is a freestyle job's config.xml, of Jenkins's core alone.
type project struct {
	XMLName          xml.Name  `xml:"project"`
	Description      string    `xml:"description"`
	KeepDependencies bool      `xml:"keepDependencies"`
	Properties       struct{}  `xml:"properties"` // no discarder: toaster says which builds go
	SCM              class     `xml:"scm"`
	Label            string    `xml:"assignedNode,omitempty"`
	CanRoam          bool      `xml:"canRoam"` // any agent will do
	Disabled         bool      `xml:"disabled"`
	BlockDownstream  bool      `xml:"blockBuildWhenDownstreamBuilding"`
	BlockUpstream    bool      `xml:"blockBuildWhenUpstreamBuilding"`
	Triggers         struct{}  `xml:"triggers"`
	Concurrent       bool      `xml:"concurrentBuild"`
	Shell            shellTask `xml:"builders>hudson.tasks.Shell"`
	Archiver         archiver  `xml:"publishers>hudson.tasks.ArtifactArchiver"`
	Wrappers         struct{}  `xml:"buildWrappers"`
}

type class struct {
	Name string `xml:"class,attr"`
}

type shellTask struct {
	Command  string `xml:"command"`
	Unstable int    `xml:"unstableReturn"`
}

// archiver keeps what is in dist. Links are left out: they could lead anywhere. So there are no fingerprints: Jenkins
// follows links to take them.
type archiver struct {
	Artifacts       string `xml:"artifacts"`
	AllowEmpty      bool   `xml:"allowEmptyArchive"`
	OnlySuccessful  bool   `xml:"onlyIfSuccessful"`
	Fingerprint     bool   `xml:"fingerprint"`
	DefaultExcludes bool   `xml:"defaultExcludes"`
	CaseSensitive   bool   `xml:"caseSensitive"`
	FollowSymlinks  bool   `xml:"followSymlinks"`
}

// config returns a job's config.xml, in ASCII: no encoding on its way can change it.
func config(job engine.Job, disabled bool) string {
	p := project{
		Description: description(job),
		SCM:         class{"hudson.scm.NullSCM"},
		Label:       job.Label, CanRoam: job.Label == "",
		Disabled: disabled,
		Shell:    shellTask{string(shellStep(job)), failedStatus},
		Archiver: archiver{Artifacts: "dist/**", AllowEmpty: true, OnlySuccessful: true, CaseSensitive: true},
	}
	return marshalXML(p)
}

// marshalXML encodes v as XML 1.0.
func marshalXML(v any) string {
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0' encoding='UTF-8'?>\n")
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		panic(err) // the types above can't be encoded
	}
	return toASCII(b.String())
}

// toASCII writes all other characters as references. Names of elements and attributes have none.
func toASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		}
	}
	return b.String()
}

// mark is what a job of toaster's is recognised by: in its description, and in its script for the case that somebody
// edited the description. No name has a parenthesis.
func mark(name string) string { return "(toaster job " + name + ")" }

// description is HTML where the administrator has chosen so, and else text: it is text that reads the same as HTML.
func description(job engine.Job) string {
	text := strings.Join(strings.FieldsFunc(job.Description,
		func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	return html.EscapeString(text) + "\n" + mark(job.Name)
}

// isMarked tells whether a text has the mark of this very job.
func isMarked(text, name string) bool { return strings.Contains(text, mark(name)) }
