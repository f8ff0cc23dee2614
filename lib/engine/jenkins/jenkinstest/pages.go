package jenkinstest

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

const htmlUTF8 = "text/html;charset=utf-8"

// jetty is the servlet container's own error page ("J").
func (c *call) jetty(status int, message string) {
	c.w.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
	c.w.WriteHeader(status)
	fmt.Fprintf(c.w, "<html><head><title>Error %d %s</title></head><body><h2>HTTP ERROR %[1]d %[2]s</h2><table>"+
		"<tr><th>URI:</th><td>%s</td></tr><tr><th>STATUS:</th><td>%[1]d</td></tr><tr><th>MESSAGE:</th><td>%[2]s</td></tr>"+
		"</table><hr>Powered by Jetty:// 9.4.33.v20201020<hr/></body></html>",
		status, html.EscapeString(message), html.EscapeString(c.r.URL.EscapedPath()))
}

func (c *call) notFound() { c.jetty(http.StatusNotFound, "Not Found") }

// page is one of Jenkins's own.
func (c *call) page(status int, title, body string) {
	c.w.Header().Set("Content-Type", htmlUTF8)
	c.w.Header().Set("X-Jenkins", Version)
	c.w.WriteHeader(status)
	fmt.Fprintf(c.w, `<!DOCTYPE html><html><head><title>%s [Jenkins]</title></head><body id="jenkins">`+
		`<a href="#skip2content">Skip to content</a><div id="main-panel">%s</div>`+
		`<footer><a href="api/">REST API</a> <a href="https://jenkins.io/">Jenkins %s</a></footer></body></html>`,
		title, body, Version)
}

// failure is Jenkins's "Error" page ("E"), with the message in a header too. Jetty writes a space there for what has no
// place in ISO 8859-1.
func (c *call) failure(message string) {
	c.w.Header().Set("X-Error", strings.NewReplacer("‘", " ", "’", " ", "“", " ", "”", " ").Replace(message))
	c.page(http.StatusBadRequest, "Jenkins", "<h1>Error</h1><p>"+html.EscapeString(message)+"</p>")
}

// oops is Jenkins's page for an exception ("O"); the reason is in its own log only.
func (c *call) oops(status int) {
	c.page(status, "Oops!", "<h1>Oops!</h1><h2>A problem occurred while processing the request.</h2><p>Logging ID="+
		randomHex(16)+"</p>")
}

// permissionIDs turn the matrix's names of permissions into those in answers.
var permissionIDs = strings.NewReplacer("Overall/", "hudson.model.Hudson.", "Job/", "hudson.model.Item.",
	"Run/", "hudson.model.Run.", "View/", "hudson.model.View.")

// require tells whether the user has the permission. Where not it answers with Jenkins's "Access Denied" page ("D").
func (c *call) require(permission string) bool {
	if c.user.may(permission) {
		return true
	}
	c.w.Header().Set("X-You-Are-Authenticated-As", c.user.Name)
	c.w.Header().Set("X-Required-Permission", permissionIDs.Replace(permission))
	c.page(http.StatusForbidden, "Jenkins",
		"<h1>Access Denied</h1><p class='error'>"+c.user.Name+" is missing the "+permission+" permission</p>")
	return false
}

// post is require for what wants a POST.
func (c *call) post(permission string) bool {
	if c.r.Method == "POST" {
		return c.require(permission)
	}
	c.page(http.StatusMethodNotAllowed, "Method Not Allowed", "<h1>This URL requires POST</h1>")
	return false
}

// redirect leads to a path at the address that the request named.
func (c *call) redirect(path string) {
	c.w.Header().Set("Location", c.address()+path)
	c.w.WriteHeader(http.StatusFound)
}

func (c *call) address() string {
	scheme := "http://"
	if c.s.opt.TLS {
		scheme = "https://"
	}
	return scheme + c.r.Host + c.s.opt.Prefix
}
