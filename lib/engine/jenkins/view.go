package jenkins

import (
	"context"
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
)

// listView is a hudson.model.ListView's config.xml. What it leaves out gets Jenkins's defaults.
type listView struct {
	XMLName xml.Name `xml:"hudson.model.ListView"`
	Name    string   `xml:"name"`
	Pattern string   `xml:"includeRegex"`
}

// Pattern matches the names of toaster's jobs, EMAIL-TARGET-TIMESTAMP (design: § Names), and of hardly any others. A
// view that takes its jobs by it needs no call per job, and nothing that several calls could break.
const Pattern = `.*AT.*-[a-z]+_[a-z0-9]+_[A-Za-z0-9_.+-]+-[0-9]{9,}`

// addToView sees to it that the view shows a job: a view by pattern does so anyway, and is made where there is none; to
// one by name the job is added. A job that is not in the view works as well, so what goes wrong here is only logged.
func (e *Engine) addToView(ctx context.Context, name string) {
	pattern, err := e.viewPattern(ctx)
	if apperr.KindOf(err) == apperr.NotFound {
		err = e.makeView(ctx)
		pattern = Pattern
	}
	if err == nil && !matches(pattern, name) {
		err = e.addJobToView(ctx, name)
	}
	if err != nil {
		e.logger.Warn("the view doesn't show a job", "view", e.view, "job", name, "error", err)
	}
}

// viewPattern returns the pattern by which the view takes its jobs; empty for one that lists them by name.
func (e *Engine) viewPattern(ctx context.Context) (string, error) {
	var text string
	if _, err := e.requester.GetXML(ctx, path("view", e.view, "config.xml"), &text, nil); err != nil {
		return "", err
	}
	var v struct {
		Pattern string `xml:"includeRegex"`
	}
	// Jenkins also writes XML 1.1, which Go doesn't read; without a declaration it is 1.0.
	if _, body, ok := strings.Cut(text, "?>"); ok {
		text = body
	}
	if err := xml.Unmarshal([]byte(text), &v); err != nil {
		return "", apperr.Wrap(apperr.Internal, err, "The view of the build service can't be read.", askAdmin)
	}
	return v.Pattern, nil
}

func (e *Engine) makeView(ctx context.Context) error {
	config := marshalXML(listView{Name: e.view, Pattern: Pattern})
	_, err := e.requester.PostXML(ctx, "/createView", config, nil, map[string]string{"name": e.view})
	if statusOf(err) == http.StatusBadRequest {
		return nil // somebody else has just made it
	}
	return err
}

// addJobToView adds a job to a view that lists by name. Such a view answers 500 to several changes at once; the job may
// be in it all the same, and adding it again does no harm.
func (e *Engine) addJobToView(ctx context.Context, name string) error {
	v := &gojenkins.View{Jenkins: e.jenkins, Base: path("view", e.view)}
	for try := 0; ; try++ {
		_, err := v.AddJob(ctx, name)
		if statusOf(err) != http.StatusInternalServerError || try == 4 || !sleep(ctx, jitter(try)) {
			return err
		}
	}
}

// matches tells whether a view's pattern, which is Java's, takes a name. The usual ones mean the same in Go.
func matches(pattern, name string) bool {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	return pattern != "" && err == nil && re.MatchString(name)
}
