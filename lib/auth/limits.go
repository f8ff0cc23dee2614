package auth

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// ParseLimits reads a user's limits, as text, from the fields jobs, running, daily, build_minutes, artifacts and
// keep_days. An empty one is the configuration's, 0 is no limit, of keep_days for ever. InvalidArgument: the Field says
// which.
func ParseLimits(field func(name string) string) (own store.LimitOverrides, err error) {
	var wrong []error
	for name, to := range map[string]**int{"jobs": &own.Jobs, "concurrent_builds": &own.Running,
		"builds_per_day": &own.Daily,
		"build_minutes":  &own.Minutes, "keep_days": &own.KeepDays} {
		text := strings.TrimSpace(field(name))
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			wrong = append(wrong, apperr.New(apperr.InvalidArgument, "“%s” is not a valid limit.",
				"Enter a whole number. Leave blank for the default; 0 means unlimited.", text).At(name))
			continue
		}
		v := int(n)
		*to = &v
	}
	if text := strings.TrimSpace(field("artifact_bytes")); text != "" {
		var size config.Size
		if size.UnmarshalText([]byte(text)) != nil {
			wrong = append(wrong, apperr.New(apperr.InvalidArgument, "“%s” is not a size.",
				"Enter a size such as “20 GiB” or “500 MiB”. Leave blank for the default; 0 means unlimited.",
				text).At("artifact_bytes"))
		}
		n := int64(size)
		own.Bytes = &n
	}
	return own, errors.Join(wrong...)
}

// LimitsOf returns a user's own limits as ParseLimits reads them.
func LimitsOf(p *store.User) map[string]string {
	own := map[string]string{}
	for name, n := range map[string]int{"jobs": p.MaxJobs, "concurrent_builds": p.MaxRunning, "builds_per_day": p.MaxDaily,
		"build_minutes": p.MaxMinutes, "keep_days": p.KeepDays} {
		if n >= 0 {
			own[name] = strconv.Itoa(n)
		}
	}
	if p.MaxBytes >= 0 {
		own["artifact_bytes"] = config.Size(p.MaxBytes).String()
	}
	return own
}

// Share is what a user has taken of one of their limits.
type Share struct {
	Name        string // "jobs", "concurrent_builds", "builds_per_day", "build_minutes", "artifact_bytes"
	Taken, Most int64  // Most 0: no limit; bytes where the name is "artifact_bytes"
}

// Full tells whether nothing of it is left.
func (s Share) Full() bool { return s.Most > 0 && s.Taken >= s.Most }

// Shares tells what a user has taken of their limits, and for how many days their builds' files are kept; 0: for ever.
func (a *Accounts) Shares(ctx context.Context, p *store.User) (list []Share, keepDays int, err error) {
	u, err := a.db.Usage(ctx, p.ID, a.Now())
	if err != nil {
		return nil, 0, err
	}
	c := a.cfg.Limits
	jobs := c.Jobs
	if p.MaxJobs >= 0 {
		jobs = p.MaxJobs
	}
	l := store.Limits{Running: c.ConcurrentBuilds, Daily: c.BuildsPerDay, Minutes: c.Minutes,
		Bytes:    int64(c.ArtifactBytes),
		KeepDays: c.KeepDays}.For(p)
	return []Share{
		{"jobs", int64(u.Jobs), int64(jobs)}, {"concurrent_builds", int64(u.Running), int64(l.Running)},
		{"builds_per_day", int64(u.Daily), int64(l.Daily)}, {"build_minutes", int64(u.Minutes), int64(l.Minutes)},
		{"artifact_bytes", u.Bytes, l.Bytes},
	}, l.KeepDays, nil
}
