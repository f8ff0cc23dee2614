package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// most is how long a Dockerfile is by default.
const most = 64 << 10

// hostile is a source that is made to keep a processor busy.
type hostile struct {
	text   string
	files  map[string]string // of the context, beside the usual 10000
	args   map[string]string
	refuse bool // it is too much for any builder: it must be refused, and say where
}

// lines repeats lines up to the limit.
func lines64(begin, line string) string {
	return begin + strings.Repeat(line, (most-len(begin))/len(line))
}

// numbered does so with a number in them.
func numbered(begin, format, end string) string {
	var w strings.Builder
	w.WriteString(begin)
	for i := 0; ; i++ {
		line := fmt.Sprintf(format, i)
		if w.Len()+len(line)+len(end) > most {
			return w.String() + end
		}
		w.WriteString(line)
	}
}

func hostiles() map[string]hostile {
	const from = "FROM debian:bookworm\n"
	x, star, lex := strings.Repeat, numbered, lines64
	long := func(n int) string { return from + "ENV A=" + x("a", n) + "\n" }
	doubled := from + "ENV A=xxxxxxxx\n" + x("ENV A=$A$A\n", 13)
	pattern := func(modifier string) string {
		return "FROM debian:bookworm\nENV A=aaaaaaaa\n" + x("ENV A=$A$A\n", 12) + "ENV B=*a*a*a*a\n" +
			x("ENV B=$B$B\n", 7) + "ENV C=${A" + modifier + "}\n"
	}
	names := map[string]string{}
	for i := range 300 {
		names[x("l/", 100)+fmt.Sprint(i)] = ""
	}
	patterns := func(format string) map[string]string {
		var w strings.Builder
		for i := range 20000 {
			fmt.Fprintf(&w, format+"\n", i)
		}
		return map[string]string{".dockerignore": w.String()}
	}
	return map[string]hostile{
		"doubling":   {text: from + "ENV A=xxxxxxxx\n" + x("ENV A=$A$A\n", 5000)},
		"many uses":  {text: long(30000) + "ENV B=" + x("$A", 15000) + "\n"},
		"long words": {text: long(20000) + x("WORKDIR $A\n", 4000), refuse: true},
		"ports":      {text: lex(from, "EXPOSE 0-65535\n"), refuse: true},
		"ports of stages": {text: numbered("FROM debian:bookworm AS s\nEXPOSE 0-65535 0-65535/udp 0-65535/sctp\n",
			"FROM s AS t%d\n", ""), refuse: true},
		"globs":               {text: lex(from, "COPY d/?* /x/\n"), refuse: true},
		"globs of ADD":        {text: lex(from, "ADD d/?* /x/\n"), refuse: true},
		"stars":               {text: lex(from, "COPY d/*1*2*3*4*5 /x/\n"), refuse: true},
		"copies":              {text: lex(from, "COPY . /x/\n")},
		"variables":           {text: star(from, "ENV a%d=1\nRUN x\n", "")},
		"variables in a line": {text: star(from+"ENV x=y ", "a%d=1 ", "\n")},
		"the same variable":   {text: lex(star(from+"ENV x=y ", "%d=1 ", "\n")[:40000]+"\n", "ENV x=1\n")},
		"unknown":             {text: star(from, "ENV abcdef%d=$b\n", "")},
		"unknown, long": {text: star(star(from, "ENV "+x("a", 80)+"%d=\n", "")[:most/2]+"\nENV z=",
			"$"+x("a", 80)+"b%d", "\n")},
		"unknown in FROM": {text: star(star("ARG z", " a%d", "")[:most/2]+"\nFROM x", "$b%d", "\n")},
		"stages":          {text: x("FROM debian\n", 5000)},
		"named stages":    {text: star("", "FROM debian AS s%d\n", "")},
		"chains":          {text: star("FROM debian AS s0\n", "FROM s0 AS t%d\n", "")},
		"onbuild":         {text: lex("FROM debian AS s0\n"+lex("", "ONBUILD RUN x\n")[:62000]+"\n", "FROM s0\n")},
		"onbuild env": {text: lex("FROM debian AS s0\nONBUILD ENV a=1"+x(" b=2", 15000)+"\n",
			"FROM s0\n"), refuse: true},
		"onbuild unknown": {text: lex("FROM debian AS s0\n"+
			lex("", "ONBUILD xxxxxxxxxxxxxxxxxxxxxxxxxxx y\n")[:62000]+"\n", "FROM s0\n")},
		"nested":              {text: from + "ENV A=" + x("${A:-", 10000) + x("}", 10000) + "\n"},
		"nested patterns":     {text: long(4000) + "ENV B=" + x("${A##", 5000) + x("}", 5000) + "\n", refuse: true},
		"nested in a heredoc": {text: from + "COPY <<A /a\n" + x("${A:-", 10000) + x("}", 10000) + "\nA\n"},
		"heredocs":            {text: lex(from, "RUN <<a\na\n")},
		"heredocs of a line":  {text: from + "RUN " + x("<<a ", 10000) + "\n" + x("a\n", 10000)},
		"heredoc names":       {text: from + "RUN <<" + x("${A:-", 10000) + x("}", 10000) + "\nx\n"},
		"spaces":              {text: lex(from, " \\\n")},
		"continued":           {text: lex(from+"RUN x", "\\\n")},
		"continued comments":  {text: lex(from+"RUN x \\\n", "#\n")},
		"unknown instruction": {text: from + x("ENVV", 16000) + " x\n"},
		"a long line":         {text: from + "RUN " + x("a ", 32000) + "\n"},
		"a long list":         {text: from + "RUN [" + x(`"a",`, 16000) + `"a"]` + "\n"},
		"brackets":            {text: from + x("[", 65000) + "\n"},
		"quotes":              {text: from + "LABEL " + x(`"a"=b `, 10000) + "\n"},
		"check":               {text: lex("# check=skip="+x("A,", 16000)+"A\n"+from, "ENV a=b\n")},
		"check in comments":   {text: lex("FROM debian\n", "# check=skip=A,B,C,D\nENV a b\n")},
		"flags":               {text: from + "COPY " + x("--exclude=a ", 5000) + "a b\n"},
		"mounts":              {text: from + "RUN " + x("--mount=type=cache,target=/a ", 2000) + "x\n"},
		"mount lists":         {text: from + "RUN --mount=" + x("type=cache,", 5000) + "target=/a x\n"},
		"volumes":             {text: lex(from+"VOLUME"+x(" a", 16000)+"\n", "ENV a=b\n")},
		"classes":             {text: from + "COPY --exclude=" + x("[^a]", 15000) + " d /\n"},
		"wide classes":        {text: from + "COPY --exclude=" + x("[Ā-\uffff]", 8000) + " d /\n"},
		"user":                {text: lex(doubled+"USER $A\n", "RUN x\n"), refuse: true},
		"working directory":   {text: lex(doubled+"WORKDIR $A\n", "RUN x\n"), refuse: true},
		"apt":                 {text: doubled + "RUN apt-get install " + x("$A", 30000) + "\n", refuse: true},
		"names of bases":      {text: "ARG A=a\n" + x("ARG A=$A$A\n", 17) + x("FROM $A\n", 99)},
		"platforms":           {text: "ARG A=a\n" + x("ARG A=$A$A\n", 17) + x("FROM --platform=$A debian\n", 99)},
		"arguments":           {text: lex(from, "ARG A\n"), args: map[string]string{"A": x("é", 8<<10)}, refuse: true},
		"many arguments":      {text: star("", "ARG A%d=$B\n", from)},
		"health":              {text: lex(from, "HEALTHCHECK CMD x\n")},
		"secrets":             {text: lex(from, "ENV "+x("key_", 1000)+"=1\n")},
		"missing":             {text: lex(from+"COPY", " x")[:most-3] + " y\n"},
		"missing globs":       {text: lex(from, "COPY q* y/\n")},
		"links":               {text: lex(from, "COPY l9 y/\n"), files: links(), refuse: true},
		"deep folders":        {text: star(from, "COPY l/l/l/l/l/l/l/%d x\n", ""), files: names},
		"nested folders": {text: from + func() (s string) {
			for i := range 100 {
				s += "COPY " + x("l/", 100-i) + " /x/\n"
			}
			return s
		}(), files: names},
		"archives":            {text: lex(from, "ADD d/* /x/\n"), refuse: true},
		"bzip2":               {text: lex(from, "ADD b /x/\n"), files: map[string]string{"b": bzip2Zeros}},
		"suffix":              {text: pattern("%${B}b"), refuse: true},
		"longest suffix":      {text: pattern("%%${B}b"), refuse: true},
		"prefix":              {text: pattern("#${B}b"), refuse: true},
		"longest prefix":      {text: pattern("##${B}b"), refuse: true},
		"replaced":            {text: pattern("/${B}b/x"), refuse: true},
		"replaced everywhere": {text: pattern("//${B}b/x"), refuse: true},
		"much for little":     {text: doubled + "ENV B=${A//x/$A}\n"},
		"much for a match":    {text: doubled + `ENV B=${A//*/` + x(`\$0`, 15000) + "}\n"},
		"nothing for a match": {text: doubled + `ENV B=${A//x/` + x(`\$1`, 15000) + "}\n"},
		"patterns in a line": {text: from + "ENV A=" + x("a", 1000) + "b\nENV B=" + x("${A//a*a*a*b/}", 4000) +
			"\n", refuse: true},
		"patterns in a heredoc": {text: from + "ENV A=" + x("a", 1000) + "b\nCOPY <<A /a\n" +
			x("${A//a*a*a*b/}", 4000) + "\nA\n", refuse: true},
		"patterns": {text: from + "ENV A=" + x("a", 20000) + "\nENV B=${A//" + x("*a", 5000) +
			"b/x}\n", refuse: true},
		"patterns of EXPOSE": {text: doubled + "EXPOSE ${A//" + x("*x", 5000) + "b/x}\n", refuse: true},
		"patterns of FROM": {text: "ARG A=a\n" + x("ARG A=$A$A\n", 16) + "FROM ${A//" + x("*a", 5000) +
			"b/x}\n", refuse: true},
		"patterns of a platform": {text: "ARG A=a\n" + x("ARG A=$A$A\n", 16) + "FROM --platform=${A//" + x("*a", 5000) +
			"b/x} debian\n", refuse: true},
		"ignored":            {text: from + "COPY . /\n", files: patterns("%d"), refuse: true},
		"ignored stars":      {text: from + "COPY . /\n", files: patterns("*a*b*%d*"), refuse: true},
		"ignored tails":      {text: from + "COPY . /\n", files: patterns("**/%d"), refuse: true},
		"ignored and not":    {text: from + "COPY . /\n", files: patterns("*\n!*%d"), refuse: true},
		"ignored everything": {text: from + "COPY . /\n", files: patterns("**%.0d"), refuse: true},
		"much ignored": {text: from + "COPY . /\n",
			files: map[string]string{".dockerignore": x("a\n", 2<<20)}, refuse: true},
	}
}

