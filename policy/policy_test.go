package policy_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestProfileLookup(t *testing.T) {
	p, err := policy.New(policy.Set{MaxAttempts: 5, Profiles: map[classify.Kind]policy.Profile{
		classify.AlterSDK: doubling(1), classify.Network: doubling(2), classify.Timeout: doubling(3), classify.GrantExpired: doubling(4),
	}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		kind    classify.Kind
		from    classify.Kind
		retries int
	}{
		{"a kind's own profile comes first", classify.Timeout, classify.Timeout, 3},
		{"then the parent's", classify.DialTimeout, classify.Timeout, 3},
		{"then the nearest ancestor's", classify.DNS, classify.Network, 2},
		{"the root's applies to what may be retried", classify.TokenRefreshInProgress, classify.AlterSDK, 1},
		{"the root's applies to what may be waited for", classify.PolicyRateLimit, classify.AlterSDK, 1},
		{"a kind that needs another remedy may have its own", classify.GrantExpired, classify.GrantExpired, 4},
		{"but does not look at its ancestors", classify.GrantRevoked, classify.Unclassified, 0},
		{"nor does one that is misconfigured", classify.TLS, classify.Unclassified, 0},
		{"nor one that breaks the protocol", classify.Protocol, classify.Unclassified, 0},
		{"nor a cancellation", classify.Canceled, classify.Unclassified, 0},
		{"a success has none", classify.Success, classify.Unclassified, 0},
		{"nor has a kind outside the tree", classify.Kind(250), classify.Unclassified, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prof, from, ok := p.Profile(tt.kind)
			if from != tt.from || prof.Retries != tt.retries || ok != (tt.from != classify.Unclassified) {
				t.Errorf("got %d retries from %s, %v; want %d from %s", prof.Retries, from, ok, tt.retries, tt.from)
			}
		})
	}
}

func TestNewRefusesAnInvalidSet(t *testing.T) {
	p, err := policy.New(policy.Set{})
	if p != nil || err == nil || !strings.Contains(err.Error(), "policy.Default()") {
		t.Errorf("got %v, %v; want an error that names a set to start from", p, err)
	}
}

func TestPolicyIsACopy(t *testing.T) {
	s := policy.Default()
	p, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(s policy.Set) {
		clear(s.Profiles)
		s.Breakers[0].Kinds[0] = classify.Canceled
	}
	spoil(s)
	spoil(p.Set())
	spoil(policy.Default())
	spoil((*policy.Policy)(nil).Set())
	for name, got := range map[string]policy.Set{"New": p.Set(), "nil": (*policy.Policy)(nil).Set(), "Default": policy.Default()} {
		if len(got.Profiles) != 8 || got.Breakers[0].Kinds[0] != classify.PolicyRateLimit {
			t.Errorf("%s: a change of a copy came through: %v", name, got)
		}
	}
}

func TestNilPolicyIsTheDefault(t *testing.T) {
	var p *policy.Policy
	if got, want := p.Set(), policy.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, from, ok := p.Profile(classify.ConnectionRefused); !ok || from != classify.Dial {
		t.Errorf("got the profile of %s, %v; want that of dial", from, ok)
	}
	got := p.Plan().Next(classify.Verdict{Kind: classify.Timeout}, policy.Facts{Attempts: 1, Replay: repeatable, Random: middle})
	if want := (policy.Decision{Pause: 100 * ms, Reason: policy.Retrying, Profile: classify.Network, Cost: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPolicyServesManyGoroutines(t *testing.T) {
	p, err := policy.New(policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			pl := p.Plan()
			for i := range 20 {
				pl.Next(classify.Verdict{Kind: classify.Dial}, policy.Facts{Attempts: i, Replay: repeatable})
			}
			clear(p.Set().Profiles)
		})
	}
	wg.Wait()
}
