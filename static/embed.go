// Package static holds the files that the web server sends as they are. Programs embed them to know their digests.
package static

import "embed"

// Files are the style sheet, scripts, pictures, and the description of the API (OpenAPI).
//
//go:embed *.css *.html *.js *.json *.svg
var Files embed.FS
