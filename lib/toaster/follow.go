package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// over tells whether a build has ended.
func (b *build) over() bool { return b.State != "queued" && b.State != "running" }

// path is the address of the build, below the site's.
func (o *order) path() string {
	return "/jobs/" + url.PathEscape(o.job) + "/builds/" + strconv.Itoa(o.number)
}

// state asks how the build is.
func (c *client) state(ctx context.Context, o *order) (b *build, err error) {
	b = new(build)
	return b, c.get(ctx, o.path(), nil, b)
}

// await asks how the build is until that is another than it was, or half a minute has passed.
func (c *client) await(ctx context.Context, o *order, was *build) (*build, error) {
	begun, b := time.Now(), new(build)
	if err := c.get(ctx, o.path(), url.Values{"wait": {"30"}}, b); err != nil {
		return nil, err
	}
	if b.State == was.State && time.Since(begun) < time.Second { // the site does not know how to wait
		return b, sleep(ctx, time.Second)
	}
	return b, nil
}

// follow shows the log of a build until it has ended. An interrupted build that the site repeats by itself is followed
// on.
func (c *client) follow(ctx context.Context, o *order, v view) (*build, error) {
	for {
		b, err := c.followOne(ctx, o, v)
		if err != nil || b.RepeatedBy == 0 {
			return b, err
		}
		v.repeated(b)
		o.number = b.RepeatedBy
	}
}

func (c *client) followOne(ctx context.Context, o *order, v view) (*build, error) {
	b, err := c.state(ctx, o)
	for err == nil && b.State == "queued" {
		v.queued(b)
		b, err = c.await(ctx, o, b)
	}
	if err != nil {
		return nil, err
	}
	v.state(b)
	offset := int64(0)
	for {
		if offset, err = c.log(ctx, o, offset, true, v); err != nil {
			return nil, err
		}
		was := b.over() // then the log was at its end
		if b, err = c.state(ctx, o); err != nil {
			return nil, err
		}
		if was {
			v.state(b)
			return b, nil
		}
		if !b.over() {
			if b, err = c.await(ctx, o, b); err != nil {
				return nil, err
			}
		}
	}
}

// log shows the log from an offset on, and returns where it ended: as far as it is there, or, followed, until the site
// says that no more comes.
func (c *client) log(ctx context.Context, o *order, offset int64, follow bool, v view) (int64, error) {
	for {
		a, err := c.do(ctx, call{method: http.MethodGet, path: o.path() + "/log",
			query: url.Values{"offset": {strconv.FormatInt(offset, 10)}}})
		if err != nil {
			return offset, err
		}
		next, err := strconv.ParseInt(a.header.Get("X-Next-Offset"), 10, 64)
		if err != nil || next < offset {
			return offset, failed(exitRefused, "Check that the address is that of a toaster site.",
				"%s does not answer as a toaster site does", c.URL)
		}
		v.log(offset, a.body)
		still := next == offset
		offset = next
		switch {
		case a.header.Get("X-More") == "", still && !follow:
			return offset, nil
		case still:
			err = sleep(ctx, time.Second)
		case follow:
			err = sleep(ctx, 200*time.Millisecond)
		}
		if err != nil {
			return offset, err
		}
	}
}
