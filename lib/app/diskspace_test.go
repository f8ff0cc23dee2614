package app

import (
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

func TestNoBuildStartsOnADiskThatIsNearlyFull(t *testing.T) {
	cfg := config.Default()
	dir := t.TempDir()
	cfg.Paths.Database, cfg.Paths.Builds = filepath.Join(dir, "toaster.db"),
		filepath.Join(dir, "builds", "not", "made", "yet")
	cfg.Local.WorkDir = dir
	free, err := freeDisk(cfg.Paths.Builds)
	if err != nil || free <= 0 {
		t.Fatalf("%d, %v", free, err)
	}
	cfg.Limits.FreeDisk = 1
	if err := DiskSpace(cfg); err != nil {
		t.Error(err)
	}
	cfg.Limits.FreeDisk = config.Size(free * 2)
	err = DiskSpace(cfg)
	if apperr.KindOf(err) != apperr.StorageFull ||
		!strings.Contains(apperr.Of(err).Advice.String(), "free some space") ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	cfg.Limits.FreeDisk = 0
	if err := DiskSpace(cfg); err != nil {
		t.Errorf("with no limit: %v", err)
	}
}
