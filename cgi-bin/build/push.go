package main

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/api"
	"toaster.do/lib/apperr"
	"toaster.do/lib/hooks"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// pushes are the rates for starting one job's builds by calls. Genuine calls that start none count by themselves: see
// store.Checks.
var pushes = []store.Rate{{Count: 20, Within: time.Minute}, {Count: 120, Within: time.Hour}}

// passedOver is how much is read of a body that is refused, bytes.
const passedOver = 16 << 20

// push starts a build of a job for whoever knows the secret of its start hook.
func (j *handlers) push(w http.ResponseWriter, r *web.Request) error {
	return j.called(w, r, r.Param("id"), "")
}

// pushSecret is push for an address with the secret in it: ID-SECRET.
func (j *handlers) pushSecret(w http.ResponseWriter, r *web.Request) error {
	id, secret, _ := strings.Cut(r.Param("secret"), "-")
	return j.called(w, r, id, secret)
}

func (j *handlers) called(w http.ResponseWriter, r *web.Request, id, secret string) error {
	// What is not read is passed over, so that the sender sees the answer.
	defer func(all io.Reader) { io.CopyN(io.Discard, all, passedOver) }(r.Body)
	tried, err := r.Network("push", store.Checks)
	if err != nil {
		return err
	}
	owner, call, err := readCall(r, id, secret)
	if err != nil {
		return err
	}
	// Only strangers use up what their network may do: many who push share that of their Git forge.
	if err := db(r).Forgive(r.Context(), tried); err != nil {
		r.Note(err)
	}
	if err := r.Count(store.Limit{Key: "push:call " + id, Rates: store.Checks}); err != nil {
		return err
	}
	s, err := j.open(r)
	if err != nil {
		return err
	}
	source, err := s.Store.GitSource(r.Context(), owner, id)
	if err != nil {
		return err
	}
	if call.Ignored == "" && !wantsPush(source, call) {
		call.Ignored = "The job is built from another branch. No build was started."
	}
	if call.Ignored != "" {
		return r.Answer(w, http.StatusOK, map[string]any{"started": false, "reason": r.Say(i18n.T(call.Ignored))})
	}
	if err := r.Count(store.Limit{Key: "push:job " + id, Rates: pushes}); err != nil {
		return err
	}
	b, already, err := s.Start(r.Context(), owner, id, nil)
	if err != nil {
		return err
	}
	if err := r.Site.DB.StartHookUsed(r.Context(), id, time.Now()); err != nil {
		r.Note(err)
	}
	w.Header().Set("Location", r.To("/jobs/"+id+"/builds/"+strconv.Itoa(b.Number)))
	return r.Answer(w, http.StatusAccepted, struct {
		api.Build
		Already bool `json:"already"`
		Started bool `json:"started"`
	}{api.BuildOf(b, []store.Artifact{}).At(r.Address(), id), already, !already})
}

// wantsPush tells whether a push is a reason to build a job of a repository (nil: it has none): one to the branch or
// tag that it is built from, as far as the call names one.
func wantsPush(g *store.GitSource, call hooks.Call) bool {
	if g == nil || call.Ref == "" {
		return true
	}
	from := cmp.Or(g.Ref, call.Default)
	return from == "" || slices.Contains([]string{from, "refs/heads/" + from, "refs/tags/" + from}, call.Ref)
}

// readCall reads a call, and returns the owner of the job whose start hook's secret the sender knows. A job that isn't
// there, one without a start hook, and a wrong secret are the same NotFound.
func readCall(r *web.Request, id, secret string) (owner int64, call hooks.Call, err error) {
	owner, sealed, err := r.Site.DB.StarterOf(r.Context(), id)
	if err != nil {
		return 0, call, err
	}
	seals, err := r.Site.Config.Seals(hooks.Seals)
	if err != nil {
		return 0, call, err
	}
	known := hooks.NewSecret() // which nobody knows
	if sealed != nil {
		plain, _, err := seals.Open(sealed, hooks.Bound(id, true))
		if err != nil {
			return 0, call, apperr.Wrap(apperr.Unavailable, err, "The secret of this address can't be read.",
				"Renew it on the page “Hooks” of the job.")
		}
		known = string(plain)
	}
	call, genuine, err := hooks.Read(known, secret, r.Header, r.Body, time.Now())
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return 0, call, apperr.Wrap(apperr.TooLarge, err, "The message is too large. The limit is %d bytes.", "",
			tooLong.Limit)
	} else if err != nil {
		return 0, call, apperr.Wrap(apperr.InvalidArgument, err, "The message can't be read.", "Send it again.")
	}
	if !genuine {
		return 0, call, apperr.New(apperr.NotFound,
			"This address does not exist, or the secret or the signature is wrong.", "See the page “Hooks” of the job.")
	}
	return owner, call, nil
}
