package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// event prints an event for programs: one JSON object a line.
func (w *world) event(name string, members map[string]any) {
	if !w.json {
		return
	}
	all := map[string]any{"event": name}
	maps.Copy(all, members)
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // members are ours
	}
	fmt.Fprintf(w.out, "%s\n", text)
}

func asProblem(err error, p **problem) bool { return errors.As(err, p) }
