package store

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

// timestamp is a time as the database has it: Unix milliseconds, and NULL for the zero time. A query takes
// timestamp(t), and scans into (*timestamp)(&t).
type timestamp time.Time

// Value implements driver.Valuer.
func (t timestamp) Value() (driver.Value, error) {
	if time.Time(t).IsZero() {
		return nil, nil
	}
	return time.Time(t).UnixMilli(), nil
}

// Scan implements sql.Scanner.
func (t *timestamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t = timestamp{}
	case int64:
		*t = timestamp(time.UnixMilli(v).UTC())
	default:
		return fmt.Errorf("%T is no timestamp", v)
	}
	return nil
}

// milliseconds is a span of time as the database has it; 0 where it is NULL. It is used like timestamp.
type milliseconds time.Duration

// Value implements driver.Valuer.
func (d milliseconds) Value() (driver.Value, error) { return time.Duration(d).Milliseconds(), nil }

// Scan implements sql.Scanner.
func (d *milliseconds) Scan(v any) error {
	var n sql.NullInt64
	err := n.Scan(v)
	*d = milliseconds(time.Duration(n.Int64) * time.Millisecond)
	return err
}

// null is v, or NULL for its zero value.
func null[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// ifNull scans a column into to; NULL is the given value.
func ifNull[T any](to *T, value T) sql.Scanner { return nullable[T]{to, value} }

// orZero is ifNull for the zero value.
func orZero[T any](to *T) sql.Scanner { return nullable[T]{to: to} }

type nullable[T any] struct {
	to    *T
	value T
}

// Scan implements sql.Scanner.
func (n nullable[T]) Scan(v any) error {
	scanned := sql.Null[T]{}
	err := scanned.Scan(v)
	if *n.to = scanned.V; !scanned.Valid {
		*n.to = n.value
	}
	return err
}
