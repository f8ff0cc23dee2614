package main

import (
	"toaster.do/lib/config"
	"toaster.do/lib/health"
)

type metricsCommand struct{}

func (metricsCommand) Help() string {
	return "Prints the same metrics as /admin/metrics, for the textfile collector of the Prometheus node exporter."
}

func (metricsCommand) Run(w *world) error {
	return w.withService(func(cfg *config.Config, s *site) error {
		report, err := health.Look(w.ctx, cfg, s.DB, s.Service)
		if err != nil {
			return err
		}
		_, err = w.out.Write(report.Metrics())
		return err
	})
}
