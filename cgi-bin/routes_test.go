package cgibin

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/store"
)

// What every route answers to everybody. The columns: nobody; the owner, of the job, or of whatever else the path
// names; another
// person; an administrator; the owner's tokens with the scopes read and write; an administrator's token with the scope
// metrics. All of
// them send no form. On every route besides, a suspended person's session is nobody's, and their token, like a wrong
// one, is a 401.
//
// 303 is the log-in page for nobody, and the page that follows for others; 422 says that the form lacks something, so
// that the sender may use the route.
const answers = `
                                                        nobody owner other admin  read write metrics
GET  /account                                              303   200   200   200   200   200     403
POST /account                                              303   303   303   303   403   403     403
GET  /account/login                                        200   303   303   303   303   303     303
POST /account/login                                        401   401   401   401   401   401     401
GET  /account/cookie                                       403   303   303   303   303   303     303
GET  /account/login/code                                   303   303   303   303   303   303     303
POST /account/login/code                                   401   401   401   401   401   401     401
POST /account/logout                                       303   303   303   303   204   204     204
GET  /account/signup                                       200   303   303   303   303   303     303
POST /account/signup                                       422   422   422   422   422   422     422
GET  /account/sent                                         200   200   200   200   200   200     200
GET  /account/activate                                     404   404   404   404   404   404     404
POST /account/activate                                     404   404   404   404   404   404     404
GET  /account/resend                                       200   200   200   200   200   200     200
POST /account/resend                                       422   422   422   422   422   422     422
GET  /account/recover                                      200   200   200   200   200   200     200
POST /account/recover                                      422   422   422   422   422   422     422
GET  /account/reset                                        404   404   404   404   404   404     404
POST /account/reset                                        404   404   404   404   404   404     404
GET  /account/password                                     303   200   200   200   403   403     403
POST /account/password                                     303   422   422   422   403   403     403
GET  /account/address                                      303   200   200   200   403   403     403
POST /account/address                                      303   422   422   422   403   403     403
POST /account/address/confirm                              404   404   404   404   404   404     404
GET  /account/sessions                                     303   200   200   200   403   403     403
POST /account/sessions/end                                 303   422   422   422   403   403     403
POST /account/sessions/{id}/end                            303   422   422   422   403   403     403
GET  /account/factor                                       303   200   200   200   403   403     403
POST /account/factor                                       303   422   422   422   403   403     403
GET  /account/factor/codes                                 303   200   200   200   403   403     403
POST /account/factor/codes                                 303   422   422   422   403   403     403
POST /account/factor/disable                               303   422   422   422   403   403     403
GET  /account/tokens                                       303   200   200   200   403   403     403
POST /account/tokens                                       303   422   422   422   403   403     403
POST /account/tokens/{id}/remove                           303   303   404   404   403   403     403
GET  /account/export                                       303   200   200   200   403   403     403
GET  /account/remove                                       303   200   200   200   403   403     403
POST /account/remove                                       303   422   422   422   403   403     403
GET  /admin                                                303   403   403   303   403   403     403
GET  /admin/people                                         303   403   403   200   403   403     403
GET  /admin/people/{id}                                    303   403   403   200   403   403     403
POST /admin/people/{id}/activate                           303   403   403   303   403   403     403
POST /admin/people/{id}/suspend                            303   403   403   303   403   403     403
POST /admin/people/{id}/factor                             303   403   403   303   403   403     403
POST /admin/people/{id}/role                               303   403   403   422   403   403     403
POST /admin/people/{id}/limits                             303   403   403   303   403   403     403
POST /admin/people/{id}/signout                            303   403   403   303   403   403     403
GET  /admin/people/{id}/remove                             303   403   403   200   403   403     403
POST /admin/people/{id}/remove                             303   403   403   303   403   403     403
GET  /admin/jobs                                           303   403   403   200   403   403     403
GET  /admin/jobs/{id}                                      303   403   403   200   403   403     403
POST /admin/jobs/{id}/stop                                 303   403   403   303   403   403     403
GET  /admin/jobs/{id}/remove                               303   403   403   200   403   403     403
POST /admin/jobs/{id}/remove                               303   403   403   303   403   403     403
GET  /admin/health                                         303   403   403   200   403   403     403
GET  /admin/audit                                          303   403   403   200   403   403     403
GET  /admin/metrics                                        303   403   403   200   403   403     200
GET  /                                                     200   200   200   200   200   200     200
GET  /help                                                 200   200   200   200   200   200     200
GET  /targets                                              200   200   200   200   200   200     200
GET  /jobs                                                 303   200   200   200   200   200     403
POST /jobs                                                 303   422   422   422   403   422     403
GET  /jobs/new                                             303   200   200   200   200   200     403
POST /jobs/check                                           303   422   422   422   422   422     403
GET  /jobs/contexts                                        303   200   200   200   200   200     403
POST /jobs/contexts                                        303   422   422   422   403   422     403
GET  /jobs/contexts/{mac}/{id}/{archive}                   404   404   404   404   404   404     404
POST /jobs/blobs                                           303   201   201   201   403   201     403
PUT  /jobs/blobs/{sha256}                                  303   409   409   409   403   409     403
GET  /jobs/feed                                            303   200   200   200   403   200     403
POST /jobs/feed                                            303   303   303   303   403   303     403
GET  /jobs/feed/{name}                                     404   404   404   404   404   404     404
GET  /jobs/{id}                                            303   200   404   404   200   200     403
GET  /jobs/{id}/root-password                              303   200   404   404   200   200     403
GET  /jobs/{id}/badge.svg                                  404   404   404   404   404   404     404
POST /jobs/{id}/badge                                      303   303   404   404   403   200     403
GET  /jobs/{id}/update                                     303   200   404   404   200   200     403
POST /jobs/{id}/update                                     303   422   404   404   403   422     403
GET  /jobs/{id}/remove                                     303   200   404   404   200   200     403
POST /jobs/{id}/remove                                     303   303   404   404   403   204     403
POST /jobs/{id}/start                                      303   303   404   404   403   202     403
POST /jobs/{id}/stop                                       303   303   404   404   403   202     403
POST /jobs/{id}/enable                                     303   303   404   404   403   200     403
POST /jobs/{id}/disable                                    303   303   404   404   403   200     403
POST /jobs/{id}/lock                                       303   409   404   404   403   409     403
POST /jobs/{id}/fetch                                      303   409   404   404   403   409     403
GET  /jobs/{id}/dockerfile                                 303   200   404   404   200   200     403
GET  /jobs/{id}/blend                                      303   200   404   404   200   200     403
GET  /jobs/{id}/script                                     303   200   404   404   200   200     403
GET  /jobs/{id}/copy                                       303   200   404   404   200   200     403
GET  /jobs/{id}/compare                                    303   200   404   404   200   200     403
GET  /jobs/{id}/builds/{number}                            303   200   404   404   200   200     403
POST /jobs/{id}/builds/{number}/keep                       303   303   404   404   403   200     403
POST /jobs/{id}/builds/{number}/unkeep                     303   303   404   404   403   200     403
GET  /jobs/{id}/hooks                                      303   200   404   404   200   200     403
POST /jobs/{id}/hooks                                      303   422   404   404   403   422     403
POST /jobs/{id}/hooks/start                                303   303   404   404   403   201     403
GET  /jobs/{id}/hooks/{hook}                               303   200   404   404   200   200     403
POST /jobs/{id}/hooks/{hook}/update                        303   303   404   404   403   200     403
POST /jobs/{id}/hooks/{hook}/secret                        303   303   404   404   403   200     403
POST /jobs/{id}/hooks/{hook}/delete                        303   303   404   404   403   204     403
POST /jobs/{id}/hooks/{hook}/test                          303   303   404   404   403   202     403
GET  /jobs/{id}/hooks/{hook}/deliveries                    303   200   404   404   200   200     403
POST /jobs/{id}/hooks/{hook}/deliveries/{delivery}/send    303   303   404   404   403   202     403
POST /jobs/push/{secret}                                   404   404   404   404   404   404     404
POST /jobs/{id}/push                                       404   404   404   404   404   404     404
GET  /jobs/{id}/builds/{number}/log                        303   200   404   404   200   200     403
GET  /jobs/{id}/builds/{number}/artifacts/{path...}        303   200   404   404   200   200     403
`

