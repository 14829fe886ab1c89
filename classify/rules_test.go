package classify

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func ExampleRules() {
	for _, r := range Rules() {
		fmt.Println(r.Name)
	}
	// Output:
	// unauthorized
	// challenge
	// openai_quota
	// openai_quota_type
	// anthropic_spend_limit
	// google_daily_limit
	// should_retry_false
	// should_retry_false_as_it_is
	// openai_requests_used_up
	// openai_tokens_used_up
	// should_retry_true_as_it_is
	// should_retry_true
	// stripe_should_retry_false
	// stripe_should_retry_false_as_it_is
	// stripe_should_retry_true_as_it_is
	// stripe_should_retry_true
	// stripe_key_in_use
	// aws_throttled
	// aws_throttled_by_server
	// aws_transient
	// aws_throttled_code
	// aws_transient_code
	// azure_transient
	// github_rate_limit
	// github_secondary_limit
	// github_too_many
	// github_secondary_limit_code
	// google_rate_limit
	// google_exhausted
	// google_unavailable
	// anthropic_overloaded
	// rate_limit_used_up
	// forbidden_for_now
}

func ExampleNewProvider() {
	// An API that answers 423 while a lock is held, and says in the header until when.
	provider, err := NewProvider(ProviderConfig{Rules: []Rule{{
		Name:     "locked",
		Statuses: []int{http.StatusLocked},
		Kind:     ProviderUnavailable,
		Reset:    "Lock-Expires",
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	v := provider.Classify(Outcome{
		Status: http.StatusLocked,
		Header: http.Header{"Date": {"Tue, 03 Mar 2026 12:00:00 GMT"}, "Lock-Expires": {"1772539230"}},
	})
	fmt.Println(v.Kind, v.Action(), v.RetryAfter)
	// Output: provider_unavailable retry 30s
}

// header reads "Name: value" lines.
func header(lines ...string) http.Header {
	h := make(http.Header)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return h
}

var (
	ruleTime = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	ruleDate = "Date: " + ruleTime.Format(http.TimeFormat)
)

func epoch(in time.Duration) string { return fmt.Sprint(ruleTime.Add(in).Unix()) }

const (
	gitHubID    = "X-GitHub-Request-Id: C0DE:1D:2B:3C:65A0"
	openAIQuota = `{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`
)

var knownAnswers = []struct {
	name        string
	rule        string // that decides; empty for none
	status      int
	header      http.Header
	body        string
	kind        Kind
	unprocessed bool
	hint        time.Duration
	code        string
}{
	{"OpenAI: no credit", "openai_quota", 429, header("X-Request-Id: req_1"), openAIQuota, ProviderAPI, false, 0, "insufficient_quota"},
	{"OpenAI: a project's limit in the code, whatever the type", "openai_quota", 429, nil,
		`{"error":{"message":"m","type":"insufficient_quota","code":"project_spend_limit_exceeded"}}`, ProviderAPI, false, 0, "project_spend_limit_exceeded"},
	{"OpenAI: no credit in the type alone", "openai_quota_type", 429, nil, `{"error":{"code":null,"type":"insufficient_quota"}}`, ProviderAPI, false, 0, "insufficient_quota"},
	{"OpenAI: no credit, and told to retry", "openai_quota", 429, header("X-Should-Retry: true"), openAIQuota, ProviderAPI, false, 0, "insufficient_quota"},
	{"OpenAI: an unpaid bill", "openai_quota", 429, header("X-Request-Id: req_1"),
		`{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","param":null,"code":"billing_not_active"}}`,
		ProviderAPI, false, 0, "billing_not_active"},
	{"OpenAI: an unpaid bill in the type alone", "openai_quota_type", 429, nil, `{"error":{"type":"billing_not_active","code":null}}`, ProviderAPI, false, 0, "billing_not_active"},
	{"OpenAI: no requests left", "openai_requests_used_up", 429,
		header("X-RateLimit-Remaining-Requests: 0", "X-RateLimit-Reset-Requests: 1m0s", "X-RateLimit-Remaining-Tokens: 149984", "X-RateLimit-Reset-Tokens: 6ms"),
		`{"error":{"type":"requests","code":"rate_limit_exceeded"}}`, ProviderRateLimit, true, time.Minute, "rate_limit_exceeded"},
	{"OpenAI: no tokens left", "openai_tokens_used_up", 429,
		header("X-RateLimit-Remaining-Requests: 59", "X-RateLimit-Reset-Requests: 1s", "X-RateLimit-Remaining-Tokens: 0", "X-RateLimit-Reset-Tokens: 6m0.5s", "X-Should-Retry: true"),
		`{"error":{"type":"tokens","code":"rate_limit_exceeded"}}`, ProviderRateLimit, true, 6*time.Minute + 500*time.Millisecond, "rate_limit_exceeded"},
	{"OpenAI: a Retry-After stands before the reset", "openai_requests_used_up", 429, header("Retry-After: 20", "X-RateLimit-Remaining-Requests: 0", "X-RateLimit-Reset-Requests: 1m0s"),
		``, ProviderRateLimit, true, 20 * time.Second, ""},
	{"OpenAI: no requests left, and no credit", "openai_quota", 429, header("X-RateLimit-Remaining-Requests: 0", "X-RateLimit-Reset-Requests: 1m0s"), openAIQuota, ProviderAPI, false, 0, "insufficient_quota"},
	{"OpenAI: too fast", "", 429, header("Retry-After-Ms: 1200", "Retry-After: 2"),
		`{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}`, ProviderRateLimit, true, 1200 * time.Millisecond, "rate_limit_exceeded"},
	{"OpenAI: a conflict worth a retry", "should_retry_true", 409, header("X-Should-Retry: true"), `{"error":{"code":"conflict"}}`, ProviderUnavailable, false, 0, "conflict"},
	{"OpenAI: a 500 not worth one", "should_retry_false", 500, header("X-Should-Retry: false"), `{}`, ProviderAPI, false, 0, ""},
	{"OpenAI: a wrong key", "unauthorized", 401, header("X-Should-Retry: true"), `{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}`, ProviderUnauthorized, false, 0, "invalid_api_key"},

	{"Anthropic: overloaded", "anthropic_overloaded", 529, header("Request-Id: req_1"),
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`, ProviderUnavailable, false, 0, "overloaded_error"},
	{"Anthropic: overloaded, and told to retry", "should_retry_true", 529, header("X-Should-Retry: true", "Retry-After: 5"),
		`{"type":"error","error":{"type":"overloaded_error"}}`, ProviderUnavailable, false, 5 * time.Second, "overloaded_error"},
	{"Anthropic: too fast", "should_retry_true_as_it_is", 429, header("X-Should-Retry: true", "Retry-After: 7"),
		`{"type":"error","error":{"type":"rate_limit_error"}}`, ProviderRateLimit, true, 7 * time.Second, "rate_limit_error"},
	{"Anthropic: too fast, and told not to retry", "should_retry_false", 429, header("X-Should-Retry: false"), `{}`, ProviderAPI, false, 0, ""},
	{"Anthropic: the month's spend limit", "anthropic_spend_limit", 429, nil,
		`{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}`, ProviderAPI, false, 0, "enforced_spend_limit_reached"},
	{"Anthropic: a bad request", "should_retry_false_as_it_is", 400, header("X-Should-Retry: false"), `{"type":"error","error":{"type":"invalid_request_error"}}`, ProviderRequest, false, 0, "invalid_request_error"},

	{"Stripe: a lock timeout", "stripe_should_retry_true", 409, header("Stripe-Should-Retry: true"), `{"error":{"type":"invalid_request_error","code":"lock_timeout"}}`, ProviderUnavailable, false, 0, "lock_timeout"},
	{"Stripe: a limit", "stripe_should_retry_true_as_it_is", 429, header("Stripe-Should-Retry: true"), `{"error":{"code":"rate_limit"}}`, ProviderRateLimit, true, 0, "rate_limit"},
	{"Stripe: a 500 that would be replayed", "stripe_should_retry_false", 500, header("Stripe-Should-Retry: false", "Idempotency-Key: k"), `{"error":{"type":"api_error"}}`, ProviderAPI, false, 0, "api_error"},
	{"Stripe: a declined card", "stripe_should_retry_false_as_it_is", 402, header("Stripe-Should-Retry: false"), `{"error":{"code":"card_declined","type":"card_error"}}`, ProviderAPI, false, 0, "card_declined"},

	{"Stripe: the key's first request is under way", "stripe_key_in_use", 409, nil,
		`{"error":{"type":"idempotency_error","code":"idempotency_key_in_use"}}`, ProviderUnavailable, false, 0, "idempotency_key_in_use"},
	{"Stripe: the key's first request is under way, and told not to retry", "stripe_should_retry_false_as_it_is", 409, header("Stripe-Should-Retry: false"),
		`{"error":{"code":"idempotency_key_in_use"}}`, ProviderAPI, false, 0, "idempotency_key_in_use"},
	{"Stripe: another conflict", "", 409, nil, `{"error":{"type":"idempotency_error"}}`, ProviderAPI, false, 0, "idempotency_error"},

	{"AWS: Lambda", "aws_throttled", 429, header("X-Amzn-ErrorType: TooManyRequestsException", "Retry-After: 1"), `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User"}`,
		ProviderRateLimit, true, time.Second, ""},
	{"AWS: a shape id in the header", "aws_throttled", 400, header("X-Amzn-ErrorType: ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/"),
		`{"message":"Rate exceeded"}`, ProviderRateLimit, true, 0, ""},
	{"AWS: a namespace in the header", "aws_throttled", 400, header("X-Amzn-ErrorType: com.amazon.coral.availability#ThrottlingException"), ``, ProviderRateLimit, true, 0, ""},
	{"AWS: a 503 in the header", "aws_throttled_by_server", 503, header("X-Amzn-ErrorType: SlowDown"), ``, ProviderRateLimit, false, 0, ""},
	{"AWS: a transaction under way", "aws_transient", 400, header("X-Amzn-ErrorType: TransactionInProgressException"), ``, ProviderUnavailable, false, 0, ""},
	{"AWS: DynamoDB", "aws_throttled_code", 400, header("Content-Type: application/x-amz-json-1.0", "X-Amzn-RequestId: LDM6"),
		`{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput was exceeded."}`,
		ProviderRateLimit, false, 0, "ProvisionedThroughputExceededException"},
	{"AWS: a code", "aws_throttled_code", 429, nil, `{"code":"Throttling","message":"Rate exceeded"}`, ProviderRateLimit, true, 0, "Throttling"},
	{"AWS: a shape id in the code", "aws_throttled_code", 400, nil, `{"code":"com.amazonaws.example#ThrottlingException:http://internal.amazon.com/coral/"}`, ProviderRateLimit, false, 0, "ThrottlingException"},
	{"AWS: S3's timeout", "aws_transient_code", 400, nil, `{"code":"RequestTimeout"}`, ProviderUnavailable, false, 0, "RequestTimeout"},
	{"AWS: STS", "aws_throttled_code", 400, header("Content-Type: text/xml"),
		`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
		ProviderRateLimit, false, 0, "Throttling"},
	{"AWS: STS in JSON", "aws_throttled_code", 400, nil, `{"Error":{"Code":"Throttling","Message":"Rate exceeded","Type":"Sender"},"RequestId":"1"}`, ProviderRateLimit, false, 0, "Throttling"},
	{"AWS: EC2", "aws_throttled_code", 503, header("Content-Type: text/xml;charset=UTF-8"), `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>1</RequestID></Response>`,
		ProviderRateLimit, false, 0, "RequestLimitExceeded"},
	{"AWS: S3", "aws_throttled_code", 503, header("Content-Type: application/xml"),
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>1</RequestId></Error>`,
		ProviderRateLimit, false, 0, "SlowDown"},
	{"AWS: S3's timeout in XML", "aws_transient_code", 400, nil, `<Error><Code>RequestTimeout</Code></Error>`, ProviderUnavailable, false, 0, "RequestTimeout"},
	{"AWS: an object that is not there", "", 404, nil, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`, ProviderRequest, false, 0, "NoSuchKey"},
	{"AWS: another exception", "", 400, nil, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}`, ProviderRequest, false, 0, ""},

	{"Azure: a storage timeout", "azure_transient", 500, header("X-Ms-Error-Code: OperationTimedOut", "X-Ms-Request-Id: r"), `<?xml version="1.0"?><Error/>`, ProviderUnavailable, false, 0, ""},
	{"Azure: a busy server", "azure_transient", 503, header("x-ms-error-code: ServerBusy", "x-ms-retry-after-ms: 400"), ``, ProviderUnavailable, false, 400 * time.Millisecond, ""},
	{"Azure: a blob that is not there", "", 404, header("X-Ms-Error-Code: BlobNotFound"), ``, ProviderRequest, false, 0, ""},

	{"GitHub: the primary limit", "github_rate_limit", 403, header(gitHubID, ruleDate, "X-RateLimit-Limit: 60", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: "+epoch(25*time.Minute)),
		`{"message":"API rate limit exceeded for 192.0.2.1.","documentation_url":"https://docs.github.com/rest"}`, ProviderRateLimit, true, 25 * time.Minute, ""},
	{"GitHub: the primary limit as a 429", "github_rate_limit", 429, header(gitHubID, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: "+epoch(time.Second)), `{}`, ProviderRateLimit, true, time.Second, ""},
	{"GitHub: a Retry-After stands before the reset", "github_rate_limit", 403, header(gitHubID, "Retry-After: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: "+epoch(time.Hour)), `{}`, ProviderRateLimit, true, 0, ""},
	{"GitHub: a secondary limit", "github_secondary_limit", 403, header(gitHubID, "Retry-After: 60", "X-RateLimit-Remaining: 4911", "X-RateLimit-Reset: "+epoch(time.Hour)),
		`{"message":"You have exceeded a secondary rate limit."}`, ProviderRateLimit, true, time.Minute, ""},
	{"GitHub: a secondary limit in the body alone", "github_secondary_limit_code", 403, header(gitHubID, "X-RateLimit-Remaining: 4911", "X-RateLimit-Reset: "+epoch(time.Hour)),
		`{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api?apiVersion=2022-11-28#about-secondary-rate-limits"}`,
		ProviderRateLimit, false, time.Minute, "about-secondary-rate-limits"},
	{"GitHub: a secondary limit by an older name", "github_secondary_limit_code", 403, header(gitHubID),
		`{"documentation_url":"https://docs.github.com/en/rest/overview/resources-in-the-rest-api#abuse-rate-limits"}`, ProviderRateLimit, false, time.Minute, "abuse-rate-limits"},
	{"GitHub: a secondary limit as a 429", "github_too_many", 429, header(gitHubID, "X-RateLimit-Remaining: 4911", "X-RateLimit-Reset: "+epoch(time.Hour)), `{}`, ProviderRateLimit, true, time.Minute, ""},
	{"GitHub: a secondary limit as a 429 that says for how long", "github_too_many", 429, header(gitHubID, "Retry-After: 3"), `{}`, ProviderRateLimit, true, 3 * time.Second, ""},
	{"GitHub: a secondary limit as a 429 that is over", "github_too_many", 429, header(gitHubID, "Retry-After: 0"), `{}`, ProviderRateLimit, true, 0, ""},
	{"GitHub: another page of its documentation", "", 403, header(gitHubID), `{"documentation_url":"https://docs.github.com/rest/repos/secondary-rate-limits/repos#get"}`, ProviderAPI, false, 0, ""},
	{"not GitHub, which its documentation does not make it", "", 403, nil, `{"documentation_url":"https://docs.github.com/rest#about-secondary-rate-limits"}`, ProviderAPI, false, 0, ""},
	{"GitHub: no permission", "", 403, header(gitHubID, "X-RateLimit-Remaining: 4999", "X-RateLimit-Reset: "+epoch(time.Hour)), `{"message":"Must have admin rights to Repository."}`, ProviderAPI, false, 0, ""},
	{"another API with GitHub's fields", "rate_limit_used_up", 403, header("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: "+epoch(time.Minute)), ``, ProviderRateLimit, false, time.Minute, ""},
	{"another API that says for how long", "forbidden_for_now", 403, header("Retry-After: 9"), ``, ProviderRateLimit, false, 9 * time.Second, ""},

	{"Google: too fast", "google_rate_limit", 429, nil,
		`{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com"}]}}`,
		ProviderRateLimit, true, 0, "RATE_LIMIT_EXCEEDED"},
	{"Google: Drive", "google_rate_limit", 403, nil,
		`{"error":{"errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded","message":"User Rate Limit Exceeded"}],"code":403,"message":"User Rate Limit Exceeded"}}`,
		ProviderRateLimit, false, 0, "userRateLimitExceeded"},
	{"Google: the day's limit", "google_daily_limit", 403, nil, `{"error":{"errors":[{"domain":"usageLimits","reason":"dailyLimitExceeded"}],"code":403}}`, ProviderAPI, false, 0, "dailyLimitExceeded"},
	{"Google: exhausted", "google_exhausted", 429, nil, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`, ProviderRateLimit, true, 0, "RESOURCE_EXHAUSTED"},
	{"Google: in a list, as streaming methods answer", "google_exhausted", 429, nil, `[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]`, ProviderRateLimit, true, 0, "RESOURCE_EXHAUSTED"},
	{"Google: unavailable", "google_unavailable", 500, nil, `{"error":{"code":503,"status":"UNAVAILABLE"}}`, ProviderUnavailable, false, 0, "UNAVAILABLE"},
	{"Google: no permission", "", 403, nil, `{"error":{"code":403,"status":"PERMISSION_DENIED","errors":[{"reason":"insufficientPermissions"}]}}`, ProviderAPI, false, 0, ""},

	{"missing scopes come before all", "challenge", 403,
		header(gitHubID, `WWW-Authenticate: Bearer error="insufficient_scope", scope="a"`, "X-RateLimit-Remaining: 0", "Retry-After: 5", "X-Should-Retry: true"), ``,
		ScopeReauthRequired, false, 5 * time.Second, ""},
}

func TestAnswersOfKnownAPIs(t *testing.T) {
	exercised := make(map[string]bool)
	for _, c := range knownAnswers {
		t.Run(c.name, func(t *testing.T) {
			name := ""
			if r, _ := builtinRules.match(c.status, c.header, ruleTime, []byte(c.body)); r != nil {
				name = r.Name
			}
			exercised[name] = true
			if name != c.rule {
				t.Errorf("rule: got %q, want %q", name, c.rule)
			}
			v := Provider{}.Classify(Outcome{Status: c.status, Header: c.header, Body: []byte(c.body), Time: ruleTime})
			if v.Kind != c.kind || v.Unprocessed != c.unprocessed || v.RetryAfter != c.hint || v.Code != c.code {
				t.Errorf("got %v, unprocessed %v, hint %v, code %q, want %v, %v, %v, %q", v.Kind, v.Unprocessed, v.RetryAfter, v.Code, c.kind, c.unprocessed, c.hint, c.code)
			}
			checkVerdict(t, v)
		})
	}
	for _, r := range Rules() {
		if !exercised[r.Name] {
			t.Errorf("rule %q: no answer of this test exercises it", r.Name)
		}
	}
}

func TestTheBuiltInRulesAreInOrder(t *testing.T) {
	if _, err := NewProvider(ProviderConfig{Rules: Rules()}); err != nil {
		t.Error(err)
	}
	for _, r := range Rules() {
		if !strings.HasPrefix(r.Source, "RFC ") && !strings.Contains(r.Source, "https://") {
			t.Errorf("%s: got source %q, want an RFC or a page", r.Name, r.Source)
		}
		for name := range r.Header {
			if http.CanonicalHeaderKey(name) != name {
				t.Errorf("%s: %q is not in canonical form", r.Name, name)
			}
		}
	}
}

func TestNobodyCanChangeTheBuiltInRules(t *testing.T) {
	before, got := Rules(), Rules()
	for i := range got {
		got[i].Name = "x"
		for _, list := range [][]string{got[i].Members, got[i].Codes} {
			if len(list) > 0 {
				list[0] = "x"
			}
		}
		if len(got[i].Statuses) > 0 {
			got[i].Statuses[0] = 0
		}
		for name, values := range got[i].Header {
			if len(values) > 0 {
				values[0] = "x"
			}
			delete(got[i].Header, name)
		}
	}
	if !reflect.DeepEqual(Rules(), before) {
		t.Error("the caller's changes show")
	}
}

func TestBasisOfARule(t *testing.T) {
	limited := Outcome{Status: 400, Body: []byte(`{"code":"SlowDown"}`)}
	own, err := NewProvider(ProviderConfig{Rules: []Rule{{Name: "own", Statuses: []int{400}, Kind: ProviderUnavailable}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		by   Provider
		o    Outcome
		want Basis
	}{
		{"the built-in rules are documented", Provider{}, limited, Documented},
		{"the user's are given", own, limited, Given},
		{"so is the status", Provider{}, Outcome{Status: 404}, Given},
		{"which a rule may keep", Provider{}, Outcome{Status: 404, Header: header("X-Should-Retry: false")}, Given},
	} {
		if got := c.by.Classify(c.o).Basis; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestShouldRetryOnEveryStatus(t *testing.T) {
	codes := []byte(`{"__type":"SlowDown","code":"SlowDown","error":{"type":"overloaded_error","status":"UNAVAILABLE","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}}`)
	for _, field := range []string{"X-Should-Retry", "Stripe-Should-Retry"} {
		for status := 400; status < 600; status++ {
			as := Provider{}.Classify(Outcome{Status: status})
			o := Outcome{Status: status, Body: codes, Header: header(field+": false", gitHubID, "X-Amzn-Errortype: SlowDown", "X-Ratelimit-Remaining: 0", "Retry-After: 1")}
			v := Provider{}.Classify(o)
			if a := v.Action(); a == Retry || a == Wait || v.Unprocessed || v.Kind == ProviderInternal {
				t.Errorf("%s: false on %d: got %v", field, status, v.Kind)
			}
			if a := as.Action(); a != Retry && a != Wait && status < 500 && v.Kind != as.Kind {
				t.Errorf("%s: false on %d: got %v, want %v as without it", field, status, v.Kind, as.Kind)
			}
			o.Header.Set(field, "true")
			v = Provider{}.Classify(o)
			want := ProviderUnavailable
			if status == 401 || status == 429 {
				want = as.Kind
			}
			if v.Kind != want || v.Unprocessed != (status == 429) {
				t.Errorf("%s: true on %d: got %v, unprocessed %v, want %v", field, status, v.Kind, v.Unprocessed, want)
			}
		}
		if v := (Provider{}).Classify(Outcome{Status: 399, Header: header(field + ": true")}); v.Kind != Unclassified {
			t.Errorf("%s: true on 399: got %v", field, v.Kind)
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	huge := strings.Repeat("9", 5000)
	big := func(s string) string { return strings.Repeat(s, 2000) }
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		kind   Kind
		hint   time.Duration
	}{
		{"a field without a value", 409, http.Header{"X-Should-Retry": {}}, ``, ProviderAPI, 0},
		{"an empty value", 409, header("X-Should-Retry:"), ``, ProviderAPI, 0},
		{"an empty value before another", 409, http.Header{"X-Should-Retry": {"", "true"}}, ``, ProviderAPI, 0},
		{"true and false", 409, header("X-Should-Retry: true, false"), ``, ProviderAPI, 0},
		{"false, then true", 500, http.Header{"X-Should-Retry": {"false", "true"}}, ``, ProviderAPI, 0},
		{"another spelling", 409, header("X-Should-Retry: TRUE"), ``, ProviderAPI, 0},
		{"a number", 409, header("X-Should-Retry: 1"), ``, ProviderAPI, 0},
		{"true with a shape id's tail", 409, header("X-Should-Retry: true:http://x"), ``, ProviderAPI, 0},
		{"two that contradict each other", 503, header("X-Should-Retry: true", "Stripe-Should-Retry: false"), ``, ProviderUnavailable, 0},
		{"a retry that a body asks for", 400, nil, `{"x-should-retry":"true","X-Should-Retry":true}`, ProviderRequest, 0},
		{"a huge value", 400, header("X-Amzn-Errortype: " + huge), ``, ProviderRequest, 0},
		{"a shape id of nothing", 400, header("X-Amzn-Errortype: #:"), ``, ProviderRequest, 0},
		{"an error type beside a success", 304, header("X-Amzn-Errortype: SlowDown"), ``, Unclassified, 0},
		{"no duration in a reset", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: soon"), ``, ProviderRateLimit, 0},
		{"a reset without a unit, which is a time long past", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 60"), ``, ProviderRateLimit, 0},
		{"a reset with a fraction and no unit", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 1.5"), ``, ProviderRateLimit, 0},
		{"a negative reset", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: -1s"), ``, ProviderRateLimit, 0},
		{"a reset with a plus", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: +1s"), ``, ProviderRateLimit, 0},
		{"a reset with an exponent", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 1e3s"), ``, ProviderRateLimit, 0},
		{"a reset in more than a hundred years", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 900000h"), ``, ProviderRateLimit, 0},
		{"a reset in more than a duration holds", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: 9999999999h"), ``, ProviderRateLimit, 0},
		{"a huge reset", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: "+huge+"s"), ``, ProviderRateLimit, 0},
		{"a reset of many parts", 429, header("X-Ratelimit-Remaining-Requests: 0", "X-Ratelimit-Reset-Requests: "+big("1s")), ``, ProviderRateLimit, 0},
		{"a reset of a limit with some left", 429, header("X-Ratelimit-Remaining-Requests: 1", "X-Ratelimit-Reset-Requests: 1m0s"), ``, ProviderRateLimit, 0},
		{"a key in use on another status", 400, nil, `{"error":{"code":"idempotency_key_in_use"}}`, ProviderRequest, 0},
		{"codes of the Alter backend in XML", 403, nil, `<Error><Code>grant_revoked</Code></Error>`, ProviderAPI, 0},
		{"a code elsewhere", 400, nil, `{"message":"ThrottlingException","x":{"code":"ThrottlingException"},"error":{"code":"SlowDown"},"errors":[{"code":"SlowDown"}]}`, ProviderRequest, 0},
		{"a code in another case", 400, nil, `{"code":"slowdown"}`, ProviderRequest, 0},
		{"a code of another type", 400, nil, `{"code":400,"__type":["SlowDown",{"SlowDown":"SlowDown"}],"__type":null}`, ProviderRateLimit, 0},
		{"a shape id of another member", 429, nil, `{"error":{"code":"a#insufficient_quota:b"}}`, ProviderRateLimit, 0},
		{"a shape id's namespace", 400, nil, `{"code":"SlowDown#x:SlowDown","__type":"SlowDown#x:SlowDown"}`, ProviderRequest, 0},
		{"a code in escapes", 400, nil, `{"code":"\u0053lowDown"}`, ProviderRateLimit, 0},
		{"a code cut short", 400, nil, `{"code":"SlowDown`, ProviderRequest, 0},
		{"a code behind garbage", 400, nil, `garbage {"code":"SlowDown"}`, ProviderRequest, 0},
		{"lists in lists", 429, nil, `{"error":` + big(`[`) + `{"status":"UNAVAILABLE"}`, ProviderRateLimit, 0},
		{"a reason in a list of lists", 403, nil, `{"error":{"errors":[[{"reason":"rateLimitExceeded"}]]}}`, ProviderAPI, 0},
		{"a reason beyond the end of a list", 403, nil, `{"error":{"errors":[` + big(`{},`) + `{"reason":"rateLimitExceeded"}]}}`, ProviderAPI, 0},
		{"a reason at the end of a list", 403, nil, `{"error":{"errors":[` + strings.Repeat(`{},`, maxList-1) + `{"reason":"rateLimitExceeded"}]}}`, ProviderRateLimit, 0},
		{"a reason just beyond the end of a list", 403, nil, `{"error":{"errors":[` + strings.Repeat(`{},`, maxList) + `{"reason":"rateLimitExceeded"}]}}`, ProviderAPI, 0},
		{"a quota beside another status", 503, nil, openAIQuota, ProviderUnavailable, 0},
		{"an overload beside another status", 400, nil, `{"error":{"type":"overloaded_error"}}`, ProviderRequest, 0},
		{"codes of the Alter backend", 403, header("X-Ms-Error-Code: token_refresh_in_progress"), `{"code":"token_refresh_in_progress","error":{"code":"grant_revoked"}}`, ProviderAPI, 0},
		{"Azure's code on a 4xx", 409, header("X-Ms-Error-Code: ServerBusy"), ``, ProviderAPI, 0},
		{"a garbage pause", 403, header(gitHubID, "Retry-After: soon"), ``, ProviderAPI, 0},
		{"a past pause", 403, header(gitHubID, ruleDate, "Retry-After: Mon, 02 Mar 2026 12:00:00 GMT"), ``, ProviderAPI, 0},
		{"a huge pause", 403, header(gitHubID, "Retry-After: 99999999999999999999"), ``, ProviderRateLimit, maxHint},
		{"nearly nothing left", 403, header(gitHubID, "X-Ratelimit-Remaining: 00"), ``, ProviderAPI, 0},
		{"less than nothing left", 403, header(gitHubID, "X-Ratelimit-Remaining: -1"), ``, ProviderAPI, 0},
		{"nothing left, at a redirect", 302, header(gitHubID, "X-Ratelimit-Remaining: 0"), ``, Unclassified, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Provider{}.Classify(Outcome{Status: c.status, Header: c.header, Body: []byte(c.body), Time: ruleTime})
			if v.Kind != c.kind || v.RetryAfter != c.hint {
				t.Errorf("got %v, %v, want %v, %v", v.Kind, v.RetryAfter, c.kind, c.hint)
			}
			checkVerdict(t, v)
		})
	}
}

func TestResetOfARateLimit(t *testing.T) {
	future := epoch(time.Minute)
	for _, c := range []struct {
		name  string
		reset []string
		date  string
		now   time.Time
		want  time.Duration
	}{
		{"none", nil, "", ruleTime, 0},
		{"a minute ahead", []string{future}, "", ruleTime, time.Minute},
		{"spaces around", []string{" " + future + " "}, "", ruleTime, time.Minute},
		{"now", []string{epoch(0)}, "", ruleTime, 0},
		{"past", []string{epoch(-time.Second)}, "", ruleTime, 0},
		{"seconds from now, which some APIs send", []string{"60"}, "", ruleTime, 0},
		{"zero", []string{"0"}, "", ruleTime, 0},
		{"negative", []string{"-" + future}, "", ruleTime, 0},
		{"a fraction", []string{future + ".5"}, "", ruleTime, 0},
		{"milliseconds", []string{future + "000"}, "", ruleTime, 0},
		{"a date", []string{ruleTime.Add(time.Hour).Format(http.TimeFormat)}, "", ruleTime, 0},
		{"garbage", []string{"soon"}, "", ruleTime, 0},
		{"empty", []string{""}, "", ruleTime, 0},
		{"only the first counts", []string{"soon", future}, "", ruleTime, 0},
		{"a hundred years ahead", []string{epoch(maxHint)}, "", ruleTime, maxHint},
		{"more", []string{epoch(maxHint + time.Second)}, "", ruleTime, 0},
		{"the end of the year 9999", []string{"253402300799"}, "", ruleTime, 0},
		{"the largest number", []string{"9223372036854775807"}, "", ruleTime, 0},
		{"more digits than a number holds", []string{strings.Repeat("9", 20)}, "", ruleTime, 0},
		{"5000 digits", []string{strings.Repeat("9", 5000)}, "", ruleTime, 0},
		{"against the answer's own clock, a day ahead", []string{epoch(24*time.Hour + time.Second)}, ruleTime.Add(24 * time.Hour).Format(http.TimeFormat), ruleTime, time.Second},
		{"against the answer's own clock, without one here", []string{future}, ruleTime.Format(http.TimeFormat), time.Time{}, time.Minute},
		{"a broken clock there", []string{future}, "yesterday", ruleTime, time.Minute},
		{"no clock at all", []string{future}, "", time.Time{}, 0},
		{"the earliest clock", []string{future}, "Tue, 01 Jan 0002 00:00:00 GMT", ruleTime, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": c.reset}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			for _, id := range []string{"", "1"} {
				h.Set("X-Github-Request-Id", id)
				v := Provider{}.Classify(Outcome{Status: 403, Header: h, Time: c.now})
				if v.Kind != ProviderRateLimit || v.RetryAfter != c.want || v.Unprocessed != (id != "") {
					t.Errorf("got %v, %v, unprocessed %v, want %v", v.Kind, v.RetryAfter, v.Unprocessed, c.want)
				}
			}
		})
	}
	h := header("X-Ratelimit-Remaining: 0", "X-Ratelimit-Reset: "+future, `RateLimit: "p";r=0;t=7`)
	if v := (Provider{}).Classify(Outcome{Status: 429, Header: h, Time: ruleTime}); v.RetryAfter != 7*time.Second {
		t.Errorf("beside a RateLimit field: got %v, want 7s", v.RetryAfter)
	}
}

func TestRulesOfTheUserComeFirst(t *testing.T) {
	mine := []Rule{
		{Name: "keep", Header: map[string][]string{"x-keep": nil}},
		{Name: "code", Statuses: []int{422}, Members: []string{"fault.reason.name"}, Codes: []string{"busy", "full"}, Kind: ProviderUnavailable},
		{Name: "later code", Members: []string{"fault.reason.name", "code"}, Codes: []string{"full", "busy"}, Kind: ProviderInternal},
		{Name: "class", Statuses: []int{5, 999}, Header: map[string][]string{"x-class": {"a", "b"}}, Kind: ProviderUnauthorized},
		{Name: "refused", Statuses: []int{4}, Header: map[string][]string{"x-refused": {"1"}}, Kind: ProviderRateLimit, Unprocessed: true, Reset: "x-until"},
		{Name: "refused for now", Statuses: []int{4}, Header: map[string][]string{"x-hinted": nil}, Hinted: true, Kind: ProviderUnavailable},
		{Name: "waits", Statuses: []int{418}, Kind: ProviderUnavailable, Reset: "x-until", Wait: 2 * time.Second},
		{Name: "expired", Statuses: []int{400}, Members: []string{"code"}, Codes: []string{"SlowDown"}, Kind: ProviderUnauthorized},
	}
	p, err := NewProvider(ProviderConfig{Rules: mine})
	if err != nil {
		t.Fatal(err)
	}
	mine[3].Statuses[0], mine[3].Header["x-class"][0] = 400, "z" // p has its own
	for _, c := range []struct {
		name        string
		status      int
		header      http.Header
		body        string
		kind        Kind
		unprocessed bool
		hint        time.Duration
		code        string
	}{
		{"none fits", 404, nil, ``, ProviderRequest, false, 0, ""},
		{"a rule that keeps the status's kind", 429, header("X-Keep: 1"), openAIQuota, ProviderRateLimit, true, 0, "insufficient_quota"},
		{"a code", 422, nil, `{"fault":{"reason":{"name":"busy"}}}`, ProviderUnavailable, false, 0, "busy"},
		{"a code in an array", 422, nil, `{"fault":{"reason":[{"name":"x"},{"name":"full"}]}}`, ProviderUnavailable, false, 0, "full"},
		{"the same code on another status", 404, nil, `{"fault":{"reason":{"name":"full"}}}`, ProviderInternal, false, 0, "full"},
		{"the first rule wins, wherever its code stands", 422, nil, `{"code":"full","fault":{"reason":{"name":"busy"}}}`, ProviderUnavailable, false, 0, "busy"},
		{"a class", 507, header("X-Class: b"), ``, ProviderUnauthorized, false, 0, ""},
		{"a status of no class", 999, header("X-Class: a"), ``, ProviderUnauthorized, false, 0, ""},
		{"another class", 404, header("X-Class: b"), ``, ProviderRequest, false, 0, ""},
		{"another value", 507, header("X-Class: z"), ``, ProviderInternal, false, 0, ""},
		{"a refusal and its reset", 409, header("X-Refused: 1", "X-Until: "+epoch(3*time.Second)), ``, ProviderRateLimit, true, 3 * time.Second, ""},
		{"a refusal of the server's", 500, header("X-Refused: 1"), ``, ProviderInternal, false, 0, ""},
		{"a hint", 404, header("X-Hinted: 1", "Retry-After: 3"), ``, ProviderUnavailable, false, 3 * time.Second, ""},
		{"a wait", 418, nil, ``, ProviderUnavailable, false, 2 * time.Second, ""},
		{"a reset before a wait", 418, header("X-Until: 7s"), ``, ProviderUnavailable, false, 7 * time.Second, ""},
		{"a wait where the reset says nothing", 418, header("X-Until: soon"), ``, ProviderUnavailable, false, 2 * time.Second, ""},
		{"a hint before a wait", 418, header("Retry-After: 1", "X-Until: 7s"), ``, ProviderUnavailable, false, time.Second, ""},
		{"a hint to come at once before a wait", 418, header("Retry-After: 0", "X-Until: 7s"), ``, ProviderUnavailable, false, 0, ""},
		{"no hint", 404, header("X-Hinted: 1"), ``, ProviderRequest, false, 0, ""},
		{"before a built-in rule", 400, nil, `{"code":"SlowDown"}`, ProviderUnauthorized, false, 0, "SlowDown"},
		{"a built-in rule after all", 429, nil, openAIQuota, ProviderAPI, false, 0, "insufficient_quota"},
		{"a refresh is asked for in vain", 401, header("X-Should-Retry: true"), ``, ProviderUnauthorized, false, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := p.Classify(Outcome{Status: c.status, Header: c.header, Body: []byte(c.body), Time: ruleTime})
			if v.Kind != c.kind || v.Unprocessed != c.unprocessed || v.RetryAfter != c.hint || v.Code != c.code {
				t.Errorf("got %v, unprocessed %v, hint %v, code %q, want %v, %v, %v, %q", v.Kind, v.Unprocessed, v.RetryAfter, v.Code, c.kind, c.unprocessed, c.hint, c.code)
			}
		})
	}
	if !failuresOnly(p) {
		t.Error("a provider with rules has no opinion on success, and First does not know it")
	}
	if v := (Provider{}).Classify(Outcome{Status: 400, Body: []byte(`{"code":"SlowDown"}`)}); v.Kind != ProviderRateLimit {
		t.Errorf("the zero Provider: got %v", v.Kind)
	}
}

func TestAllFaultsOfRulesAtOnce(t *testing.T) {
	is := map[string][]string{"X-A": {"1"}}
	for _, c := range []struct {
		name string
		rule Rule
		want string
	}{
		{"no name", Rule{Statuses: []int{400}}, "Rules[0].Name is empty"},
		{"no condition", Rule{Name: "n", Kind: ProviderUnavailable}, "Rules[0] fits every answer: want Statuses, a Header, Hinted or Codes"},
		{"a success", Rule{Name: "n", Statuses: []int{200}}, "Rules[0].Statuses: 200: want 4, 5 or a status of 400 to 999"},
		{"another class", Rule{Name: "n", Statuses: []int{3}}, "Rules[0].Statuses: 3: want 4, 5 or a status of 400 to 999"},
		{"a bad field", Rule{Name: "n", Header: map[string][]string{"X A": nil}}, `Rules[0].Header: "X A" is not a field name`},
		{"an empty field", Rule{Name: "n", Header: map[string][]string{"": nil}}, `Rules[0].Header: "" is not a field name`},
		{"an empty value", Rule{Name: "n", Header: map[string][]string{"X-A": {"1", ""}}}, "Rules[0].Header: X-A: a value is empty, which no answer can meet"},
		{"codes without members", Rule{Name: "n", Codes: []string{"a"}}, "Rules[0]: 0 Members and 1 Codes: want both or neither"},
		{"members without codes", Rule{Name: "n", Statuses: []int{4}, Members: []string{"a"}}, "Rules[0]: 1 Members and 0 Codes: want both or neither"},
		{"an empty name on the way", Rule{Name: "n", Members: []string{"a..b"}, Codes: []string{"a"}}, `Rules[0].Members: "a..b": want up to 4 names separated by dots, as in "error.code", of at most 128 bytes`},
		{"too deep", Rule{Name: "n", Members: []string{"a.b.c.d.e"}, Codes: []string{"a"}}, `Rules[0].Members: "a.b.c.d.e": want up to 4 names separated by dots, as in "error.code", of at most 128 bytes`},
		{"an empty code", Rule{Name: "n", Members: []string{"a"}, Codes: []string{""}}, "Rules[0].Codes: a code of 0 bytes: want 1 to 128"},
		{"a long code", Rule{Name: "n", Members: []string{"a"}, Codes: []string{strings.Repeat("x", 129)}}, "Rules[0].Codes: a code of 129 bytes: want 1 to 128"},
		{"a kind of the backend", Rule{Name: "n", Header: is, Kind: GrantRevoked}, "Rules[0].Kind is grant_revoked: want provider_api or a kind below it"},
		{"a success of a kind", Rule{Name: "n", Header: is, Kind: Success}, "Rules[0].Kind is success: want provider_api or a kind below it"},
		{"a kind that is none", Rule{Name: "n", Header: is, Kind: 255}, fmt.Sprintf("Rules[0].Kind is %v: want provider_api or a kind below it", Kind(255))},
		{"a bad reset", Rule{Name: "n", Header: is, Reset: "X:A"}, `Rules[0].Reset: "X:A" is not a field name`},
		{"a negative wait", Rule{Name: "n", Header: is, Wait: -1}, "Rules[0].Wait: -1ns: want 0 to 876000h0m0s"},
		{"a wait of more than a hundred years", Rule{Name: "n", Header: is, Wait: maxHint + 1}, "Rules[0].Wait: 876000h0m0.000000001s: want 0 to 876000h0m0s"},
		{"a proof by status alone", Rule{Name: "n", Statuses: []int{4}, Kind: ProviderRateLimit, Unprocessed: true}, ""},
		{"a proof by the body", Rule{Name: "n", Statuses: []int{4}, Header: is, Members: []string{"a"}, Codes: []string{"a"}, Kind: ProviderRateLimit, Unprocessed: true}, ""},
		{"a proof of an outage", Rule{Name: "n", Statuses: []int{4}, Header: is, Kind: ProviderUnavailable, Unprocessed: true}, ""},
		{"a proof on every status", Rule{Name: "n", Header: is, Kind: ProviderRateLimit, Unprocessed: true}, ""},
		{"a proof on a 503", Rule{Name: "n", Statuses: []int{429, 503}, Header: is, Kind: ProviderRateLimit, Unprocessed: true}, ""},
		{"a proof on a class", Rule{Name: "n", Statuses: []int{5}, Header: is, Kind: ProviderRateLimit, Unprocessed: true}, ""},
	} {
		want := c.want
		if want == "" {
			want = "Rules[0].Unprocessed: want the Kind provider_rate_limit, statuses below 500, a Header, and no Codes"
		}
		p, err := NewProvider(ProviderConfig{Rules: []Rule{c.rule}})
		if err == nil || err.Error() != "classify: ProviderConfig: "+want || p != (Provider{}) {
			t.Errorf("%s: got %v, want %s", c.name, err, want)
		}
	}
	_, err := NewProvider(ProviderConfig{Rules: []Rule{
		{Name: "a", Statuses: []int{1, 400, 2}},
		{Name: "a", Statuses: []int{400}, Kind: Backend},
		{},
		{},
	}})
	const want = `classify: ProviderConfig: Rules[0].Statuses: 1: want 4, 5 or a status of 400 to 999; Rules[0].Statuses: 2: want 4, 5 or a status of 400 to 999; ` +
		`Rules[1].Kind is backend: want provider_api or a kind below it; Rules[1].Name "a" stands twice; ` +
		`Rules[2].Name is empty; Rules[2] fits every answer: want Statuses, a Header, Hinted or Codes; ` +
		`Rules[3].Name is empty; Rules[3] fits every answer: want Statuses, a Header, Hinted or Codes`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if p, err := NewProvider(ProviderConfig{}); err != nil || p.Classify(Outcome{Status: 400, Body: []byte(`{"code":"SlowDown"}`)}).Kind != ProviderRateLimit {
		t.Errorf("no rules: got %v", err)
	}
}

func TestRulesTakeNoMemory(t *testing.T) {
	for _, c := range knownAnswers {
		body := []byte(c.body)
		if isXML(objectStart(body)) {
			continue // encoding/xml takes some
		}
		if n := testing.AllocsPerRun(10, func() { builtinRules.match(c.status, c.header, ruleTime, body) }); n > 0 {
			t.Errorf("%s: got %v allocations", c.name, n)
		}
	}
}

func FuzzRules(f *testing.F) {
	for _, c := range knownAnswers {
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(c.header)) {
			for _, value := range c.header[name] {
				fields = append(fields, name+": "+value)
			}
		}
		f.Add(c.status, strings.Join(fields, "\n"), []byte(c.body))
	}
	for i, body := range hostile {
		f.Add(400+i, "X-Should-Retry: true\nX-Should-Retry: false\nX-Amzn-Errortype: a#SlowDown:b\nX-Ratelimit-Remaining: 0\nX-Ratelimit-Reset: 99999999999", []byte(body))
	}
	own, err := NewProvider(ProviderConfig{Rules: []Rule{
		{Name: "deep", Members: []string{"a.b.c.d", "error.error.error.error", "code"}, Codes: []string{"x", "a", "\ufffd"}, Kind: ProviderUnavailable, Reset: "Date"},
		{Name: "hinted", Statuses: []int{5}, Hinted: true, Kind: ProviderRateLimit, Reset: "X-Ratelimit-Reset"},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, fields string, body []byte) {
		body = body[:min(len(body), MaxBody)]
		h := header(strings.Split(fields, "\n")...)
		before := bytes.Clone(body)
		for _, p := range []Provider{{}, own} {
			o := Outcome{Status: status, Header: h, Body: body, Time: ruleTime}
			v := p.Classify(o)
			checkVerdict(t, v)
			if status < 400 {
				if v.Kind != Unclassified {
					t.Errorf("%d: got %v", status, v.Kind)
				}
				continue
			}
			if !v.Kind.Is(ProviderAPI) {
				t.Errorf("got %v, want a kind below %v", v.Kind, ProviderAPI)
			}
			if v.Unprocessed && (v.Kind != ProviderRateLimit || status >= 500) {
				t.Errorf("%d, %v: got unprocessed", status, v.Kind)
			}
			o.Header = nil
			if p.Classify(o).Unprocessed && status != 429 {
				t.Errorf("%d: got unprocessed by the body alone", status)
			}
		}
		v := Provider{}.Classify(Outcome{Status: status, Header: h, Body: body})
		if a := v.Action(); fieldValue(h, "X-Should-Retry") == "false" && (a == Retry || a == Wait) {
			t.Errorf("%d: told not to retry, got %v", status, v.Kind)
		}
		if !bytes.Equal(body, before) {
			t.Error("the body was changed")
		}
	})
}
