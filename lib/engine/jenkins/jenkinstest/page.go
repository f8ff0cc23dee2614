package jenkinstest

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

// head has what begins every page of Jenkins's own.
func (c *call) head(status int, contentType string) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Jenkins", Version)
	if c.s.sessions.of(c.r) == "" && h.Get("Set-Cookie") == "" {
		c.s.sessions.begin(c.w, c.cookiePath())
	}
	c.w.WriteHeader(status)
}

const htmlUTF8 = "text/html;charset=utf-8"

// jetty is the servlet container's own error page ("J").
func (c *call) jetty(status int, message string) {
	c.w.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
	c.w.WriteHeader(status)
	m := html.EscapeString(message)
	fmt.Fprintf(c.w, `<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<title>Error %d %s</title>
</head>
<body><h2>HTTP ERROR %d %s</h2>
<table>
<tr><th>URI:</th><td>%s</td></tr>
<tr><th>STATUS:</th><td>%d</td></tr>
<tr><th>MESSAGE:</th><td>%s</td></tr>
<tr><th>SERVLET:</th><td>Stapler</td></tr>
</table>
<hr><a href="http://eclipse.org/jetty">Powered by Jetty:// 9.4.33.v20201020</a><hr/>

</body>
</html>
`, status, m, status, m, html.EscapeString(c.r.URL.EscapedPath()), status, m)
}

func (c *call) notFound() { c.jetty(http.StatusNotFound, "Not Found") }

// failure is Jenkins's "Error" page ("E"), with the message in a header too.
func (c *call) failure(message string) {
	c.w.Header().Set("X-Error", latin1(message))
	c.head(http.StatusBadRequest, htmlUTF8)
	c.page("Jenkins", "<h1>Error</h1><p>"+html.EscapeString(message)+"</p>")
}

// latin1 is how Jetty writes a header: a space for what has no place in ISO 8859-1.
func latin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 255 || r < ' ' {
			r = ' '
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// oops is Jenkins's page for an exception ("O"); the reason is in its own log only.
func (c *call) oops(status int) {
	id := randomHex(16)
	c.head(status, htmlUTF8)
	c.page("Oops!", fmt.Sprintf(`<h1 style="text-align: center"><img src="/static/%s/images/rage.png"/> <span style="font-size:50px"> Oops!</span></h1><div id="error-description"><h2 style="text-align: center">A problem occurred while processing the request.</h2><p style="text-align: center">Logging ID=%s-%s-%s-%s-%s</p></div>`,
		id[:8], id[:8], id[8:12], id[12:16], id[16:20], id[20:]))
}

// denied is Jenkins's "Access Denied" page ("D").
func (c *call) denied(permission string) {
	c.reportDenied(permission)
	c.head(http.StatusForbidden, htmlUTF8)
	c.page("Jenkins", "<h1>Access Denied</h1><p class='error'>"+html.EscapeString(c.user.name()+" is missing the "+permission+" permission")+"</p>")
}

func (c *call) reportDenied(permission string) {
	h := c.w.Header()
	p := permissions[permission]
	h.Set("X-You-Are-Authenticated-As", c.user.name())
	h.Set("X-You-Are-In-Group-Disabled", "JENKINS-39402: use -Dhudson.security.AccessDeniedException2.REPORT_GROUP_HEADERS=true or use /whoAmI to diagnose")
	h.Set("X-Required-Permission", p.id)
	for _, i := range p.implied {
		h.Add("X-Permission-Implied-By", "hudson.security.Permission."+i)
	}
	if permission != Administer {
		h.Add("X-Permission-Implied-By", "hudson.model.Hudson.Administer")
	}
}

// login is what somebody who is nobody gets: a page that leads to /login.
func (c *call) login() {
	c.reportDenied(Read)
	c.head(http.StatusForbidden, htmlUTF8)
	from := c.s.opt.Prefix + "/login?from=" + strings.ReplaceAll(c.r.URL.EscapedPath(), "/", "%2F")
	fmt.Fprintf(c.w, "<html><head><meta http-equiv='refresh' content='1;url=%s'/><script>window.location.replace('%s');</script></head><body style='background-color:white; color:white;'>\n\n\nAuthentication required\n<!--\n-->\n\n</body></html>", from, from)
}

// postOnly answers a GET of what wants a POST, and tells whether it was none.
func (c *call) postOnly() bool {
	if c.r.Method == "POST" {
		return true
	}
	c.head(http.StatusMethodNotAllowed, htmlUTF8)
	c.page("Method Not Allowed", "<h1>This URL requires POST</h1><p>The URL you're trying to access requires that requests be sent using POST (like a form submission).</p>")
	return false
}

func (c *call) page(title, body string) {
	fmt.Fprintf(c.w, "\n  \n  <!DOCTYPE html><html><head resURL=\"/static/254c94dc\"><title>%s [Jenkins]</title></head><body id=\"jenkins\" class=\"yui-skin-sam two-column jenkins-%s\"><a href=\"#skip2content\" class=\"skiplink\">Skip to content</a><div id=\"main-panel\"><a name=\"skip2content\"></a>%s</div><footer><span class=\"rest_api\"><a href=\"api/\">REST API</a></span><span class=\"jenkins_ver\"><a href=\"https://jenkins.io/\">Jenkins %s</a></span></footer></body></html>", title, Version, body, Version)
}

func (c *call) redirect(path string) {
	c.w.Header().Set("Location", c.here()+path)
	c.w.WriteHeader(http.StatusFound)
}

// here is the controller's address as the request gave it.
func (c *call) here() string {
	scheme := "http://"
	if c.s.opt.TLS {
		scheme = "https://"
	}
	return scheme + c.r.Host + strings.TrimSuffix(c.s.opt.Prefix, "/")
}

func (c *call) html(title string) {
	c.head(http.StatusOK, htmlUTF8)
	c.page(title, "<h1>"+html.EscapeString(title)+"</h1>")
}

func (c *call) ok() { c.w.WriteHeader(http.StatusOK) }
