package jenkinstest

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
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
	RunDelete     = "Run/Delete"
	RunUpdate     = "Run/Update"
	ViewConfigure = "View/Configure"
	ViewCreate    = "View/Create"
	ViewRead      = "View/Read"
)

// Users are the default ones: admin, and toaster with what toaster needs.
func Users() []User {
	return []User{
		NewUser("admin", Administer),
		NewUser("toaster", Read, JobBuild, JobCancel, JobConfigure, JobCreate, JobDelete, JobRead, RunDelete, RunUpdate,
			ViewConfigure, ViewCreate, ViewRead),
	}
}

// NewUser is a user whose password is the name and "-password", and whose token the name and "-token".
func NewUser(name string, may ...string) User {
	u := User{Name: name, Password: name + "-password", Token: name + "-token", May: map[string]bool{}}
	for _, m := range may {
		u.May[m] = true
	}
	return u
}

func (u *User) may(permission string) bool { return u.May[Administer] || u.May[permission] }

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

// authenticate finds who asks. It has answered already where ok is false.
func (c *call) authenticate() (ok bool) {
	name, secret, _ := c.r.BasicAuth()
	c.user = c.s.users[name]
	if c.user == nil || secret != c.user.Token && secret != c.user.Password {
		c.unauthorized(name)
		return false
	}
	c.token = secret == c.user.Token
	return true
}

func (c *call) unauthorized(name string) {
	c.w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins"`)
	c.jetty(http.StatusUnauthorized, "Invalid password/token for user: "+name)
}

const sessionCookie = "JSESSIONID.1a2b3c4d"

// session is the cookie and the user that a crumb belongs to.
func (c *call) session() string {
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value + ";" + c.user.Name
}

func (c *call) crumbIssuer(path []string) {
	crumb := c.s.crumbs[c.session()]
	if crumb == "" {
		id := randomHex(12)
		crumb = randomHex(32)
		c.s.crumbs[id+";"+c.user.Name] = crumb
		c.w.Header().Add("Set-Cookie", sessionCookie+"="+id+"; Path="+c.s.opt.Prefix+"/; HttpOnly")
	}
	c.api(path, fields{"crumb": crumb, "crumbRequestField": "Jenkins-Crumb"})
}

// checkCrumb tells whether a POST may pass: one with a token needs no crumb.
func (c *call) checkCrumb() bool {
	crumb := c.s.crumbs[c.session()]
	if c.r.Method != "POST" || c.token || crumb != "" && crumb == c.r.Header.Get("Jenkins-Crumb") {
		return true
	}
	c.jetty(http.StatusForbidden, "No valid crumb was included in the request")
	return false
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
