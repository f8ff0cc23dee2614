package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"toaster.do/lib/apperr"
)

// Strength tells how hard a password is to guess for somebody who knows these words about the user: 0 to 4, as
// zxcvbn has it (Wheeler, USENIX Security 2016).
type Strength func(ctx context.Context, password string, words []string) (score int, err error)

// hardEnough is the least score: "safely unguessable: moderate protection from offline slow-hash scenario" (zxcvbn).
const hardEnough = 3

// StrengthBeside asks the program "strength" in the folder of the running one.
func StrengthBeside(ctx context.Context, password string, words []string) (score int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	return StrengthIn(filepath.Dir(self))(ctx, password, words)
}

// StrengthIn asks the program "strength" in a folder.
func StrengthIn(folder string) Strength {
	return func(ctx context.Context, password string, words []string) (score int, err error) {
		return ask(ctx, filepath.Join(folder, "strength"), password, words)
	}
}

func ask(ctx context.Context, program, password string, words []string) (score int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	in, err := json.Marshal(map[string]any{"password": password, "words": words})
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Env = bytes.NewReader(in), []string{}
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	_, err = fmt.Sscan(string(out), &score)
	return score, err
}

// hardToGuess is InvalidArgument at "password" where a password is easy to guess. It takes a slot like hashing does.
func (a *Accounts) hardToGuess(ctx context.Context, password, email, name string) error {
	if path := a.cfg.Signup.Breached; path != "" {
		known, err := breached(path, password)
		if err != nil {
			return apperr.Wrap(apperr.Internal, err, "The password can't be checked at the moment.",
				"Try again later. Administrator: see the log.")
		}
		if known {
			return apperr.New(apperr.InvalidArgument, "This password was exposed in a data breach of another site.",
				"Choose another one, and change it wherever else you use it.").At("password")
		}
	}
	if a.Strength == nil {
		return nil
	}
	var score int
	var err error
	if limitErr := a.hashLimit.do(ctx, func() {
		score,
			err = a.Strength(ctx, password, a.words(email, name))
	}); limitErr != nil {
		return limitErr
	}
	if err != nil {
		return apperr.Wrap(apperr.Internal, err, "The password can't be checked at the moment.",
			"Try again later. Administrator: see the log.")
	}
	if score < hardEnough {
		return apperr.New(apperr.InvalidArgument, "This password is easy to guess.",
			"Choose a longer one, such as four or five words that are unrelated to each other and to you.").At("password")
	}
	return nil
}

// words are what a guesser would try first for this user at this site.
func (a *Accounts) words(email, name string) []string {
	split := func(r rune) bool { return strings.ContainsRune(" .@-_+", r) }
	words := []string{email, name, a.cfg.Site.Name, "toaster", "devuan"}
	return append(append(words, strings.FieldsFunc(email, split)...), strings.FieldsFunc(name, split)...)
}
