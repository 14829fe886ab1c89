package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// What a user's function takes is no time that a breaker has not seen pass.
func TestABreakerGoesByTheTimeAtWhichItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := transport.Keys{Key: func(req *http.Request) string {
			if req.URL.Path == "/slow" {
				time.Sleep(time.Second)
			}
			return "all"
		}}
		c := newCrowd(t, slow, func(s *policy.Set) { s.Budget = policy.Budget{} })
		c.open(t, backend, "Retry-After", "1")
		time.Sleep(ms(500))
		check(t, "who was named for so long that it is over", c.send(t.Context(), "https://backend.example/slow").end(), "200 at 1.5s")
	})
}

func TestABreakerGoesByTheTimeAfterTheHooksOfTheOneBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		second policy.Breaker
		took   time.Duration // by the hook, when the first breaker lets the request through after a second
		waits  string
		want   string
	}{
		"which is held anew":                  {policy.Breaker{Hold: 5 * time.Second, MaxOpen: 3 * time.Second}, time.Second, "1s 1s", "200 at 4s"},
		"for whom it is over":                 {policy.Breaker{MaxOpen: 2 * time.Second}, ms(1500), "1s", "200 at 2.5s"},
		"for whom it is over in that instant": {policy.Breaker{MaxOpen: 2 * time.Second}, time.Second, "1s", "200 at 2s"},
		"for whom it is not":                  {policy.Breaker{MaxOpen: 2 * time.Second}, ms(999), "1s", "refused at 1.999s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, func(s *policy.Set) {
					b := s.Breakers[0]
					b.Name, b.Hold, b.Open, b.MaxOpen = "second", tc.second.Hold, time.Second, tc.second.MaxOpen
					s.Breakers[0].Hold, s.Breakers[0].Open, s.Breakers[0].MaxOpen = 5*time.Second, time.Second, time.Second
					s.Breakers = append(s.Breakers, b)
				})
				c.open(t, backend, "Retry-After", "3")
				var waits []string
				rt := c.chain(t, transport.Config{Hooks: transport.Hooks{Wait: func(_ context.Context, info transport.WaitInfo) {
					waits = append(waits, info.Duration.String())
					time.Sleep(tc.took)
				}}})
				check(t, "the call", c.sendAs(rt, newRequest(t, "GET", backend, ""), nil).end(), tc.want)
				check(t, "the waits", strings.Join(waits, " "), tc.waits)
			})
		})
	}
}
