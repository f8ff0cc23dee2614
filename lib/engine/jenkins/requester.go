package jenkins

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
)

// requester is gojenkins's way to the controller. An endpoint is a path below the base address, escaped already. Every
// answer that is not a success is a *apperr.Error; a redirect that a POST is answered with by a Jenkins that obeyed is
// returned with the status 200, which is what gojenkins takes for success.
type requester struct {
	base    *url.URL
	user    string
	secret  string // an API token, or a password
	crumbs  bool   // the secret is a password: POSTs need a crumb
	limit   time.Duration
	client  *http.Client
	outages OutageStore // nil: each call asks

	mu    sync.Mutex
	crumb *crumb // nil: none yet
}

var _ gojenkins.JenkinsRequester = (*requester)(nil)

// maxAnswer bounds what is read of an answer: the states of 30,000 jobs.
const maxAnswer = 64 << 20

// call is one request.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	kind         string // the body's content type
	header       http.Header
}

// do makes a call and returns its answer, whose body the caller closes; ctx has to live that long. A controller that
// was unavailable a moment ago is not asked.
func (r *requester) do(ctx context.Context, c call) (*http.Response, error) {
	if r.outages == nil {
		return r.send(ctx, c, false)
	}
	known, err := r.outages.Check(ctx)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	resp, err := r.send(ctx, c, known)
	if ctx.Err() == nil || time.Since(begin) >= min(unresponsiveAfter, r.limit) { // else it had hardly any time
		r.outages.Record(ctx, known, err)
	}
	return resp, err
}

// unresponsiveAfter is after what time a controller that says nothing is unavailable, also when its caller gives up
// earlier than it would.
const unresponsiveAfter = 1500 * time.Millisecond

// send makes a call; retry is one to a controller that was unavailable when it was asked last.
func (r *requester) send(ctx context.Context, c call, retry bool) (*http.Response, error) {
	target, err := r.target(c)
	if err != nil {
		return nil, err
	}
	pauses := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}
	fresh := false
	for try := 0; ; {
		req, err := r.request(ctx, c, target)
		if err != nil {
			return nil, err
		}
		resp, err := r.client.Do(req)
		if err != nil {
			return nil, connectionError(ctx, err)
		}
		if r.isSuccess(resp, c) {
			return resp, nil
		}
		f := responseError(resp, c)
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusUnauthorized && try < len(pauses) && !retry:
			// While it restarts Jenkins says this to a right token, too, for about 0.3 s; nothing was done.
			if !sleep(ctx, pauses[try]) {
				return nil, timeoutError(f)
			}
			try++
		case isInvalidCrumb(f) && c.method == http.MethodPost && r.crumbs && !fresh:
			fresh = true // the session that the crumb belonged to has ended
			r.dropCrumb()
		case resp.StatusCode == http.StatusNotFound && c.path != alivePath:
			return nil, r.confirmNotFound(ctx, f)
		default:
			return nil, f
		}
	}
}

// target returns the address that a call goes to. A path that would not reach what its caller means is refused.
func (r *requester) target(c call) (*url.URL, error) {
	u, err := url.Parse(r.base.String() + c.path)
	if err != nil || !strings.HasPrefix(c.path, "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		u.Host != r.base.Host || hasDotSegment(c.path) {
		return nil, apperr.New(apperr.InvalidArgument, "Nothing has this name.", "")
	}
	u.RawQuery = c.query.Encode()
	return u, nil
}

func hasDotSegment(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func (r *requester) request(ctx context.Context, c call, target *url.URL) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	req.SetBasicAuth(r.user, r.secret)
	req.Header.Set("User-Agent", "toaster")
	req.Header.Set("Accept-Language", "en") // reasons are read
	if c.method == http.MethodPost && r.crumbs {
		return req, r.addCrumb(ctx, req)
	}
	return req, nil
}

// isSuccess tells whether an answer means that Jenkins has done what it was asked for.
func (r *requester) isSuccess(resp *http.Response, c call) bool {
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		// Jenkins says nothing to a POST that it obeys; a page is somebody else's, also where data was asked for.
		return c.method != http.MethodPost && !strings.HasSuffix(c.path, alivePath) ||
			!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
	case resp.StatusCode == http.StatusFound && c.method == http.MethodPost && isRedirectToJob(resp, c):
		resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
		return true
	}
	return false
}

// isRedirectToJob tells a redirect to what was acted upon, or to the front page, from one to a page for logging in. Its
// host and the path in front come from the request, through proxies: they don't count.
func isRedirectToJob(resp *http.Response, c call) bool {
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || isLoginURL(u) {
		return false
	}
	job, _, _ := strings.Cut(strings.TrimPrefix(c.path, "/job/"), "/")
	name, err := url.PathUnescape(job)
	onJob := err == nil && strings.Contains(strings.ToLower(u.Path+"/"), strings.ToLower("/job/"+name+"/"))
	return onJob || strings.HasSuffix(c.path, "/doDelete") && strings.HasSuffix(u.Path, "/")
}

