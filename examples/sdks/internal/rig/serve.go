package rig

import (
	"io"
	"net/http"
	"testing"

	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// Serve starts a server for a test and returns it with a client of its own, around which the chain of cfg is put.
// The policy is [Policy] if cfg has none. Both end with the test.
func Serve(t testing.TB, h http.Handler, cfg transport.Config) (*transporttest.Server, *http.Client) {
	t.Helper()
	server := transporttest.NewServer(h)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if cfg.Policy == nil && cfg.Shared == nil {
		cfg.Policy = Policy()
	}
	hc, err := transport.Wrap(server.Client(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return server, hc
}

// Answers is a handler that reads the request and gives these answers in turn, and then what next answers.
func Answers(next http.Handler, answers ...http.HandlerFunc) http.Handler {
	turn := make(chan http.HandlerFunc, len(answers))
	for _, a := range answers {
		turn <- a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case a := <-turn:
			// A connection on which something is left unread outlives the server by half a second.
			_, _ = io.Copy(io.Discard, r.Body)
			a(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// JSON is an answer with a status, a JSON body, and fields in pairs of name and value.
func JSON(status int, body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// Lose is an answer that gets lost: the request is read, and the connection broken.
func Lose(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}
