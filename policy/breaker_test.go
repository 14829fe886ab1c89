package policy_test

import (
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestBreakerCounts(t *testing.T) {
	tests := []struct {
		name  string
		kinds []classify.Kind
		kind  classify.Kind
		want  bool
	}{
		{"the kind itself counts", []classify.Kind{classify.PolicyRateLimit}, classify.PolicyRateLimit, true},
		{"a descendant counts", []classify.Kind{classify.PolicyViolation}, classify.PolicyRateLimit, true},
		{"any kind of the list counts", []classify.Kind{classify.PolicyRateLimit, classify.Dial}, classify.DNS, true},
		{"an ancestor does not count", []classify.Kind{classify.PolicyRateLimit}, classify.PolicyViolation, false},
		{"network failures are neutral unless listed", []classify.Kind{classify.PolicyRateLimit}, classify.Timeout, false},
		{"without kinds nothing counts", nil, classify.PolicyRateLimit, false},
		{"a success does not count", []classify.Kind{classify.AlterSDK}, classify.Success, false},
		{"no opinion does not count", []classify.Kind{classify.AlterSDK, classify.Unclassified}, classify.Unclassified, false},
		{"the caller's cancellation does not count", []classify.Kind{classify.AlterSDK}, classify.Canceled, false},
		{"the caller's bad input does not count", []classify.Kind{classify.AlterSDK}, classify.InvalidRequest, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (policy.Breaker{Kinds: tt.kinds}).Counts(tt.kind); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
