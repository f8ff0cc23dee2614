package config

import (
	"context"
	"io"
	"log/slog"
	"log/syslog"
)

// Log says how and where the log is written.
type Log struct {
	Format string // "text": key=value; "json": an object a line
	To     string // "stderr" or "syslog"
}

// Logger returns the log of a program, whose standard error is given. Where syslog can't be reached, the log goes
// there, too.
func (l Log) Logger(stderr io.Writer) *slog.Logger {
	if l.To != "syslog" {
		return slog.New(l.handler(stderr))
	}
	const facility = syslog.LOG_DAEMON
	info, err := syslog.New(facility|syslog.LOG_INFO, "toaster")
	if err != nil {
		logger := slog.New(l.handler(stderr))
		logger.Warn("syslog can't be reached; the log is here", "error", err)
		return logger
	}
	bad, err := syslog.New(facility|syslog.LOG_ERR, "toaster")
	if err != nil {
		bad = info
	}
	return slog.New(byLevel{l.handler(info), l.handler(bad)})
}

func (l Log) handler(w io.Writer) slog.Handler {
	if l.Format == "json" {
		return slog.NewJSONHandler(w, nil)
	}
	return slog.NewTextHandler(w, nil)
}

// byLevel gives errors to a handler of their own: syslog's priority is the writer's.
type byLevel struct{ info, bad slog.Handler }

func (b byLevel) of(level slog.Level) slog.Handler {
	if level >= slog.LevelError {
		return b.bad
	}
	return b.info
}

// Enabled is slog.Handler's.
func (b byLevel) Enabled(ctx context.Context, level slog.Level) bool {
	return b.of(level).Enabled(ctx, level)
}

// Handle is slog.Handler's.
func (b byLevel) Handle(ctx context.Context, r slog.Record) error {
	return b.of(r.Level).Handle(ctx, r)
}

// WithAttrs is slog.Handler's.
func (b byLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byLevel{b.info.WithAttrs(attrs), b.bad.WithAttrs(attrs)}
}

// WithGroup is slog.Handler's.
func (b byLevel) WithGroup(name string) slog.Handler {
	return byLevel{b.info.WithGroup(name), b.bad.WithGroup(name)}
}
