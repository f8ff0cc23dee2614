package main

import (
	"fmt"
	"time"
)

// short is a duration for people: "3.2 s", "4 min 10 s", "2 h 5 min".
func short(d time.Duration) string {
	switch s := d.Round(time.Second); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case s < time.Minute:
		return fmt.Sprintf("%d s", s/time.Second)
	case s < time.Hour && s%time.Minute == 0:
		return fmt.Sprintf("%d min", s/time.Minute)
	case s < time.Hour:
		return fmt.Sprintf("%d min %d s", s/time.Minute, s%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}
