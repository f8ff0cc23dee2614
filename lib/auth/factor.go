package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// The second factor is TOTP as every app has it (RFC 6238): HMAC-SHA-1, six digits, 30 seconds. One step before and
// after the present one is taken: the telephone's clock may be off, and typing takes time.
const (
	secretLength  = 20 // bytes (RFC 4226, R6)
	period        = 30 // seconds
	recoveryCodes = 10
	codePart      = 5  // characters between hyphens
	codeLength    = 15 // without the hyphens
)

var plain32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// Enrolment is a second factor that is being set up.
type Enrolment struct {
	Secret []byte
	Key    string // the secret for typing, in groups of four
	URL    string // otpauth://…, for the QR code
}

// factorStore is what two-factor authentication needs of the database.
type factorStore interface {
	ClearFactor(ctx context.Context, user int64, now time.Time, mail store.Mail, e store.AuditEntry) error
	Forgive(ctx context.Context, t store.Tried) error
	Reseal(ctx context.Context, user int64, old []byte, sealed []byte) error
	SetFactor(ctx context.Context, user int64, secret []byte, step int64, codes [][]byte, now time.Time,
		mail store.Mail, e store.AuditEntry) error
	SetRecoveryCodes(ctx context.Context, user int64, codes [][]byte, now time.Time, mail store.Mail,
		e store.AuditEntry) error
	TakeRecoveryCode(ctx context.Context, user int64, digest []byte, t store.Tried) (bool, error)
	TakeStep(ctx context.Context, user int64, step int64, t store.Tried) (bool, error)
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
}

// Enrol returns a new second factor for a user; EnableFactor stores it.
func (a *Accounts) Enrol(p *store.User) (Enrolment, error) {
	secret := make([]byte, secretLength)
	rand.Read(secret) // never fails (crypto/rand)
	return a.Enrolment(p, secret)
}

// Enrolment returns a second factor for showing it again.
func (a *Accounts) Enrolment(p *store.User, secret []byte) (Enrolment, error) {
	issuer := strings.ReplaceAll(a.cfg.Site.Name, ":", " ") // a colon parts the issuer from the name
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: p.Email, Secret: secret})
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{secret, grouped(plain32.EncodeToString(secret)), key.URL()}, nil
}

func grouped(s string) string {
	var parts []string
	for ; len(s) > 4; s = s[4:] {
		parts = append(parts, s[:4])
	}
	return strings.Join(append(parts, s), " ")
}

// step returns the time step of a code that is good at some time; 0: it isn't.
func step(secret []byte, code string, at time.Time) int64 {
	now := at.Unix() / period
	found := int64(0)
	for _, s := range []int64{now - 1, now, now + 1} {
		want, err := hotp.GenerateCode(plain32.EncodeToString(secret), uint64(s))
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = s
		}
	}
	return found
}

// tidy takes what users type around a code away.
func tidy(code string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, code))
}

// EnableFactor asks for a second factor at log-in from now on, and returns recovery codes, which are stored as digests
// only. The code shows that the user's app has the secret. InvalidArgument: the Field "confirm" or "code".
func (a *Accounts) EnableFactor(ctx context.Context, p *store.User, password string, secret []byte, code string,
	by store.AuditEntry) (codes []string, err error) {
	if len(secret) != secretLength {
		return nil, apperr.New(apperr.InvalidArgument, "The setup took too long.", "Start again.")
	}
	var wrong error
	proven := step(secret, tidy(code), a.Now())
	if proven == 0 {
		wrong = apperr.New(apperr.InvalidArgument, "The code is wrong.",
			"Enter the current six digits from the app. The clock of your device must be correct.").At("code")
	}
	if err := a.confirmed(ctx, p, password, "confirm", wrong); err != nil {
		return nil, err
	}
	s, err := a.seals()
	if err != nil {
		return nil, err
	}
	codes, digests, err := a.newCodes(ctx, secret)
	if err != nil {
		return nil, err
	}
	mail := a.news(p.Email, "Two-factor authentication",
		"Two-factor authentication is enabled. Logging in to your account now takes a code from your authenticator app.")
	return codes, a.db.SetFactor(ctx, p.ID, s.seal(p.ID, secret), proven, digests, a.Now(), mail, by)
}

// DisableFactor takes a user's second factor away. InvalidArgument: the Field "confirm". PermissionDenied: the account
// needs one on this site.
func (a *Accounts) DisableFactor(ctx context.Context, p *store.User, password string, by store.AuditEntry) error {
	if a.cfg.NeedsFactor(p.IsAdmin()) {
		return apperr.New(apperr.PermissionDenied, "Your account requires two-factor authentication on this site.",
			"If you have a new device, set it up instead.")
	}
	if err := a.Confirm(ctx, p, password); err != nil {
		return err
	}
	mail := a.news(p.Email, "Two-factor authentication",
		"Two-factor authentication is disabled. Logging in to your account now only takes the password.")
	return a.db.ClearFactor(ctx, p.ID, a.Now(), mail, by)
}

