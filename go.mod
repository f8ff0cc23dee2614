module toaster.do

go 1.26.8

require (
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/mattn/go-sqlite3 v1.14.53 // indirect
	github.com/moby/buildkit v0.34.2 // indirect
	github.com/moby/patternmatcher v0.6.1 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	golang.org/x/crypto v0.58.0 // indirect
)
