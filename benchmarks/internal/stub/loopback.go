package stub

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// Server answers over loopback: a path of /n with the n-th answer. Each client keeps its own connections to it.
func Server(tb testing.TB, answers ...Answer) *httptest.Server {
	tb.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || n >= len(answers) {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		a := answers[n]
		maps.Copy(w.Header(), a.Header)
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, a.Body)
	}))
	tb.Cleanup(srv.Close)
	return srv
}

// Conn returns a transport with room for as many idle connections as the benchmarks have goroutines.
func Conn(tb testing.TB) *http.Transport {
	tb.Helper()
	t := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(t.CloseIdleConnections)
	return t
}
