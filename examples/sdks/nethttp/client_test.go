package nethttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// site is a server for two hosts, a.test and b.test, that redirects, sets cookies, and remembers what it was asked.
type site struct {
	*transporttest.Server
	mu    sync.Mutex
	asked []string
	fails bool // every first of two requests is answered 429
}

func newSite(t *testing.T, fails bool) *site {
	s := &site{fails: fails}
	s.Server = transporttest.NewServer(s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client returns a client with a jar that finds the site under both names.
func (s *site) client(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Host())
	}}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: base, Jar: jar}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s%s type=%s auth=%s referer=%s cookie=%s body=%s", r.Method, r.Host, r.URL,
		r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Referer(), r.Header.Get("Cookie"), body))
	failing := s.fails && len(s.asked)%2 == 1
	s.mu.Unlock()
	if failing {
		http.SetCookie(w, &http.Cookie{Name: "discarded", Value: "yes"})
		rig.JSON(429, `{}`, "Retry-After", "0")(w, r)
		return
	}
	if c := r.FormValue("cookie"); c != "" {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: c})
	}
	if to := r.FormValue("to"); to != "" {
		var status int
		if _, err := fmt.Sscan(r.FormValue("status"), &status); err != nil {
			status = http.StatusFound
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
		return
	}
	fmt.Fprint(w, "here")
}

// TestClientStaysTheSame runs each story with a plain client, with the chain, and with the chain while every request fails once.
// The server is asked the same things in the same order, and the client gets the same.
func TestClientStaysTheSame(t *testing.T) {
	ask := func(hc *http.Client, method, url, body string) (string, error) {
		var reader io.Reader
		if body != "" {
			reader = strings.NewReader(body)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url, reader)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer token")
		if body != "" {
			req.Header.Set("Content-Type", "text/plain")
		}
		resp, err := hc.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %s %s %s", resp.StatusCode, resp.Request.Method, resp.Request.URL, text), err
	}
	type story struct {
		name  string
		tell  func(hc *http.Client) (string, error)
		asked int // requests of the plain client
	}
	stories := []story{
		{"a cookie is kept and sent", func(hc *http.Client) (string, error) {
			if _, err := ask(hc, "GET", "http://a.test/?cookie=1", ""); err != nil {
				return "", err
			}
			return ask(hc, "GET", "http://a.test/next", "")
		}, 2},
		{"a cookie of one host is not sent to another", func(hc *http.Client) (string, error) {
			return ask(hc, "GET", "http://a.test/?cookie=1&to=http://b.test/", "")
		}, 2},
		{"a redirect to a cookie, and back", func(hc *http.Client) (string, error) {
			return ask(hc, "GET", "http://a.test/?to=/login%3Fcookie=1%26to=/home", "")
		}, 3},
		{"the client uses the redirect itself", func(hc *http.Client) (string, error) {
			hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			return ask(hc, "GET", "http://a.test/?to=/home", "")
		}, 1},
		{"the client refuses the redirect", func(hc *http.Client) (string, error) {
			refusal := errors.New("not there")
			hc.CheckRedirect = func(*http.Request, []*http.Request) error { return refusal }
			_, err := ask(hc, "GET", "http://a.test/?to=/home", "")
			return fmt.Sprint(errors.Is(err, refusal)), nil
		}, 1},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, host := range []string{"a.test", "b.test"} {
				body := ""
				if method != "GET" {
					body = "what is sent"
				}
				stories = append(stories, story{fmt.Sprintf("%d after %s to %s", status, method, host), func(hc *http.Client) (string, error) {
					return ask(hc, method, fmt.Sprintf("http://a.test/?cookie=1&status=%d&to=http://%s/home", status, host), body)
				}, 2})
			}
		}
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			plain := newSite(t, false)
			said, err := s.tell(plain.client(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(plain.asked) != s.asked {
				t.Fatalf("a plain client asks %d times, want %d: %q", len(plain.asked), s.asked, plain.asked)
			}
			for _, fails := range []bool{false, true} {
				wrapped := newSite(t, fails)
				hc, err := transport.Wrap(wrapped.client(t), transport.Config{Policy: rig.Policy()})
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.tell(hc)
				if got != said || err != nil {
					t.Errorf("failing %v: got %q, %v, want %q", fails, got, err, said)
				}
				want := plain.asked
				if fails {
					want = nil
					for _, a := range plain.asked {
						want = append(want, a, a)
					}
				}
				if !slices.Equal(wrapped.asked, want) {
					t.Errorf("failing %v: asked\n%s\nwant\n%s", fails, strings.Join(wrapped.asked, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// TestEndlessRedirectIsNotRetried: the client gives up after ten, above the chain.
func TestEndlessRedirectIsNotRetried(t *testing.T) {
	server, hc := rig.Serve(t, http.RedirectHandler("/", http.StatusFound), transport.Config{})
	if _, err := Get(t.Context(), hc, server.URL); err == nil || server.Total() != 10 {
		t.Errorf("%d requests, error %v, want 10 and one", server.Total(), err)
	}
}
