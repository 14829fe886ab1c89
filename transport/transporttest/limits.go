package transporttest

import (
	"fmt"
	"slices"
	"time"
)

// limit is a policy's rate limit. Its fields are guarded by the backend.
type limit struct {
	policy string
	n      int
	window time.Duration
	grants []string // none stands for all
	began  time.Time
	used   int
}

// LimitPolicy lets a policy allow n calls in each window of this length, which begins with a call. Further calls
// are answered with rate_limit_exceeded and a Retry-After of what is left of the window, see [Response.RetryAfter].
// The policy is about the calls on these grants, or on every grant if none is named; a call that another policy
// refuses does not count. A policy of the same name is replaced. It panics if the window is not positive.
func (b *Backend) LimitPolicy(policy string, n int, window time.Duration, grantIDs ...string) {
	if window <= 0 {
		panic("transporttest: LimitPolicy: the window is not positive")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift(policy)
	b.limits = append(b.limits, &limit{policy: policy, n: n, window: window, grants: slices.Clone(grantIDs)})
}

// LiftPolicy ends a policy's rate limit.
func (b *Backend) LiftPolicy(policy string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift(policy)
}

func (b *Backend) lift(policy string) {
	b.limits = slices.DeleteFunc(b.limits, func(l *limit) bool { return l.policy == policy })
}

// AdvertiseLimits says whether refusals carry the RateLimit and RateLimit-Policy fields of the draft
// (draft-ietf-httpapi-ratelimit-headers), which name the policy. They do not at first, since Alter is not known to send them.
func (b *Backend) AdvertiseLimits(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advertise = on
}

// policyRefusal is the answer to a call that a rate limit does not allow; otherwise it counts the call.
// The caller holds mu.
func (b *Backend) policyRefusal(grantID string, now time.Time) *Response {
	var about []*limit
	for _, l := range b.limits {
		if len(l.grants) > 0 && !slices.Contains(l.grants, grantID) {
			continue
		}
		if now.Sub(l.began) >= l.window {
			l.began, l.used = now, 0
		}
		if l.used >= l.n {
			r := l.refusal(l.window-now.Sub(l.began), b.advertise)
			return &r
		}
		about = append(about, l)
	}
	for _, l := range about {
		l.used++
	}
	return nil
}

func (l *limit) refusal(left time.Duration, advertise bool) Response {
	r := Canned("rate_limit_exceeded").Detail("policy", l.policy).RetryAfter(left)
	if advertise {
		r = r.Header("RateLimit", fmt.Sprintf("%q;r=0;t=%d", l.policy, wholeSeconds(left))).
			Header("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", l.policy, l.n, wholeSeconds(l.window)))
	}
	return r
}
