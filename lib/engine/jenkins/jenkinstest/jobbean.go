package jenkinstest

import (
	"net/url"
	"strconv"
	"strings"
)

// escape is how Jenkins writes a name into a URL.
func escape(name string) string { return strings.ReplaceAll(url.PathEscape(name), "+", "%2B") }

const projectClass, buildClass = "hudson.model.FreeStyleProject", "hudson.model.FreeStyleBuild"

func (s *Server) jobBeans(jobs []*job) []*bean {
	beans := make([]*bean, len(jobs))
	for i, j := range jobs {
		beans[i] = s.jobBean(j, "/job/"+escape(j.name)+"/")
	}
	return beans
}

// jobBean is a job as the API shows it; self is its path as it was asked for.
func (s *Server) jobBean(j *job, self string) *bean {
	selfURL := strings.TrimSuffix(s.opt.RootURL, "/") + self
	last := func(name string, match func(*run) bool) field {
		return lazy(name, 1, func() any {
			for _, b := range j.builds {
				if match(b) {
					return s.runBean(j, b, selfURL)
				}
			}
			return nil
		})
	}
	builds := func(n int) any {
		beans := make([]*bean, min(n, len(j.builds)))
		for i := range beans {
			beans[i] = s.runBean(j, j.builds[i], selfURL)
		}
		return beans
	}
	return beanOf(projectClass,
		is("actions", []*bean{beanOf(""), beanOf(""), beanOf("org.jenkinsci.plugins.displayurlapi.actions.JobDisplayAction"), beanOf("com.cloudbees.plugins.credentials.ViewCredentialsAction")}),
		is("description", j.description()), is("displayName", j.name), is("displayNameOrNull", nil), is("fullDisplayName", j.name),
		is("fullName", j.name), deep("name", j.name), deep("url", selfURL),
		lazy("allBuilds", -2, func() any { return builds(len(j.builds)) }),
		is("buildable", !j.disabled && !j.held),
		lazy("builds", 1, func() any { return builds(100) }),
		lazy("color", 999, func() any { return j.color() }),
		lazy("firstBuild", 1, func() any {
			if len(j.builds) == 0 {
				return nil
			}
			return s.runBean(j, j.builds[len(j.builds)-1], selfURL)
		}),
		lazy("healthReport", 1, func() any { return j.health() }),
		lazy("inQueue", 1, func() any { return s.queue.of(j) != nil }), is("keepDependencies", false),
		last("lastBuild", (*run).any), last("lastCompletedBuild", (*run).completed), last("lastFailedBuild", (*run).failed),
		last("lastStableBuild", (*run).stable), last("lastSuccessfulBuild", (*run).better), last("lastUnstableBuild", (*run).unstable),
		last("lastUnsuccessfulBuild", (*run).unsuccessful),
		is("nextBuildNumber", j.next), is("property", []*bean{}),
		lazy("queueItem", 1, func() any {
			if item := s.queue.of(j); item != nil {
				return s.itemBean(item)
			}
			return nil
		}),
		is("concurrentBuild", j.project.ConcurrentBuild), is("disabled", j.disabled), is("downstreamProjects", []*bean{}),
		is("labelExpression", text(j.project.AssignedNode)), is("scm", beanOf("hudson.scm.NullSCM")), is("upstreamProjects", []*bean{}))
}

func (j *job) description() any {
	if d := j.project.Description; d != nil {
		return *d
	}
	return nil
}

func (j *job) color() string {
	color, anime := "notbuilt", ""
	if len(j.builds) > 0 && j.builds[0].building() {
		anime = "_anime"
	}
	if j.disabled {
		return "disabled" + anime
	}
	for _, b := range j.builds {
		if b.completed() {
			color = map[string]string{"SUCCESS": "blue", "FAILURE": "red", "ABORTED": "aborted", "UNSTABLE": "yellow"}[b.result]
			break
		}
	}
	return color + anime
}

func (j *job) health() []*bean {
	done, bad := 0, 0
	for _, b := range j.builds {
		if b.completed() && b.result != "ABORTED" && done < 5 {
			done++
			if b.result == "FAILURE" {
				bad++
			}
		}
	}
	if done == 0 {
		return []*bean{}
	}
	score := 100 * (done - bad) / done
	words := "Build stability: " + strconv.Itoa(bad) + " out of the last " + strconv.Itoa(done) + " builds failed."
	switch bad {
	case 0:
		words = "Build stability: No recent builds failed."
	case done:
		words = "Build stability: All recent builds failed."
	}
	icon := "health-80plus"
	for _, step := range []struct {
		below int
		icon  string
	}{{20, "health-00to19"}, {40, "health-20to39"}, {60, "health-40to59"}, {80, "health-60to79"}} {
		if score < step.below {
			icon = step.icon
			break
		}
	}
	return []*bean{beanOf("", deep("description", words), deep("iconClassName", "icon-"+icon), deep("iconUrl", icon+".png"), deep("score", score))}
}