// routes reads the tables of all programs: "GET /jobs/{id}" and so on.
func routes(t *testing.T) (all []string) {
	t.Helper()
	tables := map[string]string{"jobs/look/look.go": "jobs"} // those that several programs have, and what they are below
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mains {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// What no web server runs has none.
		if m := regexp.MustCompile(`web\.Main\("(\w+)"`).FindSubmatch(text); m != nil {
			tables[name] = string(m[1])
		}
	}
	for name, program := range tables {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		prefix, found := "/"+program, len(all)
		if program == "index" {
			prefix = ""
		}
		ast.Inspect(file, func(n ast.Node) bool {
			table, ok := n.(*ast.CompositeLit)
			if !ok || !isRoutes(table.Type) {
				return true
			}
			for _, row := range table.Elts {
				method, path := methodAndPath(t, row)
				if path = prefix + path; path == "" {
					path = "/"
				}
				all = append(all, method+" "+path)
			}
			return false
		})
		if len(all) == found {
			t.Fatalf("%s has no routes", name)
		}
	}
	return all
}

// isRoutes tells whether a type is []web.Route.
func isRoutes(e ast.Expr) bool {
	array, ok := e.(*ast.ArrayType)
	if !ok {
		return false
	}
	element, ok := array.Elt.(*ast.SelectorExpr)
	return ok && element.Sel.Name == "Route"
}

