package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestZeroIsNoLimitWhereverItCanBe: each such key takes it, and its comment says so.
func TestZeroIsNoLimitWhereverItCanBe(t *testing.T) {
	text, err := os.ReadFile("../../conf/toaster.toml")
	if err != nil {
		t.Fatal(err)
	}
	for table, keys := range map[string]string{
		"local":    `artifact_limit = "0"`,
		"sandbox":  `cpus = 0 disk = "0" memory = "0"`,
		"registry": `max_bytes = "0"`,
		"limits":   `jobs = 0 concurrent_builds = 0 builds_per_day = 0 build_minutes = 0 sources = "0" artifact_bytes = "0" keep_days = 0 queue = 0 free_disk = "0"`,
	} {
		for _, key := range regexp.MustCompile(`\w+ = \S+`).FindAllString(keys, -1) {
			if _, err := Load(write(t, "toaster.toml", "["+table+"]\n"+key+"\n")); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			name, _, _ := strings.Cut(key, " ")
			above := regexp.MustCompile(`(?s)\n\[` + table + `\]\n.*?\n((?:#[^\n]*\n)+)` + name + ` = `).FindSubmatch(text)
			if above == nil || !regexp.MustCompile(`"?0"?: |or "?0"? for`).Match(above[1]) {
				t.Errorf("the comment on %s.%s doesn't say what 0 is: %s", table, name, above)
			}
		}
	}
}
