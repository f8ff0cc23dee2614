// Package viewtest compares pages with those of html/template.
package viewtest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
	"unsafe"

	"toaster.do/lib/view"
	"toaster.do/templates"
)

// rounds is how often a template is rendered in each language.
const rounds = 500

// Compare renders a template with random data, for programs with the build tag “judge”: there
// view.Render compares. Data with which html/template fails does not count.
func Compare[D any](t *testing.T, page *view.Template[D]) {
	t.Run(page.Name, func(t *testing.T) {
		r := &random{Rand: rand.New(rand.NewPCG(1, 2)), compared: compared(t, page.Name)}
		for made, tries := 0, 0; made < rounds; tries++ {
			var data D
			r.fill(reflect.ValueOf(&data).Elem(), 0)
			err := r.render(page.With(data))
			if differs := (*view.Difference)(nil); errors.As(err, &differs) || tries > 30*rounds {
				t.Fatalf("after %d pages: %v", made, err)
			}
			if err == nil {
				made++
			}
		}
	})
}

// render renders a page in each language, with random values of the layout's.
func (r *random) render(page view.Page) error {
	v := view.View{Admin: r.IntN(2) == 0}
	for _, s := range []*string{&v.Site, &v.Prefix, &v.User, &v.Here, &v.ID, (*string)(&v.Notice)} {
		*s = r.text()
	}
	for _, v.Lang = range view.Languages {
		if _, err := view.Render(page, v); err != nil {
			return err
		}
	}
	return nil
}

// random makes data.
type random struct {
	*rand.Rand
	compared []string // texts that make a difference to the template
	whole    bool     // the next pointer is not nil
}

// hostile are texts that strangers may send.
var hostile = []string{
	"plain", `" onmouseover="alert(1)`, "'><script>alert(1)</script>", "</title></textarea></pre><b>", "{{.}}",
	"javascript:alert(1)", "JaVaScript:x", "data:text/html,<b>", "http://x/?a=1&b=2#c", "/a b/ü?q=%41%zz",
	"ä\x00\xff\x1b[1m", "a+b@example.org", "\r\n\t", "\u202e", "-1",
}

// compared returns the texts that a template, the layout and the parts of pages compare values with.
func compared(t *testing.T, name string) []string {
	list := []string{"queued", "running"} // methods compare with these
	action, quoted := regexp.MustCompile(`\{\{.*?\}\}|= include .*`), regexp.MustCompile(`"([a-z0-9_]+)"`)
	names, err := fs.Glob(templates.Pages, "_*.ace")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "layout.ace", name+".ace") {
		source, err := templates.Pages.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range action.FindAllString(string(source), -1) {
			for _, m := range quoted.FindAllStringSubmatch(a, -1) {
				if !slices.Contains(list, m[1]) {
					list = append(list, m[1])
				}
			}
		}
	}
	return list
}

func (r *random) text() string {
	switch list := r.compared; r.IntN(6) {
	case 0:
		return ""
	case 1, 2:
		return hostile[r.IntN(len(hostile))]
	default:
		return list[r.IntN(len(list))]
	}
}

// depth limits types that contain themselves.
const depth = 7

func (r *random) fill(v reflect.Value, at int) {
	whole := r.whole
	r.whole = false
	switch v.Kind() {
	case reflect.Pointer:
		if at < depth && (whole || r.IntN(5) > 0) {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem(), at+1)
		}
	case reflect.Slice:
		r.slice(v, at)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			r.fill(key, at+1)
			r.fill(element, at+1)
			v.SetMapIndex(key, element)
		}
	case reflect.Struct:
		if t, ok := v.Addr().Interface().(*time.Time); !ok {
			r.fields(v, at)
		} else if r.IntN(3) > 0 {
			*t = time.Unix(1_700_000_000+r.Int64N(1e8), 0)
		}
	default:
		r.scalar(v)
	}
}

func (r *random) scalar(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Duration:
		*x = time.Duration(r.IntN(4)) * 37 * time.Minute
		return
	case *error:
		*x = fmt.Errorf("it is %s", r.text())
		return
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(r.text())
	case v.Kind() == reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case v.CanInt():
		v.SetInt([]int64{0, 1, 1, 2, 7, 100, -1}[r.IntN(7)])
	case v.CanUint():
		v.SetUint(r.Uint64N(200))
	}
}

// slice fills a slice. Its pointers are not nil.
func (r *random) slice(v reflect.Value, at int) {
	n := r.IntN(4)
	if at >= depth {
		n = 0
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		r.whole = true
		r.fill(v.Index(i), at+1)
	}
}

// fields fills a struct. Pointers that it embeds are not nil.
func (r *random) fields(v reflect.Value, at int) {
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() {
			f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
		}
		r.whole = v.Type().Field(i).Anonymous
		r.fill(f, at+1)
	}
}
