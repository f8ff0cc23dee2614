package main

import (
	"toaster.do/lib/config"
	"toaster.do/lib/doctor"
)

type metricsCommand struct{}

func (metricsCommand) Help() string {
	return "Prints the same metrics as /admin/metrics, for the textfile collector of the Prometheus node exporter."
}

func (metricsCommand) Run(w *world) error {
	return w.withService(func(cfg *config.Config, s *site) error {
		report, err := doctor.Site{Config: cfg}.Look(w.ctx, s.DB, s.Service)
		if err != nil {
			return err
		}
		_, err = w.out.Write(report.Metrics())
		return err
	})
}
