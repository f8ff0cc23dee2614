package cgibin

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func (c *client) oneJob(name string) (id string) {
	a := c.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target, "name", name)
	return strings.TrimPrefix(jobAddress.FindString(a.header.Get("Location")), "/jobs/")
}

func TestAFeedHasASecretAddress(t *testing.T) {
	s := newSite(t)
	c, nobody := s.browser(ada), s.anybody()
	id := c.oneJob("<web>&x")
	s.sql("INSERT INTO build (job_id, number, revision, state, queued_at, started_at, ended_at, failure, finalized) "+
		"VALUES (?, 1, 1, 'failed', 1900000000000, 1900000001000, 1900000002000, 'The disk is full.', 1)", id)
	if a := c.get("/jobs/feed"); strings.Contains(a.body, ".atom") {
		t.Error("it is on before somebody has switched it on")
	}
	if a := nobody.get("/jobs/feed/1-AAAAAAAAAAAAAAAAAAAAAAAA.atom"); a.status != http.StatusNotFound {
		t.Errorf("a feed that is off answers %d", a.status)
	}
	c.post("/jobs/feed", "feed", "1")
	address := regexp.MustCompile(`/jobs/feed/1-[\w-]{24}\.atom`).FindString(c.get("/jobs/feed").body)
	a := nobody.get(address)
	var feed struct {
		Entries []struct {
			Title   string `xml:"title"`
			Updated string `xml:"updated"`
			Summary string `xml:"summary"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal([]byte(a.body), &feed); err != nil || a.status != 200 || len(feed.Entries) != 1 {
		t.Fatalf("%d %v\n%s", a.status, err, a.body)
	}
	if e := feed.Entries[0]; e.Title != "<web>&x: build 1 failed" || e.Updated != "2030-03-17T17:46:42Z" ||
		e.Summary != "The disk is full." {
		t.Errorf("%+v", e)
	}
	for _, wrong := range []string{strings.Replace(address, "/1-", "/2-", 1), strings.TrimSuffix(address, ".atom"),
		strings.Replace(address, "-", "-A", 1), "/jobs/feed/x", "/jobs/feed/-.atom"} {
		if a := nobody.get(wrong); a.status != http.StatusNotFound {
			t.Errorf("%s answers %d", wrong, a.status)
		}
	}
	for _, again := range []string{"1", "0", "1"} {
		c.post("/jobs/feed", "feed", again)
		if a := nobody.get(address); a.status != http.StatusNotFound {
			t.Errorf("the old address answers %d", a.status)
		}
	}
	s.sql("UPDATE user SET state = 'suspended' WHERE email = ?", ada)
	if a := nobody.get(address); a.status != http.StatusNotFound {
		t.Errorf("the feed of somebody who is suspended answers %d", a.status)
	}
}

func TestABadgeIsOffUntilItsOwnerSaysSo(t *testing.T) {
	s := newSite(t)
	c, other, nobody := s.browser(ada), s.browser(bob), s.anybody()
	id := c.oneJob("web")
	path := "/jobs/" + id + "/badge.svg"
	if a := nobody.get(path); a.status != http.StatusNotFound {
		t.Errorf("it answers %d before", a.status)
	}
	if a := other.post("/jobs/"+id+"/badge", "public", "1"); a.status != http.StatusNotFound {
		t.Errorf("another person's switch answers %d", a.status)
	}
	c.post("/jobs/"+id+"/badge", "public", "1")
	s.sql("INSERT INTO build (job_id, number, revision, state, queued_at, ended_at, finalized) VALUES (?, 1, 1, "+
		"'succeeded', 1, 2, 1)", id)
	s.sql("INSERT INTO build (job_id, number, revision, state, queued_at, finalized) VALUES (?, 2, 1, 'running', 1, 1)",
		id)
	a := nobody.get(path)
	if a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" ||
		a.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || !strings.Contains(a.body, ">succeeded<") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if err := xml.Unmarshal([]byte(a.body), new(struct{})); err != nil {
		t.Error(err)
	}
	s.sql("UPDATE user SET state = 'suspended' WHERE email = ?", ada)
	if a := nobody.get(path); a.status != http.StatusNotFound {
		t.Errorf("while its owner is suspended, it answers %d", a.status)
	}
	s.sql("UPDATE user SET state = 'active' WHERE email = ?", ada)
	c.post("/jobs/"+id+"/badge", "public", "0")
	if a := nobody.get(path); a.status != http.StatusNotFound {
		t.Errorf("it answers %d afterwards", a.status)
	}
}
