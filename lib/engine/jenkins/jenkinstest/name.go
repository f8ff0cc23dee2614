package jenkinstest

import (
	"fmt"
	"strings"
)

// badName says what is wrong with an item's name, in Jenkins's words, or nothing.
func badName(name string) string {
	if name == "" {
		return "No name is specified"
	}
	if name == "." || name == ".." {
		return "“" + name + "” is not an allowed name"
	}
	for _, r := range name {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return "No control code is allowed: " + printable(name)
		}
		if strings.ContainsRune(`?*/\%!@#$^&|<>[]:;`, r) {
			return "‘" + string(r) + "’ is an unsafe character"
		}
	}
	return ""
}

func printable(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			fmt.Fprintf(&b, `\u%d;`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