// ResetFactor takes the second factor of somebody away who has lost telephone and recovery codes; an administrator has
// made sure that it is them.
func (a *Accounts) ResetFactor(ctx context.Context, p *store.User, by store.AuditEntry) error {
	mail := a.news(p.Email, "Two-factor authentication",
		"An administrator has disabled two-factor authentication for your account. Logging in now only takes the password.")
	return a.db.ClearFactor(ctx, p.ID, a.Now(), mail, by)
}

// RenewCodes gives a user new recovery codes; the old ones no longer work. InvalidArgument: the Field "confirm".
func (a *Accounts) RenewCodes(ctx context.Context, p *store.User, password string, by store.AuditEntry) ([]string,
	error) {
	if err := a.Confirm(ctx, p, password); err != nil {
		return nil, err
	}
	secret, _, _, err := a.secret(p)
	if err != nil {
		return nil, err
	}
	codes, digests, err := a.newCodes(ctx, secret)
	if err != nil {
		return nil, err
	}
	mail := a.news(p.Email, "Recovery codes", "New recovery codes were generated for your account. The old ones no "+
		"longer work.")
	return codes, a.db.SetRecoveryCodes(ctx, p.ID, digests, a.Now(), mail, by)
}

// CheckFactor takes a code of the app, or a recovery code, each once. Unauthenticated: it is wrong or was used.
// RateLimited: too many tries. PermissionDenied: too many wrong codes of the app in a row. Recovery codes have 75 bits,
// so that nobody finds one however long they try (NIST SP 800-63B, 5.1.2.2: from 64 on): they are what the owner has
// where strangers have used up the tries.
func (a *Accounts) CheckFactor(ctx context.Context, p *store.User, code, address string) error {
	code = tidy(code)
	secret, newest, s, err := a.secret(p)
	if err != nil {
		return err
	}
	if !newest {
		if err := a.db.Reseal(ctx, p.ID, p.TOTP, s.seal(p.ID, secret)); err != nil {
			return err
		}
	}
	take := a.takeStep
	if len(code) == codeLength {
		take = a.takeRecoveryCode
	}
	if good, err := take(ctx, p, secret, code, address); err != nil || good {
		return err
	}
	wrong := apperr.New(apperr.Unauthenticated, "The code is wrong or already used.",
		"Wait for the next code, then enter that.")
	return wrong.At("code")
}

func (a *Accounts) takeStep(ctx context.Context, p *store.User, secret []byte, code, address string) (bool, error) {
	tries, err := a.admit(ctx, "factor", p, p.Email, address)
	if err != nil {
		return false, err
	}
	if s := step(secret, code, a.Now()); s != 0 {
		return a.db.TakeStep(ctx, p.ID, s, tries)
	}
	return false, nil
}

func (a *Accounts) takeRecoveryCode(ctx context.Context, p *store.User, secret []byte,
	code, address string) (bool, error) {
	tries, err := a.db.Try(ctx, a.Now(), store.FromNetworks("recovery", address, store.Guesses)...)
	if err != nil {
		return false, err
	}
	var digest []byte
	if err := a.hashLimit.do(ctx, func() { digest = codeDigest(lookalike.Replace(code), secret) }); err != nil {
		return false, errors.Join(err, a.db.Forgive(ctx, tries))
	}
	return a.db.TakeRecoveryCode(ctx, p.ID, digest, tries)
}

// lookalike reads digits that no code has as the letters that they were copied from.
var lookalike = strings.NewReplacer("0", "O", "1", "I", "8", "B")

// newCodes returns recovery codes of 75 random bits, and their digests.
func (a *Accounts) newCodes(ctx context.Context, secret []byte) (codes []string, digests [][]byte, err error) {
	err = a.hashLimit.do(ctx, func() {
		for range recoveryCodes {
			code := rand.Text()[:codeLength]
			codes = append(codes, code[:codePart]+"-"+code[codePart:2*codePart]+"-"+code[2*codePart:])
			digests = append(digests, codeDigest(code, secret))
		}
	})
	return codes, digests, err
}

// codeCost is never changed: a digest doesn't say what it was made with.
var codeCost = cost{memory: 19 << 10, time: 2, threads: 1}

// codeDigest is what a recovery code is stored as: hashed like a password, since it has less than 112 bits (OWASP ASVS
// 5.0, 6.5.2). The salt is the user's own, for it comes from the second factor's secret, so that one hash finds a code
// among all.
func codeDigest(code string, secret []byte) []byte {
	salt := sha256.Sum256(append([]byte("recovery:"), secret...))
	return codeCost.hash(code, salt[:], sha256.Size)
}
