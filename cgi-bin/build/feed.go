package main

import (
	"crypto/hmac"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// A feed's address is secret: feed readers can't log in. It is "PERSON-MAC.atom", the MAC over the person and the count
// of the addresses that the person has had.

const feedLength = 50

func feedAddress(r *web.Request, person, count int64) (string, error) {
	macs, err := feedMACs(r, person, count)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/jobs/feed/%d-%s.atom", person, macs[0]), nil
}

// feedMACs is the secret part under each key, the newest first: an address outlives a change of keys.
func feedMACs(r *web.Request, person, count int64) (macs []string, err error) {
	return r.Site.Config.MACs(fmt.Sprintf("feed %d %d", person, count))
}

// owner of the feed that a name says, if the name is genuine.
func feedOwner(r *web.Request, name string) (int64, error) {
	wrong := apperr.New(apperr.NotFound, "This feed does not exist.",
		"Its owner may have generated a new address. See the list of jobs.")
	name, ok := strings.CutSuffix(name, ".atom")
	number, mac, found := strings.Cut(name, "-")
	person, err := strconv.ParseInt(number, 10, 64)
	if !ok || !found || err != nil {
		return 0, wrong
	}
	count, err := db(r).Feed(r.Context(), person)
	if err != nil {
		return 0, err
	}
	macs, err := feedMACs(r, person, count)
	if err != nil {
		return 0, err
	}
	for _, m := range macs {
		if count > 0 && hmac.Equal([]byte(m), []byte(mac)) {
			return person, nil
		}
	}
	return 0, wrong
}

// setFeed switches the feed on with a new address, or off.
func (j *handlers) setFeed(w http.ResponseWriter, r *web.Request) error {
	form, err := r.Input()
	if err != nil {
		return err
	}
	if err := db(r).SetFeed(r.Context(), r.Identity.User.ID, form.Values["feed"] == "1"); err != nil {
		return err
	}
	return r.Redirect(w, "/jobs/feed")
}

var feedTemplate = view.Template[string]{Name: "feed"} // its data is the feed's address

// feedPage shows the feed's address to its owner.
func (j *handlers) feedPage(w http.ResponseWriter, r *web.Request) error {
	count, err := db(r).Feed(r.Context(), r.Identity.User.ID)
	if err != nil {
		return err
	}
	address := ""
	if count > 0 {
		if address, err = feedAddress(r, r.Identity.User.ID, count); err != nil {
			return err
		}
		address = r.Address() + address
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"address": address})
	}
	return r.Page(w, http.StatusOK, feedTemplate.With(address), view.View{Here: "jobs"})
}

// Atom (RFC 4287), as far as it is needed.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string      `xml:"title"`
	ID      string      `xml:"id"`
	Updated string      `xml:"updated"`
	Link    []atomLink  `xml:"link"`
	Author  string      `xml:"author>name"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Summary string   `xml:"summary,omitempty"`
}

// feed lists a person's newest builds for feed readers.
func (j *handlers) feed(w http.ResponseWriter, r *web.Request) error {
	name := r.Param("name")
	owner, err := feedOwner(r, name)
	if err != nil {
		return err
	}
	items, err := db(r).RecentBuilds(r.Context(), owner, feedLength)
	if err != nil {
		return err
	}
	base := r.Address()
	f := atomFeed{Title: "Builds · " + r.Site.Config.Site.Name, ID: base + "/jobs/feed/" + strconv.FormatInt(owner, 10),
		Author:  r.Site.Config.Site.Name,
		Updated: time.Unix(0, 0).UTC().Format(time.RFC3339),
		Link:    []atomLink{{"self", base + "/jobs/feed/" + name}, {"", base + "/jobs"}}}
	for i, item := range items {
		e := entry(base, item)
		if i == 0 {
			f.Updated = e.Updated
		}
		f.Entries = append(f.Entries, e)
	}
	text, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/atom+xml; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=60")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(append([]byte(xml.Header), text...))
	return err
}

func entry(base string, item store.FeedItem) atomEntry {
	b := item.Build
	at := b.EndedAt
	if at.IsZero() {
		at = b.QueuedAt
	}
	where := fmt.Sprintf("%s/jobs/%s/builds/%d", base, item.Job.ID, b.Number)
	return atomEntry{
		Title: view.Clean(fmt.Sprintf("%s: build %d %s", item.Job.Name, b.Number, b.State)), ID: where,
		Updated: at.UTC().Format(time.RFC3339),
		Link:    atomLink{"", where}, Summary: view.Clean(b.Why().String()),
	}
}
