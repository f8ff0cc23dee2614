// Package jenkins is the engine that builds on a Jenkins controller: a freestyle job for each of toaster's jobs, on
// agents by label. It speaks to Jenkins through gojenkins, behind a requester of its own; gojenkins.go tells which of
// gojenkins's calls it uses, and why it does not use the others.
//
// What it relies on was observed on Jenkins 2.263.4 and read in the source of that release, whose classes are named
// where a rule comes from one. The account needs no administrator's rights, and the controller no plugin.
package jenkins

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/engine"
)

// Options say where a controller is and who toaster is there.
type Options struct {
	URL   string // the controller's base address; a path in it is allowed
	User  string // an account of toaster's own
	Token string // its API token
	// its password, where there is no token; slower, because Jenkins hashes it for each request
	Password      string
	View          string        // the view that shows the jobs; empty: DefaultView
	CA            string        // a PEM file with the certificate authorities to trust; empty: the system's
	Connect, Call time.Duration // limits of connecting and of a whole call; 0: 2 s and 10 s
	Logger        *slog.Logger  // nil: slog.Default()
	Site          string        // toaster's own address, at which agents get build contexts; empty: it has none
	Outages       OutageStore   // when the controller was unavailable; nil: none
}

// OutageStore remembers between processes that a controller is unavailable.
type OutageStore interface {
	// Outage returns what is known; nil: the controller has answered last.
	Outage(ctx context.Context) *engine.Outage
	// Check returns why the controller is not to be asked now; known says that it was unavailable when it was asked
	// last.
	Check(ctx context.Context) (known bool, err error)
	// Record notes what asking has led to: an error that is engine.ErrOutage, or an answer.
	Record(ctx context.Context, known bool, err error)
}

// DefaultView is the view that toaster.do showed its jobs in (design: § Names).
const DefaultView = "web-sdk-builds"

// Engine is a engine.Engine on a Jenkins controller. It keeps no state but a crumb and connections: any number of
// processes may use the same controller at once.
type Engine struct {
	jenkins   *gojenkins.Jenkins
	requester *requester
	view      string
	site      string // toaster's own address
	logger    *slog.Logger
}

var (
	_ engine.Engine = (*Engine)(nil)
	_ engine.Tracer = (*Engine)(nil)

	_ engine.OutageReporter = (*Engine)(nil)
)

// Outage returns since when the controller is unavailable. See engine.OutageReporter.
func (e *Engine) Outage(ctx context.Context) *engine.Outage {
	if e.requester.outages == nil {
		return nil
	}
	return e.requester.outages.Outage(ctx)
}

// New returns the engine on the controller that o names. It reads the CA file and doesn't use the network.
func New(o Options) (*Engine, error) {
	base, err := baseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.User == "" || o.Token == "" && o.Password == "" {
		return nil, errors.New("an account on Jenkins is missing: a user, and an API token or a password")
	}
	pool, err := loadCA(o.CA)
	if err != nil {
		return nil, err
	}
	if o.Connect == 0 {
		o.Connect = 2 * time.Second
	}
	if o.Call == 0 {
		o.Call = 10 * time.Second
	}
	if o.View == "" {
		o.View = DefaultView
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	silenceGojenkins()
	r := &requester{
		base: base, user: o.User, secret: o.Token, limit: o.Call, outages: o.Outages,
		client: &http.Client{
			Transport:     transport(pool, o.Connect, o.Call),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if o.Token == "" {
		r.secret, r.crumbs = o.Password, true
	}
	jenkins := &gojenkins.Jenkins{Server: base.String(), Requester: r}
	return &Engine{jenkins: jenkins, requester: r, view: o.View, site: o.Site, logger: o.Logger}, nil
}

// baseURL reads the controller's address; it ends without a slash.
func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of a Jenkins, such as \"https://jenkins.example.org/\"", s)
	}
	return u, nil
}

// loadCA reads a PEM file; nil stands for the system's.
func loadCA(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM format", path)
	}
	return pool, nil
}

// transport keeps connections, asks no proxy (in a CGI program HTTP_PROXY is a header of the request), and leaves what
// Jenkins sends uncompressed, so that lengths and ranges are those of the file.
func transport(pool *x509.CertPool, connect, call time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: pool},
		TLSHandshakeTimeout:    connect,
		ResponseHeaderTimeout:  call,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// silenceGojenkins gives gojenkins's loggers, which are nil, a place where they can't harm: Init would point them at
// standard output, which in a CGI program is the response.
var silenceGojenkins = sync.OnceFunc(func() {
	none := log.New(io.Discard, "", 0)
	gojenkins.Info, gojenkins.Warning, gojenkins.Error = none, none, none
})
