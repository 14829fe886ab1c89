package classify

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// alterTree is the hierarchy that Alter's error page prints, with AgentError below BackendError, where the page's prose puts it.
var alterTree = map[string]string{
	"AlterSDKError":                        "",
	"AlterValueError":                      "AlterSDKError",
	"BackendError":                         "AlterSDKError",
	"ReAuthRequiredError":                  "BackendError",
	"GrantExpiredError":                    "ReAuthRequiredError",
	"GrantRevokedError":                    "ReAuthRequiredError",
	"CredentialRevokedError":               "ReAuthRequiredError",
	"GrantDeletedError":                    "ReAuthRequiredError",
	"GrantNotFoundError":                   "BackendError",
	"AmbiguousGrantError":                  "BackendError",
	"PolicyViolationError":                 "BackendError",
	"InsufficientScopeError":               "BackendError",
	"NoDelegatedGrantError":                "BackendError",
	"TokenRefreshInProgressError":          "BackendError",
	"ConnectFlowError":                     "AlterSDKError",
	"ConnectDeniedError":                   "ConnectFlowError",
	"ConnectConfigError":                   "ConnectFlowError",
	"ConnectTimeoutError":                  "ConnectFlowError",
	"ProviderAPIError":                     "AlterSDKError",
	"ScopeReauthRequiredError":             "ProviderAPIError",
	"ApprovalError":                        "AlterSDKError",
	"ApprovalDeniedError":                  "ApprovalError",
	"ApprovalExpiredError":                 "ApprovalError",
	"ApprovalTimeoutError":                 "ApprovalError",
	"ApprovalExecutionFailedError":         "ApprovalError",
	"AgentError":                           "BackendError",
	"InvalidKeyError":                      "AgentError",
	"AgentNotFoundError":                   "AgentError",
	"AgentNameExistsError":                 "AgentError",
	"MeRequiresAgentKeyError":              "AgentError",
	"KeyRevokedError":                      "AgentError",
	"AgentInactiveError":                   "AgentError",
	"AgentRevokedError":                    "AgentError",
	"KeyNotFoundError":                     "AgentError",
	"KeyAlreadyRevokedError":               "AgentError",
	"LastActiveKeyError":                   "AgentError",
	"AgentCannotMintSubagentsError":        "AgentError",
	"AgentScopeNarrowingNotSupportedError": "AgentError",
	"IdempotencyKeyBodyMismatchError":      "AgentError",
	"IdempotencyKeyAgentRevokedError":      "AgentError",
	"IdempotencyKeyAgentInactiveError":     "AgentError",
	"NetworkError":                         "AlterSDKError",
	"TimeoutError":                         "NetworkError",

	// Newer than the page.
	"RestrictedGrantRequiresProxyError": "BackendError",
	"SiblingLabelConflictError":         "BackendError",
	"ProviderUnauthorizedError":         "ProviderAPIError",
}

func TestKindTreeHoldsEveryDocumentedClassBelowItsDocumentedParent(t *testing.T) {
	byClass := make(map[string]Kind)
	for k := range Kinds() {
		byClass[k.ErrorName()] = k
	}
	for class, parent := range alterTree {
		k, ok := byClass[class]
		if !ok {
			t.Errorf("no kind for %s", class)
			continue
		}
		if got := k.Parent().ErrorName(); got != parent {
			t.Errorf("parent of %s: got %q, want %q", class, got, parent)
		}
	}
}

