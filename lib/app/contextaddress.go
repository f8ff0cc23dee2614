package app

import (
	"crypto/hmac"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

// An agent gets a build context at "/jobs/contexts/MAC/JOB/ARCHIVE.tar": the MAC is over the job and the archive's ID
// (see buildcontext.Tar). The address is good while a build of the job that needs it is queued or running.

// contextAddress returns the address of a job's build context, which is refused where the site has no address itself.
func contextAddress(cfg *config.Config) func(job, archive string) (string, error) {
	return func(job, archive string) (string, error) {
		if cfg.Site.URL == "" {
			return "", apperr.New(apperr.FailedPrecondition, "The builds of this site run on Jenkins, whose agents "+
				"can't get build contexts of over 1 MiB: this site has no address.",
				"Send less, with a .dockerignore file. Administrator: set url in [site].").Coded("no_site_url")
		}
		macs, err := contextMACs(cfg, job, archive)
		if err != nil {
			return "", err
		}
		return cfg.Site.URL + "/jobs/contexts/" + macs[0] + "/" + job + "/" + archive + ".tar", nil
	}
}

func contextMACs(cfg *config.Config, job, archive string) ([]string, error) {
	return cfg.MACs("context " + job + " " + archive)
}

// IsContextMAC tells whether a MAC is that of the address of a job's build context, under any of the site's keys.
func IsContextMAC(cfg *config.Config, mac, job, archive string) (bool, error) {
	macs, err := contextMACs(cfg, job, archive)
	for _, m := range macs {
		if hmac.Equal([]byte(m), []byte(mac)) {
			return true, err
		}
	}
	return false, err
}
