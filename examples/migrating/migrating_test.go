package migrating_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/internal/readme"
	"github.com/steadytrip/steadytrip/examples/migrating"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestDocumentedCodeRuns(t *testing.T) {
	readme.CheckGo(t, "../../docs/migrating.md", "*.go")
}

// TestDocumentedNamesExist looks for the names that the documents say are ours in the public API.
func TestDocumentedNamesExist(t *testing.T) {
	readme.CheckNames(t, "../../docs/migrating.md", "../../docs/api", 60, "transport.TestPromisesThatATextbookLoopBreaks")
	readme.CheckNames(t, "../../docs/sdks.md", "../../docs/api", 20, "policy.RetryOptions") // of azcore
}

// builders are the clients by the library that they come from.
var builders = map[string]func(*http.Client) (*http.Client, error){
	"retryable":  migrating.FromRetryable,
	"checkretry": migrating.FromCheckRetry,
	"failsafe":   migrating.FromFailsafe,
	"heimdall":   migrating.FromHeimdall,
	"rehttp": func(client *http.Client) (*http.Client, error) {
		rt, err := migrating.FromRehttp(client.Transport)
		return &http.Client{Transport: rt}, err
	},
}

func TestAttempts(t *testing.T) {
	unavailable, busy := transporttest.ProviderUnavailable(0), transporttest.Answer(409, `{"error":{"code":"busy"}}`)
	for _, c := range []struct {
		name   string
		from   string
		method string
		step   http.RoundTripper
		want   int
		reason policy.Reason
	}{
		{"four retries of a 503", "retryable", "GET", unavailable, 5, policy.Exhausted},
		{"and of a 500, which the default does not retry", "retryable", "GET", transporttest.Answer(500, ""), 5, policy.Exhausted},
		{"and of a lost connection", "retryable", "GET", transporttest.Fail(transporttest.ErrReset), 5, policy.Exhausted},
		{"and of a 429, also to a POST", "retryable", "POST", transporttest.ProviderRateLimit(time.Second), 5, policy.Exhausted},
		{"a hint that is too long ends the call", "retryable", "GET", transporttest.ProviderRateLimit(time.Minute), 1, policy.RetryAfterTooLong},
		{"a POST is not repeated after a 503", "retryable", "POST", unavailable, 1, policy.NotIdempotent},
		{"a refused connection has the default's own profile", "retryable", "GET", transporttest.Fail(transporttest.ErrRefused), 7, policy.BudgetSpent},
		{"a 501 is not", "retryable", "GET", transporttest.Answer(501, ""), 1, policy.NotRetryable},

		{"a busy resource is asked again", "checkretry", "GET", busy, 2, policy.Exhausted},
		{"any other conflict is not", "checkretry", "GET", transporttest.Answer(409, `{"error":{"code":"exists"}}`), 1, policy.NotRetryable},
		{"nor is a success, whatever its body says", "checkretry", "GET", transporttest.Answer(200, `{"error":{"code":"busy"}}`), 1, policy.NotDecided},

		{"three retries of a 503", "failsafe", "GET", unavailable, 4, policy.Exhausted},
		{"one retry of a server that does not answer, by the default profile", "failsafe", "GET", transporttest.Hang(), 2, policy.Exhausted},

		{"three retries of a 502", "heimdall", "GET", transporttest.Answer(502, ""), 4, policy.Exhausted},
		{"of a server that does not answer", "heimdall", "GET", transporttest.Hang(), 4, policy.Exhausted},
		{"and none of a 500", "heimdall", "GET", transporttest.Answer(500, ""), 1, policy.NotRetryable},

		{"three retries of a 503", "rehttp", "PUT", unavailable, 4, policy.Exhausted},
		{"and of a lost connection", "rehttp", "GET", transporttest.Fail(transporttest.ErrReset), 4, policy.Exhausted},
		{"but of none that carried a POST", "rehttp", "POST", transporttest.Fail(transporttest.ErrReset), 1, policy.NotIdempotent},
	} {
		t.Run(c.from+": "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(c.step).Repeat()
				client, err := builders[c.from](script.Client())
				if err != nil {
					t.Fatal(err)
				}
				req, err := http.NewRequestWithContext(t.Context(), c.method, "https://api.example.com/", strings.NewReader("what is sent"))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err == nil {
					defer resp.Body.Close()
				}
				if got := transport.TrailOf(resp, err).Reason; script.Count() != c.want || got != c.reason {
					t.Errorf("%d attempts, ended as %v, want %d, %v", script.Count(), got, c.want, c.reason)
				}
			})
		})
	}
}

func TestEachAttemptIsPreparedAndFailuresAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.ProviderUnavailable(0)).Repeat()
		signed := 0
		client, err := migrating.FromPrepareRetry(script.Client(), func(req *http.Request) error {
			signed++
			req.Header.Set("X-Signature", strconv.Itoa(signed))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = migrating.Get(t.Context(), client, "https://api.example.com/")
		var unavailable *classify.ProviderUnavailableError
		if !errors.As(err, &unavailable) {
			t.Errorf("got %v, want a ProviderUnavailableError", err)
		}
		var signatures []string
		for _, a := range script.Attempts() {
			signatures = append(signatures, a.Header.Get("X-Signature"))
		}
		if want := []string{"1", "2"}; !slices.Equal(signatures, want) {
			t.Errorf("signed %q, want %q", signatures, want)
		}
	})
	t.Run("what cannot be prepared is not sent", func(t *testing.T) {
		script := transporttest.Play().Repeat()
		refusal := errors.New("no key")
		client, err := migrating.FromPrepareRetry(script.Client(), func(*http.Request) error { return refusal })
		if err != nil {
			t.Fatal(err)
		}
		body := transporttest.NewBody(transporttest.Chunk("what is sent"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.example.com/", body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(req); !errors.Is(err, refusal) || script.Count() != 0 || !body.Closed() {
			t.Errorf("got %v after %d attempts, the body is closed: %v", err, script.Count(), body.Closed())
		}
	})
}

