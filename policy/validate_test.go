package policy_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestValidateAccepts(t *testing.T) {
	tests := []struct {
		name string
		set  policy.Set
	}{
		{"the default", policy.Default()},
		{"one attempt and nothing else", policy.Set{MaxAttempts: 1}},
		{"a profile that never retries", set(classify.Network, policy.Profile{})},
		{"a profile that never retries on a kind that cannot heal", set(classify.TLS, policy.Profile{})},
		{"one immediate retry needs no pauses", set(classify.Dial, policy.Profile{Retries: 1, Immediate: true, Multiplier: 1})},
		{"equal pauses", set(classify.Dial, policy.Profile{Retries: 3, Initial: sec, Max: sec, Multiplier: 1})},
		{"a source of pauses needs no exponential", set(classify.Dial, policy.Profile{
			Retries: 3, Initial: -1, Max: -2, Multiplier: math.NaN(), BackOff: func() policy.BackOff { return nil },
		})},
		{"retries after an internal error, if somebody wants them", set(classify.ProviderInternal, doubling(1))},
		{"a profile for everything", set(classify.AlterSDK, doubling(1))},
		{"a breaker on outages", policy.Set{MaxAttempts: 1, Breakers: []policy.Breaker{{
			Name: "outage", Kinds: []classify.Kind{classify.Network, classify.ProviderUnavailable}, Failures: 1, Open: sec, MaxOpen: sec, Probes: 1000, Jitter: policy.FullJitter,
		}}}},
		{"the outage breaker beside the default", func() policy.Set {
			s := policy.Default()
			s.Breakers = append(s.Breakers, policy.OutageBreaker())
			return s
		}()},
		{"no gate", policy.Set{MaxAttempts: 1, Gate: policy.Gate{Probe: policy.Profile{Initial: -1}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.set.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	profile := func(change func(p *policy.Profile)) policy.Set {
		p := doubling(3)
		change(&p)
		return set(classify.Timeout, p)
	}
	breaker := func(change func(b *policy.Breaker)) policy.Set {
		s := policy.Default()
		change(&s.Breakers[0])
		return s
	}
	tests := []struct {
		name string
		set  policy.Set
		want []string // one line for each fault: its beginning
	}{
		{"the zero set", policy.Set{}, []string{"policy: MaxAttempts is 0: want at least 1, the first attempt included"}},
		{"a budget that is none", func() policy.Set {
			s := policy.Default()
			s.Budget = policy.Budget{Ratio: 1.5, Min: math.Inf(1), Window: -sec}
			return s
		}(), []string{
			"policy: Budget.Ratio is 1.5: want a number from 0 to 1", "policy: Budget.Min is +Inf: want at least 1",
			"policy: Budget.Window is -1s: want more than 0s",
		}},
		{"a cost that cannot be paid, and a rule that is none", profile(func(p *policy.Profile) { p.Cost, p.LongHint = math.NaN(), 9 }), []string{
			"policy: Profiles[timeout].LongHint is 9: want policy.Stop", "policy: Profiles[timeout].Cost is NaN: want 0 or more tokens",
		}},
		{"negative limits", policy.Set{MaxAttempts: -1, MaxElapsed: -sec}, []string{
			"policy: MaxAttempts is -1: want at least 1",
			"policy: MaxElapsed is -1s: want 0s or more",
		}},
		{"a profile on no failure", policy.Set{MaxAttempts: 1, Profiles: map[classify.Kind]policy.Profile{
			classify.Unclassified: doubling(1), classify.Success: doubling(1), classify.Kind(250): doubling(1),
		}}, []string{
			"policy: Profiles[unclassified]: unclassified is no kind of failure: want one of classify.Kinds",
			"policy: Profiles[success]: success is no kind of failure",
			"policy: Profiles[kind(250)]: kind(250) is no kind of failure",
		}},
		{"retries of what cannot heal", policy.Set{MaxAttempts: 1, Profiles: map[classify.Kind]policy.Profile{
			classify.AlterValue: doubling(1), classify.InvalidRequest: doubling(2), classify.HostNotFound: doubling(1),
			classify.TLS: doubling(1), classify.ProxyRefused: doubling(1), classify.Canceled: doubling(1),
		}}, []string{
			"policy: Profiles[alter_value].Retries is 1: want 0 because repeating cannot heal alter_value",
			"policy: Profiles[invalid_request].Retries is 2: want 0 because repeating cannot heal invalid_request",
			"policy: Profiles[host_not_found].Retries is 1: want 0",
			"policy: Profiles[tls].Retries is 1: want 0",
			"policy: Profiles[proxy_refused].Retries is 1: want 0",
			"policy: Profiles[canceled].Retries is 1: want 0",
		}},
		{"negative values", profile(func(p *policy.Profile) {
			p.Retries, p.Initial, p.Max, p.MaxElapsed, p.MaxRetryAfter, p.Jitter = -1, -sec, -2*sec, -3*sec, -4*sec, -0.5
		}), []string{
			"policy: Profiles[timeout].Retries is -1: want 0 or more; policy.Unlimited for no count",
			"policy: Profiles[timeout].Jitter is -0.5: want a number from 0 to 1",
			"policy: Profiles[timeout].MaxElapsed is -3s: want 0s or more",
			"policy: Profiles[timeout].MaxRetryAfter is -4s: want 0s or more",
			"policy: Profiles[timeout].Initial is -1s: want 0s or more",
			"policy: Profiles[timeout].Max is -2s: want 0s or more",
		}},
		{"no count and no time", profile(func(p *policy.Profile) { p.Retries = policy.Unlimited }), []string{
			"policy: Profiles[timeout].MaxElapsed is 0s: want more than 0s because Retries is Unlimited; set MaxElapsed",
		}},
		{"no count and no time with a source", profile(func(p *policy.Profile) {
			p.Retries, p.BackOff = policy.Unlimited, func() policy.BackOff { return nil }
		}), []string{"policy: Profiles[timeout].MaxElapsed is 0s: want more than 0s"}},
		{"retries without a pause", profile(func(p *policy.Profile) { p.Initial = 0 }), []string{
			"policy: Profiles[timeout].Initial is 0s: want more than 0s",
		}},
		{"two retries without a pause, the first of them immediate", profile(func(p *policy.Profile) { p.Initial, p.Immediate, p.Retries = 0, true, 2 }), []string{
			"policy: Profiles[timeout].Initial is 0s: want more than 0s",
		}},
		{"a cap below the first pause", profile(func(p *policy.Profile) { p.Max = 99 * ms }), []string{
			"policy: Profiles[timeout].Max is 99ms: want at least Initial, which is 100ms",
		}},
		{"shrinking pauses", profile(func(p *policy.Profile) { p.Multiplier = 0.5 }), []string{"policy: Profiles[timeout].Multiplier is 0.5: want a number of at least 1"}},
		{"a forgotten multiplier", profile(func(p *policy.Profile) { p.Multiplier = 0 }), []string{"policy: Profiles[timeout].Multiplier is 0: want"}},
		{"a multiplier that is no number", profile(func(p *policy.Profile) { p.Multiplier = math.NaN() }), []string{"policy: Profiles[timeout].Multiplier is NaN: want"}},
		{"an infinite multiplier", profile(func(p *policy.Profile) { p.Multiplier = math.Inf(1) }), []string{"policy: Profiles[timeout].Multiplier is +Inf: want"}},
		{"too much jitter", profile(func(p *policy.Profile) { p.Jitter = 1.5 }), []string{"policy: Profiles[timeout].Jitter is 1.5: want"}},
		{"jitter that is no number", profile(func(p *policy.Profile) { p.Jitter = policy.Jitter(math.NaN()) }), []string{"policy: Profiles[timeout].Jitter is NaN: want"}},
		{"a breaker with nothing but kinds", breaker(func(b *policy.Breaker) {
			*b = policy.Breaker{Name: "b", Kinds: []classify.Kind{classify.Dial, classify.Success, classify.Canceled, classify.InvalidRequest}, MaxOpen: -sec}
		}), []string{
			"policy: Breakers[0].Kinds[1] is success: want a kind of failure",
			"policy: Breakers[0].Kinds[2] is canceled: want a failure of a server or of the network",
			"policy: Breakers[0].Kinds[3] is invalid_request: want a failure of a server or of the network",
			"policy: Breakers[0].Failures is 0: want at least 1",
			"policy: Breakers[0].Open is 0s: want more than 0s",
			"policy: Breakers[0].MaxOpen is -1s: want at least Open, which is 0s",
			"policy: Breakers[0].Probes is 0: want 1 to 1000",
		}},
		{"a breaker without anything, and two of one name", func() policy.Set {
			s := policy.Default()
			s.Breakers = append(s.Breakers, s.Breakers[0], policy.Breaker{Failures: 1, Open: sec, MaxOpen: sec, Probes: 1, Window: -1, Hold: -sec})
			return s
		}(), []string{
			`policy: Breakers[1].Name is "rate_limit": want a name of its own; Breakers[0] has it`,
			`policy: Breakers[2].Name is empty: want a name of its own, such as "outage"`,
			"policy: Breakers[2].Kinds is empty: want at least one kind of failure",
			"policy: Breakers[2].Window is -1: want 0 (no bound) to 10000",
			"policy: Breakers[2].Hold is -1s: want 0s or more",
		}},
		{"a breaker whose name would command a terminal", breaker(func(b *policy.Breaker) { b.Name = "\x1b[31m" }), []string{
			`policy: Breakers[0].Name is "\x1b[31m": want characters that can be printed: it stands in logs, metrics and pages`,
		}},
		{"a gate that cannot work", func() policy.Set {
			s := policy.Default()
			s.Gate.Window, s.Gate.Probe.MaxElapsed, s.Gate.Probe.Initial = 0, 0, 0
			return s
		}(), []string{
			"policy: Gate.Probe.MaxElapsed is 0s: want more than 0s because Retries is Unlimited",
			"policy: Gate.Probe.Initial is 0s: want more than 0s",
			"policy: Gate.Window is 0: want 1 to 10000 requests",
		}},
		{"a breaker out of bounds", breaker(func(b *policy.Breaker) { b.MaxOpen, b.Probes, b.Jitter = sec, 1001, 2 }), []string{
			"policy: Breakers[0].Jitter is 2: want",
			"policy: Breakers[0].MaxOpen is 1s: want at least Open, which is 5s",
			"policy: Breakers[0].Probes is 1001: want 1 to 1000",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.set.Validate()
			if err == nil {
				t.Fatal("got no error")
			}
			got := strings.Split(err.Error(), "\n")
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant lines that begin\n%s", err, strings.Join(tt.want, "\n"))
			}
		})
	}
}
