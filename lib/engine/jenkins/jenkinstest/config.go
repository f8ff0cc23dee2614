package jenkinstest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// project is a freestyle project's config.xml, as far as it matters.
type project struct {
	XMLName         xml.Name
	Description     *string `xml:"description"`
	Disabled        bool    `xml:"disabled"`
	AssignedNode    string  `xml:"assignedNode"`
	ConcurrentBuild bool    `xml:"concurrentBuild"`
	QuietPeriod     *int    `xml:"quietPeriod"`
	Keep            string  `xml:"logRotator>numToKeep"`
	Discarder       string  `xml:"properties>jenkins.model.BuildDiscarderProperty>strategy>numToKeep"`
	Parameters      *struct {
		Any string `xml:",innerxml"`
	} `xml:"properties>hudson.model.ParametersDefinitionProperty"`
	Builders struct {
		Shell []struct {
			Command  string `xml:"command"`
			Unstable int    `xml:"unstableReturn"` // the exit status that makes the build unstable
		} `xml:"hudson.tasks.Shell"`
	} `xml:"builders"`
	Publishers struct {
		Archiver *archiver `xml:"hudson.tasks.ArtifactArchiver"`
	} `xml:"publishers"`
}

var xmlDeclaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// parseConfig reads a config.xml and gives it back as Jenkins stores it.
func parseConfig(body []byte) (p project, stored string, err error) {
	declared := xmlDeclaration.Find(body)
	rest := body[len(declared):]
	if strings.Contains(strings.ToUpper(string(declared)), "ISO-8859-1") {
		rest = fromLatin1(rest)
	}
	rest = bytes.ToValidUTF8(rest, []byte("\uFFFD"))
	d := xml.NewDecoder(bytes.NewReader(rest))
	if err := d.Decode(&p); err != nil {
		return p, "", err
	}
	if p.XMLName.Local != "project" {
		return p, "", fmt.Errorf("unknown element %s", p.XMLName.Local)
	}
	for {
		switch token, err := d.Token(); {
		case err == io.EOF:
			version := "1.0"
			if bytes.Contains(declared, []byte("1.1")) {
				version = "1.1"
			}
			return p, `<?xml version="` + version + `" encoding="UTF-8"?>` + strings.TrimSpace(string(rest)), nil
		case err != nil:
			return p, "", err
		default:
			if _, element := token.(xml.StartElement); element {
				return p, "", errors.New("more than one root element")
			}
		}
	}
}

func fromLatin1(body []byte) []byte {
	var b bytes.Buffer
	for _, c := range body {
		b.WriteRune(rune(c))
	}
	return b.Bytes()
}

var (
	disabledElement = regexp.MustCompile(`<disabled>\s*\w+\s*</disabled>`)
	rootElement     = regexp.MustCompile(`<project[^>]*?(/?)>`)
)

// withDisabled is a stored config.xml with the job disabled or not.
func withDisabled(stored string, yes bool) string {
	element := fmt.Sprintf("<disabled>%t</disabled>", yes)
	if disabledElement.MatchString(stored) {
		return disabledElement.ReplaceAllLiteralString(stored, element)
	}
	at := rootElement.FindStringSubmatchIndex(stored)
	if at[2] < at[3] { // <project/>
		return stored[:at[2]] + ">" + element + "</project>" + stored[at[1]:]
	}
	return stored[:at[1]] + "\n  " + element + stored[at[1]:]
}
