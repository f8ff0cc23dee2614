package dockerfile

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

var (
	//go:embed zsh/blend.zsh
	blendZsh string
	//go:embed zsh/builder.zsh
	builderZsh string
	//go:embed zsh/inside.zsh
	insideZsh string
	//go:embed zsh/run.zsh
	runZsh string
	//go:embed zsh/copy.zsh
	copyZsh string
	//go:embed zsh/add.zsh
	addZsh string
	//go:embed zsh/stamp.zsh
	stampZsh string
	//go:embed zsh/service.zsh
	serviceZsh string
	//go:embed zsh/enter.zsh
	enterZsh string
)

// blend puts the translated stages, the builder's functions and the context into one file.
func (t *translator) blend() *Blend {
	last := t.stages[len(t.stages)-1]
	builder := t.builder(last)
	id := hash([]byte(builder))
	var archive []byte
	if len(t.packed) > 0 {
		archive, _ = t.context.pack(t.packed) // writes to memory: no error is possible
	}
	id = hash([]byte(id + hash(archive)))
	base, _ := last.baseImage()
	var w bytes.Buffer
	w.Grow(len(builder) + len(archive)*3/2 + 16<<10)
	fmt.Fprintf(&w, "#!/usr/bin/env zsh\n# Made by toaster from a Dockerfile.\n# Dockerfile sha256:%s\n", hash(t.source.Dockerfile))
	if t.source.Context != nil {
		fmt.Fprintf(&w, "# Context    sha256:%s\n", t.source.Context.SHA256())
	}
	fmt.Fprintf(&w, "toaster_blend=%s\n\n%s\n", id, blendZsh)
	w.WriteString("# toaster_unpack FOLDER writes the builder and the build context there.\ntoaster_unpack() {\n")
	document(&w, "cat >$1/builder", id, builder)
	document(&w, "cat >$1/enter", id, insideZsh+enterZsh)
	if len(archive) > 0 {
		document(&w, "base64 -d >$1/context.tar.gz", id, base64Lines(archive))
	} else {
		w.WriteString("\t: >$1/context.tar.gz\n")
	}
	w.WriteString("}\n")
	b := &Blend{Text: w.Bytes(), Steps: t.steps, Base: base, Dockerfile: hash(t.source.Dockerfile)}
	b.SHA256 = hash(b.Text)
	if t.source.Context != nil {
		b.Context = t.source.Context.SHA256()
	}
	return b
}

// document writes a here-document that zsh does not look into. No line of text is the delimiter: people's text is
// on lines that begin with a word of the builder, and the delimiter has a checksum in it.
func document(w *bytes.Buffer, command, id, text string) {
	delimiter := "TOASTER_" + id
	fmt.Fprintf(w, "\t%s <<'%s' || return 1\n", command, delimiter)
	w.WriteString(strings.TrimSuffix(text, "\n"))
	fmt.Fprintf(w, "\n%s\n", delimiter)
}

func base64Lines(data []byte) string {
	const perLine = 57 // 76 characters
	var w strings.Builder
	w.Grow(base64.StdEncoding.EncodedLen(len(data)) + len(data)/perLine + 1)
	line := make([]byte, 0, 77)
	for len(data) > perLine {
		w.Write(append(base64.StdEncoding.AppendEncode(line, data[:perLine]), '\n'))
		data = data[perLine:]
	}
	w.Write(base64.StdEncoding.AppendEncode(line, data))
	return w.String()
}

// builder is the program that makes the image's files.
func (t *translator) builder(last *stage) string {
	var w strings.Builder
	for _, part := range []string{builderZsh, insideZsh, runZsh, copyZsh, addZsh, stampZsh, serviceZsh} {
		w.WriteString(part + "\n")
	}
	fmt.Fprintf(&w, "typeset -r STEPS=%d\nproxies=(%s)\n", len(t.steps), words(proxies(t.source.BuildArgs)...))
	for _, s := range t.stages {
		if s.needed && !s.inTree && s.base == nil {
			if s.scratch {
				fmt.Fprintf(&w, "zf_mkdir -m 755 $STAGES/%d\n", s.index)
			} else {
				fmt.Fprintf(&w, "snapshot $TREE $STAGES/%d\n", s.index)
			}
		}
	}
	for _, s := range t.stages {
		if s.needed {
			w.WriteString(s.body.String())
		}
	}
	w.WriteString("\n")
	w.WriteString(t.service(last))
	w.WriteString("metadata " + quote(t.imageJSON(last)) + "\nfinished=1\n")
	return w.String()
}

// imageJSON is the OCI image configuration, as far as it is known.
func (t *translator) imageJSON(s *stage) string {
	architecture, _ := t.globals.Get("TARGETARCH")
	text, _ := json.MarshalIndent(struct {
		Author       string `json:"author,omitempty"`
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Config       config `json:"config"`
	}{s.config.author, architecture, "linux", s.config}, "", "  ") // no type in it can fail
	return string(text) + "\n"
}
