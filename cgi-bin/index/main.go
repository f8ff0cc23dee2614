// Command index is the CGI program for the front page and the help.
package main

import (
	"net/http"
	"os"

	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("index", routes)) }

var routes = []web.Route{
	{Method: http.MethodGet, Path: "", Do: front},
	{Method: http.MethodGet, Path: "/help", Do: help},
	{Method: http.MethodGet, Path: "/targets", Do: targets},
}

var (
	frontTemplate = view.Template[frontPage]{Name: "front"}
	helpTemplate  = view.Template[helpPage]{Name: "help"}
)
