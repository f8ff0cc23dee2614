package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"toaster.do/lib/buildcontext"
)

const (
	uploads    = 4       // requests at once
	batchBytes = 8 << 20 // of small files in a request, and of a part of a large one: proxies limit requests
	batchFiles = 1000
	smallFile  = 1 << 20 // bytes; larger ones are sent alone, and go on where they stopped
)

// blob is a file that the site lacks.
type blob struct {
	sum  string
	size int64
}

// upload sends the files that the site lacks.
func (w *world) upload(ctx context.Context, c *client, t *buildcontext.Tree, missing []string) error {
	list, total, err := blobsOf(t, missing)
	if err != nil {
		return err
	}
	w.event("upload", map[string]any{"files": len(list), "bytes": total})
	if len(list) == 0 {
		return nil
	}
	w.note("Sending %s, %s", count(len(list), "file"), buildcontext.Bytes(total))
	bar := w.bar("Sending", total)
	defer bar.end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	next := make(chan []blob)
	for range uploads {
		group.Go(func() {
			for batch := range next {
				if err := c.sendBatch(ctx, t, batch, bar); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	for _, batch := range batches(list) {
		if ctx.Err() != nil {
			break
		}
		next <- batch
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}

// blobsOf returns the files with these SHA-256, the largest last.
func blobsOf(t *buildcontext.Tree, missing []string) (list []blob, total int64, err error) {
	sizes := map[string]int64{}
	for i := range t.Entries {
		if e := &t.Entries[i]; e.SHA256 != "" {
			sizes[e.SHA256] = e.Size
		}
	}
	for _, sum := range missing {
		size, ok := sizes[sum]
		if !ok {
			return nil, 0, errors.New("the site asks for a file that is not in the context")
		}
		list, total = append(list, blob{sum, size}), total+size
	}
	slices.SortStableFunc(list, func(a, b blob) int { return int(min(max(a.size-b.size, -1), 1)) })
	return list, total, nil
}

// batches puts small files together, and each large one alone.
func batches(list []blob) (all [][]blob) {
	bytes := int64(0)
	for _, b := range list {
		last := len(all) - 1
		if last < 0 || b.size > smallFile || bytes+b.size > batchBytes || len(all[last]) == batchFiles {
			all, last, bytes = append(all, nil), last+1, 0
		}
		all[last], bytes = append(all[last], b), bytes+b.size
	}
	return all
}

func (c *client) sendBatch(ctx context.Context, t *buildcontext.Tree, batch []blob, bar *bar) error {
	if len(batch) > 1 {
		return c.sendMany(ctx, t, batch, bar)
	}
	return c.sendOne(ctx, t, batch[0], bar)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
