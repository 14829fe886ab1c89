package classify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fullDetail has every attribute set.
var fullDetail = Detail{
	Status: 409, Message: "a message", GrantID: "g1", ProviderID: "p1",
	AccountIdentifiers: []string{"a@example.com", "b@example.com"}, AccountWasProvided: true, AppUserIDs: []string{"u1"},
	PolicyError: "ip_not_allowed",
	Required:    []string{"x", "y"}, Granted: []string{"x"}, Missing: []string{"y"}, ScopeVersion: "3", CurrentScopeVersion: "4",
	DocumentationURL: "https://docs.example.com/y", ScopeVersionMismatch: true,
	ApprovalID: "ap1", ApprovalURL: "https://approve.example.com/ap1", DecisionReason: "no", ExpiresAt: time.Unix(1700000000, 0),
	details: []byte(`{"status_code":409}`), body: []byte(`{"error":"x"}`),
}

func TestErrorsCarryTheTypedAttributesOfTheirClass(t *testing.T) {
	// Each class and what it adds to its parent.
	own := map[string]map[string]any{
		"AlterSDKError":               {"StatusCode": 409, "Message": "a message"},
		"ReAuthRequiredError":         {"GrantID": "g1"},
		"TokenRefreshInProgressError": {"GrantID": "g1"},
		"AmbiguousGrantError": {
			"ProviderID": "p1", "AccountIdentifiers": fullDetail.AccountIdentifiers, "AccountWasProvided": true,
			"AppUserIDs": fullDetail.AppUserIDs,
		},
		"PolicyViolationError": {"PolicyError": "ip_not_allowed"},
		"InsufficientScopeError": {
			"Required": fullDetail.Required, "Granted": fullDetail.Granted, "Missing": fullDetail.Missing, "ScopeVersion": "3",
			"CurrentScopeVersion": "4", "ScopeVersionMismatch": true, "DocumentationURL": fullDetail.DocumentationURL,
		},
		"NoDelegatedGrantError":    {"ProviderID": "p1"},
		"AgentError":               {"Code": "the_code"},
		"ProviderAPIError":         {"ResponseBody": fullDetail.body},
		"ScopeReauthRequiredError": {"GrantID": "g1", "ProviderID": "p1", "MissingScopes": fullDetail.Missing},
		"ApprovalError": {
			"ApprovalID": "ap1", "DecisionReason": "no", "ApprovalURL": fullDetail.ApprovalURL, "ExpiresAt": fullDetail.ExpiresAt,
		},
	}
	seen := make(map[string]bool)
	for k := range Kinds() {
		v := Verdict{Kind: k, Code: "the_code", Detail: &fullDetail}
		err := v.Err(nil)
		value := reflect.ValueOf(err).Elem()
		for p := k; p != Unclassified; p = p.Parent() {
			for field, want := range own[p.ErrorName()] {
				seen[p.ErrorName()] = true
				if got := value.FieldByName(field).Interface(); !reflect.DeepEqual(got, want) {
					t.Errorf("%s.%s: got %v, want %v", k.ErrorName(), field, got, want)
				}
			}
		}
		var root *AlterSDKError
		if !errors.As(err, &root) {
			t.Fatalf("%v is no *AlterSDKError", err)
		}
		if got := root.Verdict(); !reflect.DeepEqual(got, v) {
			t.Errorf("%v: got verdict %+v, want %+v", k, got, v)
		}
		if got := root.Details()["status_code"]; got != 409.0 {
			t.Errorf("%v: got details %v, want the status code", k, root.Details())
		}
		if got := root.ErrorType(); got != k.String() {
			t.Errorf("%v: got ErrorType %q, want %q", k, got, k)
		}
	}
	if len(seen) != len(own) {
		t.Errorf("got attributes for %d classes, want %d", len(seen), len(own))
	}
}

func TestErrorsWithoutDetailHaveNoAttributes(t *testing.T) {
	for k := range Kinds() {
		var root *AlterSDKError
		if !errors.As(Verdict{Kind: k}.Err(nil), &root) {
			t.Fatalf("%v: no *AlterSDKError", k)
		}
		if root.StatusCode != 0 || root.Message != "" || root.Details() != nil {
			t.Errorf("%v: got %d, %q, %v, want nothing", k, root.StatusCode, root.Message, root.Details())
		}
	}
}

func TestAnErrorIsOneAllocation(t *testing.T) {
	cause := errors.New("cause")
	var sink error
	for k := range Kinds() {
		v := Verdict{Kind: k, Code: "code", Detail: &fullDetail}
		if got := testing.AllocsPerRun(100, func() { sink = v.Err(cause) }); got > 1 {
			t.Errorf("%v: got %v allocations, want 1", k, got)
		}
	}
	_ = sink
}

