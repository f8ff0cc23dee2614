package jenkinstest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Many who ask at once, while the controller restarts, crashes and fails, find it well afterwards.
func TestAStorm(t *testing.T) {
	c := begin(t, Options{QuietPeriod: time.Millisecond, LeaveWindow: 3 * time.Millisecond, FinishWindow: time.Millisecond,
		View: "v"})
	c.RacingViews(true)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for who := range 6 {
		all.Go(func() {
			name := fmt.Sprintf("job%d", who%4)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, request := range []string{
					"POST /createItem?name=" + name, "POST /view/v/addJobToView?name=" + name, "POST /job/" + name + "/build",
					"GET /view/v/api/json?tree=jobs[name,builds[number,result]{0,3},queueItem[id]]",
					"GET /job/" + name + "/1/logText/progressiveText?start=3", "GET /queue/api/json", "GET /computer/api/json",
					"POST /job/" + name + "/1/stop",
					"POST /queue/cancelItem?id=" + fmt.Sprint(n), "POST /job/" + name + "/disable", "POST /job/" + name + "/enable",
					"POST /job/" + name + "/doDelete",
				} {
					c.throw(request)
				}
			}
		})
	}
	for range 3 {
		for _, trouble := range []func(){
			func() { c.Restart() }, func() { c.Kill(); c.StartAgain() }, func() { c.Down(); c.Well() }, c.Hang, c.Unavailable,
			c.HalfJSON,
			func() { c.DropAnswer("POST", "build$") }, func() { c.Well(); c.RacingViews(true) },
		} {
			trouble()
			time.Sleep(10 * time.Millisecond)
		}
	}
	close(stop)
	if err := c.Well(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	c.create("after", "echo well")
	c.ends("after", 1)
	if b := c.get("/computer/api/json?tree=busyExecutors"); !strings.Contains(b, `"busyExecutors":`) {
		t.Error(b)
	}
}

// throw sends a request and doesn't care for the answer.
func (c *client) throw(request string) {
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+path,
		strings.NewReader(strings.Replace(shellJob, "SCRIPT", "echo begun; sleep 0.05", 1)))
	if err != nil {
		c.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/xml")
	r.SetBasicAuth("toaster", "toaster-token")
	if a, err := http.DefaultTransport.RoundTrip(r); err == nil {
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
	}
}