// methodAndPath is a route's method and path.
func methodAndPath(t *testing.T, row ast.Expr) (method, path string) {
	t.Helper()
	for _, e := range row.(*ast.CompositeLit).Elts {
		pair := e.(*ast.KeyValueExpr)
		switch pair.Key.(*ast.Ident).Name {
		case "Method":
			if s, ok := pair.Value.(*ast.SelectorExpr); ok {
				method = strings.ToUpper(strings.TrimPrefix(s.Sel.Name, "Method"))
			} else {
				method = strings.ToUpper(pair.Value.(*ast.Ident).Name)
			}
		case "Path":
			var err error
			if path, err = strconv.Unquote(pair.Value.(*ast.BasicLit).Value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if method != "GET" && method != "POST" && method != "PUT" {
		t.Fatalf("the route of %q has no method", path)
	}
	return method, path
}

// table reads answers: the statuses of a route by the column's name.
func table(t *testing.T) map[string]map[string]int {
	t.Helper()
	all := map[string]map[string]int{}
	var columns []string
	for line := range strings.Lines(answers) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case columns == nil:
			columns = words
		case len(words) != len(columns)+2:
			t.Fatalf("a line of the table: %q", line)
		default:
			row := map[string]int{}
			for i, c := range columns {
				row[c], _ = strconv.Atoi(words[i+2])
			}
			all[words[0]+" "+words[1]] = row
		}
	}
	return all
}

// everything is a configuration in which every route is of use.
const everything = `
[limits]
jobs = 0
concurrent_builds = 0
builds_per_day = 0
[site]
url = "http://www.example.org"
[signup]
mode = "open"
[mail]
from = "toaster@example.org"
sendmail = "/bin/false"
`

// town is a site with somebody in every part.
type town struct {
	*site
	job     string // Ada's, with a build that left image.bin
	clients map[string]*client
	spare   *client // Ada's program, for jobs that a request takes away
	people  int
}

func newTown(t *testing.T) *town {
	s, program, id := built(t)
	s.must(os.WriteFile(s.conf(), append(read(t, s.conf()), everything...), 0o600))
	w := &town{site: s, job: id, spare: program}
	eve := s.admin()
	_, err := s.accounts.Add(t.Context(), auth.NewUser{Email: "sue@example.org", Name: "Sue", Password: password})
	s.must(err)
	sue, sues := s.browser("sue@example.org"), s.token("sue@example.org", "write")
	s.sql("UPDATE user SET state = 'suspended' WHERE email = 'sue@example.org'")
	w.clients = map[string]*client{
		"nobody": s.anybody(), "owner": s.browser(ada), "other": s.browser(bob), "admin": eve,
		"read": s.program(s.token(ada, store.ScopeRead)), "write": program,
		"metrics":   s.program(s.token("eve@example.org", "metrics")),
		"suspended": sue, "suspended token": s.program(sues), "wrong token": s.program("toaster_" + strings.Repeat("A", 43)),
		"no token": s.program(""),
	}
	return w
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// path fills a route's parameters: with Ada's job, session and token, or with a person nobody else needs.
func (w *town) path(route string) string {
	method, path, _ := strings.Cut(route, " ")
	job := w.job
	if method == "POST" && strings.HasSuffix(path, "/{id}/remove") && strings.Contains(path, "/jobs/") {
		job = w.spare.addJob()
	}
	id := ""
	switch {
	case strings.Contains(path, "/jobs/"):
		id = job
	case strings.HasPrefix(path, "/admin/people/"):
		w.people++
		p := &store.User{Email: fmt.Sprintf("extra%d@example.org", w.people), Role: store.RoleUser, State: store.Active,
			MaxJobs: -1, CreatedAt: time.Now()}
		w.must(w.db.AddUser(w.t.Context(), p))
		id = strconv.FormatInt(p.ID, 10)
	case strings.HasPrefix(path, "/account/tokens/"):
		t := &store.Token{UserID: w.id(ada), Name: "spare", Scope: store.ScopeRead, CreatedAt: time.Now()}
		_, err := w.db.AddToken(w.t.Context(), t, store.Mail{}, store.AuditEntry{})
		w.must(err)
		id = strconv.FormatInt(t.ID, 10)
	case strings.HasPrefix(path, "/account/sessions/"):
		s := &store.Session{UserID: w.id(ada), CreatedAt: time.Now(), SeenAt: time.Now(),
			ExpiresAt: time.Now().Add(time.Hour)}
		w.must(w.db.AddSession(w.t.Context(), s, []byte(fmt.Sprintf("%032d", time.Now().UnixNano())), nil))
		id = strconv.FormatInt(s.ID, 10)
	}
	if strings.Contains(path, "{hook}") {
		w.hookOf(job)
	}
	return strings.NewReplacer("{id}", id, "{number}", "1", "{path...}", "image.bin", "{name}",
		"1-wrong.atom", "{hook}", "7", "{delivery}", "7", "{secret}", job+"-whsec_wrong", "{sha256}",
		strings.Repeat("0", 64)).Replace(path)
}

// ask sends what a route wants, without a form, as one of the town.
func (w *town) ask(who, route string) *answer {
	w.t.Helper()
	// Whatever earlier requests did: tries are forgotten, and whoever logged out is in again.
	w.sql("DELETE FROM rate_limit_event")
	w.sql("UPDATE session SET ended_at = NULL WHERE agent = '' AND user_id IN (SELECT id FROM user WHERE state = 'active')")
	path := w.path(route)
	c := *w.clients[who]
	switch method, _, _ := strings.Cut(route, " "); method {
	case "POST":
		return c.post(path)
	case "PUT":
		return c.put(path, "")
	}
	if strings.HasSuffix(path, "/compare") {
		path += "?from=1&to=1"
	}
	return c.get(path)
}

func TestEveryRouteAnswersEverybodyAsItShould(t *testing.T) {
	expected, real := table(t), routes(t)
	for _, route := range real {
		if expected[route] == nil {
			t.Errorf("%s is not in the table", route)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(expected)) {
		if !slices.Contains(real, route) {
			t.Errorf("%s is in the table, but no program has it", route)
		}
	}
	w := newTown(t)
	for _, route := range real {
		row := expected[route]
		for _, who := range []string{"nobody", "owner", "other", "admin", "read", "write", "metrics"} {
			got := w.ask(who, route).status
			if got != row[who] {
				t.Errorf("%s as %s: %d, not %d", route, who, got, row[who])
			}
		}
		if strings.Contains(route, "/push") { // no token counts there
			for _, who := range []string{"suspended", "suspended token", "wrong token", "no token"} {
				if got := w.ask(who, route).status; got != http.StatusNotFound {
					t.Errorf("%s with the %s: %d", route, who, got)
				}
			}
			continue
		}
		for who, want := range map[string]int{"suspended": row["nobody"], "suspended token": 401, "wrong token": 401,
			"no token": 401} {
			if a := w.ask(who, route); a.status != want || strings.HasSuffix(who, "token") &&
				!strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s with the %s: %d, not %d", route, who, a.status, want)
			}
		}
	}
}

func TestAnotherSitesPageCanDoNothing(t *testing.T) {
	w := newTown(t)
	before := w.stored()
	for _, route := range routes(t) {
		path, ok := strings.CutPrefix(route, "POST ")
		if !ok {
			continue
		}
		c := w.clients["owner"]
		if strings.HasPrefix(path, "/admin") {
			c = w.clients["admin"]
		}
		if a := c.with("Sec-Fetch-Site", "cross-site").post(strings.NewReplacer("{id}", w.job, "{number}",
			"1").Replace(path)); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if after := w.stored(); after != before {
		t.Errorf("%s became %s", before, after)
	}
}
