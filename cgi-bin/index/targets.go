package main

import (
	"net/http"

	"toaster.do/lib/i18n"
	"toaster.do/lib/target"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// targetJSON is a target for programs. The names are a contract with programs.
type targetJSON struct {
	Name         string `json:"name"`
	Title        string `json:"title"` // for people
	SDK          string `json:"sdk"`
	Arch         string `json:"arch"`
	Distribution string `json:"distribution"`
	Codename     string `json:"codename"`
	Version      string `json:"version,omitempty"`
	Board        string `json:"board,omitempty"`
	Remark       string `json:"remark,omitempty"`
}

var targetsTemplate = view.Template[[]group]{Name: "targets"}

// targets lists what can be built, to people and to programs.
func targets(w http.ResponseWriter, r *web.Request) error {
	list, err := target.LoadTargets(r.Site.Config.Paths.Targets)
	if err != nil {
		return err
	}
	if !r.JSON() {
		return r.Page(w, http.StatusOK, targetsTemplate.With(grouped(list.On())), view.View{})
	}
	out := []targetJSON{}
	for _, t := range list.On() {
		out = append(out, targetJSON{t.Name, t.Title.String(), t.SDK, t.Arch, t.Distribution, t.Codename, t.Version,
			t.Board, r.Say(i18n.T(t.Remark))})
	}
	return r.Answer(w, http.StatusOK, map[string]any{"targets": out})
}
