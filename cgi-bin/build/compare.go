package main

import (
	"net/http"
	"strconv"
	"time"

	"toaster.do/lib/api"
	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// comparePage is a comparison as its page shows it.
type comparePage struct {
	*jobs.Comparison
	Builds []*store.Build
	Rows   []fact
}

var compareTemplate = view.Template[comparePage]{Name: "compare"}

// compare shows in what two builds of a job differ: ?from= and ?to=, or the last two.
func (j *handlers) compare(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	builds, err := s.Builds(ctx, owner, id)
	if err != nil {
		return err
	}
	from, to, err := pair(r, builds)
	if err != nil {
		return err
	}
	c, err := s.Compare(ctx, owner, id, from, to)
	if err != nil {
		return err
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, comparisonAsJSON(c))
	}
	explain(r, c.Gone)
	explain(r, c.New)
	page := comparePage{c, builds, facts(c, r.Lang())}
	return r.Page(w, http.StatusOK, compareTemplate.With(page), view.View{Here: "jobs"})
}

// pair is the two builds that are asked for.
func pair(r *web.Request, builds []*store.Build) (from, to int, err error) {
	if len(builds) == 0 {
		return 0, 0, apperr.New(apperr.NotFound, "This job has no builds to compare.", "Build it twice, then compare.")
	}
	from, to = builds[min(1, len(builds)-1)].Number, builds[0].Number
	for name, number := range map[string]*int{"from": &from, "to": &to} {
		if asked := r.URL.Query().Get(name); asked != "" {
			if *number, err = strconv.Atoi(asked); err != nil {
				return 0, 0, apperr.New(apperr.NotFound, "This build does not exist.", "See the page of the job for its builds.")
			}
		}
	}
	return from, to, nil
}

// fact is a row of what two builds are, side by side.
type fact struct {
	Name     i18n.Key
	From, To string
	Differs  bool
}

func facts(c *jobs.Comparison, lang string) []fact {
	var list []fact
	add := func(name i18n.Key, of func(*jobs.Side) string) {
		from, to := of(c.From), of(c.To)
		if from != "" || to != "" {
			list = append(list, fact{name, from, to, from != to})
		}
	}
	add("Image", func(s *jobs.Side) string {
		if s.Image == nil {
			return ""
		}
		return s.Image.Path
	})
	add("Size", func(s *jobs.Side) string {
		if s.Image == nil {
			return ""
		}
		return view.Bytes(lang, s.Image.Size) + " (" + view.Exact(lang, s.Image.Size) + ")"
	})
	add("SHA-256", func(s *jobs.Side) string {
		if s.Image == nil {
			return ""
		}
		return s.Image.SHA256
	})
	add("Duration", func(s *jobs.Side) string {
		if s.Took() == 0 {
			return ""
		}
		return view.Length(lang, s.Took())
	})
	add("Repository", func(s *jobs.Side) string { return s.Revision.Source.Repository })
	add("Branch, tag or commit", func(s *jobs.Side) string { return s.Revision.Source.Ref })
	add("Commit", func(s *jobs.Side) string { return s.Revision.Source.Commit })
	add("Build context", func(s *jobs.Side) string {
		if s.Revision.Context == "" {
			return ""
		}
		return view.Bytes(lang, s.Revision.ContextSize)
	})
	return list
}

// The names in JSON are a contract with programs. What is the same on both sides is an empty list, or left out.
type comparisonJSON struct {
	From        sideJSON     `json:"from"`
	To          sideJSON     `json:"to"`
	Why         []i18n.Text  `json:"why"`
	Dockerfile  []rowJSON    `json:"dockerfile"`
	BuildArgs   []changeJSON `json:"build_args"`
	Environment []changeJSON `json:"environment"`
	Images      []changeJSON `json:"images"` // digests, by reference and platform
	Source      []changeJSON `json:"source"` // repository, ref and commit
	Context     bool         `json:"context_differs"`
	// the next two are told only when the files of both builds are still there
	Known      bool                 `json:"files_known"`
	Packages   []changeJSON         `json:"packages"`
	Provenance []changeJSON         `json:"provenance"`
	Gone       []dockerfile.Finding `json:"findings_gone"`
	New        []dockerfile.Finding `json:"findings_new"`
}

type sideJSON struct {
	Number   int              `json:"number"`
	Revision int              `json:"revision"`
	State    store.BuildState `json:"state"`
	Seconds  float64          `json:"seconds,omitempty"`
	Image    *api.Artifact    `json:"image"`
	Missing  string           `json:"missing,omitempty"`
}

type rowJSON struct {
	FromLine int    `json:"from_line,omitempty"`
	From     string `json:"from,omitempty"`
	ToLine   int    `json:"to_line,omitempty"`
	To       string `json:"to,omitempty"`
}

type changeJSON struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

func comparisonAsJSON(c *jobs.Comparison) comparisonJSON {
	out := comparisonJSON{
		From: sideAsJSON(c.From), To: sideAsJSON(c.To), Why: append([]i18n.Text{}, c.Why()...), Dockerfile: []rowJSON{},
		BuildArgs: changesAsJSON(c.BuildArgs), Environment: changesAsJSON(c.Environment),
		Images: changesAsJSON(c.Images), Source: changesAsJSON(c.Source), Context: c.Context, Known: c.Both(),
		Packages: changesAsJSON(c.Packages), Provenance: changesAsJSON(c.Provenance),
		Gone: append([]dockerfile.Finding{}, c.Gone...), New: append([]dockerfile.Finding{}, c.New...),
	}
	for _, h := range c.Dockerfile {
		for _, r := range h.Rows {
			if !r.Same() {
				out.Dockerfile = append(out.Dockerfile, rowJSON{r.FromLine, r.From, r.ToLine, r.To})
			}
		}
	}
	return out
}

func sideAsJSON(s *jobs.Side) sideJSON {
	out := sideJSON{Number: s.Build.Number, Revision: s.Build.Revision, State: s.Build.State,
		Seconds: s.Took().Round(time.Millisecond).Seconds(), Missing: s.Missing.String()}
	if s.Image != nil {
		a := api.ArtifactOf(*s.Image)
		out.Image = &a
	}
	return out
}

func changesAsJSON(changes []jobs.Change) []changeJSON {
	list := make([]changeJSON, len(changes))
	for i, c := range changes {
		list[i] = changeJSON(c)
	}
	return list
}
