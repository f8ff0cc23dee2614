package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// problem is what a site refuses a request with (RFC 9457).
type problem struct {
	Status   int       `json:"status"`
	Code     string    `json:"code"`
	Title    string    `json:"title"`
	Detail   string    `json:"detail"`
	Advice   string    `json:"advice"`
	Field    string    `json:"field"`
	Errors   []fault   `json:"errors"`   // where they are several
	Findings []finding `json:"findings"` // of a Dockerfile that can't be translated
	Instance string    `json:"instance"`

	site  string
	after time.Duration // Retry-After
	plain bool          // it was no problem+json: a web server's own
}

type fault struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Advice string `json:"advice"`
}

// finding is what is said of a line of a Dockerfile.
type finding struct {
	Line    int    `json:"line"`
	Level   string `json:"level"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Advice  string `json:"advice"`
}

func problemOf(site string, r *http.Response, body []byte) *problem {
	p := &problem{site: site}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(body, p) != nil {
		p.plain = true
	}
	p.Status = r.StatusCode
	var seconds int
	if _, err := fmt.Sscan(r.Header.Get("Retry-After"), &seconds); err == nil && seconds > 0 {
		p.after = time.Duration(seconds) * time.Second
	}
	return p
}

func (p *problem) Error() string { return p.failure().message }

// temporary tells whether the same request may succeed in a while.
func (p *problem) temporary() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout,
		http.StatusRequestTimeout:
		return true
	case http.StatusInternalServerError: // a program that a restart has ended has no words of its own
		return p.plain
	}
	return p.Code == "blob_busy" // a connection that was lost here has not ended there yet
}

// failure is what a person is told.
func (p *problem) failure() *failure {
	switch {
	case p.Status == http.StatusUnauthorized:
		return &failure{exitRefused, "the site does not accept your token", "Run “toaster login " + p.site + "”."}
	case p.Status >= 300 && p.Status < 400:
		return &failure{exitRefused, "the site has moved to another address",
			"Open " + p.site + " in a browser, and log in to the address that it shows: toaster login URL"}
	case p.Detail == "" && p.temporary():
		return &failure{exitUnreachable, fmt.Sprintf("%s is not available (status %d)", p.site, p.Status), "Try again later."}
	case p.Detail == "":
		return &failure{exitRefused, fmt.Sprintf("%s answers with status %d", p.site, p.Status),
			"Check that the address is that of a toaster site."}
	}
	f := &failure{exitRefused, p.Detail, p.Advice}
	if p.temporary() {
		f.exit = exitUnreachable
	} else if p.Status >= 500 {
		f.exit = exitFailed
		f.advice = strings.TrimSpace(f.advice + " " + cmp.Or(p.Instance, ""))
	}
	return f
}

// is tells whether the problem, or one of several, has the code.
func (p *problem) is(code string) bool {
	for _, f := range p.Errors {
		if f.Code == code {
			return true
		}
	}
	return p.Code == code
}

// about tells whether the problem, or one of several, is about the field.
func (p *problem) about(field string) bool {
	for _, f := range p.Errors {
		if f.Field == field {
			return true
		}
	}
	return p.Field == field
}
