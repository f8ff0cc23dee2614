package web

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"toaster.do/lib/printable"
)

// place splits what the web server says of a CGI request into the path the site is mounted under and the path
// that the program answers (RFC 3875, 4.1.5 and 4.1.13). SCRIPT_NAME ends in the program's own segment, except
// where a server maps the site's root to the program "index".
func place(program, scriptName, pathInfo string) (prefix, path string) {
	prefix = strings.TrimRight(scriptName, "/")
	if own := "/" + program; strings.HasSuffix(prefix, own) {
		prefix = strings.TrimSuffix(prefix, own)
	}
	return escaped(prefix), pathInfo
}

// placeByURL is place for a FastCGI request of a web server that doesn't say where the site is mounted: the prefix is
// the configured one, or else what stands before the program's own segment.
func placeByURL(program, configured, urlPath string) (prefix, path string) {
	below, ok := strings.CutPrefix(urlPath, configured)
	if !ok || below != "" && below[0] != '/' {
		return configured, "/" // not ours to answer: no route has a path like this
	}
	if program == "index" {
		return configured, below
	}
	own := "/" + program
	for i := 0; i < len(below); {
		n := strings.Index(below[i:], own)
		if n < 0 {
			break
		}
		end := i + n + len(own)
		if end == len(below) || below[end] == '/' {
			return configured + escaped(below[:i+n]), below[end:]
		}
		i = end
	}
	return configured, below
}

// placeBelow is place for a FastCGI request whose URL is known to begin with prefix. As a web server does for CGI
// programs, it passes over "//", "/./" and "/../".
func placeBelow(program, prefix, urlPath string) (string, string) {
	clean := path.Clean("/" + urlPath)
	if strings.HasSuffix(urlPath, "/") && clean != "/" {
		clean += "/"
	}
	own := prefix
	if program != "index" {
		own += "/" + program
	}
	below, ok := strings.CutPrefix(clean, own)
	if !ok || below != "" && below[0] != '/' {
		below = "/" // not ours to answer
	}
	return escaped(prefix), below
}

func escaped(plain string) string { return (&url.URL{Path: plain}).EscapedPath() }

// segments splits a path; ok is false where a segment is empty, "." or "..", or something in it is no text: no route
// has one.
func segments(path string) (list []string, ok bool) {
	if !printable.IsPath(path) {
		return nil, false
	}
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil, true
	}
	list = strings.Split(path, "/")
	for _, s := range list {
		if s == "" || s == "." || s == ".." {
			return nil, false
		}
	}
	return list, true
}

// SafeNext returns next, escaped for a Location, if it is a path of this site, without the prefix, and else otherwise:
// a link to the log-in page can't lead to another site afterwards.
func SafeNext(next, otherwise string) string {
	if len(next) > 2000 || len(next) < 2 || next[0] != '/' || next[1] == '/' || strings.Contains(next, `\`) {
		return otherwise
	}
	u, err := url.Parse(next) // refuses control characters
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" {
		return otherwise
	}
	if _, ok := segments(u.Path); !ok {
		return otherwise
	}
	return address(u)
}

// address is a path and its query with nothing in them that may not stand in a header.
func address(u *url.URL) string {
	path := u.EscapedPath()
	if u.RawQuery == "" {
		return path
	}
	var query strings.Builder
	for i := range len(u.RawQuery) {
		if c := u.RawQuery[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^{|}`+"`", c) >= 0 {
			fmt.Fprintf(&query, "%%%02X", c)
		} else {
			query.WriteByte(c)
		}
	}
	return path + "?" + query.String()
}

// Short is what a list is searched for: at most 200 bytes of what somebody typed, and valid UTF-8.
func Short(typed string) string { return strings.ToValidUTF8(typed[:min(len(typed), 200)], "") }