func isLoginURL(u *url.URL) bool {
	path := strings.ToLower(u.Path) + "/"
	if strings.HasSuffix(path, "/login/") || strings.Contains(path, "/securityrealm/") {
		return true
	}
	return u.Query().Has("from") // Jenkins's own: /login?from=…
}

// alivePath is what only a Jenkins that is up and running answers.
const alivePath = "/api/json"

// confirmNotFound returns missing when Jenkins is up: its servlet container says 404 to everything before Jenkins has
// come, and after it has gone.
func (r *requester) confirmNotFound(ctx context.Context, missing error) error {
	var root struct {
		Class string `json:"_class"`
	}
	if _, err := r.GetJSON(ctx, "", &root, map[string]string{"tree": "mode"}); err != nil {
		return err
	}
	return missing
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// doDecode makes a call within the time limit and reads its answer: as text into a *string, as JSON into anything else,
// not at all into nil.
func (r *requester) doDecode(ctx context.Context, c call, answer any) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	resp, err := r.do(ctx, c)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	switch answer := answer.(type) {
	case nil:
		_, err = io.CopyN(io.Discard, body, 64<<10) // the connection can be used again
		if err == io.EOF {
			err = nil
		}
	case *string:
		var text []byte
		text, err = io.ReadAll(body)
		*answer = string(text)
	default:
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
			return nil, responseError(resp, c)
		}
		err = json.NewDecoder(controlFilter{body}).Decode(answer)
	}
	switch {
	case body.N <= 0:
		return nil, tooLongError(c)
	case err != nil:
		return nil, truncatedError(ctx, c, err)
	}
	return resp, nil
}

// controlFilter makes spaces of control characters. Jenkins leaves those in names as they are, which is no JSON.
type controlFilter struct{ io.Reader }

func (r controlFilter) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	for i, c := range p[:n] {
		if c < ' ' {
			p[i] = ' '
		}
	}
	return n, err
}

// GetJSON asks for the api/json of an endpoint.
func (r *requester) GetJSON(ctx context.Context, endpoint string, response any,
	query map[string]string) (*http.Response, error) {
	c := call{method: http.MethodGet, path: strings.TrimRight(endpoint, "/") + "/api/json", query: queryValues(query)}
	return r.doDecode(ctx, c, unwrap(response))
}

// Get asks for an endpoint as it is.
func (r *requester) Get(ctx context.Context, endpoint string, response any, query map[string]string) (*http.Response,
	error) {
	return r.doDecode(ctx, call{method: http.MethodGet, path: endpoint, query: queryValues(query)}, unwrap(response))
}

// GetXML is Get: the only answers in XML are config.xml's, which gojenkins takes as text.
func (r *requester) GetXML(ctx context.Context, endpoint string, response any, query map[string]string) (*http.Response,
	error) {
	return r.Get(ctx, endpoint, response, query)
}

// Post posts a form.
func (r *requester) Post(ctx context.Context, endpoint string, payload io.Reader, response any,
	query map[string]string) (*http.Response, error) {
	c := call{method: http.MethodPost, path: endpoint, query: queryValues(query),
		kind: "application/x-www-form-urlencoded"}
	if payload != nil {
		var err error
		if c.body, err = io.ReadAll(payload); err != nil {
			return nil, err
		}
	}
	// gojenkins expects JSON of a POST nowhere that this package calls it.
	return r.doDecode(ctx, c, nil)
}

// PostXML posts XML.
func (r *requester) PostXML(ctx context.Context, endpoint string, xml string, _ any,
	query map[string]string) (*http.Response, error) {
	c := call{method: http.MethodPost, path: endpoint, query: queryValues(query),
		body: []byte(xml), kind: "application/xml; charset=utf-8"}
	return r.doDecode(ctx, c, nil)
}

// PostJSON posts a form to an endpoint's api/json.
func (r *requester) PostJSON(ctx context.Context, endpoint string, payload io.Reader, response any,
	query map[string]string) (*http.Response, error) {
	return r.Post(ctx, strings.TrimRight(endpoint, "/")+"/api/json", payload, response, query)
}

// PostFiles is for builds with file parameters, which toaster's jobs don't have.
func (r *requester) PostFiles(context.Context, string, io.Reader, any, map[string]string, []string) (*http.Response,
	error) {
	return nil, apperr.New(apperr.Internal, "toaster sends no files to Jenkins.", "")
}

func queryValues(query map[string]string) url.Values {
	v := url.Values{}
	for key, value := range query {
		v.Set(key, value)
	}
	return v
}

// unwrap takes the pointers off that gojenkins puts around what to decode into.
func unwrap(response any) any {
	if p, ok := response.(*any); ok {
		return *p
	}
	return response
}

// path joins segments to an endpoint. Each is escaped, whatever is in it; "." and "..", which no escaping makes a
// name, are refused by requester.target.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}
