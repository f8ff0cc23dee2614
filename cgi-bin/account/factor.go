package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"toaster.do/lib/auth"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

const enrolLife = 30 * time.Minute

// factorPage is where the second factor is set up, or switched off.
type factorPage struct {
	formErrors
	On, Needed bool
	Codes      int    // that are left
	State      string // the new secret, sealed
	Key        string // the same, for typing
	Path       string // the QR code as an SVG path
	Size       int    // its width
	Form       string // which of the page's forms was sent: "enable", "codes", "disable"
}

// codesPage is where recovery codes are shown.
type codesPage struct{ Codes []string }

var (
	factorTemplate = view.Template[factorPage]{Name: "factor"}
	codesTemplate  = view.Template[codesPage]{Name: "codes"}
)

func factorForm(w http.ResponseWriter, r *web.Request) error {
	return showFactor(w, r, http.StatusOK, factorPage{}, nil)
}

// showFactor shows the page; secret is the one that is being set up, nil for a new one.
func showFactor(w http.ResponseWriter, r *web.Request, status int, v factorPage, secret []byte) error {
	a, p := accounts(r), r.Identity.User
	v.On, v.Needed = p.HasFactor(), r.Site.Config.NeedsFactor(p.IsAdmin())
	if v.On {
		n, err := db(r).RecoveryCodes(r.Context(), p.ID)
		if err != nil {
			return err
		}
		v.Codes = n
	}
	enrolment, err := a.Enrol(p)
	if secret != nil {
		enrolment, err = a.Enrolment(p, secret)
	}
	if err != nil {
		return err
	}
	if v.State, err = r.Site.Sessions.Seal(purpose(r), enrolment.Secret); err != nil {
		return err
	}
	v.Key = enrolment.Key
	if v.Path, v.Size, err = picture(enrolment.URL); err != nil {
		return err
	}
	return r.Page(w, status, factorTemplate.With(v), view.View{Here: "account", Notice: notice(r)})
}

// purpose ties a sealed secret to the session that asked for it.
func purpose(r *web.Request) string { return fmt.Sprintf("factor:%d", r.Identity.Session) }

// picture draws a QR code as an SVG path, a row of dark modules a line, with the margin of four that scanners need.
func picture(text string) (path string, size int, err error) {
	const margin = 4
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	n := code.Bounds().Dx()
	for y := range n {
		for x := 0; x < n; x++ {
			from := x
			for x < n && dark(code.At(x, y).RGBA()) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+margin, y+margin, x-from, x-from)
			}
		}
	}
	return b.String(), n + 2*margin, nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }

func enableFactor(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	secret, _ := r.Site.Sessions.Unseal(purpose(r), in.Values["state"], enrolLife)
	codes, err := accounts(r).EnableFactor(r.Context(), r.Identity.User, in.Values["confirm"], secret, in.Values["code"],
		r.Entry("totp.on", "", ""))
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showFactor(w, r, status, factorPage{formErrors: bad, Form: "enable"}, secret)
		})
	}
	if err := rememberAgain(w, r, true); err != nil {
		return err
	}
	return handCodes(w, r, codes)
}

// handCodes leads to the page that shows recovery codes once.
func handCodes(w http.ResponseWriter, r *web.Request, codes []string) error {
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"recovery_codes": codes})
	}
	return r.RedirectOnce(w, "/account/factor/codes", "codes", []byte(strings.Join(codes, "\n")))
}

// codes shows recovery codes, this once.
func codes(w http.ResponseWriter, r *web.Request) error {
	text, err := r.FlashOf(w, "codes")
	if err != nil {
		return err
	}
	var list []string
	if text != nil {
		list = strings.Split(string(text), "\n")
	}
	return r.Page(w, http.StatusOK, codesTemplate.With(codesPage{list}), view.View{Here: "account"})
}

func renewCodes(w http.ResponseWriter, r *web.Request) error {
	codes, err := confirmed(r, func(a *auth.Accounts, password string) ([]string, error) {
		return a.RenewCodes(r.Context(), r.Identity.User, password, r.Entry("totp.codes", "", ""))
	})
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showFactor(w, r, status, factorPage{formErrors: bad, Form: "codes"}, nil)
		})
	}
	return handCodes(w, r, codes)
}

func disableFactor(w http.ResponseWriter, r *web.Request) error {
	_, err := confirmed(r, func(a *auth.Accounts, password string) ([]string, error) {
		return nil, a.DisableFactor(r.Context(), r.Identity.User, password, r.Entry("totp.off", "", ""))
	})
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showFactor(w, r, status, factorPage{formErrors: bad, Form: "disable"}, nil)
		})
	}
	return done(w, r, "/account", "factor")
}

// confirmed does something with the password that a form has in "confirm".
func confirmed(r *web.Request, do func(a *auth.Accounts, password string) ([]string, error)) ([]string, error) {
	in, err := r.Input()
	if err != nil {
		return nil, err
	}
	return do(accounts(r), in.Values["confirm"])
}
