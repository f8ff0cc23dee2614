package web

import (
	"strconv"
	"strings"
)

// prefersJSON tells whether a request would rather have JSON than HTML (RFC 9110, 12.5.1). Where both are equally
// welcome, the one counts that is named, and of two the first; where a wildcard stands for both, a program, which sends
// a token, gets JSON, and a browser HTML.
func prefersJSON(accept string, program bool) bool {
	html := welcomeOf(accept, "text/html")
	json := welcomeOf(accept, "application/json")
	if problem := welcomeOf(accept, "application/problem+json"); problem.specific == exact && problem.q > json.q {
		json = problem
	}
	switch {
	case json.q != html.q:
		return json.q > html.q
	case json.q == 0 || json.specific == anything && html.specific == anything:
		return program
	case json.specific != html.specific:
		return json.specific > html.specific
	}
	return json.at < html.at
}

// welcome is how welcome a media type is.
type welcome struct {
	q        int // in thousandths
	specific int // how exactly it is named: 0, it isn't
	at       int // by which range of the header
}

const anything, exact = 1, 3

// welcomeOf finds the most specific range that matches a media type, which decides.
func welcomeOf(accept, media string) (best welcome) {
	kind, _, _ := strings.Cut(media, "/")
	at := 0
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		specific := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case media:
			specific = exact
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = anything
		}
		if specific > best.specific {
			best = welcome{weight(parameters), specific, at}
		}
		at++
	}
	return best
}

// weight reads the q among a range's parameters; without one it is 1, and nonsense is 0.
func weight(parameters string) int {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		value = strings.TrimSpace(value)
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || len(value) > 5 || !(q >= 0 && q <= 1) {
			return 0
		}
		return int(q*1000 + 0.5)
	}
	return 1000
}
