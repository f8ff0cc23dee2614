// Command strength tells whether a password is easy to guess, by zxcvbn (Wheeler, USENIX Security 2016). It is a
// program of its own because its word lists take 40 ms and 10 MB to load, which no other page shall pay for. No web
// server runs it: the program account does, when somebody chooses a password.
//
// Standard input is a JSON object: "password", and "words", what is known of the person. Standard output is the
// score, 0 (too guessable) to 4 (very unguessable).
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/trustelem/zxcvbn"
)

// most is how many characters are looked at: the time grows with their square, and what is longer is never easy
// because of what follows.
const most = 100

func main() {
	var in struct {
		Password string   `json:"password"`
		Words    []string `json:"words"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fmt.Fprintln(os.Stderr, "strength: wanted {\"password\": …, \"words\": […]} on standard input:", err)
		os.Exit(2)
	}
	if runes := []rune(in.Password); len(runes) > most {
		in.Password = string(runes[:most])
	}
	fmt.Println(zxcvbn.PasswordStrength(in.Password, in.Words).Score)
}
