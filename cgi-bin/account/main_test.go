package main

import (
	"image/color"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

func TestThePictureHasTheCodesModules(t *testing.T) {
	path, size, err := picture("otpauth://totp/x:y?secret=ABC")
	if err != nil || !strings.HasPrefix(path, "M4 4h7v1h-7z") || size != 4+29+4 {
		t.Errorf("%d %.40s %v", size, path, err)
	}
	if !dark(color.Black.RGBA()) || dark(color.White.RGBA()) {
		t.Error("dark is light")
	}
}

// FuzzDays: a token is good for 0 to 3650 days, or its form is refused.
func FuzzDays(f *testing.F) {
	f.Add("90")
	f.Add("-0")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseDays(text)
		if n < 0 || n > 3650 || err != nil && apperr.Of(err).Field != "days" {
			t.Errorf("%q is %d, %v", text, n, err)
		}
	})
}
