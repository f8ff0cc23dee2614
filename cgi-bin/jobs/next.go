package main

import (
	"toaster.do/lib/build"
	"toaster.do/lib/sdk"
	"toaster.do/lib/store"
)

// whatNext is what to do with what a build left.
func whatNext(s *build.Service, job *store.Job, artifacts []store.Artifact) (list []sdk.Step) {
	target, _ := s.Target(job.Target) // of one that is not offered any more, files still tell what they are
	for _, a := range artifacts {
		list = append(list, target.Next(a.Path)...)
	}
	if password := target.Password(); password != "" && len(list) > 0 {
		list = append(list, sdk.Step{Title: "Log in as root", Text: password})
	}
	return list
}

// screenshot is the picture of the image's console that its boot check left; empty: there is none.
func screenshot(artifacts []store.Artifact) string {
	for _, a := range artifacts {
		if a.Path == "boot.png" {
			return a.Path
		}
	}
	return ""
}
