package web

import (
	"strconv"
	"strings"
)

// prefersJSON tells whether a request would rather have JSON than HTML (RFC 9110, 12.5.1). Where both are equally
// welcome a program, which sends a token, gets JSON, and a browser HTML.
func prefersJSON(accept string, program bool) bool {
	if strings.TrimSpace(accept) == "" {
		return program
	}
	html := quality(accept, "text/html")
	json := max(quality(accept, "application/json"), quality(accept, "application/problem+json"))
	if json == html {
		return program
	}
	return json > html
}

// quality is how welcome a media type is, in thousandths: the most specific range that matches decides.
func quality(accept, media string) int {
	kind, _, _ := strings.Cut(media, "/")
	best, q := 0, 0
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		specific := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case media:
			specific = 3
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific > best {
			best, q = specific, weight(parameters)
		}
	}
	return q
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