func TestErrorTreeIsTheKindTree(t *testing.T) {
	cause := errors.New("cause")
	types := make(map[Kind]reflect.Type)
	for k := range Kinds() {
		types[k] = reflect.TypeOf(Verdict{Kind: k}.Err(cause))
	}
	for k := range Kinds() {
		err := Verdict{Kind: k}.Err(cause)
		if got, want := types[k].Elem().Name(), k.ErrorName(); got != want {
			t.Errorf("type of %v: got %s, want %s", k, got, want)
		}
		for ancestor, typ := range types {
			for _, e := range []error{err, fmt.Errorf("wrapped: %w", err)} {
				target := reflect.New(typ)
				if got, want := errors.As(e, target.Interface()), k.Is(ancestor); got != want {
					t.Errorf("errors.As(%v error, %v): got %v, want %v", k, typ, got, want)
				} else if want && target.Elem().IsNil() {
					t.Errorf("errors.As(%v error, %v) set nil", k, typ)
				}
			}
		}
		if !errors.Is(err, cause) {
			t.Errorf("errors.Is(%v error, cause): got false, want true", k)
		}
		if err := (Verdict{Kind: k}).Err(nil); err == nil {
			t.Errorf("Verdict{%v}.Err(nil): got nil, want an error", k)
		}
	}
}

func TestEveryLevelOfAnErrorUnwrapsToItsParent(t *testing.T) {
	cause := errors.New("cause")
	for k := range Kinds() {
		var got, want []string
		for err := (Verdict{Kind: k}).Err(cause); err != nil; err = errors.Unwrap(err) {
			if err != cause {
				got = append(got, reflect.TypeOf(err).Elem().Name())
			}
		}
		for p := k; p != Unclassified; p = p.Parent() {
			want = append(want, p.ErrorName())
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got chain %v, want %v", k, got, want)
		}
	}
}

func TestParentsStandBeforeTheirChildren(t *testing.T) {
	seen := map[Kind]bool{Unclassified: true}
	roots := 0
	for k := range Kinds() {
		if !seen[k.Parent()] {
			t.Errorf("%v stands before its parent %v", k, k.Parent())
		}
		if k.Parent() == Unclassified {
			roots++
		}
		if !k.Failure() || !k.Is(AlterSDK) {
			t.Errorf("%v is no failure below AlterSDK", k)
		}
		seen[k] = true
	}
	if roots != 1 {
		t.Errorf("got %d roots, want 1", roots)
	}
}

func TestKindsCanBeLeftEarly(t *testing.T) {
	for k := range Kinds() {
		if k != AlterSDK {
			t.Fatalf("got %v, want %v first", k, AlterSDK)
		}
		break
	}
}

func TestKindNamesAreUniqueAndReadBack(t *testing.T) {
	names := make(map[string]Kind)
	all := []Kind{Unclassified, Success}
	for k := range Kinds() {
		all = append(all, k)
	}
	for _, k := range all {
		text, err := k.MarshalText()
		if err != nil {
			t.Fatalf("%d.MarshalText: %v", k, err)
		}
		if other, taken := names[string(text)]; taken {
			t.Errorf("%d and %d share the name %q", k, other, text)
		}
		names[string(text)] = k
		var back Kind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("UnmarshalText(%q): got %v, %v, want %v", text, back, err, k)
		}
		if string(text) != strings.ToLower(string(text)) || strings.ContainsAny(string(text), " -") {
			t.Errorf("name %q is not in snake case", text)
		}
	}
	var k Kind
	if err := k.UnmarshalText([]byte("grant revoked")); err == nil || !strings.Contains(err.Error(), `"grant revoked"`) {
		t.Errorf("UnmarshalText of an unknown name: got %v, want an error that names it", err)
	}
}

func TestKindsOutsideTheTreeAreHarmless(t *testing.T) {
	for _, k := range []Kind{Unclassified, Success, Kind(len(kinds)), 255} {
		if k.Failure() {
			t.Errorf("%v.Failure(): got true, want false", k)
		}
		if got := k.Action(); got != None {
			t.Errorf("%v.Action(): got %v, want %v", k, got, None)
		}
		if got := k.Parent(); got != Unclassified {
			t.Errorf("%v.Parent(): got %v, want %v", k, got, Unclassified)
		}
		if got := k.ErrorName(); got != "" {
			t.Errorf("%v.ErrorName(): got %q, want none", k, got)
		}
		if k.Is(AlterSDK) || !k.Is(k) {
			t.Errorf("%v: got Is(AlterSDK) %v, Is(itself) %v, want false, true", k, k.Is(AlterSDK), k.Is(k))
		}
		if err := (Verdict{Kind: k}).Err(errors.New("cause")); err != nil {
			t.Errorf("Verdict{%v}.Err: got %v, want nil", k, err)
		}
	}
	if got := Kind(200).String(); got != "kind(200)" {
		t.Errorf("got %q, want %q", got, "kind(200)")
	}
}

