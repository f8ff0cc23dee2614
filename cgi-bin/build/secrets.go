package main

import (
	"bytes"
	"strings"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/web"
)

// secretFields are those of what a build is given. They are read, and neither kept nor shown.
var secretFields = web.Limit{Most: engine.MaxSecret, Many: engine.MaxSecrets, File: true, Secret: true, Hidden: true}

func startFields(*config.Config) web.Fields { return web.Fields{jobs.SecretField + "*": secretFields} }

// secretsOf are the secrets of a form. What was typed has the line ends of a file.
func secretsOf(in *web.Form) engine.Secrets {
	given := engine.Secrets{}
	for field, file := range in.Files {
		name, ok := strings.CutPrefix(field, jobs.SecretField)
		if !ok {
			continue
		}
		if file.Name == "" {
			file.Content = bytes.ReplaceAll(file.Content, []byte("\r\n"), []byte("\n"))
		}
		given[name] = file.Content
	}
	return given
}
