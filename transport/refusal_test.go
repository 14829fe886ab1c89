package transport_test

import (
	"errors"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport"
)

func TestRefusalsSayWhenToComeBackAndNotWhoseTheyAre(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
		mark error
	}{
		{&transport.OpenError{Key: "secret"}, "transport: breaker open, probing", transport.ErrOpen},
		{&transport.OpenError{Key: "secret", RetryAfter: 1234567 * time.Microsecond}, "transport: breaker open for another 1.235s", transport.ErrOpen},
		{&transport.OpenError{Key: "secret", RetryAfter: 99 * 365 * 24 * time.Hour}, "transport: breaker open until it is reset", transport.ErrOpen},
		{&transport.GateError{Waited: 1234567 * time.Microsecond}, "transport: not sent: waited 1.235s, and the grant's token is still being refreshed", transport.ErrGated},
		{&transport.GateError{Failed: true}, "transport: not sent: waited 0s, and the grant's token could not be refreshed", transport.ErrGated},
	} {
		if got := tc.err.Error(); got != tc.want || !errors.Is(tc.err, tc.mark) {
			t.Errorf("got %q, want %q, which is %v", got, tc.want, tc.mark)
		}
	}
}