func TestActionsFollowFromTheKind(t *testing.T) {
	// The page's own words decide where it has some.
	for kind, want := range map[Kind]Action{
		AlterValue: Fix, ReAuthRequired: Reauthorize, GrantExpired: Reauthorize, GrantRevoked: Reauthorize,
		CredentialRevoked: Reauthorize, GrantDeleted: Reauthorize, GrantNotFound: Fix, AmbiguousGrant: Choose,
		PolicyViolation: Wait, PolicyRateLimit: Wait, InsufficientScope: WidenScope, ScopeVersionMismatch: RotateKey,
		NoDelegatedGrant: Delegate, TokenRefreshInProgress: Retry, ScopeReauthRequired: Reauthorize,
		ApprovalTimeout: FollowUp, ApprovalDenied: Inspect, ApprovalExpired: Inspect, LastActiveKey: RotateKey, InvalidKey: RotateKey,
		ConnectDenied: RestartConnect, ConnectConfig: Fix, Network: Retry, Timeout: Retry, Canceled: None,
		TLS: Fix, HostNotFound: Fix, InvalidRequest: Fix,
	} {
		if got := kind.Action(); got != want {
			t.Errorf("%v: got action %v, want %v", kind, got, want)
		}
		if got := (Verdict{Kind: kind}).Action(); got != want {
			t.Errorf("verdict of %v: got action %v, want %v", kind, got, want)
		}
	}
	for k := range Kinds() {
		if a := k.Action(); a == None && k != Canceled {
			t.Errorf("%v has no action", k)
		}
	}
}

func TestEveryActionHasANameAndASentence(t *testing.T) {
	names := make(map[string]bool)
	for i, a := range Actions() {
		if int(a) != i {
			t.Errorf("Actions()[%d]: got %d", i, a)
		}
		text, err := a.MarshalText()
		if err != nil || len(text) == 0 || names[string(text)] {
			t.Errorf("action %d: got name %q, %v, want one of its own", a, text, err)
		}
		names[string(text)] = true
		if todo := a.Todo(); !strings.HasSuffix(todo, ".") {
			t.Errorf("%v: got %q, want a sentence", a, todo)
		}
	}
	if got, want := Action(99).String(), "action(99)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Action(99).Todo(); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestBasisHasAName(t *testing.T) {
	for basis, want := range map[Basis]string{Given: "given", Documented: "documented", Inferred: "inferred", Guessed: "guessed", 9: "unknown"} {
		if got, err := basis.MarshalText(); err != nil || string(got) != want {
			t.Errorf("Basis(%d): got %q, %v, want %q", basis, got, err, want)
		}
	}
}

func TestThePackageCommentDrawsTheBranchesAsTheyAre(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	branches := []Kind{}
	for k := range Kinds() {
		if k.Parent() == AlterSDK {
			branches = append(branches, k)
		}
	}
	want := fmt.Sprintf("//\t%-19s %s\n", AlterSDK, AlterSDK.Action())
	for i, k := range branches {
		line := "├──"
		if i == len(branches)-1 {
			line = "└──"
		}
		want += fmt.Sprintf("//\t%s %-15s %s\n", line, k, k.Action())
	}
	if !strings.Contains(string(source), "//\n"+want+"//\n") {
		t.Errorf("doc.go does not draw the tree so:\n%s", want)
	}
}
