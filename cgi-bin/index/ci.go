package main

import (
	"embed"
	"strings"

	"toaster.do/lib/i18n"
)

//go:embed ci
var examples embed.FS

// clientFile is the command toaster, for the machines that CI systems mostly have.
const clientFile = "static/client/toaster-linux-amd64"

// example is a way to build from elsewhere, to copy.
type example struct {
	ID    string // of its place on the page
	Title i18n.Text
	Text  string
}

// ciExamples are the examples for a site at an address, and a target.
func ciExamples(address, target string) (list []example, err error) {
	fill := strings.NewReplacer("ADDRESS/CLIENT", address+"/"+clientFile, "ADDRESS", address, "${TARGET:=TARGET}",
		"${TARGET:="+target+"}", "-t TARGET", "-t "+target)
	for _, e := range []struct {
		file, id string
		title    i18n.Text
	}{
		{"github.yml", "ci-github", i18n.Plain("GitHub Actions")}, {"gitlab.yml", "ci-gitlab", i18n.Plain("GitLab CI")},
		{"woodpecker.yml", "ci-woodpecker", i18n.Plain("Woodpecker")}, {"Jenkinsfile", "ci-jenkins", i18n.Plain("Jenkins")},
		{"build.sh", "ci-script", i18n.T("A script with curl and jq")},
		{"crontab", "ci-cron", i18n.T("On a schedule, with cron")},
	} {
		text, err := examples.ReadFile("ci/" + e.file)
		if err != nil {
			return nil, err
		}
		list = append(list, example{e.id, e.title, fill.Replace(string(text))})
	}
	return list, nil
}
