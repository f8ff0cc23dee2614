package main

import (
	"strings"

	"toaster.do/lib/i18n"
)

// Names of browsers and systems by what User-Agent has of them. The order counts: most browsers also claim to be
// another.
var (
	browsers = [][2]string{{"Firefox/", "Firefox"}, {"Edg", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"},
		{"ELinks", "ELinks"}, {"Lynx", "Lynx"}, {"w3m", "w3m"}, {"curl/", "curl"}, {"Wget/", "Wget"}}
	systems = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
		{"Mac OS", "macOS"}, {"CrOS", "ChromeOS"},
		{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"}}
)

// agentName says in a few words which browser it was: "Firefox (Linux)".
func agentName(agent string) i18n.Text {
	browser, system := named(agent, browsers), named(agent, systems)
	switch {
	case browser == "" && agent == "":
		return i18n.T("Unknown browser")
	case browser == "":
		return i18n.Plain(agent)
	case system == "":
		return i18n.Plain(browser)
	}
	return i18n.Plain(browser + " (" + system + ")")
}

func named(agent string, names [][2]string) string {
	for _, n := range names {
		if strings.Contains(agent, n[0]) {
			return n[1]
		}
	}
	return ""
}
