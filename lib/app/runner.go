package app

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/jobs"
)

// Maker returns what makes the script of a source, by what targets.toml says at that time.
func Maker(cfg *config.Config) func(engine.Source) (engine.Made, error) {
	return func(src engine.Source) (engine.Made, error) {
		s := jobs.New(jobs.Service{
			Contexts: Contexts(cfg), Targets: targets(cfg), Version: Version, Plain: cfg.Registry.Plain,
			Limits: jobs.Limits{Dockerfile: int64(cfg.Limits.Dockerfile), Context: Context(cfg)},
		})
		return s.Make(src)
	}
}

// SecretOpener returns what opens the secrets of builds, by the site's keys at that time.
func SecretOpener(cfg *config.Config) func(job string, sealed []byte) (engine.Secrets, error) {
	return func(job string, sealed []byte) (engine.Secrets, error) {
		seals, err := cfg.Seals(sealPurpose)
		if err != nil {
			return nil, err
		}
		return engine.OpenSecrets(seals, job, sealed)
	}
}

// Executor returns the half of the local engine's runner that builds, for slots of the ids that begin with each of
// these.
func Executor(cfg *config.Config, ids []int, logger *slog.Logger) *local.Executor {
	return &local.Executor{
		Dir: cfg.Paths.Builds, Contexts: cfg.Paths.Contexts, WorkDir: cfg.Local.WorkDir, Make: Maker(cfg), Concurrency: cfg.Local.Concurrency, IDs: ids,
		Env:       sandbox(cfg),
		TimeLimit: cfg.Local.TimeLimit, OutputLimit: int64(cfg.Local.OutputLimit),
		ArtifactLimit: int64(cfg.Local.ArtifactLimit),
		FreeDisk:      int64(cfg.Limits.FreeDisk), Log: logger,
	}
}

// sandbox is what a build script is told of its limits.
func sandbox(cfg *config.Config) []string {
	s := cfg.Sandbox
	return []string{
		"TOASTER_SANDBOX_ALLOW=" + strings.Join(s.Allow, " "),
		fmt.Sprintf("TOASTER_MEMORY=%d", s.Memory),
		fmt.Sprintf("TOASTER_PIDS=%d", s.Processes),
		"TOASTER_CPUS=" + strconv.FormatFloat(s.CPUs, 'f', -1, 64),
		fmt.Sprintf("TOASTER_FILES=%d", s.OpenFiles),
		fmt.Sprintf("TOASTER_DISK=%d", s.Disk),
		fmt.Sprintf("TOASTER_FREE_DISK=%d", cfg.Limits.FreeDisk),
		"TOASTER_REGISTRIES=" + strings.Join(registries(cfg.Registry), " "),
		"TOASTER_REGISTRY_AUTH=" + cfg.Registry.AuthFile,
	}
}

// registries are the places where builds fetch images: mirrors, and what may be asked without encryption. A build knows
// the loopback of this host as 10.0.2.2.
func registries(cfg config.Registry) (list []string) {
	place := func(host string) string {
		name, port, found := strings.Cut(host, ":")
		if found && (name == "localhost" || strings.HasPrefix(name, "127.")) {
			return "http://10.0.2.2:" + port
		}
		if slices.Contains(cfg.Insecure, host) {
			return "http://" + host
		}
		return host
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Mirrors)) {
		for _, m := range cfg.Mirrors[name] {
			host, path, found := strings.Cut(m, "/")
			if m = place(host); found {
				m += "/" + path
			}
			list = append(list, name+"="+m)
		}
	}
	for _, host := range cfg.Insecure {
		list = append(list, host+"="+place(host))
	}
	return list
}
