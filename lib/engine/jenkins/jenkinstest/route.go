package jenkinstest

import "strings"

// route finds what a path means. It is called with the controller locked.
func (c *call) route() {
	seg, ok := c.segments()
	if !ok {
		c.notFound()
		return
	}
	if seg[0] == "login" {
		c.html("Sign in")
		return
	}
	if !c.user.may(Read) {
		if c.user == nil {
			c.login()
		} else {
			c.denied(Read)
		}
		return
	}
	c.root(seg, nil)
}

// root is what the controller answers at its top; v is the view that the path came through.
func (c *call) root(seg []string, v *view) {
	switch seg[0] {
	case "":
		c.html("Dashboard")
	case "api":
		c.api(seg, c.s.rootBean())
	case "crumbIssuer":
		c.crumbIssuer(seg[1:])
	case "whoAmI":
		c.api(seg[1:], c.whoAmI())
	case "me":
		c.api(seg[1:], beanOf("hudson.model.User", is("absoluteUrl", c.s.opt.RootURL+"user/"+c.user.Name), is("description", nil), is("fullName", c.user.Name), is("id", c.user.Name)))
	case "createItem":
		c.createItem(v)
	case "createView":
		c.createView()
	case "job":
		c.jobAt(seg[1:])
	case "view":
		c.viewAt(seg[1:])
	case "queue":
		c.queueAt(seg[1:])
	case "computer":
		c.computerAt(seg[1:])
	case "label":
		c.labelAt(seg[1:])
	case "quietDown", "cancelQuietDown", "restart", "safeRestart", "manage", "scriptText":
		c.administer(seg[0])
	default:
		c.notFound()
	}
}

func (c *call) crumbIssuer(seg []string) {
	session := c.s.sessions.of(c.r)
	if session == "" {
		session = c.s.sessions.begin(c.w, c.cookiePath())
	}
	crumb := c.s.sessions.crumb(c.user, session)
	if strings.HasPrefix(c.param("xpath"), "concat(//crumbRequestField") {
		c.w.Header().Set("X-Jenkins", Version)
		c.text("text/plain;charset=utf-8", "Jenkins-Crumb:"+crumb)
		return
	}
	c.api(seg, beanOf("hudson.security.csrf.DefaultCrumbIssuer", is("crumb", crumb), is("crumbRequestField", "Jenkins-Crumb")))
}

func (c *call) whoAmI() *bean {
	return beanOf("hudson.security.WhoAmI", is("anonymous", false), is("authenticated", true), is("authorities", []string{"authenticated"}), is("name", c.user.Name))
}

func (s *Server) rootBean() *bean {
	return beanOf("hudson.model.Hudson",
		is("assignedLabels", []*bean{beanOf("", deep("name", "master"))}), is("mode", "NORMAL"), is("nodeDescription", "the master Jenkins node"),
		is("nodeName", ""), is("numExecutors", s.opt.Executors), is("description", nil),
		lazy("jobs", 1, func() any { return s.jobBeans(s.sortedJobs()) }),
		is("overallLoad", beanOf("")), is("primaryView", beanOf("hudson.model.AllView", deep("name", "all"), deep("url", s.opt.RootURL))),
		is("quietingDown", s.quieting), is("slaveAgentPort", -1), is("unlabeledLoad", beanOf("")), is("url", s.opt.RootURL),
		is("useCrumbs", true), is("useSecurity", true),
		lazy("views", 1, func() any {
			beans := []*bean{beanOf("hudson.model.AllView", deep("name", "all"), deep("url", s.opt.RootURL))}
			for _, v := range s.views {
				beans = append(beans, s.viewBean(v))
			}
			return beans
		}))
}

func (c *call) administer(action string) {
	if action != "manage" && !c.postOnly() || !c.require(Administer) {
		return
	}
	switch action {
	case "manage", "scriptText":
		c.html("Manage Jenkins")
		return
	case "quietDown":
		c.s.quieting = true
	case "cancelQuietDown":
		c.s.quieting = false
		c.s.maintain()
	case "restart", "safeRestart":
		c.s.quieting = true
		s := c.s
		go s.Restart()
	}
	c.redirect("/")
}
