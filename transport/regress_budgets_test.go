package transport_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// The user's function may be dear, and may not say the same twice. What is no traffic needs no budget.
func TestTheBudgetOfACallIsLookedUpOnce(t *testing.T) {
	patient := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	for name, tc := range map[string]struct {
		step http.RoundTripper
		call func(context.Context) (context.Context, context.CancelFunc)
		want int
	}{
		"a call that succeeds": {ok, patient, 1},
		"one that is judged":   {answer(403, "grant_revoked"), patient, 1},
		"one that is retried":  {transporttest.Play(answer(503, ""), answer(503, "")), patient, 1},
		"one that its caller cancels": {transporttest.After(time.Hour, ok), func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, 0},
		"one whose deadline passes": {transporttest.After(time.Hour, ok), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, 0},
		"one that is refused after a while": {roundTripFunc(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return nil, &transport.OpenError{}
		}), patient, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				keys := transport.Keys{Key: func(*http.Request) string { asked++; return "all" }}
				s := newShared(t, keys, func(s *policy.Set) { s.Profiles = steady().Profiles })
				ctx, cancel := tc.call(t.Context())
				defer cancel()
				rt := transport.Chain(tc.step, transport.Retry(s, nil), transport.Classify(alter(t)))
				_, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx))
				if asked != tc.want {
					t.Errorf("the key was asked for %d times, want %d", asked, tc.want)
				}
			})
		})
	}
}

func TestTheAnswerToAWatchedUploadIsThatToTheCallersRequest(t *testing.T) {
	upload := func() (io.ReadCloser, error) { return io.NopCloser(struct{ io.Reader }{strings.NewReader("x")}), nil }
	req := newRequest(t, "PUT", backend, "")
	req.Body, _ = upload()
	req.GetBody = upload
	resp, err := newChain(t, ok, transport.Config{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Request != req {
		t.Error("the answer is to another request than the caller's")
	}
}