func TestErrorTextNamesKindStatusAndNextStep(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"an answer", Verdict{Kind: GrantRevoked, Detail: &Detail{Status: 410, Message: "secret"}}.Err(nil),
			"classify: grant_revoked (HTTP 410): Take the user through the authorization again."},
		{"no status", Verdict{Kind: ConnectTimeout}.Err(nil),
			"classify: connect_timeout: Start a new Connect session when the user is ready."},
		{"a cause", Verdict{Kind: Network}.Err(errors.New("broken")), "classify: network: broken"},
		{"a URL error as the cause", Verdict{Kind: Network}.Err(&url.Error{Op: "Get", URL: "http://h/?secret", Err: errors.New("broken")}),
			"classify: network: broken"},
		{"a wrapped URL error as the cause",
			Verdict{Kind: Network}.Err(fmt.Errorf("call: %w", &url.Error{Op: "Get", URL: "http://h/?secret", Err: errors.New("broken")})),
			"classify: network: broken"},
		{"a URL error in a URL error",
			Verdict{Kind: Network}.Err(&url.Error{Op: "Get", URL: "secret", Err: &url.Error{Op: "Get", URL: "secret", Err: errors.New("broken")}}),
			"classify: network: broken"},
		{"a URL error of nothing", Verdict{Kind: Network}.Err(&url.Error{Op: "Get", URL: "secret"}), "classify: network: request failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// temporary is an error with an opinion on everything.
type temporary struct{ timeout, temporary bool }

func (temporary) Error() string     { return "temporary" }
func (e temporary) Timeout() bool   { return e.timeout }
func (e temporary) Temporary() bool { return e.temporary }

func TestErrorsForwardTimeoutAndTemporary(t *testing.T) {
	for _, c := range []struct {
		name               string
		kind               Kind
		cause              error
		timeout, temporary bool
	}{
		{"the kind is a timeout", DialTimeout, nil, true, false},
		{"nothing says so", Network, errors.New("x"), false, false},
		{"no cause", GrantRevoked, nil, false, false},
		{"the cause says both", Network, temporary{true, true}, true, true},
		{"a wrapped cause says both", Network, fmt.Errorf("w: %w", temporary{true, true}), true, true},
		{"the cause denies both", Network, temporary{}, false, false},
		{"a DNS error", DNS, &net.DNSError{IsTemporary: true, IsTimeout: true}, true, true},
		{"a URL error that cannot see the timeout below it", Network,
			&url.Error{Op: "Get", Err: fmt.Errorf("w: %w", context.DeadlineExceeded)}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Verdict{Kind: c.kind}.Err(c.cause)
			var root *AlterSDKError
			if !errors.As(err, &root) {
				t.Fatal("no *AlterSDKError")
			}
			if got := root.Timeout(); got != c.timeout {
				t.Errorf("Timeout(): got %v, want %v", got, c.timeout)
			}
			if got := root.Temporary(); got != c.temporary {
				t.Errorf("Temporary(): got %v, want %v", got, c.temporary)
			}
			if got := (&url.Error{Op: "Get", Err: err}).Timeout(); got != c.timeout {
				t.Errorf("url.Error.Timeout(): got %v, want %v", got, c.timeout)
			}
		})
	}
}

func TestDetailsAreDecodedAnewAndOnlyWhenWhole(t *testing.T) {
	for _, c := range []struct {
		name string
		d    *Detail
		want string
	}{
		{"no detail", nil, "map[]"},
		{"no details", &Detail{}, "map[]"},
		{"cut short", &Detail{details: []byte(`{"a":1,`)}, "map[]"},
		{"whole", &Detail{details: []byte(`{"a":1}`)}, "map[a:1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.d.Details()
			if s := fmt.Sprint(got); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
			if got != nil {
				got["a"] = 2
				if again := fmt.Sprint(c.d.Details()); again != c.want {
					t.Errorf("after a change: got %s, want %s", again, c.want)
				}
			}
		})
	}
}

func TestEveryErrorTextIsOneLineAndBeginsWithThePackage(t *testing.T) {
	for k := range Kinds() {
		got := Verdict{Kind: k}.Err(nil).Error()
		if !strings.HasPrefix(got, "classify: "+k.String()) || strings.Contains(got, "\n") {
			t.Errorf("%v: got %q", k, got)
		}
	}
}
