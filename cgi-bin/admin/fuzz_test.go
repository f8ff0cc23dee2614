package main

import (
	"net/url"
	"testing"
	"unicode/utf8"

	"toaster.do/lib/web"
)

// FuzzLists: whatever stands in an address, what is looked for makes sense, and the links to other pages look for the
// same.
func FuzzLists(f *testing.F) {
	f.Add("q=anna&state=active&role=user&page=2")
	f.Add("action=login&object=person+7&actor=-1&before=99999999999999999999")
	f.Fuzz(func(t *testing.T, raw string) {
		v, _ := url.ParseQuery(raw)
		l := list(v)
		if l.Page < 1 || l.offset() < 0 || len(l.Text) > 200 || !utf8.ValidString(l.Text+l.State+l.Role) {
			t.Errorf("%+v", l)
		}
		to, err := url.Parse(web.PageAddress("/admin/jobs", l.asked(), l.Page))
		if err != nil || list(to.Query()) != l {
			t.Errorf("%+v became %v, %v", l, to, err)
		}
		q := entryQuery(v)
		older := entryQuery(olderThan(q, 7))
		if q.Before = 7; older != q || !utf8.ValidString(q.Action+q.Object) {
			t.Errorf("%+v became %+v", q, older)
		}
	})
}
