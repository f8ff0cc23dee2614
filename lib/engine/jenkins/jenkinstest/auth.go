package jenkinstest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// User is a person that the controller knows, with the permissions of the matrix.
type User struct {
	Name, Password, Token string
	May                   map[string]bool // permissions as the matrix names them: "Job/Build"; "Overall/Administer" is all
}

// The permissions that matter here.
const (
	Administer    = "Overall/Administer"
	Read          = "Overall/Read"
	JobBuild      = "Job/Build"
	JobCancel     = "Job/Cancel"
	JobConfigure  = "Job/Configure"
	JobCreate     = "Job/Create"
	JobDelete     = "Job/Delete"
	JobRead       = "Job/Read"
	JobWorkspace  = "Job/Workspace"
	RunDelete     = "Run/Delete"
	RunUpdate     = "Run/Update"
	ViewConfigure = "View/Configure"
	ViewCreate    = "View/Create"
	ViewRead      = "View/Read"
)

// Users are the default ones: admin, toaster with what toaster needs, and reader, who only reads. Their passwords are
// their names and "-password", their tokens their names and "-token".
func Users() []User {
	return []User{
		NewUser("admin", Administer),
		NewUser("toaster", Read, JobBuild, JobCancel, JobConfigure, JobCreate, JobDelete, JobRead, JobWorkspace, RunDelete, RunUpdate, ViewConfigure, ViewCreate, ViewRead),
		NewUser("reader", Read, JobRead, ViewRead),
	}
}

// NewUser is a user with the default password and token.
func NewUser(name string, may ...string) User {
	u := User{Name: name, Password: name + "-password", Token: name + "-token", May: map[string]bool{}}
	for _, m := range may {
		u.May[m] = true
	}
	return u
}

func (u User) clone() *User {
	u.May = maps.Clone(u.May)
	return &u
}

func (u *User) may(permission string) bool {
	return u != nil && (u.May[Administer] || u.May[permission])
}

// Permit gives a user a permission, or takes it.
func (s *Server) Permit(user, permission string, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user].May[permission] = yes
}

// SetToken gives a user another API token; the old one is wrong from now on.
func (s *Server) SetToken(user, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user].Token = token
}

// The names that answers have for permissions, and what implies them.
var permissions = map[string]struct {
	id      string
	implied []string
}{
	Administer:    {"hudson.model.Hudson.Administer", nil},
	Read:          {"hudson.model.Hudson.Read", []string{"GenericRead"}},
	JobBuild:      {"hudson.model.Item.Build", []string{"GenericUpdate", "GenericWrite"}},
	JobCancel:     {"hudson.model.Item.Cancel", []string{"GenericUpdate", "GenericWrite"}},
	JobConfigure:  {"hudson.model.Item.Configure", []string{"GenericConfigure", "GenericUpdate", "GenericWrite"}},
	JobCreate:     {"hudson.model.Item.Create", []string{"GenericCreate", "GenericWrite"}},
	JobDelete:     {"hudson.model.Item.Delete", []string{"GenericDelete", "GenericWrite"}},
	JobRead:       {"hudson.model.Item.Read", []string{"GenericRead"}},
	JobWorkspace:  {"hudson.model.Item.Workspace", []string{"GenericRead"}},
	RunDelete:     {"hudson.model.Run.Delete", []string{"GenericDelete", "GenericWrite"}},
	RunUpdate:     {"hudson.model.Run.Update", []string{"GenericUpdate", "GenericWrite"}},
	ViewConfigure: {"hudson.model.View.Configure", []string{"GenericConfigure", "GenericUpdate", "GenericWrite"}},
	ViewCreate:    {"hudson.model.View.Create", []string{"GenericCreate", "GenericWrite"}},
	ViewRead:      {"hudson.model.View.Read", []string{"GenericRead"}},
}

// sessions are the cookies that were given, since the controller started.
type sessions struct {
	cookie string // the name changes with each start
	salt   string
	known  map[string]bool
	count  int
}

func (s *sessions) start() {
	*s = sessions{cookie: "JSESSIONID." + randomHex(4), salt: randomHex(16), known: map[string]bool{}}
}

func (s *sessions) begin(w http.ResponseWriter, path string) string {
	id := fmt.Sprintf("node0%s%d.node0", randomHex(12), s.count)
	s.count++
	s.known[id] = true
	w.Header().Add("Set-Cookie", s.cookie+"="+id+"; Path="+path+"; HttpOnly")
	return id
}

func (s *sessions) of(r *http.Request) string {
	if c, err := r.Cookie(s.cookie); err == nil && s.known[c.Value] {
		return c.Value
	}
	return ""
}

// crumb belongs to a user and a session.
func (s *sessions) crumb(user *User, session string) string {
	sum := sha256.Sum256([]byte(user.name() + ";" + session + ";" + s.salt))
	return hex.EncodeToString(sum[:])
}

func (u *User) name() string {
	if u == nil {
		return "anonymous"
	}
	return u.Name
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// authenticate finds who asks; with a token no crumb is needed. It has answered already where ok is false.
func (c *call) authenticate() (ok bool) {
	header := c.r.Header.Get("Authorization")
	if !strings.HasPrefix(header, "Basic ") {
		return true
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
	name, secret, found := strings.Cut(string(text), ":")
	if err != nil || !found {
		c.unauthorised("Malformed HTTP basic Authorization header")
		return false
	}
	u := c.s.users[name]
	switch {
	case u != nil && u.Token != "" && secret == u.Token:
		c.token = true
	case u != nil && u.Password != "" && secret == u.Password:
	default:
		c.unauthorised("Invalid password/token for user: " + name)
		return false
	}
	c.user = u
	return true
}

func (c *call) unauthorised(message string) {
	c.w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins"`)
	c.jetty(http.StatusUnauthorized, message)
}

// crumbed tells whether a POST may pass.
func (c *call) crumbed() bool {
	if c.r.Method != "POST" || c.token {
		return true
	}
	given := c.r.Header.Get("Jenkins-Crumb")
	if given == "" {
		given = c.param("Jenkins-Crumb")
	}
	session := c.s.sessions.of(c.r)
	if session != "" && given == c.s.sessions.crumb(c.user, session) {
		return true
	}
	if session == "" && given != "" {
		c.s.sessions.begin(c.w, c.cookiePath())
	}
	c.jetty(http.StatusForbidden, "No valid crumb was included in the request")
	return false
}

func (c *call) cookiePath() string { return strings.TrimSuffix(c.s.opt.Prefix, "/") + "/" }

// require tells whether the user has the permission, and answers where not.
func (c *call) require(permission string) bool {
	if c.user.may(permission) {
		return true
	}
	c.denied(permission)
	return false
}
