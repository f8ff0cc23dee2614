package web

import (
	"net/http"
	"net/url"
	"strconv"
)

// PageLength is how many entries a page of a list has.
const PageLength = 25

// ProgramPageLength is how many a page has for programs.
const ProgramPageLength = 100

// PageNumber reads ?page=; what makes no sense is the first.
func PageNumber(v url.Values) int {
	if n, err := strconv.Atoi(v.Get("page")); err == nil && n >= 1 && n <= 1e6 {
		return n
	}
	return 1
}

// Pages is how many pages a list of so many entries has.
func Pages(found int) int { return PagesOf(found, PageLength) }

// PagesOf is Pages for pages of a length.
func PagesOf(found, length int) int { return (found + length - 1) / length }

// LinkNext adds the address of the page after one, below the prefix, to an answer (RFC 8288); empty: there is none.
func (r *Request) LinkNext(w http.ResponseWriter, after string) {
	if after != "" {
		w.Header().Add("Link", "<"+r.To(after)+`>; rel="next"`)
	}
}

// PageAddress is that of a page of a list that was searched for something.
func PageAddress(path string, asked map[string]string, number int) string {
	v := url.Values{}
	for name, value := range asked {
		if value != "" {
			v.Set(name, value)
		}
	}
	if number > 1 {
		v.Set("page", strconv.Itoa(number))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// PageAddresses are those of the pages before and after one; empty: there is none.
func PageAddresses(path string, asked map[string]string, number, pages int) (before, after string) {
	if number > 1 {
		before = PageAddress(path, asked, number-1)
	}
	if number < pages {
		after = PageAddress(path, asked, number+1)
	}
	return before, after
}