// TestBreakerAndFallback: five 503s open the breaker; then nothing is sent, and the old page serves.
func TestBreakerAndFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.Times(5, transporttest.ProviderUnavailable(0)), transporttest.Answer(200, "new"))
		client, err := migrating.FromFailsafe(script.Client())
		if err != nil {
			t.Fatal(err)
		}
		get := func() (string, error) {
			page, err := migrating.Fallback(t.Context(), client, "https://api.example.com/", []byte("old"))
			return string(page), err
		}
		for _, attempts := range []int{4, 1} { // the fifth opens it, and the profile does not wait for as long as it is open
			want := strconv.Itoa(attempts) + " attempts: "
			if page, err := get(); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %q, %v, want an error after %s", page, err, want)
			}
		}
		if page, err := get(); page != "old" || err != nil || script.Count() != 5 {
			t.Errorf("got %q, %v after %d attempts, want the old page after 5", page, err, script.Count())
		}
		time.Sleep(7 * time.Second) // the breaker's 5 s and its jitter
		if page, err := get(); page != "new" || err != nil {
			t.Errorf("got %q, %v, want the new page", page, err)
		}
	})
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.After(time.Second, transporttest.Answer(200, "page"))).Repeat()
		client := &http.Client{Transport: transport.Chain(script, migrating.Bulkhead(2))}
		start := time.Now()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, err := migrating.Get(t.Context(), client, "https://api.example.com/"); err != nil {
					t.Error(err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		synctest.Wait()
		if _, err := migrating.Get(ctx, client, "https://api.example.com/"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		all.Wait()
		if took := time.Since(start); took != 3*time.Second || script.Count() != 6 {
			t.Errorf("%d requests took %v, want 6 in 3 s", script.Count(), took)
		}
	})
}

// TestFourRetriesNeedALowerCost: with a cost of 1 the budget ends what four retries would be, as docs/migrating.md says.
func TestFourRetriesNeedALowerCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := policy.Default()
		profile := set.Profiles[classify.ProviderUnavailable]
		if set.Budget.Min != 3 || profile.Cost != 1 {
			t.Errorf("the budget starts with %v tokens, a retry costs %v, want 3 and 1", set.Budget.Min, profile.Cost)
		}
		profile.Retries = 4
		set.Profiles[classify.ProviderUnavailable] = profile
		script := transporttest.Play(transporttest.ProviderUnavailable(0)).Repeat()
		client, err := transport.Wrap(script.Client(), transport.Config{Policy: &set})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get("https://api.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got := transport.TrailOf(resp, nil).Reason; script.Count() != 4 || got != policy.BudgetSpent {
			t.Errorf("%d attempts, ended as %v, want 4, %v", script.Count(), got, policy.BudgetSpent)
		}
	})
}

// A ClassifierFunc may judge an answer below 400 by its status and header, and never sees its body.
func TestASuccessIsJudgedByItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.Answer(200, "busy").Header("X-Busy", "1"), transporttest.Answer(200, "done"))
		classifier := classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
			if len(o.Body) > 0 {
				t.Errorf("got to see %q", o.Body)
			}
			if o.Header.Get("X-Busy") != "" {
				return classify.Verdict{Kind: classify.ProviderUnavailable}
			}
			return classify.Verdict{}
		})
		client, err := transport.Wrap(script.Client(), transport.Config{Classifier: classifier})
		if err != nil {
			t.Fatal(err)
		}
		page, err := migrating.Get(t.Context(), client, "https://api.example.com/")
		if string(page) != "done" || err != nil || script.Count() != 2 {
			t.Errorf("got %q, %v after %d attempts, want the second answer", page, err, script.Count())
		}
	})
}

// ReturnErrors(nil) makes an error of every failing answer, and a function of one's own of those that the policy repeats.
func TestErrorsAreReturnedOfWhatIsAskedFor(t *testing.T) {
	repeated := func(v classify.Verdict) bool { return v.Action() == classify.Retry || v.Action() == classify.Wait }
	for _, c := range []struct {
		name   string
		which  func(classify.Verdict) bool
		status int
		want   bool // an error
	}{
		{"all", nil, 503, true},
		{"all, a 404 too", nil, 404, true},
		{"what is repeated", repeated, 503, true},
		{"what is repeated, and no 404", repeated, 404, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(transporttest.Answer(c.status, "")).Repeat()
				client, err := transport.Wrap(script.Client(), transport.Config{PerCall: []transport.Middleware{transport.ReturnErrors(c.which)}})
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Get("https://api.example.com/")
				if err == nil {
					resp.Body.Close()
				}
				if got := err != nil; got != c.want {
					t.Errorf("got %v, want an error: %v", err, c.want)
				}
			})
		})
	}
}
