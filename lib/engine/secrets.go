package engine

import (
	"encoding/json"
	"fmt"
)

// Secrets are what one build is given, by name. A name is also that of a file.
type Secrets map[string][]byte

// Limits of the secrets of a build.
const (
	MaxSecrets = 20
	MaxSecret  = 64 << 10 // bytes of each
)

// Sealer encrypts what only this site may read; see config.Seals.
type Sealer interface {
	Seal(text, to []byte) []byte
	Open(sealed, to []byte) (text []byte, newest bool, err error)
}

// Seal encrypts the secrets for a build of the engine's job of that name, and no other; none are nil.
func (s Secrets) Seal(with Sealer, job string) ([]byte, error) {
	if len(s) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return with.Seal(text, []byte(job)), nil
}

// OpenSecrets returns what Seal has sealed for a build of the job.
func OpenSecrets(with Sealer, job string, sealed []byte) (s Secrets, err error) {
	text, _, err := with.Open(sealed, []byte(job))
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(text, &s)
}

// Check sees that there are not too many, and that they can be files: the names are no more than that.
func (s Secrets) Check() error {
	if len(s) > MaxSecrets {
		return fmt.Errorf("%d secrets are too many", len(s))
	}
	for name, value := range s {
		if !ValidName(name) || len(value) > MaxSecret {
			return fmt.Errorf("%.100q, of %d bytes, can't be a secret", name, len(value))
		}
	}
	return nil
}
