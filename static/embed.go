// Package static holds the files that the web server sends as they are. Programs embed them to know their digests.
package static

import "embed"

// Files are the style sheet, scripts and pictures.
//
//go:embed *.css *.js *.svg
var Files embed.FS