// links are links that each lead through the one before often: to follow one of them is a few thousand steps.
func links() map[string]string {
	files := map[string]string{"e/x": ""}
	for i := range 10 {
		files[fmt.Sprintf("l%d", i)] = fmt.Sprintf("->%s.",
			strings.Repeat("e/../", 400)+strings.Repeat(fmt.Sprintf("l%d/../", i-1), min(i, 1)*30))
	}
	return files
}

func (h hostile) context(t testing.TB) *Context {
	files := maps.Clone(crowd())
	maps.Copy(files, h.files)
	return mustMake(t, files)
}

// crowd are as many entries as a context may have, nearly.
var crowd = sync.OnceValue(func() map[string]string {
	list := map[string]string{}
	for i := range 9500 {
		list[fmt.Sprintf("d/%d", i)] = ""
	}
	return list
})

// TestBounded: no source within the default limits keeps a request busy, or becomes huge. What is too much is refused,
// at a line, and says what to do.
func TestBounded(t *testing.T) {
	for name, h := range hostiles() {
		t.Run(name, func(t *testing.T) {
			if len(h.text) > most {
				t.Fatalf("%d bytes: larger than any Dockerfile", len(h.text))
			}
			s := Source{Dockerfile: []byte(h.text), Context: h.context(t), BuildArgs: h.args}
			before := used()
			b, findings, spent := translate(s, true)
			Release(s)
			Highlight(s.Dockerfile)
			took := used() - before
			t.Logf("%v of %v, %d of %d, %d findings", took.Round(time.Millisecond), ordinary().Round(time.Millisecond), spent,
				enough, len(findings))
			if took > 300*ordinary() {
				t.Errorf("it took %v, an ordinary Dockerfile of that size %v", took, ordinary())
			}
			if b != nil && len(b.Text) > 20<<20 {
				t.Errorf("a blend of %d bytes", len(b.Text))
			}
			said := 0
			for _, f := range findings {
				said += len(f.Message.String())
				if f.Rule == "TooComplex" &&
					(f.Line == 0 && !strings.Contains(f.Message.String(), ".dockerignore") || f.Advice.IsZero()) {
					t.Errorf("it is refused, and does not say where: %+v", f)
				}
				if f.Rule == "Internal" {
					t.Error(f.Message)
				}
			}
			if said > 1<<20 || len(findings) > mostFindings {
				t.Errorf("%d findings of %d bytes", len(findings), said)
			}
			if h.refuse && !has(findings, "TooComplex") {
				t.Errorf("it is not refused; %v", findings[:min(3, len(findings))])
			}
		})
	}
}

// ordinary is the processor time that an honest Dockerfile costs which is as long as one may be, with as many entries.
var ordinary = sync.OnceValue(func() time.Duration {
	text := numbered("FROM debian:bookworm\n", "ENV NAME%d=value\nRUN echo \"$NAME\" >>/file\n", "COPY . /srv/\n")
	before := used()
	for range 5 {
		c, _ := made(crowd())
		translate(Source{Dockerfile: []byte(text), Context: c}, true)
	}
	return (used() - before) / 5
})

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func has(findings []Finding, rule string) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule == rule })
}

// bzip2Zeros is what bzip2 makes of 900000 zeros.
const bzip2Zeros = "BZh91AY&SYc\xe3\xec\xa2\x00\x06\xe4\xc1\x00\xc0\x00\x00\x08\x00\x08 " +
	"\x000\xcc\t\xaai\x94\xa16\xa9(O\x17rE8P\x90c\xe3\xec\xa2"
