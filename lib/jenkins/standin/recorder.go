package standin

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
)

// recorder keeps an answer instead of sending it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// sendHalf sends the header and half of the body, then cuts the connection.
func (r *recorder) sendHalf(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.Header().Set("Content-Length", strconv.Itoa(r.body.Len()))
	r.WriteHeader(http.StatusOK)
	w.WriteHeader(r.status)
	w.Write(r.body.Bytes()[:r.body.Len()/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
