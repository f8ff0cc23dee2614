package engine

import "testing"

func TestParseStep(t *testing.T) {
	for line, want := range map[string]Step{
		"TOASTER-STEP 3/8 12 RUN apt-get update\r\n": {3, 8, 12, "RUN apt-get update"},
		"TOASTER-STEP 1/1 1":                         {1, 1, 1, ""},
	} {
		if got, ok := ParseStep([]byte(line)); !ok || got != want {
			t.Errorf("%q gives %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "TOASTER-STEP", "TOASTER-STEP 0/3 1 x", "TOASTER-STEP 4/3 1 x", "TOASTER-STEP a/b c", " TOASTER-STEP 1/2 1 x"} {
		if _, ok := ParseStep([]byte(line)); ok {
			t.Errorf("%q was taken for a step", line)
		}
	}
}
